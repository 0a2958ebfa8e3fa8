//! Opening files for reading: regular files only, and never more of one than its reader takes.
//!
//! A FIFO, device or socket that lies where a file is expected is refused without waiting for its other end.

use rustix::fs::OFlags;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// The largest text that is read whole where nothing smaller is said, in bytes.
const TEXT: u64 = 32 * 1024 * 1024;

/// Opens a regular file for reading; links are followed. Anything else is refused, a folder too, and nothing hangs:
/// opening a FIFO waits for nobody.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).map_err(|error| {
        // A socket cannot be opened at all, which its own error says badly.
        let kind = path.metadata().map(|facts| facts.file_type());
        match kind {
            Ok(kind) if kind.is_socket() => no_file(kind),
            _ => error,
        }
    })?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(no_file(kind)) }
}

fn no_file(kind: FileType) -> io::Error {
    let what = if kind.is_dir() {
        return io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file");
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file"))
}

/// Opens a file that the user names. `-f <(command)` names a pipe that is open already (`/dev/fd/63`): it ends when the
/// command does, as standard input does.
pub fn open_named(path: &Path) -> io::Result<File> {
    let is_open = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder));
    if is_open || path == Path::new("/dev/stdin") { File::open(path) } else { open_regular(path) }
}

/// Everything up to that many bytes; an error of [`io::ErrorKind::FileTooLarge`] where there is more.
pub fn read_at_most(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it is larger than {} MB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// A regular file's bytes, at most that many.
pub fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(open_regular(path)?, most)
}

/// A regular file's text, 32 MB at most.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_up_to(path, TEXT)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_fifo_a_device_a_socket_and_a_folder_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink(at("fifo"), at("link")).unwrap();
        std::fs::write(at("file"), "text").unwrap();
        for (path, what) in [
            (at("fifo"), "a FIFO"),
            (at("link"), "a FIFO"),
            (at("socket"), "a socket"),
            ("/dev/zero".into(), "a device"),
            (folder.path().to_owned(), "a folder"),
        ] {
            let error = open_named(&path).unwrap_err().to_string();
            assert!(error.contains(what), "{}: {error}", path.display());
        }
        assert_eq!(read_text(&at("file")).unwrap(), "text");
    }

    #[test]
    fn what_is_larger_is_refused_and_not_cut() {
        assert_eq!(read_at_most(&b"1234"[..], 4).unwrap(), b"1234");
        assert_eq!(read_at_most(io::repeat(0), 1 << 20).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}

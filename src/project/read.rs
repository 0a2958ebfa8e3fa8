//! Opens files for reading: regular files only, and never reads more of a file than the reader accepts.
//!
//! A FIFO, device or socket in the place of a file is refused without waiting for its other end.

use rustix::fs::OFlags;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// The largest text that is read as a whole if there is no smaller limit, in bytes.
const MAX_TEXT: u64 = 32 * 1024 * 1024;

/// Opens a regular file for reading and follows links. Anything else is refused, a folder too. The call never hangs:
/// opening a FIFO does not wait for a writer.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).map_err(|error| {
        // A socket cannot be opened at all, and the system's error does not say so clearly.
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

/// Opens a file that the user names. `-f <(command)` names a pipe that is open already (`/dev/fd/63`). The pipe ends
/// when the command ends, as standard input does.
pub fn open_named(path: &Path) -> io::Result<File> {
    let is_open = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder));
    if is_open || path == Path::new("/dev/stdin") { File::open(path) } else { open_regular(path) }
}

/// All bytes, at most `most`. An error of [`io::ErrorKind::FileTooLarge`] if there are more.
pub fn read_at_most(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it is larger than {} MB", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// The bytes of a regular file, at most `most`.
pub fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(open_regular(path)?, most)
}

/// The text of a regular file, at most 32 MB.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_up_to(path, MAX_TEXT)?;
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
    fn a_larger_file_is_refused_and_not_cut() {
        assert_eq!(read_at_most(&b"1234"[..], 4).unwrap(), b"1234");
        assert_eq!(read_at_most(io::repeat(0), 1 << 20).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}

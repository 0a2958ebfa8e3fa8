//! Files for a container, as the tar archive that engines accept.

use crate::model::File;
use std::io;

/// One archive of all files, by absolute path.
///
/// The archive has no entries for folders: an engine creates missing folders (owner root, mode 0755) and leaves the
/// others as they are. An entry would change the mode of a folder that the image has, `/tmp` included.
pub(super) fn archive(files: &[File]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let bytes = &file.content.0;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        // A fixed time in the past, so that the same files give the same archive.
        header.set_mtime(0);
        archive.append_data(&mut header, file.path.trim_start_matches('/'), bytes.as_slice())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileContent;
    use std::io::Read as _;

    #[test]
    fn files_keep_path_mode_and_bytes_and_bring_no_folders() {
        let long = format!("/etc/{}x.conf", "deep/".repeat(40));
        let files = [
            File { path: "/etc/app/a.conf".into(), mode: 0o600, content: FileContent(b"a\0b".to_vec()) },
            File { path: long.clone(), mode: 0o755, content: FileContent(Vec::new()) },
        ];
        let bytes = archive(&files).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let path = entry.path().unwrap().display().to_string();
            seen.push((path, entry.header().mode().unwrap(), content));
        }
        let expected = [
            ("etc/app/a.conf".to_owned(), 0o600, b"a\0b".to_vec()),
            (long.trim_start_matches('/').to_owned(), 0o755, Vec::new()),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_path_that_leaves_the_container_is_refused() {
        let file = File { path: "/../x".into(), mode: 0o644, content: FileContent(Vec::new()) };
        assert!(archive(&[file]).is_err());
    }
}

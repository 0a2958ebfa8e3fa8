//! Reads a tar archive that is not trusted, and reads it strictly: an entry that two programs could read in two ways is
//! refused.
//!
//! Nothing is unpacked, no file is opened under a name in the archive, and no header costs more than a fixed amount of
//! memory.

use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// The maximum size of a header with records. Engines write some lines into it: times and owners.
const MAX_RECORDS_SIZE: u64 = 64 * 1024;
/// The maximum number of entries. Engines write three entries for each layer, and an image has at most some hundred
/// layers.
const MAX_ENTRIES: usize = 100_000;
/// The maximum size of the end. An archive is filled up with zeros, to a multiple of a tape's record.
const MAX_END_SIZE: usize = 1024 * 1024;

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file with bytes.
    File,
    /// Another name for the entry at this path.
    Link(String),
    /// A folder, without content.
    Folder,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The path of the entry without `.`: never outside of the archive.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// The position of its content in the archive, in bytes.
    pub(super) begins: u64,
    /// The size of its content in bytes.
    pub(super) size: u64,
}

/// An archive, and the position up to which it was read.
pub(super) struct Strict<R> {
    source: R,
    at: u64,
    entries: usize,
    /// The rest of the current entry: its content, or the bytes that fill up its last block.
    left: u64,
}

impl<R: Read> Strict<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, at: 0, entries: 0, left: 0 }
    }

    /// Returns the next entry; `None` at the archive's end. [`Strict::read`] reads its content.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        self.skip()?;
        let mut size = None;
        loop {
            let Some(header) = self.header()? else {
                return if size.is_some() { Err(invalid("it ends behind a header")) } else { Ok(None) };
            };
            let kind = header.entry_type();
            let given = header.entry_size()?;
            if matches!(kind, EntryType::XHeader) {
                size = self.records(given)?.or(size);
                continue;
            }
            let path = inside(&text(&header.path_bytes())?)?;
            let kind = match kind {
                EntryType::Regular => Kind::File,
                EntryType::Directory => Kind::Folder,
                EntryType::Symlink | EntryType::Link => {
                    let target = text(&header.link_name_bytes().unwrap_or_default())?;
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let from = if kind == EntryType::Symlink { folder } else { "" };
                    Kind::Link(linked(from, &target)?)
                }
                // A long name, a sparse file, records for all following entries, a device.
                other => {
                    return Err(invalid(format!(
                        "an entry of the type {:?}, which no engine writes",
                        char::from(other.as_byte())
                    )));
                }
            };
            let size = size.unwrap_or(given);
            if size > 0 && kind != Kind::File {
                return Err(invalid(format!("{path} is no file and has content")));
            }
            self.left = size;
            return Ok(Some(Entry { path, kind, begins: self.at, size }));
        }
    }

    /// Reads the next bytes of the entry's content; 0 bytes at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.source.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }

    /// Skips the rest of the entry and the bytes that fill up its block.
    fn skip(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8 * BLOCK];
        while self.left > 0 {
            self.read(&mut buffer)?;
        }
        self.left = self.at.next_multiple_of(BLOCK as u64) - self.at;
        while self.left > 0 {
            self.read(&mut buffer)?;
        }
        Ok(())
    }

    /// Returns the next header; `None` at the end, after which no other bytes may follow.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        self.source.read_exact(header.as_mut_bytes())?;
        self.at += BLOCK as u64;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            let mut rest = Vec::new();
            self.source.by_ref().take(MAX_END_SIZE as u64 + 1).read_to_end(&mut rest)?;
            return if rest.len() <= MAX_END_SIZE && rest.iter().all(|byte| *byte == 0) {
                Ok(None)
            } else {
                Err(invalid("something follows its end"))
            };
        }
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(invalid(format!("it has more than {MAX_ENTRIES} entries")));
        }
        // The sum of all bytes, where the bytes of the sum itself count as spaces.
        let bytes = header.as_bytes();
        let sum: u32 = bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(invalid("a header's sum does not fit"));
        }
        Ok(Some(header))
    }

    /// Reads the records for the next entry (POSIX pax) and returns the size, if a record has it. A record that two
    /// programs could understand in two ways is refused.
    fn records(&mut self, length: u64) -> io::Result<Option<u64>> {
        if length > MAX_RECORDS_SIZE {
            return Err(invalid("a header is too long"));
        }
        let mut bytes = Vec::new();
        let mut buffer = [0; BLOCK];
        self.left = length;
        while self.left > 0 {
            let read = self.read(&mut buffer)?;
            bytes.extend_from_slice(&buffer[..read]);
        }
        self.skip()?;
        let mut size = None;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (key, value, after) = record(rest).ok_or_else(|| invalid("a header's records make no sense"))?;
            rest = after;
            match key {
                "mtime" | "atime" | "ctime" | "uid" | "gid" | "uname" | "gname" | "comment" => {}
                key if key.starts_with("SCHILY.xattr.") => {}
                // For a layer of more than 8 GiB.
                "size" if size.is_none() => {
                    let said = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                    size = Some(said.ok_or_else(|| invalid("a header's size is no number"))?);
                }
                key => {
                    return Err(invalid(format!(
                        "a header says {:?} of an entry, which no engine writes",
                        key.chars().take(40).collect::<String>()
                    )));
                }
            }
        }
        Ok(size)
    }
}

/// Reads `LENGTH KEY=VALUE` and a line feed, where the length counts the whole record. Also returns the bytes after the
/// record.
fn record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (record, after) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((std::str::from_utf8(&record[..equals]).ok()?, &record[equals + 1..], after))
}

pub(super) fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| invalid("a name is no text"))
}

/// Returns a path of the archive without `.`; a path that leaves the archive, or could leave it, is refused.
fn inside(path: &str) -> io::Result<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if path.starts_with('/') || parts.contains(&"..") || path.contains(['\0', '\\']) {
        return Err(invalid(format!("the name {path:?} leads out of it")));
    }
    Ok(parts.join("/"))
}

/// The target of a link, from a folder.
fn linked(folder: &str, target: &str) -> io::Result<String> {
    let out = || invalid(format!("a link to {target:?} leads out of it"));
    if target.starts_with('/') || target.contains(['\0', '\\']) {
        return Err(out());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or_else(out)?),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

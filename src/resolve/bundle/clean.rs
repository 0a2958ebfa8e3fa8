//! The archive that an engine gets: devenv writes it from the verified parts only.
//!
//! Other headers, names or entries of the bundle's file never reach the engine. The bytes are hashed again while they
//! are read, so loading ends if the file was changed in the meantime.

use super::{Contents, Place, Proven, archive::invalid};
use crate::model::digest_of_hash;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};
use tar::Header;

/// An image as `manifest.json` lists it: without names, which could be the names of other images.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// A piece of the archive.
enum Part {
    Bytes(Vec<u8>),
    /// A range of the bundle's file.
    Blob {
        digest: String,
        place: Place,
    },
}

/// The archive, to be read once from beginning to end.
pub struct CleanArchive<R> {
    source: R,
    /// The remaining parts, the next part last.
    parts: Vec<Part>,
    /// The number of bytes that were read of the next part.
    read: u64,
    hash: Sha256,
}

impl<R: Read + Seek> CleanArchive<R> {
    /// Makes the archive for these images, whose bytes are in the file that the contents were read from.
    pub fn new(source: R, contents: &Contents, proven: &[Proven]) -> io::Result<Self> {
        let mut parts = Vec::new();
        let mut listed = Vec::new();
        let mut added = BTreeSet::new();
        for one in proven {
            let config = format!("{}.json", hex(&one.config)?);
            blob(&mut parts, &mut added, contents, &one.config, &config)?;
            let mut layers = Vec::new();
            for digest in &one.layers {
                let path = format!("{}.tar", hex(digest)?);
                blob(&mut parts, &mut added, contents, digest, &path)?;
                layers.push(path);
            }
            listed.push(Listed { config, repo_tags: None, layers });
        }
        let list = serde_json::to_vec(&listed)?;
        parts.push(Part::Bytes(header("manifest.json", list.len() as u64)?));
        let length = list.len();
        parts.push(Part::Bytes(list));
        parts.push(Part::Bytes(vec![0; filling(length as u64) + 2 * 512]));
        parts.reverse();
        Ok(Self { source, parts, read: 0, hash: Sha256::new() })
    }

    fn go_on(&mut self) {
        self.parts.pop();
        self.read = 0;
        self.hash = Sha256::new();
    }
}

/// Adds the bytes of a digest once: two images may share a layer.
fn blob(
    parts: &mut Vec<Part>,
    added: &mut BTreeSet<String>,
    contents: &Contents,
    digest: &str,
    path: &str,
) -> io::Result<()> {
    let place =
        contents.blobs.get(digest).ok_or_else(|| invalid(format!("it has nothing with the digest {digest}")))?;
    if added.insert(path.to_owned()) {
        parts.push(Part::Bytes(header(path, place.size)?));
        parts.push(Part::Blob { digest: digest.to_owned(), place: place.clone() });
        parts.push(Part::Bytes(vec![0; filling(place.size)]));
    }
    Ok(())
}

/// The hexadecimal part of a digest, which is safe as the name of a file.
fn hex(digest: &str) -> io::Result<&str> {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { Ok(hex) } else { Err(invalid(format!("{digest} is not a digest"))) }
}

fn header(path: &str, size: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_path(path)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// The number of bytes that fill up the last block.
fn filling(size: u64) -> usize {
    // The number is smaller than a block.
    usize::try_from(size.next_multiple_of(512) - size).unwrap_or_default()
}

impl<R: Read + Seek> Read for CleanArchive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let (false, Some(part)) = (buffer.is_empty(), self.parts.last()) {
            let length = match part {
                Part::Bytes(bytes) => bytes.len() as u64,
                Part::Blob { place, .. } => place.size,
            };
            if self.read == length {
                self.go_on();
                continue;
            }
            let most = usize::try_from(length - self.read).unwrap_or(usize::MAX).min(buffer.len());
            let buffer = &mut buffer[..most];
            let read = match part {
                Part::Bytes(bytes) => {
                    let from = usize::try_from(self.read).unwrap_or_default();
                    buffer.copy_from_slice(&bytes[from..from + most]);
                    most
                }
                Part::Blob { digest, place } => {
                    self.source.seek(SeekFrom::Start(place.begins + self.read))?;
                    let read = self.source.read(buffer)?;
                    self.hash.update(&buffer[..read]);
                    // The last piece is held back until the hash has shown that all bytes are unchanged.
                    let ends = self.read + read as u64 == length;
                    if read == 0 || (ends && digest_of_hash(&self.hash.finalize_reset()) != *digest) {
                        return Err(invalid("the file was changed while it was loaded"));
                    }
                    read
                }
            };
            self.read += read as u64;
            return Ok(read);
        }
        Ok(0)
    }
}

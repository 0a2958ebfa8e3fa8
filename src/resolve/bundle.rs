//! A bundle: every locked image in one archive, for machines without access to a registry.
//!
//! A bundle is a tar archive. Its first entry lists the content, with the index and the manifest of each image as in
//! the registry. The images as the engine saves them follow unchanged. From a locked digest, a chain of digests leads
//! over these documents to the bytes of every layer, so no part of the bundle has to be trusted. An engine never gets
//! the file itself: it gets an archive that devenv writes from the verified parts only ([`CleanArchive`]).

mod archive;
mod clean;

use crate::model::{Diagnostic, LocalImage, OciDocument, digest_of_bytes, digest_of_hash};
use archive::{Entry, Kind, Strict, invalid};
pub use clean::CleanArchive;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use tar::Header;

/// The entry that lists the content.
const HEAD: &str = "devenv-bundle.json";
const FORM: u32 = 1;

/// The maximum size of a document; only smaller entries are kept in memory.
const MAX_DOCUMENT_SIZE: u64 = 4 * 1024 * 1024;
/// The maximum size of all documents of an archive together.
const MAX_DOCUMENTS_SIZE: usize = 64 * 1024 * 1024;

/// The content of the first entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    version: u32,
    /// The images, sorted by service.
    pub images: Vec<Bundled>,
    /// Indexes, manifests and configurations as the registry had them, by their digests.
    pub documents: BTreeMap<String, String>,
}

/// One service's image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundled {
    /// The service.
    pub service: String,
    /// The name and the tag: `docker.io/library/postgres:16`.
    pub image: String,
    /// The locked digest; for an image that was built on an engine, its id.
    pub digest: String,
    /// The platform of the saved image: `linux/amd64`.
    pub platform: String,
}

impl Head {
    /// Makes the first entry for these images. Documents that are not text do not belong to an image, and are not
    /// added.
    pub fn new(mut images: Vec<Bundled>, documents: BTreeMap<String, Vec<u8>>) -> Self {
        images.sort();
        let documents = documents.into_iter();
        let texts = documents.filter_map(|(digest, bytes)| Some((digest, String::from_utf8(bytes).ok()?)));
        Self { version: FORM, images, documents: texts.collect() }
    }

    /// Returns the archive's first entry. The engine's own archive is written after it.
    pub fn entry(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(self)?;
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut header, HEAD, text.as_slice())?;
        // Without the end marker that `into_inner` writes, because the archive continues.
        let padded = text.len().div_ceil(512) * 512 + 512;
        let mut entry = archive.into_inner()?;
        entry.truncate(padded);
        Ok(entry)
    }
}

/// The content of an archive, as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The first entry.
    pub head: Head,
    /// The place of the bytes of each digest.
    blobs: BTreeMap<String, Place>,
    /// The digest of each file's bytes, by the file's path.
    files: BTreeMap<String, String>,
    /// The target of each link, by the link's path.
    links: BTreeMap<String, String>,
    documents: BTreeMap<String, Vec<u8>>,
}

/// A range of bytes in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    begins: u64,
    size: u64,
}

/// An entry of `manifest.json`, which every engine's archive has.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// An image whose bytes all match its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The image.
    pub bundled: Bundled,
    /// The digest of its configuration, which is its id in most engines.
    pub config: String,
    /// The digests of the unpacked content of its layers.
    pub diff_ids: Vec<String>,
    /// The digests of its layers as they are in the archive: unpacked, or as the registry sent them.
    layers: Vec<String>,
}

/// Reads a whole archive. An error of another kind than `InvalidData` comes from reading the file.
pub fn read(source: impl Read) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut archive = Strict::new(source);
    let first = archive.next()?.filter(|first| first.path == HEAD && first.size <= MAX_DOCUMENT_SIZE);
    first.ok_or_else(|| invalid("it does not begin like a bundle"))?;
    let text = content(&mut archive)?;
    let head: Head = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    if head.version != FORM {
        return Err(invalid("it was written by another version of devenv"));
    }
    for document in head.documents.values() {
        contents.documents.insert(digest_of_bytes(document.as_bytes()), document.clone().into_bytes());
    }
    contents.head = head;
    let (mut paths, mut kept) = (BTreeSet::from([HEAD.to_owned()]), 0);
    while let Some(entry) = archive.next()? {
        if entry.kind != Kind::Folder && !paths.insert(entry.path.clone()) {
            return Err(invalid(format!("it has {} twice", entry.path)));
        }
        match entry.kind {
            Kind::Link(target) => drop(contents.links.insert(entry.path, target)),
            Kind::File => contents.take(entry, &mut archive, &mut kept)?,
            Kind::Folder => {}
        }
    }
    Ok(contents)
}

fn content(archive: &mut Strict<impl Read>) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 128 * 1024]);
    loop {
        match archive.read(&mut buffer)? {
            0 => return Ok(all),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Normalises a path in a document.
fn normal(path: &str) -> String {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

impl Contents {
    fn take(&mut self, entry: Entry, archive: &mut Strict<impl Read>, documents: &mut usize) -> io::Result<()> {
        let Entry { path, begins, size, .. } = entry;
        let mut hash = Sha256::new();
        let mut kept = (size <= MAX_DOCUMENT_SIZE).then(Vec::new);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = archive.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&buffer[..read]);
            }
        }
        let digest = digest_of_hash(&hash.finalize());
        // Every small entry may be a document; an entry that is not a document is never requested by its digest.
        if let Some(bytes) = kept.filter(|bytes| bytes.first() == Some(&b'{') || bytes.first() == Some(&b'[')) {
            *documents += bytes.len();
            if *documents > MAX_DOCUMENTS_SIZE {
                return Err(invalid("it has more documents than any images have"));
            }
            self.documents.insert(digest.clone(), bytes);
        }
        self.blobs.insert(digest.clone(), Place { begins, size });
        self.files.insert(path, digest);
        Ok(())
    }

    fn digest_at(&self, path: &str) -> Option<&String> {
        let mut path = normal(path);
        // A circle of links leads nowhere.
        for _ in 0..8 {
            match self.links.get(&path) {
                Some(target) => path.clone_from(target),
                None => break,
            }
        }
        self.files.get(&path)
    }

    /// Follows the chain from the digest of each image to its layers. Each fault names the actual and the expected
    /// value.
    pub fn prove(&self) -> Result<Vec<Proven>, Vec<Diagnostic>> {
        let (mut proven, mut faults) = (Vec::new(), Vec::new());
        for bundled in &self.head.images {
            match self.prove_one(bundled) {
                Ok(one) => proven.push(one),
                Err(why) => faults.push(
                    Diagnostic::error(
                        "bundle-digest",
                        format!("the bundle's image for {} does not match its digest", bundled.service),
                    )
                    .because(format!("{}@{}: {why}", bundled.image, bundled.digest))
                    .help("copy the file again from where it was saved, or save a new one; nothing of it was loaded"),
                ),
            }
        }
        faults.extend(self.uncalled_for(&proven));
        if faults.is_empty() { Ok(proven) } else { Err(faults) }
    }

    /// An engine loads everything that the archive lists. So the archive must list only verified images, and give no
    /// names.
    fn uncalled_for(&self, proven: &[Proven]) -> Option<Diagnostic> {
        let is_proven = |config: &String| proven.iter().any(|one| one.config == *config);
        let named = self.list().into_iter().flat_map(|saved| saved.repo_tags.unwrap_or_default());
        let listed =
            self.list().into_iter().map(|saved| self.digest_at(&saved.config).cloned().unwrap_or(saved.config));
        let index = self.digest_at("index.json").and_then(|digest| self.documents.get(digest));
        let indexed = index.and_then(|index| OciDocument::digests(index)).unwrap_or_default();
        let unknown = listed.chain(indexed.into_iter().map(|digest| self.config_behind(&digest).unwrap_or(digest)));
        let uncalled: Vec<String> = named.chain(unknown.filter(|config| !is_proven(config))).collect();
        (!uncalled.is_empty()).then(|| {
            Diagnostic::error("bundle-more", "the bundle holds more than it says")
                .because(uncalled.join(", "))
                .help("save a new one with `devenv bundle save FILE`; nothing of it was loaded")
        })
    }

    /// The configuration to which a document of the archive leads.
    fn config_behind(&self, digest: &str) -> Option<String> {
        match OciDocument::parse(self.documents.get(digest)?)? {
            OciDocument::Manifest { config, .. } => Some(config),
            OciDocument::Index(platforms) => platforms.values().find_map(|digest| self.config_behind(digest)),
            OciDocument::Config { .. } => Some(digest.to_owned()),
        }
    }

    /// The images that the saving engine listed in the archive.
    fn list(&self) -> Vec<Saved> {
        let list = self.digest_at("manifest.json").and_then(|digest| self.documents.get(digest));
        list.and_then(|list| serde_json::from_slice(list).ok()).unwrap_or_default()
    }

    fn prove_one(&self, bundled: &Bundled) -> Result<Proven, String> {
        let mut digest = bundled.digest.clone();
        let mut sent: Vec<String> = Vec::new();
        // An index, a manifest, a configuration.
        for _ in 0..3 {
            let bytes =
                self.documents.get(&digest).ok_or_else(|| format!("it has nothing with the digest {digest}"))?;
            match OciDocument::parse(bytes).ok_or_else(|| format!("{digest} is not a document of an image"))? {
                OciDocument::Index(platforms) => {
                    let of = |name: &str| LocalImage { platform: name.to_owned(), ..LocalImage::default() };
                    let found = platforms.iter().find(|(name, _)| of(name).is_for(&bundled.platform));
                    let (_, found) = found.ok_or_else(|| format!("its index has nothing for {}", bundled.platform))?;
                    digest.clone_from(found);
                }
                OciDocument::Manifest { config, layers } => {
                    digest = config;
                    sent = layers;
                }
                OciDocument::Config { diff_ids, .. } => {
                    let layers = self.prove_layers(&digest, &diff_ids, &sent)?;
                    return Ok(Proven { bundled: bundled.clone(), config: digest, diff_ids, layers });
                }
            }
        }
        Err("its documents lead to no configuration".to_owned())
    }

    /// Layers are saved unpacked, or as the registry sent them. Returns their digests as they are saved.
    fn prove_layers(&self, config: &str, diff_ids: &[String], sent: &[String]) -> Result<Vec<String>, String> {
        let list = self.list();
        let saved = list.iter().find(|saved| self.digest_at(&saved.config).is_some_and(|digest| digest == config));
        let saved = saved.ok_or_else(|| format!("it holds no image whose configuration is {config}"))?;
        if saved.layers.len() != diff_ids.len() {
            return Err(format!("{} layers, and {} are expected", saved.layers.len(), diff_ids.len()));
        }
        let mut layers = Vec::new();
        for (at, (path, wanted)) in saved.layers.iter().zip(diff_ids).enumerate() {
            let is = self.digest_at(path).ok_or_else(|| format!("layer {} is missing", at + 1))?;
            if is != wanted && sent.get(at) != Some(is) {
                return Err(format!("layer {} is {is}, and {wanted} is expected", at + 1));
            }
            layers.push(is.clone());
        }
        Ok(layers)
    }
}

#[cfg(test)]
mod tests;

//! A bundle: every locked image as one archive, for machines that no registry serves.
//!
//! It is a tar archive. Its first entry says what is in it, with the index and the manifest of each image as the
//! registry had them; after it comes what the engine saves of the images, as it saves them. From a locked digest a chain
//! of digests leads over these documents to the bytes of every layer, so that nothing in it has to be believed.

use crate::model::{Diagnostic, LocalImage, OciDocument, digest_of_bytes, digest_of_hash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};
use tar::{Archive, EntryType, Header};

/// The entry that says what is in it.
const HEAD: &str = "devenv-bundle.json";
const FORM: u32 = 1;

/// Documents are smaller than this, and only what is smaller is kept in memory.
const MOST_OF_A_DOCUMENT: u64 = 4 * 1024 * 1024;

/// What the first entry says.
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
    /// By name and tag: `docker.io/library/postgres:16`.
    pub image: String,
    /// The locked digest; the image's id where it was made on an engine.
    pub digest: String,
    /// The platform that it is saved for: `linux/amd64`.
    pub platform: String,
}

impl Head {
    /// Of these images. Documents that are no text are no documents, and are left out.
    pub fn new(mut images: Vec<Bundled>, documents: BTreeMap<String, Vec<u8>>) -> Self {
        images.sort();
        let documents = documents.into_iter();
        let texts = documents.filter_map(|(digest, bytes)| Some((digest, String::from_utf8(bytes).ok()?)));
        Self { version: FORM, images, documents: texts.collect() }
    }

    /// The archive's first entry. What the engine saves is written behind it.
    pub fn entry(&self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(self)?;
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut header, HEAD, text.as_slice())?;
        // Without the end that `into_inner` writes: the archive goes on.
        let padded = text.len().div_ceil(512) * 512 + 512;
        let mut entry = archive.into_inner()?;
        entry.truncate(padded);
        Ok(entry)
    }
}

/// What an archive holds, as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// What it says of itself.
    pub head: Head,
    /// Where the engine's part begins, in bytes.
    pub engine_part: u64,
    /// The digest of each file's bytes, by its path.
    files: BTreeMap<String, String>,
    /// What a path is another name of.
    links: BTreeMap<String, String>,
    documents: BTreeMap<String, Vec<u8>>,
}

/// An entry of `manifest.json`, which every engine's archive has.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// An image whose every byte is what its digest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The image.
    pub bundled: Bundled,
    /// The digest of its configuration: its id, in most engines.
    pub config: String,
    /// The digests of its layers' content.
    pub diff_ids: Vec<String>,
}

/// Reads a whole archive. An error of another kind than `InvalidData` is the file's.
pub fn read(source: impl Read) -> io::Result<Contents> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut contents = Contents::default();
    let mut archive = Archive::new(source);
    for (at, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        let path = normal(&entry.path()?.to_string_lossy());
        if at == 0 {
            if path != HEAD || entry.size() > MOST_OF_A_DOCUMENT {
                return Err(invalid("it does not begin as a bundle does"));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            let head: Head = serde_json::from_slice(&text).map_err(|error| invalid(&error.to_string()))?;
            if head.version != FORM {
                return Err(invalid("it was written by another devenv than this one"));
            }
            for document in head.documents.values() {
                contents.documents.insert(digest_of_bytes(document.as_bytes()), document.clone().into_bytes());
            }
            contents.head = head;
            contents.engine_part = entry.raw_file_position() + text.len().div_ceil(512) as u64 * 512;
            continue;
        }
        match entry.header().entry_type() {
            EntryType::Symlink | EntryType::Link => {
                let Some(target) = entry.link_name()? else { continue };
                let target = target.to_string_lossy().into_owned();
                let is_symbolic = entry.header().entry_type() == EntryType::Symlink;
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = if is_symbolic { normal(&format!("{folder}/{target}")) } else { normal(&target) };
                contents.links.insert(path, target);
            }
            kind if kind.is_file() => contents.take(path, &mut entry)?,
            _ => {}
        }
    }
    if contents.engine_part == 0 { Err(invalid("it is empty")) } else { Ok(contents) }
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Contents {
    fn take(&mut self, path: String, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<()> {
        let mut hash = Sha256::new();
        let mut kept = (entry.size() <= MOST_OF_A_DOCUMENT).then(Vec::new);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = entry.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&buffer[..read]);
            }
        }
        let digest = digest_of_hash(&hash.finalize());
        // Everything small may be a document; what is none is never asked for by its digest.
        if let Some(bytes) = kept.filter(|bytes| bytes.first() == Some(&b'{') || bytes.first() == Some(&b'[')) {
            self.documents.insert(digest.clone(), bytes);
        }
        self.files.insert(path, digest);
        Ok(())
    }

    fn digest_at(&self, path: &str) -> Option<&String> {
        let mut path = normal(path);
        // A link that leads in a circle leads nowhere.
        for _ in 0..8 {
            match self.links.get(&path) {
                Some(target) => path.clone_from(target),
                None => break,
            }
        }
        self.files.get(&path)
    }

    /// Follows the chain from the digest of each image to its layers. Each fault is told with what is there and what
    /// should be.
    pub fn prove(&self) -> Result<Vec<Proven>, Vec<Diagnostic>> {
        let (mut proven, mut faults) = (Vec::new(), Vec::new());
        for bundled in &self.head.images {
            match self.prove_one(bundled) {
                Ok(one) => proven.push(one),
                Err(why) => faults.push(
                    Diagnostic::error(
                        "bundle-digest",
                        format!("the bundle's image for {} is not what it says it is", bundled.service),
                    )
                    .because(format!("{}@{}: {why}", bundled.image, bundled.digest))
                    .help("copy the file again from where it was saved, or save a new one; nothing of it was loaded"),
                ),
            }
        }
        faults.extend(self.uncalled_for(&proven));
        if faults.is_empty() { Ok(proven) } else { Err(faults) }
    }

    /// An engine loads whatever the archive lists, so it may list nothing that was not proven, and give no names.
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
                .help("save a new one with `devenv bundle save`; nothing of it was loaded")
        })
    }

    /// The configuration to which a manifest of the archive leads.
    fn config_behind(&self, digest: &str) -> Option<String> {
        match OciDocument::parse(self.documents.get(digest)?)? {
            OciDocument::Manifest { config, .. } => Some(config),
            OciDocument::Index(platforms) => platforms.values().find_map(|digest| self.config_behind(digest)),
            OciDocument::Config { .. } => Some(digest.to_owned()),
        }
    }

    /// What the engine that saved the archive lists in it.
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
                self.documents.get(&digest).ok_or_else(|| format!("it holds nothing of the digest {digest}"))?;
            match OciDocument::parse(bytes).ok_or_else(|| format!("{digest} is no document of an image"))? {
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
                    self.prove_layers(&digest, &diff_ids, &sent)?;
                    return Ok(Proven { bundled: bundled.clone(), config: digest, diff_ids });
                }
            }
        }
        Err("its documents lead to no configuration".to_owned())
    }

    /// Layers are saved unpacked, or as the registry sent them.
    fn prove_layers(&self, config: &str, diff_ids: &[String], sent: &[String]) -> Result<(), String> {
        let list = self.list();
        let saved = list.iter().find(|saved| self.digest_at(&saved.config).is_some_and(|digest| digest == config));
        let saved = saved.ok_or_else(|| format!("it holds no image whose configuration is {config}"))?;
        if saved.layers.len() != diff_ids.len() {
            return Err(format!("{} layers, and {} should be", saved.layers.len(), diff_ids.len()));
        }
        for (at, (path, wanted)) in saved.layers.iter().zip(diff_ids).enumerate() {
            let is = self.digest_at(path).ok_or_else(|| format!("layer {} is missing", at + 1))?;
            if is != wanted && sent.get(at) != Some(is) {
                return Err(format!("layer {} is {is}, and {wanted} should be", at + 1));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Made {
        index: String,
        manifest: String,
        config: String,
        layer: Vec<u8>,
        names: &'static str,
    }

    fn made() -> Made {
        let layer = b"the layer's bytes".to_vec();
        let config = format!(
            r#"{{"os":"linux","architecture":"amd64","config":{{}},"rootfs":{{"diff_ids":["{}"]}}}}"#,
            digest_of_bytes(&layer)
        );
        let manifest = format!(
            r#"{{"config":{{"digest":"{}"}},"layers":[{{"digest":"sha256:packed"}}]}}"#,
            digest_of_bytes(config.as_bytes())
        );
        let index = format!(
            r#"{{"manifests":[{{"digest":"{}","platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
            digest_of_bytes(manifest.as_bytes())
        );
        Made { index, manifest, config, layer, names: "null" }
    }

    fn head(made: &Made) -> Head {
        let digest = digest_of_bytes(made.index.as_bytes());
        let bundled = Bundled {
            service: "db".into(),
            image: "docker.io/library/postgres:16".into(),
            digest: digest.clone(),
            platform: "linux/amd64".into(),
        };
        let documents =
            [&made.index, &made.manifest].map(|text| (digest_of_bytes(text.as_bytes()), text.clone().into_bytes()));
        Head::new(vec![bundled], documents.into())
    }

    /// As engines save: a folder for each layer, one of them a link to another's.
    fn archive(head: &Head, made: &Made) -> Vec<u8> {
        let mut bytes = head.entry().unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        let mut add = |path: &str, content: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content).unwrap();
        };
        add("aa/layer.tar", &made.layer);
        add("config.json", made.config.as_bytes());
        let list = format!(r#"[{{"Config":"config.json","RepoTags":{},"Layers":["bb/layer.tar"]}}]"#, made.names);
        add("manifest.json", list.as_bytes());
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, "bb/layer.tar", "../aa/layer.tar").unwrap();
        bytes.extend(archive.into_inner().unwrap());
        bytes
    }

    fn why(head: &Head, made: &Made) -> String {
        let told = read(archive(head, made).as_slice()).unwrap().prove().unwrap_err();
        assert!(told[0].message.contains("db") && !told[0].help.is_empty());
        told[0].notes.join(" ")
    }

    #[test]
    fn what_is_saved_is_proven_from_the_locked_digest_to_the_last_layer() {
        let made = made();
        let head = head(&made);
        let bytes = archive(&head, &made);
        let contents = read(bytes.as_slice()).unwrap();
        assert_eq!(contents.head, head);
        let begins = usize::try_from(contents.engine_part).unwrap();
        assert_eq!(begins, head.entry().unwrap().len());
        let proven = contents.prove().unwrap();
        assert_eq!(proven[0].config, digest_of_bytes(made.config.as_bytes()));
        // The engine's part is an archive of its own.
        let mut rest = Archive::new(&bytes[begins..]);
        let first = rest.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(first.path().unwrap().to_string_lossy(), "aa/layer.tar");
    }

    #[test]
    fn every_link_of_the_chain_that_does_not_hold_is_told() {
        let good = made();
        let head = head(&good);
        let layer = Made { layer: b"other bytes".to_vec(), ..made() };
        let told = why(&head, &layer);
        assert!(
            told.contains(&digest_of_bytes(&layer.layer)) && told.contains(&digest_of_bytes(&good.layer)),
            "{told}"
        );

        let config = Made { config: good.config.replace("amd64", "arm64"), ..made() };
        assert!(why(&head, &config).contains("nothing of the digest"));

        // A document that is not what its name says counts as what it is.
        let mut forged = head.clone();
        let digest = forged.images[0].digest.clone();
        forged.documents.insert(digest.clone(), good.index.replace("linux", "other"));
        assert!(why(&forged, &good).contains(&digest));

        let mut elsewhere = head.clone();
        elsewhere.images[0].platform = "linux/s390x".into();
        assert!(why(&elsewhere, &good).contains("nothing for linux/s390x"));
    }

    #[test]
    fn what_it_lists_beyond_what_was_proven_is_refused() {
        let made = made();
        let mut nothing = head(&made);
        nothing.images.clear();
        let told = read(archive(&nothing, &made).as_slice()).unwrap().prove().unwrap_err();
        assert_eq!(told[0].code, "bundle-more");
        assert!(told[0].notes[0].contains(&digest_of_bytes(made.config.as_bytes())), "{told:?}");
        // A name that would be taken from another image.
        let made = Made { names: r#"["a:1"]"#, ..made };
        let told = read(archive(&head(&made), &made).as_slice()).unwrap().prove().unwrap_err();
        assert_eq!((told[0].code, told[0].notes[0].as_str()), ("bundle-more", "a:1"));
    }

    #[test]
    fn an_image_that_was_made_on_an_engine_is_proven_by_its_id() {
        let made = made();
        let mut head = head(&made);
        head.images[0].digest = digest_of_bytes(made.config.as_bytes());
        head.documents.clear();
        assert!(read(archive(&head, &made).as_slice()).unwrap().prove().is_ok());
    }

    #[test]
    fn what_is_no_bundle_is_refused_at_its_beginning() {
        for bytes in [&b""[..], b"text", &[0; 1024]] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(2);
        archive.append_data(&mut header, "manifest.json", &b"[]"[..]).unwrap();
        let error = read(archive.into_inner().unwrap().as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let made = made();
        let whole = super::tests::archive(&head(&made), &made);
        assert!(read(&whole[..whole.len() - 1600]).is_err(), "cut short");
    }
}

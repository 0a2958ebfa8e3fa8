//! The documents of an image in registries and archives; the name of each document is the digest of its bytes.
//!
//! An index names a manifest for each platform, a manifest names a configuration and the layers, a configuration names
//! the layers' unpacked content (OCI Image Format 1.1, <https://github.com/opencontainers/image-spec>; Docker's schema
//! 2 has the same shapes).

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A document of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OciDocument {
    /// The manifest's digest for each platform (`linux/amd64`, `linux/arm64/v8`).
    Index(BTreeMap<String, String>),
    /// The configuration and the layers of one platform's image.
    Manifest {
        /// The configuration's digest.
        config: String,
        /// The digests of the layers as they are transferred, the lowest layer first.
        layers: Vec<String>,
    },
    /// The configuration of one platform's image.
    Config {
        /// `linux/amd64`.
        platform: String,
        /// The digests of the uncompressed archives of the layers.
        diff_ids: Vec<String>,
        /// Its labels.
        labels: BTreeMap<String, String>,
        /// Its variables that name a release (`PG_VERSION`).
        releases: BTreeMap<String, String>,
    },
}

/// `sha256:…` of these bytes.
pub fn digest_of_bytes(bytes: &[u8]) -> String {
    digest_of_hash(&Sha256::digest(bytes))
}

/// `sha256:…` of a hash that was computed elsewhere.
pub fn digest_of_hash(hash: &[u8]) -> String {
    hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The variables of an image that name a release, without the other variables, which could be secret.
pub fn releases<'a>(variables: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let pairs = variables.filter_map(|variable| variable.split_once('='));
    pairs
        .filter(|(name, _)| name.ends_with("_VERSION"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The name of a platform: `linux/arm64/v8`.
pub fn platform_name(os: &str, processor: &str, variant: Option<&str>) -> String {
    let variant = variant.filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
    format!("{os}/{processor}{}", variant.unwrap_or_default())
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    fn name(&self) -> String {
        platform_name(&self.os, &self.architecture, self.variant.as_deref())
    }
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Execution {
    env: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

/// All kinds of documents in one type; the fields that are set decide which kind it is.
#[derive(Deserialize)]
struct Any {
    manifests: Option<Vec<Descriptor>>,
    config: Option<serde_json::Value>,
    layers: Option<Vec<Descriptor>>,
    rootfs: Option<RootFs>,
    #[serde(flatten)]
    platform: Platform,
}

impl OciDocument {
    /// The digests of all manifests in an index, of every purpose; none if the document is not an index.
    pub fn digests(index: &[u8]) -> Option<Vec<String>> {
        let any: Any = serde_json::from_slice(index).ok()?;
        Some(any.manifests?.into_iter().map(|one| one.digest).collect())
    }

    /// Reads a document; none if the bytes are not a document.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let any: Any = serde_json::from_slice(bytes).ok()?;
        if let Some(manifests) = any.manifests {
            // `unknown/unknown` is an attestation, which cannot run.
            let of_platform = manifests.into_iter().filter_map(|one| Some((one.platform?, one.digest)));
            let named = of_platform.map(|(platform, digest)| (platform.name(), digest));
            return Some(Self::Index(named.filter(|(name, _)| !name.starts_with("unknown/")).collect()));
        }
        if let Some(layers) = any.layers {
            let config: Descriptor = serde_json::from_value(any.config?).ok()?;
            let layers = layers.into_iter().map(|layer| layer.digest).collect();
            return Some(Self::Manifest { config: config.digest, layers });
        }
        let execution: Execution =
            any.config.and_then(|config| serde_json::from_value(config).ok()).unwrap_or_default();
        Some(Self::Config {
            platform: any.platform.name(),
            diff_ids: any.rootfs?.diff_ids,
            labels: execution.labels.unwrap_or_default(),
            releases: releases(execution.env.unwrap_or_default().iter().map(String::as_str)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_told_by_its_fields() {
        let index = br#"{"schemaVersion":2,"manifests":[
            {"digest":"sha256:a","platform":{"os":"linux","architecture":"amd64"}},
            {"digest":"sha256:b","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
            {"digest":"sha256:c","platform":{"os":"unknown","architecture":"unknown"}}]}"#;
        let platforms = [("linux/amd64", "sha256:a"), ("linux/arm64/v8", "sha256:b")];
        let platforms = platforms.map(|(name, digest)| (name.to_owned(), digest.to_owned()));
        assert_eq!(OciDocument::parse(index), Some(OciDocument::Index(platforms.into())));

        let manifest = br#"{"schemaVersion":2,"config":{"digest":"sha256:c"},"layers":[{"digest":"sha256:l"}]}"#;
        let read = OciDocument::Manifest { config: "sha256:c".to_owned(), layers: vec!["sha256:l".to_owned()] };
        assert_eq!(OciDocument::parse(manifest), Some(read));

        let config = br#"{"architecture":"amd64","os":"linux","config":{"Env":["PG_VERSION=16.4","PASSWORD=x"],
            "Labels":null},"rootfs":{"type":"layers","diff_ids":["sha256:d"]}}"#;
        let read = OciDocument::Config {
            platform: "linux/amd64".to_owned(),
            diff_ids: vec!["sha256:d".to_owned()],
            labels: BTreeMap::new(),
            releases: [("PG_VERSION".to_owned(), "16.4".to_owned())].into(),
        };
        assert_eq!(OciDocument::parse(config), Some(read));
    }

    #[test]
    fn what_is_no_document_is_none() {
        for bytes in [&b""[..], b"[]", b"{}", b"{\"layers\":[]}", b"{\"config\":{}}", b"<html>"] {
            assert_eq!(OciDocument::parse(bytes), None, "{}", String::from_utf8_lossy(bytes));
        }
    }
}

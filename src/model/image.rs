//! Names of images, in Docker's reference grammar (`distribution/reference`).

use std::fmt;

/// The parts of `docker.io/library/postgres:16.4@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ImageRef {
    /// The registry's host; `docker.io` if the name has no host.
    pub registry: String,
    /// The repository, including `library/`.
    pub repository: String,
    /// The tag, if the name has one.
    pub tag: Option<String>,
    /// The digest (`sha256:…`), if the name has one.
    pub digest: Option<String>,
}

/// A mistake in an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError(pub String);

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Mirrors of Docker Hub's official images: `public.ecr.aws/docker/library/x` is `docker.io/library/x`.
const MIRRORS: &[(&str, &str)] =
    &[("public.ecr.aws", "docker/library/"), ("mirror.gcr.io", "library/"), ("quay.io", "docker-library/")];

impl ImageRef {
    /// Parses a reference.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let last_slash = name.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match name[last_slash..].rfind(':') {
            Some(at) => (&name[..last_slash + at], Some(name[last_slash + at + 1..].to_owned())),
            None => (name, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            _ => ("docker.io", name.to_owned()),
        };
        let registry = if registry == "index.docker.io" { "docker.io" } else { registry }.to_owned();
        let repository = if registry == "docker.io" && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository
        };
        let named = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        };
        if !repository.split('/').all(named) {
            return Err(ImageError(format!(
                "`{text}` is no image name: names are lower-case letters, digits, `.`, `_`, `-` and `/`"
            )));
        }
        let is_tag = |tag: &String| {
            !tag.is_empty()
                && tag.len() <= 128
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !tag.starts_with(['.', '-'])
        };
        if tag.as_ref().is_some_and(|tag| !is_tag(tag)) {
            return Err(ImageError(format!("`{text}` has no valid tag after the colon")));
        }
        let is_digest = |digest: &String| {
            digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
            })
        };
        if digest.as_ref().is_some_and(|digest| !is_digest(digest)) {
            return Err(ImageError(format!(
                "`{text}` has no valid digest after the @: it is `sha256:` and 64 hexadecimal digits"
            )));
        }
        Ok(Self { registry, repository, tag, digest })
    }

    /// `docker.io/library/postgres`: registry and repository, with Docker Hub's mirrors read as Docker Hub.
    pub fn canonical_name(&self) -> String {
        for (registry, prefix) in MIRRORS {
            if self.registry == *registry
                && let Some(name) = self.repository.strip_prefix(prefix)
            {
                return format!("docker.io/library/{name}");
            }
        }
        format!("{}/{}", self.registry, self.repository)
    }

    /// Registry and repository, without mapping a mirror to Docker Hub.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

/// The full form, including the registry; `latest` is not added.
impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, full) in [
            ("postgres", "docker.io/library/postgres"),
            ("library/postgres:15", "docker.io/library/postgres:15"),
            ("valkey/valkey:9-alpine", "docker.io/valkey/valkey:9-alpine"),
            ("localhost/x:1", "localhost/x:1"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b"),
        ] {
            assert_eq!(ImageRef::parse(text).unwrap().to_string(), full);
        }
    }

    #[test]
    fn mirrors_of_docker_hub_are_docker_hub() {
        let image = ImageRef::parse("public.ecr.aws/docker/library/redis:7.2").unwrap();
        assert_eq!(image.canonical_name(), "docker.io/library/redis");
    }

    #[test]
    fn bad_names_are_refused() {
        for text in ["", "Postgres", "postgres:", "a//b", "postgres@sha256:12", "x:ta g", "postgres:-x"] {
            assert!(ImageRef::parse(text).is_err(), "{text}");
        }
    }
}

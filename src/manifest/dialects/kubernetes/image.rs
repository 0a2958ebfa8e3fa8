//! A container's image, with the changes of kustomizations.

use crate::kinds::Kind;
use crate::manifest::dialect::Input;
use crate::manifest::read::interpolate::interpolate;
use crate::model::{ImageRef, Located, Version, VersionClass};
use crate::syntax::tree::Node;

/// An image, with the state of its version.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Its name, at the place that sets the version.
    pub(super) name: Located<ImageRef>,
    /// The tag as written, if it contains a variable or template that is not resolved.
    pub(super) unresolved: Option<String>,
}

impl Image {
    /// Reads an image's name; `None` if the text is no image name.
    pub(super) fn read(node: &Node, changes: &[Changes]) -> Option<Self> {
        let text = node.as_str()?.trim();
        let at = text.find(['$', '{', '<', '%']);
        let known = at.map_or(text, |at| text[..at].trim_end_matches([':', '@', '-', '/', '.']));
        let name = ImageRef::parse(known).or_else(|error| {
            // If the tag is not valid (`REPLACE ME`), the name without the tag is used.
            let end = known.rfind(':').filter(|end| !known[*end..].contains('/')).ok_or(error)?;
            ImageRef::parse(&known[..end])
        });
        let name = name.ok()?;
        let bad_tag = at.is_none() && ImageRef::parse(text).is_err();
        let unresolved = (at.is_some() || bad_tag).then(|| {
            let end = text.rfind('/').map_or(0, |slash| slash + 1);
            text[end..].split_once(':').map_or(text, |(_, tag)| tag).to_owned()
        });
        let mut image = Self { name: Located::new(name, node.origin.clone()), unresolved };
        for changes in changes {
            changes.apply(text, &mut image);
        }
        Some(image)
    }

    /// The same, after replacing the variables that are set here, because manifests often go through `envsubst` before
    /// they are applied.
    pub(super) fn read_filled(node: &Node, changes: &[Changes], input: &Input<'_>) -> Option<Self> {
        let text = node.as_str()?;
        let filled =
            interpolate(text, &|name| input.environment.get(name).map(str::to_owned), &input.project.budget).ok();
        match filled.filter(|filled| filled.unset.is_empty() && !filled.spans.is_empty()) {
            Some(filled) => Self::read(&Node::scalar(filled.text, true, node.origin.clone()), changes),
            None => Self::read(node, changes),
        }
    }

    /// The version of that kind that the image declares.
    pub(super) fn version(&self, kind: &Kind) -> Version {
        let origin = self.name.origin.clone();
        if let Some(text) = &self.unresolved {
            return Version { text: text.clone(), number: None, class: VersionClass::Unresolved, origin };
        }
        let tag = self.name.value.tag.as_deref().unwrap_or_default();
        kind.version(tag, self.name.value.digest.is_some(), origin)
    }
}

/// The changes of one kustomization.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) namespace: Option<String>,
    pub(super) prefix: String,
    pub(super) suffix: String,
    pub(super) images: Vec<ImageChange>,
}

#[derive(Clone, Debug)]
pub(super) struct ImageChange {
    pub(super) name: String,
    pub(super) new_name: Option<Located<String>>,
    pub(super) new_tag: Option<Located<String>>,
    pub(super) digest: Option<Located<String>>,
}

impl Changes {
    /// Applies the `images` of a kustomization to an image.
    pub(super) fn apply(&self, written: &str, image: &mut Image) {
        let last = written.rfind('/').map_or(0, |at| at + 1);
        let without_digest = written.split('@').next().unwrap_or(written);
        let end =
            without_digest.get(last..).and_then(|name| name.find(':')).map_or(without_digest.len(), |at| last + at);
        let name = &without_digest[..end];
        for change in self.images.iter().filter(|change| change.name == name) {
            if let Some(new) = &change.new_name
                && let Ok(parsed) = ImageRef::parse(&new.value)
            {
                image.name.value =
                    ImageRef { tag: image.name.value.tag.take(), digest: image.name.value.digest.take(), ..parsed };
                image.name.origin = new.origin.clone();
            }
            if let Some(tag) = &change.new_tag {
                image.name.value.tag = Some(tag.value.clone()).filter(|tag| !tag.is_empty());
                image.name.value.digest = None;
                image.name.origin = tag.origin.clone();
                image.unresolved = None;
            }
            if let Some(digest) = &change.digest {
                image.name.value.digest = Some(digest.value.clone());
                image.name.origin = digest.origin.clone();
                image.unresolved = None;
            }
        }
    }
}

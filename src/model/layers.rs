//! The layers on which a volume is based: frozen data that is never written again.

use super::ImageRef;
use std::fmt;

/// How a volume gets the data of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneMode {
    /// The layers are mounted below an upper layer that takes all writes. The cost does not depend on the size.
    Overlay,
    /// The data is copied, for engines that cannot mount overlay volumes.
    Copy,
}

impl CloneMode {
    /// Reads the form that labels and `DEVENV_LAYERS` have.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "overlay" => Some(Self::Overlay),
            "copy" => Some(Self::Copy),
            _ => None,
        }
    }
}

impl fmt::Display for CloneMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlay => "overlay",
            Self::Copy => "copy",
        })
    }
}

/// Owner, group and permission bits of a layer's folder. The upper layer has to have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The permission bits.
    pub mode: u32,
}

impl Owner {
    /// Reads the form of the label: `999:999:700`, the bits in octal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (uid, gid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let mode = u32::from_str_radix(parts.next()?, 8).ok()?;
        (parts.next().is_none() && mode <= 0o7777).then_some(Self { uid, gid, mode })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:o}", self.uid, self.gid, self.mode)
    }
}

/// The data with which a new volume begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentSpec {
    /// The layers, the nearest first: a volume's name, or `volume/upper` for the content of an upper volume.
    pub layers: Vec<String>,
    /// The volume that shows the content of all layers together: the source of a copy.
    pub whole: String,
    /// Whether the layers are mounted or copied.
    pub clone_mode: CloneMode,
    /// The image of the containers that fill the volume: the service's own image, so that no other image is needed.
    pub image: ImageRef,
    /// The owner of the nearest layer's folder, if known. To ask the engine for the owner costs more than everything
    /// else.
    pub owner: Option<Owner>,
}

impl ParentSpec {
    /// The names of the volumes that hold the layers.
    pub fn volumes(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|layer| volume_of(layer))
    }
}

/// The volume that holds a layer.
pub fn volume_of(layer: &str) -> &str {
    layer.split_once('/').map_or(layer, |(volume, _)| volume)
}

/// The upper volume of an overlay volume: the volume that takes all writes.
pub fn upper_volume(volume: &str) -> String {
    format!("{volume}.top")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_parsed_from_its_own_text() {
        let owner = Owner { uid: 999, gid: 998, mode: 0o2750 };
        assert_eq!(owner.to_string(), "999:998:2750");
        assert_eq!(Owner::parse("999:998:2750"), Some(owner));
        for wrong in ["", "999", "999:998", "999:998:2750:1", "999:998:9", "a:b:c", "1:1:100000"] {
            assert_eq!(Owner::parse(wrong), None, "{wrong}");
        }
    }
}

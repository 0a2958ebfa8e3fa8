//! What a volume is made over: data that is frozen and never written again.

use super::ImageRef;
use std::fmt;

/// How a volume gets the data of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneMode {
    /// The layers are mounted below a top that takes what is written: costs the same whatever their size.
    Overlay,
    /// The data is copied: for engines that cannot mount overlay volumes.
    Copy,
}

impl CloneMode {
    /// Reads the form of the label, which is also that of `DEVENV_LAYERS`.
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

/// Owner, group and permission bits of a layer's folder, which a top over it has to have too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner's number.
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

/// What a new volume begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentSpec {
    /// The layers, the nearest first: a volume's name, or `volume/upper` for what lies in a top.
    pub layers: Vec<String>,
    /// The volume that shows all of them as one, from which to copy.
    pub whole: String,
    /// How.
    pub clone_mode: CloneMode,
    /// The image whose containers put things in; the service's own, so that none is needed beside.
    pub image: ImageRef,
    /// Whose the nearest layer's folder is, where that is known: to ask costs an engine more than all the rest.
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

/// The volume that takes what is written to an overlay volume.
pub fn upper_volume(volume: &str) -> String {
    format!("{volume}.top")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_as_it_is_written() {
        let owner = Owner { uid: 999, gid: 998, mode: 0o2750 };
        assert_eq!(owner.to_string(), "999:998:2750");
        assert_eq!(Owner::parse("999:998:2750"), Some(owner));
        for wrong in ["", "999", "999:998", "999:998:2750:1", "999:998:9", "a:b:c", "1:1:100000"] {
            assert_eq!(Owner::parse(wrong), None, "{wrong}");
        }
    }
}

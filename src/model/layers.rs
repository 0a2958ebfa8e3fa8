//! What a volume is made over: data that is frozen and never written again.

use super::ImageRef;
use std::fmt;

/// How a volume gets the data of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The layers are mounted below a top that takes what is written: costs the same whatever their size.
    Overlay,
    /// The data is copied: for engines that cannot mount overlay volumes.
    Copy,
}

impl Way {
    /// Reads the form of the label, which is also that of `DEVENV_LAYERS`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "overlay" => Some(Self::Overlay),
            "copy" => Some(Self::Copy),
            _ => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlay => "overlay",
            Self::Copy => "copy",
        })
    }
}

/// What a new volume begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The layers, the nearest first: a volume's name, or `volume/upper` for what lies in a top.
    pub layers: Vec<String>,
    /// The volume that shows all of them as one, from which to copy.
    pub whole: String,
    /// How.
    pub way: Way,
    /// The image whose containers put things in; the service's own, so that none is needed beside.
    pub image: ImageRef,
}

impl Over {
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
pub fn top_of(volume: &str) -> String {
    format!("{volume}.top")
}

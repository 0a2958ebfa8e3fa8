//! Mounts of volumes and of their layers.

use crate::model::Owner;
use bollard::models::{Mount, MountType, MountVolumeOptions};
use std::io;

/// The folder of a layer inside its volume: `/upper` for an upper layer, else empty.
pub(super) fn inner(layer: &str) -> String {
    layer.split_once('/').map(|(_, inner)| format!("/{inner}")).unwrap_or_default()
}

pub(super) fn mount(volume: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        target: Some(target.to_owned()),
        source: Some(volume.to_owned()),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
        ..Default::default()
    }
}

pub(super) fn first_owner(bytes: &[u8]) -> io::Result<Owner> {
    let mut archive = tar::Archive::new(bytes);
    let first = archive.entries()?.next().ok_or_else(|| io::Error::other("the engine's archive is empty"))??;
    let header = first.header();
    Ok(Owner { uid: header.uid()?, gid: header.gid()?, mode: header.mode()? & 0o7777 })
}

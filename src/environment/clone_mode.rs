//! Finds how an engine begins a volume with frozen data.

use crate::docker::{Engine, EngineError};
use crate::model::{CloneMode, Failure, ImageRef, ParentSpec, Scope};
use crate::plan::Identity;

/// Finds the clone mode of this engine: tries to mount an overlay on this volume.
pub(crate) async fn find_clone_mode(
    engine: &Engine,
    identity: &Identity,
    image: &ImageRef,
    volume: &str,
) -> Result<CloneMode, Failure> {
    let (layers, whole, image) = (vec![volume.to_owned()], volume.to_owned(), image.clone());
    let parent_spec = ParentSpec { layers, whole, clone_mode: CloneMode::Overlay, image, owner: None };
    let scope = Scope { root: identity.root.display().to_string(), ..Scope::default() };
    let can = engine.can_overlay(&format!("{}.probe", identity.name), &scope, None, &parent_spec).await;
    Ok(if can.map_err(EngineError::into_failure)?.is_some() { CloneMode::Overlay } else { CloneMode::Copy })
}

//! Where data lives. One question: *which volumes do the services of an environment have, and which volumes replace
//! them?*
//!
//! The answer is the same as in git. A [`Head`](crate::model::Head) names the volumes of one environment on one git
//! branch. The newest head of a branch is the current head. A snapshot names volumes too. A volume is frozen if a
//! snapshot names the volume, or if another volume is layered on it: the next head names a child of the frozen volume.
//! Save, restore, reset, `up --from`, a new branch and a branch switch each write one head (or one snapshot). Then `up`
//! converges to the new head, and removes the older head with the volumes that only the older head needed.
//!
//! | file | answers |
//! |---|---|
//! | `heads.rs` | the current head, and the next head |
//! | `reach.rs` | the volumes that are needed: marked from heads, snapshots and bases, along the layers |
//! | `transition.rs` | the records that are written first, and the resources that are removed last |
//! | `snapshots.rs` | snapshots: save, restore, content |
//! | `branches.rs` | the switch to another git branch; branches that no longer exist |
//! | `volumes.rs` | properties of volumes and records: frozen, incomplete, layered |
//! | `pins.rs` | records that protect volumes from a prune of the engine |
//! | `layers.rs`, `bases.rs` | the data with which a new volume begins |
//! | `garbage.rs` | the resources that `devenv gc` removes |

pub(super) mod bases;
pub(super) mod branches;
pub(super) mod garbage;
pub(super) mod heads;
pub(super) mod layers;
pub(super) mod pins;
pub(super) mod reach;
pub(super) mod snapshots;
pub(super) mod transition;
pub(super) mod volumes;

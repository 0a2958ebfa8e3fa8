//! Where data lives: one question, *which volumes do the services of an environment have, and what takes their place?*
//!
//! The answer is git's. A [`Head`](crate::model::Head) names the volumes of one environment on one git branch, and the newest
//! head counts. A snapshot names volumes too. A volume that a snapshot names, or on which another volume is layered, is
//! frozen: the next head has a child of it. Save, restore, reset, `up --from`, a new branch and a switch each write one head
//! (or one snapshot), then `up` converges to it, and then drops the older head with the volumes that only that one needed.
//!
//! | file | answers |
//! |---|---|
//! | `heads.rs` | which head counts, and which one comes next |
//! | `reach.rs` | which volumes are needed: marked from heads, snapshots and bases, along the layers |
//! | `transition.rs` | the records that are written first, and what goes at the end |
//! | `snapshots.rs` | snapshots: saving, restoring, what one holds |
//! | `branches.rs` | the switch to another git branch; branches that are gone |
//! | `pins.rs` | records that protect volumes from a clean-up of the engine |
//! | `layers.rs`, `bases.rs` | what a new volume begins with |
//! | `garbage.rs` | what `devenv gc` removes |

pub(super) mod bases;
pub(super) mod branches;
pub(super) mod garbage;
pub(super) mod heads;
pub(super) mod layers;
pub(super) mod pins;
pub(super) mod reach;
pub(super) mod snapshots;
pub(super) mod transition;

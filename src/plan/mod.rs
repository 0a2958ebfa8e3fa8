//! From what production declares and what the engine runs to the steps between them.
//!
//! Everything here is pure: the same stack, observation and machine key give the same plan, and every decision of
//! `up` is made here.

mod bases;
mod branches;
mod choice;
mod desired;
mod diff;
mod endpoint;
mod garbage;
mod identity;
mod kept;
mod layers;
mod listed;
mod logins;
mod names;
mod overrides;
mod platform;
mod ports;
mod snapshots;
#[cfg(test)]
mod tests;
mod withdrawn;

pub use bases::{Base, base};
pub use branches::{Gone, beginning_of_branch, beginning_with, data_in_use, gone, leaving};
pub use choice::{Choice, choices, choosing, chosen, environments_of, input_for, input_of_choice};
pub use desired::{Desired, DesiredService, Request, Source, desired, image_of};
pub use diff::{Action, Plan, Step, diff, shared, teardown};
pub use endpoint::{Field, Fields, render_fields, render_value};
pub use garbage::{garbage, stale};
pub use identity::{Identity, lease_of, slug};
pub use kept::{KeptStack, kept, kept_stack};
pub use layers::{Extent, beginning_empty, extents, flattened, reseedable, unseeded};
pub use listed::{Listed, listed};
pub use overrides::{Override, overrides, reach_the_same};
pub use platform::{platform_mismatch, platform_mismatches};
pub use ports::{FixedPorts, PortTaken};
pub use snapshots::{
    Snapshot, data, is_going_back, keeper, keepers, known_way, records_of_project, returning, saving, snapshots,
    unneeded, unprotected, unusable,
};
pub use withdrawn::{instead, withdrawn_image, withdrawn_images};

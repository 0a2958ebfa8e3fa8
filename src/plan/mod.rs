//! Compares production's declarations with the state of the engine, and plans the steps that lead from one to the
//! other.
//!
//! All functions here are pure: the same stack, the same state of the engine and the same machine key give the same
//! plan. Every decision of `up` is made here.

mod choice;
mod data;
mod desired;
mod diff;
mod endpoint;
mod identity;
mod kept;
mod listed;
mod logins;
mod names;
mod overrides;
mod phases;
mod platform;
mod ports;
mod service;
#[cfg(test)]
mod tests;
mod types;
mod withdrawn;

pub use choice::{Choice, choices, choosing, chosen, environments_of, input_for, input_of_choice};
pub use data::bases::{Base, base};
pub use data::branches::{Gone, gone, has_own_data, left_branches, on_other_branches};
pub use data::garbage::{garbage, stale};
pub use data::heads::{data_in_use, has_data};
pub use data::layers::{Extent, beginning_empty, extents, flattened, reseedable, set_aside, unseeded};
pub use data::pins::{pin, pins, pins_too_much, unprotected, without};
pub use data::snapshots::{
    Snapshot, data, is_unfinished, records_of_project, restoring, saving, snapshots, unneeded, unusable,
};
pub use data::volumes::known_clone_mode;
pub use desired::desired;
pub use diff::{Action, Plan, Step, diff, shared, teardown};
pub use endpoint::{Field, Fields, render_fields, render_value};
pub use identity::{Identity, lease_of, slug};
pub use kept::{KeptStack, kept, kept_stack};
pub use listed::{Listed, listed};
pub use overrides::{Override, overrides, reach_the_same};
pub use phases::{Phase, Progress, Situation, next, seeded};
pub use platform::{platform_mismatch, platform_mismatches};
pub use ports::{FixedPorts, PortTaken};
pub use service::image_of;
pub use types::{Desired, DesiredService, Request, Source, Transition};
pub use withdrawn::{instead, withdrawn_image, withdrawn_images};

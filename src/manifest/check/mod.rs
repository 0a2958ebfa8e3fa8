//! Judges a stack: versions that `up` refuses, pins, and the report of `devenv manifest`.

pub(crate) mod end_of_life;
pub(crate) mod pinned;
pub(crate) mod refusals;
pub(crate) mod report;
pub(crate) mod up_messages;

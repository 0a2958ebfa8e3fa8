//! From several manifests to one stack: merging, `services.local.yaml`, and the variables that no service answers.

pub(crate) mod central;
pub(crate) mod contradictions;
pub(crate) mod host_without_port;
pub(crate) mod local;
pub(crate) mod merge;
pub(crate) mod overlay;
pub(crate) mod poolers;
pub(crate) mod production;
pub(crate) mod same;
pub(crate) mod same_port;
pub(crate) mod seeds;

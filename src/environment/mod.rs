//! The use cases of the commands. Only this module combines the manifests, the plan, the engine, the protocols and the
//! files of a checkout. A command parses its options, calls one use case, and prints.

pub(crate) mod agreement;
pub(crate) mod apps;
pub(crate) mod bases;
pub(crate) mod branch;
pub(crate) mod bring_up;
pub(crate) mod broker;
pub(crate) mod checkout;
pub(crate) mod child;
pub(crate) mod choice;
pub(crate) mod cleanup;
pub(crate) mod clone_mode;
pub(crate) mod comparison;
pub(crate) mod consent;
pub(crate) mod env_files;
pub(crate) mod ephemeral;
pub(crate) mod facts_files;
pub(crate) mod flush;
pub(crate) mod gaps;
pub(crate) mod lock;
pub(crate) mod lock_reading;
pub(crate) mod pages;
pub(crate) mod process;
pub(crate) mod records;
pub(crate) mod seed_digests;
pub(crate) mod seeds;
pub(crate) mod servers;
pub(crate) mod session;
pub(crate) mod signals;
pub(crate) mod snapshot;
pub(crate) mod starting;
pub(crate) mod switch;
pub(crate) mod tear_down;
pub(crate) mod unsafe_variables;
pub(crate) mod variables;

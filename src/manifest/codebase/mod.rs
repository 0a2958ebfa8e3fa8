//! Reads what a checkout says beside manifests: pinned tools, and stand-ins in development settings.

pub(crate) mod adapters;
pub(crate) mod beside;
pub(crate) mod tools;

//! From the parts of a manifest to a service: shared by every dialect.

pub(crate) mod classify;
pub(crate) mod cloud;
pub(crate) mod container;
pub(crate) mod generic;
pub(crate) mod rights;
pub(crate) mod service_facts;
pub(crate) mod unsafe_variables;
pub(crate) mod variables;

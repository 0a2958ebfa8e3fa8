//! Reads the text of a project: which files exist, within bounds, with variables replaced. Knows no dialect.

pub(crate) mod count;
pub(crate) mod dockerfile;
pub(crate) mod env_file;
pub(crate) mod environment;
pub(crate) mod files;
pub(crate) mod hcl;
pub(crate) mod interpolate;
pub(crate) mod parsed;
pub(crate) mod place;
pub(crate) mod search;
pub(crate) mod stage;
pub(crate) mod templates;

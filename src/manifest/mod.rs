//! From the files that production deploys from to one [`Stack`](crate::model::Stack).
//!
//! Only this module knows a dialect's syntax, and reading changes nothing: text in, stack and diagnostics out.

mod bind;
mod classify;
mod compose;
mod dialect;
mod dockerfile;
mod env_file;
mod environment;
mod expect;
mod files;
mod interpolate;
mod services_yaml;
mod tree;
mod yaml;

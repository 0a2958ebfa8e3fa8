//! From the files that production deploys from to one [`Stack`](crate::model::Stack).
//!
//! Only this module knows a dialect's syntax, and reading changes nothing: text in, stack and diagnostics out.

mod compose;
mod dialect;
mod environment;
mod expect;
mod files;
mod generic;
mod service_entry;
mod service_facts;
mod services_yaml;
mod tree;
mod variables;
mod yaml;

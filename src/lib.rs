//! Starts the backing services that production declares, proves each by logging in, and writes the matching `.env`.
//!
//! The way of the data: `manifest` reads files into a [`model::Stack`]; `resolve` says which image a declared version
//! means; `plan` compares that with what the engine runs; `apply` carries the plan out and proves each service; `dotenv`
//! writes the variables last. Only `docker` talks to the engine, only `ui` prints.

pub mod apply;
pub mod cli;
pub mod commands;
pub mod docker;
pub mod dotenv;
pub mod kinds;
pub mod machine;
pub mod manifest;
pub mod model;
pub mod parity;
pub mod plan;
pub mod project;
pub mod protocol;
pub mod resolve;
mod syntax;
pub mod ui;

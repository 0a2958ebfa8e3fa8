//! Starts the backing services that production declares, proves each service by logging in, and writes the matching
//! `.env`.
//!
//! The data flow: `manifest` reads files into a [`model::Stack`]; `resolve` decides which image a declared version
//! refers to; `plan` compares the stack with the state of the engine; `apply` carries out the plan and proves each
//! service; `dotenv` writes the variables last. Only `docker` talks to the engine, only `ui` prints.

pub mod apply;
pub mod cli;
pub mod commands;
pub mod docker;
pub mod dotenv;
mod environment;
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

//! Scenarios on a real engine with real servers, each with one purpose. They run in parallel: every name contains the
//! process, and each scenario removes everything that it makes. Without an engine they fail and name the missing
//! requirement.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scenario ends where something is not as it must be")]

#[path = "../sandbox/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its own part of it")]
mod project;

#[path = "../docs/pages.rs"]
#[allow(dead_code, reason = "each test binary uses its own part of it")]
mod pages;

mod branches;
mod broker;
mod bundle;
mod change;
mod chosen;
mod client;
mod commands;
mod dialects;
mod docker;
mod engine_proxy;
mod env_file;
mod env_format;
mod facts;
mod faults;
mod first_day;
mod killed;
mod killed_data;
mod layers;
mod lock;
mod mysql;
mod own_engine;
mod parity;
mod protocol;
mod pull;
mod real_registry;
mod refusals;
mod rights;
mod run;
mod sandbox;
mod secrets;
mod seeds;
mod server;
mod session;
mod terminal;
mod tiny_registry;
mod tls;
mod trust;
mod up;
mod widths;

//! Commands that need no engine, run as a user runs them.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its steps too")]

#[path = "../sandbox/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its own part of it")]
mod sandbox;

#[path = "../docs/pages.rs"]
mod pages;

mod advice;
mod architecture;
mod asked;
mod bounds;
mod commands;
mod docs;
mod fuzzed;
mod history;
mod hostile;
mod limited;
mod lock;
mod manifests;
mod overlay;
mod pin;
mod places;
mod reference;
mod report;
mod terminal;
mod tools;
mod trust;
mod words;
mod writing;

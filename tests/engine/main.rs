//! Scenarios on a real engine, one intent each. They run side by side: every name is the process's own, and everything
//! a scenario makes goes with its sandbox.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scenario ends where something is not as it must be")]

mod docker;
mod pull;
mod sandbox;
mod tiny_registry;

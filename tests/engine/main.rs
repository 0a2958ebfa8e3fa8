//! Scenarios on a real engine with real servers. They fail, and say what they lack, where there is none.

#![expect(clippy::expect_used, reason = "a scenario fails by panicking, in its steps too")]

mod env_format;
mod protocol;
mod server;

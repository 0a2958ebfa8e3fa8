//! Scenarios on a real engine with real servers. They fail, and say what they lack, where there is none.

mod protocol;
mod server;

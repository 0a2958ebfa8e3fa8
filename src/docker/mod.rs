//! The engine: connect, observe, and the single calls of a plan's steps.
//!
//! The only place that names bollard. Every error names the operation and holds what the engine said.

mod connect;
mod containers;
mod context;
mod credentials;
mod exec;
mod fault;
mod images;
mod logs;
mod observe;

pub use connect::{Engine, EngineFacts, EngineSource, Surroundings, connect, install_tls};
pub use exec::ExecRequest;
pub use fault::{EngineError, ErrorKind, failure};
pub use images::{PullFault, PullFaultKind};

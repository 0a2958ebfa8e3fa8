//! The engine: finding it, observing what it has, and carrying out single operations. The only user of bollard.
//!
//! Nothing is decided here. Every function asks the engine for one thing, and every fault names the operation and holds
//! what the engine said, which is never a secret.

mod address;
mod archive;
mod connect;
mod containers;
mod context;
mod credentials;
mod deadline;
mod ending;
mod exec;
mod facts;
#[cfg(test)]
mod fake_engine;
mod fault;
mod files;
mod greeting;
mod images;
mod labels;
mod layers;
mod logs;
mod networks;
mod observe;
mod pull;
mod pull_fault;
mod pull_progress;
mod records;
mod registry;
mod registry_api;
mod sizes;
mod source;
mod terminal;
mod tops;
mod unusable;

pub use connect::{Engine, connect, install_tls_provider};
pub use containers::ContainerState;
pub use exec::{ExecRequest, Streams};
pub use facts::EngineFacts;
pub use fault::{EngineError, EngineFault};
pub use labels::label;
pub use logs::{LogLine, LogLines};
pub use pull::{Mirror, PullRequest, Pulled};
pub use pull_fault::{PullFault, PullFaultKind};
pub use registry_api::ContentFault;
pub use source::{EngineSource, Rule, Surroundings};

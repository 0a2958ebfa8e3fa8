//! The engine: this module finds it, observes its resources and carries out single operations. No other module uses
//! bollard.
//!
//! This module makes no decisions. Every function asks the engine for one thing. Every fault names the operation and
//! holds the engine's message, which is never a secret.

mod address;
mod api_version;
mod archive;
mod connect;
mod connect_error;
mod containers;
mod context;
mod credentials;
mod deadline;
mod exec;
mod facts;
#[cfg(test)]
mod fake_engine;
mod fault;
mod files;
mod images;
mod labels;
mod layers;
mod logs;
mod mounts;
mod networks;
mod observe;
mod pending_stops;
mod pull;
mod pull_fault;
mod pull_progress;
mod records;
mod registry;
mod registry_api;
mod sizes;
mod source;
mod terminal;
mod upper_layers;

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
pub use source::{DockerEnv, EngineSource, Rule};

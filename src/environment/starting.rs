//! The input of bringing an environment up, and its result.

use crate::apply;
use crate::cli::Start;
use crate::docker::Engine;
use crate::model::Observed;
use crate::plan::{Desired, Fields};
use crate::ui::{Layout, Printer};
use std::time::{Instant, SystemTime};

/// A running environment, proven.
pub(crate) struct Ready {
    /// The engine's state before this run.
    pub(crate) before: Observed,
    /// The services that run.
    pub(crate) desired: Desired,
    /// The endpoints' fields as the host sees them.
    pub(crate) fields: Fields,
    /// The columns of the report.
    pub(crate) layout: Layout,
}

/// The inputs for bringing up an environment, besides the project.
pub(crate) struct Starting<'a> {
    /// The engine.
    pub(crate) engine: &'a Engine,
    /// The options of the command line.
    pub(crate) start: &'a Start,
    /// The terminal.
    pub(crate) printer: &'a Printer,
    /// Whether only messages are shown.
    pub(crate) silent: bool,
    /// When the command began.
    pub(crate) began: Instant,
    /// Ends the run early.
    pub(crate) stop: apply::Stop,
    /// The time since which runs in this environment were killed: the engine may still be carrying out their requests.
    pub(crate) interrupted: Option<SystemTime>,
}

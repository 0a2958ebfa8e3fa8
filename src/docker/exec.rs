//! stopgap
use super::{Engine, EngineError};
use crate::model::Secret;
/// What to run.
#[derive(Debug)]
pub struct ExecRequest {
    /// id
    pub container: String,
    /// cmd
    pub command: Vec<String>,
    /// env
    pub environment: Vec<(String, Secret)>,
    /// tty
    pub terminal: bool,
}
impl Engine {
    /// Runs.
    pub async fn exec_interactive(&self, _request: &ExecRequest) -> Result<u8, EngineError> {
        Ok(0)
    }
}

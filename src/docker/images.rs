//! stopgap
use super::Engine;
use crate::model::{ImageRef, PullProgress};
use futures_util::StreamExt;

/// Why a pull failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFault {
    /// kind
    pub kind: PullFaultKind,
    /// words
    pub message: String,
}

/// Kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs)]
pub enum PullFaultKind {
    NotFound,
    Unauthorized,
    TooManyRequests,
    Server,
    Short,
    NoSpace,
    Network,
    Platform,
    Other,
}

impl Engine {
    /// Pulls.
    pub async fn pull(
        &self,
        image: &ImageRef,
        _platform: Option<&str>,
        _mirror: Option<&str>,
        _progress: &dyn Fn(PullProgress),
    ) -> Result<(), PullFault> {
        let options =
            bollard::query_parameters::CreateImageOptions { from_image: Some(image.to_string()), ..Default::default() };
        let mut pull = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        while let Some(step) = pull.next().await {
            step.map_err(|error| PullFault { kind: PullFaultKind::Other, message: super::fault::words(&error) })?;
        }
        Ok(())
    }
}

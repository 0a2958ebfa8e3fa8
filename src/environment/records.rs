//! Keeps the records on the engine complete: restores the parts of a record that a clean-up of the engine removed.

use super::session::Project;
use crate::docker::{Engine, EngineError, EngineFault};
use crate::model::{Failure, Observed};
use crate::plan::{self, Desired};

/// The id of any image that the engine has. Any image will do, because containers of records never run.
pub(crate) fn an_image<'o>(desired: &Desired, observed: &'o Observed) -> Option<&'o str> {
    let images = desired.services.iter().map(|service| service.container.image.to_string());
    let here = images.into_iter().find_map(|image| observed.images.get(&image)).map(|image| image.id.as_str());
    here.or_else(|| observed.any_image())
}

/// Creates the missing parts of the records of the environment and of this user's bases. Usually none is missing.
pub(crate) async fn repair(
    project: &Project,
    engine: &Engine,
    desired: &Desired,
    observed: &Observed,
) -> Result<(), Failure> {
    for one in plan::unprotected(&project.identity, observed) {
        let Some(image) = an_image(desired, observed) else { return Ok(()) };
        match engine.repair_record(&one, image).await {
            // Another run has created it meanwhile.
            Err(error) if error.kind == EngineFault::Conflict => {}
            repaired => repaired.map_err(EngineError::into_failure)?,
        }
    }
    Ok(())
}

//! Stores the user's choices of the command line for a checkout. They are stored before anything else is changed, so
//! that the next run continues with them if this run is killed. The text of standard input may hold production's
//! secrets, so it is sealed with the machine's key.

use super::records::an_image;
use super::session::Project;
use crate::docker::{Engine, EngineError, EngineFault};
use crate::model::{Failure, Observed};
use crate::plan::{self, Desired};

/// Whether a choice has to be stored but the engine has no image for the record's container: then the images are pulled
/// first.
pub(crate) fn lacks_image(project: &Project, desired: &Desired, observed: &Observed) -> bool {
    !project.identity.ephemeral
        && an_image(desired, observed).is_none()
        && plan::choosing(&project.choice, &project.identity, observed).is_some()
}

/// Writes the record of the project's choice unless the current record says the same, and then removes outdated
/// records.
pub(crate) async fn keep(
    project: &Project,
    engine: &Engine,
    desired: &Desired,
    observed: &Observed,
) -> Result<(), Failure> {
    if project.identity.ephemeral {
        return Ok(());
    }
    let Some(record) = plan::choosing(&project.choice, &project.identity, observed) else { return Ok(()) };
    let Some(image) = an_image(desired, observed) else { return Ok(()) };
    let fault = EngineError::into_failure;
    let input = plan::input_for(&record);
    if let Some(sealed) = project.stdin.as_ref().and_then(|text| project.machine.key.sealed(text)) {
        // The record of a run that was killed may be incomplete.
        let half_made = observed.records.iter().find(|one| one.record.name == input.name);
        if let Some(half_made) = half_made {
            engine.remove_record(half_made).await.map_err(fault)?;
        }
        let id = match engine.write_record(&input, image).await {
            // An earlier phase of this run made it after `observed` was read, and then the record too.
            Err(error) if error.kind == EngineFault::Conflict => return Ok(()),
            made => made.map_err(fault)?,
        };
        engine.keep_file(&id, sealed).await.map_err(fault)?;
    }
    match engine.write_record(&record, image).await {
        Err(error) if error.kind == EngineFault::Conflict => return Ok(()),
        made => made.map(drop).map_err(fault)?,
    }
    for old in plan::choices(&project.identity, observed).filter(|old| old.record.name != input.name) {
        engine.remove_record(old).await.map_err(fault)?;
    }
    Ok(())
}

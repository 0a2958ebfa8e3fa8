//! Keeping what the user chose for a checkout on the command line: before anything is changed for it, so that whoever is
//! killed after goes on with it. What standard input said may hold production's secrets: it is sealed with the machine's
//! key.

use super::records::an_image;
use super::session::Project;
use crate::docker::{Engine, EngineError, EngineFault};
use crate::model::{Failure, Observed};
use crate::plan::{self, Desired};

/// Whether a choice is to be kept and no image is here for its record: then the images come first.
pub(crate) fn lacks_image(project: &Project, desired: &Desired, observed: &Observed) -> bool {
    !project.identity.ephemeral
        && an_image(desired, observed).is_none()
        && plan::choosing(&project.choice, &project.identity, observed).is_some()
}

/// Makes the record of the project's choice where there is none that says it, and then removes those that count no more.
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
        // One of a run that was killed may not be whole.
        let half_made = observed.records.iter().find(|one| one.record.name == input.name);
        if let Some(half_made) = half_made {
            engine.remove_record(half_made).await.map_err(fault)?;
        }
        let id = match engine.write_record(&input, image).await {
            // An earlier turn of this run made it, after what was observed, and the record after it.
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

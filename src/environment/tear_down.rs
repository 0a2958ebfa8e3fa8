//! Takes an environment down, and protects its data from a clean-up of the engine.

use crate::apply;
use crate::docker::{Engine, EngineError};
use crate::model::{Failure, Observed};
use crate::plan::{self, Desired, Identity};
use std::time::{Duration, Instant};

/// Writes a pin that references every volume, so that no clean-up of the engine treats a volume as unused. The new pin
/// is written before the old pins are removed.
pub(crate) async fn pin(engine: &Engine, identity: &Identity, observed: &Observed) -> Result<(), Failure> {
    let Some(pin) = plan::pin(identity, observed) else { return Ok(()) };
    let of_containers = observed.containers_of(&identity.name).map(|container| &container.image_id);
    let ours = observed.records.iter().filter(|one| one.record.scope.environment == identity.name);
    // Use the image's id, because its old name may belong to another image by now.
    let Some(image) = of_containers.chain(ours.map(|one| &one.image_id)).find(|id| !id.is_empty()) else {
        return Ok(());
    };
    engine.write_record(&pin, image).await.map_err(EngineError::into_failure)?;
    for old in plan::pins(identity, observed) {
        engine.remove_record(old).await.map_err(EngineError::into_failure)?;
    }
    Ok(())
}

/// Carries out a teardown.
pub(crate) async fn tear_down(
    engine: &Engine,
    identity: &Identity,
    observed: &Observed,
    volumes: bool,
) -> Result<(), Failure> {
    carry_out(engine, identity, &plan::teardown(identity, observed, volumes)).await
}

/// Carries out a plan that only removes.
pub(crate) async fn carry_out(engine: &Engine, identity: &Identity, plan: &plan::Plan) -> Result<(), Failure> {
    let desired = Desired { environment: identity.name.clone(), scope: identity.scope(), ..Desired::default() };
    let run = apply::Run {
        engine,
        desired: &desired,
        mirror: None,
        began: Instant::now(),
        timeout: Duration::from_secs(60),
        emit: &|_| {},
        stop: &apply::Stop::default(),
    };
    apply::apply(plan, &run).await
}

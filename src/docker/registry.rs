//! What a registry says of an image, without bringing it: asked by the engine, with the login and the mirror of a pull.

use super::credentials::login_for;
use super::images::engine_name;
use super::pull::{Mirror, read, with_notes};
use super::{Engine, PullFault, PullFaultKind};
use crate::model::{ImageRef, RegistryImage};

impl Engine {
    /// The digest and the platforms that the registry has for an image now.
    pub async fn registry_image(&self, image: &ImageRef, mirror: Option<&Mirror>) -> Result<RegistryImage, PullFault> {
        let stand_in = mirror.and_then(|mirror| mirror.name_of(image));
        let source = stand_in.as_ref().unwrap_or(image);
        let asked = engine_name(source);
        let login = login_for(self.docker_config.as_deref(), &source.registry).await;
        let told = self.docker.inspect_registry_image(&asked, login.credentials.clone()).await;
        let told = told.map_err(|error| with_notes(read(&asked, &error), &login, 0))?;
        let digest = told.descriptor.digest.unwrap_or_default();
        if ImageRef::parse(&format!("x@{digest}")).is_err() {
            let text = format!("the registry says `{digest}`, which is no digest");
            return Err(PullFault::new(PullFaultKind::Other, &asked, text));
        }
        if let Some(wanted) = source.digest.as_ref().filter(|wanted| **wanted != digest) {
            let text = format!("asked for {wanted}, the registry answered with {digest}");
            return Err(PullFault::new(PullFaultKind::Other, &asked, text));
        }
        let platforms = told.platforms.into_iter().map(|platform| {
            let variant = platform.variant.filter(|variant| !variant.is_empty());
            let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
            let (os, processor) = (platform.os.unwrap_or_default(), platform.architecture.unwrap_or_default());
            format!("{os}/{processor}{variant}")
        });
        Ok(RegistryImage { digest, platforms: platforms.collect() })
    }
}

//! The changes of `services.local.yaml` to a service, separate from the declaration in production's own files.
//!
//! A service of the stack is the service that runs here. It also keeps production's declaration unchanged, so that no
//! change of `services.local.yaml` is mistaken for production's declaration.

use super::{Located, Origin, Rights, Service, User};

/// The declaration of a service in production's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Production {
    /// The same as the service: `services.local.yaml` does not change it.
    #[default]
    AsItStands,
    /// This declaration, which `services.local.yaml` changed.
    Declared(Box<Service>),
    /// None: only `services.local.yaml` declares the service.
    Nothing,
}

/// One value of a service that `services.local.yaml` changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The topic, with the same names as in facts: `version`, `image`, `settings`, `extensions`, `plugins`,
    /// `environment`, `rights`, `platform`.
    pub topic: &'static str,
    /// The name in that topic: `max_connections`; empty for the version.
    pub name: String,
    /// The value in production's files; none if they declare no value.
    pub production: Option<Located<String>>,
    /// The value in `services.local.yaml`.
    pub local: Located<String>,
    /// Whether one server cannot have both values: `17.12` refines `17`, and contradicts `16.4`.
    pub contradicts: bool,
}

impl Change {
    /// The changed item, in a few words: `version`, `max_connections`, `rights of shop`.
    pub fn subject(&self) -> String {
        match self.topic {
            "version" => "version".to_owned(),
            "image" if self.name == "name" => "image".to_owned(),
            "image" => format!("image {}", self.name),
            "environment" => format!("variable {}", self.name),
            "rights" => format!("rights of {}:", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Service {
    /// The service as production's files declare it; none if only `services.local.yaml` declares it.
    pub fn in_production(&self) -> Option<&Self> {
        match &self.production {
            Production::AsItStands => Some(self),
            Production::Declared(declared) => Some(declared),
            Production::Nothing => None,
        }
    }

    /// The changes of `services.local.yaml`, in the order of topics.
    pub fn changes(&self) -> Vec<Change> {
        let Production::Declared(declared) = &self.production else { return Vec::new() };
        let mut changes: Vec<Change> = version(declared, self).into_iter().collect();
        changes.extend(image(declared, self));
        changes.extend(settings(declared, self));
        let topics =
            [("extensions", &declared.extensions, &self.extensions), ("plugins", &declared.plugins, &self.plugins)];
        for (topic, before, now) in topics {
            let added = now.iter().filter(|one| !before.iter().any(|other| other.value == one.value));
            changes.extend(added.map(|one| Change {
                topic,
                name: one.value.clone(),
                production: None,
                local: Located::new("declared".to_owned(), one.origin.clone()),
                contradicts: true,
            }));
        }
        changes.extend(environment(declared, self));
        changes.extend(roles(declared, self));
        changes.extend(platform(declared, self));
        changes
    }

    /// The place of the version in `services.local.yaml`, if that file has a version.
    pub fn local_version(&self) -> Option<&Origin> {
        let declared = match &self.production {
            Production::Declared(declared) => declared,
            Production::Nothing => return Some(&self.version.origin),
            Production::AsItStands => return None,
        };
        (declared.version.origin != self.version.origin).then_some(&self.version.origin)
    }
}

fn version(declared: &Service, here: &Service) -> Option<Change> {
    let (before, now) = (&declared.version, &here.version);
    if before.origin == now.origin {
        return None;
    }
    let said = |text: &str| if text.is_empty() { "latest".to_owned() } else { text.to_owned() };
    let contradicts =
        before.number.as_ref().is_some_and(|number| !now.number.as_deref().is_some_and(|now| refines(number, now)));
    Some(Change {
        topic: "version",
        name: String::new(),
        production: (!before.text.is_empty()).then(|| Located::new(before.text.clone(), before.origin.clone())),
        local: Located::new(said(&now.text), now.origin.clone()),
        contradicts,
    })
}

/// Whether a version's number is more precise, in the same release line: `17.12` refines `17` and `17.x`.
pub(super) fn refines(declared: &str, here: &str) -> bool {
    let numbers = |text: &str| text.split('.').filter(|part| *part != "x").map(str::to_owned).collect::<Vec<_>>();
    numbers(here).starts_with(&numbers(declared))
}

/// Another repository, variant or digest than the declared one.
fn image(declared: &Service, here: &Service) -> Vec<Change> {
    let (Some(before), Some(now)) = (&declared.image, &here.image) else {
        // If production names no image, the kind's default image is used, and every other image is as close to
        // production.
        return Vec::new();
    };
    if before.origin == now.origin {
        return Vec::new();
    }
    let change = |name: &str, said: String, local: String| Change {
        topic: "image",
        name: name.to_owned(),
        production: Some(Located::new(said, before.origin.clone())),
        local: Located::new(local, now.origin.clone()),
        contradicts: true,
    };
    let mut changes = Vec::new();
    // The words of a tag beside its number name the base of the image: another word means another image.
    let (variant, other) = (declared.version.variant(true), here.version.variant(true));
    let has_numbers = declared.version.number.is_some() && here.version.number.is_some();
    if has_numbers && variant != other && (!variant.is_empty() || other.contains("alpine")) {
        let shown = |variant: &str| if variant.is_empty() { "none".to_owned() } else { variant.to_owned() };
        changes.push(change("variant", shown(&variant), shown(&other)));
    }
    if before.value.canonical_name() != now.value.canonical_name() {
        changes.push(change("name", before.value.canonical_name(), now.value.canonical_name()));
    } else if let Some(digest) = &before.value.digest
        && now.value.digest.as_ref() != Some(digest)
    {
        let other = now.value.digest.clone().unwrap_or_else(|| "any build of the tag".to_owned());
        changes.push(change("digest", digest.clone(), other));
    }
    changes
}

/// Settings with another value in `services.local.yaml` than in production's files, or only in `services.local.yaml`.
fn settings(declared: &Service, here: &Service) -> Vec<Change> {
    let values = |service: &Service, name: &str| -> Vec<Located<String>> {
        let named = service.settings.iter().filter(|setting| setting.name == name);
        named.map(|setting| setting.value.clone()).collect()
    };
    let is_new = |value: &Located<String>| !declared.settings.iter().any(|other| other.value.origin == value.origin);
    let changed = here.settings.iter().filter(|setting| is_new(&setting.value));
    let changes = changed.map(|setting| {
        let before = values(declared, &setting.name).into_iter().next();
        Change {
            topic: "settings",
            name: setting.name.clone(),
            contradicts: before.as_ref().is_none_or(|before| before.value.trim() != setting.value.value.trim()),
            production: before,
            local: setting.value.clone(),
        }
    });
    changes.collect()
}

/// Container variables. Their values may be secret, so a change does not contain the values.
fn environment(declared: &Service, here: &Service) -> Vec<Change> {
    let changed = here.environment.iter().filter_map(|(name, value)| {
        let before = declared.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let differs = before.is_none_or(|before| before.value != value.value);
        differs.then(|| Change {
            topic: "environment",
            name: name.clone(),
            production: before.map(|before| before.clone().map(|_| "set".to_owned())),
            local: value.clone().map(|_| if before.is_some() { "set otherwise" } else { "set" }.to_owned()),
            contradicts: true,
        })
    });
    changed.collect()
}

/// Logins that only `services.local.yaml` has, and logins whose rights it changes.
fn roles(declared: &Service, here: &Service) -> Vec<Change> {
    let rights = |user: &User| user.rights.map_or("as it was made", Rights::name).to_owned();
    let changed = here.users.iter().filter_map(|user| {
        let before = declared.users.iter().find(|other| other.name.value == user.name.value);
        let differs = before.is_none_or(|before| before.rights != user.rights);
        differs.then(|| Change {
            topic: "rights",
            name: user.name.value.clone(),
            production: before.map(|before| Located::new(rights(before), before.name.origin.clone())),
            local: Located::new(rights(user), user.name.origin.clone()),
            contradicts: true,
        })
    });
    changed.collect()
}

/// If production declares no platform, a platform is not a contradiction: the machine's own platform is the default.
fn platform(declared: &Service, here: &Service) -> Option<Change> {
    let now = here.platform.as_ref()?;
    let before = declared.platform.as_ref().filter(|before| before.value != now.value)?;
    Some(Change {
        topic: "platform",
        name: "platform".to_owned(),
        production: Some(before.clone()),
        local: now.clone(),
        contradicts: true,
    })
}

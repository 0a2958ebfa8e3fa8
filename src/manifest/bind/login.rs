//! Users, databases and virtual hosts that connections name. Those that a service does not declare are added to it.

use super::binder::Binder;
use crate::kinds::{Kind, Login};
use crate::model::{Credential, Database, Located, Origin, Secret, User};
use crate::project::Resource;

impl Binder<'_> {
    /// The index of the login that a connection names. A login that the service does not declare is added.
    pub(super) fn login(
        &mut self,
        service: usize,
        kind: &Kind,
        user: Option<&(String, Option<String>)>,
        password: Option<&(String, Option<String>)>,
        origin: &Origin,
    ) -> Option<usize> {
        let known = self.sources.get(&self.services[service].name);
        let target = &mut self.services[service];
        let knows_names = kind.default_user.is_some()
            || target.users.iter().any(|user| !user.name.value.is_empty())
            || kind.families.iter().any(|family| family.variables.values().any(|login| *login == Login::User));
        let said = password.filter(|(text, source)| !text.is_empty() || source.is_some());
        let credential = |otherwise: String| match said {
            Some((_, Some(variable))) => Credential::Variable(variable.clone()),
            Some((text, None)) => Credential::Literal(Secret::new(text.clone())),
            None => Credential::Own(otherwise),
        };
        if !self.budget.spend_at(Resource::Steps, target.users.len(), origin) {
            return None;
        }
        let at = if knows_names {
            let found = user.and_then(|(name, source)| {
                let same_source = source.is_some() && known.and_then(|known| known.user.as_ref()) == source.as_ref();
                if same_source || (name.is_empty() && source.is_some()) {
                    return (!target.users.is_empty()).then_some(0);
                }
                target.users.iter().position(|known| known.name.value == *name)
            });
            match (found, user) {
                (Some(at), _) => at,
                (None, Some((name, _))) if !name.is_empty() => {
                    let otherwise = format!("{} user {name}", target.name);
                    target.users.push(added_user(name, credential(otherwise), origin));
                    target.users.len() - 1
                }
                _ if target.users.is_empty() => return None,
                _ => 0,
            }
        } else {
            if target.users.is_empty() {
                said?;
                target.users.push(added_user("", credential(target.name.clone()), origin));
            }
            0
        };
        // A server without authentication takes any password, so the app gets a password anyway.
        if said.is_some() && target.users[at].credential == Credential::None {
            target.users[at].credential = credential(String::new());
        }
        Some(at)
    }

    /// The prefix of the fields of that login; empty for the first login.
    pub(super) fn user_path(&self, service: usize, at: usize) -> String {
        if at == 0 { String::new() } else { format!("users.{}.", self.services[service].users[at].name.value) }
    }

    /// The field of a database that an app names. A database that the service does not declare is added.
    pub(super) fn database_field(
        &mut self,
        service: usize,
        name: &str,
        source: Option<&str>,
        login: Option<usize>,
        origin: &Origin,
    ) -> String {
        let known = self.sources.get(&self.services[service].name).and_then(|known| known.database.as_deref());
        let target = &mut self.services[service];
        let same_source = source.is_some() && known == source;
        if same_source || name.is_empty() {
            return "database".to_owned();
        }
        // An exceeded budget is reported elsewhere. From then on no database is added.
        if !self.budget.spend_at(Resource::Steps, target.databases.len(), origin) {
            return "database".to_owned();
        }
        let at = target.databases.iter().position(|known| known.name.value == name).unwrap_or_else(|| {
            let name = Located::new(name.to_owned(), origin.clone());
            target.databases.push(Database { name, owner: None });
            target.databases.len() - 1
        });
        // The first login owns the database, as an app's login owns its database in production.
        if let Some(user) = login
            && self.with_owner.insert((service, name.to_owned()))
            && target.databases[at].owner.is_none()
            && user != 0
        {
            target.databases[at].owner = Some(target.users[user].name.value.clone());
        }
        if at == 0 { "database".to_owned() } else { format!("databases.{name}.database") }
    }

    /// The field of a virtual host that an app names. A virtual host that the service does not declare is added.
    pub(super) fn vhost_field(&mut self, service: usize, name: &str, source: Option<&str>, origin: &Origin) -> String {
        let known = self.sources.get(&self.services[service].name).and_then(|known| known.vhost.as_deref());
        let target = &mut self.services[service];
        if name.is_empty() || (source.is_some() && known == source) {
            return "vhost".to_owned();
        }
        if !self.budget.spend_at(Resource::Steps, target.vhosts.len(), origin) {
            return "vhost".to_owned();
        }
        let at = target.vhosts.iter().position(|vhost| vhost.value == name).unwrap_or_else(|| {
            target.vhosts.push(Located::new(name.to_owned(), origin.clone()));
            target.vhosts.len() - 1
        });
        if at == 0 { "vhost".to_owned() } else { format!("vhosts.{name}.vhost") }
    }
}

pub(super) fn added_user(name: &str, credential: Credential, origin: &Origin) -> User {
    User { name: Located::new(name.to_owned(), origin.clone()), credential, bound: false, rights: None }
}

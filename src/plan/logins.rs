//! The logins of a service: decides passwords, databases and vhosts.

use super::types::Request;
use crate::kinds::{FIELD_FUEL, Family, Kind, rabbitmq_definitions, rabbitmq_permits, templates};
use crate::model::{Credential, Endpoint, Protocol, Rights, Secret, Service, User, Wanted, WantedDatabase, WantedUser};
use minijinja::context;
use minijinja::value::Value as Jinja;

/// devenv's administrator name, in servers that have administrators and images that accept a name.
const ADMIN: &str = "devenv_admin";

/// A login with its password.
pub(super) struct Login {
    pub(super) name: Option<String>,
    pub(super) password: Option<Secret>,
    rights: Option<Rights>,
    databases: Vec<String>,
}

impl Login {
    /// The values for templates.
    pub(super) fn values(&self) -> Jinja {
        let password = self.password.as_ref().map(Secret::reveal).unwrap_or_default();
        context! { user => self.name.clone().unwrap_or_default(), password => password }
    }
}

/// All logins of a service, with their databases and vhosts.
pub(super) struct Logins {
    pub(super) admin: Login,
    pub(super) users: Vec<Login>,
    pub(super) databases: Vec<WantedDatabase>,
    vhosts: Vec<String>,
}

impl Logins {
    pub(super) fn of(service: &Service, kind: &Kind, family: &Family, request: &Request<'_>) -> Result<Self, String> {
        let environment = request.identity.name.as_str();
        let password = |source: &str| request.identity.key.password(environment, source);
        let mut users: Vec<Login> = Vec::new();
        for user in &service.users {
            let own = request.passwords.get(&service.name).filter(|_| user.bound);
            users.push(Login {
                name: (!user.name.value.is_empty()).then(|| user.name.value.clone()),
                password: own.cloned().or_else(|| password_of(user, &password)),
                rights: user.rights,
                databases: Vec::new(),
            });
        }
        if users.is_empty() {
            let name = kind.default_user.clone();
            let password = name.as_ref().map(|_| password(&format!("service {}", service.name)));
            // No file declares a login. If production names an image, the image creates the login, with the rights of
            // the image's family. Otherwise the login has the rights of an owner.
            let rights = if service.image.is_some() { family.rights } else { Some(Rights::Owner) };
            users.push(Login { name, password, rights, databases: Vec::new() });
        }
        let first = users[0].name.clone().unwrap_or_default();
        let mut databases: Vec<WantedDatabase> = service
            .databases
            .iter()
            .map(|database| WantedDatabase {
                name: database.name.value.clone(),
                owner: database.owner.clone().unwrap_or_else(|| first.clone()),
            })
            .collect();
        if let (true, Some(template)) = (databases.is_empty(), &kind.default_database) {
            let name =
                templates(FIELD_FUEL).render_str(template, context! { user => first.as_str() }).map_err(|error| {
                    format!("the default database of the kind `{}` does not render: {error}", kind.name)
                })?;
            databases.push(WantedDatabase { name, owner: first.clone() });
        }
        for database in &databases {
            if !users.iter().any(|user| user.name.as_deref() == Some(&database.owner)) && !database.owner.is_empty() {
                let password = password(&format!("service {} user {}", service.name, database.owner));
                users.push(Login {
                    name: Some(database.owner.clone()),
                    password: Some(password),
                    rights: None,
                    databases: Vec::new(),
                });
            }
        }
        for user in &mut users {
            let owned = |database: &&WantedDatabase| Some(database.owner.as_str()) == user.name.as_deref();
            user.databases = databases.iter().filter(owned).map(|database| database.name.clone()).collect();
        }
        let mut vhosts: Vec<String> = service.vhosts.iter().map(|vhost| vhost.value.clone()).collect();
        if let (true, Some(vhost)) = (vhosts.is_empty(), &kind.default_vhost) {
            vhosts.push(vhost.clone());
        }
        let name = family.admin.as_deref().unwrap_or(ADMIN).to_owned();
        // If an app logs in as the image's own administrator, as in production, both use the same password.
        let password = match users.iter_mut().find(|user| user.name.as_ref() == Some(&name)) {
            Some(user) => {
                user.rights = Some(Rights::Superuser);
                user.password.clone()
            }
            None => Some(password(&format!("administrator of {}", service.name))),
        };
        let admin = Login { name: Some(name), password, rights: Some(Rights::Superuser), databases: Vec::new() };
        Ok(Self { admin, users, databases, vhosts })
    }

    /// The values for a kind's templates. `administrator` tells whether a broker also gets the administrator's login,
    /// for its management API.
    pub(super) fn values(&self, service: &Service, kind: &Kind, administrator: bool) -> Jinja {
        let reveal =
            |password: &Option<Secret>| password.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default();
        let definitions = if kind.protocol == Protocol::Amqp {
            let ours = Some(&self.admin).filter(|_| administrator);
            let ours = ours.filter(|admin| !self.users.iter().any(|user| user.name == admin.name));
            let users: Vec<_> = self
                .users
                .iter()
                .chain(ours)
                .filter_map(|user| Some((user.name.clone()?, user.password.clone(), is_administrator(user))))
                .collect();
            rabbitmq_definitions(&users, &self.vhosts, service.definitions.as_ref().map(|more| &more.value))
        } else {
            String::new()
        };
        context! {
            service => service.name.as_str(),
            version => service.version.number.clone().unwrap_or_else(|| "latest".to_owned()),
            major => service.version.major(),
            admin => self.admin.values(),
            user => self.users[0].name.clone().unwrap_or_default(),
            password => reveal(&self.users[0].password),
            database => self.databases.first().map(|database| database.name.clone()).unwrap_or_default(),
            vhost => self.vhosts.first().cloned().unwrap_or_default(),
            vhosts => self.vhosts.clone(),
            tag => service.image.as_ref().and_then(|image| image.value.tag.clone()).unwrap_or_default(),
            init_files => !service.init_files.is_empty(),
            plugins => service.plugins.iter().map(|plugin| plugin.value.clone()).collect::<Vec<_>>(),
            settings => service.settings.iter()
                .map(|setting| context! { name => setting.name.as_str(), value => setting.value.value.as_str() })
                .collect::<Vec<_>>(),
            rabbitmq_definitions => definitions,
        }
    }

    /// The endpoints of all logins. The default login with the first database and vhost comes first. If production's
    /// definitions permit a login only some vhosts, the login has no endpoints for other vhosts.
    pub(super) fn endpoints(
        &self,
        service: &Service,
        endpoint: impl Fn(&Login, Option<&String>, Option<&String>) -> Endpoint,
    ) -> Vec<Endpoint> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for user in &self.users {
            // A login that owns no database uses the first database.
            let own: Vec<Option<&String>> = if user.databases.is_empty() {
                vec![self.databases.first().map(|database| &database.name)]
            } else {
                user.databases.iter().map(Some).collect()
            };
            let permits = |vhost: &&String| match (&service.definitions, &user.name) {
                (Some(more), Some(name)) => rabbitmq_permits(&more.value, name, vhost),
                _ => true,
            };
            let vhosts: Vec<Option<&String>> = if self.vhosts.is_empty() {
                vec![None]
            } else {
                self.vhosts.iter().filter(permits).map(Some).collect()
            };
            for database in own {
                endpoints.extend(vhosts.iter().map(|vhost| endpoint(user, database, *vhost)));
            }
        }
        if endpoints.is_empty() {
            endpoints.extend(self.users.first().map(|user| endpoint(user, None, self.vhosts.first())));
        }
        endpoints
    }

    pub(super) fn wanted(&self, service: &Service, kind: &Kind) -> Wanted {
        let user = |login: &Login| {
            let name = login.name.clone()?;
            Some(WantedUser { name, password: login.password.clone(), rights: login.rights })
        };
        Wanted {
            users: self.users.iter().filter_map(user).collect(),
            databases: self.databases.clone(),
            extensions: service.extensions.iter().map(|extension| extension.value.clone()).collect(),
            master: kind.master.clone(),
            adopt: !service.init_files.is_empty(),
        }
    }
}

/// Whether the login is an administrator of a broker, who may also use the management page.
fn is_administrator(login: &Login) -> bool {
    login.rights >= Some(Rights::Master)
}

/// A bound credential gets a password of devenv, derived from the credential's source in production. A literal that no
/// variable contains is kept.
fn password_of(user: &User, password: &dyn Fn(&str) -> Secret) -> Option<Secret> {
    match &user.credential {
        Credential::None => None,
        Credential::Literal(literal) if !user.bound => Some(literal.clone()),
        Credential::Literal(literal) => Some(password(&format!("literal {}", literal.reveal()))),
        Credential::Variable(name) => Some(password(&format!("variable {name}"))),
        Credential::Secret(name) => Some(password(&format!("secret {name}"))),
        Credential::Own(name) => Some(password(&format!("service {name}"))),
    }
}

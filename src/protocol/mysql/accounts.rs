//! Logins and databases of a server: reads the current state and plans the changes.
//!
//! A database has no owner here: its wanted owner has all rights on the database, and no rights on other databases. A
//! login has these rights and its wanted rights on the server. If no rights on the server are specified, they stay
//! unchanged.

use super::LIMIT;
use super::auth::{NATIVE, native_hash};
use super::packet::Row;
use super::quote::{account, granted, identifier, literal, ungranted};
use super::refusal::Refusal;
use super::session::Session;
use crate::model::{Endpoint, Rights, Secret, Wanted, WantedDatabase, WantedUser};
use crate::protocol::{Done, Subject};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// Statements that belong together, their effect, and their subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) done: Done,
    pub(super) subject: Subject,
    pub(super) statements: Vec<String>,
    /// The secret in the statements, which no message may repeat.
    pub(super) secret: String,
}

/// The hosts from which the wanted logins may connect, as in the images.
const EVERYWHERE: &str = "%";

const USERS: &str = "SELECT User, plugin, authentication_string, Super_priv, Create_user_priv FROM mysql.user \
     WHERE Host = '%'";
/// The logins that have, on a database, every right that all releases know.
const OWNERS: &str = "SELECT User, Db FROM mysql.db WHERE Host = '%' AND CONCAT(Select_priv, Insert_priv, Update_priv, \
     Delete_priv, Create_priv, Drop_priv, References_priv, Index_priv, Alter_priv, Create_tmp_table_priv, \
     Lock_tables_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Execute_priv, \
     Event_priv, Trigger_priv) = 'YYYYYYYYYYYYYYYYYY'";
/// Only `MySQL` revokes the rights on databases together with all rights on the server, so the rights are named one by
/// one.
const RIGHTS: &str =
    "SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE <> 'USAGE'";
const DATABASES: &str = "SELECT SCHEMA_NAME, @@lower_case_table_names FROM information_schema.SCHEMATA";

/// The logins and databases of a server.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, Account>,
    databases: BTreeSet<String>,
    /// Pairs of login and database.
    owners: BTreeSet<(String, String)>,
    /// For each login that loses rights: the names of its rights on the whole server.
    rights: BTreeMap<String, Vec<String>>,
    /// Whether the server ignores the case of database names.
    any_case: bool,
    /// The existing logins whose wanted password is refused.
    refused: BTreeSet<String>,
    /// Whether the server understands the statements of `MariaDB`.
    mariadb: bool,
}

#[derive(Debug)]
struct Account {
    plugin: String,
    /// The stored form of the password.
    stored: String,
    rights: Rights,
}

/// The rights of a login on the whole server, derived from two rights. A login with neither right has only its
/// databases.
fn rights(superuser: &str, creates_users: &str) -> Rights {
    match (superuser, creates_users) {
        ("Y", _) => Rights::Superuser,
        (_, "Y") => Rights::Master,
        _ => Rights::Minimal,
    }
}

/// Reduces rights to those that a server without `CREATEDB` and predefined roles knows.
fn known_here(rights: Rights) -> Rights {
    if rights < Rights::Master { Rights::Minimal } else { rights }
}

impl Accounts {
    /// Reads the lists, and tries a login if the stored form does not show whether the password matches.
    pub(super) async fn read(session: &mut Session, admin: &Endpoint, wanted: &Wanted) -> Result<Self, Refusal> {
        let mut accounts = Self { mariadb: session.is_mariadb(), ..Self::default() };
        for [name, plugin, stored, superuser, creates_users] in columns(session.query(USERS).await?) {
            let rights = rights(&superuser, &creates_users);
            accounts.users.insert(name, Account { plugin, stored, rights });
        }
        for [name, lower_case] in columns(session.query(DATABASES).await?) {
            accounts.any_case = lower_case != "0";
            accounts.databases.insert(name);
        }
        for [user, pattern] in columns(session.query(OWNERS).await?) {
            accounts.owners.insert((user, ungranted(&pattern)));
        }
        let others = wanted.users.iter().filter(|user| !is_admin(admin, user) && accounts.is_to_lose_rights(user));
        let others: Vec<&str> = others.map(|user| user.name.as_str()).collect();
        if !others.is_empty() {
            for [grantee, right] in columns(session.query(RIGHTS).await?) {
                if let Some(name) = others.iter().find(|name| grantee == format!("'{name}'@'{EVERYWHERE}'")) {
                    accounts.rights.entry((*name).to_owned()).or_default().push(right);
                }
            }
        }
        let mut unsure = Vec::new();
        for user in wanted.users.iter().filter(|user| !is_admin(admin, user)) {
            match accounts.fits(user) {
                Some(true) => {}
                Some(false) => drop(accounts.refused.insert(user.name.clone())),
                None => unsure.push(accepts(admin, user)),
            }
        }
        for (name, fits) in join_all(unsure).await {
            if !fits? {
                accounts.refused.insert(name);
            }
        }
        Ok(accounts)
    }

    fn is_to_lose_rights(&self, user: &WantedUser) -> bool {
        let known = self.users.get(&user.name).map(|account| account.rights);
        user.rights.is_some_and(|rights| known > Some(known_here(rights)))
    }

    /// Whether the wanted password is the stored password; `None` if only a login can tell. A login that does not exist
    /// yet, or that needs no password, is not tried.
    fn fits(&self, user: &WantedUser) -> Option<bool> {
        let Some(account) = self.users.get(&user.name) else { return Some(true) };
        let Some(password) = user.password.as_ref().map(Secret::reveal) else { return Some(true) };
        match account.plugin.as_str() {
            NATIVE if account.stored.starts_with('*') => Some(account.stored == native_hash(password)),
            NATIVE if account.stored.is_empty() => Some(password.is_empty()),
            _ => None,
        }
    }

    fn has(&self, database: &str) -> bool {
        self.databases.iter().any(|known| self.same(known, database))
    }

    fn owns(&self, user: &str, database: &str) -> bool {
        self.owners.iter().any(|(owner, known)| owner == user && self.same(known, database))
    }

    fn same(&self, one: &str, other: &str) -> bool {
        one == other || (self.any_case && one.to_lowercase() == other.to_lowercase())
    }

    /// Returns the clause that gives a login its password. `MariaDB` accepts the form that it would store. `MySQL`
    /// stores another form for each authentication plugin, and keeps passwords out of its logs by itself.
    fn identified(&self, password: Option<&Secret>) -> String {
        match password.map(Secret::reveal) {
            None | Some("") => String::new(),
            Some(password) if self.mariadb => format!(" IDENTIFIED BY PASSWORD {}", literal(&native_hash(password))),
            Some(password) => format!(" IDENTIFIED BY {}", literal(password)),
        }
    }
}

/// Whether the server accepts the wanted password of that login. A refusal for another reason than the password does
/// not matter.
async fn accepts(admin: &Endpoint, user: &WantedUser) -> (String, Result<bool, Refusal>) {
    let endpoint =
        Endpoint { user: Some(user.name.clone()), password: user.password.clone(), database: None, ..admin.clone() };
    let fits = match Session::login(&endpoint, LIMIT).await {
        Ok(session) => {
            session.quit().await;
            Ok(true)
        }
        Err(refusal) if refusal.is_the_servers() => Ok(!refusal.is_of_password()),
        Err(refusal) => Err(refusal),
    };
    (user.name.clone(), fits)
}

fn is_admin(admin: &Endpoint, user: &WantedUser) -> bool {
    admin.user.as_deref() == Some(user.name.as_str())
}

/// Returns rows with a fixed number of columns; NULL becomes the empty text.
pub(super) fn columns<const COUNT: usize>(rows: Vec<Row>) -> impl Iterator<Item = [String; COUNT]> {
    let text = |row: Row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
    rows.into_iter().filter_map(move |row| text(row).try_into().ok())
}

/// Returns the changes in an order in which they can be made: logins, then databases.
pub(super) fn changes(admin: &Endpoint, wanted: &Wanted, accounts: &Accounts) -> Vec<Change> {
    let users = wanted.users.iter().filter(|user| !is_admin(admin, user));
    let mut changes: Vec<Change> = users.flat_map(|user| user_changes(user, &wanted.master, accounts)).collect();
    changes.extend(wanted.databases.iter().filter_map(|database| database_change(admin, database, accounts)));
    changes
}

fn user_changes(user: &WantedUser, master: &[String], accounts: &Accounts) -> Vec<Change> {
    let login = account(&user.name, EVERYWHERE);
    let secret = user.password.as_ref().map(|password| password.reveal().to_owned()).unwrap_or_default();
    let change = |done: fn(String) -> Done, statements: Vec<String>| Change {
        done: done(user.name.clone()),
        subject: Subject::User(user.name.clone()),
        statements,
        secret: secret.clone(),
    };
    let identified = accounts.identified(user.password.as_ref());
    let given = |rights: Rights| {
        let granted = match rights {
            Rights::Superuser => "ALL PRIVILEGES".to_owned(),
            Rights::Master => master.join(", "),
            Rights::Owner | Rights::Monitor | Rights::Minimal => String::new(),
        };
        (!granted.is_empty()).then(|| format!("GRANT {granted} ON *.* TO {login} WITH GRANT OPTION"))
    };
    let Some(known) = accounts.users.get(&user.name) else {
        let mut statements = vec![format!("CREATE USER IF NOT EXISTS {login}{identified}")];
        statements.extend(user.rights.and_then(given));
        return vec![change(Done::UserCreated, statements)];
    };
    let mut changes = Vec::new();
    if let Some(wanted) = user.rights.filter(|rights| known_here(*rights) != known.rights) {
        let mut statements = Vec::new();
        if accounts.is_to_lose_rights(user) {
            let rights = accounts.rights.get(&user.name).map(|rights| rights.join(", ")).unwrap_or_default();
            let rights = [rights.as_str(), "GRANT OPTION"].into_iter().filter(|rights| !rights.is_empty());
            statements.extend(rights.map(|rights| format!("REVOKE {rights} ON *.* FROM {login}")));
        }
        statements.extend(given(wanted));
        changes.push(change(Done::UserChanged, statements));
    }
    if accounts.refused.contains(&user.name) && !identified.is_empty() {
        changes.push(change(Done::PasswordSet, vec![format!("ALTER USER {login}{identified}")]));
    }
    changes
}

fn database_change(admin: &Endpoint, database: &WantedDatabase, accounts: &Accounts) -> Option<Change> {
    let WantedDatabase { name, owner } = database;
    let given = owner.is_empty() || admin.user.as_ref() == Some(owner) || accounts.owns(owner, name);
    let grant = || format!("GRANT ALL PRIVILEGES ON {}.* TO {}", granted(name), account(owner, EVERYWHERE));
    let mut statements = Vec::new();
    let there = accounts.has(name);
    if !there {
        statements.push(format!("CREATE DATABASE IF NOT EXISTS {}", identifier(name)));
    }
    if !given {
        statements.push(grant());
    }
    let done = if there {
        Done::OwnerSet { database: name.clone(), owner: owner.clone() }
    } else {
        Done::DatabaseCreated(name.clone())
    };
    let subject = Subject::Database(name.clone());
    (!statements.is_empty()).then(|| Change { done, subject, statements, secret: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> WantedUser {
        WantedUser { name: name.to_owned(), password: Some(Secret::new("pw")), rights: None }
    }

    fn known(plugin: &str, stored: &str, rights: Rights) -> Account {
        Account { plugin: plugin.to_owned(), stored: stored.to_owned(), rights }
    }

    fn changes_of(user: &WantedUser, accounts: &Accounts) -> Vec<Change> {
        user_changes(user, &["SELECT".to_owned(), "CREATE USER".to_owned()], accounts)
    }

    fn with(name: &str, account: Account) -> Accounts {
        Accounts { users: BTreeMap::from([(name.to_owned(), account)]), mariadb: true, ..Accounts::default() }
    }

    fn admin() -> Endpoint {
        Endpoint {
            host: String::new(),
            port: 0,
            user: Some("root".to_owned()),
            password: None,
            database: None,
            vhost: None,
            path: None,
        }
    }

    fn database(name: &str, owner: &str) -> WantedDatabase {
        WantedDatabase { name: name.to_owned(), owner: owner.to_owned() }
    }

    fn statements(changes: &[Change]) -> Vec<&str> {
        changes.iter().flat_map(|change| change.statements.iter().map(String::as_str)).collect()
    }

    #[test]
    fn a_new_login_has_no_rights_and_mariadb_is_given_a_hash_alone() {
        let mut accounts = Accounts { mariadb: true, ..Accounts::default() };
        let changes = changes_of(&user("a'pp"), &accounts);
        let hash = native_hash("pw");
        assert_eq!(
            statements(&changes),
            [format!("CREATE USER IF NOT EXISTS 'a\\'pp'@'%' IDENTIFIED BY PASSWORD '{hash}'")]
        );
        accounts.mariadb = false;
        let changes = changes_of(&user("app"), &accounts);
        assert_eq!(statements(&changes), ["CREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY 'pw'"]);
        let without = WantedUser { password: None, ..user("app") };
        assert_eq!(statements(&changes_of(&without, &accounts)), ["CREATE USER IF NOT EXISTS 'app'@'%'"]);
    }

    #[test]
    fn whether_a_password_fits_is_read_where_it_can_be() {
        let fits = |plugin: &str, stored: &str| with("app", known(plugin, stored, Rights::Minimal)).fits(&user("app"));
        assert_eq!(fits(NATIVE, &native_hash("pw")), Some(true));
        assert_eq!(fits(NATIVE, &native_hash("other")), Some(false));
        assert_eq!(fits(NATIVE, ""), Some(false));
        assert_eq!(fits("caching_sha2_password", "$A$005$x"), None);
        // Before 10.4, MariaDB stores the password elsewhere.
        assert_eq!(fits("", ""), None);
        assert_eq!(Accounts::default().fits(&user("app")), Some(true));
    }

    #[test]
    fn only_differences_are_altered() {
        let mut accounts = with("app", known(NATIVE, "", Rights::Minimal));
        assert_eq!(changes_of(&user("app"), &accounts), []);
        accounts.refused.insert("app".to_owned());
        assert_eq!(changes_of(&user("app"), &accounts)[0].done, Done::PasswordSet("app".to_owned()));
    }

    #[test]
    fn rights_on_the_server_are_raised_and_lowered_and_left_where_nothing_is_said() {
        let wanted = |rights| WantedUser { rights: Some(rights), ..user("app") };
        let mut accounts = with("app", known(NATIVE, &native_hash("pw"), Rights::Superuser));
        assert_eq!(changes_of(&user("app"), &accounts), []);
        accounts.rights.insert("app".to_owned(), vec!["SUPER".to_owned(), "CREATE USER".to_owned()]);
        let revoked = ["REVOKE SUPER, CREATE USER ON *.* FROM 'app'@'%'", "REVOKE GRANT OPTION ON *.* FROM 'app'@'%'"];
        let changes = changes_of(&wanted(Rights::Owner), &accounts);
        assert_eq!(changes[0].done, Done::UserChanged("app".to_owned()));
        assert_eq!(statements(&changes), revoked);
        let master = "GRANT SELECT, CREATE USER ON *.* TO 'app'@'%' WITH GRANT OPTION";
        let changes = changes_of(&wanted(Rights::Master), &accounts);
        assert_eq!(statements(&changes), [revoked[0], revoked[1], master]);
        let accounts = with("app", known(NATIVE, &native_hash("pw"), Rights::Minimal));
        assert_eq!(changes_of(&wanted(Rights::Owner), &accounts), []);
        assert_eq!(changes_of(&wanted(Rights::Monitor), &accounts), []);
        assert_eq!(statements(&changes_of(&wanted(Rights::Master), &accounts)), [master]);
        let made = changes_of(&wanted(Rights::Master), &Accounts { mariadb: true, ..Accounts::default() });
        assert_eq!(statements(&made)[1], master);
    }

    #[test]
    fn a_database_is_made_and_granted_to_its_owner_and_to_nobody_else() {
        let mut accounts = Accounts::default();
        let made = database_change(&admin(), &database("shop_x", "app"), &accounts).unwrap();
        assert_eq!(made.done, Done::DatabaseCreated("shop_x".to_owned()));
        assert_eq!(
            made.statements,
            ["CREATE DATABASE IF NOT EXISTS `shop_x`", "GRANT ALL PRIVILEGES ON `shop\\_x`.* TO 'app'@'%'"]
        );
        for owner in ["", "root"] {
            let made = database_change(&admin(), &database("shop", owner), &accounts).unwrap();
            assert_eq!(made.statements.len(), 1);
        }
        accounts.databases.insert("shop".to_owned());
        let given = database_change(&admin(), &database("shop", "app"), &accounts).unwrap();
        assert_eq!(given.done, Done::OwnerSet { database: "shop".to_owned(), owner: "app".to_owned() });
        accounts.owners.insert(("app".to_owned(), "shop".to_owned()));
        assert_eq!(database_change(&admin(), &database("shop", "app"), &accounts), None);
        assert!(database_change(&admin(), &database("Shop", "app"), &accounts).is_some());
        accounts.any_case = true;
        assert_eq!(database_change(&admin(), &database("Shop", "app"), &accounts), None);
    }

    #[test]
    fn the_administrators_login_is_not_changed() {
        let wanted = Wanted { users: vec![user("root")], ..Wanted::default() };
        assert_eq!(changes(&admin(), &wanted, &Accounts::default()), []);
    }
}

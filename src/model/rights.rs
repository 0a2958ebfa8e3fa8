//! The rights of a login on its server beyond its own databases.

/// The rights that a login gets from the way in which production creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// Everything on its own databases, or virtual hosts, and no more.
    Minimal,
    /// As `Minimal`, and the login sees and ends the sessions of other logins (Postgres' `pg_monitor`,
    /// `pg_signal_backend`).
    Monitor,
    /// As `Minimal`, and the login creates databases, if the server has this right (Postgres' `CREATEDB`).
    Owner,
    /// The rights that a cloud gives to the login that it creates with the server: databases, logins, monitoring, but
    /// not superuser.
    Master,
    /// Everything on the server: Postgres' superuser, `MySQL`'s `ALL PRIVILEGES`, `RabbitMQ`'s administrator.
    Superuser,
}

impl Rights {
    /// Every name that a file may use, the lowest rights first.
    pub const NAMES: [&'static str; 5] = ["minimal", "monitor", "owner", "master", "superuser"];

    /// The rights with that name.
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::Minimal, Self::Monitor, Self::Owner, Self::Master, Self::Superuser];
        all.into_iter().find(|rights| rights.name() == word)
    }

    /// The name of the rights.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_the_rights_that_are_called_so() {
        for word in Rights::NAMES {
            assert_eq!(Rights::named(word).map(Rights::name), Some(word));
            assert_eq!(serde_json::from_str::<Rights>(&format!("\"{word}\"")).ok(), Rights::named(word));
        }
        assert_eq!(Rights::named("root"), None);
    }
}

//! What a login may do on its server beyond its own databases.

/// The rights of a login, as production's way of making it gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// Everything on its own databases, or virtual hosts, and no more.
    Minimal,
    /// The same, and it sees and ends what the server's other logins do (Postgres' `pg_monitor`, `pg_signal_backend`).
    Monitor,
    /// As the least, and it makes further databases, where a server has such a right (Postgres' `CREATEDB`).
    Owner,
    /// What a cloud gives the login that it makes with the server: databases, logins, monitoring, and no superuser.
    Master,
    /// Everything on the server: Postgres' superuser, `MySQL`'s `ALL PRIVILEGES`, `RabbitMQ`'s administrator.
    Superuser,
}

impl Rights {
    /// Every word that a file may say, the least first.
    pub const NAMES: [&'static str; 5] = ["minimal", "monitor", "owner", "master", "superuser"];

    /// The rights that a word means.
    pub fn named(word: &str) -> Option<Self> {
        let all = [Self::Minimal, Self::Monitor, Self::Owner, Self::Master, Self::Superuser];
        all.into_iter().find(|rights| rights.name() == word)
    }

    /// The word for it.
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

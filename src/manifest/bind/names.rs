//! Classifies variables by their names: a host, a part of a login, or a secret.

use crate::kinds::Kind;

/// A part of a connection that a variable of its own may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The port.
    Port,
    /// The login's name.
    User,
    /// The login's password.
    Password,
    /// The database.
    Database,
    /// The virtual host.
    Vhost,
}

/// Ends of names of variables that hold a server's address. If a name has two of these ends, the longer comes first.
const ADDRESS_ENDS: &[&str] = &[
    "BOOTSTRAP_SERVERS",
    "CONTACT_POINTS",
    "CONNECTION_STRING",
    "HOSTNAME",
    "HOST_NAME",
    "ADDRESSES",
    "ENDPOINTS",
    "ENDPOINT",
    "ADDRESS",
    "LOCATION",
    "SERVERS",
    "SERVER",
    "BROKERS",
    "HOSTS",
    "HOST",
    "ADDR",
    "NODES",
    "NODE",
    "SERVICE",
    "URLS",
    "URL",
    "URI",
    "DSN",
];

/// Ends of names of variables that hold one part of a connection.
const PART_ENDS: &[(&str, Part)] = &[
    ("PORT", Part::Port),
    ("PORT_NUMBER", Part::Port),
    ("USERNAME", Part::User),
    ("USER_NAME", Part::User),
    ("USER", Part::User),
    ("USR", Part::User),
    ("LOGIN", Part::User),
    ("ACCESS_KEY_ID", Part::User),
    ("ACCESS_KEY", Part::User),
    ("SECRET_ACCESS_KEY", Part::Password),
    ("PASSWORD", Part::Password),
    ("PASSWD", Part::Password),
    ("PASS", Part::Password),
    ("PWD", Part::Password),
    ("AUTH", Part::Password),
    ("DATABASE_NAME", Part::Database),
    ("DB_NAME", Part::Database),
    ("DBNAME", Part::Database),
    ("DATABASE", Part::Database),
    ("NAME", Part::Database),
    ("DB", Part::Database),
    ("VIRTUAL_HOST", Part::Vhost),
    ("VIRTUALHOST", Part::Vhost),
    ("VHOST", Part::Vhost),
];

/// Last words of names of variables whose value is a choice or a name, never an address.
const NO_ADDRESS: &[&str] = &[
    "DRIVER",
    "PROVIDER",
    "CONNECTION",
    "ENGINE",
    "TYPE",
    "BACKEND",
    "ADAPTER",
    "STORE",
    "KIND",
    "DIALECT",
    "USER",
    "USERNAME",
    "DB",
    "DATABASE",
    "NAME",
    "PASS",
    "PASSWORD",
    "MODE",
    "CLIENT",
    "FORMAT",
    "PREFIX",
    "ENV",
    "VHOST",
    "SCHEME",
    "PROTOCOL",
    "STRATEGY",
    "IMPLEMENTATION",
    "HANDLER",
    "LABEL",
    "ROLE",
    "SCHEMA",
    "BUCKET",
    "QUEUE",
    "TOPIC",
    "KEY",
    "ID",
    "TOKEN",
    "SECRET",
];

/// Words in a name that mean that the value is a secret.
const SECRET_WORDS: &[&str] = &[
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
    "KEY",
    "KEYS",
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASS",
    "PWD",
    "PASSPHRASE",
    "DSN",
    "CREDENTIAL",
    "CREDENTIALS",
    "COOKIE",
    "APIKEY",
    "SALT",
    "SIGNATURE",
    "PRIVATE",
    "AUTH",
    "PIN",
];

/// Words in a name that mean that the value is public.
const PUBLIC_WORDS: &[&str] =
    &["PUBLIC", "PUBLISHABLE", "PATH", "HEADER", "ALGORITHM", "TTL", "EXPIRY", "LIFETIME", "PREFIX"];

/// Words in a name that mean addresses at which the app answers, not addresses that it connects to.
const OWN_ADDRESS_WORDS: &[&str] = &[
    "ALLOWED",
    "CORS",
    "TRUSTED",
    "PUBLIC",
    "VIRTUAL",
    "LETSENCRYPT",
    "ORIGIN",
    "ORIGINS",
    "DOMAIN",
    "CSRF",
    "SITE",
    "EXTERNAL",
    "CANONICAL",
    "CDN",
    "FRONTEND",
    "APP",
    "WEBSITE",
    "BASE",
    "DOCS",
    "HOMEPAGE",
    "CALLBACK",
    "REDIRECT",
    "LISTEN",
    "BIND",
    "SERVER_NAME",
];

/// The name's words in upper case: `smtpHost`, `SMTP_HOST` and `smtp.host` have the same words.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            words.push(String::new());
            lower_before = false;
            continue;
        }
        if c.is_ascii_uppercase() && lower_before {
            words.push(String::new());
        }
        lower_before = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the name alone says that the value is an address, even if the value is also a product's name.
pub(crate) fn is_address(name: &str) -> bool {
    address_prefix(name).is_some()
}

/// Whether the value is a choice (`CACHE_DRIVER=redis`) or something else that is no address.
pub(super) fn is_no_address(name: &str) -> bool {
    words(name).last().is_some_and(|word| NO_ADDRESS.contains(&word.as_str()))
}

/// Whether a name says that its value is only a host.
pub(super) fn is_host(name: &str) -> bool {
    let name = normal(name);
    ["HOST", "HOSTNAME", "HOST_NAME", "ADDR", "ADDRESS"].iter().any(|end| name.ends_with(end))
}

/// The prefix before an address' end, in upper case: `DB_` of `DB_HOST`, `PG` of `PGHOST`. Empty if the end is the
/// whole name.
pub(super) fn address_prefix(name: &str) -> Option<String> {
    let name = normal(name);
    ADDRESS_ENDS.iter().find_map(|end| name.strip_suffix(end).map(str::to_owned))
}

/// The ends of names of variables that hold that part.
pub(super) fn ends_of(part: Part) -> impl Iterator<Item = &'static str> {
    PART_ENDS.iter().filter(move |(_, of)| *of == part).map(|(end, _)| *end)
}

/// The part that the end of a name means.
pub(super) fn part_at_end(name: &str) -> Option<Part> {
    let name = normal(name);
    PART_ENDS.iter().filter(|(end, _)| name.ends_with(end)).max_by_key(|(end, _)| end.len()).map(|(_, part)| *part)
}

/// A name in upper case, with `_` between its words: `dbHost` is `DB_HOST`.
pub(super) fn normal(name: &str) -> String {
    if name.chars().any(|c| c.is_ascii_lowercase()) {
        return words(name).join("_");
    }
    name.replace(['-', '.'], "_")
}

/// Whether a name says that its value is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let words = words(name);
    words
        .iter()
        .any(|word| SECRET_WORDS.contains(&word.as_str()) || word.ends_with("PASSWORD") || word.ends_with("PASS"))
        && !words.iter().any(|word| PUBLIC_WORDS.contains(&word.as_str()))
}

/// Whether a name means an address that the app connects to.
pub(super) fn is_connection(name: &str) -> bool {
    is_address(name) && !words(name).iter().any(|word| OWN_ADDRESS_WORDS.contains(&word.as_str()))
}

/// Whether a name contains a name of that kind of service.
pub(super) fn is_about_kind(name: &str, kind: &Kind) -> bool {
    let words = words(name);
    let has = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    kind.names.iter().chain(&kind.variable_words).any(|word| has(word))
}

/// Whether a name contains all words of the service's name, in order.
pub(super) fn is_about_service(name: &str, service: &str) -> bool {
    let (name, service) = (words(name), words(service));
    !service.is_empty() && name.windows(service.len()).any(|part| part == service.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words("SMTP_HOST"), ["SMTP", "HOST"]);
        assert_eq!(words("smtpHostName"), ["SMTP", "HOST", "NAME"]);
        assert_eq!(words("spring.datasource.url"), ["SPRING", "DATASOURCE", "URL"]);
    }

    #[test]
    fn siblings_share_the_prefix_of_the_address() {
        for (host, prefix, sibling, part) in [
            ("DB_HOST", "DB_", "DB_PORT", Part::Port),
            ("PGHOST", "PG", "PGDATABASE", Part::Database),
            ("PAPERLESS_DBHOST", "PAPERLESS_DB", "PAPERLESS_DBUSER", Part::User),
            ("SPRING_DATASOURCE_URL", "SPRING_DATASOURCE_", "SPRING_DATASOURCE_PASSWORD", Part::Password),
            ("RABBIT_ADDRESSES", "RABBIT_", "RABBIT_VHOST", Part::Vhost),
        ] {
            assert_eq!(address_prefix(host).as_deref(), Some(prefix));
            assert!(ends_of(part).any(|end| normal(sibling) == format!("{prefix}{end}")), "{sibling}");
        }
        assert!(PART_ENDS.iter().all(|(end, _)| "DB_PASSWORD_RESET" != format!("DB_{end}")));
        assert_eq!(address_prefix("CACHE_DRIVER"), None);
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in ["SECRET_KEY_BASE", "STRIPE_KEY", "SENTRY_DSN", "AWS_ACCESS_KEY_ID", "dbPassword", "GITHUB_TOKEN"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["KEYCLOAK_REALM", "STRIPE_PUBLISHABLE_KEY", "LOG_LEVEL", "MONKEY", "TOKENIZER"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}

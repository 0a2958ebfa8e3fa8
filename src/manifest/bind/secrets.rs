//! Whether a value looks like a secret, or like an address of production, whatever its variable's name.

/// Prefixes of tokens that are always secrets, as their issuers document them.
const TOKEN_STARTS: &[&str] = &[
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "SG.",
    "sk-",
    "pk-lf-",
    "shpat_",
    "dop_v1_",
    "npm_",
    "pypi-",
    "AIza",
    "ya29.",
    "hvs.",
    "EAA",
];

/// Whether a value looks like a secret: a key block, a token of a known form, or a long random text.
pub(super) fn looks_secret(value: &str) -> bool {
    let value = value.trim();
    value.contains("-----BEGIN ")
        || is_jwt(value)
        || (value.len() >= 16
            && !value.contains(char::is_whitespace)
            && TOKEN_STARTS.iter().any(|start| value.starts_with(start)))
        || has_url_password(value)
        || is_random(value)
}

/// Whether a value is a JSON Web Token: `eyJ….….…`
fn is_jwt(value: &str) -> bool {
    value.starts_with("eyJ") && value.len() > 40 && value.split('.').count() == 3
}

/// Whether a value is a URL with a password.
fn has_url_password(value: &str) -> bool {
    value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(login, _)| login.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// Whether a value is 24 characters or more of letters and digits that no person would write: mixed, with many digits
/// or many changes between lower and upper case. A UUID counts too.
fn is_random(value: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    if value.len() < 24 || !value.chars().all(is_token) || value.starts_with('/') {
        return false;
    }
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let letters = value.chars().filter(char::is_ascii_alphabetic).count();
    let pairs = value.as_bytes().windows(2);
    let changes = pairs.filter(|pair| class(pair[0]) != class(pair[1])).count();
    digits >= 4 && letters >= 4 && changes * 4 >= value.len()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    }
}

/// Whether a value is harmless although its name is a secret's: a switch, a small number, an empty text.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null"
        )
        || (value.len() <= 6 && value.chars().all(|c| c.is_ascii_digit()))
}

/// Whether a host is this machine, or a name that has a meaning only inside the manifest's own network.
pub(super) fn is_local_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let host = if host.matches(':').count() == 1 { host.split(':').next().unwrap_or(host) } else { host };
    host.is_empty()
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.rsplit('.').next() == Some("local")
        || host.ends_with(".internal") && host.starts_with("host.")
        || host.starts_with("127.")
        || host == "::1"
        || host == "0.0.0.0"
        || !host.contains(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_look() {
        for value in [
            "-----BEGIN RSA PRIVATE KEY-----\nMII",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "postgres://u:p@prod.example.com/x",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "d3b07384-d113-4ec6-a5d6-8c3f1f0b2a4e",
        ] {
            assert!(looks_secret(value), "{value}");
        }
    }

    #[test]
    fn ordinary_values_are_no_secrets() {
        for value in [
            "https://shop.example.com/path",
            "django.core.mail.backends.console.EmailBackend",
            "allowed-host-number-one,allowed-host-number-two",
            "untitled-note-app-production",
            "/usr/share/some/long/path/to/a/file12345",
            "production",
            "-Xms512m -Xmx512m -XX:MaxRAMPercentage=75.0",
            "user@example.com",
        ] {
            assert!(!looks_secret(value), "{value}");
        }
    }

    #[test]
    fn hosts_of_this_machine_and_single_names_are_local() {
        for host in ["localhost", "127.0.0.1", "db", "host.docker.internal", "localhost:9000", "[::1]"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in ["db.example.com", "10.0.0.5", "shop.abc123.eu-west-1.rds.amazonaws.com:5432"] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}

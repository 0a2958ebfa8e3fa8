//! Removes the used passwords from a server's messages: a server may repeat its input, in several forms.
//!
//! Every error of this module passes through here before it is returned, for every protocol.

use super::ProbeError;
use crate::kinds::base64;
use crate::model::{Endpoint, Secret, Wanted};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;

/// The replacement for a password.
const HIDDEN: &str = "…";
/// The number of characters that are enough to recognise a password that the end of a message cuts off.
const BEGINNING: usize = 3;
/// The characters that most encoders leave unchanged in a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The texts that must not be repeated.
#[derive(Clone, Default)]
pub(super) struct Used(Vec<String>);

impl Used {
    /// The passwords of these logins.
    pub(super) fn of<'a>(endpoints: impl IntoIterator<Item = &'a Endpoint>) -> Self {
        let mut used = Self::default();
        for endpoint in endpoints {
            used.add(endpoint.user.as_deref(), endpoint.password.as_ref());
        }
        used
    }

    /// Adds the passwords that are to be set.
    pub(super) fn and(mut self, wanted: &Wanted) -> Self {
        for user in &wanted.users {
            self.add(Some(&user.name), user.password.as_ref());
        }
        self
    }

    fn add(&mut self, user: Option<&str>, password: Option<&Secret>) {
        let Some(password) = password.map(Secret::reveal).filter(|password| !password.is_empty()) else { return };
        let user = user.unwrap_or_default();
        let percent = |set: &'static AsciiSet| utf8_percent_encode(password, set).to_string();
        let mut forms = vec![
            password.to_owned(),
            // The form in a message, where control characters are blanks.
            password.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect(),
            percent(UNRESERVED),
            percent(NON_ALPHANUMERIC),
            percent(UNRESERVED).replace("%20", "+"),
            password.replace('\'', "''"),
            password.replace('\\', "\\\\").replace('"', "\\\""),
            password.escape_debug().to_string(),
        ];
        forms.extend([percent(UNRESERVED), percent(NON_ALPHANUMERIC)].map(|form| lower_hex(&form)));
        for text in [password.to_owned(), format!("{user}:{password}"), format!("\0{user}\0{password}")] {
            let standard = base64(text.as_bytes());
            let url = standard.replace('+', "-").replace('/', "_");
            forms.extend([standard.trim_end_matches('=').to_owned(), url.trim_end_matches('=').to_owned()]);
        }
        let hex = password.bytes().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        forms.extend([hex.to_uppercase(), hex]);
        self.0.extend(forms);
        // The longest first: one form may contain another.
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
        self.0.dedup();
    }

    /// Returns the text without the passwords.
    pub(super) fn taken_out_of(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), HIDDEN);
            }
        }
        text
    }

    /// Returns the error without the passwords, also if its message was cut off within a password.
    pub(super) fn redact(&self, error: ProbeError) -> ProbeError {
        let cut = error.is_cut();
        let ProbeError { fault, message } = error;
        let mut message = self.taken_out_of(&message);
        let ends_with_beginning = |form: &String| {
            let ends = form.char_indices().map(|(at, _)| at).skip(BEGINNING);
            ends.filter(|end| message.ends_with(&form[..*end])).max()
        };
        if cut && let Some(length) = self.0.iter().filter_map(ends_with_beginning).max() {
            message.truncate(message.len() - length);
            message.push_str(HIDDEN);
        }
        ProbeError { fault, message }
    }
}

/// Returns `%3a` for `%3A`.
fn lower_hex(text: &str) -> String {
    let mut left = 0_u8;
    let lower = |letter: char| {
        if letter == '%' {
            left = 2;
            return letter;
        }
        let is_hex = left > 0;
        left = left.saturating_sub(1);
        if is_hex { letter.to_ascii_lowercase() } else { letter }
    };
    text.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::model::Protocol;
    use crate::protocol::peer::{Peer, endpoint_of};
    use crate::protocol::{Target, facts, prove};

    fn with_login(endpoint: Endpoint, password: &str) -> Endpoint {
        Endpoint { user: Some("app".to_owned()), password: Some(Secret::new(password)), ..endpoint }
    }

    async fn used(password: &str) -> Used {
        Used::of([&with_login(crate::protocol::peer::nobody().await, password)])
    }

    #[tokio::test]
    async fn every_form_of_a_password_is_taken_out() {
        let password = "p@ss w/ord'\"\\é";
        let used = used(password).await;
        for form in [
            password,
            "p%40ss%20w%2Ford%27%22%5C%C3%A9",
            "p%40ss%20w%2ford%27%22%5c%c3%a9",
            "p%40ss+w%2Ford%27%22%5C%C3%A9",
            "p@ss w/ord''\"\\é",
            "p@ss w/ord'\\\"\\\\é",
            base64(password.as_bytes()).as_str(),
            base64(format!("app:{password}").as_bytes()).as_str(),
            base64(format!("\0app\0{password}").as_bytes()).as_str(),
            "704073732077",
        ] {
            let said = used.taken_out_of(&format!("near <{form}> and on"));
            let hex = form == "704073732077";
            assert!(hex || said.starts_with("near <…") && said.ends_with("> and on"), "{form}: {said}");
        }
        assert_eq!(used.taken_out_of("nothing of it"), "nothing of it");
    }

    #[tokio::test]
    async fn a_password_that_the_message_s_end_cuts_off_is_taken_out_too() {
        let used = used("correct-horse").await;
        let error = used.redact(ProbeError::other(format!("{}correct-horse", "x".repeat(293))));
        assert!(error.message.ends_with("x…"), "{}", error.message);
        let error = used.redact(ProbeError::other("correct is not that: cor"));
        assert_eq!(error.message, "correct is not that: cor");
    }

    /// A server of each protocol that repeats its input, surrounded by escape sequences.
    #[tokio::test]
    async fn no_server_gets_the_password_or_an_escape_sequence_into_a_message() {
        const ECHO: &str = "\u{1b}]0;x\u{7}\u{202e}correct-horse correct%2Dhorse Y29ycmVjdC1ob3JzZQ \u{9b}31m";
        let postgres = {
            let body = format!("SFATAL\0VFATAL\0C28P01\0M{ECHO}\0D{ECHO}\0\0");
            [&b"E"[..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body.as_bytes()].concat()
        };
        let mysql = {
            let body = [&b"\xff\x15\x04#28000"[..], ECHO.as_bytes()].concat();
            [&[u8::try_from(body.len()).unwrap(), 0, 0, 0][..], &body].concat()
        };
        let amqp = {
            let mut arguments = vec![0, 10, 0, 50, 1, 147, u8::try_from(ECHO.len()).unwrap()];
            arguments.extend_from_slice(ECHO.as_bytes());
            arguments.extend([0, 0, 0, 0]);
            let length = u32::try_from(arguments.len()).unwrap().to_be_bytes();
            [&[1, 0, 0][..], &length, &arguments, &[0xce]].concat()
        };
        for (protocol, scheme, answer) in [
            (Protocol::Postgres, "postgres", postgres),
            (Protocol::Mysql, "mysql", mysql),
            (Protocol::Redis, "redis", format!("-WRONGPASS {ECHO}\r\n").into_bytes()),
            (Protocol::Amqp, "amqp", amqp),
            (Protocol::Memcached, "memcached", format!("SERVER_ERROR {ECHO}\r\n").into_bytes()),
            (Protocol::Http, "", format!("HTTP/1.1 401 {ECHO}\r\n\r\n").into_bytes()),
        ] {
            let peer = Peer::answers(&answer).await;
            let endpoint = with_login(endpoint_of(&peer), "correct-horse");
            let mut errors = vec![prove(protocol, &endpoint).await.unwrap_err()];
            if !scheme.is_empty() {
                let words = if scheme == "postgres" { "?sslmode=disable" } else { "" };
                let url = format!("{scheme}://app:correct-horse@127.0.0.1:{}/x{words}", endpoint.port);
                let target = Target::parse(&url, &Kinds::built_in().unwrap()).unwrap().1;
                errors.push(facts(&target).await.unwrap_err());
            }
            for error in errors {
                assert!(error.message.contains(HIDDEN), "{protocol:?}: {error:?}");
                for form in ["correct-horse", "correct%2Dhorse", "Y29ycmVjdC1ob3JzZQ", "\u{1b}", "\u{202e}", "\u{9b}"] {
                    assert!(!error.message.contains(form), "{protocol:?} {form:?}: {error:?}");
                }
            }
        }
    }
}

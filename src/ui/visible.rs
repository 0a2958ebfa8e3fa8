//! Makes visible what a terminal would obey, and hides passwords in lines of source.
//!
//! A manifest is somebody else's text, and a server's message may quote it: neither may move the cursor, change colours
//! or turn the reading direction.

use std::borrow::Cow;

/// The text with every control character as a visible one; line feeds and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unseen) {
        Cow::Owned(text.chars().map(|c| if is_unseen(c) { picture(c) } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same for text that must stay on one line.
pub(super) fn one_line(text: &str) -> String {
    visible(text).chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect()
}

fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

/// One character for one, so that columns hold.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'),
        0x7f => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// Stands for each character of a hidden password.
const HIDDEN: char = '•';

/// A line of source with its passwords hidden, character for character: the one of a URL, and the value of a key that
/// is called a password, secret or token. A reference (`${DB_PASSWORD}`) stays.
pub(super) fn without_passwords(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    for (from, to) in url_passwords(&chars).into_iter().chain(named_password(&chars)) {
        if !matches!(chars.get(from), Some('$' | '{' | '[' | '|' | '>' | '&' | '*')) {
            chars[from..to].fill(HIDDEN);
        }
    }
    chars.into_iter().collect()
}

/// Where the passwords of `scheme://user:password@host` lie.
fn url_passwords(chars: &[char]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(slashes) = chars[from..].windows(3).position(|three| three == [':', '/', '/']) {
        let start = from + slashes + 3;
        let ends = |c: &char| c.is_whitespace() || "/\"'`<>?#".contains(*c);
        let end = chars[start..].iter().position(ends).map_or(chars.len(), |length| start + length);
        if let Some(at) = chars[start..end].iter().rposition(|c| *c == '@')
            && let Some(colon) = chars[start..start + at].iter().position(|c| *c == ':')
        {
            found.push((start + colon + 1, start + at));
        }
        from = start;
    }
    found
}

/// Where the value lies of a key such as `POSTGRES_PASSWORD`.
fn named_password(chars: &[char]) -> Option<(usize, usize)> {
    let assigns = chars.iter().position(|c| matches!(c, ':' | '='))?;
    let key: String = chars[..assigns].iter().collect();
    let key = key.trim().trim_matches(['"', '\'', '-', ' ']).to_ascii_lowercase();
    let hides = ["password", "passwd", "_pass", "secret", "token", "requirepass", "_secret_key", "api_key"];
    if !hides.iter().any(|word| key.ends_with(word)) {
        return None;
    }
    let blank = |c: &char| c.is_whitespace() || matches!(c, '"' | '\'');
    let from = assigns + 1 + chars[assigns + 1..].iter().position(|c| !blank(c))?;
    let to = from + chars[from..].iter().rposition(|c| !blank(c))? + 1;
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(visible("a\u{1b}[31mb\u{9b}\u{7f}\r\n\tc\u{202e}"), "a␛[31mb\u{fffd}␡␍\n\tc\u{fffd}");
        assert_eq!(one_line("a\nb\tc"), "a b c");
    }

    #[test]
    fn passwords_are_hidden_and_columns_hold() {
        for (line, shown) in [
            ("  URL: postgres://app:hush@db:5432/x", "  URL: postgres://app:••••@db:5432/x"),
            ("  URL: \"amqp://a:b@c@q/\" # amqp://a:b@x", "  URL: \"amqp://a:•••@q/\" # amqp://a:•@x"),
            ("  URL: postgres://app:${PW}@db", "  URL: postgres://app:${PW}@db"),
            ("  POSTGRES_PASSWORD: hush", "  POSTGRES_PASSWORD: ••••"),
            ("  - \"REDIS_PASSWORD=hush\"", "  - \"REDIS_PASSWORD=••••\""),
            ("  POSTGRES_PASSWORD: ${PW}", "  POSTGRES_PASSWORD: ${PW}"),
            ("  image: postgres:16", "  image: postgres:16"),
            ("  password:", "  password:"),
        ] {
            assert_eq!(without_passwords(line), shown);
        }
    }
}

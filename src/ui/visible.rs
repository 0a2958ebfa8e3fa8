//! Makes characters visible that a terminal would obey, and hides passwords in lines of source.
//!
//! The text of a manifest is not trusted, and a server's message may quote it: neither of them may move the cursor,
//! change colours or turn the reading direction.

use super::paint::MARK;
use std::borrow::Cow;

/// Returns the text with every control character made visible; line feeds and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unseen) {
        Cow::Owned(text.chars().map(|c| if is_unseen(c) { picture(c) } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same, but sequences that set colours pass, whoever wrote them: for a service's log.
pub(super) fn colored(text: &str) -> Cow<'_, str> {
    passing(text, |rest| color_sequence(rest).map(|length| (length, 0)))
}

/// The same, but sequences that carry this process' mark pass, without the mark.
pub(super) fn painted(text: &str) -> Cow<'_, str> {
    let mark = MARK.as_str();
    passing(text, |rest| {
        let codes = rest.strip_prefix("\u{1b}[")?;
        let length = codes.find(|c: char| !c.is_ascii_digit())?;
        codes[length..].strip_prefix(mark)?.strip_prefix('m')?;
        Some((2 + length + mark.len() + 1, mark.len()))
    })
}

/// Makes every control character visible that does not pass. `passes` returns the length of the sequence at the
/// beginning of a text, if it passes, and the number of bytes to drop before its last byte.
fn passing(text: &str, passes: impl Fn(&str) -> Option<(usize, usize)>) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = if let Some((length, dropped)) = passes(rest) {
            shown.push_str(&rest[..length - 1 - dropped]);
            shown.push_str(&rest[length - 1..length]);
            length
        } else {
            let length = letter.len_utf8();
            shown.push_str(&visible(&rest[..length]));
            length
        };
        rest = &rest[length..];
    }
    Cow::Owned(shown)
}

/// The length of the sequence at the beginning of the text, if it sets colours and weights and hides nothing (ECMA-48,
/// `SGR`).
fn color_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    let codes = &parameters[..end];
    let mut codes = codes.split(';').map(|code| code.trim_start_matches('0'));
    while let Some(code) = codes.next() {
        match (code, code.len()) {
            ("8", _) | (_, 4..) => return None,
            // The numbers of a colour follow: one number, or three.
            ("38" | "48", _) => {
                let numbers = if codes.next()? == "5" { 1 } else { 3 };
                codes.nth(numbers - 1)?;
            }
            _ => {}
        }
    }
    (parameters[end..].starts_with('m')).then_some(2 + end + 1)
}

/// JSON for a program: invisible characters are written by their numbers, which mean the same.
pub(super) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_unseen) {
        return Cow::Borrowed(json);
    }
    let written = |c: char| if is_unseen(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(json.chars().map(written).collect())
}

/// The same as [`visible`] for text that must stay on one line.
pub(super) fn one_line(text: &str) -> String {
    visible(text).chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect()
}

fn is_unseen(c: char) -> bool {
    // Marks that turn the reading direction, and the separators of lines and paragraphs.
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{61c}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

/// Replaces one character by one character, so that columns stay aligned.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or('\u{fffd}'),
        0x7f => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// The replacement for each character of a hidden password.
const HIDDEN: char = '•';

/// Returns a line of source with its passwords hidden, character for character: the password in a URL, and the value of
/// a key that is called a password, secret or token. A reference (`${DB_PASSWORD}`) stays.
pub(super) fn without_passwords(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    for (from, to) in url_passwords(&chars).into_iter().chain(named_password(&chars)) {
        if !matches!(chars.get(from), Some('$' | '{' | '[' | '|' | '>' | '&' | '*')) {
            chars[from..to].fill(HIDDEN);
        }
    }
    chars.into_iter().collect()
}

/// The positions of the passwords in `scheme://user:password@host`.
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

/// The position of the value of a key such as `POSTGRES_PASSWORD`.
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
    fn of_escape_sequences_only_those_pass_that_set_colours() {
        for passes in
            ["\u{1b}[31mred\u{1b}[0m", "\u{1b}[m", "\u{1b}[1;38;5;8mgrey", "\u{1b}[38;2;8;8;8mdark\u{1b}[39;49m"]
        {
            assert_eq!(colored(passes), passes);
        }
        for (text, shown) in [
            ("\u{1b}[2Jx", "␛[2Jx"),
            ("\u{1b}[8mhidden\u{1b}[0m", "␛[8mhidden\u{1b}[0m"),
            ("\u{1b}[1;08mx", "␛[1;08mx"),
            ("\u{1b}]8;;http://x\u{7}x", "␛]8;;http://x␇x"),
            ("\u{1b}]52;c;eA==\u{1b}\\", "␛]52;c;eA==␛\\"),
            ("\u{1b}[31", "␛[31"),
            ("\u{1b}[?25lx", "␛[?25lx"),
            ("\u{1b}[38m", "␛[38m"),
            ("a\rb\u{8}\u{9b}31m\u{202e}\u{2066}\u{2028}", "a␍b␈\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(colored(text), shown, "{text:?}");
        }
    }

    #[test]
    fn json_with_invisible_characters_escaped_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": "x\u{202e}\u{7f}\n"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let written = escaped(&text);
        assert!(written.contains("\\u202e\\u007f\\n") && written.contains("a\\u009b"), "{written}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), value);
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

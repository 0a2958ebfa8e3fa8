//! Quotes names and texts for SQL.

/// The number of bytes of a name that a server keeps: `NAMEDATALEN - 1`.
const MAX_NAME_LENGTH: usize = 63;

/// Returns a name as the server keeps it: cut at 63 bytes, never inside a character.
pub(super) fn kept(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME_LENGTH);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// A quoted identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", kept(name).replace('"', "\"\""))
}

/// A string constant with the same meaning for every value of `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { " E" } else { "" };
    format!("{escape}'{}'", text.replace('\'', "''").replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_quotes_upper_case_and_unicode_stays_itself() {
        assert_eq!(identifier("Shop"), "\"Shop\"");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(identifier("größe; drop"), "\"größe; drop\"");
    }

    #[test]
    fn a_long_name_is_cut_where_the_server_cuts_it() {
        assert_eq!(kept(&"a".repeat(70)).len(), 63);
        assert_eq!(kept(&"é".repeat(40)), "é".repeat(31));
        assert_eq!(kept("short"), "short");
    }

    #[test]
    fn a_text_cannot_end_its_constant() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("back\\'slash"), " E'back\\\\''slash'");
    }
}

//! Quotes names and texts for SQL, in a session whose `sql_mode` devenv sets (backslashes escape, double quotes quote).

/// A quoted identifier.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string constant.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A login: its name, and the host from which it may connect.
pub(super) fn account(name: &str, host: &str) -> String {
    format!("{}@{}", literal(name), literal(host))
}

/// A database in a grant, where `_` and `%` would otherwise stand for other characters.
pub(super) fn granted(database: &str) -> String {
    identifier(&database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%"))
}

/// The database that a grant names, with the escapes of [`granted`] or without escapes.
pub(super) fn ungranted(pattern: &str) -> String {
    let mut name = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        name.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_or_text_ends_its_quotes() {
        assert_eq!(identifier("a`b; drop"), "`a``b; drop`");
        assert_eq!(literal("it's \\"), "'it\\'s \\\\'");
        assert_eq!(account("app", "%"), "'app'@'%'");
    }

    #[test]
    fn a_grant_is_on_one_database_alone() {
        assert_eq!(granted("shop_x%"), "`shop\\_x\\%`");
        for name in ["shop", "shop_x", "100%", "back\\slash", "größe"] {
            let pattern = granted(name);
            assert_eq!(ungranted(pattern.trim_matches('`')), name);
        }
        assert_eq!(ungranted("shop_x"), "shop_x");
    }
}

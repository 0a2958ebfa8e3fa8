//! Assignments of literals in Ruby settings (`config.cache_store = :memory_store`).

use crate::manifest::read::place::place;
use crate::model::{Located, SourceFile};
use std::sync::Arc;

/// The values that a file assigns to a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Assigned {
    /// Names (`memory_store`), each with the place of the written value.
    pub(super) literals: Vec<Located<String>>,
    /// Whether the file has another assignment that is no plain literal: an expression, or a condition on its line.
    pub(super) has_more: bool,
}

/// Every assignment to a setting: a symbol or a string, with or without options after it.
pub(super) fn assigned(source: &Arc<SourceFile>, setting: &str) -> Assigned {
    let mut found = Assigned::default();
    let mut in_comment = false;
    for line in source.text.lines() {
        match line.split_whitespace().next() {
            Some("=begin") => in_comment = true,
            Some("=end") => in_comment = false,
            // Data follows.
            Some("__END__") => break,
            _ => {}
        }
        if in_comment {
            continue;
        }
        let Some(rest) = line.trim_start().strip_prefix(setting) else { continue };
        let Some(value) = rest.trim_start().strip_prefix('=').filter(|rest| !rest.starts_with(['=', '~', '>'])) else {
            continue;
        };
        match literal(value.trim()) {
            Some(name) => found.literals.push(Located::new(name.to_owned(), place(source, name))),
            None => found.has_more = true,
        }
    }
    found
}

/// The name in `:name`, `"name"` or `'name'`, if only options or a comment follow.
fn literal(value: &str) -> Option<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, rest) = if let Some(rest) = value.strip_prefix(':') {
        rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()))
    } else {
        let quote = ['"', '\''].into_iter().find(|quote| value.starts_with(*quote))?;
        value[1..].split_once(quote)?
    };
    let rest = rest.trim();
    let is_plain = !name.is_empty() && name.chars().all(is_name);
    (is_plain && (rest.is_empty() || rest.starts_with([',', '#']))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, bool) {
        let source = Arc::new(SourceFile { path: "development.rb".into(), text: text.to_owned() });
        let found = assigned(&source, "config.cache_store");
        (found.literals.iter().map(|it| format!("{} {}", it.value, it.origin.line)).collect(), found.has_more)
    }

    #[test]
    fn literals_are_read_with_their_lines() {
        let text = "  config.cache_store = :memory_store, { size: 64.megabytes } # here\n  config.cache_store = \"null_store\"\n";
        assert_eq!(read(text), (vec!["memory_store 1".to_owned(), "null_store 2".to_owned()], false));
    }

    #[test]
    fn a_look_alike_is_no_assignment() {
        for text in [
            "# config.cache_store = :memory_store\n",
            "=begin\nconfig.cache_store = :memory_store\n=end\n",
            "config.cache_store == :memory_store\n",
            "config.cache_store_options = :memory_store\n",
            "puts \"config.cache_store = :memory_store\"\n",
            "__END__\nconfig.cache_store = :memory_store\n",
        ] {
            assert_eq!(read(text), (vec![], false), "{text}");
        }
        for text in [
            "config.cache_store = ENV[\"REDIS_URL\"] ? :redis_cache_store : :memory_store\n",
            "config.cache_store = :memory_store unless ENV[\"REDIS_URL\"]\n",
            "config.cache_store = ENV.fetch(\"CACHE\", \"memory_store\").to_sym\n",
        ] {
            assert_eq!(read(text), (vec![], true), "{text}");
        }
    }
}

//! Compose's interpolation of one scalar: `${X:-d}`, `${X-d}`, `${X:?m}`, `${X?m}`, `${X:+r}`, `${X+r}`, `$X`, `$$`.
//!
//! Interpolation never fails because a variable is not set: the variables that are not set are part of the result,
//! because only the reader of the value knows whether they matter.

use crate::project::{Budget, Resource};
use std::ops::Range;

/// A scalar after interpolation, with the variables that its parts came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interpolated {
    /// The text with variables replaced; a variable that is not set is replaced by nothing.
    pub(crate) text: String,
    /// Which bytes of `text` came from which variable (defaults included), in order.
    pub(crate) spans: Vec<Span>,
    /// Variables that were needed and are not set, in order.
    pub(crate) unset: Vec<Unset>,
}

/// A part of an interpolated text that a variable decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Bytes of the text; empty if nothing was put in.
    pub(crate) range: Range<usize>,
    /// The variable's name.
    pub(crate) variable: String,
}

/// A variable without value or default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unset {
    /// Its name.
    pub(crate) name: String,
    /// The message of `${X:?message}`; `None` for a plain `${X}`.
    pub(crate) required: Option<String>,
}

/// A `${` that is no interpolation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Byte offset of the `$` in the scalar.
    pub(crate) at: usize,
    /// The mistake.
    pub(crate) message: String,
}

impl Interpolated {
    /// A text without variables.
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The one variable that the whole text came from.
    pub(crate) fn sole_variable(&self) -> Option<&str> {
        match self.spans.as_slice() {
            [span] if span.range == (0..self.text.len()) => Some(&span.variable),
            _ => None,
        }
    }

    /// The one variable that these bytes of the text came from.
    pub(crate) fn variable_of(&self, range: &Range<usize>) -> Option<&str> {
        self.spans.iter().find(|span| span.range == *range).map(|span| span.variable.as_str())
    }

    /// Every variable that took part, each once.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for span in &self.spans {
            if !names.contains(&span.variable.as_str()) {
                names.push(&span.variable);
            }
        }
        names
    }

    /// A part of the text, with the spans inside the part moved to their new positions.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let spans = self
            .spans
            .iter()
            .filter(|span| span.range.start >= range.start && span.range.end <= range.end)
            .map(|span| Span {
                range: span.range.start - range.start..span.range.end - range.start,
                variable: span.variable.clone(),
            })
            .collect::<Vec<_>>();
        let unset =
            self.unset.iter().filter(|unset| spans.iter().any(|span| span.variable == unset.name)).cloned().collect();
        Self { text: self.text.get(range).unwrap_or_default().to_owned(), spans, unset }
    }
}

/// How deep defaults may nest. Deeper defaults are malformed, so that no file can exhaust the stack.
const MAX_DEPTH: usize = 50;

/// The values of variables, and the budget for putting them in.
struct Replacing<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    budget: &'a Budget,
}

impl Replacing<'_> {
    /// Appends a variable's value, if the budget allows it.
    fn put(&self, text: &mut String, value: &str) -> Result<(), Malformed> {
        if !self.budget.spend(Resource::Expanded, value.len()) {
            return Err(malformed(0, "its variables expand to more than is read"));
        }
        text.push_str(value);
        Ok(())
    }
}

/// Replaces the variables of one scalar by the values that `lookup` returns. The length of these values is taken from
/// the budget; the caller reports the place at which the budget was exceeded ([`Budget::blame`]).
pub(crate) fn interpolate(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    budget: &Budget,
) -> Result<Interpolated, Malformed> {
    let mut result = Interpolated::default();
    into(&mut result, text, &Replacing { lookup, budget }, MAX_DEPTH)?;
    Ok(result)
}

fn into(result: &mut Interpolated, text: &str, replacing: &Replacing<'_>, depth: usize) -> Result<(), Malformed> {
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let dollar = at + found;
        result.text.push_str(&text[at..dollar]);
        let rest = &text[dollar + 1..];
        if rest.starts_with('$') {
            result.text.push('$');
            at = dollar + 2;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some(end) = closing_brace(inside) else {
                return Err(malformed(dollar, "the `${` is never closed by a `}`"));
            };
            if depth == 0 {
                return Err(malformed(dollar, "defaults nest too deeply"));
            }
            braced(result, &inside[..end], replacing, depth)
                .map_err(|error| Malformed { at: dollar + 2 + error.at, ..error })?;
            at = dollar + 2 + end + 1;
        } else {
            let name = &rest[..name_length(rest)];
            if name.is_empty() {
                // Compose does not change a dollar that begins no variable: `$(date)`.
                result.text.push('$');
            } else {
                plain(result, name, replacing).map_err(|error| Malformed { at: dollar, ..error })?;
            }
            at = dollar + 1 + name.len();
        }
    }
    result.text.push_str(&text[at..]);
    Ok(())
}

/// `NAME`, or `NAME` with an operator and a word.
fn braced(result: &mut Interpolated, inside: &str, replacing: &Replacing<'_>, depth: usize) -> Result<(), Malformed> {
    let name = &inside[..name_length(inside)];
    if name.is_empty() {
        return Err(malformed(0, "no variable's name follows `${`: it starts with a letter or `_`"));
    }
    let rest = &inside[name.len()..];
    if rest.is_empty() {
        return plain(result, name, replacing);
    }
    let (empty_counts, operator) = match rest.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, rest),
    };
    let value = (replacing.lookup)(name).filter(|value| !(empty_counts && value.is_empty()));
    let word = |offset: usize| (&operator[offset.min(operator.len())..], inside.len() - operator.len() + offset);
    let (start, spans) = (result.text.len(), result.spans.len());
    match (operator.chars().next(), value) {
        (Some('-' | '?'), Some(value)) => replacing.put(&mut result.text, &value)?,
        (Some('-'), None) | (Some('+'), Some(_)) => {
            let (word, offset) = word(1);
            into(result, word, replacing, depth - 1).map_err(|error| Malformed { at: offset + error.at, ..error })?;
        }
        (Some('+'), None) => {}
        (Some('?'), None) => {
            let message = word(1).0.to_owned();
            result.unset.push(Unset { name: name.to_owned(), required: Some(message) });
        }
        _ => {
            return Err(malformed(
                name.len(),
                &format!("`{rest}` after the name `{name}` is none of `:-`, `-`, `:?`, `?`, `:+`, `+`"),
            ));
        }
    }
    // The span belongs to the outer variable, even if its default names further variables.
    result.spans.truncate(spans);
    result.spans.push(Span { range: start..result.text.len(), variable: name.to_owned() });
    Ok(())
}

fn plain(result: &mut Interpolated, name: &str, replacing: &Replacing<'_>) -> Result<(), Malformed> {
    let start = result.text.len();
    match (replacing.lookup)(name) {
        Some(value) => replacing.put(&mut result.text, &value)?,
        None => result.unset.push(Unset { name: name.to_owned(), required: None }),
    }
    result.spans.push(Span { range: start..result.text.len(), variable: name.to_owned() });
    Ok(())
}

fn malformed(at: usize, message: &str) -> Malformed {
    Malformed { at, message: message.to_owned() }
}

/// The offset of the brace that closes a `${` before the text.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// How many bytes at the beginning of the text are a variable's name: a letter or `_`, then letters, digits and `_`.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn text(template: &str) -> String {
        interpolate(template, &lookup, &Budget::default()).unwrap().text
    }

    #[test]
    fn every_operator_does_what_compose_says() {
        for (template, expected) in [
            ("a${SET}b", "avalueb"),
            ("$SET.x", "value.x"),
            ("${UNSET:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${UNSET-d}", "d"),
            ("${SET:-d}", "value"),
            ("${SET:?m}", "value"),
            ("${SET:+r}", "r"),
            ("${EMPTY:+r}", ""),
            ("${EMPTY+r}", "r"),
            ("${UNSET+r}", ""),
            ("${UNSET:-${SET}}", "value"),
            ("${UNSET:-${ALSO:-deep}-x}", "deep-x"),
            ("${UNSET:--Xms1g -Xmx1g}", "-Xms1g -Xmx1g"),
            ("${UNSET:-{}}", "{}"),
            ("$$SET and $${SET}", "$SET and ${SET}"),
            ("$(date) 5$ $1", "$(date) 5$ $1"),
            ("${UNSET}", ""),
            ("ü${SET}ß", "üvalueß"),
        ] {
            assert_eq!(text(template), expected, "{template}");
        }
    }

    #[test]
    fn variables_that_are_not_set_are_found_with_the_messages_of_required_ones() {
        let result = interpolate("${A}-${B:?set B}-${C:-${D}}", &lookup, &Budget::default()).unwrap();
        assert_eq!(result.text, "--");
        let names: Vec<_> = result.unset.iter().map(|unset| (unset.name.as_str(), unset.required.as_deref())).collect();
        assert_eq!(names, [("A", None), ("B", Some("set B")), ("D", None)]);
    }

    #[test]
    fn a_required_variable_that_is_empty_counts_as_missing_only_with_the_colon() {
        assert_eq!(interpolate("${EMPTY:?m}", &lookup, &Budget::default()).unwrap().unset.len(), 1);
        assert!(interpolate("${EMPTY?m}", &lookup, &Budget::default()).unwrap().unset.is_empty());
    }

    #[test]
    fn the_parts_of_a_text_remember_their_variable() {
        let result = interpolate("postgres://u:${UNSET}@db/${SET:-x}", &lookup, &Budget::default()).unwrap();
        assert_eq!(result.text, "postgres://u:@db/value");
        assert_eq!(result.variable_of(&(13..13)), Some("UNSET"));
        assert_eq!(result.variable_of(&(17..22)), Some("SET"));
        assert_eq!(result.sole_variable(), None);
        assert_eq!(interpolate("${SET:-y}", &lookup, &Budget::default()).unwrap().sole_variable(), Some("SET"));
    }

    #[test]
    fn the_values_of_variables_are_taken_from_the_budget_and_refused_when_it_is_exceeded() {
        let budget = Budget::default();
        interpolate("a $SET ${SET:-x} ${UNSET:-default}", &lookup, &budget).unwrap();
        assert_eq!(budget.spent().of(Resource::Expanded), 10);
        budget.spend(Resource::Expanded, budget.left(Resource::Expanded));
        assert!(interpolate("plain ${UNSET:-default}", &lookup, &budget).is_ok());
        assert!(interpolate("b ${SET}", &lookup, &budget).is_err());
    }

    #[test]
    fn a_malformed_brace_is_reported_with_its_place() {
        for (template, at) in [("ab${SET", 2), ("${}", 2), ("${1X}", 2), ("x${SET!y}", 6), ("${UNSET:-${}}", 11)] {
            assert_eq!(interpolate(template, &lookup, &Budget::default()).unwrap_err().at, at, "{template}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let template = format!("{}x{}", "${U:-".repeat(5000), "}".repeat(5000));
        assert!(interpolate(&template, &lookup, &Budget::default()).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(template in "[${}:?+A-Eü \\-]{0,40}") {
            if let Ok(result) = interpolate(&template, &lookup, &Budget::default()) {
                for span in &result.spans {
                    prop_assert!(result.text.get(span.range.clone()).is_some());
                }
            }
        }

        #[test]
        fn a_text_without_a_dollar_stays_as_it_is(template in "[^$]{0,40}") {
            prop_assert_eq!(text(&template), template);
        }
    }
}

//! The versions of a language or tool that a file asks for.
//!
//! Every notation (`3.12`, `^18 || ^20`, `~> 3.2.0`, `>=3.10,<3.13`) is converted to spans of versions, so that files
//! of different ecosystems can be compared with each other and with a machine's tools. A text that devenv does not
//! understand is not a requirement.

use std::cmp::Ordering;

/// A set of versions; each of them satisfies the requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The text in the file.
    pub text: String,
    spans: Vec<Span>,
}

/// The meaning of `~1.2`, which differs between ecosystems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tilde {
    /// Every 1.2: npm, Poetry.
    Minor,
    /// From 1.2 up to, but not including, 2 (`~1.2.3`: up to 1.3): Composer, and `~>` and `~=` in every ecosystem.
    Last,
}

/// The versions from `from`, inclusive, to `below`, exclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Span {
    from: Vec<u64>,
    below: Option<Vec<u64>>,
    /// Release lines within the span that are excluded.
    except: Vec<Vec<u64>>,
}

impl Requirement {
    /// One release, or every release with the same first numbers: `3.12.4`, `v20`, `3.x`, `1.16.1-otp-26` (suffixes do
    /// not count).
    pub fn release(text: &str) -> Option<Self> {
        let numbers = numbers(text)?;
        (!numbers.is_empty()).then(|| Self { text: text.to_owned(), spans: vec![Span::of(numbers)] })
    }

    /// This release or a later release, which is the meaning of `go.mod` and `rust-version`.
    pub fn at_least(text: &str) -> Option<Self> {
        let from = numbers(text).filter(|numbers| !numbers.is_empty())?;
        Some(Self { text: text.to_owned(), spans: vec![Span { from, ..Span::default() }] })
    }

    /// A range in the notations of npm, Composer, `RubyGems`, Mix, Poetry and Python's own (PEP 440). A bare version
    /// asks for every release with the same first numbers.
    pub fn range(text: &str, tilde: Tilde) -> Option<Self> {
        let text = text.trim();
        let alternatives = text.split("||").flat_map(|one| one.split('|')).flat_map(|one| one.split(" or "));
        let spans: Vec<Span> = alternatives.map(|one| span(one, tilde)).collect::<Option<_>>()?;
        Some(Self { text: text.to_owned(), spans })
    }

    /// The distance between the nearest versions of two requirements: the position of the first number that differs, 0
    /// for the major number. None if some version satisfies both.
    pub fn apart(&self, other: &Self) -> Option<usize> {
        let pairs = self.spans.iter().flat_map(|one| other.spans.iter().map(move |another| one.apart(another)));
        // In the nearest pair, the first different number has the last position; a pair that overlaps is the nearest.
        pairs.max_by_key(|apart| apart.unwrap_or(usize::MAX)).flatten()
    }
}

impl Span {
    /// Every release that begins with these numbers.
    fn of(numbers: Vec<u64>) -> Self {
        Self { below: Some(next(&numbers)), from: numbers, except: Vec::new() }
    }

    fn raise(&mut self, from: Vec<u64>) {
        if compare(&from, &self.from) == Ordering::Greater {
            self.from = from;
        }
    }

    fn lower(&mut self, below: Vec<u64>) {
        if self.below.as_ref().is_none_or(|known| compare(&below, known) == Ordering::Less) {
            self.below = Some(below);
        }
    }

    fn apart(&self, other: &Self) -> Option<usize> {
        let (low, high) =
            if compare(&self.from, &other.from) == Ordering::Greater { (other, self) } else { (self, other) };
        if let Some(below) = &low.below
            && compare(below, &high.from) != Ordering::Greater
        {
            return Some(first_difference(&last_before(below), &high.from));
        }
        // The spans overlap, but possibly only in versions that one of them excludes.
        let excluded = [(low, high), (high, low)].into_iter().find_map(|(one, another)| {
            let within = |except: &&Vec<u64>| {
                compare(&another.from, except) != Ordering::Less
                    && another.below.as_ref().is_some_and(|below| compare(below, &next(except)) != Ordering::Greater)
            };
            one.except.iter().find(within)
        });
        excluded.map(|except| except.len() - 1)
    }
}

/// One alternative: comparisons that must all hold.
fn span(text: &str, tilde: Tilde) -> Option<Span> {
    let mut span = Span::default();
    let mut rest = text.trim();
    let mut any = false;
    while !rest.is_empty() {
        rest = rest.strip_prefix("and ").unwrap_or(rest).trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let operator_end = rest.find(|c| !"<>=!~^".contains(c)).unwrap_or(rest.len());
        let (operator, after) = rest.split_at(operator_end);
        let after = after.trim_start();
        let end = after.find([' ', '\t', ',', '<', '>', '=', '!', '^', '~']).unwrap_or(after.len());
        let (version, after) = after.split_at(end);
        let after = after.trim_start();
        let numbers = numbers(version)?;
        any = true;
        if let Some(last) = after.strip_prefix("- ").filter(|_| operator.is_empty()) {
            let (last, after) = last.trim_start().split_once(' ').unwrap_or((last.trim(), ""));
            span.raise(numbers);
            span.lower(next(&self::numbers(last).filter(|numbers| !numbers.is_empty())?));
            rest = after;
            continue;
        }
        rest = after;
        if numbers.is_empty() {
            // `*`: anything.
            continue;
        }
        match (operator, tilde) {
            (">=", _) => span.raise(numbers),
            (">", _) => span.raise(next(&numbers)),
            ("<", _) => span.lower(numbers),
            ("<=", _) => span.lower(next(&numbers)),
            ("!=", _) => span.except.push(numbers),
            ("" | "=" | "==" | "===", _) => {
                span.lower(next(&numbers));
                span.raise(numbers);
            }
            ("^", _) => {
                let significant = numbers.iter().position(|number| *number != 0).unwrap_or(numbers.len() - 1);
                span.lower(next(&numbers[..=significant]));
                span.raise(numbers);
            }
            ("~", Tilde::Minor) => {
                span.lower(next(&numbers[..numbers.len().min(2)]));
                span.raise(numbers);
            }
            ("~" | "~>" | "~=", _) => {
                span.lower(next(&numbers[..(numbers.len() - 1).max(1)]));
                span.raise(numbers);
            }
            _ => return None,
        }
    }
    any.then_some(span)
}

/// The numbers between the dots, up to the first part that is not a number; empty for `*`; none if the text is not a
/// version.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if matches!(text, "*" | "x" | "X") {
        return Some(Vec::new());
    }
    let mut numbers = Vec::new();
    for part in text.split('.') {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part[..digits].parse() {
            Ok(number) => numbers.push(number),
            Err(_) if numbers.is_empty() => return None,
            Err(_) => break,
        }
        if digits < part.len() {
            break;
        }
    }
    Some(numbers)
}

/// The first version after all versions that begin with these numbers.
fn next(numbers: &[u64]) -> Vec<u64> {
    let mut next = numbers.to_vec();
    if let Some(last) = next.last_mut() {
        *last = last.saturating_add(1);
    }
    next
}

/// The release line that ends before a version: 2 before 3.0, 3.12 before 3.13.
fn last_before(numbers: &[u64]) -> Vec<u64> {
    let significant = numbers.iter().rposition(|number| *number != 0).map_or(1, |at| at + 1);
    let mut before = numbers[..significant.min(numbers.len())].to_vec();
    if let Some(last) = before.last_mut() {
        *last = last.saturating_sub(1);
    }
    before
}

fn compare(one: &[u64], another: &[u64]) -> Ordering {
    let length = one.len().max(another.len());
    let at = |numbers: &[u64], place: usize| numbers.get(place).copied().unwrap_or_default();
    (0..length)
        .map(|place| at(one, place).cmp(&at(another, place)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn first_difference(one: &[u64], another: &[u64]) -> usize {
    one.iter().zip(another).position(|(one, another)| one != another).unwrap_or(one.len().min(another.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Requirement {
        Requirement::release(text).unwrap()
    }

    #[test]
    fn every_notation_says_which_versions_do() {
        use Tilde::{Last, Minor};
        for (range, tilde, fits, not) in [
            ("3.12", Minor, &["3.12", "3.12.4"][..], &["3.11.9", "3.13.0", "4.0"][..]),
            (">=18", Minor, &["18.0.0", "22.1"], &["17.9"]),
            (">= 18 < 21", Minor, &["18.0.0", "20.9"], &["21.0.0", "17.9"]),
            ("^18.2.0 || ^20", Minor, &["18.2.0", "18.9", "20.0"], &["18.1.9", "19.0", "21.0"]),
            ("18.x", Minor, &["18.0.1"], &["19.0"]),
            ("18 - 20", Minor, &["18.0.1", "20.9.9"], &["21.0", "17.0"]),
            ("*", Minor, &["1.0", "99"], &[]),
            (">18", Minor, &["19.0"], &["18.4"]),
            ("<=20", Minor, &["20.4"], &["21"]),
            ("~18.2", Minor, &["18.2.9"], &["18.3.0"]),
            ("~8.1", Last, &["8.1.0", "8.9"], &["9.0", "8.0.9"]),
            ("^7.4|^8.0", Last, &["7.4.1", "8.3"], &["7.3", "9.0"]),
            ("8.2.*", Last, &["8.2.7"], &["8.3.0"]),
            ("~> 3.2.0", Last, &["3.2.9"], &["3.3.0"]),
            ("~> 1.15", Last, &["1.15.7", "1.17.0"], &["2.0", "1.14"]),
            (">= 1.14.0 and < 1.17.0 or ~> 1.18.1", Last, &["1.14.1", "1.18.3"], &["1.17.0", "1.19.0"]),
            (">=3.10,<3.13", Last, &["3.10.0", "3.12.9"], &["3.13.0", "3.9.1"]),
            ("~=3.11", Last, &["3.11.2", "3.12.0"], &["4.0", "3.10"]),
            ("==3.11.*", Last, &["3.11.2"], &["3.12.0"]),
            (">=3.9,!=3.9.7", Last, &["3.9.6", "3.9.8"], &["3.9.7"]),
            ("^0.3.1", Minor, &["0.3.9"], &["0.4.0", "1.0"]),
        ] {
            let requirement = Requirement::range(range, tilde).unwrap();
            for version in fits {
                assert_eq!(requirement.apart(&found(version)), None, "{range} takes {version}");
            }
            for version in not {
                assert!(requirement.apart(&found(version)).is_some(), "{range} does not take {version}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_no_requirement() {
        for text in ["", "latest", "workspace:*", "lts/*", ">=", "system", "=> 3", ">=18 foo"] {
            assert_eq!(Requirement::range(text, Tilde::Minor), None, "{text}");
        }
        for text in ["", "stable", "myenv", "*"] {
            assert_eq!(Requirement::release(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_number_that_differs_says_how_far_apart() {
        let apart = |one: &str, another: &str| {
            let one = Requirement::range(one, Tilde::Minor).unwrap();
            let forth = one.apart(&found(another));
            assert_eq!(forth, found(another).apart(&one), "{another} and back");
            forth
        };
        assert_eq!(apart("20", "18.2.1"), Some(0));
        assert_eq!(apart("3.12", "3.11.7"), Some(1));
        assert_eq!(apart("3.12.4", "3.12.7"), Some(2));
        assert_eq!(apart("3.12.4", "3.12"), None);
        assert_eq!(apart(">=18 <21", "22.1.0"), Some(0));
        assert_eq!(apart(">=3.10 <3.13", "3.13.1"), Some(1));
        assert_eq!(apart("^18 || ^20.1", "20.0.4"), Some(1));
        assert_eq!(apart("!=3.9.7", "3.9.7"), Some(2));
        assert_eq!(apart("^18.2.3", "19.0.0"), Some(0));
    }

    #[test]
    fn suffixes_and_prefixes_do_not_count() {
        for text in ["1.16.1", "v1.16.1", "1.16.1-otp-26", "1.16.1+abc", "1.16.1rc1", "1.16.1.x"] {
            assert_eq!(found(text).spans, found("1.16.1").spans, "{text}");
        }
        assert_eq!(found("21_35-jre").spans, found("21").spans);
        assert_eq!(Requirement::at_least("1.22").unwrap().apart(&found("1.24.1")), None);
        assert_eq!(Requirement::at_least("1.22").unwrap().apart(&found("1.21.9")), Some(1));
    }
}

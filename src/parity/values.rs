//! Whether two values of a setting are the same, in whatever form each side writes them.

use super::knowledge::Same;
use std::collections::BTreeSet;

/// Whether two values mean the same. `unit` is the unit of a bare number.
pub(super) fn same(how: Same, unit: Option<&str>, one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match how {
        Same::Words => words(one) == words(other),
        Same::Letters => letters(one) == letters(other),
        Same::Present => true,
        Same::Locale => locale(one) == locale(other),
        Same::Value => match (quantity(one, unit), quantity(other, unit)) {
            (Some(one), Some(other)) => one == other,
            _ => plain(one) == plain(other),
        },
    }
}

fn words(text: &str) -> BTreeSet<String> {
    text.split([',', ' ']).map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
}

/// Redis' `A` stands for every kind of event except `m` and `n`.
fn letters(text: &str) -> BTreeSet<char> {
    text.replace('A', "g$lshzxetd").chars().collect()
}

fn locale(text: &str) -> String {
    text.to_ascii_lowercase().replace("utf-8", "utf8")
}

/// Reduces booleans to one word, removes quotes, and reduces the names of the time zone UTC to one name.
fn plain(text: &str) -> String {
    let text = text.trim().trim_matches(['\'', '"']).to_ascii_lowercase();
    match text.as_str() {
        "true" | "yes" | "1" => "on".to_owned(),
        "false" | "no" | "0" => "off".to_owned(),
        "etc/utc" | "universal" | "zulu" | "etc/universal" | "etc/zulu" => "utc".to_owned(),
        _ => text,
    }
}

/// Parses a number with a unit of memory (in bytes) or time (in microseconds), so that `1GB` equals `1048576kB`. A bare
/// number has the setting's own unit; without a unit it is a plain number.
fn quantity(text: &str, unit: Option<&str>) -> Option<(Dimension, f64)> {
    let text = text.trim().trim_matches(['\'', '"']);
    let digits = text.find(|c: char| !(c.is_ascii_digit() || ".-".contains(c))).unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let written = text[digits..].trim();
    // Off, or no limit, is the same in every unit.
    if written.is_empty() && number <= 0.0 {
        return Some((Dimension::None, number));
    }
    let (dimension, factor) = factor(if written.is_empty() { unit.unwrap_or_default() } else { written })?;
    let number = number * factor;
    Some(if number <= 0.0 { (Dimension::None, number) } else { (dimension, number) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    None,
    Memory,
    Time,
}

/// Postgres writes `kB`, `MB`; Redis writes `kb` (1024) and `k` (1000).
fn factor(unit: &str) -> Option<(Dimension, f64)> {
    const KB: f64 = 1024.0;
    let memory = |factor| Some((Dimension::Memory, factor));
    let time = |factor| Some((Dimension::Time, factor));
    match unit {
        "" => Some((Dimension::None, 1.0)),
        "8kB" => memory(8.0 * KB),
        "B" | "b" => memory(1.0),
        "kB" | "KB" | "kb" | "Kb" | "K" => memory(KB),
        "MB" | "mb" | "Mb" | "M" => memory(KB * KB),
        "GB" | "gb" | "Gb" | "G" => memory(KB * KB * KB),
        "TB" | "tb" => memory(KB * KB * KB * KB),
        "k" => memory(1e3),
        "m" => memory(1e6),
        "g" => memory(1e9),
        "us" => time(1.0),
        "ms" => time(1e3),
        "s" => time(1e6),
        "min" => time(6e7),
        "h" => time(3.6e9),
        "d" => time(8.64e10),
        _ => None,
    }
}

/// The numbers of a version: `16.4` and `16.4-alpine` are 16 and 4.
pub(super) fn numbers(version: &str) -> Vec<&str> {
    let end = version.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(version.len());
    version[..end].split('.').filter(|number| !number.is_empty()).collect()
}

/// Whether a version is newer than another, as far as both are exact.
pub(super) fn is_newer(version: &str, other: &str) -> bool {
    let parts = |version: &str| -> Vec<u64> { numbers(version).iter().map_while(|part| part.parse().ok()).collect() };
    parts(version) > parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_however_they_are_written() {
        for (unit, one, other) in [
            (None, "on", "true"),
            (None, "UTC", "Etc/UTC"),
            (None, "128MB", "131072kB"),
            (Some("8kB"), "16384", "128MB"),
            (Some("ms"), "30000", "30s"),
            (Some("ms"), "0", "0ms"),
            (Some("B"), "100mb", "104857600"),
            (None, "1.0", "1"),
            (None, "'Europe/Berlin'", "europe/berlin"),
        ] {
            assert!(same(Same::Value, unit, one, other), "{one} is {other}");
        }
        assert!(same(Same::Words, None, "STRICT_TRANS_TABLES,NO_ZERO_DATE", "no_zero_date, STRICT_TRANS_TABLES"));
        assert!(same(Same::Letters, None, "xE", "Ex"));
        assert!(same(Same::Letters, None, "AKE", "g$lshzxetdKE"));
        assert!(same(Same::Locale, None, "en_US.utf8", "en_US.UTF-8"));
    }

    #[test]
    fn other_values_are_not() {
        for (unit, one, other) in [
            (None, "on", "off"),
            (None, "100", "200"),
            (None, "100MB", "100kB"),
            (Some("ms"), "30", "30s"),
            (None, "128MB", "128"),
            (None, "Europe/Berlin", "UTC"),
            (None, "1s", "1MB"),
        ] {
            assert!(!same(Same::Value, unit, one, other), "{one} is not {other}");
        }
        assert!(!same(Same::Letters, None, "Ex", "Kx"));
        assert!(!same(Same::Locale, None, "C", "en_US.utf8"));
    }
}

//! Names on the engine: people recognise them, the engine accepts them, and no two resources have the same name.
//!
//! In the part that comes from a service's or a snapshot's name, a `.` always precedes the two hexadecimal digits of a
//! byte. Any other text after a `.` is a word of devenv (`.top`, `.v17`, `.record`), so no user can choose a name that
//! contains this word.

use crate::model::digest_of_bytes;
use std::fmt::Write as _;

/// Longer names are cut, and end with a hash. The limit exists because engines keep each volume in a folder of its
/// name.
const MAX_LENGTH: usize = 120;

/// The name of a service's container.
pub(super) fn container(environment: &str, service: &str) -> String {
    format!("{environment}-{}", encoded(service))
}

/// The name of a volume with a service's data. `major` is set if other major versions cannot read the data. `part` is
/// set if the image keeps its data in several folders. `generation` is the number of the
/// head for which the volume is created.
pub(super) fn volume(
    environment: &str,
    service: &str,
    major: Option<u64>,
    part: Option<u64>,
    generation: u64,
) -> String {
    let name = format!("{environment}-{}", encoded(service));
    // The first volume of a service has no number.
    let generation = Some(generation).filter(|generation| *generation > 1);
    [(".v", major), (".n", part), (".g", generation)].into_iter().fold(name, |name, (mark, number)| match number {
        Some(number) => format!("{name}{mark}{number}"),
        None => name,
    })
}

/// The name of a record about an environment. `which` distinguishes the records of one kind.
pub(super) fn record(environment: &str, kind: &str, which: &str) -> String {
    if which.is_empty() { format!("{environment}.{kind}") } else { format!("{environment}.{kind}.x{}", encoded(which)) }
}

/// A name in the characters that engines accept.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, ".{byte:02x}");
        }
    }
    if text.len() > MAX_LENGTH {
        let mut cut = MAX_LENGTH;
        while text[..cut].ends_with('.') || text[..cut - 1].ends_with('.') {
            cut -= 1;
        }
        text = format!("{}.h{}", &text[..cut], &digest_of_bytes(name.as_bytes())[7..23]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn usual_names_are_readable() {
        assert_eq!(container("shop-1", "db"), "shop-1-db");
        assert_eq!(volume("shop-1", "my_db", Some(17), None, 1), "shop-1-my_db.v17");
        assert_eq!(volume("shop-1", "cache", None, None, 3), "shop-1-cache.g3");
        assert_eq!(volume("shop-1", "mail", None, Some(1), 1), "shop-1-mail.n1");
        assert_eq!(record("shop-1", "snapshot", "before.migration"), "shop-1.snapshot.xbefore.2emigration");
    }

    #[test]
    fn names_that_clashed_before_do_not() {
        let all = [
            volume("e", "db", Some(17), None, 1),
            volume("e", "db-17", None, None, 1),
            volume("e", "a", None, None, 2),
            volume("e", "a.2", None, None, 1),
            volume("e", "a", None, Some(0), 1),
            volume("e", "a-0", None, None, 1),
            record("e", "pin", ""),
            container("e", "pin"),
            container("e", "snapshot-x"),
            record("e", "snapshot", "x"),
            format!("{}.top", volume("e", "db", None, None, 1)),
            volume("e", "db.top", None, None, 1),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one}");
        }
    }

    proptest! {
        /// Any names of services or snapshots, with the names of all resources that are created for them.
        #[test]
        fn no_two_resources_share_a_name_and_the_engine_accepts_each_name(
            names in prop::collection::btree_set("(\\PC|[a-c.0-9_-]){1,12}|[a-z.]{100,200}", 1..4),
            major in 1..3_u64,
            generation in 1..3_u64,
        ) {
            let mut all: BTreeMap<String, String> = BTreeMap::new();
            for name in &names {
                let made = [
                    ("container", container("shop-12345678", name)),
                    ("of a major version", volume("shop-12345678", name, Some(major), None, generation + 1)),
                    ("without one", volume("shop-12345678", name, None, None, generation + 1)),
                    ("of a part", volume("shop-12345678", name, None, Some(1), 1)),
                    ("snapshot", record("shop-12345678", "snapshot", name)),
                    ("upper", format!("{}.top", volume("shop-12345678", name, None, None, generation + 1))),
                    ("record of it", format!("{}.record", record("shop-12345678", "snapshot", name))),
                ];
                for (what, made) in made {
                    let is_taken = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
                    prop_assert!(made.chars().all(is_taken) && made.len() < 250, "{}", made);
                    let other = all.insert(made.clone(), format!("{what} {name}"));
                    prop_assert!(other.is_none(), "{} is {:?} and {} {}", made, other, what, name);
                }
            }
        }
    }
}

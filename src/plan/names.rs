//! Names on the engine: a person recognises them, the engine takes them, and no two things share one.
//!
//! What comes from a service's or a snapshot's name never holds a `.` but before two digits of a byte's number. So whatever
//! else follows a `.` is a word of ours (`.top`, `.v17`, `.restore`), and nobody can choose a name that means it.

use crate::model::digest_of_bytes;
use std::fmt::Write as _;

/// Longer ones are cut, and told apart by a hash: engines keep volumes in folders of their name.
const LONGEST: usize = 120;

/// A service's container.
pub(super) fn container(environment: &str, service: &str) -> String {
    format!("{environment}-{}", encoded(service))
}

/// A volume with a service's data: of a major version where another one cannot read it, one of several where the image keeps
/// its data in several folders, and the so-many-th where there were others before.
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

/// A record about an environment: what it is, and which of several.
pub(super) fn record(environment: &str, what: &str, which: &str) -> String {
    if which.is_empty() { format!("{environment}.{what}") } else { format!("{environment}.{what}.x{}", encoded(which)) }
}

/// A name in the characters that engines take.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, ".{byte:02x}");
        }
    }
    if text.len() > LONGEST {
        let mut cut = LONGEST;
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
    fn usual_names_are_recognised() {
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
            container("e", "keeper"),
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
        /// Every name that a service or a snapshot may have, with everything that is made for it.
        #[test]
        fn no_two_things_share_a_name_and_the_engine_takes_each(
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

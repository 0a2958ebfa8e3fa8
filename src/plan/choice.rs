//! What the user chose for a checkout on the command line, and what of a checkout is on the engine.
//!
//! A choice (`-f`, `--env-file`) holds until another one is made. It is kept as a record: a container that is never
//! started, whose label says it. Only a label that this machine's key has signed is believed.

use super::data::reach::records_of;
use super::{Identity, names};
use crate::machine::Key;
use crate::model::{Observed, ObservedRecord, Record, RecordKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What holds until something else is said. Paths are relative to the root where they lie below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The manifests that `-f` named, in order; `-` is standard input. None are discovered.
    pub files: Vec<PathBuf>,
    /// A hash of what standard input said, where it is among them. The record keeps the text itself, sealed.
    #[serde(default)]
    pub stdin: Option<String>,
    /// The folder where it was read, which its relative paths start from, where that is not the root.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// The file that `--env-file` named.
    pub env_file: Option<PathBuf>,
}

/// A choice as a label has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Which one of this environment's it is: the highest counts.
    number: u64,
    choice: Choice,
}

/// The container that keeps what standard input said for a record. It is made before the record, which is what counts: so
/// a choice is there whole, or not at all.
pub fn input_for(record: &Record) -> Record {
    // It says nothing by itself, and goes where a record goes that counts no more.
    Record { name: input_name(&record.name), kind: RecordKind::Choice(String::new()), ..record.clone() }
}

/// The container that keeps what standard input said for the record that counts.
pub fn input_of_choice<'o>(identity: &Identity, observed: &'o Observed) -> Option<&'o ObservedRecord> {
    let name = input_name(&kept(identity, observed).pop()?.1.record.name);
    choices(identity, observed).find(|one| one.record.name == name)
}

fn input_name(record: &str) -> String {
    format!("{record}.input")
}

/// The records of what was chosen for an environment, the one that counts last.
fn kept<'o>(identity: &Identity, observed: &'o Observed) -> Vec<(Kept, &'o ObservedRecord)> {
    let said = |one: &'o ObservedRecord| match &one.record.kind {
        RecordKind::Choice(text) => Some((read(text, identity)?, one)),
        _ => None,
    };
    let mut all: Vec<_> = choices(identity, observed).filter_map(said).collect();
    all.sort_by_key(|(kept, _)| kept.number);
    all
}

/// What was chosen for an environment.
pub fn chosen(identity: &Identity, observed: &Observed) -> Choice {
    kept(identity, observed).pop().map(|(kept, _)| kept.choice).unwrap_or_default()
}

/// The record that makes a choice hold; none where it does already.
pub fn choosing(choice: &Choice, identity: &Identity, observed: &Observed) -> Option<Record> {
    let last = kept(identity, observed).pop();
    // Without what standard input said, a record that names it is of no use.
    let is_whole = choice.stdin.is_none() || input_of_choice(identity, observed).is_some();
    if is_whole && last.as_ref().map_or(&Choice::default(), |(kept, _)| &kept.choice) == choice {
        return None;
    }
    let number = last.map_or(1, |(kept, _)| kept.number.saturating_add(1));
    let text = serde_json::to_string(&Kept { number, choice: choice.clone() }).ok()?;
    Some(Record {
        // The new one is made before the old one goes, so it needs a name of its own.
        name: names::record(&identity.name, "choice", &number.to_string()),
        root: identity.root.display().to_string(),
        environment: identity.name.clone(),
        kind: RecordKind::Choice(format!("{} {text}", signature(&text, identity))),
        ..Record::default()
    })
}

/// Every record of a choice that an environment has, those that count no more too.
pub fn choices<'o>(identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    records_of(&identity.name, observed).filter(|one| matches!(one.record.kind, RecordKind::Choice(_)))
}

fn read(text: &str, identity: &Identity) -> Option<Kept> {
    let (signed, text) = text.split_once(' ')?;
    (signed == signature(text, identity)).then(|| serde_json::from_str(text).ok()).flatten()
}

fn signature(text: &str, identity: &Identity) -> String {
    let mac = identity.key.mac(&[b"choice", identity.name.as_bytes(), text.as_bytes()]);
    mac[..16].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The environments that a checkout in this folder has on the engine: one, or several where its project was called
/// otherwise before. What runs comes first, then what was made last. Ephemeral ones are none of it.
pub fn environments_of(root: &Path, key: &Key, observed: &Observed) -> Vec<Identity> {
    let folder = root.display().to_string();
    let mut found: BTreeMap<String, (bool, i64)> = BTreeMap::new();
    let mut seen = |root: &str, environment: &str, runs: bool, made: i64| {
        if root == folder && !environment.is_empty() {
            let known = found.entry(environment.to_owned()).or_default();
            *known = (known.0 | runs, known.1.max(made));
        }
    };
    for one in &observed.containers {
        seen(&one.scope.root, &one.scope.environment, one.state == "running", one.created);
    }
    for one in &observed.records {
        seen(&one.record.root, &one.record.environment, false, one.created);
    }
    let others = observed.volumes.iter().map(|one| &one.scope).chain(observed.networks.iter().map(|one| &one.scope));
    for scope in others {
        seen(&scope.root, &scope.environment, false, 0);
    }
    let mut found: Vec<_> = found
        .into_iter()
        .filter_map(|(name, (runs, made))| Some((!runs, -made, Identity::of_labels(&name, root, key)?)))
        .collect();
    found.sort_by_key(|(stands, age, _)| (*stands, *age));
    found.into_iter().map(|(_, _, identity)| identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Container;

    fn identity() -> Identity {
        Identity::of_checkout("shop", Path::new("/shop"), Key::from_bytes([7; 32]))
    }

    fn choice(file: &str) -> Choice {
        Choice { files: vec![file.into()], env_file: Some("deploy/.env.dev".into()), ..Choice::default() }
    }

    #[test]
    fn the_last_choice_holds_and_is_recorded_once() {
        let (identity, mut observed) = (identity(), Observed::default());
        assert_eq!(choosing(&Choice::default(), &identity, &observed), None, "nothing was said");
        for file in ["a.yml", "b.yml"] {
            let record = choosing(&choice(file), &identity, &observed).unwrap();
            assert!(!observed.records.iter().any(|one| one.record.name == record.name), "a name of its own");
            observed.records.push(record.as_made());
            assert_eq!(chosen(&identity, &observed), choice(file));
            assert_eq!(choosing(&choice(file), &identity, &observed), None);
        }
        assert_eq!(choices(&identity, &observed).count(), 2);
    }

    #[test]
    fn what_standard_input_said_is_kept_before_the_record_that_makes_it_count() {
        let (identity, mut observed) = (identity(), Observed::default());
        let record = choosing(&choice("-"), &identity, &observed).unwrap();
        let input = input_for(&record);
        observed.records.push(input.as_made());
        assert_eq!(chosen(&identity, &observed), Choice::default(), "nothing was chosen yet");
        assert_eq!(choosing(&choice("-"), &identity, &observed).unwrap().name, record.name);
        observed.records.push(record.as_made());
        assert_eq!(chosen(&identity, &observed), choice("-"));
        assert_eq!(input_of_choice(&identity, &observed).map(|one| &one.record.name), Some(&input.name));
        assert_eq!(choices(&identity, &observed).count(), 2, "both go with the next choice");

        let said = Choice { stdin: Some("sha256:aa".to_owned()), ..choice("-") };
        let record = choosing(&said, &identity, &observed).unwrap();
        observed.records.push(record.as_made());
        assert_ne!(choosing(&said, &identity, &observed).map(|record| record.name), None, "the input is gone");
        observed.records.push(input_for(&record).as_made());
        assert_eq!(choosing(&said, &identity, &observed), None);
    }

    #[test]
    fn a_choice_that_the_key_did_not_sign_is_not_believed() {
        let identity = identity();
        let mut record = choosing(&choice("a.yml"), &identity, &Observed::default()).unwrap().as_made();
        let RecordKind::Choice(text) = &mut record.record.kind else { panic!("a choice") };
        *text = text.replace("a.yml", "/etc/passwd");
        let observed = Observed { records: vec![record], ..Observed::default() };
        assert_eq!(chosen(&identity, &observed), Choice::default());
    }

    #[test]
    fn the_environments_of_a_folder_are_told_by_labels_alone_and_what_runs_comes_first() {
        let (identity, root) = (identity(), Path::new("/shop"));
        let before = Identity::of_checkout("store", root, identity.key.clone());
        let foreign = Identity::of_checkout("shop", root, Key::from_bytes([8; 32]));
        let container = |identity: &Identity, state: &str, created| Container {
            state: state.to_owned(),
            created,
            scope: identity.scope(),
            ..Container::default()
        };
        let containers = vec![
            container(&foreign, "running", 9),
            container(&before, "exited", 5),
            container(&identity, "running", 1),
        ];
        let observed = Observed { containers, ..Observed::default() };
        let names: Vec<String> =
            environments_of(root, &identity.key, &observed).into_iter().map(|one| one.name).collect();
        assert_eq!(names, [identity.name.clone(), before.name]);
        assert!(environments_of(Path::new("/"), &identity.key, &observed).is_empty());
    }
}

//! The user's choice of files for a checkout on the command line, and the environments of a checkout on the engine.
//!
//! A choice (`-f`, `--env-file`) holds until the user makes another choice. A choice is stored as a record. Only a
//! choice that this machine's key has signed is believed.

use super::data::volumes::records_of;
use super::{Identity, names};
use crate::machine::Key;
use crate::model::{Observed, ObservedRecord, Record, RecordKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The files that the user chose. Paths below the root are relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The manifests that `-f` named, in order; `-` is standard input. Empty if manifests are discovered.
    pub files: Vec<PathBuf>,
    /// A hash of the text of standard input, if standard input is one of the files. Another record keeps the text
    /// itself, encrypted.
    #[serde(default)]
    pub stdin: Option<String>,
    /// The base folder for relative paths in standard input, if it is not the root.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// The file that `--env-file` named.
    pub env_file: Option<PathBuf>,
}

/// The form of a choice in a label.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Counts the choices of the environment: the choice with the highest number is current.
    number: u64,
    choice: Choice,
}

/// The record that keeps the text of standard input for the record of a choice. It is written before the record of the
/// choice, and only the latter makes the choice current: so a choice exists completely, or not at all.
pub fn input_for(record: &Record) -> Record {
    // The text is empty: this record is not a choice itself, and is removed with the records of older choices.
    Record { name: input_name(&record.name), kind: RecordKind::Choice(String::new()), ..record.clone() }
}

/// The record that keeps the text of standard input for the current choice.
pub fn input_of_choice<'o>(identity: &Identity, observed: &'o Observed) -> Option<&'o ObservedRecord> {
    let name = input_name(&kept(identity, observed).pop()?.1.record.name);
    choices(identity, observed).find(|one| one.record.name == name)
}

fn input_name(record: &str) -> String {
    format!("{record}.input")
}

/// The choices of an environment with their records. The current choice comes last.
fn kept<'o>(identity: &Identity, observed: &'o Observed) -> Vec<(Kept, &'o ObservedRecord)> {
    let said = |one: &'o ObservedRecord| match &one.record.kind {
        RecordKind::Choice(text) => Some((read(text, identity)?, one)),
        _ => None,
    };
    let mut all: Vec<_> = choices(identity, observed).filter_map(said).collect();
    all.sort_by_key(|(kept, _)| kept.number);
    all
}

/// The current choice of an environment.
pub fn chosen(identity: &Identity, observed: &Observed) -> Choice {
    kept(identity, observed).pop().map(|(kept, _)| kept.choice).unwrap_or_default()
}

/// The record that makes a choice current; none if the choice is already current.
pub fn choosing(choice: &Choice, identity: &Identity, observed: &Observed) -> Option<Record> {
    let last = kept(identity, observed).pop();
    // A record of a choice that includes standard input is useless without the text.
    let is_whole = choice.stdin.is_none() || input_of_choice(identity, observed).is_some();
    if is_whole && last.as_ref().map_or(&Choice::default(), |(kept, _)| &kept.choice) == choice {
        return None;
    }
    let number = last.map_or(1, |(kept, _)| kept.number.saturating_add(1));
    let text = serde_json::to_string(&Kept { number, choice: choice.clone() }).ok()?;
    Some(Record {
        // The new record is written before the old record is removed, so each record has its own name.
        name: names::record(&identity.name, "choice", &number.to_string()),
        scope: identity.scope(),
        kind: RecordKind::Choice(format!("{} {text}", signature(&text, identity))),
        ..Record::default()
    })
}

/// All records of choices of an environment, including older choices and the texts of standard input.
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

/// The environments that a checkout in this folder has on the engine: several if the project had another name before.
/// Running environments come first, then the newest. Ephemeral environments are not included.
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
        seen(&one.record.scope.root, &one.record.scope.environment, false, one.created);
    }
    let others = observed.volumes.iter().map(|one| &one.scope).chain(observed.networks.iter().map(|one| &one.scope));
    for scope in others {
        seen(&scope.root, &scope.environment, false, 0);
    }
    let mut found: Vec<_> = found
        .into_iter()
        .filter_map(|(name, (runs, made))| Some((!runs, -made, Identity::of_labels(&name, root, key)?)))
        .collect();
    found.sort_by_key(|(is_down, age, _)| (*is_down, *age));
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
        assert_eq!(choosing(&Choice::default(), &identity, &observed), None, "nothing was chosen");
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
    fn the_text_of_standard_input_is_stored_before_the_record_that_makes_the_choice_current() {
        let (identity, mut observed) = (identity(), Observed::default());
        let record = choosing(&choice("-"), &identity, &observed).unwrap();
        let input = input_for(&record);
        observed.records.push(input.as_made());
        assert_eq!(chosen(&identity, &observed), Choice::default(), "nothing was chosen yet");
        assert_eq!(choosing(&choice("-"), &identity, &observed).unwrap().name, record.name);
        observed.records.push(record.as_made());
        assert_eq!(chosen(&identity, &observed), choice("-"));
        assert_eq!(input_of_choice(&identity, &observed).map(|one| &one.record.name), Some(&input.name));
        assert_eq!(choices(&identity, &observed).count(), 2, "the next choice removes both records");

        let with_text = Choice { stdin: Some("sha256:aa".to_owned()), ..choice("-") };
        let record = choosing(&with_text, &identity, &observed).unwrap();
        observed.records.push(record.as_made());
        assert_ne!(choosing(&with_text, &identity, &observed).map(|record| record.name), None, "the text is missing");
        observed.records.push(input_for(&record).as_made());
        assert_eq!(choosing(&with_text, &identity, &observed), None);
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
    fn the_environments_of_a_folder_are_found_by_labels_and_running_environments_come_first() {
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

//! The gaps about which no server can be asked: languages and tools, stand-ins in the app's settings, time, and people.

use crate::machine;
use crate::manifest::{self, Reading};
use crate::model::{Diagnostic, Difference, Failure, Section};
use crate::parity::{people, time, tools};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The gaps that were found.
#[derive(Default)]
pub(crate) struct Gaps {
    /// Tools, lock files and stand-ins that differ.
    pub(crate) differences: Vec<Difference>,
    /// Time and people, if the project has release tags.
    pub(crate) sections: Vec<Section>,
    /// Notes about the gaps that could not be determined, with the reasons.
    pub(crate) notes: Vec<Diagnostic>,
}

/// Reads the files, and asks git and the programs on this machine. This blocks until all of them have answered.
pub(crate) fn gaps(reading: &Reading) -> Result<Gaps, Failure> {
    let root = &reading.root;
    let mut found = Gaps::default();
    let pinned = manifest::tools(root, &reading.budget)?;
    found.differences.extend(tools::differences(&pinned.pins, &machine::tools::found(root, &pinned.pins)));
    let locks: Vec<PathBuf> = pinned.packages.iter().filter_map(|package| package.lock.clone()).collect();
    let tracked = machine::git::tracked(root, &locks);
    found.differences.extend(tools::lock_files(&pinned.packages, tracked.as_ref()));
    let (stand_ins, diagnostics) = manifest::adapters(root, &reading.stack, &reading.kinds, &reading.budget)?;
    found.differences.extend(stand_ins);
    found.notes.extend(pinned.diagnostics);
    found.notes.extend(diagnostics.into_iter().filter(|one| !found.notes.contains(one)).collect::<Vec<_>>());

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let since = now - i64::from(people::DAYS) * 24 * 60 * 60;
    match machine::git::history(root, &time::revisions(&reading.stack.apps), since) {
        Ok(Some(history)) => {
            found.sections.push(Section {
                code: "time",
                title: "time: how many commits wait to be deployed, and for how long".to_owned(),
                rows: time::gap(&history, now).rows(),
                note: "the longer a change waits, the harder its mistakes are to find".to_owned(),
            });
            found.sections.extend(people::gap(&history, now).map(|gap| Section {
                code: "people",
                title: "people: who writes and who releases".to_owned(),
                rows: gap.rows(),
                note: "who wrote a change knows best how it should behave when it runs".to_owned(),
            }));
        }
        Ok(None) => {}
        Err(note) => found.notes.push(note),
    }
    Ok(found)
}

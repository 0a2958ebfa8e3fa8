//! What one reading of a project may cost: files, bytes, values, and bytes that expansions add.
//!
//! Everything that reads or expands spends from one budget. What is over is told once, with the first place that went
//! over; after that every further spending is refused, so that a reading winds up.

use crate::model::{Diagnostic, Origin};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is counted, each with its limit for one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// How often a file is asked for, whether it is there or not.
    Files,
    /// Bytes of files, each file counted once.
    Bytes,
    /// Values of parsed files, and those that aliases, `extends`, includes and the like copy.
    Values,
    /// Bytes that variables, arguments and templates put in.
    Expanded,
    /// Comparisons and the like, where the work grows faster than the text.
    Steps,
    /// Services and apps, each of which is compared with all others.
    Services,
}

/// How many values a variable of one app or container counts as: it carries a name, a text and where both come from.
pub const VARIABLE: usize = 15;

/// How many bytes of a text count as one more value: texts are copied too.
const TEXT: usize = 32;

/// How many values a text of so many bytes counts as, beside its own.
pub const fn of_text(bytes: usize) -> usize {
    bytes / TEXT
}

/// Every resource, in the order of [`Resource`].
const RESOURCES: [Resource; 6] =
    [Resource::Files, Resource::Bytes, Resource::Values, Resource::Expanded, Resource::Steps, Resource::Services];

impl Resource {
    /// The most that one reading may spend.
    pub const fn limit(self) -> u64 {
        match self {
            Self::Files => 20_000,
            Self::Bytes => 40 * 1024 * 1024,
            Self::Values => 1_500_000,
            Self::Expanded => 8 * 1024 * 1024,
            Self::Steps => 20_000_000,
            Self::Services => 5_000,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Files => 0,
            Self::Bytes => 1,
            Self::Values => 2,
            Self::Expanded => 3,
            Self::Steps => 4,
            Self::Services => 5,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files => write!(f, "more than {} files are asked for", self.limit()),
            Self::Bytes => write!(f, "the files hold more than {} MB", self.limit() >> 20),
            Self::Values => write!(f, "the files hold more than {} values, copies included", self.limit()),
            Self::Expanded => write!(f, "variables and templates expand to more than {} MB", self.limit() >> 20),
            Self::Steps => write!(f, "comparing what the files name takes more than {} steps", self.limit()),
            Self::Services => write!(f, "the files declare more than {} services and apps", self.limit()),
        }
    }
}

/// What has been spent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent([u64; 6]);

impl Spent {
    /// Of one resource.
    pub fn of(&self, resource: Resource) -> u64 {
        self.0[resource.index()]
    }

    /// Whether some resource is over its limit by more than that factor: spending is counted before it is refused.
    pub fn is_within(&self, factor: u64) -> bool {
        RESOURCES.iter().all(|resource| self.of(*resource) <= resource.limit().saturating_mul(factor))
    }
}

/// What one reading may still spend. A clone spends from the same.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    spent: [AtomicU64; 6],
    is_over: AtomicBool,
    over: Mutex<Option<Over>>,
    /// The file that was asked for last, as shown: where to look if time runs out.
    last: Mutex<String>,
}

#[derive(Clone, Debug)]
struct Over {
    resource: Resource,
    file: String,
    place: Option<Origin>,
}

/// A counter is right whatever a thread that panicked was doing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Budget {
    /// Spends; false where that is more than there is, or anything was before.
    pub fn spend(&self, resource: Resource, amount: usize) -> bool {
        if self.0.is_over.load(Ordering::Relaxed) {
            return false;
        }
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        let before = self.0.spent[resource.index()].fetch_add(amount, Ordering::Relaxed);
        if before.saturating_add(amount) <= resource.limit() {
            return true;
        }
        self.0.is_over.store(true, Ordering::Relaxed);
        let file = locked(&self.0.last).clone();
        locked(&self.0.over).get_or_insert(Over { resource, file, place: None });
        false
    }

    /// Spends for a value at a place, which the message names.
    pub fn spend_at(&self, resource: Resource, amount: usize, origin: &Origin) -> bool {
        self.spend(resource, amount) || !self.blame(origin)
    }

    /// Whether something is over; the first place that is named after that is the one of the message.
    pub fn blame(&self, origin: &Origin) -> bool {
        let mut over = locked(&self.0.over);
        let Some(over) = over.as_mut() else { return false };
        over.place.get_or_insert_with(|| origin.clone());
        true
    }

    /// Whether something is over.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// How much of a resource is left.
    pub fn left(&self, resource: Resource) -> usize {
        let spent = self.0.spent[resource.index()].load(Ordering::Relaxed);
        usize::try_from(resource.limit().saturating_sub(spent)).unwrap_or(usize::MAX)
    }

    /// Spends for asking for a file, by its path as shown.
    pub fn spend_file(&self, shown: &Path) -> bool {
        *locked(&self.0.last) = shown.display().to_string();
        self.spend(Resource::Files, 1)
    }

    /// The file that was asked for last.
    pub fn last_file(&self) -> String {
        locked(&self.0.last).clone()
    }

    /// What has been spent.
    pub fn spent(&self) -> Spent {
        Spent(std::array::from_fn(|at| self.0.spent[at].load(Ordering::Relaxed)))
    }

    /// The message that something is over.
    pub fn overspent(&self) -> Option<Diagnostic> {
        let over = locked(&self.0.over).clone()?;
        let limit = limit_passed(&over.resource.to_string());
        Some(match (&over.place, over.file.is_empty()) {
            (Some(place), _) => limit.at(place, "reading stopped here"),
            (None, false) => limit.because(format!("reading stopped at `{}`", over.file)),
            (None, true) => limit,
        })
    }
}

/// The code of the message that a limit of reading was passed.
pub(crate) const LIMIT: &str = "reading-limit";

/// The message that a limit of reading was passed.
pub(super) fn limit_passed(what: &str) -> Diagnostic {
    Diagnostic::error(LIMIT, format!("this project is too much to read: {what}"))
        .help("name the files that describe the services alone: `devenv -f FILE …`, or `from:` in services.local.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;

    #[test]
    fn what_is_over_is_told_once_with_the_first_place() {
        let budget = Budget::default();
        let file = Arc::new(SourceFile { path: "a.yaml".into(), text: String::new() });
        let at = |line| Origin { line, ..Origin::start_of(&file) };
        let all = usize::try_from(Resource::Expanded.limit()).unwrap();
        assert!(budget.clone().spend_at(Resource::Expanded, all, &at(1)));
        assert!(budget.overspent().is_none() && budget.left(Resource::Expanded) == 0);
        assert!(!budget.spend_at(Resource::Expanded, 1, &at(2)));
        assert!(!budget.spend_at(Resource::Expanded, 1, &at(3)));
        let told = budget.overspent().unwrap();
        assert_eq!((told.code, told.origin.unwrap().line), (LIMIT, 2));
        assert!(!budget.spend(Resource::Values, 1), "nothing of another sort is left either");
    }

    #[test]
    fn without_a_place_the_file_is_named() {
        let budget = Budget::default();
        while budget.spend_file(Path::new("k8s/a.yaml")) {}
        let told = budget.overspent().unwrap();
        assert!(told.message.contains("20000 files") && told.notes[0].contains("k8s/a.yaml"), "{told:?}");
        assert!(budget.spent().is_within(2));
    }
}

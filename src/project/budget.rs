//! The budget of one reading of a project: files, bytes, values, and bytes that expansions add.
//!
//! All code that reads or expands spends from one budget. When a resource exceeds its limit, this is reported once,
//! with the first place that exceeded it. After that, all further spending is refused, so that the reading ends soon.

use crate::model::{Diagnostic, Origin};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counted resources, each with its limit for one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// How often a file is requested, whether it exists or not.
    Files,
    /// Bytes of files, each file counted once.
    Bytes,
    /// Values of parsed files, and values that aliases, `extends`, includes and similar features copy.
    Values,
    /// Bytes that variables, arguments and templates add.
    Expanded,
    /// Comparisons and similar steps, where the work grows faster than the text.
    Steps,
    /// Services and apps, each of which is compared with all others.
    Services,
}

/// How many values a variable of one app or container counts as. It has a name, a text, and the origins of both.
pub const VARIABLE: usize = 15;

/// How many bytes of a text count as one more value, because texts are copied too.
const TEXT: usize = 32;

/// How many values a text of this many bytes counts as, in addition to its own value.
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

/// The amounts that have been spent so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent([u64; 6]);

impl Spent {
    /// The amount of one resource.
    pub fn of(&self, resource: Resource) -> u64 {
        self.0[resource.index()]
    }

    /// Whether no resource exceeds its limit by more than this factor. Spending is counted before it is refused, so a
    /// resource can exceed its limit.
    pub fn is_within(&self, factor: u64) -> bool {
        RESOURCES.iter().all(|resource| self.of(*resource) <= resource.limit().saturating_mul(factor))
    }
}

/// The budget of one reading. A clone spends from the same budget.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    spent: [AtomicU64; 6],
    is_over: AtomicBool,
    over: Mutex<Option<Over>>,
    /// The file that was requested last, as messages show it. A message names this file if the time runs out.
    last: Mutex<String>,
}

#[derive(Clone, Debug)]
struct Over {
    resource: Resource,
    file: String,
    place: Option<Origin>,
}

/// Ignores a panic of another thread: a counter is correct even then.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Budget {
    /// Spends an amount. False if this exceeds the limit, or if any resource exceeded its limit before.
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

    /// Whether a resource has exceeded its limit. The first place that is given after that appears in the message.
    pub fn blame(&self, origin: &Origin) -> bool {
        let mut over = locked(&self.0.over);
        let Some(over) = over.as_mut() else { return false };
        over.place.get_or_insert_with(|| origin.clone());
        true
    }

    /// Whether a resource has exceeded its limit.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// How much of a resource is left.
    pub fn left(&self, resource: Resource) -> usize {
        let spent = self.0.spent[resource.index()].load(Ordering::Relaxed);
        usize::try_from(resource.limit().saturating_sub(spent)).unwrap_or(usize::MAX)
    }

    /// Spends for one request of a file, by the path that messages show.
    pub fn spend_file(&self, shown: &Path) -> bool {
        *locked(&self.0.last) = shown.display().to_string();
        self.spend(Resource::Files, 1)
    }

    /// The file that was requested last.
    pub fn last_file(&self) -> String {
        locked(&self.0.last).clone()
    }

    /// The amounts that have been spent.
    pub fn spent(&self) -> Spent {
        Spent(std::array::from_fn(|at| self.0.spent[at].load(Ordering::Relaxed)))
    }

    /// The message that a resource has exceeded its limit.
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

/// The code of the message that a limit of reading was exceeded.
pub(crate) const LIMIT: &str = "reading-limit";

/// The message that a limit of reading was exceeded.
pub(super) fn limit_passed(what: &str) -> Diagnostic {
    Diagnostic::error(LIMIT, format!("this project is too much to read: {what}"))
        .help("name the files that describe the services alone: `devenv -f FILE …`, or `from:` in services.local.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;

    #[test]
    fn an_exceeded_limit_is_reported_once_with_the_first_place() {
        let budget = Budget::default();
        let file = Arc::new(SourceFile { path: "a.yaml".into(), text: String::new() });
        let at = |line| Origin { line, ..Origin::start_of(&file) };
        let all = usize::try_from(Resource::Expanded.limit()).unwrap();
        assert!(budget.clone().spend_at(Resource::Expanded, all, &at(1)));
        assert!(budget.overspent().is_none() && budget.left(Resource::Expanded) == 0);
        assert!(!budget.spend_at(Resource::Expanded, 1, &at(2)));
        assert!(!budget.spend_at(Resource::Expanded, 1, &at(3)));
        let diagnostic = budget.overspent().unwrap();
        assert_eq!((diagnostic.code, diagnostic.origin.unwrap().line), (LIMIT, 2));
        assert!(!budget.spend(Resource::Values, 1), "all other resources are refused too");
    }

    #[test]
    fn without_a_place_the_file_is_named() {
        let budget = Budget::default();
        while budget.spend_file(Path::new("k8s/a.yaml")) {}
        let diagnostic = budget.overspent().unwrap();
        assert!(
            diagnostic.message.contains("20000 files") && diagnostic.notes[0].contains("k8s/a.yaml"),
            "{diagnostic:?}"
        );
        assert!(budget.spent().is_within(2));
    }
}

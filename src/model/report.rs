//! The report of parity: every side, the facts of each side about the services, and the differences.

use super::{Difference, Impact, Origin, Said};

/// The result of `devenv parity`. The same sides give the same report for every user: it has no ports, hosts or times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The project's name.
    pub project: String,
    /// The sides that were compared, and a description of each: `manifest` → `compose.prod.yaml (Compose)`.
    pub sides: Vec<Said>,
    /// The services, in the manifest's order.
    pub services: Vec<ReportedService>,
    /// The differences: the highest impact first, then in the order of the services.
    pub differences: Vec<Difference>,
    /// Additional sections.
    pub sections: Vec<Section>,
}

/// One service of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedService {
    /// Its name.
    pub name: String,
    /// Its kind's name.
    pub kind: String,
    /// The place where production's files declare its version; none if no file was read.
    pub origin: Option<Origin>,
    /// Its version on each side; for a side without a version, the reason.
    pub versions: Vec<Said>,
    /// Every fact that a side reported about it.
    pub facts: Vec<Fact>,
    /// The facts that could not be asked.
    pub not_asked: Vec<NotAsked>,
}

/// The values of all sides for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The topic: `settings`.
    pub topic: String,
    /// The name in it: `max_connections`.
    pub name: String,
    /// The value of each side that was asked.
    pub said: Vec<Said>,
    /// The result of the comparison.
    pub verdict: Verdict,
}

/// The result of comparing the values of all sides for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All values are the same.
    Same,
    /// The values differ, with this impact.
    Differs(Impact),
    /// Not compared: only one side has a value, or devenv knows no rule for the name.
    NotCompared,
}

impl Verdict {
    /// Its name: `same`, `breaks`, `not-compared`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs(impact) => impact.name(),
            Self::NotCompared => "not-compared",
        }
    }
}

impl ReportedService {
    /// How many facts were compared.
    pub fn compared(&self) -> usize {
        self.facts.iter().filter(|fact| fact.verdict != Verdict::NotCompared).count()
    }

    /// How many of them differ in a way that matters.
    pub fn different(&self) -> usize {
        let matters = |fact: &&Fact| matches!(fact.verdict, Verdict::Differs(impact) if impact != Impact::Expected);
        self.facts.iter().filter(matters).count()
    }

    /// How many topics, and single names in them, could not be asked.
    pub fn missing(&self) -> usize {
        self.not_asked.iter().map(|one| one.topics.len()).sum()
    }
}

/// Facts that a side could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotAsked {
    /// The side.
    pub side: String,
    /// The reason.
    pub why: String,
    /// The topics: `users`, `settings/save`.
    pub topics: Vec<String>,
}

/// A section that is not a list of differences: the gap of time, the gap of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// A short stable name: `time`.
    pub code: &'static str,
    /// Its heading.
    pub title: String,
    /// The measured quantities, each with its figure.
    pub rows: Vec<(String, String)>,
    /// The meaning of the figures, in one line.
    pub note: String,
}

impl Report {
    /// How many differences of that impact there are.
    pub fn count(&self, impact: Impact) -> usize {
        self.differences.iter().filter(|difference| difference.impact == impact).count()
    }

    /// How many facts were compared.
    pub fn compared(&self) -> usize {
        self.services.iter().map(ReportedService::compared).sum()
    }

    /// How many topics, and single names in them, could not be asked.
    pub fn missing(&self) -> usize {
        self.services.iter().map(ReportedService::missing).sum()
    }

    /// The differences of one service; with an empty name, of the project.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Difference> {
        self.differences.iter().filter(move |difference| difference.service == service)
    }

    /// Sorts the differences.
    pub fn sort(&mut self) {
        let place = |name: &str| self.services.iter().position(|service| service.name == name);
        self.differences.sort_by(|one, other| {
            let key = |difference: &Difference| {
                (std::cmp::Reverse(difference.impact), place(&difference.service).unwrap_or(usize::MAX))
            };
            key(one).cmp(&key(other)).then_with(|| (one.code, &one.subject).cmp(&(other.code, &other.subject)))
        });
    }
}

impl Impact {
    /// Its name: `breaks`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Behaves => "behaves",
            Self::Cosmetic => "cosmetic",
            Self::Expected => "expected",
        }
    }

    /// Its name in texts for users.
    pub fn words(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Behaves => "behaves differently",
            Self::Cosmetic => "cosmetic",
            Self::Expected => "expected",
        }
    }

    /// All impacts, the highest first.
    pub const ALL: [Self; 4] = [Self::Breaks, Self::Behaves, Self::Cosmetic, Self::Expected];
}

//! The report of parity: every side, what each says of the services, and where they differ.

use super::{Difference, Impact, Origin, Said};

/// What `devenv parity` found out. The same sides give the same report, whoever asks: no ports, hosts or times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The project's name.
    pub project: String,
    /// The sides that were compared, and what each of them is: `manifest` → `compose.prod.yaml (Compose)`.
    pub sides: Vec<Said>,
    /// The services, in the manifest's order.
    pub services: Vec<ReportedService>,
    /// What differs: what matters most first, then in the order of the services.
    pub differences: Vec<Difference>,
    /// Further sections.
    pub sections: Vec<Section>,
}

/// One service of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedService {
    /// Its name.
    pub name: String,
    /// Its kind's name.
    pub kind: String,
    /// Where production's files declare its version; none where no file was read.
    pub origin: Option<Origin>,
    /// Its version, as each side says it; why a side is silent, where it is.
    pub versions: Vec<Said>,
    /// Everything that a side said of it.
    pub facts: Vec<Fact>,
    /// What could not be asked.
    pub not_asked: Vec<NotAsked>,
}

/// What the sides say of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The topic: `settings`.
    pub topic: String,
    /// The name in it: `max_connections`.
    pub name: String,
    /// What each side says, as far as it was asked.
    pub said: Vec<Said>,
    /// What came of comparing them.
    pub verdict: Verdict,
}

/// What came of comparing what the sides say of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that was said is the same.
    Same,
    /// It differs, and matters as much as this.
    Differs(Impact),
    /// One side alone says something, or nothing is known of the name: it was not compared.
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

/// Something that a side could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotAsked {
    /// The side.
    pub side: String,
    /// Why.
    pub why: String,
    /// The topics: `users`, `settings/save`.
    pub topics: Vec<String>,
}

/// A section that is no list of differences: the gap of time, the gap of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// A short stable name: `time`.
    pub code: &'static str,
    /// Its heading.
    pub title: String,
    /// What is measured, and the figure.
    pub rows: Vec<(String, String)>,
    /// What the figures mean, in a line.
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

    /// The differences of one service; of the project where the name is empty.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Difference> {
        self.differences.iter().filter(move |difference| difference.service == service)
    }

    /// Puts the differences in their order.
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

    /// What it means, as people say it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Breaks => "breaks",
            Self::Behaves => "behaves differently",
            Self::Cosmetic => "cosmetic",
            Self::Expected => "expected",
        }
    }

    /// All of them, what matters most first.
    pub const ALL: [Self; 4] = [Self::Breaks, Self::Behaves, Self::Cosmetic, Self::Expected];
}

//! Assigns the names of services: the name of the block, unless that name is a common word or two blocks have it.

use crate::manifest::declare::cloud::Built;
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Stack};
use crate::project::Budget;
use std::collections::{HashMap, HashSet};

/// A service or app that was found, with the parts of its possible names.
pub(super) struct Candidate {
    /// The block's name.
    pub(super) name: String,
    /// Its index, if the block has several instances.
    pub(super) index: Option<String>,
    /// The calls that lead to it, the outermost first.
    pub(super) modules: Vec<String>,
    /// The service or app.
    pub(super) built: Built,
}

/// Names that modules usually give to their only resource.
const NAMELESS: &[&str] = &["this", "default"];

impl Candidate {
    /// The same, if production creates no instance.
    pub(super) fn absent(self) -> Self {
        Self { built: absent(self.built), ..self }
    }

    /// The possible names, from the shortest to the longest: the block's name, its module's name, the whole path, and
    /// the whole path with the kind.
    fn names(&self) -> [String; 4] {
        let indexed = |name: &str| match &self.index {
            Some(index) => format!("{name}-{index}"),
            None => name.to_owned(),
        };
        let own = indexed(&self.name);
        let whole = self.modules.iter().chain([&own]).map(String::as_str).collect::<Vec<_>>().join("-");
        let module = self.modules.last().map_or_else(|| whole.clone(), |module| indexed(module));
        let own = if NAMELESS.contains(&self.name.as_str()) { module.clone() } else { own };
        let kind = match &self.built {
            Built::Service(service, _) => service.kind.as_str(),
            Built::App(_) => "other",
        };
        let with_kind = format!("{whole}-{kind}");
        [own, module, whole, with_kind]
    }
}

/// A block of which production creates no instance: an app, which is listed and not started.
pub(super) fn absent(built: Built) -> Built {
    match built {
        Built::Service(service, _) => Built::App(App {
            name: service.name,
            image: None,
            note: "production makes none of it: its count is 0".to_owned(),
            origin: service.origin,
        }),
        app @ Built::App(_) => app,
    }
}

/// Assigns a unique name to each candidate, and adds the candidates to the stack.
pub(super) fn assign(found: Vec<Candidate>, stack: &mut Stack, budget: &Budget) {
    let names: Vec<[String; 4]> = found.iter().map(Candidate::names).collect();
    let mut counts: HashMap<(usize, &str), usize> = HashMap::new();
    for names in &names {
        for (level, name) in names.iter().enumerate() {
            *counts.entry((level, name)).or_default() += 1;
        }
    }
    let is_single = |level: usize, name: &str| counts.get(&(level, name)) == Some(&1);
    let mut taken: HashSet<String> = HashSet::new();
    // The next number to try after a name that is taken, so that each number is tried once.
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (at, candidate) in found.into_iter().enumerate() {
        let free = |name: &String| !taken.contains(name);
        let single = (0..3).find(|level| is_single(*level, &names[at][*level]) && free(&names[at][*level]));
        let any = || (2..4).find(|level| free(&names[at][*level]));
        let longest = &names[at][3];
        let mut name = single.or_else(any).map_or_else(|| longest.clone(), |level| names[at][level].clone());
        while taken.contains(&name) {
            let number = numbers.entry(longest.as_str()).or_insert(2);
            name = format!("{longest}-{number}");
            *number += 1;
        }
        taken.insert(name.clone());
        match candidate.built {
            Built::Service(mut service, _) => {
                service.name = name;
                (*service).add_to(&mut stack.services, budget);
            }
            Built::App(mut app) => {
                app.name = name;
                app.add_to(&mut stack.apps, budget);
            }
        }
    }
}

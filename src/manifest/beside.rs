//! Files that say nothing of services and are read beside the manifests: versions of tools, settings of development.
//!
//! They are read with the same budget, and within a deadline as the manifests are. What is not taken in is told.

use super::files::{FileFault, Project};
use super::search::Search;
use crate::model::{Diagnostic, Exit, Failure, Origin, Severity, SourceFile};
use crate::project::{Budget, LIMIT, Resource, within_deadline};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// A project's files beside its manifests.
pub(super) struct Beside {
    /// The project.
    pub(super) project: Project,
    told: RefCell<Vec<Diagnostic>>,
}

/// Reads files below a project's root, within the deadline.
pub(super) fn within<T: Send + 'static>(
    root: &Path,
    budget: &Budget,
    read: impl FnOnce(Beside) -> T + Send + 'static,
) -> Result<T, Failure> {
    let project = Project::at(root, budget).map_err(|error| {
        let told = Diagnostic::error("folder", format!("cannot read {}", root.display()));
        Failure::new(Exit::Failed, told.because(error.to_string()).help("check its permissions"))
    })?;
    within_deadline(budget, move || read(Beside { project, told: RefCell::default() }))
}

impl Beside {
    /// A file's text, where there is one; why it cannot be read is told.
    pub(super) fn read(&self, path: &Path) -> Option<Arc<SourceFile>> {
        let error = match self.project.read(path) {
            // Each reader goes through the whole text, so it is counted for each.
            Ok(source) => {
                let within =
                    self.project.budget.spend_at(Resource::Steps, source.text.len(), &Origin::start_of(&source));
                return within.then_some(source);
            }
            Err(error) => error,
        };
        // That the budget is spent is told once, at the end; a folder of that name is somebody else's.
        let is_told = error.diagnostic.code != LIMIT && error.fault != FileFault::Missing;
        if is_told && !self.project.is_folder(path) {
            self.tell(Diagnostic { severity: Severity::Warning, ..*error.diagnostic });
        }
        None
    }

    /// Tells something, once.
    pub(super) fn tell(&self, diagnostic: Diagnostic) {
        let mut told = self.told.borrow_mut();
        if !told.contains(&diagnostic) {
            told.push(diagnostic);
        }
    }

    /// What was told, and what was left out because there is too much.
    pub(super) fn told(self, search: &Search) -> Vec<Diagnostic> {
        let mut told = self.told.into_inner();
        if let Some(limit) = self.project.budget.overspent() {
            let help = "what this file and those after it say is not compared: name the manifests alone with -f";
            told.push(Diagnostic { severity: Severity::Warning, help: vec![help.to_owned()], ..limit });
        }
        if search.is_cut() {
            let message = "the project has more files than are searched for pinned tools and settings of development";
            told.push(
                Diagnostic::warning("search-cut", message)
                    .help("work in the app's own folder: `devenv -C FOLDER parity`"),
            );
        }
        told
    }
}

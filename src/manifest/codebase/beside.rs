//! Files that are read beside the manifests and do not declare services: pinned tools, settings of development.
//!
//! They are read with the same budget as the manifests, and within a deadline. Files that are not read are reported.

use crate::manifest::read::files::{FileFault, Project};
use crate::manifest::read::search::Search;
use crate::model::{Diagnostic, Exit, Failure, Origin, Severity, SourceFile};
use crate::project::{Budget, LIMIT, Resource, within_deadline};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// A project's files beside its manifests.
pub(crate) struct Beside {
    /// The project.
    pub(crate) project: Project,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

/// Reads files below a project's root, within the deadline.
pub(crate) fn within<T: Send + 'static>(
    root: &Path,
    budget: &Budget,
    read: impl FnOnce(Beside) -> T + Send + 'static,
) -> Result<T, Failure> {
    let project = Project::at(root, budget).map_err(|error| {
        let diagnostic = Diagnostic::error("folder", format!("cannot read {}", root.display()));
        Failure::new(Exit::Failed, diagnostic.because(error.to_string()).help("check its permissions"))
    })?;
    within_deadline(budget, move || read(Beside { project, diagnostics: RefCell::default() }))
}

impl Beside {
    /// A file's text, if the file exists. If it cannot be read, the reason is reported.
    pub(crate) fn read(&self, path: &Path) -> Option<Arc<SourceFile>> {
        let error = match self.project.read(path) {
            // Each reader goes through the whole text, so the text is counted for each reader.
            Ok(source) => {
                let within =
                    self.project.budget.spend_at(Resource::Steps, source.text.len(), &Origin::start_of(&source));
                return within.then_some(source);
            }
            Err(error) => error,
        };
        // A spent budget is reported once, at the end. A folder of that name has another purpose, so it is no mistake.
        let is_reported = error.diagnostic.code != LIMIT && error.fault != FileFault::Missing;
        if is_reported && !self.project.is_folder(path) {
            self.tell(Diagnostic { severity: Severity::Warning, ..*error.diagnostic });
        }
        None
    }

    /// Reports a diagnostic, once.
    pub(crate) fn tell(&self, diagnostic: Diagnostic) {
        let mut diagnostics = self.diagnostics.borrow_mut();
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }

    /// The diagnostics so far, and warnings about files that were not read because there are too many.
    pub(crate) fn diagnostics(self, search: &Search) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics.into_inner();
        if let Some(limit) = self.project.budget.overspent() {
            let help = "this file and the files after it are not compared: name only the manifests, with -f";
            diagnostics.push(Diagnostic { severity: Severity::Warning, help: vec![help.to_owned()], ..limit });
        }
        if search.is_cut() {
            let message = "the project has more files than are searched for pinned tools and settings of development";
            diagnostics.push(
                Diagnostic::warning("search-cut", message)
                    .help("work in the app's own folder: `devenv -C FOLDER parity`"),
            );
        }
        diagnostics
    }
}

//! Files that were found, each with the dialect that recognised it.

use super::{Dialect, ManifestFile, Syntax};
use crate::manifest::read::files::{FileError, Project};
use crate::manifest::read::parsed::{parsed, parsed_templated};
use crate::model::{Diagnostic, SourceFile};
use crate::project::Budget;
use memchr::memmem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of discovery in a project.
pub(crate) struct Found {
    /// The dialects that may recognise a file.
    pub(crate) dialects: &'static [Dialect],
    /// The manifests, in the order in which they are read, each with the dialect that recognised it.
    pub(crate) files: Vec<(&'static Dialect, ManifestFile)>,
    /// Messages for the user: ignored files, files that cannot be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The places that were searched, for the message that nothing was found.
    pub(crate) looked: Vec<String>,
}

impl Found {
    /// Nothing is found yet.
    pub(crate) fn new(dialects: &'static [Dialect]) -> Self {
        Self { dialects, files: Vec::new(), diagnostics: Vec::new(), looked: Vec::new() }
    }

    /// Takes a file that could be read. If it could not be read, the error says where the file was named.
    pub(crate) fn take(&mut self, project: &Project, read: Result<Arc<SourceFile>, FileError>, named: Option<&str>) {
        match read {
            Ok(source) => {
                let folder = folder_of(project, &source.path);
                self.take_from(&folder, Ok(source), &project.budget, named);
            }
            Err(error) => self.take_from(&project.root, Err(error), &project.budget, named),
        }
    }

    /// The same; relative paths in the file start from that folder.
    pub(crate) fn take_from(
        &mut self,
        folder: &Path,
        read: Result<Arc<SourceFile>, FileError>,
        budget: &Budget,
        named: Option<&str>,
    ) {
        match read {
            Ok(source) => self.identify(source, folder, budget),
            Err(error) => self.diagnostics.push(match named {
                Some(named) => error.diagnostic.because(format!("{named} names it")),
                None => *error.diagnostic,
            }),
        }
    }

    /// Takes a file that was named, for the first dialect that recognises it. A file of no dialect is reported.
    fn identify(&mut self, source: Arc<SourceFile>, folder: &Path, budget: &Budget) {
        let message = format!("`{}` is of no format that devenv reads", source.path.display());
        let (file, broken) = recognised(self.dialects, source, folder, budget);
        let known = file.is_some();
        self.files.extend(file);
        if !known && broken.is_empty() {
            self.diagnostics
                .push(no_format(message).help("name another file with -f, or write a services.yaml (`devenv init`)"));
        }
        self.diagnostics.extend(broken);
    }
}

/// The first dialect that recognises a text, and the mistakes in the text. If no dialect recognises the text, the
/// diagnostics say why it cannot be parsed.
pub(crate) fn recognised(
    dialects: &'static [Dialect],
    source: Arc<SourceFile>,
    folder: &Path,
    budget: &Budget,
) -> (Option<(&'static Dialect, ManifestFile)>, Vec<Diagnostic>) {
    let plain = ManifestFile { source, folder: folder.to_path_buf(), documents: Vec::new() };
    let mut yaml: Option<(ManifestFile, Vec<Diagnostic>)> = None;
    for dialect in dialects.iter().filter(|dialect| has_marks(dialect, &plain.source.text)) {
        if dialect.syntax == Syntax::Text {
            if (dialect.recognises)(&plain) {
                return (Some((dialect, plain)), Vec::new());
            }
            continue;
        }
        let (file, _) = yaml.get_or_insert_with(|| {
            let mut broken = Vec::new();
            (parsed(Arc::clone(&plain.source), folder.to_path_buf(), budget, &mut broken), broken)
        });
        if (dialect.recognises)(file) {
            let (mut file, mut broken) = yaml.unwrap_or_else(|| (plain, Vec::new()));
            if dialect.syntax == Syntax::Templated && !broken.is_empty() {
                broken.clear();
                file = parsed_templated(file.source, folder.to_path_buf(), budget, &mut broken);
            }
            return (Some((dialect, file)), broken);
        }
    }
    (None, yaml.map(|(_, broken)| broken).unwrap_or_default())
}

pub(crate) fn has_marks(dialect: &Dialect, text: &str) -> bool {
    dialect.marks.iter().all(|mark| memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
}

pub(crate) fn no_format(message: String) -> Diagnostic {
    Diagnostic::error("file-format", message)
        .because("docs/manifests.md of devenv lists the formats and the names of their files")
}

pub(crate) fn folder_of(project: &Project, path: &Path) -> PathBuf {
    project.root.join(path).parent().unwrap_or(&project.root).to_path_buf()
}

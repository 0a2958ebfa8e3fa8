//! Finds files below one folder by patterns of their paths.
//!
//! The search ends for a folder of any size: it goes a few folders deep, skips the folders of packages, tools and build
//! results, follows no linked folder, and lists a bounded number of names.

use crate::kinds;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How many folders deep `**` goes.
const MAX_DEPTH: usize = 3;

/// How many names one search lists in total.
const MAX_NAMES: usize = 20_000;

/// Folders without manifests of the project: code of other projects, build results, state of tools.
const SKIPPED: &[&str] = &[
    "node_modules",
    "bower_components",
    "vendor",
    "third_party",
    "target",
    "dist",
    "build",
    "venv",
    "__pycache__",
    "site-packages",
    "testdata",
    "fixtures",
];

/// A search below one folder; each listed folder is cached.
pub(crate) struct Search {
    root: PathBuf,
    listed: HashMap<PathBuf, Rc<[Name]>>,
    names: usize,
}

/// One entry of a folder.
struct Name {
    name: String,
    is_folder: bool,
}

impl Search {
    /// A search below that folder.
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf(), listed: HashMap::new(), names: 0 }
    }

    /// The files whose path from the folder matches a pattern, sorted. In a pattern, `*` matches any characters within
    /// one name, `{a,b}` matches one of several texts, and a whole segment `**` matches any number of folders, also
    /// none.
    pub(crate) fn matching(&mut self, pattern: &str) -> Vec<PathBuf> {
        let segments: Vec<&str> = pattern.split('/').collect();
        let mut found = Vec::new();
        self.walk(Path::new(""), &segments, 0, &mut found);
        found.sort();
        found.dedup();
        found
    }

    /// Whether the search was cut short because there are too many files.
    pub(crate) fn is_cut(&self) -> bool {
        self.names >= MAX_NAMES
    }

    fn walk(&mut self, folder: &Path, segments: &[&str], depth: usize, found: &mut Vec<PathBuf>) {
        let Some((segment, rest)) = segments.split_first() else { return };
        if *segment == "**" {
            self.walk(folder, rest, 0, found);
            if depth == MAX_DEPTH {
                return;
            }
        }
        let names = self.list(folder);
        // The declarations of a Helm chart's templates are only known after rendering.
        let is_chart = names.iter().any(|entry| entry.name == "Chart.yaml");
        for entry in names.iter() {
            let wild = segment.contains('*');
            if entry.is_folder && wild && (is_never(&entry.name) || (is_chart && entry.name == "templates")) {
                continue;
            }
            let path = folder.join(&entry.name);
            if *segment == "**" {
                if entry.is_folder {
                    self.walk(&path, segments, depth + 1, found);
                }
            } else if entry.is_folder != rest.is_empty() && alternatives(segment, &entry.name) {
                if rest.is_empty() {
                    found.push(path);
                } else {
                    self.walk(&path, rest, 0, found);
                }
            }
        }
    }

    fn list(&mut self, folder: &Path) -> Rc<[Name]> {
        if let Some(known) = self.listed.get(folder) {
            return Rc::clone(known);
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten() {
            if self.names >= MAX_NAMES {
                break;
            }
            self.names += 1;
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
            // A linked file is followed when it is read, if that is allowed. A linked folder is never followed.
            if kind.is_symlink() && !entry.path().is_file() {
                continue;
            }
            names.push(Name { name, is_folder: kind.is_dir() });
        }
        let names: Rc<[Name]> = names.into();
        self.listed.insert(folder.to_path_buf(), Rc::clone(&names));
        names
    }
}

/// Whether wildcards skip a folder, because it is hidden or holds no manifests of the project.
pub(crate) fn is_never(name: &str) -> bool {
    name.starts_with('.') || SKIPPED.contains(&name)
}

/// Whether a name matches a segment with `{a,b}` and `*`.
pub(crate) fn alternatives(segment: &str, name: &str) -> bool {
    let Some((before, rest)) = segment.split_once('{') else { return kinds::matches(segment, name) };
    let Some((inside, after)) = rest.split_once('}') else { return kinds::matches(segment, name) };
    inside.split(',').any(|one| alternatives(&format!("{before}{one}{after}"), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str], pattern: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for path in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut search = Search::below(folder.path());
        search.matching(pattern).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn a_pattern_finds_its_files_only() {
        let files = ["a.yaml", "b.yml", "k8s/c.yaml", "k8s/deep/er/d.yaml", "k8s/1/2/3/4/far.yaml", "other/e.yaml"];
        assert_eq!(found(&files, "*.yaml"), ["a.yaml"]);
        assert_eq!(found(&files, "*.{yaml,yml}"), ["a.yaml", "b.yml"]);
        assert_eq!(found(&files, "{k8s,kube}/**/*.yaml"), ["k8s/c.yaml", "k8s/deep/er/d.yaml"]);
        assert_eq!(found(&files, "other/e.yaml"), ["other/e.yaml"]);
    }

    #[test]
    fn folders_of_packages_and_hidden_folders_are_skipped_unless_named() {
        let files = ["x/node_modules/a.tf", "x/.terraform/b.tf", "x/vendor/c.tf", "x/d/e.tf", ".nais/nais.yaml"];
        assert_eq!(found(&files, "**/*.tf"), ["x/d/e.tf"]);
        assert_eq!(found(&files, ".nais/*.yaml"), [".nais/nais.yaml"]);
    }

    #[test]
    fn a_charts_templates_are_skipped() {
        assert_eq!(found(&["c/Chart.yaml", "c/templates/db.yaml"], "c/**/*.yaml"), ["c/Chart.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn linked_folders_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("k8s")).unwrap();
        fs::write(folder.path().join("k8s/a.yaml"), "").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("k8s/loop")).unwrap();
        assert_eq!(Search::below(folder.path()).matching("k8s/**/*.yaml"), [PathBuf::from("k8s/a.yaml")]);
    }
}

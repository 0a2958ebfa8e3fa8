//! The identity of an environment: one for each machine and checkout.

use crate::machine::Key;
use crate::model::{Lease, Scope};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// An environment's name, and the key from which its passwords are derived.
#[derive(Clone)]
pub struct Identity {
    /// Project and hash: `shop-3f9a12bc`. The prefix of all its names on the engine.
    pub name: String,
    /// The canonical root folder.
    pub root: PathBuf,
    /// Whether the environment is deleted at the end of its run (`devenv run --ephemeral`).
    pub ephemeral: bool,
    /// The machine's key.
    pub key: Key,
    /// The owner and the expiry of an ephemeral environment.
    pub lease: Option<Lease>,
    /// The current git branch, if data follows branches (`branch: git`).
    pub branch: Option<String>,
}

/// The variables in which CI systems name the project. The first variable that is set counts.
const OWNERS: [&str; 7] = [
    "GITHUB_REPOSITORY",
    "CI_PROJECT_PATH",
    "BUILDKITE_PIPELINE_SLUG",
    "CIRCLE_PROJECT_REPONAME",
    "JOB_NAME",
    "USER",
    "LOGNAME",
];
/// The variables in which CI systems name the job. The first variable that is set counts.
const JOBS: [&str; 5] = ["GITHUB_RUN_ID", "CI_JOB_ID", "BUILDKITE_JOB_ID", "CIRCLE_WORKFLOW_JOB_ID", "BUILD_TAG"];

/// The lease of a run, from the variables of its process; `process` is the number of the process.
pub fn lease_of(variable: &dyn Fn(&str) -> Option<String>, process: u32, expires: i64) -> Lease {
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    Lease {
        owner: first(&OWNERS).unwrap_or_else(|| "unknown".to_owned()),
        job: first(&JOBS).unwrap_or_else(|| format!("process {process}")),
        expires,
    }
}

impl Identity {
    /// The environment of a checkout. `root` is canonical, so that two paths to the same folder give the same
    /// environment.
    pub fn of_checkout(project: &str, root: &Path, key: Key) -> Self {
        let name = named(project, &key, &[root.as_os_str().as_encoded_bytes()]);
        Self { name, root: root.to_owned(), ephemeral: false, key, lease: None, branch: None }
    }

    /// The environment with this name, if the name belongs to a checkout in `root` and to this key, with any project
    /// name. The name and the root come from labels. Only the owner of the key can create such a name.
    pub fn of_labels(name: &str, root: &Path, key: &Key) -> Option<Self> {
        let (_, mark) = name.rsplit_once('-')?;
        (mark == mark_of(key, &[root.as_os_str().as_encoded_bytes()])).then(|| Self {
            name: name.to_owned(),
            root: root.to_owned(),
            ephemeral: false,
            key: key.clone(),
            lease: None,
            branch: None,
        })
    }

    /// The owner that labels all resources of the environment.
    pub fn scope(&self) -> Scope {
        Scope {
            root: self.root.display().to_string(),
            environment: self.name.clone(),
            ephemeral: self.ephemeral,
            lease: self.lease.clone(),
        }
    }

    /// The project's name at the time when the environment got its name.
    pub fn project(&self) -> &str {
        self.name.rsplit_once('-').map_or(self.name.as_str(), |(project, _)| project)
    }

    /// A separate environment of the checkout, which `token` distinguishes from others.
    pub fn ephemeral(project: &str, root: &Path, key: Key, token: &str) -> Self {
        let name = named(project, &key, &[root.as_os_str().as_encoded_bytes(), token.as_bytes()]);
        Self { name, root: root.to_owned(), ephemeral: true, key, lease: None, branch: None }
    }

    /// The public part of this machine's key, which distinguishes the users of an engine.
    pub fn machine(&self) -> String {
        self.key.public_id()[..8].iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// A stable number for this environment and this purpose, for choosing ports and addresses.
    pub fn number(&self, purpose: &str) -> u64 {
        let mac = self.key.mac(&[b"number", self.name.as_bytes(), purpose.as_bytes()]);
        mac[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

fn named(project: &str, key: &Key, parts: &[&[u8]]) -> String {
    format!("{}-{}", slug(project), mark_of(key, parts))
}

/// The end of an environment's name, which only the owner of the key can create.
fn mark_of(key: &Key, parts: &[&[u8]]) -> String {
    let id = key.public_id();
    let mut all: Vec<&[u8]> = vec![b"environment", &id];
    all.extend(parts);
    let mac = key.mac(&all);
    mac[..4].iter().fold(String::new(), |mut mark, byte| {
        let _ = write!(mark, "{byte:02x}");
        mark
    })
}

/// The text in lower-case letters, digits and single dashes, at most 40 characters: valid in names on the engine and in
/// host names.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "project".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_checkouts_of_one_project_have_two_names() {
        let key = Key::from_bytes([7; 32]);
        let one = Identity::of_checkout("Shop & Co", Path::new("/a"), key.clone());
        let two = Identity::of_checkout("Shop & Co", Path::new("/b"), key.clone());
        let again = Identity::of_checkout("Shop & Co", Path::new("/a"), key.clone());
        assert_ne!(one.name, two.name);
        assert_eq!(one.name, again.name);
        assert!(one.name.starts_with("shop-co-"), "{}", one.name);
        assert_ne!(one.name, Identity::ephemeral("Shop & Co", Path::new("/a"), key, "1").name);
    }

    #[test]
    fn the_labels_of_an_environment_are_accepted_only_for_its_own_key_and_folder() {
        let (key, other) = (Key::from_bytes([7; 32]), Key::from_bytes([8; 32]));
        let name = Identity::of_checkout("Shop & Co", Path::new("/a"), key.clone()).name;
        let found = Identity::of_labels(&name, Path::new("/a"), &key).map(|one| (one.project().to_owned(), one.name));
        assert_eq!(found, Some(("shop-co".to_owned(), name.clone())));
        assert!(Identity::of_labels(&name, Path::new("/b"), &key).is_none());
        assert!(Identity::of_labels(&name, Path::new("/a"), &other).is_none());
        let ephemeral = Identity::ephemeral("shop-co", Path::new("/a"), key.clone(), "1").name;
        assert!(Identity::of_labels(&ephemeral, Path::new("/a"), &key).is_none());
    }

    #[test]
    fn a_ci_job_is_named_as_its_system_names_it() {
        let github = |name: &str| match name {
            "GITHUB_REPOSITORY" => Some("shop/web".to_owned()),
            "GITHUB_RUN_ID" => Some("77".to_owned()),
            "USER" => Some("runner".to_owned()),
            _ => None,
        };
        let lease = lease_of(&github, 5, 9);
        assert_eq!((lease.owner.as_str(), lease.job.as_str(), lease.expires), ("shop/web", "77", 9));
        let user = |name: &str| (name == "USER").then(|| "ada".to_owned());
        let lease = lease_of(&user, 5, 9);
        assert_eq!((lease.owner.as_str(), lease.job.as_str()), ("ada", "process 5"));
    }

    #[test]
    fn a_text_without_letters_still_gives_a_name() {
        assert_eq!(slug("…"), "project");
        assert_eq!(slug("-My_App.2-"), "my-app-2");
    }
}

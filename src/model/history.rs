//! A project's history of releases, from git, as plain data.

use super::Origin;

/// The deployed revision, the commits that wait to be deployed, and the authors. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The main branch as git calls it: `origin/main`.
    pub main: String,
    /// The commit at its head.
    pub head: String,
    /// The deployed revision: a release tag, or the revision that the manifest names.
    pub deployed: String,
    /// The place where the manifest names the revision; none for a release tag.
    pub named_at: Option<Origin>,
    /// How many commits of the main branch are not in the deployed revision; merges do not count.
    pub waiting: u64,
    /// When the first of these commits came to the main branch.
    pub waiting_since: Option<i64>,
    /// The releases, oldest first.
    pub releases: Vec<Release>,
    /// The newer commits of the main branch and of the releases, with their parents as far as these are in the list
    /// too.
    pub commits: Vec<Commit>,
}

/// A release, identified by its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The tag's name.
    pub name: String,
    /// The commit that was released.
    pub commit: String,
    /// The time of the release; for a lightweight tag, the time of its commit.
    pub time: i64,
    /// The email address of the tagger, if the tag has one.
    pub tagger: Option<String>,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The ids of its parents; a merge has more than one.
    pub parents: Vec<String>,
    /// The time of the commit.
    pub time: i64,
    /// The email address of its author.
    pub author: String,
}

/// Whether a tag names a release: `v1.4`, `1.4.2`, `2026.11.3`, `release-12`, `release/1.4`. Pre-releases (`-rc.1`,
/// `-beta2`) do not count.
pub fn is_release(tag: &str) -> bool {
    let lower = tag.to_ascii_lowercase();
    let before_release = ["rc", "alpha", "beta", "pre", "preview", "dev", "snapshot", "nightly", "canary"];
    let words = lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    if words.into_iter().any(|word| before_release.contains(&word)) {
        return false;
    }
    let named =
        ["release-", "release/", "release_", "releases/", "rel-"].iter().find_map(|word| lower.strip_prefix(word));
    if let Some(rest) = named {
        return rest.contains(|c: char| c.is_ascii_digit());
    }
    let (version, has_v) = lower.strip_prefix('v').map_or((lower.as_str(), false), |rest| (rest, true));
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let (numbers, rest) = version.split_at(end);
    numbers.starts_with(|c: char| c.is_ascii_digit())
        && numbers.split('.').all(|part| !part.is_empty())
        && (has_v || numbers.contains('.'))
        && (rest.is_empty() || rest.starts_with(['-', '+', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_known_by_their_tags_names() {
        for tag in [
            "v1",
            "v1.4",
            "V1.4.2",
            "1.4.2",
            "2026.11.3",
            "release-12",
            "release/1.4",
            "rel-3",
            "v1.4.2-hotfix",
            "1.0+5",
        ] {
            assert!(is_release(tag), "{tag}");
        }
        for tag in [
            "",
            "v",
            "version",
            "vendor-1",
            "1",
            "20261103",
            "v1.",
            "1..2",
            "v1.4-rc.1",
            "1.4.0-beta2",
            "2.0.0-alpha",
            "release-notes",
            "release-1.0-rc1",
            "deploy",
            "nightly-2026.11.3",
            "v1.0x",
            "1.4.2foo",
            "before-1.4",
        ] {
            assert!(!is_release(tag), "{tag}");
        }
    }
}

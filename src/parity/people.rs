//! The gap between people: whether the authors of the code also release it.
//!
//! Only counts and percentages leave this module: no name, no address, no order of people.

use crate::model::{Commit, History, Release};
use std::collections::HashMap;

/// The number of past days whose commits count.
pub const DAYS: u32 = 90;

/// How many commits of the last days were released, and whether their authors released them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PeopleGap {
    /// The number of past days.
    pub days: u32,
    /// The number of commits on the main branch in that time; merges do not count.
    pub commits: u64,
    /// The percentage of these commits that are in a release.
    pub released_percent: u32,
    /// The percentage of these commits that are in a release whose tag names who made it.
    pub told_percent: u32,
    /// Of the commits in releases with such a tag, the percentage that their author released; `None` if no tag names
    /// anyone.
    pub author_released_percent: Option<u32>,
}

impl PeopleGap {
    /// Returns a row for each measure: its name and its figure.
    pub fn rows(&self) -> Vec<(String, String)> {
        let by_author = self.author_released_percent.map(|percent| format!("{percent} %"));
        vec![
            (format!("commits of the last {} days", self.days), self.commits.to_string()),
            ("of these, released".to_owned(), format!("{} %", self.released_percent)),
            ("of these, in a release whose tag names who made it".to_owned(), format!("{} %", self.told_percent)),
            (
                "of the commits with such a tag, released by their author".to_owned(),
                by_author.unwrap_or_else(|| "no tag names who made it; a tag of `git tag -a` does".to_owned()),
            ),
        ]
    }
}

/// Returns the gap at a moment, in seconds since 1970; `None` if there were no commits in that time.
pub fn gap(history: &History, now: i64) -> Option<PeopleGap> {
    let since = now - i64::from(DAYS) * 24 * 60 * 60;
    let by_id: HashMap<&str, &Commit> = history.commits.iter().map(|commit| (commit.id.as_str(), commit)).collect();
    let released = first_releases(&by_id, &history.releases);
    let mut on_main = HashMap::new();
    reach(&by_id, &history.head, &mut on_main, true);
    let mut counts = [0_u64; 4];
    for commit in by_id.values().filter(|commit| commit.time >= since && commit.parents.len() < 2) {
        if !on_main.contains_key(commit.id.as_str()) {
            continue;
        }
        let release = released.get(commit.id.as_str());
        let tagger = release.and_then(|release| release.tagger.as_deref());
        let by_author = tagger.is_some_and(|tagger| tagger.eq_ignore_ascii_case(&commit.author));
        for (count, counts_here) in counts.iter_mut().zip([true, release.is_some(), tagger.is_some(), by_author]) {
            *count += u64::from(counts_here);
        }
    }
    let [commits, released, tagged, by_author] = counts;
    (commits > 0).then(|| PeopleGap {
        days: DAYS,
        commits,
        released_percent: percent(released, commits),
        told_percent: percent(tagged, commits),
        author_released_percent: (tagged > 0).then(|| percent(by_author, tagged)),
    })
}

/// Returns the first release that contains each commit.
fn first_releases<'a>(by_id: &HashMap<&'a str, &'a Commit>, releases: &'a [Release]) -> HashMap<&'a str, &'a Release> {
    let mut first = HashMap::new();
    for release in releases {
        reach(by_id, &release.commit, &mut first, release);
    }
    first
}

/// Marks the commits that can be reached from a commit through parents, as far as they are known and not marked yet.
fn reach<'a, M: Copy>(by_id: &HashMap<&'a str, &'a Commit>, from: &str, marked: &mut HashMap<&'a str, M>, mark: M) {
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        let Some(commit) = by_id.get(id) else { continue };
        if marked.contains_key(commit.id.as_str()) {
            continue;
        }
        marked.insert(&commit.id, mark);
        open.extend(commit.parents.iter().map(String::as_str));
    }
}

/// Rounds to the nearest percent.
fn percent(part: u64, whole: u64) -> u32 {
    u32::try_from((part * 100 + whole / 2) / whole).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const NOW: i64 = 1000 * DAY;

    fn commit(id: &str, parents: &[&str], days_ago: i64, author: &str) -> Commit {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        Commit { id: id.to_owned(), parents, time: NOW - days_ago * DAY, author: author.to_owned() }
    }

    fn release(name: &str, commit: &str, days_ago: i64, tagger: Option<&str>) -> Release {
        let tagger = tagger.map(str::to_owned);
        Release { name: name.to_owned(), commit: commit.to_owned(), time: NOW - days_ago * DAY, tagger }
    }

    fn history(commits: Vec<Commit>, releases: Vec<Release>) -> History {
        History {
            main: "main".to_owned(),
            head: commits.last().map(|commit| commit.id.clone()).unwrap_or_default(),
            deployed: String::new(),
            named_at: None,
            waiting: 0,
            waiting_since: None,
            releases,
            commits,
        }
    }

    #[test]
    fn shares_are_of_the_first_release_that_holds_a_commit() {
        let commits = vec![
            commit("old", &[], 120, "ann@x"),
            commit("a", &["old"], 80, "ann@x"),
            commit("b", &["a"], 70, "ben@x"),
            commit("side", &["a"], 65, "ann@x"),
            commit("merge", &["b", "side"], 60, "ben@x"),
            commit("c", &["merge"], 30, "Ben@x"),
            commit("d", &["c"], 1, "ann@x"),
        ];
        let releases = vec![
            release("v1", "merge", 55, Some("ann@x")),
            release("v2", "c", 20, Some("ben@X")),
            // A later release also contains all the earlier commits, but does not count for them.
            release("v3", "c", 10, Some("eve@x")),
        ];
        let gap = gap(&history(commits, releases), NOW).unwrap();
        assert_eq!((gap.commits, gap.released_percent, gap.told_percent), (5, 80, 80));
        // a and side by ann in v1, c by ben in v2; b was released by ann.
        assert_eq!(gap.author_released_percent, Some(75));
    }

    #[test]
    fn a_lightweight_tag_names_no_releaser() {
        let commits = vec![commit("a", &[], 3, "ann@x"), commit("b", &["a"], 2, "ben@x")];
        let gap = gap(&history(commits, vec![release("v1", "a", 1, None)]), NOW).unwrap();
        assert_eq!((gap.released_percent, gap.told_percent, gap.author_released_percent), (50, 0, None));
    }

    #[test]
    fn its_rows_name_each_measure_and_the_tags_that_name_a_releaser() {
        let gap = PeopleGap {
            days: 90,
            commits: 40,
            released_percent: 75,
            told_percent: 50,
            author_released_percent: Some(20),
        };
        let lines =
            |gap: &PeopleGap| gap.rows().iter().map(|(what, figure)| format!("{what}: {figure}")).collect::<Vec<_>>();
        assert_eq!(
            lines(&gap),
            [
                "commits of the last 90 days: 40",
                "of these, released: 75 %",
                "of these, in a release whose tag names who made it: 50 %",
                "of the commits with such a tag, released by their author: 20 %"
            ]
        );
        let without_tags = PeopleGap { told_percent: 0, author_released_percent: None, ..gap };
        assert!(lines(&without_tags)[3].ends_with("no tag names who made it; a tag of `git tag -a` does"));
    }

    #[test]
    fn commits_of_other_branches_and_of_earlier_times_do_not_count() {
        let commits = vec![
            commit("branch", &[], 3, "ann@x"),
            commit("early", &[], 91, "ann@x"),
            commit("a", &["early"], 2, "ben@x"),
        ];
        let gap = gap(&history(commits, vec![release("v1", "branch", 1, Some("ann@x"))]), NOW).unwrap();
        assert_eq!((gap.commits, gap.released_percent), (1, 0));
        assert_eq!(super::gap(&history(vec![commit("early", &[], 91, "x")], Vec::new()), NOW), None);
    }

    #[test]
    fn no_name_leaves_the_module() {
        let commits = vec![commit("a", &[], 3, "ann@x")];
        let gap = gap(&history(commits, vec![release("v1", "a", 1, Some("ann@x"))]), NOW).unwrap();
        let json = serde_json::to_string(&gap).unwrap();
        assert!(!json.contains("ann") && json.contains("\"author_released_percent\":100"), "{json}");
    }
}

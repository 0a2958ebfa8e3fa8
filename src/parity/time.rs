//! The time gap: how far the deployed revision is behind the main branch.

use crate::model::{App, History, ImageRef, Located};

const DAY: i64 = 24 * 60 * 60;

/// How far the deployed revision is behind.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TimeGap {
    /// The name of the main branch in git: `origin/main`.
    pub main: String,
    /// The deployed revision: `v1.4.2`, a commit's id.
    pub deployed: String,
    /// The place in the manifest that names the revision (`compose.prod.yaml:5:12`); `None` if the revision is the
    /// newest release tag.
    pub named_at: Option<String>,
    /// The number of commits of the main branch that are not deployed; merges do not count.
    pub commits: u64,
    /// The number of whole days that the first of these commits has been on the main branch; `None` if no commit waits.
    pub oldest_days: Option<u64>,
}

/// Returns the gap at a moment, in seconds since 1970.
pub fn gap(history: &History, now: i64) -> TimeGap {
    let days = |since: i64| u64::try_from((now - since) / DAY).unwrap_or_default();
    TimeGap {
        main: history.main.clone(),
        deployed: history.deployed.clone(),
        named_at: history.named_at.as_ref().map(ToString::to_string),
        commits: history.waiting,
        oldest_days: history.waiting_since.filter(|_| history.waiting > 0).map(days),
    }
}

impl TimeGap {
    /// Returns a row for each measure: its name and its figure.
    pub fn rows(&self) -> Vec<(String, String)> {
        let named = self.named_at.as_ref().map(|place| format!("as {place} names it"));
        let named = named.unwrap_or_else(|| "the newest release tag".to_owned());
        let waiting = match self.commits {
            0 => "nothing".to_owned(),
            1 => "1 commit".to_owned(),
            several => format!("{several} commits"),
        };
        let mut rows = vec![
            ("deployed".to_owned(), format!("{}, {named}", self.deployed)),
            (format!("waiting on {}", self.main), waiting),
        ];
        let days = self.oldest_days.map(|days| if days == 1 { "1 day".to_owned() } else { format!("{days} days") });
        rows.extend(days.map(|days| ("the first of them for".to_owned(), days)));
        rows
    }
}

/// Returns the revisions that the apps' images may be named after, each with the place where the manifest names the
/// app. A revision is a tag that is a release (`v1.4.2`) or a commit's id, also after the words that build systems put
/// before an id (`sha-3f2a91c`). Git decides whether the repository knows the revision.
pub fn revisions(apps: &[App]) -> Vec<Located<String>> {
    let revision = |app: &App| {
        let tag = ImageRef::parse(app.image.as_deref()?).ok()?.tag?;
        let last = tag.rsplit(['-', '_']).next().unwrap_or_default();
        let is_id = (7..=40).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_hexdigit());
        let word = if is_id && !crate::model::is_release(&tag) { last } else { tag.as_str() };
        (is_id || crate::model::is_release(word)).then(|| Located::new(word.to_owned(), app.origin.clone()))
    };
    apps.iter().filter_map(revision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    fn origin() -> Origin {
        Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() }))
    }

    fn history(waiting: u64, waiting_since: Option<i64>) -> History {
        History {
            main: "origin/main".to_owned(),
            head: "c9".to_owned(),
            deployed: "v1.4".to_owned(),
            named_at: Some(origin()),
            waiting,
            waiting_since,
            releases: Vec::new(),
            commits: Vec::new(),
        }
    }

    #[test]
    fn the_age_is_in_whole_days_from_now() {
        let gap = |waiting, since| super::gap(&history(waiting, since), 100 * DAY);
        assert_eq!(gap(3, Some(97 * DAY + 1)).oldest_days, Some(2));
        assert_eq!(gap(3, Some(97 * DAY + 1)).named_at.as_deref(), Some("compose.yaml:1:1"));
        assert_eq!(gap(0, None).oldest_days, None);
        // The clock of the machine that made the commit may differ from the clock of this machine.
        assert_eq!(gap(1, Some(100 * DAY + 5)).oldest_days, Some(0));
        assert_eq!(gap(1, Some(300 * DAY)).oldest_days, Some(0));
    }

    #[test]
    fn its_rows_name_each_measure() {
        let lines =
            |gap: &TimeGap| gap.rows().iter().map(|(what, figure)| format!("{what}: {figure}")).collect::<Vec<_>>();
        let gap = super::gap(&history(1, Some(0)), DAY);
        assert_eq!(
            lines(&gap),
            [
                "deployed: v1.4, as compose.yaml:1:1 names it",
                "waiting on origin/main: 1 commit",
                "the first of them for: 1 day"
            ]
        );
        let gap = TimeGap { named_at: None, commits: 0, oldest_days: None, ..gap };
        assert_eq!(lines(&gap), ["deployed: v1.4, the newest release tag", "waiting on origin/main: nothing"]);
        assert_eq!(
            lines(&super::gap(&history(3, Some(0)), 9 * DAY))[1..],
            ["waiting on origin/main: 3 commits", "the first of them for: 9 days"]
        );
    }

    #[test]
    fn it_serialises_to_plain_fields() {
        let json = serde_json::to_value(super::gap(&history(2, Some(0)), 3 * DAY)).unwrap();
        let wanted = serde_json::json!({
            "main": "origin/main", "deployed": "v1.4", "named_at": "compose.yaml:1:1", "commits": 2, "oldest_days": 3
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn images_tags_name_revisions_where_they_are_a_release_or_a_commit() {
        let app = |image: Option<&str>| App {
            name: "web".to_owned(),
            image: image.map(str::to_owned),
            note: String::new(),
            origin: origin(),
        };
        for (image, revision) in [
            (Some("ghcr.io/acme/shop:v1.4.2"), Some("v1.4.2")),
            (Some("acme/shop:1.4.2"), Some("1.4.2")),
            (Some("acme/shop:3f2a91c"), Some("3f2a91c")),
            (Some("acme/shop:sha-3f2a91c"), Some("3f2a91c")),
            (Some("acme/shop:main-3f2a91c4d5e6"), Some("3f2a91c4d5e6")),
            (Some("acme/shop:latest"), None),
            (Some("acme/shop:main"), None),
            (Some("acme/shop"), None),
            (Some("acme/shop:${TAG}"), None),
            (None, None),
        ] {
            let found = revisions(&[app(image)]);
            assert_eq!(found.first().map(|found| found.value.as_str()), revision, "{image:?}");
        }
    }
}

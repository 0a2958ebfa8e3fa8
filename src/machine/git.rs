//! Facts about the project from git: devenv asks the `git` on PATH.
//!
//! devenv only reads: it fetches nothing, takes no lock, and runs no hook or helper of the repository (`command`).

use super::ask::{Answer, ask};
use super::program::{OnPath, Programs};
use crate::model::{Commit, Diagnostic, History, Located, Release, is_release};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one question may take. A history of a hundred thousand commits takes about a second.
const LIMIT: Duration = Duration::from_secs(20);

/// Names of the main branch, the most likely first, if the remote does not name its main branch.
const MAIN: &[&str] = &["origin/main", "origin/master", "origin/trunk", "main", "master", "trunk"];

/// Those of the paths, relative to the folder, that are in git's index. None if there is no repository, no git, or no
/// answer.
pub fn tracked(folder: &Path, paths: &[PathBuf]) -> Option<BTreeSet<PathBuf>> {
    if !in_repository(folder) {
        return None;
    }
    let mut command = command(folder)?;
    command.args(["--literal-pathspecs", "ls-files", "-z", "--"]).args(paths);
    let answer = ask(&mut command, LIMIT).ok().filter(|answer| answer.success)?;
    Some(answer.out.split_terminator('\0').map(PathBuf::from).collect())
}

/// The project's releases and the deployed revision. This is the revision in `named` (revisions, as the manifest has
/// them) that the repository knows and that is furthest behind, else the newest release of the main branch. None if the
/// folder is in no repository, or the repository has no release tag. `since` is the time from which commits are listed.
pub fn history(folder: &Path, named: &[Located<String>], since: i64) -> Result<Option<History>, Diagnostic> {
    if !in_repository(folder) {
        return Ok(None);
    }
    let git = Git { folder };
    let tags = git.say(&["for-each-ref", TAG_FORMAT, "refs/tags"])?;
    let mut releases = releases(&tags);
    if releases.is_empty() {
        return Ok(None);
    }
    if git.say(&["rev-parse", "--is-shallow-repository"])?.trim() == "true" {
        return Err(Diagnostic::note(
            "git-shallow",
            "this clone lacks the older commits, so releases cannot be compared",
        )
        .because("it was cloned with a depth, as CI systems do")
        .help("fetch the rest: `git fetch --unshallow --tags`"));
    }
    git.canonical_taggers(&mut releases)?;
    let heads =
        git.say(&["for-each-ref", "--format=%(refname:short)%00%(symref:short)", "refs/heads", "refs/remotes/origin"])?;
    let main = main_branch(&heads).unwrap_or_else(|| "HEAD".to_owned());
    let head =
        git.say(&["rev-parse", "--verify", "--end-of-options", &format!("{main}^{{commit}}")])?.trim().to_owned();

    let mut deployed: Option<(u64, String, &Located<String>)> = None;
    for revision in named {
        let Some(commit) = git.commit_of(&revision.value, &releases) else { continue };
        let waiting = git.count(&commit, &head)?;
        if deployed.as_ref().is_none_or(|(most, ..)| waiting > *most) {
            deployed = Some((waiting, commit, revision));
        }
    }
    let (waiting, commit, name, named_at) = if let Some((waiting, commit, revision)) = deployed {
        (waiting, commit, revision.value.clone(), Some(revision.origin.clone()))
    } else {
        let merged = git.say(&["for-each-ref", "--format=%(refname:strip=2)", "--merged", &head, "refs/tags"])?;
        let merged: BTreeSet<&str> = merged.lines().collect();
        // If releases are made on release branches, the main branch has none.
        let on_main = releases.iter().rfind(|release| merged.contains(release.name.as_str()));
        let Some(release) = on_main.or(releases.last()) else { return Ok(None) };
        (git.count(&release.commit, &head)?, release.commit.clone(), release.name.clone(), None)
    };
    // A merged commit counts from the time of its merge, however old the commit is.
    let times = git.say(&[
        "log",
        "--no-ext-diff",
        "--no-textconv",
        "--first-parent",
        "--format=%ct",
        &format!("{commit}..{head}"),
        "--",
    ])?;
    let waiting_since = times.lines().filter_map(|time| time.parse().ok()).min();

    let recent = releases.iter().filter(|release| release.time >= since).map(|release| release.commit.as_str());
    let tips: BTreeSet<&str> = recent.chain([head.as_str()]).collect();
    let since = format!("--since=@{since}");
    let mut arguments = vec!["log", "--no-ext-diff", "--no-textconv", COMMIT_FORMAT, &since];
    arguments.extend(tips);
    arguments.push("--");
    let commits = commits(&git.say(&arguments)?);
    Ok(Some(History { main, head, deployed: name, named_at, waiting, waiting_since, releases, commits }))
}

/// The branch that is checked out. None for a detached `HEAD`, without a repository, or without git.
pub fn branch(folder: &Path) -> Option<String> {
    let name = Git { folder }.of_repository(&["symbolic-ref", "--quiet", "HEAD"])?;
    Some(name.trim_end().strip_prefix("refs/heads/")?.to_owned())
}

/// Every local branch. None if git does not answer.
pub fn branches(folder: &Path) -> Option<BTreeSet<String>> {
    let names = Git { folder }.of_repository(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"])?;
    Some(names.lines().map(str::to_owned).collect())
}

/// The same folder in the main worktree, if this folder is in a linked worktree and the same folder exists there.
pub fn in_main_worktree(folder: &Path) -> Option<PathBuf> {
    // A linked worktree has a file `.git`. Most checkouts have a folder `.git`, so git need not be asked.
    folder.ancestors().find(|folder| folder.join(".git").exists()).filter(|top| top.join(".git").is_file())?;
    let git = Git { folder };
    let known = git.of_repository(&["worktree", "list", "--porcelain", "-z"])?;
    let main = PathBuf::from(known.split('\0').next()?.strip_prefix("worktree ")?).canonicalize().ok()?;
    let top = PathBuf::from(git.of_repository(&["rev-parse", "--show-toplevel"])?.trim_end()).canonicalize().ok()?;
    let folder = folder.canonicalize().ok()?;
    let within = folder.strip_prefix(&top).ok()?;
    // Joining an empty path would add a slash at the end.
    let there = if within.as_os_str().is_empty() { main.clone() } else { main.join(within) };
    (main != top && there.is_dir()).then_some(there)
}

const TAG_FORMAT: &str = "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(objecttype)%00%(*objecttype)%00%(creatordate:unix)%00%(taggeremail)";

const COMMIT_FORMAT: &str = "--format=%H%x00%P%x00%ct%x00%aE";

/// The release tags of a listing, oldest first. Tags of the same time are in the order of their versions.
fn releases(listing: &str) -> Vec<Release> {
    let release = |line: &str| {
        let fields: Vec<&str> = line.split('\0').collect();
        let [name, object, target, kind, target_kind, time, tagger] = fields.as_slice() else { return None };
        let commit = match (*kind, *target_kind) {
            ("commit", _) => object,
            ("tag", "commit") => target,
            _ => return None,
        };
        let tagger = Some(tagger.trim_matches(['<', '>'])).filter(|tagger| !tagger.is_empty());
        is_release(name).then(|| Release {
            name: (*name).to_owned(),
            commit: (*commit).to_owned(),
            time: time.parse().unwrap_or_default(),
            tagger: tagger.map(str::to_owned),
        })
    };
    let mut releases: Vec<Release> = listing.lines().filter_map(release).collect();
    releases.sort_by_cached_key(|release| (release.time, numbers(&release.name), release.name.clone()));
    releases
}

/// Every number of a name, so that 1.10 comes after 1.9.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// The main branch that the remote names, else the most likely one by name.
fn main_branch(listing: &str) -> Option<String> {
    let branches: BTreeMap<&str, &str> = listing.lines().filter_map(|line| line.split_once('\0')).collect();
    // Git lists the remote's HEAD by the remote's name alone, or as `origin/HEAD`, depending on git's release.
    let remote =
        ["origin", "origin/HEAD"].iter().find_map(|name| branches.get(name)).filter(|target| !target.is_empty());
    let by_name = || MAIN.iter().find(|name| branches.contains_key(**name));
    remote.or_else(by_name).map(|name| (*name).to_owned())
}

fn commits(listing: &str) -> Vec<Commit> {
    let commit = |line: &str| {
        let fields: Vec<&str> = line.split('\0').collect();
        let [id, parents, time, author] = fields.as_slice() else { return None };
        Some(Commit {
            id: (*id).to_owned(),
            parents: parents.split_whitespace().map(str::to_owned).collect(),
            time: time.parse().ok()?,
            author: (*author).to_owned(),
        })
    };
    listing.lines().filter_map(commit).collect()
}

/// The git of one repository.
struct Git<'a> {
    folder: &'a Path,
}

impl Git<'_> {
    /// Git's answer to a question that git should be able to answer.
    fn say(&self, arguments: &[&str]) -> Result<String, Diagnostic> {
        let reason = match self.ask(arguments) {
            Ok(answer) if answer.success => return Ok(answer.out),
            Ok(answer) => answer.err.lines().next().unwrap_or("it failed without a word").to_owned(),
            Err(reason) => reason,
        };
        let question = arguments.first().copied().unwrap_or_default();
        Err(Diagnostic::note("git", format!("`git {question}` does not answer in {}", self.folder.display()))
            .because(reason)
            .help(format!("try it there by hand: `git {question}`")))
    }

    /// Git's answer about a repository. None if there is no repository, no git, or no answer.
    fn of_repository(&self, arguments: &[&str]) -> Option<String> {
        let asked = in_repository(self.folder).then(|| self.ask(arguments))?;
        asked.ok().filter(|answer| answer.success).map(|answer| answer.out)
    }

    fn ask(&self, arguments: &[&str]) -> Result<Answer, String> {
        let mut command = command(self.folder).ok_or("there is no git on PATH outside of the checkout")?;
        ask(command.args(arguments), LIMIT).map_err(|none| none.to_string())
    }

    /// The commit that a word of a manifest names: a tag of a release with or without its `v`, or the id of a commit.
    fn commit_of(&self, word: &str, releases: &[Release]) -> Option<String> {
        let bare = |name: &str| name.strip_prefix('v').unwrap_or(name).to_owned();
        if let Some(release) = releases.iter().find(|release| bare(&release.name) == bare(word)) {
            return Some(release.commit.clone());
        }
        let is_id = (7..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let commit = format!("{word}^{{commit}}");
        let asked = is_id.then(|| self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]))?;
        asked.ok().filter(|answer| answer.success).map(|answer| answer.out.trim().to_owned())
    }

    /// The number of commits between two commits, without merges.
    fn count(&self, from: &str, to: &str) -> Result<u64, Diagnostic> {
        let count = self.say(&["rev-list", "--count", "--no-merges", &format!("{from}..{to}"), "--"])?;
        Ok(count.trim().parse().unwrap_or_default())
    }

    /// Replaces the addresses of taggers by those in `.mailmap`, as git does for authors.
    fn canonical_taggers(&self, releases: &mut [Release]) -> Result<(), Diagnostic> {
        let taggers: BTreeSet<String> = releases.iter().filter_map(|release| release.tagger.clone()).collect();
        if taggers.is_empty() {
            return Ok(());
        }
        let contacts: Vec<String> = taggers.iter().map(|tagger| format!("<{tagger}>")).collect();
        let mut arguments = vec!["check-mailmap"];
        arguments.extend(contacts.iter().map(String::as_str));
        let mapped = self.say(&arguments)?;
        let address = |line: &str| Some(line.rsplit_once('<')?.1.trim_end_matches('>').to_owned());
        let known: BTreeMap<&String, String> =
            taggers.iter().zip(mapped.lines()).filter_map(|(tagger, line)| Some((tagger, address(line)?))).collect();
        for release in releases {
            release.tagger = release.tagger.take().map(|tagger| known.get(&tagger).cloned().unwrap_or(tagger));
        }
        Ok(())
    }
}

/// Settings that keep git from running a program that the repository's configuration names. A clone has no such
/// configuration, but an unpacked archive, or a bare repository inside a clone, may have one.
const NO_PROGRAMS: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.askPass=",
    "credential.helper=",
    "diff.external=",
    "gpg.program=false",
    "log.showSignature=false",
    "safe.bareRepository=explicit",
];

/// A git command for the repository of that folder. All uses of git go through this function. None if this machine has
/// no git.
pub(crate) fn command(folder: &Path) -> Option<Command> {
    let programs = Programs::seen_from(folder);
    let OnPath::Machine(git) = programs.find("git") else { return None };
    let mut command = programs.command(&git);
    command.arg("-C").arg(folder).arg("--no-pager");
    for setting in NO_PROGRAMS {
        command.args(["-c", setting]);
    }
    // The output is parsed, so it must be in English. A partial clone must not fetch missing objects. Git before 2.44
    // does not know `GIT_NO_LAZY_FETCH`, so `GIT_ALLOW_PROTOCOL` forbids the fetch there.
    command
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none");
    command.env("GIT_TERMINAL_PROMPT", "0");
    for program in
        ["GIT_EXTERNAL_DIFF", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS"]
    {
        command.env_remove(program);
    }
    Some(command)
}

/// Whether there is a repository to ask about. This check avoids starting git if there is none.
pub(crate) fn in_repository(folder: &Path) -> bool {
    let above = |folder: &Path| folder.ancestors().any(|folder| folder.join(".git").exists());
    std::env::var_os("GIT_DIR").is_some() || folder.canonicalize().is_ok_and(|folder| above(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_releases_in_order() {
        let listing = "v1.10|c10||commit||100|\nv1.9|t9|c9|tag|commit|100|<Ann@example.com>\n\
                       v1.2|c2||commit||200|\nnotes|c3||commit||300|\nv3|t|b|tag|blob|400|<a@b>\nbroken\n";
        let read = releases(&listing.replace('|', "\0"));
        let names: Vec<&str> = read.iter().map(|release| release.name.as_str()).collect();
        assert_eq!(names, ["v1.9", "v1.10", "v1.2"]);
        assert_eq!((read[0].commit.as_str(), read[0].tagger.as_deref()), ("c9", Some("Ann@example.com")));
        assert_eq!((read[1].commit.as_str(), read[1].tagger.as_deref()), ("c10", None));
    }

    #[test]
    fn the_main_branch_is_the_remotes_own_or_the_surest_by_name() {
        let main = |listing: &str| main_branch(&listing.replace('|', "\0"));
        assert_eq!(main("main|\norigin|origin/develop\norigin/main|\n").as_deref(), Some("origin/develop"));
        assert_eq!(main("main|\norigin/HEAD|origin/develop\n").as_deref(), Some("origin/develop"));
        assert_eq!(main("main|\norigin/master|\nwork|\n").as_deref(), Some("origin/master"));
        assert_eq!(main("trunk|\nwork|\n").as_deref(), Some("trunk"));
        assert_eq!(main("work|\n"), None);
    }
}

//! Checks a written `.env` with the programs that people use to read it, and the file on disk as git and a user see it.
//!
//! Needs `sh`, `env`, `git`, and a Python with python-dotenv, which `tests/run` installs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use devenv::dotenv::EnvFile;
use devenv::dotenv::git::{GitStatus, status};
use devenv::dotenv::{Entry, EntryValue, Format, Target, Wanted, choose, merge, render, render_block, user_lines};
use devenv::model::{Failure, Secret};
use devenv::project::Checkout;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Values that are difficult for some readers. All readers must read the same values.
const CARRIED: &[(&str, &str)] = &[
    ("PLAIN", "info"),
    ("EMPTY", ""),
    ("ONE_SPACE", " "),
    ("LEADING", "  x"),
    ("TRAILING", "x  "),
    ("TAB", "a\tb\t"),
    ("URL", "postgresql+psycopg://app:s3cret@127.0.0.1:24310/shop?application_name=web&connect_timeout=5"),
    ("EQUALS", "a=b==c="),
    ("HASH", "before#after # and after"),
    ("HASH_FIRST", "#not a comment"),
    ("DOLLAR", "$HOME costs 5$ $$ $"),
    ("DOLLAR_OPEN", "${HOME"),
    ("DOLLAR_COLON", "${a:b}"),
    ("COMMAND", "$(id) `id`"),
    ("BACKTICK", "`"),
    ("SINGLE", "it's here, isn't it?"),
    ("SINGLE_HASH", "it's # no comment!"),
    ("SINGLE_LINES", "it's\ntwo lines"),
    ("DOUBLE", "say \"hi\" \""),
    ("JSON", "{\"a\": [1, \"two\"], \"b\": null}"),
    ("BACKSLASH", "C:\\Users\\name"),
    ("BACKSLASH_N", "a\\nb\\tc\\$d\\\"e"),
    ("BACKSLASH_LINE", "a\\\nb"),
    ("LINES", "first\n# second\nTHIRD=3\n\n\"fifth\"\n"),
    ("PEM", "-----BEGIN PRIVATE KEY-----\nMIIB/+=\n-----END PRIVATE KEY-----\n"),
    ("BANG", "hey!there !! !1"),
    ("TILDE", "~/x:~"),
    ("GLOB", "* ? [a-z] {a,b}"),
    ("SHELL", "a; b & c | d > e < f (g)"),
    ("PERCENT", "100%25 %s"),
    ("UNICODE", "Grüße, мир, 世界"),
    ("EMOJI", "🦀👩‍👩‍👧"),
    ("COMBINED", "e\u{301} \u{a0}\u{2028}\u{feff}"),
    ("CONTROL", "\u{1}\u{7f}\u{b}\u{c}\u{85}"),
    ("EXPORT", "export X=1"),
    ("YAML", "key: value"),
    ("export", "a name that is a word of the shell"),
    ("lower_1", "x"),
];

fn entries() -> Vec<Entry> {
    let long = "0123456789 abcdef".repeat(4_000);
    let mut entries: Vec<Entry> = CARRIED
        .iter()
        .map(|(name, value)| Entry {
            name: (*name).to_owned(),
            value: EntryValue::Plain((*value).to_owned()),
            comment: Some(format!("a comment with ' and \" and `, for {name}")),
        })
        .collect();
    entries.push(Entry { name: "LONG".into(), value: EntryValue::Secret(Secret::new(long)), comment: None });
    entries.push(Entry { name: "TO_FILL_IN".into(), value: EntryValue::Empty, comment: Some("it's a secret".into()) });
    entries
}

fn expected() -> BTreeMap<String, String> {
    entries()
        .into_iter()
        .map(|entry| (entry.name, entry.value.text().unwrap_or_default().to_owned()))
        .chain([("MINE".to_owned(), "yes".to_owned()), ("LAST".to_owned(), "1".to_owned())])
        .collect()
}

fn env_file(folder: &Path, name: &str) -> EnvFile {
    EnvFile::inside(&Checkout::at(folder).unwrap(), Path::new(name))
}

fn written(folder: &Path) -> PathBuf {
    let path = folder.join(".env");
    let (block, refusals) = render_block(&entries());
    assert_eq!(refusals, []);
    assert!(env_file(folder, ".env").write(&(merge("MINE=yes\n", &block) + "LAST=1\n")).unwrap().changed);
    path
}

fn run(command: &mut Command) -> Vec<u8> {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    assert_eq!(String::from_utf8_lossy(&stderr), "", "{command:?}");
    stdout
}

/// The output of `env -0`, without the variables that a shell sets itself.
fn variables(zero_separated: &[u8]) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(zero_separated).unwrap();
    text.split_terminator('\0')
        .map(|pair| pair.split_once('=').unwrap())
        .filter(|(name, _)| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The variables after a script in a shell that starts without variables; the shell's own default PATH finds `cat`.
fn sh(script: &str, argument: &Path) -> BTreeMap<String, String> {
    let env = which::which("env").unwrap();
    let script = format!("{script}\nexec {} -0", env.display());
    variables(&run(Command::new("sh").args(["-c", &script, "sh"]).arg(argument).env_clear()))
}

#[test]
fn a_posix_shell_reads_every_value_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(sh("set -a; . \"$1\"", &written(folder.path())), expected());
}

#[test]
fn dotenvy_reads_every_value_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let found: BTreeMap<_, _> = dotenvy::from_path_iter(written(folder.path())).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, expected());
}

#[test]
fn python_dotenv_reads_every_value_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let script = "import sys, dotenv\nfor name, value in dotenv.dotenv_values(sys.argv[1]).items(): \
                  sys.stdout.write(f'{name}={value}\\0')";
    let output = run(Command::new(python())
        .args(["-c", script])
        .arg(written(folder.path()))
        .env_clear()
        .env("PYTHONIOENCODING", "utf-8:surrogatepass"));
    assert_eq!(variables(&output), expected());
}

#[test]
fn a_value_that_some_readers_cannot_read_affects_no_other_value() {
    let awkward = [
        "${X}",
        "a${X:-b}c",
        "it's $5",
        "it's \"so\"",
        "it's \\ x",
        "\\\\host",
        "it's \\\"",
        "it's $(id) ${X}",
        "a\r\nb",
        "it's `id`",
        "end\\",
        "it's \\",
        "\0",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    for value in awkward {
        let entry = |name: &str, value: &str| Entry {
            name: name.to_owned(),
            value: EntryValue::Plain(value.to_owned()),
            comment: None,
        };
        let (text, refusals) = render_block(&[entry("BEFORE", "a b"), entry("VALUE", value), entry("AFTER", "c'd")]);
        assert_eq!(refusals.len(), 1, "{value:?}");
        fs::write(&path, &text).unwrap();
        let script = "import sys, dotenv\nfor name, value in dotenv.dotenv_values(sys.argv[1]).items(): \
                      sys.stdout.write(f'{name}={value}\\0')";
        let python = variables(&run(Command::new(python()).args(["-c", script]).arg(&path).env_clear()));
        let rust: BTreeMap<_, _> = dotenvy::from_path_iter(&path).unwrap().map(Result::unwrap).collect();
        let readers = [("sh", sh("set -a; . \"$1\"", &path)), ("python", python), ("dotenvy", rust)];
        let wanted = if refusals[0].for_most { value } else { "" };
        for (reader, found) in &readers {
            assert_eq!((found["BEFORE"].as_str(), found["AFTER"].as_str()), ("a b", "c'd"), "{reader}: {text}");
        }
        let agree = readers.iter().filter(|(_, found)| found["VALUE"] == wanted).count();
        assert!(agree >= 2, "{value:?}: {readers:?}\n{text}");
    }
}

/// A Python that has python-dotenv: `DEVENV_TEST_PYTHON`, otherwise the Python in `target/test-venv`.
fn python() -> PathBuf {
    let python = std::env::var_os("DEVENV_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python3"), PathBuf::from);
    let ready = Command::new(&python).args(["-c", "import dotenv"]).output();
    assert!(
        ready.is_ok_and(|output| output.status.success()),
        "{} lacks python-dotenv; make it so: python3 -m venv target/test-venv && target/test-venv/bin/pip install \
         python-dotenv, or name another Python in DEVENV_TEST_PYTHON",
        python.display()
    );
    python
}

#[test]
fn a_shell_evaluates_the_shell_format_whatever_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let awkward = [("ALL", "it's \"$HOME\" `id` \\\\ ${X} \\"), ("CR", "a\r\nb\r"), ("LAST", "\n\n")];
    let entries: Vec<Entry> = awkward
        .iter()
        .chain(CARRIED)
        .map(|(name, value)| Entry {
            name: (*name).to_owned(),
            value: EntryValue::Plain((*value).to_owned()),
            comment: None,
        })
        .chain([Entry { name: "UNSET".into(), value: EntryValue::Empty, comment: Some("it's\n$(id)".into()) }])
        .collect();
    let path = folder.path().join("exports");
    fs::write(&path, render(&entries, Format::Shell).0).unwrap();
    let found = sh("text=$(cat \"$1\"; echo x); eval \"${text%x}\"", &path);
    let wanted: BTreeMap<_, _> =
        entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.value.text()?.to_owned()))).collect();
    assert_eq!(found, wanted);
}

#[test]
fn json_holds_every_value_as_it_is() {
    let text = render(&entries(), Format::Json).0;
    let found: BTreeMap<String, Option<String>> = serde_json::from_str(&text).unwrap();
    let wanted: BTreeMap<_, _> =
        entries().into_iter().map(|entry| (entry.name.clone(), entry.value.text().map(str::to_owned))).collect();
    assert_eq!(found, wanted);
}

#[test]
fn the_file_is_for_its_owner_only_and_a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (link, real) = (folder.path().join(".env"), folder.path().join(".env.real"));
    std::os::unix::fs::symlink(".env.real", &link).unwrap();
    let file = env_file(folder.path(), ".env");
    assert!(file.write("A=1\n").unwrap().changed);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(file.write("A=2\n").unwrap().changed);
    assert_eq!(fs::read_to_string(&real).unwrap(), "A=2\n");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_read_only_file_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    fs::write(&path, "A=1\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let failure = env_file(folder.path(), ".env").write("A=2\n").unwrap_err();
    assert!(message(&failure).contains("is read-only"), "{failure:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "A=1\n");
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let failure = env_file(folder.path(), "none/.env").write("A=2\n").unwrap_err();
    assert!(failure.diagnostics[0].help[0].contains("none"), "{failure:?}");
}

#[test]
fn a_pipe_in_its_place_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    run(Command::new("mkfifo").arg(&path));
    let file = env_file(folder.path(), ".env");
    assert!(message(&file.read().unwrap_err()).contains("not a regular file"));
    assert!(message(&file.write("A=1\n").unwrap_err()).contains("not a regular file"));
}

#[test]
fn a_file_that_git_tracks_is_left_alone() {
    let folder = repository();
    fs::write(folder.path().join(".env"), "A=1\n").unwrap();
    git(folder.path(), &["add", ".env"]);
    let target = chosen(folder.path(), None).unwrap();
    assert_eq!(target.file.path(), folder.path().join(".env.local"));
    let said: Vec<_> = target.notes.iter().map(|note| note.message.as_str()).collect();
    assert!(
        said[0].starts_with("`.env.local` is written, because git tracks `.env`; your app reads it after `.env`"),
        "{said:?}"
    );
    assert_eq!(said[1..], ["git does not ignore `.env.local`"]);
    assert_eq!(target.passed_over.unwrap().path(), folder.path().join(".env"));
}

#[test]
fn a_file_of_another_purpose_is_refused_though_its_name_was_typed() {
    let folder = repository();
    let at = |name: &str| folder.path().join(name);
    for name in ["app.py", ".env.production", ".env.mine", "written.txt"] {
        fs::write(at(name), "A=1\n").unwrap();
    }
    fs::write(at("empty.txt"), "").unwrap();
    fs::write(at("written.txt"), format!("{}\nA=1\n", devenv::model::BLOCK_START)).unwrap();
    git(folder.path(), &["add", ".env.production"]);
    for refused in ["app.py", ".env.production"] {
        let failure = chosen(folder.path(), Some(&at(refused))).unwrap_err();
        assert_eq!(failure.exit, devenv::model::Exit::Usage);
        assert!(message(&failure).ends_with("is not written: devenv did not create it"), "{failure:?}");
    }
    for written in [".env.mine", "written.txt", "empty.txt", "new.txt"] {
        assert_eq!(chosen(folder.path(), Some(&at(written))).unwrap().file.path(), at(written));
    }
    // Follow the advice.
    assert!(chosen(folder.path(), Some(&at(".env.devenv"))).is_ok());
}

#[test]
fn where_git_tracks_both_files_neither_is_written() {
    let folder = repository();
    for name in [".env", ".env.local"] {
        fs::write(folder.path().join(name), "").unwrap();
        git(folder.path(), &["add", name]);
    }
    assert!(message(&chosen(folder.path(), None).unwrap_err()).contains("neither `.env` nor `.env.local`"));
}

#[test]
fn a_file_that_git_does_not_ignore_is_warned_about() {
    let folder = repository();
    let target = chosen(folder.path(), None).unwrap();
    assert_eq!(target.file.path(), folder.path().join(".env"));
    assert_eq!(target.notes[0].message, "git does not ignore `.env`");
    fs::write(folder.path().join(".gitignore"), ".env\n").unwrap();
    assert_eq!(chosen(folder.path(), None).unwrap().notes, []);
}

#[test]
fn without_a_repository_there_is_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(status(&folder.path().join(".env")), GitStatus::Unknown);
    let elsewhere = folder.path().join("else.env");
    assert_eq!(chosen(folder.path(), Some(&elsewhere)).unwrap().file.path(), elsewhere);
}

#[test]
fn variables_outside_the_block_are_found_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let text = env_file(folder.path(), ".env").read().unwrap();
    let lines = user_lines(&text);
    assert_eq!(lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["MINE", "LAST"]);
    let at = usize::try_from(lines[1].line).unwrap();
    assert_eq!(text.split('\n').nth(at - 1), Some("LAST=1"));
}

fn chosen(folder: &Path, asked: Option<&Path>) -> Result<Target, Failure> {
    choose(&Checkout::at(folder).unwrap(), &Wanted { asked, ..Wanted::of(".env") })
}

fn message(failure: &Failure) -> &str {
    &failure.diagnostics[0].message
}

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    folder
}

fn git(folder: &Path, arguments: &[&str]) {
    run(Command::new("git").arg("-C").arg(folder).args(arguments));
}

//! `docker run --env-file` reads the output of `devenv env --format docker`.

use devenv::dotenv::{Entry, EntryValue, Format, render};
use std::process::Command;

/// Any image with `env`.
const IMAGE: &str = "redis:7.0";

/// Some of these values cannot be written in an env file with quotes.
const VALUES: &[(&str, &str)] = &[
    ("EMPTY", ""),
    ("BLANKS", "  x  "),
    ("URL", "postgresql://app:s3cret@127.0.0.1:24310/shop?application_name=web&connect_timeout=5"),
    ("EVERYTHING", "it's \"$HOME\" `id` \\\\ ${X} # no comment = ! \\"),
    ("QUOTED", "\"double\" 'single'"),
    ("RETURN", "a\rb"),
    ("UNICODE", "Grüße, 世界 🦀"),
];

#[test]
fn docker_reads_every_value_unchanged_and_values_to_fill_in_stay_unset() {
    let mut entries: Vec<Entry> = VALUES
        .iter()
        .map(|(name, value)| Entry {
            name: (*name).to_owned(),
            value: EntryValue::Plain((*value).to_owned()),
            comment: Some("it's a comment".to_owned()),
        })
        .collect();
    entries.push(Entry { name: "TO_FILL_IN".to_owned(), value: EntryValue::Empty, comment: None });
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let (text, refusals) = render(&entries, Format::Docker);
    assert_eq!(refusals, [], "docker carries all of these");
    std::fs::write(file.path(), text).expect("the file is written");

    let output = Command::new("docker")
        .args(["run", "--rm", "--network", "none", "--pull", "never", "--entrypoint", "env", "--env-file"])
        .arg(file.path())
        .args([IMAGE, "-0"])
        .output()
        .expect("docker's command line");

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker run of {IMAGE} fails: {errors}");
    let found = String::from_utf8(output.stdout).expect("UTF-8");
    let found: Vec<(&str, &str)> = found.split_terminator('\0').filter_map(|pair| pair.split_once('=')).collect();
    for expected in VALUES {
        assert!(found.contains(expected), "{expected:?} is not among {found:?}");
    }
    assert!(!found.iter().any(|(name, _)| *name == "TO_FILL_IN"), "{found:?}");
}

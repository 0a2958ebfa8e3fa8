//! Copies text to the clipboard, with the first program of this machine that can do so.

use super::program::{OnPath, Programs};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// Programs that copy a text to the clipboard, with their arguments and the variable that they need.
const PROGRAMS: &[(&str, &[&str], &str)] = &[
    ("wl-copy", &[], "WAYLAND_DISPLAY"),
    ("xclip", &["-selection", "clipboard"], "DISPLAY"),
    ("xsel", &["--clipboard", "--input"], "DISPLAY"),
    ("pbcopy", &[], ""),
    ("clip.exe", &[], ""),
];

/// Copies a text to the clipboard and returns the name of the program that did so. Programs are looked up as seen from
/// `folder`. The error says why no program did so, and is empty if there is no such program. The text goes over
/// standard input, so that no list of processes shows the text.
pub(crate) fn copy(text: &str, folder: &Path) -> Result<&'static str, String> {
    let programs = Programs::seen_from(folder);
    let is_set = |name: &str| name.is_empty() || std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut why = String::new();
    for &(name, arguments, variable) in PROGRAMS {
        let OnPath::Machine(program) = programs.find(name) else { continue };
        if !is_set(variable) {
            continue;
        }
        let mut command = programs.command(&program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let given = command.spawn().and_then(|mut child| {
            if let Some(mut input) = child.stdin.take() {
                input.write_all(text.as_bytes())?;
            }
            child.wait()
        });
        match given {
            Ok(status) if status.success() => return Ok(name),
            Ok(status) => why = format!("{name}: {status}"),
            Err(error) => why = format!("{name}: {error}"),
        }
    }
    Err(why)
}

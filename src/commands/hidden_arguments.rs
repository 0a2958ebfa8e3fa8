//! Keeps passwords out of the process list.
//!
//! Every user of a machine can read the arguments of a process. If an argument contains a URL with a password, the URL
//! is put into a pipe, and the program immediately starts itself again with the pipe's name instead of the URL.

use std::env;
use std::ffi::OsString;

/// Starts the program again if an argument contains a URL with a password. If this fails, the program continues with
/// its original arguments.
#[cfg(unix)]
pub(crate) fn hide() {
    use std::os::unix::process::CommandExt as _;
    let mut pipes = Vec::new();
    let arguments: Vec<OsString> = env::args_os()
        .map(|argument| {
            let Some((before, url)) = argument.to_str().and_then(with_password) else { return argument };
            match piped(url) {
                Some((name, pipe)) => {
                    pipes.push(pipe);
                    format!("{before}{name}").into()
                }
                None => argument,
            }
        })
        .collect();
    if let (false, Some((own, rest)), Ok(program)) = (pipes.is_empty(), arguments.split_first(), env::current_exe()) {
        // `exec` returns only if it failed.
        let _failed = std::process::Command::new(program).arg0(own).args(rest).exec();
    }
}

#[cfg(not(unix))]
pub(crate) fn hide() {}

/// A pipe that contains the text, and its name as a source of a URL. The pipe must stay open until the program starts
/// again.
#[cfg(unix)]
fn piped(text: &str) -> Option<(String, std::os::fd::OwnedFd)> {
    use std::os::fd::AsRawFd as _;
    // A pipe holds at least 4 kB before a process reads from it.
    const PIPE: usize = 4096;
    if text.len() > PIPE {
        return None;
    }
    let (reader, writer) = rustix::pipe::pipe().ok()?;
    rustix::io::write(&writer, text.as_bytes()).ok().filter(|written| *written == text.len())?;
    Some((format!("@/dev/fd/{}", reader.as_raw_fd()), reader))
}

/// Splits an argument that ends with a URL with a password into the text before the URL (`--against=`, `db=`) and the
/// URL.
fn with_password(argument: &str) -> Option<(&str, &str)> {
    let colon = argument.find("://")?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    let start = argument[..colon].rfind(|c| !is_scheme(c)).map_or(0, |at| at + 1);
    let (before, url) = argument.split_at(start);
    let rest = &argument[colon + 3..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let login = authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'));
    (login || rest.contains("password=")).then_some((before, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_passwords_are_found_at_the_end_of_every_argument() {
        for (argument, before) in [
            ("postgres://u:p@h/d", ""),
            ("db=postgres://u:p@h/d", "db="),
            ("--against=my-db=redis://:p@h", "--against=my-db="),
            ("postgresql+psycopg://h/d?user=u&password=p", ""),
        ] {
            let found = with_password(argument);
            assert_eq!(found, Some((before, &argument[before.len()..])), "{argument}");
        }
        for argument in ["postgres://u@h/d", "env:URL", "@file", "-", "compose.yaml", "redis://h:6379/a:b@c"] {
            assert_eq!(with_password(argument), None, "{argument}");
        }
    }
}

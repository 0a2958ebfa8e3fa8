//! Keeps passwords out of the process list.
//!
//! Everybody on a machine can read a process's arguments. A URL with a password that stands among them is put into a
//! pipe, and the program starts itself again, at once, with the pipe's name in its place.

use std::env;
use std::ffi::OsString;

/// Starts the program again where an argument holds a URL with a password. Where that cannot be done, the arguments
/// stay as they are: the user put them there.
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
        // It comes back only where it failed.
        let _failed = std::process::Command::new(program).arg0(own).args(rest).exec();
    }
}

#[cfg(not(unix))]
pub(crate) fn hide() {}

/// A pipe that holds the text, and its name as a source of a URL. It must stay open until the program starts again.
#[cfg(unix)]
fn piped(text: &str) -> Option<(String, std::os::fd::OwnedFd)> {
    use std::os::fd::AsRawFd as _;
    // A pipe takes 4 kB at least without anybody reading it.
    const PIPE: usize = 4096;
    if text.len() > PIPE {
        return None;
    }
    let (reader, writer) = rustix::pipe::pipe().ok()?;
    rustix::io::write(&writer, text.as_bytes()).ok().filter(|written| *written == text.len())?;
    Some((format!("@/dev/fd/{}", reader.as_raw_fd()), reader))
}

/// A URL with a password at an argument's end, and what stands before it: `--against=`, `db=`.
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
    fn urls_with_passwords_are_found_wherever_they_stand_in_an_argument() {
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

//! Host requests: the commands that a checkout asks to run on this machine, and the variables that make programs run;
//! and whether the user agreed to exactly these.
//!
//! A request is identified by a hash of everything that decides its effect, as far as the checkout names it: the words,
//! the files among them, and the files that the command `reads`. If any of these changes, the user is asked again.

use crate::machine::{Agreement, Digests, Programs, Trust};
use crate::manifest::{self, Reading, unsafe_variable};
use crate::model::{
    Diagnostic, Exit, Failure, Origin, Piece, Seed, SeedSource, Value, Variable, digest_of_bytes, shell_words,
};
use crate::project::{Checkout, Fault};
use crate::ui::{self, Answer, Printer, visible};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// To run a command.
    Command,
    /// To set a variable whose name makes programs run.
    Variable,
}

/// One request of a checkout to its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostRequest {
    /// The kind of the request.
    pub(crate) what: What,
    /// The service whose data a command makes, or a variable's name.
    pub(crate) subject: String,
    /// The command, quoted for a shell, or a variable's value.
    pub(crate) text: String,
    /// The files and folders of the checkout, relative to its root, whose content is part of the request.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Where the checkout makes the request.
    pub(crate) origin: Origin,
    /// The hash of the whole request.
    pub(crate) digest: String,
}

impl HostRequest {
    /// The request as one line of text.
    pub(crate) fn line(&self) -> String {
        let place = format!("{}:{}", self.origin.path().display(), self.origin.line);
        let sets = if self.what == What::Variable { "is set to " } else { "" };
        one_line(&format!("{}  {place}  {sets}{}", self.subject, self.text))
    }
}

/// All requests of a checkout.
pub(crate) fn requests(reading: &Reading) -> Vec<HostRequest> {
    let services = reading.stack.services.iter();
    let seeds = services.flat_map(|service| service.seeds.iter().map(|seed| (service.name.as_str(), seed)));
    let mut all: Vec<HostRequest> = seeds.filter_map(|(service, seed)| of_seed(&reading.root, service, seed)).collect();
    for request in reading.stack.variables.iter().filter_map(|variable| of_variable(&reading.root, variable)) {
        // A variable that several apps get is one request.
        if !all.contains(&request) {
            all.push(request);
        }
    }
    all
}

/// The request of a variable of `services.local.yaml` whose name makes programs run. Other files cannot make this
/// request.
pub(crate) fn of_variable(root: &Path, variable: &Variable) -> Option<HostRequest> {
    unsafe_variable(&variable.name)?;
    let text = match &variable.value {
        Value::Plain(text) => text.clone(),
        Value::Bound { template, .. } => {
            let pieces = template.0.iter().map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Field { service, field, .. } => format!("${{{service}.{field}}}"),
                Piece::Json { value, .. } => format!("{value:?}"),
            });
            pieces.collect()
        }
        Value::Secret(_) | Value::Unresolved(_) | Value::Environment(_) | Value::NotPassed => return None,
    };
    let parts = serde_json::json!([shown(root), "variable", variable.name, text]);
    (variable.origin.path() == manifest::local_file(root).strip_prefix(root).ok()?).then(|| HostRequest {
        what: What::Variable,
        subject: variable.name.clone(),
        text,
        files: BTreeSet::new(),
        origin: variable.origin.clone(),
        digest: digest_of_bytes(parts.to_string().as_bytes()),
    })
}

/// The request of a seed that is a command. A seed that is a file makes no request: the file goes into the server's
/// container.
pub(crate) fn of_seed(root: &Path, service: &str, seed: &Seed) -> Option<HostRequest> {
    let SeedSource::Command { command, reads } = &seed.source else { return None };
    let mut files = named_files(root, command);
    files.extend(reads.iter().cloned());
    // Hash each file again: a digest that another run stored may be outdated, and a checkout can set a file's time.
    let mut digests = Digests::unknown();
    let checkout = Checkout::at(root).map_err(Fault::Io);
    let contents = files.iter().map(|file| {
        let digest = checkout.as_ref().map_err(ToString::to_string);
        let digest = digest.and_then(|checkout| digests.of(checkout, file).map_err(|fault| fault.to_string()));
        let digest = digest.unwrap_or_else(|fault| fault);
        format!("{} {digest}", file.display())
    });
    let parts = serde_json::json!([shown(root), "command", service, command, contents.collect::<Vec<_>>()]);
    let digest = digest_of_bytes(parts.to_string().as_bytes());
    Some(HostRequest {
        what: What::Command,
        subject: service.to_owned(),
        text: shell_words(command),
        files,
        origin: seed.origin.clone(),
        digest,
    })
}

/// The files of the checkout that a command's words name, including the program itself.
pub(crate) fn named_files(root: &Path, command: &[String]) -> BTreeSet<PathBuf> {
    let in_path = |c: char| c.is_alphanumeric() || "/._-+@%".contains(c);
    let words = command.iter().flat_map(|word| word.split(|c| !in_path(c)).chain([word.as_str()]));
    let named = words.filter(|word| !word.is_empty()).map(|word| root.join(word));
    let program = command.first().and_then(|name| which::which_in(name, std::env::var_os("PATH"), root).ok());
    let programs = Programs::seen_from(root);
    let from_root = |path: &Path| {
        let inside = path.strip_prefix(root).unwrap_or(path).components();
        inside.filter(|part| *part != Component::CurDir).collect::<PathBuf>()
    };
    let all = named.chain(program).filter(|path| path.is_file() && programs.is_of_checkout(path));
    all.map(|path| from_root(&path)).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

/// Whether the process that started devenv agrees to all requests of a checkout (`DEVENV_TRUST`). No file of a checkout
/// can set this.
pub(crate) fn by_environment() -> bool {
    std::env::var("DEVENV_TRUST").is_ok_and(|said| !matches!(said.as_str(), "" | "0" | "false"))
}

/// Makes sure that the user agreed to the commands that make these services' data: asks on a terminal, and refuses
/// without one.
///
/// `trust` has the earlier agreements; without it, the user agrees to all requests for this run.
pub(crate) fn agree(
    reading: &Reading,
    trust: Option<&Trust>,
    services: &[&str],
    printer: &Printer,
) -> Result<(), Failure> {
    let Some(trust) = trust.filter(|_| !services.is_empty()) else { return Ok(()) };
    let mut wanted = requests(reading);
    wanted.retain(|request| request.what == What::Command && services.contains(&request.subject.as_str()));
    ask(wanted, &reading.root, trust, printer)
}

/// Makes sure, right before a seed's command runs, that the user agreed to its current content. This does not ask the
/// user.
pub(crate) fn has_agreed(root: &Path, trust: Option<&Trust>, service: &str, seed: &Seed) -> Result<(), Failure> {
    match of_seed(root, service, seed) {
        Some(request) if trust.is_some_and(|trust| !trust.has(&request.digest)) => {
            Err(refusal(&[request], "you did not agree to its current content: its files may have changed meanwhile"))
        }
        _ => Ok(()),
    }
}

/// Asks about the requests to which the user did not agree yet, and stores the answer.
pub(crate) fn ask(
    mut requests: Vec<HostRequest>,
    root: &Path,
    trust: &Trust,
    printer: &Printer,
) -> Result<(), Failure> {
    requests.retain(|request| !trust.has(&request.digest));
    if requests.is_empty() {
        return Ok(());
    }
    printer.always(&format!(
        "{} wants to run or set the following, on your machine and with your rights:",
        one_line(&root.display().to_string())
    ));
    show(&requests, |line| printer.always(line));
    match ui::ask(printer, "agree, now and in later runs while the content stays the same?") {
        Answer::Yes => keep(trust, &requests, root),
        Answer::No => Err(refusal(&requests, "you did not agree")),
        Answer::Nobody => Err(refusal(&requests, "there is no terminal to ask on")),
        Answer::End => Err(refusal(&requests, "the input ended without an answer")),
        Answer::Interrupted => {
            Err(Failure { exit: Exit::Cancelled, ..refusal(&requests, "you pressed Ctrl-C; nothing was changed") })
        }
    }
}

/// Shows requests with the files that belong to them.
pub(crate) fn show(requests: &[HostRequest], mut say: impl FnMut(&str)) {
    for request in requests {
        say(&format!("  {}", request.line()));
        let files: Vec<String> = request.files.iter().map(|file| file.display().to_string()).collect();
        if !files.is_empty() {
            say(&one_line(&format!("      as it is now, with {}", files.join(", "))));
        }
    }
}

/// The lines in which `manifest` and `plan` show the requests beforehand, and whether the user agreed.
pub(crate) fn lines(requests: &[HostRequest], trust: &Trust) -> Vec<String> {
    if requests.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec![String::new(), "this checkout wants to run or set, on this machine and with your rights:".to_owned()];
    show(requests, |line| lines.push(line.to_owned()));
    let open = requests.iter().filter(|request| !trust.has(&request.digest)).count();
    lines.push(match open {
        0 => "  you agreed to it".to_owned(),
        _ if open == requests.len() => "  devenv does none of this before you agree: `devenv trust`".to_owned(),
        _ => format!("  you have not agreed to {open} of these: `devenv trust`"),
    });
    lines
}

/// The same as JSON.
pub(crate) fn json(requests: &[HostRequest], trust: &Trust) -> serde_json::Value {
    let one = |request: &HostRequest| {
        serde_json::json!({
            "what": request.what, "subject": request.subject, "text": request.text,
            "files": request.files.iter().map(|file| shown(file)).collect::<Vec<_>>(),
            "agreed": trust.has(&request.digest),
            "origin": {"path": shown(request.origin.path()), "line": request.origin.line, "column": request.origin.column},
        })
    };
    requests.iter().map(one).collect()
}

/// Stores the user's agreement.
pub(crate) fn keep(trust: &Trust, requests: &[HostRequest], root: &Path) -> Result<(), Failure> {
    let agreement = |request: &HostRequest| Agreement { root: root.to_owned(), what: request.line() };
    requests.iter().try_for_each(|request| trust.add(&request.digest, &agreement(request)))
}

fn refusal(requests: &[HostRequest], why: &str) -> Failure {
    let mut diagnostic =
        Diagnostic::error("not-trusted", "this checkout's own commands are not run before you agree to them");
    for (index, request) in requests.iter().enumerate() {
        diagnostic = if index == 0 {
            diagnostic.at(&request.origin, "runs on this machine, with your rights")
        } else {
            diagnostic.and_at(&request.origin, "this too")
        };
    }
    let diagnostic =
        diagnostic.because(why).help("`devenv trust`, in a terminal, shows them and asks once; then try again");
    Failure::new(
        Exit::Usage,
        diagnostic.help("where nobody can be asked: `--trust`, or `DEVENV_TRUST=1` in CI, agrees for one run"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Request};

    struct Checkout(tempfile::TempDir);

    impl Checkout {
        fn new(seed: &str) -> Self {
            let checkout = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir_all(checkout.0.path().join("db/migrate")).unwrap();
            checkout.write("services.yaml", "services:\n  db: {kind: postgres, version: \"16.4\"}\n");
            checkout.write("services.local.yaml", &format!("seeds:\n  db:\n    - {seed}\n"));
            checkout.write("bin-migrate", "#!/bin/sh\n");
            checkout.write("db/migrate/1.sql", "one");
            checkout
        }

        fn write(&self, path: &str, text: &str) {
            std::fs::write(self.0.path().join(path), text).unwrap();
        }

        fn request(&self) -> HostRequest {
            let folder = self.0.path().canonicalize().unwrap();
            let reading = manifest::read(&Request { folder, folder_is_root: true, ..Request::default() }).unwrap();
            requests(&reading).pop().unwrap()
        }
    }

    #[test]
    fn a_request_changes_with_its_words_its_program_and_the_files_that_it_reads() {
        for seed in [
            "{command: [./bin-migrate, up], reads: [db/migrate]}",
            "{command: 'test -n \"$X\" && sh ./bin-migrate;true', reads: [db/migrate]}",
            "{command: [sh, bin-migrate], reads: [db/migrate]}",
        ] {
            let checkout = Checkout::new(seed);
            let first = checkout.request();
            assert_eq!(first, checkout.request());
            assert_eq!(first.files.iter().filter(|file| file.ends_with("bin-migrate")).count(), 1, "{first:?}");
            // A change to a file that is not part of the request does not change the request.
            checkout.write("services.yaml", "services:\n  db: {kind: postgres, version: \"15.1\"}\n");
            checkout.write("db/other.sql", "");
            assert_eq!(first.digest, checkout.request().digest, "{seed}");
            checkout.write("bin-migrate", "#!/bin/sh\ntouch /tmp/x\n");
            let second = checkout.request();
            assert_ne!(first.digest, second.digest, "{seed}: its program");
            checkout.write("db/migrate/2.sql", "two");
            assert_ne!(second.digest, checkout.request().digest, "{seed}: the files that it reads");
            let third = checkout.request();
            checkout
                .write("services.local.yaml", "seeds: {db: {command: [sh, bin-migrate, down], reads: [db/migrate]}}\n");
            assert_ne!(third.digest, checkout.request().digest, "{seed}: its words");
        }
    }

    #[test]
    fn only_services_local_yaml_can_ask_for_a_variable_that_makes_programs_run() {
        let checkout = Checkout::new("{command: make}");
        checkout.write("services.yaml", "services: {}\nvariables: {PATH: /evil, LD_PRELOAD: /evil}\n");
        checkout.write("services.local.yaml", "variables: {LD_PRELOAD: /mine, LOG_LEVEL: info}\n");
        let folder = checkout.0.path().canonicalize().unwrap();
        let mut reading = manifest::read(&Request { folder, folder_is_root: true, ..Request::default() }).unwrap();
        let asked = requests(&reading);
        let [request] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!(request.line(), "LD_PRELOAD  services.local.yaml:1  is set to /mine");
        let unset = crate::environment::unsafe_variables::take_out(&mut reading, None, false);
        let names = |variables: &[Variable]| variables.iter().map(|one| one.name.clone()).collect::<BTreeSet<_>>();
        assert_eq!(names(&unset), ["LD_PRELOAD", "PATH"].map(str::to_owned).into());
        assert_eq!(names(&reading.stack.variables), ["LOG_LEVEL".to_owned()].into());
        let diagnostic = crate::environment::unsafe_variables::diagnostic(&unset, &[]).unwrap();
        assert!(
            diagnostic.message.ends_with("LD_PRELOAD, PATH") && diagnostic.help[0].contains("devenv trust"),
            "{diagnostic:?}"
        );
    }

    #[test]
    fn a_request_is_shown_as_one_line_without_control_characters() {
        let checkout = Checkout::new("{command: \"true \\u001b[2Jx\\n\\u202enothing\"}");
        let line = checkout.request().line();
        assert!(line.starts_with("db  services.local.yaml:3  true "), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

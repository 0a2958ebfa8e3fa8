//! Asks servers for their facts: the servers that arguments name, and the servers of the environment.

use super::broker;
use crate::docker::Engine;
use crate::kinds::Kinds;
use crate::model::{Diagnostic, Endpoint, Exit, Failure, Observed, ServiceFacts};
use crate::parity::FactsFile;
use crate::plan::DesiredService;
use crate::project::{open_named, read_at_most};
use crate::protocol::{self, ClearText, Fault, ProbeError, Target, Tls};
use crate::ui::Printer;
use futures_util::future::join_all;
use std::io::Read;
use std::path::Path;

/// A server that an argument names.
pub(crate) struct Named {
    /// The service's name if the argument gives one, otherwise the kind's name.
    pub(crate) name: String,
    /// The server.
    pub(crate) target: Target,
}

/// The servers of arguments: `[SERVICE=]URL`, `env:NAME`, `@FILE`, `-`. No message repeats a URL.
/// `insecure` allows passwords over connections that others can read.
pub(crate) fn named(arguments: &[String], kinds: &Kinds, insecure: bool) -> Result<Vec<Named>, Failure> {
    let mut found: Vec<Named> = Vec::new();
    for argument in arguments {
        let (name, source) = service_and_source(argument);
        let url = resolved(source).map_err(usage)?;
        let (kind, mut target) = Target::parse(&url, kinds).map_err(|why| {
            let which = name.map_or_else(|| "an argument".to_owned(), |name| format!("the argument for {name}"));
            let diagnostic = Diagnostic::error("server", format!("{which} names no server that can be asked"));
            usage(diagnostic.because(why).help("write `SERVICE=postgres://USER:PASSWORD@HOST/DATABASE`, or `SERVICE=env:NAME`, `SERVICE=@FILE`, `SERVICE=-` where that is kept"))
        })?;
        if insecure {
            target.tls.clear_text = ClearText::Anywhere;
        }
        let name = name.map_or(kind, str::to_owned);
        if found.iter().any(|other| other.name == name) {
            let diagnostic = Diagnostic::error("server-twice", format!("two servers are called `{name}`"));
            return Err(usage(diagnostic.help("put the services' names before them: `SERVICE=URL`")));
        }
        found.push(Named { name, target });
    }
    Ok(found)
}

fn usage(diagnostic: Diagnostic) -> Failure {
    Failure::new(Exit::Usage, diagnostic)
}

/// Splits `db=env:URL` into `db` and `env:URL`. A URL may contain an equals sign itself.
fn service_and_source(argument: &str) -> (Option<&str>, &str) {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    match argument.split_once('=') {
        Some((name, source)) if is_name(name) => (Some(name), source),
        _ => (None, argument),
    }
}

fn resolved(source: &str) -> Result<String, Diagnostic> {
    let url = |text: String| text.lines().next().unwrap_or_default().trim().to_owned();
    if let Some(name) = source.strip_prefix("env:") {
        return std::env::var(name).map(url).map_err(|_| {
            Diagnostic::error("server-variable", format!("the variable {name} is not set"))
                .help("set it to the server's URL")
        });
    }
    if let Some(path) = source.strip_prefix('@') {
        return text_of(open_named(Path::new(path))).map(url).map_err(|error| {
            Diagnostic::error("server-file", format!("cannot read {path}"))
                .because(error.to_string())
                .help("its first line must be the server's URL")
        });
    }
    if source == "-" {
        return text_of(Ok(std::io::stdin())).map(url).map_err(|error| {
            Diagnostic::error("server-file", "cannot read standard input")
                .because(error.to_string())
                .help("its first line must be the server's URL")
        });
    }
    Ok(source.to_owned())
}

/// The longest file with a URL in it, in bytes.
const LONGEST: u64 = 1024 * 1024;

fn text_of(from: std::io::Result<impl Read>) -> std::io::Result<String> {
    let bytes = read_at_most(from?, LONGEST)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

/// Asks every server at the same time. Fails if one server does not answer.
pub(crate) async fn ask(servers: &[Named]) -> Result<FactsFile, Failure> {
    let answers = join_all(servers.iter().map(|server| protocol::facts(&server.target))).await;
    let (mut facts, mut diagnostics) = (FactsFile::new(), Vec::new());
    for (server, answer) in servers.iter().zip(answers) {
        match answer {
            Ok(answer) => drop(facts.insert(server.name.clone(), answer)),
            Err(error) => diagnostics.push(unanswered(&server.name, &error)),
        }
    }
    if diagnostics.is_empty() { Ok(facts) } else { Err(Failure::of(Exit::Failed, diagnostics)) }
}

fn unanswered(name: &str, error: &ProbeError) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("server-silent", format!("{name} cannot be asked")).because(error.message.clone());
    diagnostic.help(match error.fault {
        Fault::NotYet => "check that this machine reaches it (a tunnel, the provider's list of allowed addresses)",
        Fault::Login => "check user, password and database of its URL",
        Fault::Other => "check that its URL is of the server that answers there",
    })
}

/// The facts of a local service, or the reason why it cannot be asked.
///
/// devenv uses its administrator's login if the server has one, because that login sees everything. Postgres' facts are
/// those of one database: `database` if the service has it, otherwise the login's database.
pub(crate) async fn ask_local(
    service: &DesiredService,
    environment: &str,
    observed: &Observed,
    database: Option<&str>,
    engine: &Engine,
    printer: &Printer,
) -> Result<ServiceFacts, String> {
    let container = observed.container(environment, &service.name);
    let container = container.filter(|container| container.state == "running").ok_or("does not run: `devenv up`")?;
    let login = service.admin.as_ref().or_else(|| service.endpoints.first()).ok_or("has no login")?;
    let has = |name: &&str| service.endpoints.iter().any(|endpoint| endpoint.database.as_deref() == Some(*name));
    let database = database.filter(has).map(str::to_owned).or_else(|| login.database.clone());
    let endpoint = Endpoint { database, ..login.clone() };
    let target =
        Target { protocol: service.protocol, endpoint, tls: Tls::default(), management: service.management.clone() };
    let facts = protocol::facts(&target).await.map_err(|error| error.message)?;
    Ok(broker::through_its_tool(facts, service, engine, &container.id, printer).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_stand_before_its_source() {
        assert_eq!(service_and_source("db=env:URL"), (Some("db"), "env:URL"));
        assert_eq!(service_and_source("my-db.1=@file"), (Some("my-db.1"), "@file"));
        assert_eq!(service_and_source("postgres://h/d?a=b"), (None, "postgres://h/d?a=b"));
        assert_eq!(service_and_source("-"), (None, "-"));
    }
}

//! Facts of a local broker, read through its own command-line tool if its management API is off.
//!
//! The tool starts its own Erlang runtime in the container and takes some seconds. So it is used only in that case,
//! with a message. Production's broker is never asked like this: devenv has no access to its container.

use crate::docker::{Engine, ExecRequest, Streams};
use crate::model::{Protocol, ServiceFacts};
use crate::plan::DesiredService;
use crate::protocol;
use crate::ui::Printer;
use futures_util::{join, stream};
use std::io::{Error, ErrorKind, Write};
use std::time::Duration;

/// The deadline for one command of the tool.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The maximum output of the tool, in bytes: definitions of some ten thousand queues.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// Adds the facts that the management API of a running broker would have given.
pub(crate) async fn through_its_tool(
    mut facts: ServiceFacts,
    service: &DesiredService,
    engine: &Engine,
    container: &str,
    printer: &Printer,
) -> ServiceFacts {
    if service.protocol != Protocol::Amqp || service.management.is_some() {
        return facts;
    }
    printer.line(&format!(
        "{}: its management API is off, so rabbitmqctl is run in its container, which takes some seconds",
        service.name
    ));
    let (definitions, plugins, flags) = join!(
        output(engine, container, &["rabbitmqctl", "--quiet", "export_definitions", "-"]),
        output(engine, container, &["rabbitmq-plugins", "list", "--quiet", "--enabled", "--minimal"]),
        output(engine, container, &["rabbitmqctl", "--quiet", "list_feature_flags", "--formatter", "json"]),
    );
    protocol::note_rabbitmqctl(&mut facts, definitions, plugins, flags);
    facts
}

/// The output of a command in the container, or the reason why the command failed.
async fn output(engine: &Engine, container: &str, command: &[&str]) -> Result<String, String> {
    let (mut out, mut err) = (Bounded::default(), Bounded::default());
    let request = ExecRequest {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        environment: Vec::new(),
        tty: false,
    };
    let streams =
        Streams { input: stream::empty(), output: &mut out, error: &mut err, sizes: stream::empty::<(u16, u16)>() };
    let ended = tokio::time::timeout(TIMEOUT, engine.exec(container, &request, streams)).await;
    let tool = command.first().copied().unwrap_or_default();
    match ended {
        Err(_) => Err(format!("{tool} did not end within {} s", TIMEOUT.as_secs())),
        Ok(Err(error)) => Err(format!("{tool} cannot be run: {error}")),
        Ok(Ok(0)) => Ok(String::from_utf8_lossy(&out.0).into_owned()),
        Ok(Ok(code)) => {
            let said = String::from_utf8_lossy(&err.0);
            let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Err(format!("{tool} ended with {code}: {first}"))
        }
    }
}

/// A buffer that fails when it grows too large.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(Error::new(ErrorKind::FileTooLarge, "it prints too much"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! What a broker here says through its own command-line tool, where its management API is off.
//!
//! The tool starts an Erlang of its own in the container and takes some seconds, so it is asked only then, and that is
//! said. Production's broker is never asked so: there is no way into its container.

use crate::docker::{Engine, ExecRequest, Streams};
use crate::model::{Protocol, ServiceFacts};
use crate::plan::DesiredService;
use crate::protocol;
use crate::ui::Printer;
use futures_util::{join, stream};
use std::io::{Error, ErrorKind, Write};
use std::time::Duration;

/// The tool is given up on after this long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the tool may print, in bytes: definitions of some ten thousand queues.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// Fills in what the management API would have told of a running broker.
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
        "{}: its management API is off, so rabbitmqctl is asked in its container, which takes some seconds",
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

/// What a command in the container prints; why there is nothing, where it fails.
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
        Ok(Err(error)) => Err(format!("{tool} cannot be asked: {error}")),
        Ok(Ok(0)) => Ok(String::from_utf8_lossy(&out.0).into_owned()),
        Ok(Ok(code)) => {
            let said = String::from_utf8_lossy(&err.0);
            let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            Err(format!("{tool} ended with {code}: {first}"))
        }
    }
}

/// Text that ends in a fault where it grows too large.
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

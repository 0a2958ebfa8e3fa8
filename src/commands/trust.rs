//! `devenv trust`: shows the commands that this checkout asks to run on this machine, and stores the user's consent.

use crate::cli::{Global, Trust as Arguments};
use crate::environment::checkout;
use crate::environment::consent::{ask, keep, requests, show};
use crate::environment::session::Machine;
use crate::machine::Trust;
use crate::manifest;
use crate::model::Failure;
use crate::ui::{Printer, visible};
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    arguments: &Arguments,
    printer: &Printer,
) -> Result<(), Failure> {
    let machine = Machine::load()?;
    let trust = Trust::open(&machine.folder);
    if arguments.list {
        let lines =
            trust.all().into_iter().map(|agreement| format!("{}  {}", agreement.root.display(), agreement.what));
        let lines: Vec<String> = lines.map(|line| format!("{}\n", visible(&line).replace('\n', " "))).collect();
        let none = "there are no agreements on this machine\n".to_owned();
        return printer.data(&if lines.is_empty() { none } else { lines.concat() });
    }
    let reading = manifest::read(&checkout::source(global, files, printer).await?.request)?;
    if arguments.revoke {
        let count = trust.revoke(&reading.root)?;
        printer.line(&format!("{count} revoked; devenv asks again before this checkout runs a command"));
        return Ok(());
    }
    let wanted = requests(&reading);
    if wanted.is_empty() {
        printer.line("this checkout asks to run nothing on this machine");
        return Ok(());
    }
    if wanted.iter().all(|request| trust.has(&request.digest)) {
        show(&wanted, |line| printer.line(line));
        printer.line("you agreed to all of it; `devenv trust --revoke` takes that back");
        return Ok(());
    }
    if arguments.yes {
        show(&wanted, |line| printer.line(line));
        keep(&trust, &wanted, &reading.root)?;
    } else {
        ask(wanted, &reading.root, &trust, printer)?;
    }
    printer.line("agreed; `devenv trust --revoke` takes it back");
    Ok(())
}

//! `devenv plan`: shows the steps of `up` and their causes, and changes nothing.

use crate::cli::{Global, Plan as Arguments};
use crate::environment::bring_up::{Prepared, prepare};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::session::{Purpose, strictness};
use crate::environment::{consent, seeds, unsafe_variables};
use crate::machine::Trust;
use crate::model::Failure;
use crate::plan::{Action, Step};
use crate::ui::{Printer, Table, not_carried_out, not_carried_out_json};
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    arguments: &Arguments,
    printer: &Printer,
) -> Result<(), Failure> {
    let wish = Wish {
        files,
        env_file: None,
        strictness: strictness(&arguments.start),
        token: None,
        purpose: Purpose::Start,
        start: Some(&arguments.start),
        locks: false,
        or_by_labels: false,
    };
    let Opened { project, engine, observed, .. } = checkout::open(global, &wish, printer).await?;
    let project = project.cold(arguments.start.cold);
    let user_lines = crate::environment::env_files::Main::of(&project.reading, &project.choice)?.lines;
    let Prepared { observed, desired, plan, warnings } =
        prepare(&project, &engine, &arguments.start, &user_lines, Some(observed)).await?;
    printer.diagnostics(&warnings);
    printer.diagnostics(&unsafe_variables::diagnostic(&project.unset, &[]));
    let taken = seeds::to_be_taken(&project, &desired, &observed);
    let mut asked = consent::requests(&project.reading);
    asked.retain(|request| taken.contains(&request.subject.as_str()));
    let trust = Trust::open(&project.machine.folder);
    if arguments.json {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| {
                let (verb, what) = words(step);
                serde_json::json!({
                    "step": index, "service": step.service, "action": verb, "what": what,
                    "cause": step.cause, "after": step.after,
                })
            })
            .collect();
        return printer.json(&serde_json::json!({
            "environment": project.identity.name, "steps": steps, "seeded_first": taken, "consent": consent::json(&asked, &trust),
            "not_carried_out": not_carried_out_json(&project.reading.stack.services),
        }));
    }
    let not_carried_out = not_carried_out(&project.reading.stack.services);
    if plan.changes_nothing() {
        printer.data("nothing to change: every service runs as declared\n")?;
        return not_carried_out.iter().try_for_each(|line| printer.data(&format!("{line}\n")));
    }
    let mut table = Table::new(["service", "step", "", "cause"]);
    // Records are internal: a user wants to know what happens to services and data.
    for step in plan.steps.iter().filter(|step| !matches!(step.action, Action::Write { .. })) {
        let (verb, what) = words(step);
        table.row([step.service.as_str(), verb, &what, &step.cause]);
    }
    printer.data(&table.render(printer))?;
    let seeded = (!taken.is_empty()).then(|| format!("seeded first  {}", taken.join(", ")));
    let mut more = seeded.into_iter().chain(consent::lines(&asked, &trust)).chain(not_carried_out);
    more.try_for_each(|line| printer.data(&format!("{line}\n")))
}

/// A step as a verb and its object.
fn words(step: &Step) -> (&'static str, String) {
    match &step.action {
        Action::Pull { image, .. } => ("pull", image.to_string()),
        Action::CreateNetwork { name, .. } => ("create network", name.clone()),
        Action::Write { record, .. } => ("write record", record.name.clone()),
        Action::CreateVolume(volume) => ("create volume", volume.name.clone()),
        Action::Remove { name, .. } => ("remove container", name.clone()),
        Action::Create(spec) => ("create container", spec.name.clone()),
        Action::Start { .. } => ("start", String::new()),
        Action::Prove { .. } => ("prove by logging in", String::new()),
        Action::RemoveVolume { name } => ("delete volume", name.clone()),
        Action::RemoveNetwork { name, .. } => ("remove network", name.clone()),
    }
}

//! The env files of a checkout: chooses them, assigns the variables to them, and writes them last.
//!
//! Every obstacle to writing a file is found before anything is started.

use super::apps;
use super::session::Project;
use super::starting::Ready;
use super::variables::{self, Rendered};
use crate::dotenv::{self, EnvFile, Target, UserLine, Wanted};
use crate::manifest::Reading;
use crate::model::{BLOCK_START, Diagnostic, Exit, Failure, Observed, SourceFile, Stack, Value, Variable};
use crate::plan::{self, Choice, Desired, Fields, FixedPorts};
use crate::project::Checkout;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The env file for every app, with its current content.
pub(crate) struct Main {
    /// The file.
    pub(crate) file: EnvFile,
    /// The user's own lines, in this file and in the file that apps read before it.
    pub(crate) lines: Vec<UserLine>,
    /// Notes about the choice of the file.
    pub(crate) notes: Vec<Diagnostic>,
    existing: String,
    /// The lines of the file that apps read before this file, as far as they count.
    before: Vec<UserLine>,
    /// That file with its text, if it still has devenv's block.
    outdated: Option<(EnvFile, String)>,
}

/// One env file, with its variables.
struct Planned<'a> {
    app: Option<&'a str>,
    file: EnvFile,
    existing: String,
    before: Vec<UserLine>,
    variables: Vec<&'a Variable>,
    notes: Vec<Diagnostic>,
}

/// One env file with its desired content.
pub(crate) struct Group {
    /// The app that the file is for; none for the main file.
    app: Option<String>,
    /// The file.
    pub(crate) file: EnvFile,
    /// The current content.
    pub(crate) existing: String,
    /// The desired block.
    pub(crate) block: String,
    /// The variables from which the block is rendered.
    rendered: Rendered,
}

/// The result of writing the variables.
#[derive(Default)]
pub(crate) struct Written {
    /// Whether anything in a file changed.
    pub(crate) changed: bool,
    /// How many variables the main file holds.
    pub(crate) count: usize,
    /// The names whose values the user has to fill in.
    pub(crate) to_fill_in: Vec<String>,
    /// The names that the user's own lines set, which win.
    pub(crate) own_lines: Vec<String>,
    /// The apps' own files, each with a description of its content.
    pub(crate) further: Vec<(EnvFile, String)>,
    /// Notes and warnings for the user.
    pub(crate) notes: Vec<Diagnostic>,
}

impl Main {
    /// Chooses the env file and reads it: the file that the command line named, now or before; otherwise the file that
    /// `services.local.yaml` names; otherwise the usual file.
    pub(crate) fn of(reading: &Reading, choice: &Choice) -> Result<Self, Failure> {
        let asked = choice.env_file.as_ref().map(|file| reading.root.join(file));
        let wanted = Wanted {
            asked: asked.as_deref(),
            said: reading.env_file.as_ref(),
            inputs: &reading.stack.env_inputs,
            bound: bound(&reading.stack),
            ..Wanted::of(".env")
        };
        let Target { file, passed_over, notes } = dotenv::choose(&checkout(&reading.root)?, &wanted)?;
        let existing = file.read()?;
        let (mut before, mut outdated) = (Vec::new(), None);
        if let Some(other) = passed_over {
            let text = other.read()?;
            before = dotenv::user_lines(&text);
            // A bound variable in that file has production's value, or a value that this file is to replace.
            before.retain(|line| !wanted.bound.contains(line.name.as_str()));
            let is_input = notes.iter().any(|note| note.code == "env-file-input");
            outdated = (is_input && text.contains(BLOCK_START)).then_some((other, text));
        }
        let lines = joined(dotenv::user_lines(&existing), &before);
        Ok(Self { file, lines, notes, existing, before, outdated })
    }

    /// Whether the file has devenv's block.
    pub(crate) fn has_block(&self) -> bool {
        dotenv::has_block(&self.existing)
    }
}

/// The names of variables that are bound to a service, in any app.
fn bound(stack: &Stack) -> BTreeSet<&str> {
    let bound = stack.variables.iter().filter(|variable| matches!(variable.value, Value::Bound { .. }));
    bound.map(|variable| variable.name.as_str()).collect()
}

/// The lines of two files; the lines of the first file win.
fn joined(first: Vec<UserLine>, second: &[UserLine]) -> Vec<UserLine> {
    let mut lines = first;
    let rest: Vec<_> =
        second.iter().filter(|line| lines.iter().all(|known| known.name != line.name)).cloned().collect();
    lines.extend(rest);
    lines
}

/// The user's own lines for an app: those of its own file win over those of the main file.
pub(crate) fn lines_for(project: &Project, main: &Main, app: Option<&str>) -> Result<Vec<UserLine>, Failure> {
    let Some(app) = app else { return Ok(main.lines.clone()) };
    let own = planned(project, main)?.into_iter().find(|planned| planned.app == Some(app));
    Ok(match own {
        Some(own) if project.reading.env_files.contains_key(app) => dotenv::user_lines(&own.existing),
        Some(own) => joined(dotenv::user_lines(&own.existing), &main.lines),
        None => main.lines.clone(),
    })
}

/// Checks, before anything is started, that every env file can be written. Returns the notes about the files, and about
/// values that not every reader of env files can read.
pub(crate) fn check(project: &Project, main: &Main) -> Result<Vec<Diagnostic>, Failure> {
    let mut diagnostics = main.notes.clone();
    for planned in planned(project, main)? {
        planned.file.check(&planned.existing)?;
        diagnostics.extend(planned.notes);
        // The fields of bound variables are not known yet; the text between the fields is.
        let entries = variables::without_fields(&planned.variables);
        diagnostics.extend(not_carried(&dotenv::render_block(&entries).1, &planned.variables));
    }
    Ok(diagnostics)
}

/// Renders and replaces the env file, and the apps' own env files.
pub(crate) fn write(project: &Project, ready: &Ready, main: &Main) -> Result<Written, Failure> {
    let mut written = Written::default();
    for group in groups(project, &ready.fields, main)? {
        let done = group.file.write(&dotenv::merge(&group.existing, &group.block))?;
        written.changed |= done.changed;
        if group.app.is_none() {
            written.count = group.rendered.entries.len();
        }
        for name in group.rendered.to_fill_in {
            if !written.to_fill_in.contains(&name) {
                written.to_fill_in.push(name);
            }
        }
        written.own_lines.extend(group.rendered.own_lines);
        written.notes.extend(group.rendered.notes);
        if let Some(mode) = done.corrected {
            let shown = group.file.shown();
            let message = format!("others could read `{}` (mode {mode:04o}), which holds passwords", shown.display());
            written.notes.push(Diagnostic::warning("env-file-mode", message).help("its mode is 0600 now"));
        }
        if let Some(app) = group.app {
            let names: Vec<&str> = group.rendered.entries.iter().map(|entry| entry.name.as_str()).collect();
            written.further.push((group.file, format!("of {app}: {}", names.join(", "))));
        }
    }
    if let Some((file, text)) = &main.outdated {
        file.write(&dotenv::without_block(text))?;
        let message = format!("devenv's block was removed from `{}`", file.shown().display());
        written.notes.push(Diagnostic::note("env-file-moved", message));
    }
    Ok(written)
}

/// Every env file of the project with its desired content: the main file first.
pub(crate) fn groups(project: &Project, fields: &Fields, main: &Main) -> Result<Vec<Group>, Failure> {
    let mut groups = Vec::new();
    for Planned { app, file, existing, before, variables, .. } in planned(project, main)? {
        let open: BTreeSet<&str> = variables
            .iter()
            .filter(|variable| matches!(variable.value, Value::Secret(_) | Value::Unresolved(_)))
            .map(|variable| variable.name.as_str())
            .collect();
        let (existing, lifted) = dotenv::lift(&existing, &open).unwrap_or((existing, Vec::new()));
        let source = Arc::new(SourceFile { path: file.shown(), text: existing.clone() });
        let mut rendered = variables::render(&variables, fields, &dotenv::user_lines(&existing), &source);
        let is_set_before = |name: &String| before.iter().any(|line| line.name == *name);
        rendered.entries.retain(|entry| !is_set_before(&entry.name));
        rendered.to_fill_in.retain(|name| !is_set_before(name));
        if !lifted.is_empty() {
            let message = format!("moved below devenv's block, which is rewritten: {}", lifted.join(", "));
            rendered.notes.push(Diagnostic::note("line-moved", message).help("fill in the values below the block"));
        }
        let (block, _) = dotenv::render_block(&rendered.entries);
        let disarmed = dotenv::commented_out(&existing, &block);
        if !disarmed.is_empty() {
            let shown = file.shown();
            let message = format!("`{}` lacks the line that ends devenv's block", shown.display());
            let diagnostic = Diagnostic::warning("env-file-unclosed", message).because(format!(
                "devenv cannot tell its own lines from yours, so these lines are comments now: {}",
                disarmed.join(", ")
            ));
            rendered.notes.push(diagnostic.help("below the block, remove the `# ` from each line that is your own"));
        }
        groups.push(Group { app: app.map(str::to_owned), file, existing, block, rendered });
    }
    Ok(groups)
}

/// Every env file with its variables: the main file first.
fn planned<'a>(project: &'a Project, main: &Main) -> Result<Vec<Planned<'a>>, Failure> {
    let reading = &project.reading;
    let checkout = checkout(&reading.root)?;
    let mut planned: Vec<Planned<'a>> = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for share in apps::shares(&reading.stack, &reading.env_files) {
        let Some(app) = share.app else {
            let (file, existing, before) = (main.file.clone(), main.existing.clone(), main.before.clone());
            planned.push(Planned { app: None, file, existing, before, variables: share.variables, notes: Vec::new() });
            continue;
        };
        let name = apps::file_name(app, &taken);
        let inputs = &reading.stack.env_inputs;
        let wanted = Wanted { said: share.named, inputs, bound: bound(&reading.stack), ..Wanted::of(&name) };
        let Target { file, notes, .. } = dotenv::choose(&checkout, &wanted)?;
        taken.insert(name);
        let existing = file.read()?;
        // A line in the file for every app counts for each app.
        let before = if share.named.is_some() { Vec::new() } else { main.lines.clone() };
        planned.push(Planned { app: Some(app), file, existing, before, variables: share.variables, notes });
    }
    Ok(planned)
}

fn checkout(root: &Path) -> Result<Checkout, Failure> {
    Checkout::at(root).map_err(|error| {
        let diagnostic =
            Diagnostic::error("folder", format!("cannot read {}", root.display())).because(error.to_string());
        Failure::new(Exit::Failed, diagnostic.help("check the folder and its permissions"))
    })
}

/// Diagnostics for values that not every reader of env files can read, each with its place in the manifest.
pub(crate) fn not_carried(refusals: &[dotenv::Refusal], variables: &[&Variable]) -> Vec<Diagnostic> {
    let diagnostics = refusals.iter().map(|refusal| {
        let diagnostic = refusal.diagnostic();
        match variables.iter().find(|variable| variable.name == refusal.name) {
            Some(variable) => diagnostic.at(&variable.origin, "declared here"),
            None => diagnostic,
        }
    });
    diagnostics.collect()
}

/// The running services, with the passwords of the user's own lines. Nothing is started, so no port needs to be
/// free.
pub(crate) fn as_it_runs(project: &mut Project, observed: &Observed) -> Result<Desired, Failure> {
    project.fixed_ports = FixedPorts::Named;
    // An env file that cannot be written does not affect the running services.
    let lines = Main::of(&project.reading, &project.choice).map(|main| main.lines).unwrap_or_default();
    let value = |line: &UserLine| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned()));
    let values = lines.iter().filter_map(value).collect();
    project.desired(observed, &plan::overrides(&project.reading.stack.variables, &values), &[])
}

//! `devenv env`: the variables that `up` writes, in the form that is asked for.

use crate::cli::{Env, Format, Global, Manifests, Start, View};
use crate::dotenv::{self, Difference};
use crate::environment::bring_up::{Prepared, manifest_failure, prepare};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::env_files::{Main, groups, not_carried};
use crate::environment::process::lines;
use crate::environment::session::{Purpose, strictness};
use crate::environment::{apps, unsafe_variables, variables};
use crate::model::{Diagnostic, Exit, Failure, SourceFile};
use crate::plan::FixedPorts;
use crate::ui::Printer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], env: &Env, printer: &Printer) -> Result<u8, Failure> {
    let mut start = Start {
        manifests: Manifests::default(),
        allow_floating: env.allow_floating,
        strict: false,
        timeout: Duration::ZERO,
        fresh: Vec::new(),
        cold: false,
        locked: false,
        no_locked: true,
    };
    let wish = Wish {
        files,
        env_file: env.env_file.as_deref(),
        strictness: strictness(&start),
        token: None,
        purpose: Purpose::Use,
        start: None,
        locks: false,
        or_by_labels: false,
    };
    let Opened { mut project, engine, observed, .. } = checkout::open(global, &wish, printer).await?;
    // Nothing is started here, so no port needs to be free.
    project.fixed_ports = FixedPorts::Named;
    let target = Main::of(&project.reading, &project.choice)?;
    let app = env.app.as_deref();
    let user_lines = if env.check { Vec::new() } else { lines(&project, &target, app, printer)? };
    printer.diagnostics(&unsafe_variables::diagnostic(&project.unset, &[]));
    // Which data a service would start on does not change its variables.
    start.fresh = project.reading.stack.services.iter().map(|service| service.name.clone()).collect();
    let Prepared { desired, .. } = prepare(&project, &engine, &start, &target.lines, Some(observed)).await?;
    let fields = desired.fields(project.kinds(), env.view == View::Network).map_err(manifest_failure)?;
    if env.check {
        let mut stale = Vec::new();
        for group in groups(&project, &fields, &target)? {
            for difference in dotenv::check(&group.existing, &group.block) {
                stale.push(format!("{} {}", group.file.path().display(), words(&difference)));
            }
        }
        if stale.is_empty() {
            printer.line(&format!("{} is up to date", target.file.path().display()));
            return Ok(0);
        }
        return Err(Failure::new(
            Exit::Differs,
            Diagnostic::error("env-stale", "the variables are stale")
                .because(stale.join("\n"))
                .help("`devenv up` writes them again"),
        ));
    }
    let all = apps::of_app(&project.reading.stack, &project.reading.env_files, app)?;
    let file = Arc::new(SourceFile { path: target.file.path().to_owned(), text: String::new() });
    let mut rendered = variables::render(&all, &fields, &[], &file);
    variables::put_own_lines(&mut rendered.entries, &all, &user_lines, env.view == View::Host);
    let format = match env.format {
        Format::Dotenv => dotenv::Format::Dotenv,
        Format::Shell => dotenv::Format::Shell,
        Format::Json => dotenv::Format::Json,
        Format::Github => dotenv::Format::Github,
        Format::Docker => dotenv::Format::Docker,
    };
    let (text, refusals) = dotenv::render(&rendered.entries, format);
    printer.diagnostics(&not_carried(&refusals, &all));
    if env.format == Format::Github {
        // The runner reads commands in the step's whole output; standard output goes to the file.
        for mask in dotenv::masks(&rendered.entries) {
            printer.exact_error_line(&mask);
        }
    }
    printer.exact(&text).map(|()| 0)
}

fn words(difference: &Difference) -> String {
    match difference {
        Difference::Missing(name) => format!("lacks {name}"),
        Difference::Changed(name) => format!("has another value of {name}"),
        Difference::Superfluous(name) => format!("still has {name}"),
    }
}

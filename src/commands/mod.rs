//! The commands. Each file parses one command, calls its use case in `environment/`, and prints the result. No command
//! imports another command.

mod bundle;
mod doctor;
mod down;
mod env;
mod facts;
mod gc;
mod hidden_arguments;
mod init;
mod kinds;
mod lock;
mod logs;
mod ls;
mod man;
mod manifest;
mod parity;
mod pin;
mod plan;
mod reset;
mod restart;
mod run;
mod schema;
mod shell;
mod snapshot;
mod status;
mod trust;
mod up;
mod url;
mod usage;

use crate::cli::{Cli, Command, Down, Exec, Shell};
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use clap::CommandFactory;
pub use usage::usage;

/// Carries out the command. Returns the exit code of the process that it ran (`devenv run`, `devenv shell`), otherwise
/// 0.
pub async fn run(cli: Cli, printer: &Printer) -> Result<u8, Failure> {
    if matches!(cli.command, Command::Parity(_) | Command::Facts(_)) {
        hidden_arguments::hide();
    }
    let global = &cli.global;
    if let Some(folder) = &global.directory {
        std::env::set_current_dir(folder).map_err(|error| {
            let diagnostic = Diagnostic::error("folder", format!("cannot work in {}", folder.display()));
            Failure::new(Exit::Usage, diagnostic.because(error.to_string()).help("check the folder after -C"))
        })?;
    }
    let files = |of_command: &[std::path::PathBuf]| [cli.manifests.files.as_slice(), of_command].concat();
    let done = |()| 0;
    match &cli.command {
        Command::Up(up) => up::run(global, &files(&up.start.manifests.files), up, printer).await.map(done),
        Command::Plan(plan) => plan::run(global, &files(&plan.start.manifests.files), plan, printer).await.map(done),
        Command::Manifest(show) => {
            manifest::run(global, &files(&show.manifests.files), show.json, printer).await.map(done)
        }
        Command::Lock(lock) => lock::run(global, &files(&lock.manifests.files), lock, printer).await.map(done),
        Command::Update(update) => {
            lock::update(global, &files(&update.manifests.files), update, printer).await.map(done)
        }
        Command::Bundle(bundle) => {
            bundle::run(global, &files(&bundle.manifests.files), bundle, printer).await.map(done)
        }
        Command::Pin(pin) => pin::run(global, &files(&pin.manifests.files), pin, printer).await.map(done),
        Command::Down(down) => down::run(global, &files(&down.manifests.files), down, printer).await.map(done),
        Command::Stop(stop) if !stop.services.is_empty() => {
            restart::stop(global, &files(&stop.manifests.files), &stop.services, printer).await.map(done)
        }
        Command::Stop(stop) => {
            let down = Down { manifests: stop.manifests.clone(), volumes: false, yes: false };
            down::run(global, &files(&stop.manifests.files), &down, printer).await.map(done)
        }
        Command::Restart(restart) => {
            let files = files(&restart.start.manifests.files);
            restart::run(global, &files, restart, printer).await?;
            Box::pin(up::run(global, &files, &restart::up_again(restart), printer)).await.map(done)
        }
        Command::Exec(exec) => {
            let Exec { manifests, admin, service, command, .. } = exec.clone();
            let shell = Shell { manifests, admin, service, command };
            shell::run(global, &files(&exec.manifests.files), &shell, printer).await
        }
        Command::Status(status) => {
            status::run(global, &files(&status.show.manifests.files), status, printer).await.map(done)
        }
        Command::Ls(ls) => ls::run(global, ls, printer).await.map(done),
        Command::Env(env) => env::run(global, &files(&env.manifests.files), env, printer).await,
        Command::Logs(logs) => logs::run(global, &files(&logs.files), logs, printer).await.map(done),
        Command::Shell(shell) => shell::run(global, &files(&shell.manifests.files), shell, printer).await,
        Command::Url(url) => url::run(global, &files(&url.manifests.files), url, printer).await.map(done),
        Command::Run(run) => Box::pin(run::run(global, &files(&run.start.manifests.files), run, printer)).await,
        Command::Snapshot(snapshot) => {
            Box::pin(snapshot::run(global, &files(&snapshot.manifests.files), snapshot, printer)).await.map(done)
        }
        Command::Reset(reset) => {
            Box::pin(reset::run(global, &files(&reset.start.manifests.files), reset, printer)).await.map(done)
        }
        Command::Gc(gc) => gc::run(global, &files(&gc.manifests.files), gc, printer).await.map(done),
        Command::Trust(trust) => trust::run(global, &files(&trust.manifests.files), trust, printer).await.map(done),
        Command::Init => init::run(global, printer).map(done),
        Command::Doctor(show) => doctor::run(global, &files(&show.manifests.files), show.json, printer).await,
        Command::Kinds(show) => kinds::run(global, &files(&show.manifests.files), show.json, printer).map(done),
        Command::Parity(parity) => {
            parity::run(global, &files(&parity.manifests.files), parity, printer).await.map(done)
        }
        Command::Facts(facts) => facts::run(global, &files(&facts.manifests.files), facts, printer).await.map(done),
        Command::Schema { file } => schema::run(*file, printer).map(done),
        Command::Man { to } => man::run(to, printer).map(done),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "devenv", &mut text);
            printer.exact(&String::from_utf8_lossy(&text)).map(done)
        }
    }
}

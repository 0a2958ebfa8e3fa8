//! The types of the command line.

mod habits;

pub use clap::Error;
pub use habits::parse;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Production's backing services, on this machine.
///
/// Reads the files that production deploys from, starts the same services at the same versions in Docker, proves each
/// service by logging in, and writes the matching `.env`.
#[derive(Debug, Parser)]
#[command(name = "devenv", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    // Not a global option: `-f` of `devenv logs` means `--follow`, as in other tools. Each command that reads manifests
    // has its own `-f`.
    /// Manifests that are named before the command.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Work as if started in this folder.
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// The engine to use, as in `DOCKER_HOST`.
    #[arg(long, value_name = "URL", global = true)]
    pub host: Option<String>,
    /// Colours and progress bars.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub color: Color,
    /// Print only data and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Agree, for this run, to the commands and variables of the checkout that `devenv trust` shows.
    #[arg(long, global = true)]
    pub trust: bool,
}

/// Which manifests to read.
#[derive(Clone, Debug, Default, Args)]
pub struct Manifests {
    /// A manifest to read; may be given several times; `-` is standard input.
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the services that production declares, prove each service by logging in, write `.env`.
    #[command(alias = "start")]
    Up(Up),
    /// Show the steps that `up` would take, and their causes; change nothing.
    Plan(Plan),
    /// Show the services that production declares.
    Manifest(Show),
    /// Write the version of a service into `services.local.yaml`, if the manifests leave the version open.
    Pin(Pin),
    /// Write the exact image of each service into `services.lock`, if the manifests changed; commit that file.
    Lock(Lock),
    /// Lock the newest image of the declared versions, and show the old and the new image.
    Update(Update),
    /// Copy every locked image to machines without access to a registry.
    Bundle(Bundle),
    /// Stop and remove the containers; keep the data.
    Down(Down),
    /// Stop services; without a name, all services, as `down` does. The data is kept.
    #[command(hide = true)]
    Stop(Stop),
    /// Stop services, start them again, and prove them as `up` does.
    Restart(Restart),
    /// Show the environment's services.
    #[command(visible_alias = "ps")]
    Status(Status),
    /// List the environments of this machine, with their folders, services and states.
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Print the variables that `up` writes into `.env`.
    Env(Env),
    /// Show the services' logs.
    Logs(Logs),
    /// Open a service's own client in its container.
    Shell(Shell),
    /// Run a program in a service's container, as `shell SERVICE -- COMMAND` does.
    #[command(hide = true)]
    Exec(Exec),
    /// Print the URL of a service, with its login.
    Url(Url),
    /// Bring the services up, then run a command with the variables set.
    Run(Run),
    /// Save the data of all services under a name, and restore it.
    Snapshot(Snapshot),
    /// Discard the data and begin as after the first `up`.
    Reset(Reset),
    /// Remove unused resources: bases that no environment is layered on, leftovers of killed runs.
    Gc(Gc),
    /// Show the commands and variables of this checkout that need your agreement, and agree to them.
    Trust(Trust),
    /// Write a starter `services.yaml`, or say which manifest exists already.
    Init,
    /// Check the engine, the registry mirror, `.env` and the other requirements of `up`.
    Doctor(Show),
    /// List the kinds of services.
    Kinds(Show),
    /// Compare development with production: the manifest, the lock, the servers here and production's servers.
    Parity(Parity),
    /// Print the facts that servers report about themselves, read-only, for people without access to the servers.
    Facts(Facts),
    /// Print the JSON schema of a file, for editors.
    Schema {
        /// Which file.
        #[arg(value_enum)]
        file: SchemaOf,
    },
    /// Write the manual's pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder; devenv creates it if it is missing.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// A command that only shows something.
#[derive(Clone, Debug, Args)]
pub struct Show {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `devenv status`.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Options for showing.
    #[command(flatten)]
    pub show: Show,
    /// Check whether `up` has written this env file, instead of the environment's own env file.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Show how much disk space each service's data takes, and how much of it is shared.
    #[arg(long)]
    pub sizes: bool,
}

/// `devenv ls`.
#[derive(Clone, Debug, Args)]
pub struct Ls {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of every command that starts services.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Start {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Continue if production does not say which version it runs.
    #[arg(long, conflicts_with = "strict")]
    pub allow_floating: bool,
    /// Also refuse a service if production names only a series (`16`) and no exact release.
    #[arg(long)]
    pub strict: bool,
    /// The time in which every service must be ready: `90`, `90s`, `3m`. A pull fails only if no data arrives for this
    /// time.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// Start this service on new data if another major version wrote the old data; the old data is kept.
    #[arg(long, value_name = "SERVICE")]
    pub fresh: Vec<String>,
    /// Let servers initialise fresh data instead of starting from a base.
    #[arg(long)]
    pub cold: bool,
    /// Fail if `services.lock` is missing or does not match the manifests; the default if `CI` is set.
    #[arg(long, conflicts_with = "no_locked")]
    pub locked: bool,
    /// Continue without `services.lock`, also if `CI` is set.
    #[arg(long)]
    pub no_locked: bool,
}

/// `devenv lock`.
#[derive(Clone, Debug, Args)]
pub struct Lock {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Write nothing; fail if the lock is missing or stale.
    #[arg(long)]
    pub check: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "check")]
    pub json: bool,
}

/// `devenv update`.
#[derive(Clone, Debug, Args)]
pub struct Update {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The service; without a name, all services are updated.
    pub service: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `devenv bundle`.
#[derive(Clone, Debug, Args)]
pub struct Bundle {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The action.
    #[command(subcommand)]
    pub action: BundleAction,
}

/// An action on a bundle.
#[derive(Clone, Debug, Subcommand)]
pub enum BundleAction {
    /// Write every locked image into one archive; pull missing images first.
    Save {
        /// The archive.
        file: PathBuf,
    },
    /// Load the images from the archive, after checking every byte against services.lock.
    Load {
        /// The archive.
        file: PathBuf,
    },
}

/// `devenv pin`.
#[derive(Clone, Debug, Args)]
pub struct Pin {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The service.
    #[arg(required_unless_present = "from_facts")]
    pub service: Option<String>,
    /// The release that production runs, in the form of the image's tags: `16.4`, `16.4-alpine`, `16.4@sha256:…`.
    #[arg(id = "release", value_name = "VERSION", required_unless_present = "from_facts")]
    pub version: Option<String>,
    /// Pin every service to the release that its server reported (`devenv facts`).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service", "release"])]
    pub from_facts: Option<PathBuf>,
}

/// `devenv parity`.
#[derive(Clone, Debug, Args)]
pub struct Parity {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Also ask this server, as production: a URL, or the URL's source: `env:NAME`, `@FILE` or `-` (standard input).
    /// Put `SERVICE=` before the URL if the scheme does not identify the service. Read-only.
    #[arg(long, value_name = "[SERVICE=]URL")]
    pub against: Vec<String>,
    /// Send passwords in clear text to another machine, without TLS. Other hosts on the network can read them.
    #[arg(long, requires = "against")]
    pub insecure: bool,
    /// Take production's answers from this file, which `devenv facts` wrote.
    #[arg(long, value_name = "FILE")]
    pub against_facts: Vec<PathBuf>,
    /// Compare these two instead: facts files or manifests, by path or by stage (`production`, `staging`).
    #[arg(long, num_args = 2, value_names = ["ONE", "OTHER"], conflicts_with_all = ["against", "against_facts"])]
    pub between: Vec<String>,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Exit with 7 if there is a difference that matters.
    #[arg(long)]
    pub check: bool,
    /// With `--check`: also exit with 7 if a fact could not be asked.
    #[arg(long, requires = "check")]
    pub require_all: bool,
    /// The lowest impact on which `--check` fails.
    #[arg(long, value_enum, default_value_t, value_name = "IMPACT")]
    pub fail_on: FailOn,
}

/// Forms of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Text to read on a terminal.
    #[default]
    Terminal,
    /// One object.
    Json,
    /// For a pull request.
    Markdown,
    /// One file for a browser.
    Html,
    /// For code hosts.
    Sarif,
    /// Annotations on the manifests' lines, and the job's summary.
    Github,
}

/// The lowest impact on which `--check` fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// An app that works on one side fails on the other.
    Breaks,
    /// An app may get other answers or limits.
    #[default]
    Behaves,
    /// Everything that is not expected.
    Cosmetic,
}

/// `devenv facts`.
#[derive(Clone, Debug, Args)]
pub struct Facts {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The servers, each as a URL or the URL's source: `env:NAME`, `@FILE` or `-` (standard input), with the service's
    /// name and `=` before it. Without servers, devenv asks the services of this environment.
    #[arg(value_name = "[SERVICE=]URL")]
    pub servers: Vec<String>,
    /// Send passwords in clear text to another machine, without TLS. Other hosts on the network can read them.
    #[arg(long, requires = "servers")]
    pub insecure: bool,
}

/// Files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// `services.yaml`.
    Services,
    /// `services.local.yaml`.
    Local,
    /// `services.lock`.
    Lock,
    /// The output of `devenv parity --format json`.
    Report,
}

/// `devenv up`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Up {
    /// Options for starting services.
    #[command(flatten)]
    pub start: Start,
    /// Write the variables into this file instead of `.env`, now and in later commands.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Only these services; the other services are not changed.
    pub services: Vec<String>,
    /// For compatibility with Compose: services always run in the background.
    #[arg(short, long, hide = true)]
    pub detach: bool,
    /// Begin with the current data of another checkout of the project, or with a snapshot (`PATH@NAME` is a snapshot of
    /// that checkout). Works only if the environment has no data yet.
    #[arg(long, value_name = "PATH|SNAPSHOT", conflicts_with = "reseed")]
    pub from: Option<String>,
    /// Load the seeds of `services.local.yaml` again and begin with them; discards all data that was written since.
    #[arg(long)]
    pub reseed: bool,
    /// Do not ask before data is discarded.
    #[arg(short, long, requires = "reseed")]
    pub yes: bool,
    /// Print the outcome as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `devenv stop`.
#[derive(Clone, Debug, Args)]
pub struct Stop {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Only these services.
    pub services: Vec<String>,
}

/// `devenv restart`.
#[derive(Clone, Debug, Args)]
pub struct Restart {
    /// Options for starting services.
    #[command(flatten)]
    pub start: Start,
    /// Only these services; without a name, all services.
    pub services: Vec<String>,
}

/// `devenv exec`.
#[derive(Clone, Debug, Args)]
pub struct Exec {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Log in as the server's administrator instead of the app.
    #[arg(long)]
    pub admin: bool,
    /// Options that Compose and Docker take (`-it`, `-T`). devenv ignores them: the program gets a terminal if the
    /// command was typed on a terminal.
    #[arg(short = 'i', short_aliases = ['t', 'T'], action = clap::ArgAction::Count, hide = true)]
    pub terminal: u8,
    /// The service.
    pub service: String,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<String>,
}

/// `devenv snapshot`.
#[derive(Clone, Debug, Args)]
pub struct Snapshot {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The time in which every service must be ready again: `90`, `90s`, `3m`.
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// The action.
    #[command(subcommand)]
    pub action: SnapshotAction,
}

/// An action on snapshots.
#[derive(Clone, Debug, Subcommand)]
pub enum SnapshotAction {
    /// Save the current data of all services, or of some. These services stop for a moment.
    Save {
        /// Letters, digits, `.`, `_` and `-`.
        name: String,
        /// Only these services; without a name, all services.
        services: Vec<String>,
    },
    /// List the snapshots.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Restore a snapshot in all its services, or in some; discards their current data.
    Restore {
        /// The name of the snapshot.
        name: String,
        /// Only these services; without a name, all services of the snapshot.
        services: Vec<String>,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Show the differences between two snapshots: rows of tables, keys, messages of queues.
    Diff {
        /// The first snapshot.
        a: String,
        /// The second snapshot; without a name, the current data.
        b: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a snapshot.
    Rm {
        /// The name of the snapshot.
        name: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

/// `devenv gc`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Clone, Debug, Args)]
pub struct Gc {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also remove the data of git branches that no longer exist (`branch: git`); asks first.
    #[arg(long, group = "data")]
    pub branches: bool,
    /// Instead, remove every environment of this machine whose folder no longer exists, with its data; asks first. This
    /// works in any folder.
    #[arg(long, group = "data")]
    pub folders: bool,
    /// Do not ask.
    #[arg(short, long, requires = "data")]
    pub yes: bool,
}

/// `devenv reset`.
#[derive(Clone, Debug, Args)]
pub struct Reset {
    /// Options for starting services.
    #[command(flatten)]
    pub start: Start,
    /// Only these services; without a name, all services.
    pub services: Vec<String>,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// `devenv trust`.
#[derive(Clone, Debug, Args)]
pub struct Trust {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// List every agreement on this machine.
    #[arg(long, conflicts_with_all = ["revoke", "yes"])]
    pub list: bool,
    /// Withdraw every agreement for this checkout.
    #[arg(long, conflicts_with = "yes")]
    pub revoke: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// `devenv plan`.
#[derive(Clone, Debug, Args)]
pub struct Plan {
    /// Options for starting services.
    #[command(flatten)]
    pub start: Start,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `devenv down`.
#[derive(Clone, Debug, Args)]
pub struct Down {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Also delete this environment's data; asks first.
    #[arg(short, long)]
    pub volumes: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// `devenv env`.
#[derive(Clone, Debug, Args)]
pub struct Env {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// The format of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whether the app runs on this machine or in a container of the environment's network.
    #[arg(long, value_enum, default_value_t)]
    pub view: View,
    /// Print nothing; exit with 7 if `.env` is stale.
    #[arg(long)]
    pub check: bool,
    /// Print the variables of this app, including those about which apps disagree.
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    pub app: Option<String>,
    /// The file to check instead of `.env`.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Continue if production does not say which version it runs.
    #[arg(long)]
    pub allow_floating: bool,
}

/// Forms of variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As in `.env`.
    #[default]
    Dotenv,
    /// `export NAME='…'`, for `eval`.
    Shell,
    /// One object.
    Json,
    /// For `>> "$GITHUB_ENV"`.
    Github,
    /// For `docker run --env-file`.
    Docker,
}

/// Where the app runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// On this machine: loopback and the published port.
    #[default]
    Host,
    /// In a container on the environment's network: the service's name and its own port.
    Network,
}

/// `devenv logs`.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// A manifest to read; may be given several times.
    #[arg(long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Continue with new lines as they arrive.
    #[arg(short, long)]
    pub follow: bool,
    /// The number of earlier lines to show.
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 100)]
    pub tail: usize,
    /// Only these services.
    pub services: Vec<String>,
}

/// `devenv shell`.
#[derive(Clone, Debug, Args)]
pub struct Shell {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Log in as the server's administrator instead of the app.
    #[arg(long)]
    pub admin: bool,
    /// The service.
    pub service: String,
    /// Another program to run in the container instead of the service's client.
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// `devenv url`.
#[derive(Clone, Debug, Args)]
pub struct Url {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Print the login of the server's administrator instead of the app's login.
    #[arg(long)]
    pub admin: bool,
    /// Copy the URL to the clipboard instead of printing it.
    #[arg(long)]
    pub copy: bool,
    /// The service; optional if there is only one service.
    pub service: Option<String>,
}

/// `devenv run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Options for starting services.
    #[command(flatten)]
    pub start: Start,
    /// Write the variables into this file instead of `.env`, now and in later commands.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Set the variables of this app, including those about which apps disagree.
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Use an environment of its own with fresh data and free ports, and remove everything at the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// Start this many ephemeral environments in parallel, and run the command once in each, with `DEVENV_LANE` set to
    /// 1, 2, …
    #[arg(long, value_name = "N", value_parser = lanes)]
    pub lanes: Option<usize>,
    /// The time after which `up` or `gc` of any checkout may remove the leftovers of a killed ephemeral run: `90m`, `6h`, `2d`.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = duration)]
    pub ttl: Duration,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Reads a number of lanes, within the limit of one machine.
fn lanes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=64) => Ok(count),
        _ => Err("the number of lanes must be from 1 to 64".to_owned()),
    }
}

impl Command {
    /// Whether standard output is JSON, also for an error.
    pub fn is_json(&self) -> bool {
        match self {
            Self::Up(up) => up.json,
            Self::Plan(plan) => plan.json,
            Self::Manifest(show) | Self::Doctor(show) | Self::Kinds(show) => show.json,
            Self::Lock(lock) => lock.json,
            Self::Update(update) => update.json,
            Self::Status(status) => status.show.json,
            Self::Ls(ls) => ls.json,
            Self::Env(env) => env.format == Format::Json,
            Self::Parity(parity) => parity.format == ReportFormat::Json,
            Self::Snapshot(snapshot) => {
                matches!(
                    &snapshot.action,
                    SnapshotAction::List { json: true } | SnapshotAction::Diff { json: true, .. }
                )
            }
            _ => false,
        }
    }
}

impl Start {
    /// The options of a command that starts services and has no options of its own for that.
    pub fn with(manifests: &Manifests) -> Self {
        Self {
            manifests: manifests.clone(),
            allow_floating: true,
            strict: false,
            timeout: Duration::from_mins(1),
            fresh: Vec::new(),
            cold: false,
            locked: false,
            no_locked: false,
        }
    }
}

/// Reads a time: `90`, `90s`, `3m`, `500ms`, `6h`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "a time is a number followed by `ms`, `s`, `m`, `h` or `d`: `90s`".to_owned())?;
    match unit {
        "" | "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(60 * 60))),
        "d" => Ok(Duration::from_secs(number.saturating_mul(24 * 60 * 60))),
        _ => Err(format!("`{unit}` is not a unit of time: use `ms`, `s`, `m`, `h` or `d`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("3m"), Ok(Duration::from_secs(180)));
        assert_eq!(duration("6h"), Ok(Duration::from_secs(21_600)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        assert!(duration("soon").is_err());
        assert!(duration("3w").unwrap_err().contains("`w`"));
    }
}

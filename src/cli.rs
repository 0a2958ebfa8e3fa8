//! The command line, and nothing else.

mod habits;

pub use clap::Error;
pub use habits::parse;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Production's backing services, on this machine.
///
/// Reads what production deploys from, starts the same services at the same versions in Docker, proves each by
/// logging in, and writes the matching `.env`.
#[derive(Debug, Parser)]
#[command(name = "devenv", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What every command knows.
    #[command(flatten)]
    pub global: Global,
    // Not global: `devenv logs -f` follows, as everywhere, so the commands that read manifests have their own `-f`.
    /// Manifests named before the command.
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
    /// Say nothing but what went wrong.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Agree, for this run, to the commands and variables of the checkout that `devenv trust` shows.
    #[arg(long, global = true)]
    pub trust: bool,
}

/// Which manifests to read.
#[derive(Clone, Debug, Default, Args)]
pub struct Manifests {
    /// A manifest to read; may be given several times, `-` is standard input.
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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start what production declares, prove each service by logging in, write `.env`.
    #[command(alias = "start")]
    Up(Up),
    /// Show the steps that `up` would take, and their causes; change nothing.
    Plan(Plan),
    /// Show what production declares.
    Manifest(Show),
    /// Write the version of a service into `services.local.yaml`, where the manifests do not settle it.
    Pin(Pin),
    /// Write the exact image of each service into `services.lock`, where the manifests changed; commit that file.
    Lock(Lock),
    /// Lock the newest image of the declared versions, and show old and new.
    Update(Update),
    /// Carry every locked image to machines that no registry serves.
    Bundle(Bundle),
    /// Stop and remove the containers; keep the data.
    Down(Down),
    /// Stop services; without any, all of them, as `down` does. The data is kept.
    #[command(hide = true)]
    Stop(Stop),
    /// Stop services, start them again, and prove them as `up` does.
    Restart(Restart),
    /// Show the environment's services.
    #[command(visible_alias = "ps")]
    Status(Status),
    /// List the environments of this machine: where they are, what they have, how they are.
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
    /// Keep the data of all services under a name, and go back to it.
    Snapshot(Snapshot),
    /// Throw the data away and begin as the first `up` did.
    Reset(Reset),
    /// Remove what nothing needs any more: bases that no environment lies over, leftovers of killed runs.
    Gc(Gc),
    /// Show what this checkout asks to run on this machine, and agree to it.
    Trust(Trust),
    /// Write a starter `services.yaml`, or say which manifest is there already.
    Init,
    /// Check the engine, the registry mirror, `.env` and the rest of what `up` needs.
    Doctor(Show),
    /// List the kinds of services.
    Kinds(Show),
    /// Compare development with production: manifest, lock, what runs here, and what production answers.
    Parity(Parity),
    /// Print what servers say of themselves, read-only, for those who may not ask them.
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
        /// The folder; it is made where it lacks.
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
    /// Showing.
    #[command(flatten)]
    pub show: Show,
    /// Say of this env file whether `up` has written it, instead of the environment's own.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Show how much room each service's data takes, and what it shares.
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

/// Options of whatever starts services.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Start {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Go on where production does not say which version it runs.
    #[arg(long, conflicts_with = "strict")]
    pub allow_floating: bool,
    /// Refuse a service of which production says no release (`16`), too.
    #[arg(long)]
    pub strict: bool,
    /// How long until every service must be ready: `90`, `90s`, `3m`. A pull is bounded by its own standstill.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// Start this service on new data where its old data is another major version's; the old data is kept.
    #[arg(long, value_name = "SERVICE")]
    pub fresh: Vec<String>,
    /// Let servers make fresh data anew instead of starting over what an earlier one of the same kind made.
    #[arg(long)]
    pub cold: bool,
    /// Fail where `services.lock` is missing, or does not have what the manifests declare; the default where `CI` is set.
    #[arg(long, conflicts_with = "no_locked")]
    pub locked: bool,
    /// Go on without, also where `CI` is set.
    #[arg(long)]
    pub no_locked: bool,
}

/// `devenv lock`.
#[derive(Clone, Debug, Args)]
pub struct Lock {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Write nothing; fail where the lock is missing or stale.
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
    /// The service; without one all are updated.
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
    /// What to do.
    #[command(subcommand)]
    pub action: BundleAction,
}

/// What to do with a bundle.
#[derive(Clone, Debug, Subcommand)]
pub enum BundleAction {
    /// Write every locked image into one archive; those that are not here are pulled first.
    Save {
        /// The archive.
        file: PathBuf,
    },
    /// Load them from it, after every byte was checked against services.lock.
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
    /// The release that production runs, as the image's tags have it: `16.4`, `16.4-alpine`, `16.4@sha256:…`.
    #[arg(id = "release", value_name = "VERSION", required_unless_present = "from_facts")]
    pub version: Option<String>,
    /// Pin every service to the release that its server said (`devenv facts`).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service", "release"])]
    pub from_facts: Option<PathBuf>,
}

/// `devenv parity`.
#[derive(Clone, Debug, Args)]
pub struct Parity {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Ask this server too, as production: a URL, `env:NAME`, `@FILE` or `-` (standard input) that holds it; with
    /// `SERVICE=` before it where its scheme does not tell which service it is. Read-only.
    #[arg(long, value_name = "[SERVICE=]URL")]
    pub against: Vec<String>,
    /// Send passwords in clear text too where others on the way could read them: without TLS, to another machine.
    #[arg(long, requires = "against")]
    pub insecure: bool,
    /// Take production's answers from this file, which `devenv facts` wrote.
    #[arg(long, value_name = "FILE")]
    pub against_facts: Vec<PathBuf>,
    /// Compare these two instead: facts files or manifests, by path, or by stage (`production`, `staging`).
    #[arg(long, num_args = 2, value_names = ["ONE", "OTHER"], conflicts_with_all = ["against", "against_facts"])]
    pub between: Vec<String>,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReportFormat,
    /// Exit with 7 where something differs that matters.
    #[arg(long)]
    pub check: bool,
    /// With `--check`: exit with 7 also where something could not be asked.
    #[arg(long, requires = "check")]
    pub require_all: bool,
    /// What matters to `--check`, and everything above it.
    #[arg(long, value_enum, default_value_t, value_name = "IMPACT")]
    pub fail_on: FailOn,
}

/// Forms of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page to read.
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

/// What `--check` fails on.
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
    /// The servers, each as a URL, `env:NAME`, `@FILE` or `-` (standard input) that holds it, with the service's name
    /// and `=` before it; none asks what runs here.
    #[arg(value_name = "[SERVICE=]URL")]
    pub servers: Vec<String>,
    /// Send passwords in clear text too where others on the way could read them: without TLS, to another machine.
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
    /// What `devenv parity --format json` prints.
    Report,
}

/// `devenv up`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Up {
    /// Starting.
    #[command(flatten)]
    pub start: Start,
    /// Write the variables here instead of `.env`, from now on.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Only these services; the others are left as they are.
    pub services: Vec<String>,
    /// For habit's sake: services always run in the background.
    #[arg(short, long, hide = true)]
    pub detach: bool,
    /// Begin with the data of another checkout of the project, as it is now, or with a snapshot (`PATH@NAME` says whose).
    /// Only where there is no data yet.
    #[arg(long, value_name = "PATH|SNAPSHOT", conflicts_with = "reseed")]
    pub from: Option<String>,
    /// Take the seeds of `services.local.yaml` again and begin with them: what was written since is discarded.
    #[arg(long)]
    pub reseed: bool,
    /// Do not ask before something is discarded.
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
    /// Starting.
    #[command(flatten)]
    pub start: Start,
    /// Only these services; without any, all.
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
    /// What Compose and Docker take (`-it`, `-T`), and what is not needed: there is a terminal where the command was typed
    /// on one.
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
    /// How long until every service must be ready again: `90`, `90s`, `3m`.
    #[arg(long, global = true, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// What to do.
    #[command(subcommand)]
    pub action: SnapshotAction,
}

/// What to do with snapshots.
#[derive(Clone, Debug, Subcommand)]
pub enum SnapshotAction {
    /// Keep the data of all services as it is now. They are stopped for a moment.
    Save {
        /// Letters, digits, `.`, `_` and `-`.
        name: String,
    },
    /// List them.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Go back to a snapshot, in every service; what was written since is discarded.
    Restore {
        /// Which.
        name: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Show what is different between two snapshots: rows of tables, keys, messages of queues.
    Diff {
        /// The one.
        a: String,
        /// The other; what runs now where it is left out.
        b: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget a snapshot.
    Rm {
        /// Which.
        name: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

/// `devenv gc`.
#[derive(Clone, Debug, Args)]
pub struct Gc {
    /// Manifests.
    #[command(flatten)]
    pub manifests: Manifests,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Remove the data of git branches that are gone too (`branch: git`); asks before.
    #[arg(long)]
    pub branches: bool,
    /// Do not ask.
    #[arg(short, long, requires = "branches")]
    pub yes: bool,
}

/// `devenv reset`.
#[derive(Clone, Debug, Args)]
pub struct Reset {
    /// Starting.
    #[command(flatten)]
    pub start: Start,
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
    /// List everything that was agreed to on this machine.
    #[arg(long, conflicts_with_all = ["revoke", "yes"])]
    pub list: bool,
    /// Take back what was agreed to for this checkout.
    #[arg(long, conflicts_with = "yes")]
    pub revoke: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// `devenv plan`.
#[derive(Clone, Debug, Args)]
pub struct Plan {
    /// Starting.
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
    /// Also delete this environment's data; asks before.
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
    /// How to write them.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Whether the app runs on this machine or in a container of the environment's network.
    #[arg(long, value_enum, default_value_t)]
    pub view: View,
    /// Print nothing; exit with 7 when `.env` is stale.
    #[arg(long)]
    pub check: bool,
    /// This app's variables, also where apps disagree about a name.
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    pub app: Option<String>,
    /// The file to check instead of `.env`.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Go on where production does not say which version it runs.
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
    /// In a container of the environment's network: the service's name and its own port.
    Network,
}

/// `devenv logs`.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// A manifest to read; may be given several times.
    #[arg(long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on as new lines come.
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines to begin with.
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
    /// With the login of the server's administrator instead of the app's.
    #[arg(long)]
    pub admin: bool,
    /// Into the clipboard instead of standard output.
    #[arg(long)]
    pub copy: bool,
    /// The service; may be left out where there is one.
    pub service: Option<String>,
}

/// `devenv run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Starting.
    #[command(flatten)]
    pub start: Start,
    /// Write the variables here instead of `.env`, from now on.
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Set this app's variables, also where apps disagree about a name.
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Fresh data, free ports, an identity of its own, and everything removed at the end.
    #[arg(long)]
    pub ephemeral: bool,
    /// This many ephemeral environments side by side, the command once in each, with `DEVENV_LANE` set to 1, 2, …
    #[arg(long, value_name = "N", value_parser = lanes)]
    pub lanes: Option<usize>,
    /// When anybody's `gc` may remove what is left of an ephemeral run that was killed: `90m`, `6h`, `2d`.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = duration)]
    pub ttl: Duration,
    /// The command and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// As many lanes as one machine could carry.
fn lanes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=64) => Ok(count),
        _ => Err("the number of lanes is from 1 to 64".to_owned()),
    }
}

impl Command {
    /// Whether standard output is to hold JSON, and so an error too.
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
    /// Options of a command that starts services and has none of its own.
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

/// `90`, `90s`, `3m`, `500ms`, `6h`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "a time is a number with `ms`, `s`, `m`, `h` or `d` behind it: `90s`".to_owned())?;
    match unit {
        "" | "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(60 * 60))),
        "d" => Ok(Duration::from_secs(number.saturating_mul(24 * 60 * 60))),
        _ => Err(format!("`{unit}` is no unit of time here: use `ms`, `s`, `m`, `h` or `d`")),
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

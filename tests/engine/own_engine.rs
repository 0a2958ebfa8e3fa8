//! Failures of the engine itself: a power failure, or a full disk. Each scenario has its own engine on a file system in
//! memory, so these tests need root and Docker's `dockerd`.

use crate::client::redis;
use crate::engine_proxy::{EngineProxy, Moment};
use crate::killed_data::{read, write};
use crate::project::{Outcome, Running, Sandbox, wait_until};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

const STACK: &str = r#"
name: shop
services:
  one: { kind: redis, version: "7.0.15", settings: { appendonly: "yes", appendfsync: always } }
  two: { kind: redis, version: "7.0.15", settings: { appendonly: "yes", appendfsync: always } }
variables:
  ONE_URL: ${one.url}
  TWO_URL: ${two.url}
"#;

static BRIDGES: AtomicU8 = AtomicU8::new(0);

/// An engine with its own disk; dropping it ends the engine.
struct OwnEngine {
    folder: tempfile::TempDir,
    /// The bridge of its default network: without its own bridge, the engine would delete the bridge of the machine's
    /// engine.
    bridge: String,
    /// Additional arguments of the daemon.
    arguments: Vec<String>,
    daemon: Option<Child>,
}

impl OwnEngine {
    /// Starts an engine with this many MiB of disk space, and gives it an image of the engine that the tests use.
    fn start(room: usize, image: &str) -> Self {
        Self::start_with(room, image, &[])
    }

    /// The same, with additional arguments of the daemon.
    fn start_with(room: usize, image: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={room}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()), "an engine of its own takes root, to mount its disk");
        std::fs::write(folder.path().join("daemon.json"), "{}").unwrap();
        let number = BRIDGES.fetch_add(1, Ordering::Relaxed);
        let bridge = format!("dv{}-{number}", std::process::id());
        let address = format!("10.{}.{}.1/24", 200 + number % 50, std::process::id() % 250);
        ip(&["link", "add", &bridge, "type", "bridge"]);
        ip(&["address", "add", &address, "dev", &bridge]);
        ip(&["link", "set", &bridge, "up"]);
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut engine = Self { folder, bridge, arguments, daemon: None };
        engine.power_on();
        let given = format!("docker save {image} | docker --host {} load", engine.host());
        let given = Command::new("sh").args(["-c", &given]).output().unwrap();
        assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
        engine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("docker.sock")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The daemon in its own process and mount namespaces, so that all of its processes can end at the same moment.
    fn power_on(&mut self) {
        let path = |name: &str| self.path(name).display().to_string();
        let _ = std::fs::remove_file(path("pid"));
        let _ = std::fs::remove_dir_all(path("exec"));
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--mount", "--fork", "--mount-proc", "--kill-child", "dockerd"]);
        command.args(["--config-file", &path("daemon.json"), "--data-root", &path("root")]);
        command.args(["--exec-root", &path("exec"), "--pidfile", &path("pid"), "--host", &self.host()]);
        command.args(["--storage-driver", "fuse-overlayfs", "--iptables=false", "--ip-masq=false"]);
        command.args(["--bridge", &self.bridge]).args(&self.arguments);
        command.stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().expect("unshare, of util-linux"));
        let log = self.path("log");
        wait_until(&format!("the engine starts; its log is {}", log.display()), || self.docker(&["version"]).0);
    }

    /// Kills the daemon and all of its processes, without a chance to clean up.
    fn power_off(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    fn docker(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("docker").args(["--host", &self.host()]).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, project: &Sandbox, way: &str, arguments: &[&str]) -> Command {
        let mut command = project.command(arguments);
        command.env("DOCKER_HOST", self.host()).env("DEVENV_LAYERS", way);
        command
    }

    fn run(&self, project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
        let outcome = Outcome::of(&self.command(project, way, arguments).output().unwrap());
        assert_eq!(outcome.code, 0, "devenv {arguments:?}: {outcome:?}");
        outcome
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip, of iproute2");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        // Networks leave bridges on the host, which only a running engine removes.
        let (_, containers) = self.docker(&["ps", "--all", "--quiet"]);
        let containers: Vec<&str> = containers.split_whitespace().collect();
        self.docker(&[&["rm", "--force"][..], &containers].concat());
        let (_, networks) = self.docker(&["network", "ls", "--quiet", "--filter", "type=custom"]);
        let networks: Vec<&str> = networks.split_whitespace().collect();
        self.docker(&[&["network", "rm"][..], &networks].concat());
        self.power_off();
        ip(&["link", "delete", &self.bridge]);
        let _ = Command::new("umount").args(["--lazy"]).arg(self.folder.path()).status();
    }
}

#[test]
fn an_engine_whose_power_is_cut_has_every_environment_s_data_when_it_is_back() {
    for way in ["overlay", "copy"] {
        let mut engine = OwnEngine::start(1500, "redis:7.0.15");
        let project = Sandbox::new(&[("services.yaml", STACK)]);
        engine.run(&project, way, &["up"]);
        write(&project, "old");
        engine.run(&project, way, &["snapshot", "save", "old"]);
        write(&project, "new");
        engine.power_off();
        let gone = Outcome::of(&engine.command(&project, way, &["up"]).output().unwrap());
        assert!(gone.code != 0 && gone.stderr.contains("docker.sock"), "{gone:?}");
        engine.power_on();
        engine.run(&project, way, &["up"]);
        assert_eq!(read(&project, "after the power was cut"), "new");
        // Cut the power during a restore of the saved data.
        for (change, moment) in [
            (1, Moment::Before),
            (1, Moment::After),
            (3, Moment::After),
            (5, Moment::Before),
            (7, Moment::After),
            (99, Moment::After),
        ] {
            write(&project, "new");
            let proxy = EngineProxy::in_front_of(engine.socket(), change, moment);
            let mut restore = engine.command(&project, way, &["snapshot", "restore", "old", "--yes"]);
            let mut restore = Running::start(restore.env("DOCKER_HOST", proxy.host()));
            wait_until("the restore comes to that change or ends", || proxy.has_stopped() || restore.has_ended());
            let ended = restore.has_ended();
            if !ended {
                restore.signal("KILL");
            }
            engine.power_off();
            let restored = restore.end();
            proxy.hang_up();
            assert!(!ended || restored.code == 0, "{restored:?}");
            assert!(!restored.stderr.contains("panicked"), "{restored:?}");
            engine.power_on();
            let at = format!("{way}, power cut {moment:?} change {change} of a restore");
            engine.run(&project, way, &["up"]);
            let found = read(&project, &at);
            assert!(["old", "new"].contains(&found.as_str()), "{found} {at}");
            assert!(!ended || found == "old", "it was said that it is back, {at}");
        }
        engine.run(&project, way, &["snapshot", "restore", "old", "--yes"]);
        assert_eq!(read(&project, "in the end"), "old");
    }
}

#[test]
fn no_clean_up_of_the_engine_s_own_forgets_data_a_snapshot_or_a_base() {
    for way in ["overlay", "copy"] {
        let engine = OwnEngine::start(1500, "redis:7.0.15");
        let project = Sandbox::new(&[
            ("services.yaml", STACK),
            ("services.local.yaml", "seeds: {one: [seed.txt], two: [seed.txt]}\n"),
            ("seed.txt", "SET word seeded\n"),
        ]);
        engine.run(&project, way, &["up"]);
        assert_eq!(read(&project, "after the first start"), "seeded");
        write(&project, "old");
        engine.run(&project, way, &["snapshot", "save", "old"]);
        write(&project, "new");
        let bases = || engine.docker(&["volume", "ls", "--quiet", "--filter", "name=devenv-base-"]).1;
        let before = bases();
        assert_eq!(before.lines().count(), 4, "two bases, each with its record: {before}");
        for is_down in [false, true] {
            for what in ["container", "system", "network"] {
                let at = format!("{way}, {what} prune, {}", if is_down { "down" } else { "up" });
                if is_down {
                    engine.run(&project, way, &["down"]);
                }
                assert!(engine.docker(&[what, "prune", "--force"]).0, "{at}");
                let listed = engine.run(&project, way, &["snapshot", "list", "--json"]).json();
                assert_eq!(listed["snapshots"][0]["name"], "old", "{at}");
                engine.run(&project, way, &["up"]);
                assert_eq!(read(&project, &at), "new", "{at}");
                // The protection of the volumes is restored.
                assert!(engine.docker(&["volume", "prune", "--force"]).0, "{at}");
                assert_eq!(bases(), before, "{at}");
            }
        }
        engine.run(&project, way, &["snapshot", "restore", "old", "--yes"]);
        assert_eq!(read(&project, "after the restore"), "old");
        engine.run(&project, way, &["reset", "--yes"]);
        assert_eq!(read(&project, "after the reset"), "seeded");
    }
}

#[test]
fn an_engine_without_addresses_for_a_network_says_whose_networks_it_has_and_what_to_do() {
    let engine = OwnEngine::start_with(700, "redis:7.0.15", &["--default-address-pool", "base=10.99.99.0/29,size=29"]);
    let project = Sandbox::new(&[("services.yaml", STACK)]);
    let root = "dev.devenv.root=/home/me/other";
    assert!(engine.docker(&["network", "create", "--label", root, "devenv-other"]).0, "there is room for one");
    let outcome = Outcome::of(&engine.command(&project, "copy", &["up"]).output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for part in ["address pools for networks are used up", "1 of /home/me/other", "devenv gc", "default-address-pools"]
    {
        assert!(outcome.stderr.contains(part), "{part}: {outcome:?}");
    }
}

#[test]
fn a_full_disk_stops_commands_that_need_space_and_deletes_nothing() {
    let engine = OwnEngine::start(700, "redis:7.0.15");
    let project = Sandbox::new(&[("services.yaml", STACK)]);
    let way = "copy";
    engine.run(&project, way, &["up"]);
    write(&project, "old");
    let large = "x".repeat(20 << 20);
    redis(&project.env()["ONE_URL"], &["SET", "large", &large]);
    engine.run(&project, way, &["snapshot", "save", "old"]);
    write(&project, "new");
    let filled = engine.path("filled");
    let fill = || {
        // The command ends with an error because the disk is full; a few pages stay free for logs.
        let dd = format!("dd if=/dev/zero of={0} bs=1M; truncate --size -4M {0}", filled.display());
        Command::new("sh").args(["-c", &dd]).stderr(Stdio::null()).status().unwrap();
    };
    for arguments in
        [&["snapshot", "save", "more"][..], &["snapshot", "restore", "old", "--yes"][..], &["reset", "--yes"][..]]
    {
        let at = format!("{arguments:?} on a full disk");
        fill();
        let full = Outcome::of(&engine.command(&project, way, arguments).output().unwrap());
        std::fs::remove_file(&filled).unwrap();
        engine.run(&project, way, &["up"]);
        let found = read(&project, &at);
        let allowed: &[&str] = match arguments {
            ["snapshot", "save", ..] => &["new"],
            ["snapshot", ..] => &["new", "old"],
            _ => &["new", "nil"],
        };
        assert!(allowed.contains(&found.as_str()), "{found}: {at}: {full:?}");
        if arguments[0] == "snapshot" {
            let said = full.stderr.to_lowercase();
            // The last text is runc's message when it cannot write its own file.
            let words = ["disk is full", "no space left", "unable to store init state"];
            assert!(full.code != 0 && words.iter().any(|words| said.contains(words)), "{at}: {full:?}");
        }
        write(&project, "new");
    }
    engine.run(&project, way, &["snapshot", "restore", "old", "--yes"]);
    assert_eq!(read(&project, "in the end"), "old");
    assert_eq!(redis(&project.env()["ONE_URL"], &["STRLEN", "large"]), [large.len().to_string()]);
}

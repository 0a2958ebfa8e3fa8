//! Text from other sources does not control the terminal, whichever command shows the text.

use crate::sandbox::Sandbox;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// Titles, clipboards, links, colours, bells, carriage returns, reading directions, and the one-byte forms of these
/// sequences.
const STEERING: &str = r"\e]0;x\a\e]52;c;eA==\a\e]8;;http://x\e\\\e[31m\e[35m\e[2J\x9b31m\b\r\n\u202e\u2066\u2028\x7f";

fn is_steering(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (letter.is_control() && !matches!(letter, '\n' | '\t')) || turns
}

/// A text without the colour sequences that devenv itself writes with `--color always`.
fn without_colors(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let end = part.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        match end {
            Some(end) if part[end..].starts_with('m') => shown + &part[end + 1..],
            _ => shown + "\u{1b}[" + part,
        }
    })
}

fn projects() -> Vec<Sandbox> {
    let compose = format!(
        "name: \"s{STEERING}\"\nservices:\n  \"d{STEERING}\": {{image: \"postgres:16.4\"}}\n  db:\n    image: \"postgres:16.4{STEERING}\"\n    \
         environment: {{\"A{STEERING}\": \"v{STEERING}\", POSTGRES_DB: \"shop{STEERING}\", POSTGRES_PASSWORD: \"p{STEERING}\"}}\n  \
         cache: {{image: redis:7.2.4, command: [redis-server, \"--x{STEERING}\", \"{STEERING}\"], \"k{STEERING}\": 1}}\n  \
         web:\n    image: \"web{STEERING}\"\n    environment: {{DATABASE_URL: \"postgres://a:b@db/x{STEERING}\", \"B{STEERING}\": \"{STEERING}\"}}\n"
    );
    let services = format!(
        "name: \"s{STEERING}\"\nservices:\n  db: {{kind: postgres, version: \"16.4{STEERING}\"}}\n  cache: {{kind: \"redis{STEERING}\", version: \"7.2\"}}\n  \
         mail: {{kind: rabbitmq, version: \"4.0.5\"}}\n  \"m{STEERING}\": {{kind: memcached, version: \"1.6.18\"}}\nvariables: {{\"V{STEERING}\": \"x{STEERING}\", W: \"y{STEERING}\"}}\n"
    );
    let kind = format!(
        "name: odd\ntitle: \"odd{STEERING}\"\nprotocol: tcp\nimage: \"docker.io/x/odd\"\nport: 1\nnames: [odd]\nfamilies: [{{name: official, images: [docker.io/x/odd{STEERING}]}}]\n"
    );
    // The raw bytes, in comments and in values.
    let raw = "# \u{1b}[2J\u{202e}\u{9b}31m\nservices:\n  db: {image: 'postgres:16\u{202e}\u{1b}]0;x\u{7}'} # \u{1b}[31m\n  d\u{202e}b: {image: postgres:16.4}\n";
    let facts = |version: &str| {
        format!(
            "facts: 1\nservices:\n  \"db\":\n    protocol: postgres\n    product: \"P{STEERING}\"\n    version: \"{version}{STEERING}\"\n    \
             extensions: {{\"e{STEERING}\": \"1{STEERING}\"}}\n    not_asked: {{\"r{STEERING}\": \"may not{STEERING}\"}}\n"
        )
    };
    let (one, other) = (facts("16.4"), facts("15.1"));
    let local = format!("services: {{\"nobody{STEERING}\": {{version: \"1{STEERING}\"}}}}\n");
    let common: [(&str, &str); 3] = [
        (".env", "OWN='\u{1b}[31m\u{202e}'\n\u{1b}]0;x\u{7}=y\n"),
        ("production.facts.yaml", &one),
        ("staging.facts.yaml", &other),
    ];
    let with = |files: &[(&str, &str)]| Sandbox::new(&[&common[..], files].concat());
    vec![
        with(&[("compose.yaml", &compose)]),
        with(&[("compose.yaml", &compose), ("services.local.yaml", &local)]),
        with(&[("services.yaml", &services), ("services.lock", &services)]),
        with(&[("services.yaml", &services), (".devenv/kinds/odd.yaml", &kind)]),
        with(&[("compose.yaml", raw)]),
        with(&[
            ("services\u{1b}[31m\u{202e}.yaml", &services),
            ("main.tf", "resource \"aws_db_instance\" \"\u{1b}[2J\u{202e}\" {\n engine = \"postgres\u{1b}\"\n}\n"),
        ]),
    ]
}

/// The commands of `devenv --help`, so that the test also covers new commands.
fn commands(project: &Sandbox) -> Vec<String> {
    let help = project.succeed(&["--help"]).stdout;
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The arguments of a command; empty if it needs none.
fn arguments(command: &str) -> Vec<Vec<&'static str>> {
    const HOSTILE: &str = "d\u{1b}]0;x\u{7}\u{202e}";
    match command {
        "manifest" | "plan" | "status" | "kinds" | "doctor" => vec![vec![], vec!["--json"]],
        "pin" => vec![vec!["db", "16.4"], vec![HOSTILE, HOSTILE]],
        "bundle" => vec![vec!["save", "x.tar"], vec!["load", "compose.yaml"], vec!["load", HOSTILE]],
        "shell" => vec![vec!["db"], vec![HOSTILE]],
        "logs" => vec![vec![], vec![HOSTILE]],
        "run" => vec![vec!["--", "true"], vec!["--ephemeral", "--", "true"]],
        "snapshot" => {
            vec![vec!["save", HOSTILE], vec!["list"], vec!["diff", HOSTILE, HOSTILE], vec!["restore", HOSTILE]]
        }
        "env" => ["dotenv", "shell", "json", "github", "docker"].map(|format| vec!["--format", format]).to_vec(),
        "parity" => {
            let formats = ["terminal", "json", "markdown", "html", "sarif", "github"];
            let between = formats.map(|format| vec!["--between", "production", "staging", "--format", format]);
            let with_file = formats.map(|format| vec!["--against-facts", "production.facts.yaml", "--format", format]);
            between.into_iter().chain(with_file).collect()
        }
        "facts" => vec![vec![], vec!["redis://:x@127.0.0.1:1"], vec!["postgres://h/d?sslm\u{1b}ode=x"]],
        "schema" => vec![vec!["services"]],
        "completions" => vec![vec!["bash"], vec!["zsh"], vec!["fish"]],
        _ => vec![vec![]],
    }
}

#[test]
fn no_command_lets_text_from_other_sources_control_the_terminal() {
    let mut shown = 0;
    for (number, project) in projects().into_iter().enumerate() {
        // Test colours once: the text is the same.
        let colors: &[&str] = if number == 0 { &["never", "always"] } else { &["never"] };
        for command in commands(&project) {
            for given in arguments(&command) {
                for color in colors.iter().copied() {
                    let mut all = vec!["--color", color, "--host", "unix:///nowhere/engine.sock", command.as_str()];
                    all.extend(&given);
                    let outcome = project.run(&all);
                    for text in [&outcome.stdout, &outcome.stderr] {
                        // A colour that devenv never uses.
                        assert!(!text.contains("\u{1b}[35m"), "devenv {all:?}\n{text:?}");
                        let text = if color == "always" { without_colors(text) } else { text.clone() };
                        let found = text.chars().find(|letter| is_steering(*letter));
                        assert_eq!(found, None, "devenv {all:?}\n{text:?}");
                        shown += text.matches(['␛', '\u{fffd}']).count();
                    }
                }
            }
        }
    }
    assert!(shown > 500, "it was there to be shown: {shown}");
}

#[test]
fn a_server_s_own_words_neither_steer_the_terminal_nor_repeat_the_password() {
    let project = Sandbox::new(&[("services.yaml", "services: {cache: {kind: redis, version: \"7.2.4\"}}\n")]);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut heard = vec![0; 4096];
            let read = stream.read(&mut heard).expect("the client's bytes");
            assert!(String::from_utf8_lossy(&heard[..read]).contains("correct-horse"), "loopback gets the password");
            let said = "-WRONGPASS \u{1b}]52;c;eA==\u{7}\u{202e}\u{9b}31m correct-horse correct%2dhorse Y29ycmVjdC1ob3JzZQ==\r\n";
            stream.write_all(said.as_bytes()).expect("an answer");
        }
    });
    let url = format!("cache=redis://:correct-horse@127.0.0.1:{port}/0");
    for arguments in [vec!["facts", &url], vec!["--host", "unix:///nowhere/engine.sock", "parity", "--against", &url]] {
        let told = project.fail(1, &arguments);
        let text = told.stdout + &told.stderr;
        assert_eq!(text.chars().find(|letter| is_steering(*letter)), None, "{text:?}");
        assert!(text.contains("WRONGPASS"), "{text}");
        for form in ["correct-horse", "correct%2dhorse", "Y29ycmVjdC1ob3JzZQ"] {
            assert!(!text.contains(form), "{form}: {text}");
        }
    }
    server.join().expect("the server was asked twice");
}

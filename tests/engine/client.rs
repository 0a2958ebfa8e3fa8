//! Independent clients, so that devenv's statements about a server are not checked by devenv itself.

use devenv::model::{Endpoint, Protocol, Secret};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;

/// The parts of a URL.
#[derive(Debug)]
pub(crate) struct Url {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Url {
    /// Reads `scheme://user:password@host:port/path`, without percent-encoding.
    pub(crate) fn read(text: &str) -> Self {
        let pair = |found: Option<(&str, &str)>| {
            let (before, after) = found.unwrap_or_else(|| panic!("no URL: {text}"));
            (before.to_owned(), after.to_owned())
        };
        let (_, rest) = pair(text.split_once("://"));
        let (login, place) = rest.rsplit_once('@').unwrap_or((":", &rest));
        let (user, password) = pair(login.split_once(':'));
        let (address, path) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = pair(address.split_once(':'));
        Self { user, password, host, port: port.parse().unwrap(), path: path.to_owned() }
    }
}

/// Runs statements with the login of a URL; returns every value of every row, or the server's error.
pub(crate) fn sql(url: &str, statements: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let words = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => error.to_string(),
    };
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(words)?;
        let work = async move {
            let mut values = Vec::new();
            for message in client.simple_query(statements).await.map_err(words)? {
                if let SimpleQueryMessage::Row(row) = message {
                    values.extend((0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned()));
                }
            }
            Ok(values)
        };
        tokio::join!(work, connection).0
    })
}

/// The one value that a query returns.
pub(crate) fn one(url: &str, query: &str) -> String {
    let mut values = sql(url, query).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert_eq!(values.len(), 1, "{query}: {values:?}");
    values.remove(0)
}

/// The client of `MariaDB` or of `MySQL`, whichever the image has; its arguments follow.
pub(crate) const MYSQL_CLIENT: [&str; 4] =
    ["sh", "-c", "exec \"$(command -v mariadb || command -v mysql)\" --default-character-set=utf8mb4 \"$@\"", "client"];

/// Runs statements with the login of a URL, by the client in the server's own container, over the server's port;
/// returns every value of every row, or the server's error.
pub(crate) fn mysql(container: &str, url: &str, statements: &str) -> Result<Vec<String>, String> {
    let url = Url::read(url);
    let password = format!("MYSQL_PWD={}", url.password);
    let login = format!("--user={}", url.user);
    let client = [&MYSQL_CLIENT[..], &["--host=127.0.0.1", &login, "--batch", "--skip-column-names"]].concat();
    let output = Command::new("docker")
        .args(["exec", "--env", &password, container])
        .args(client)
        .args(["--execute", statements, &url.path])
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().flat_map(|line| line.split('\t')).map(str::to_owned).collect())
}

/// Logs in with a URL's password and runs one command; returns the values of the answer in order, errors with their
/// `-`.
pub(crate) fn redis(url: &str, command: &[&str]) -> Vec<String> {
    let url = Url::read(url);
    let mut server = connect(&url);
    if !url.password.is_empty() {
        let answer = ask_redis(&mut server, &["AUTH", &url.password]);
        assert_eq!(answer, ["OK"]);
    }
    ask_redis(&mut server, command)
}

/// Runs one command without a login.
pub(crate) fn redis_as_nobody(url: &str, command: &[&str]) -> Vec<String> {
    ask_redis(&mut connect(&Url::read(url)), command)
}

fn ask_redis(server: &mut BufReader<TcpStream>, command: &[&str]) -> Vec<String> {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        write!(request, "${}\r\n{word}\r\n", word.len()).unwrap();
    }
    server.get_mut().write_all(request.as_bytes()).unwrap();
    let mut values = Vec::new();
    let mut due = 1;
    while due > 0 {
        due -= 1;
        let line = line(server);
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" | ":" => values.push(rest.to_owned()),
            "$" if rest == "-1" => values.push("nil".to_owned()),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                server.read_exact(&mut bytes).unwrap();
                values.push(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned());
            }
            "*" => due += rest.parse::<usize>().unwrap(),
            _ => values.push(line),
        }
    }
    values
}

/// Sends one command of Memcached's text protocol; returns the lines up to `END`, `OK` or `STORED`.
pub(crate) fn memcached(url: &str, command: &str) -> Vec<String> {
    let mut server = connect(&Url::read(url));
    server.get_mut().write_all(command.as_bytes()).unwrap();
    let mut lines = Vec::new();
    loop {
        let line = line(&mut server);
        let last = ["END", "OK", "STORED"].contains(&line.as_str());
        lines.push(line);
        if last {
            return lines;
        }
    }
}

/// Opens the vhost of an AMQP URL with its login.
pub(crate) fn amqp(url: &str) -> Result<(), String> {
    let url = Url::read(url);
    let vhost = if url.path.is_empty() { "/".to_owned() } else { url.path };
    let endpoint = Endpoint {
        host: url.host,
        port: url.port,
        user: Some(url.user),
        password: Some(Secret::new(url.password)),
        database: None,
        vhost: Some(vhost),
        path: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let proven = runtime.block_on(devenv::protocol::prove(Protocol::Amqp, &endpoint));
    proven.map(drop).map_err(|error| error.message)
}

fn connect(url: &Url) -> BufReader<TcpStream> {
    let stream = TcpStream::connect((url.host.as_str(), url.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    BufReader::new(stream)
}

fn line(server: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    server.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the server closed the connection");
    line.trim_end().to_owned()
}

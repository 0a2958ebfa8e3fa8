//! Redis and Valkey: RESP, version 2 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! All commands are sent at once, so a login and its round trip take one round trip; the first refusal counts.

mod facts;
mod session;

use super::wire::{Conversation, Parsed};
use super::{Fault, ProbeError, Proof, Tls};
use crate::model::Endpoint;
pub(super) use facts::facts;
pub use session::{RedisSession, redis_words};

/// The number of bytes that a server may answer: `INFO server` is below 2 kB.
const LIMIT: u64 = 64 * 1024;

/// `AUTH` if there is a password, `SELECT` if the database is not 0, then `PING`.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let commands = commands(endpoint);
    let mut conversation = Conversation::open_for_password(endpoint, &Tls::default(), LIMIT).await?;
    conversation.send(&commands.iter().flat_map(|command| encode(command)).collect::<Vec<u8>>()).await?;
    for command in &commands {
        let reply = conversation.receive(parse).await?;
        check(command[0], &reply)?;
    }
    // Asked last and separately: a login may be forbidden to ask, and is proven anyway.
    conversation.send(&encode(&["INFO", "server"])).await?;
    let server_version = match conversation.receive(parse).await {
        Ok(Reply::Text(text)) => version(&text),
        _ => None,
    };
    let words = if endpoint.password.is_some() { "logged in" } else { "answers" };
    Ok(Proof { words, server_version })
}

/// Writes everything to the data folder, whatever the server's own settings for saving are.
pub(super) async fn save(endpoint: &Endpoint) -> Result<(), ProbeError> {
    let mut commands = commands(endpoint);
    commands.push(vec!["SAVE"]);
    let mut conversation = Conversation::open_for_password(endpoint, &Tls::default(), LIMIT).await?;
    conversation.send(&commands.iter().flat_map(|command| encode(command)).collect::<Vec<u8>>()).await?;
    for command in &commands {
        let reply = conversation.receive(parse).await?;
        check(command[0], &reply)?;
    }
    Ok(())
}

fn commands(endpoint: &Endpoint) -> Vec<Vec<&str>> {
    let mut commands = Vec::new();
    if let Some(password) = &endpoint.password {
        let user = endpoint.user.as_deref().filter(|user| !user.is_empty());
        commands.push(["AUTH"].into_iter().chain(user).chain([password.reveal()]).collect());
    }
    if let Some(database) = endpoint.database.as_deref().filter(|database| !matches!(*database, "" | "0")) {
        commands.push(vec!["SELECT", database]);
    }
    commands.push(vec!["PING"]);
    commands
}

fn encode(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for word in command {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// One answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    /// A status (`+OK`) or a bulk string.
    Text(String),
    /// An error (`-WRONGPASS …`).
    Error(String),
    /// A number.
    Number(i64),
    /// A bulk string or a list that is null.
    Nothing,
    /// A list.
    List(Vec<Reply>),
}

/// The maximum depth of lists in lists: the arguments of a module are the deepest lists.
const MAX_DEPTH: usize = 8;

/// Returns the first reply of the bytes and its length; `None` while the reply is incomplete.
fn parse(bytes: &[u8]) -> Parsed<Reply> {
    parse_within(bytes, MAX_DEPTH)
}

fn parse_within(bytes: &[u8], depth: usize) -> Parsed<Reply> {
    let foreign = || ProbeError::foreign("Redis' protocol");
    let Some(kind) = bytes.first() else { return Ok(None) };
    if !b"+-:$*".contains(kind) {
        return Err(foreign());
    }
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let after = end + 2;
    let reply = match kind {
        b'+' => Reply::Text(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Number(line.parse().map_err(|_| foreign())?),
        _ if line == "-1" => Reply::Nothing,
        b'*' => {
            let count: usize = line.parse().map_err(|_| foreign())?;
            let inner = depth.checked_sub(1).ok_or_else(foreign)?;
            let (mut replies, mut at) = (Vec::new(), after);
            for _ in 0..count {
                let Some((reply, length)) = parse_within(&bytes[at..], inner)? else { return Ok(None) };
                replies.push(reply);
                at += length;
            }
            return Ok(Some((Reply::List(replies), at)));
        }
        _ => {
            let length: usize = line.parse().map_err(|_| foreign())?;
            let Some(text) = after.checked_add(length).and_then(|end| bytes.get(after..end)) else { return Ok(None) };
            return match bytes.get(after + length..after + length + 2) {
                Some(b"\r\n") => {
                    Ok(Some((Reply::Text(String::from_utf8_lossy(text).into_owned()), after + length + 2)))
                }
                Some(_) => Err(foreign()),
                None => Ok(None),
            };
        }
    };
    Ok(Some((reply, after)))
}

fn check(command: &str, reply: &Reply) -> Result<(), ProbeError> {
    let expected = if command == "PING" { "PONG" } else { "OK" };
    match reply {
        Reply::Text(text) if text == expected => Ok(()),
        Reply::Error(error) => Err(ProbeError::new(fault(command, error), without_arguments(error))),
        _ => Err(ProbeError::foreign("Redis' protocol")),
    }
}

fn fault(command: &str, error: &str) -> Fault {
    let starts = |words: &[&str]| words.iter().any(|word| error.starts_with(word));
    if starts(&["LOADING", "BUSY", "MASTERDOWN", "ERR max number of clients"]) {
        Fault::NotYet
    } else if starts(&["WRONGPASS", "NOAUTH", "NOPERM", "ERR invalid password"]) || matches!(command, "AUTH" | "SELECT")
    {
        Fault::Login
    } else {
        Fault::Other
    }
}

/// Removes the arguments from an error. A server that does not know a command (a renamed `AUTH`) repeats the arguments,
/// with the password among them.
fn without_arguments(error: &str) -> &str {
    error.split(", with args").next().unwrap_or_default()
}

fn version(text: &str) -> Option<String> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|found| found.trim().to_owned());
    line("valkey_version:").or_else(|| line("redis_version:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::protocol::peer::{Peer, endpoint_of};
    use crate::protocol::prove as prove_any;

    fn with_password(peer: &Peer) -> Endpoint {
        Endpoint { password: Some(Secret::new("s3cret")), ..endpoint_of(peer) }
    }

    #[test]
    fn replies_are_read_whole_or_not_yet() {
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse(b"+PO").unwrap(), None);
        assert_eq!(parse(b"+PONG\r\n+OK\r\n").unwrap(), Some((Reply::Text("PONG".to_owned()), 7)));
        assert_eq!(parse(b"$5\r\nhel").unwrap(), None);
        assert_eq!(parse(b"$5\r\nhello\r").unwrap(), None);
        assert_eq!(parse(b"$5\r\nhello\r\n").unwrap(), Some((Reply::Text("hello".to_owned()), 11)));
        assert_eq!(parse(b"$-1\r\n").unwrap(), Some((Reply::Nothing, 5)));
        assert_eq!(parse(b":12\r\n").unwrap(), Some((Reply::Number(12), 5)));
    }

    #[test]
    fn lists_are_read_whole_and_only_as_deep_as_servers_answer() {
        assert_eq!(parse(b"*0\r\n").unwrap(), Some((Reply::List(Vec::new()), 4)));
        assert_eq!(parse(b"*2\r\n+a\r\n").unwrap(), None);
        let list = Reply::List(vec![Reply::List(vec![Reply::Number(1)]), Reply::Nothing]);
        assert_eq!(parse(b"*2\r\n*1\r\n:1\r\n*-1\r\n").unwrap(), Some((list, 17)));
        assert_eq!(parse("*1\r\n".repeat(9).as_bytes()).unwrap_err().fault, Fault::Other);
    }

    #[test]
    fn bytes_that_are_no_reply_are_refused_at_once() {
        for bytes in
            [&b"HTTP/1.1 400"[..], b"$x\r\n", b"*x\r\n", b":x\r\n", b"$18446744073709551616\r\n", b"$2\r\nabcd", b"\0"]
        {
            assert_eq!(parse(bytes).unwrap_err().fault, Fault::Other, "{bytes:?}");
        }
        assert_eq!(parse(b"$18446744073709551615\r\nx").unwrap(), None);
    }

    #[test]
    fn a_command_says_each_words_length_in_bytes() {
        assert_eq!(encode(&["AUTH", "é x"]), "*2\r\n$4\r\nAUTH\r\n$4\r\né x\r\n".as_bytes());
    }

    #[test]
    fn the_commands_follow_from_the_endpoint() {
        let mut endpoint = Endpoint {
            host: String::new(),
            port: 0,
            user: None,
            password: None,
            database: Some("0".to_owned()),
            vhost: None,
            path: None,
        };
        assert_eq!(commands(&endpoint), [vec!["PING"]]);
        endpoint.password = Some(Secret::new("p"));
        endpoint.database = Some("3".to_owned());
        assert_eq!(commands(&endpoint), [vec!["AUTH", "p"], vec!["SELECT", "3"], vec!["PING"]]);
        endpoint.user = Some("app".to_owned());
        assert_eq!(commands(&endpoint)[0], ["AUTH", "app", "p"]);
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(fault("PING", "LOADING Redis is loading the dataset in memory"), Fault::NotYet);
        assert_eq!(fault("AUTH", "LOADING Redis is loading the dataset in memory"), Fault::NotYet);
        assert_eq!(fault("AUTH", "WRONGPASS invalid username-password pair or user is disabled."), Fault::Login);
        assert_eq!(fault("AUTH", "ERR AUTH <password> called without any password configured"), Fault::Login);
        assert_eq!(fault("PING", "NOAUTH Authentication required."), Fault::Login);
        assert_eq!(fault("SELECT", "ERR DB index is out of range"), Fault::Login);
        assert_eq!(fault("PING", "DENIED Redis is running in protected mode"), Fault::Other);
    }

    #[tokio::test]
    async fn a_server_that_repeats_the_password_does_not_get_it_into_the_message() {
        let peer = Peer::answers(b"-ERR unknown command 'AUTH', with args beginning with: 's3cret' \r\n").await;
        let error = prove(&with_password(&peer)).await.unwrap_err();
        assert_eq!(error, ProbeError::login("ERR unknown command 'AUTH'"));
        let echo = Peer::echoes().await;
        let error = prove(&with_password(&echo)).await.unwrap_err();
        assert_eq!(error, ProbeError::foreign("Redis' protocol"));
    }

    #[tokio::test]
    async fn a_login_that_may_not_ask_for_the_version_is_proven() {
        let peer = Peer::answers(b"+OK\r\n+PONG\r\n-NOPERM this user has no permissions\r\n").await;
        let proof = prove(&with_password(&peer)).await.unwrap();
        assert_eq!(proof, Proof { words: "logged in", server_version: None });
    }

    #[tokio::test]
    async fn the_version_is_the_products_own() {
        let info = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n";
        let peer = Peer::answers(format!("+PONG\r\n${}\r\n{info}\r\n", info.len()).as_bytes()).await;
        let proof = prove(&endpoint_of(&peer)).await.unwrap();
        assert_eq!(proof, Proof { words: "answers", server_version: Some("8.1.1".to_owned()) });
    }

    #[tokio::test]
    async fn hostile_peers_end_in_an_error() {
        crate::protocol::peer::assert_hostile_peers_end(|endpoint| async move {
            prove_any(crate::model::Protocol::Redis, &endpoint).await
        })
        .await;
    }
}

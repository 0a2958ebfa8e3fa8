//! The user's own commands, for a server that is being seeded.

use super::{Reply, check, commands, parse};
use crate::model::Endpoint;
use crate::protocol::redact::Used;
use crate::protocol::wire::Conversation;
use crate::protocol::{ProbeError, Tls};
use std::time::Duration;

/// The number of bytes that a server may answer in total: some bytes for each of very many commands.
const LIMIT: u64 = 64 * 1024 * 1024 * 1024;

/// The number of commands that are sent before their answers are read: the server's answers need room in the meantime.
const AT_ONCE: usize = 500;

/// The pause between two checks whether a rewrite has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that is logged in.
pub struct RedisSession {
    conversation: Conversation,
    used: Used,
}

impl RedisSession {
    /// Logs in.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, ProbeError> {
        let used = Used::of([endpoint]);
        Self::login(endpoint, used.clone()).await.map_err(|error| used.redact(error))
    }

    async fn login(endpoint: &Endpoint, used: Used) -> Result<Self, ProbeError> {
        let login = commands(endpoint);
        let mut conversation = Conversation::open_for_password(endpoint, &Tls::default(), LIMIT).await?;
        conversation.send(&login.iter().flat_map(|command| super::encode(command)).collect::<Vec<u8>>()).await?;
        for command in &login {
            let reply = conversation.receive(parse).await?;
            check(command[0], &reply)?;
        }
        Ok(Self { conversation, used })
    }

    /// Sends commands, each a list of words. Returns the position of the first command that the server refuses, and the
    /// server's words; the server may have carried out commands after it.
    pub async fn send(&mut self, requests: &[&[Vec<u8>]]) -> Result<Option<(usize, String)>, ProbeError> {
        let mut refused = None;
        for (number, part) in requests.chunks(AT_ONCE).enumerate() {
            let bytes: Vec<u8> = part.iter().flat_map(|words| encode(words)).collect();
            self.conversation.send(&bytes).await?;
            for at in 0..part.len() {
                if let Reply::Error(error) = self.conversation.receive(parse).await?
                    && refused.is_none()
                {
                    refused = Some((number * AT_ONCE + at, self.used.taken_out_of(&error)));
                }
            }
            if refused.is_some() {
                break;
            }
        }
        Ok(refused)
    }

    async fn ask(&mut self, words: &[&str]) -> Result<Reply, ProbeError> {
        self.conversation.send(&super::encode(words)).await?;
        self.conversation.receive(parse).await
    }

    /// The path of the server's dump: an absolute path in its container.
    pub async fn dump_path(&mut self) -> Result<String, ProbeError> {
        let mut parts = Vec::new();
        for setting in ["dir", "dbfilename"] {
            match self.ask(&["CONFIG", "GET", setting]).await? {
                Reply::List(pair) if pair.len() == 2 => match &pair[1] {
                    Reply::Text(text) => parts.push(text.clone()),
                    _ => return Err(ProbeError::foreign("Redis' protocol")),
                },
                Reply::Error(error) => return Err(self.used.redact(ProbeError::other(error))),
                _ => return Err(ProbeError::foreign("Redis' protocol")),
            }
        }
        Ok(parts.join("/"))
    }

    /// Makes the server forget its data and read its dump; if the server has an append-only file, the server then
    /// rewrites that file. Returns the server's words if it refuses.
    pub async fn reload(&mut self) -> Result<Option<String>, ProbeError> {
        if let Reply::Error(error) = self.ask(&["DEBUG", "RELOAD", "NOSAVE"]).await? {
            return Ok(Some(self.used.taken_out_of(&error)));
        }
        let appends = matches!(self.ask(&["CONFIG", "GET", "appendonly"]).await?,
            Reply::List(pair) if pair.get(1) == Some(&Reply::Text("yes".to_owned())));
        if !appends {
            return Ok(None);
        }
        if let Reply::Error(error) = self.ask(&["BGREWRITEAOF"]).await? {
            return Ok(Some(self.used.taken_out_of(&error)));
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            let Reply::Text(info) = self.ask(&["INFO", "persistence"]).await? else {
                return Err(ProbeError::foreign("Redis' protocol"));
            };
            let says = |line: &str| info.lines().any(|one| one.trim() == line);
            if says("aof_rewrite_in_progress:0") && says("aof_rewrite_scheduled:0") {
                let failed = !says("aof_last_bgrewrite_status:ok");
                return Ok(failed.then(|| "it could not write its append-only file".to_owned()));
            }
        }
    }
}

fn encode(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Splits a line into words as `redis-cli` does: in double quotes with `\n`, `\x41` and the like, in single quotes
/// literally. `None` if a quote is not closed, or if text follows directly after its end.
pub fn redis_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.iter().copied().peekable();
    loop {
        while rest.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(&first) = rest.peek() else { return Some(words) };
        let mut word = Vec::new();
        match first {
            quote @ (b'"' | b'\'') => {
                rest.next();
                loop {
                    match rest.next()? {
                        byte if byte == quote => break,
                        b'\\' if quote == b'"' => match rest.next()? {
                            b'n' => word.push(b'\n'),
                            b'r' => word.push(b'\r'),
                            b't' => word.push(b'\t'),
                            b'a' => word.push(7),
                            b'b' => word.push(8),
                            b'x' => {
                                let mut digit = || char::from(rest.next()?).to_digit(16);
                                let (high, low) = (digit()?, digit()?);
                                word.push(u8::try_from(high * 16 + low).ok()?);
                            }
                            other => word.push(other),
                        },
                        b'\\' if rest.peek() == Some(&b'\'') => word.extend(rest.next()),
                        byte => word.push(byte),
                    }
                }
                if rest.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    return None;
                }
            }
            _ => {
                while let Some(byte) = rest.next_if(|byte| !byte.is_ascii_whitespace()) {
                    word.push(byte);
                }
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_redis_own_client() {
        let words = |line: &str| -> Option<Vec<String>> {
            let words = redis_words(line.as_bytes())?;
            Some(words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
        };
        let of = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words("SET a 1\r\n"), of(&["SET", "a", "1"]));
        assert_eq!(words(r#"SET "a b" 'c "d" \' e'"#), of(&["SET", "a b", "c \"d\" ' e"]));
        assert_eq!(words(r#"SET k "\x41\n\"""#), of(&["SET", "k", "A\n\""]));
        assert_eq!(words("   "), of(&[]));
        assert_eq!(words("SET \"\" x"), of(&["SET", "", "x"]));
        for bad in ["SET \"a", "SET 'a", "SET \"a\"b", r#"SET "\x4"#] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }
}

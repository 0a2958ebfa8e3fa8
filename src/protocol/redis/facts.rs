//! The facts of a Redis or Valkey server.
//!
//! Each setting is requested by its name, so that an answer never contains a password. Many managed servers do not
//! allow `CONFIG`; then the few settings in `INFO` are used.

use super::{Reply, check, commands, encode, parse, version};
use crate::model::{Endpoint, Protocol, ServiceFacts};
use crate::protocol::facts::{note, nothing_yet};
use crate::protocol::wire::Conversation;
use crate::protocol::{Fault, ProbeError, Tls};
use std::collections::BTreeMap;

/// The number of bytes that a server may answer: all of `INFO` is about 10 kB.
const LIMIT: u64 = 1024 * 1024;

/// The settings that an app can notice, and the settings that decide which data is kept.
const SETTINGS: [&str; 22] = [
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "save",
    "appendonly",
    "appendfsync",
    "databases",
    "notify-keyspace-events",
    "timeout",
    "maxclients",
    "proto-max-bulk-len",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "cluster-enabled",
    "lua-time-limit",
    "hash-max-listpack-entries",
    "stream-node-max-entries",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-user-del",
    "activedefrag",
    "io-threads",
];

/// Asks over one connection; all requests are sent at once.
pub(in crate::protocol) async fn facts(endpoint: &Endpoint, tls: &Tls) -> Result<ServiceFacts, ProbeError> {
    let login = commands(endpoint);
    let settings = SETTINGS.map(|name| ["CONFIG", "GET", name]);
    let mut requests: Vec<&[&str]> = login.iter().map(Vec::as_slice).collect();
    requests.extend([&["INFO"][..], &["MODULE", "LIST"]]);
    requests.extend(settings.iter().map(|request| &request[..]));

    let mut conversation = Conversation::open_for_password(endpoint, tls, LIMIT).await?;
    conversation.send(&requests.iter().flat_map(|request| encode(request)).collect::<Vec<u8>>()).await?;
    for command in &login {
        let reply = conversation.receive(parse).await?;
        check(command[0], &reply)?;
    }
    let info = match conversation.receive(parse).await? {
        Reply::Text(text) => Info(text),
        reply => return Err(refusal("INFO", &reply)),
    };
    let modules = conversation.receive(parse).await?;
    let mut reported = Vec::new();
    let mut refused = None;
    for name in SETTINGS {
        match conversation.receive(parse).await? {
            // A server answers with an empty list if it does not know the setting.
            Reply::List(words) => {
                if let [_, Reply::Text(value)] = words.as_slice() {
                    reported.push((name.to_owned(), value.clone()));
                }
            }
            reply => refused = Some(refusal("CONFIG GET", &reply)),
        }
    }

    let product = if info.get("valkey_version").is_some() { "Valkey" } else { "Redis" };
    let mut facts = nothing_yet(Protocol::Redis, product, version(&info.0));
    if let Some(error) = refused {
        let from_info =
            [("maxmemory", "maxmemory"), ("maxmemory-policy", "maxmemory_policy"), ("maxclients", "maxclients")]
                .into_iter()
                .filter_map(|(name, field)| Some((name, info.get(field)?.to_owned())));
        let aof = info.get("aof_enabled").map(|on| ("appendonly", if on == "1" { "yes" } else { "no" }.to_owned()));
        reported = from_info.chain(aof).map(|(name, value)| (name.to_owned(), value)).collect();
        for name in SETTINGS.iter().filter(|name| !reported.iter().any(|(reported, _)| reported == *name)) {
            facts.not_asked.insert(format!("settings/{name}"), error.message.clone());
        }
    }
    note(&mut facts, "settings", Ok(reported));
    note(&mut facts, "modules", module_list(&modules));
    let mode = info.get("redis_mode").or_else(|| info.get("server_mode"));
    note(&mut facts, "server", Ok(mode.map(|mode| ("mode".to_owned(), mode.to_owned()))));
    Ok(facts)
}

/// The server's refusal in its own words.
fn refusal(command: &str, reply: &Reply) -> ProbeError {
    match reply {
        Reply::Error(words) => ProbeError::new(Fault::Other, format!("{command}: {words}")),
        _ => ProbeError::foreign("Redis' protocol"),
    }
}

/// Modules and their versions: `MODULE LIST` answers with one list of names and values for each.
fn module_list(reply: &Reply) -> Result<BTreeMap<String, String>, ProbeError> {
    let Reply::List(modules) = reply else { return Err(refusal("MODULE LIST", reply)) };
    let module = |reply: &Reply| {
        let Reply::List(words) = reply else { return None };
        let of = |wanted: &str| {
            words.chunks_exact(2).find_map(|pair| match pair {
                [Reply::Text(name), value] if name == wanted => Some(value),
                _ => None,
            })
        };
        let Some(Reply::Text(name)) = of("name") else { return None };
        let version = match of("ver") {
            Some(Reply::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Some((name.clone(), version))
    };
    Ok(modules.iter().filter_map(module).collect())
}

/// The lines of `INFO`: `name:value`.
struct Info(String);

impl Info {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::peer::{Peer, endpoint_of};

    fn bulk(text: &str) -> String {
        format!("${}\r\n{text}\r\n", text.len())
    }

    #[tokio::test]
    async fn a_server_without_config_reports_the_settings_in_info_and_the_others_are_not_asked() {
        let info =
            "redis_version:7.1.0\r\nredis_mode:cluster\r\nmaxmemory:1048576\r\nmaxmemory_policy:volatile-lru\r\n";
        let closed = "-NOPERM no permissions to run 'config|get'\r\n".repeat(SETTINGS.len());
        let peer = Peer::answers(format!("+PONG\r\n{}*0\r\n{closed}", bulk(info)).as_bytes()).await;
        let facts = facts(&endpoint_of(&peer), &Tls::default()).await.unwrap();
        assert_eq!((facts.product.as_str(), facts.version.as_deref()), ("Redis", Some("7.1.0")));
        assert_eq!(facts.get("settings", "maxmemory-policy"), Some("volatile-lru"));
        assert_eq!(facts.get("server", "mode"), Some("cluster"));
        let why = facts.not_asked.get("settings/save").expect("said why");
        assert_eq!(why, "CONFIG GET: NOPERM no permissions to run 'config|get'");
        assert!(!facts.not_asked.contains_key("settings/maxmemory"), "{facts:?}");
    }

    #[test]
    fn modules_are_read_by_name_and_version() {
        let module = |words: &[(&str, Reply)]| {
            let words = words.iter().flat_map(|(name, value)| [Reply::Text((*name).to_owned()), value.clone()]);
            Reply::List(words.collect())
        };
        let list = Reply::List(vec![module(&[
            ("name", Reply::Text("search".to_owned())),
            ("ver", Reply::Number(21005)),
            ("args", Reply::List(Vec::new())),
        ])]);
        assert_eq!(module_list(&list).unwrap(), BTreeMap::from([("search".to_owned(), "21005".to_owned())]));
        let error = module_list(&Reply::Error("ERR unknown command".to_owned())).unwrap_err();
        assert_eq!(error.message, "MODULE LIST: ERR unknown command");
    }
}

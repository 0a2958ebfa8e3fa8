//! The forms in which a variable names a server: URLs, lists of addresses, `key=value` strings, Go's `MySQL` form.
//!
//! The parts of a connection are ranges of the text, so that the rest of the text can be kept unchanged.

use std::ops::Range;

/// The ranges of a text that are the parts of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Connection {
    /// `postgresql+psycopg`, without the `://`.
    pub(super) scheme: Option<Range<usize>>,
    /// The login's name.
    pub(super) user: Option<Range<usize>>,
    /// The login's password.
    pub(super) password: Option<Range<usize>>,
    /// Each server's host, and its port if it is written.
    pub(super) hosts: Vec<(Range<usize>, Option<Range<usize>>)>,
    /// The text after the first `/` of a URL: a database, a virtual host, or a path.
    pub(super) path: Option<Range<usize>>,
    /// The database, if the form has a name for it (`dbname=`).
    pub(super) database: Option<Range<usize>>,
    /// Further parameters.
    pub(super) parameters: Vec<Parameter>,
    /// Whether the values are percent-encoded.
    pub(super) encoded: bool,
    /// Whether the text is one or several hosts and nothing else. Then no port may be added.
    pub(super) bare: bool,
    /// The position at which a missing port is inserted, and the text before the port (`;Port=`). `None`: the port is
    /// inserted right after the host, with a colon.
    pub(super) port_key: Option<(usize, &'static str)>,
}

/// A parameter of a URL's query or of a `key=value` string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: Range<usize>,
    /// Its value.
    pub(super) value: Range<usize>,
}

/// Reads a text as a connection; `None` if the text has none of these forms.
pub(super) fn parse(text: &str) -> Option<Connection> {
    if text.trim().is_empty() || text.contains('\n') {
        return None;
    }
    url(text).or_else(|| go_mysql(text)).or_else(|| pairs(text)).or_else(|| addresses(text))
}

/// `scheme://user:password@host:port,host:port/path?name=value#rest`
fn url(text: &str) -> Option<Connection> {
    let scheme = text.find("://")?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-:_".contains(c);
    if scheme == 0 || !text[..scheme].chars().all(is_scheme) {
        return None;
    }
    let start = scheme + 3;
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    let mut found = Connection { scheme: Some(0..scheme), encoded: true, ..Connection::default() };
    let mut hosts_start = start;
    if let Some(at) = text[start..end].rfind('@') {
        login(&mut found, text, start..start + at);
        hosts_start = start + at + 1;
    }
    found.hosts = hosts(text, hosts_start..end);
    if let Some((_, path)) = text[end..].split_once('/').filter(|(before, _)| before.is_empty()) {
        let path_end = path.find(['?', '#']).map_or(text.len(), |at| end + 1 + at);
        found.path = Some(end + 1..path_end);
    }
    if let Some(at) = text[end..].find('?') {
        let query = end + at + 1;
        let query_end = text[query..].find('#').map_or(text.len(), |at| query + at);
        found.parameters = parameters(text, query..query_end, '&');
    }
    Some(found)
}

/// `user:password@tcp(host:port)/database?name=value`
fn go_mysql(text: &str) -> Option<Connection> {
    let at = text.find("@tcp(")?;
    let start = at + "@tcp(".len();
    let end = start + text[start..].find(')')?;
    let mut found = Connection::default();
    login(&mut found, text, 0..at);
    found.hosts = hosts(text, start..end);
    if let Some(rest) = text[end + 1..].strip_prefix('/') {
        let database = end + 2;
        let database_end = rest.find('?').map_or(text.len(), |at| database + at);
        found.database = Some(database..database_end).filter(|range| !range.is_empty());
        if database_end < text.len() {
            found.parameters = parameters(text, database_end + 1..text.len(), '&');
        }
    }
    Some(found)
}

/// `host=db port=5432 dbname=shop` and `Server=db;Port=5432;Database=shop`
fn pairs(text: &str) -> Option<Connection> {
    let separator = if text.contains(';') { ';' } else { ' ' };
    let all = parameters(text, 0..text.len(), separator);
    if all.is_empty() || !text.contains('=') {
        return None;
    }
    let mut found = Connection::default();
    let mut port = None;
    for parameter in all {
        let value = parameter.value.clone();
        match text[parameter.name.clone()].trim().to_ascii_lowercase().as_str() {
            "host" | "server" | "data source" | "hostname" | "addr" | "address" => found.hosts = hosts(text, value),
            "port" => port = Some(value),
            "user" | "username" | "user id" | "uid" | "userid" => found.user = Some(value),
            "password" | "pwd" => found.password = Some(value),
            "dbname" | "database" | "initial catalog" => found.database = Some(value),
            _ => found.parameters.push(parameter),
        }
    }
    let (host, own) = found.hosts.first_mut()?;
    if port.is_some() {
        *own = port;
    } else if own.is_none() {
        found.port_key = Some((host.end, if separator == ';' { ";Port=" } else { " port=" }));
    }
    Some(found)
}

/// `host`, `host:port`, or several of them, separated by commas or spaces. Options (`password=x`) may be among them.
fn addresses(text: &str) -> Option<Connection> {
    let mut found = Connection::default();
    let mut start = 0;
    for item in text.split_inclusive([',', ' ']) {
        let trimmed = item.trim_end_matches([',', ' ']);
        let range = start..start + trimmed.len();
        start += item.len();
        if trimmed.is_empty() {
            continue;
        }
        if let Some((name, _)) = trimmed.split_once('=') {
            let value = range.start + name.len() + 1..range.end;
            match name.to_ascii_lowercase().as_str() {
                "password" => found.password = Some(value),
                "user" => found.user = Some(value),
                _ => found.parameters.push(Parameter { name: range.start..range.start + name.len(), value }),
            }
        } else {
            found.hosts.extend(hosts(text, range));
        }
    }
    let options = found.password.is_some() || found.user.is_some() || !found.parameters.is_empty();
    found.bare = !options && found.hosts.iter().all(|(_, port)| port.is_none());
    (!found.hosts.is_empty()).then_some(found)
}

fn login(found: &mut Connection, text: &str, range: Range<usize>) {
    match text[range.clone()].find(':') {
        Some(at) => {
            found.user = Some(range.start..range.start + at);
            found.password = Some(range.start + at + 1..range.end);
        }
        None => found.user = Some(range),
    }
}

fn hosts(text: &str, range: Range<usize>) -> Vec<(Range<usize>, Option<Range<usize>>)> {
    let mut start = range.start;
    let mut found = Vec::new();
    for item in text[range].split(',') {
        let end = start + item.len();
        let port = item
            .rfind(':')
            .filter(|at| !item[at + 1..].is_empty() && item[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        found.push(match port {
            Some(at) => (start..start + at, Some(start + at + 1..end)),
            None => (start..end, None),
        });
        start = end + 1;
    }
    found
}

fn parameters(text: &str, range: Range<usize>, separator: char) -> Vec<Parameter> {
    let mut start = range.start;
    let mut found = Vec::new();
    for item in text[range].split(separator) {
        let end = start + item.len();
        if let Some(at) = item.find('=') {
            found.push(Parameter { name: start..start + at, value: start + at + 1..end });
        } else if !item.is_empty() {
            found.push(Parameter { name: start..end, value: end..end });
        }
        start = end + separator.len_utf8();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<String> {
        let found = parse(text).unwrap();
        let part = |range: &Option<Range<usize>>| range.clone().map_or("-".to_owned(), |range| text[range].to_owned());
        let mut parts = vec![part(&found.scheme), part(&found.user), part(&found.password)];
        for (host, port) in &found.hosts {
            parts.push(format!("{}|{}", &text[host.clone()], part(port)));
        }
        parts.push(part(&found.path.clone().or(found.database.clone())));
        parts.extend(found.parameters.iter().map(|parameter| text[parameter.name.clone()].to_owned()));
        parts
    }

    #[test]
    fn urls_fall_into_their_parts() {
        assert_eq!(
            parts("postgresql+psycopg://u:p%40@db:5432/shop?sslmode=require&x=1"),
            ["postgresql+psycopg", "u", "p%40", "db|5432", "shop", "sslmode", "x"]
        );
        assert_eq!(parts("jdbc:postgresql://db/shop"), ["jdbc:postgresql", "-", "-", "db|-", "shop"]);
        assert_eq!(parts("redis://:pw@cache"), ["redis", "", "pw", "cache|-", "-"]);
        assert_eq!(parts("mongodb://a:1,b:2/x"), ["mongodb", "-", "-", "a|1", "b|2", "x"]);
        assert_eq!(parts("http://es:9200"), ["http", "-", "-", "es|9200", "-"]);
    }

    #[test]
    fn other_forms_fall_into_the_same_parts() {
        assert_eq!(parts("u:p@tcp(db:3306)/shop?parseTime=true"), ["-", "u", "p", "db|3306", "shop", "parseTime"]);
        assert_eq!(
            parts("host=db port=5432 user=u password=p dbname=shop sslmode=require"),
            ["-", "u", "p", "db|5432", "shop", "sslmode"]
        );
        assert_eq!(parts("Server=db;Database=shop;User Id=u;Password=p"), ["-", "u", "p", "db|-", "shop"]);
        assert_eq!(parts("cache:6379,password=p,ssl=True"), ["-", "-", "p", "cache|6379", "-", "ssl"]);
        assert_eq!(parts("a:1, b:2"), ["-", "-", "-", "a|1", "b|2", "-"]);
    }

    #[test]
    fn a_host_alone_is_bare() {
        assert!(parse("db").unwrap().bare);
        assert!(parse("a,b").unwrap().bare);
        assert!(!parse("db:5432").unwrap().bare);
    }
}

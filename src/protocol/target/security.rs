//! The meaning of a URL's TLS parameters, or the reason why they cannot be carried out.
//!
//! An unknown word is an error, never a guess: if a misspelt word were ignored, the password would be sent in plain
//! text.

use super::words::{Meaning, Word, any_case, words};
use crate::model::Protocol;
use crate::protocol::tls::{ChannelBinding, Tls, TlsMode, Versions};
use std::path::PathBuf;

/// The scheme of a URL.
pub(super) struct Scheme<'a> {
    pub(super) protocol: Protocol,
    /// The scheme as it is written, for messages.
    pub(super) name: &'a str,
    /// Whether it is a scheme of TLS: `rediss`, `amqps`.
    pub(super) encrypted: bool,
    /// Whether it follows `jdbc:`.
    pub(super) jdbc: bool,
}

impl Scheme<'_> {
    /// Whether a server of that protocol negotiates TLS on the same port.
    fn negotiates(&self) -> bool {
        matches!(self.protocol, Protocol::Postgres | Protocol::Mysql)
    }
}

/// The parameters, combined.
#[derive(Default)]
struct Said {
    /// The strictest mode, and the weakest.
    modes: Option<(TlsMode, TlsMode)>,
    any_name: bool,
    system: bool,
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    /// Whether 1.2 is excluded, and 1.3.
    without: [bool; 2],
    tls: Tls,
}

/// Reads the parameters. An error names the parameter, and repeats its value only if the parameter has a fixed set of
/// values.
pub(super) fn read(scheme: &Scheme<'_>, parameters: &[(String, String)]) -> Result<Tls, String> {
    let known = words(scheme.protocol, scheme.jdbc);
    let (mut said, mut seen) = (Said::default(), Vec::new());
    for (name, value) in parameters {
        let Some(at) = known.iter().position(|word| word.names.contains(&name.as_str())) else {
            unknown(name, &known)?;
            continue;
        };
        if seen.contains(&at) {
            return Err(format!("it says `{name}` twice: clients differ on which of them counts, so write it once"));
        }
        seen.push(at);
        take(&mut said, known[at], name, value, any_case(scheme.protocol))?;
    }
    together(scheme, said)
}

/// Refuses a parameter that no client knows, if it could mean TLS.
fn unknown(name: &str, known: &[&Word]) -> Result<(), String> {
    let plain = normalised(name);
    let names = || known.iter().flat_map(|word| word.names);
    let distance = |other: &str| strsim::osa_distance(&plain, &normalised(other));
    // The number of characters in which a misspelt word may differ.
    let near = |other: &&&str| distance(other) <= if normalised(other).len() < 6 { 0 } else { 2 };
    let nearest = names().filter(near).min_by_key(|other| distance(other));
    let sounds = ["ssl", "tls", "cert", "verify", "channelbinding"].iter().any(|part| plain.contains(part));
    let name = shown(name);
    match nearest {
        Some(nearest) => {
            Err(format!("its parameter `{name}` is unknown to this server's clients: did you mean `{nearest}`?"))
        }
        None if sounds && known.is_empty() => {
            Err(format!("its parameter `{name}` is about TLS, which is not spoken to this kind of server"))
        }
        None if sounds => {
            let mut names: Vec<&str> = names().copied().collect();
            names.sort_unstable();
            Err(format!("its parameter `{name}` is unknown to this server's clients: there are {}", names.join(", ")))
        }
        None => Ok(()),
    }
}

fn take(said: &mut Said, word: &Word, name: &str, value: &str, any_case: bool) -> Result<(), String> {
    let is = |one: &str| if any_case { one.eq_ignore_ascii_case(value) } else { one == value };
    let one_of = |all: &[&str]| match all.iter().position(|one| is(one)) {
        Some(at) => Ok(at),
        None => Err(no_value(name, value, all)),
    };
    match &word.meaning {
        Meaning::Mode(modes) => {
            let words: Vec<&str> = modes.iter().map(|(word, _)| *word).collect();
            if let (_, Some(mode)) = modes[one_of(&words)?] {
                let (strictest, weakest) = said.modes.unwrap_or((mode, mode));
                said.modes = Some((strictest.max(mode), weakest.min(mode)));
            }
        }
        Meaning::HostName => said.any_name = one_of(&["true", "1", "false", "0"])? >= 2,
        Meaning::Authorities if name == "sslrootcert" && value == "system" => said.system = true,
        Meaning::Authorities => said.authorities = Some(file(name, value)?),
        Meaning::Certificate => said.certificate = Some(file(name, value)?),
        Meaning::Key => said.key = Some(file(name, value)?),
        Meaning::ChannelBinding => {
            said.tls.channel_binding = [ChannelBinding::Disable, ChannelBinding::Prefer, ChannelBinding::Require]
                [one_of(&["disable", "prefer", "require"])?];
        }
        Meaning::Negotiation => said.tls.direct = one_of(&["postgres", "direct"])? == 1,
        Meaning::Oldest => said.without[0] = one_of(&["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])? == 3,
        Meaning::Newest => said.without[1] = one_of(&["TLSv1.2", "TLSv1.3"])? == 0,
        Meaning::Versions => {
            let versions: Vec<&str> = value.split(',').map(str::trim).collect();
            let has = |version: &str| versions.iter().any(|one| one.eq_ignore_ascii_case(version));
            said.without = [!has("TLSv1.2"), !has("TLSv1.3")];
            if said.without == [true, true] {
                return Err(no_value(name, value, &["TLSv1.2", "TLSv1.3", "TLSv1.2,TLSv1.3"]));
            }
        }
        Meaning::Sni => said.tls.without_sni = one_of(&["0", "1"])? == 0,
        Meaning::Login(ways) => {
            one_of(ways)?;
            said.tls.scram_only = ways.contains(&"scram-sha-256");
        }
        Meaning::NoMatter([]) => {}
        Meaning::NoMatter(values) => drop(one_of(values)?),
        Meaning::Refused(why) => return Err(format!("its parameter `{name}` cannot be carried out: {why}")),
    }
    Ok(())
}

/// Combines the parameters: the strictest of them counts.
fn together(scheme: &Scheme<'_>, said: Said) -> Result<Tls, String> {
    let Said { modes, any_name, system, authorities, certificate, key, without, mut tls } = said;
    let asks = authorities.is_some() || certificate.is_some() || key.is_some() || tls.direct || system;
    if !scheme.negotiates() && !scheme.encrypted {
        if asks || any_name || modes.is_some_and(|(strictest, _)| strictest != TlsMode::Off) {
            let name = scheme.name;
            return Err(format!(
                "its scheme `{name}:` means plain text, and a parameter asks for TLS: write `{name}s:`"
            ));
        }
        return Ok(tls);
    }
    let default = if scheme.negotiates() { TlsMode::Preferred } else { TlsMode::Checked };
    let (strictest, weakest) = modes.unwrap_or((default, default));
    if weakest == TlsMode::Off && (strictest != TlsMode::Off || scheme.encrypted || asks) {
        return Err("one part of it asks for TLS, and another for none".to_owned());
    }
    if tls.channel_binding == ChannelBinding::Require && strictest == TlsMode::Off {
        return Err("it binds the login to TLS and asks for none".to_owned());
    }
    if tls.direct && strictest < TlsMode::Unchecked {
        return Err(
            "`direct` begins with TLS: write `sslmode=require` or stricter beside it, as Postgres' clients want it"
                .to_owned(),
        );
    }
    if system && modes.is_some() && strictest != TlsMode::Checked {
        return Err(
            "`sslrootcert=system` is for `sslmode=verify-full`: write that, as Postgres' clients want it".to_owned()
        );
    }
    if key.is_some() && certificate.is_none() {
        return Err("it names a client's key and no certificate".to_owned());
    }
    tls.mode = strictest;
    if authorities.is_some() {
        tls.mode = tls.mode.max(TlsMode::Authority);
    }
    if system {
        tls.mode = TlsMode::Checked;
    }
    if certificate.is_some() {
        tls.mode = tls.mode.max(TlsMode::Unchecked);
    }
    if any_name {
        tls.mode = tls.mode.min(TlsMode::Authority);
    }
    tls.authorities = authorities;
    // Some clients read both from one file.
    tls.identity = certificate.map(|certificate| (certificate.clone(), key.unwrap_or(certificate)));
    tls.versions = match without {
        [true, true] => return Err("it excludes every version of TLS".to_owned()),
        [true, false] => Versions::Only13,
        [false, true] => Versions::Only12,
        [false, false] => Versions::All,
    };
    Ok(tls)
}

fn file(name: &str, value: &str) -> Result<PathBuf, String> {
    if value.is_empty() { Err(format!("its parameter `{name}` names no file")) } else { Ok(PathBuf::from(value)) }
}

fn no_value(name: &str, value: &str, known: &[&str]) -> String {
    let distance = |other: &&&str| strsim::osa_distance(&normalised(value), &normalised(other));
    let nearest = known.iter().min_by_key(distance).filter(|other| distance(other) <= 3);
    let nearest = nearest.map_or_else(String::new, |nearest| format!(": did you mean `{nearest}`?"));
    let all: Vec<&str> = known.iter().copied().filter(|one| !one.is_empty()).collect();
    format!("its parameter `{name}` is `{}`, which is none of {}{nearest}", shown(value), all.join(", "))
}

/// A word without the differences that people mix up: case, `-`, `_` and `.`.
fn normalised(word: &str) -> String {
    word.chars().filter(|letter| !matches!(letter, '-' | '_' | '.')).flat_map(char::to_lowercase).collect()
}

/// A word of a URL, made safe for a message.
fn shown(word: &str) -> String {
    word.chars().take(40).map(|letter| if letter.is_ascii_graphic() { letter } else { '?' }).collect()
}

//! `MySQL` packets without a socket: reads and writes bytes. The names are those of the "Client/Server Protocol" in
//! `MySQL`'s internals documentation; `MariaDB` speaks the same protocol.
//!
//! A length counts only as far as there are bytes: whatever a peer sends gives a value, "not yet" or "foreign".

use crate::protocol::ProbeError;
use crate::protocol::wire::Parsed;

/// A payload of this length continues in the next packet. No answer that is read here is that long.
const CONTINUED: usize = 0xff_ffff;
/// The maximum number of columns that a server allows in a table.
const MAX_COLUMNS: u64 = 4096;
/// The character set of the connection: `utf8mb4_general_ci`, which every release since 5.5 knows.
const UTF8MB4: u8 = 45;

const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
/// Long passwords, long flags, the status of transactions, and the current authentication.
const OURS: u32 = 1 | (1 << 2) | PROTOCOL_41 | (1 << 13) | SECURE_CONNECTION | PLUGIN_AUTH;

/// Returns the payload of a packet; its sequence number must be the next one. A server that closes the connection may
/// say so out of sequence.
pub(super) fn parse(bytes: &[u8], sequence: u8) -> Parsed<Vec<u8>> {
    let Some(header) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
    if length == CONTINUED || (header[3] != sequence && bytes.get(4).is_some_and(|first| *first != 0xff)) {
        return Err(foreign());
    }
    let Some(payload) = bytes[4..].get(..length) else { return Ok(None) };
    if header[3] != sequence && payload.is_empty() {
        return Err(foreign());
    }
    Ok(Some((payload.to_vec(), 4 + length)))
}

/// Builds a packet from its payload.
pub(super) fn framed(payload: &[u8], sequence: u8) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
}

pub(super) fn foreign() -> ProbeError {
    ProbeError::foreign("MySQL's protocol")
}

/// The first packet of a server (`HandshakeV10`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    /// The version as the server reports it: `8.4.4`, `10.11.6-MariaDB-0+deb12u1`, `5.5.5-10.3.39-MariaDB`.
    pub(super) version: String,
    /// The bytes to mix with the password.
    pub(super) nonce: Vec<u8>,
    /// The authentication plugin that the server proposes.
    pub(super) plugin: String,
    /// Whether the server offers TLS.
    pub(super) tls: bool,
}

/// `ERR_Packet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerError {
    pub(super) code: u16,
    pub(super) message: String,
}

/// An answer, or the server's refusal to give an answer.
pub(super) type Answer<T> = Result<T, ServerError>;

/// Reads the first packet of a server, which may refuse the connection instead. `None` if it is not a packet of this
/// protocol.
pub(super) fn handshake(payload: &[u8]) -> Option<Answer<Handshake>> {
    let mut fields = Fields(payload);
    match fields.u8()? {
        0xff => return Some(Err(refusal(fields)?)),
        10 => {}
        _ => return None,
    }
    let version = text(fields.until_nul()?);
    fields.take(4)?;
    let mut nonce = fields.take(8)?.to_vec();
    fields.take(1)?;
    let lower = u32::from(fields.u16()?);
    fields.take(3)?;
    let capabilities = lower | u32::from(fields.u16()?) << 16;
    if capabilities & (PROTOCOL_41 | SECURE_CONNECTION) != PROTOCOL_41 | SECURE_CONNECTION {
        return None;
    }
    let length = usize::from(fields.u8()?);
    fields.take(10)?;
    // The second part is at least 13 bytes, of which the last one is zero.
    let second = fields.take(length.saturating_sub(8).max(13))?;
    nonce.extend_from_slice(&second[..second.len() - 1]);
    let plugin = if capabilities & PLUGIN_AUTH == 0 {
        "mysql_native_password".to_owned()
    } else {
        text(fields.until_nul().unwrap_or(fields.0))
    };
    Some(Ok(Handshake { version, nonce, plugin, tls: capabilities & SSL != 0 }))
}

/// The user, the database, and the proof of a login.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) database: Option<&'a str>,
    pub(super) plugin: &'a str,
    pub(super) response: &'a [u8],
    pub(super) tls: bool,
}

impl Login<'_> {
    /// `SSLRequest`: the beginning of the response, after which TLS begins.
    pub(super) fn tls_request(&self) -> Vec<u8> {
        let mut capabilities = OURS;
        if self.database.is_some() {
            capabilities |= CONNECT_WITH_DB;
        }
        if self.tls {
            capabilities |= SSL;
        }
        let mut bytes = capabilities.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(1_u32 << 24).to_le_bytes());
        bytes.push(UTF8MB4);
        bytes.extend_from_slice(&[0; 23]);
        bytes
    }

    /// `HandshakeResponse41`.
    pub(super) fn response(&self) -> Vec<u8> {
        let mut bytes = self.tls_request();
        push_text(&mut bytes, self.user);
        // No authentication plugin answers with more than a digest.
        bytes.push(u8::try_from(self.response.len()).unwrap_or(0));
        bytes.extend_from_slice(&self.response[..self.response.len().min(255)]);
        if let Some(database) = self.database {
            push_text(&mut bytes, database);
        }
        push_text(&mut bytes, self.plugin);
        bytes
    }
}

/// Appends a text up to its first zero byte, which ends a text in the protocol.
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes().take_while(|byte| *byte != 0));
    bytes.push(0);
}

/// The server's answer to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    /// The login succeeded.
    Done,
    /// The server wants another authentication plugin, with another nonce.
    Switch { plugin: String, nonce: Vec<u8> },
    /// More data of the current plugin.
    More(Vec<u8>),
}

pub(super) fn authentication(payload: &[u8]) -> Option<Answer<Authentication>> {
    let mut fields = Fields(payload);
    Some(Ok(match fields.u8()? {
        0x00 => Authentication::Done,
        0x01 => Authentication::More(fields.0.to_vec()),
        // An empty packet means the plugin from before 4.1.
        0xfe if fields.0.is_empty() => {
            Authentication::Switch { plugin: "mysql_old_password".into(), nonce: Vec::new() }
        }
        0xfe => {
            let plugin = text(fields.until_nul()?);
            Authentication::Switch { plugin, nonce: fields.0.strip_suffix(&[0]).unwrap_or(fields.0).to_vec() }
        }
        0xff => return Some(Err(refusal(fields)?)),
        _ => return None,
    }))
}

/// Reads the beginning of an answer to a statement: 0 if there are no rows, otherwise the number of columns.
pub(super) fn head(payload: &[u8]) -> Option<Answer<usize>> {
    let mut fields = Fields(payload);
    match payload.first()? {
        0x00 => Some(Ok(0)),
        0xff => {
            fields.take(1)?;
            Some(Err(refusal(fields)?))
        }
        // The server asks for a local file (`LOCAL INFILE`), which devenv never offers.
        0xfb => None,
        _ => {
            let columns = fields.length()?;
            (columns <= MAX_COLUMNS && fields.0.is_empty()).then(|| usize::try_from(columns).ok()).flatten().map(Ok)
        }
    }
}

/// One row, each column as text; NULL is `None`. The end of all rows is also `None`.
pub(super) type Row = Vec<Option<String>>;

pub(super) fn row(payload: &[u8], columns: usize) -> Option<Answer<Option<Row>>> {
    if is_end(payload) {
        return Some(Ok(None));
    }
    let mut fields = Fields(payload);
    if payload.first() == Some(&0xff) {
        fields.take(1)?;
        return Some(Err(refusal(fields)?));
    }
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        if fields.0.first() == Some(&0xfb) {
            fields.take(1)?;
            row.push(None);
        } else {
            let length = usize::try_from(fields.length()?).ok()?;
            row.push(Some(text(fields.take(length)?)));
        }
    }
    fields.0.is_empty().then_some(Ok(Some(row)))
}

/// `EOF_Packet`: a longer packet with the same first byte is a row.
pub(super) fn is_end(payload: &[u8]) -> bool {
    payload.first() == Some(&0xfe) && payload.len() < 9
}

/// Reads the rest of an `ERR_Packet`. Before the login, the packet has no SQLSTATE.
fn refusal(mut fields: Fields<'_>) -> Option<ServerError> {
    let code = fields.u16()?;
    if fields.0.first() == Some(&b'#') {
        fields.take(6)?;
    }
    Some(ServerError { code, message: text(fields.0) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads fields from the front, little-endian.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.take(end)?;
        self.take(1)?;
        Some(taken)
    }

    /// A length-encoded integer.
    fn length(&mut self) -> Option<u64> {
        let size = match self.u8()? {
            small @ 0..=0xfa => return Some(u64::from(small)),
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            _ => return None,
        };
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(self.take(size)?);
        Some(u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first packet of a server as `MySQL` 8.4 sends it.
    pub(in crate::protocol::mysql) fn handshake_packet(version: &str, plugin: &str) -> Vec<u8> {
        let mut bytes = vec![10];
        push_text(&mut bytes, version);
        bytes.extend_from_slice(b"\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15");
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(b"ijklmnopqrst\0");
        push_text(&mut bytes, plugin);
        bytes
    }

    #[test]
    fn a_packet_is_read_whole_in_its_turn_or_not_yet() {
        assert_eq!(parse(b"", 0).unwrap(), None);
        assert_eq!(parse(b"\x02\0\0", 0).unwrap(), None);
        assert_eq!(parse(b"\x02\0\0\0a", 0).unwrap(), None);
        assert_eq!(parse(b"\x02\0\0\0abX", 0).unwrap(), Some((b"ab".to_vec(), 6)));
        assert_eq!(parse(&framed(b"statement", 3), 3).unwrap(), Some((b"statement".to_vec(), 13)));
        for bytes in [&b"\xff\xff\xff\0a"[..], b"\x02\0\0\x01ab", b"SSH-2.0-OpenSSH_9.2p1", b"\0\0\0\x01"] {
            assert_eq!(parse(bytes, 0), Err(foreign()), "{bytes:?}");
        }
        // A server may close the connection at any time.
        assert_eq!(parse(b"\x02\0\0\0\xffx", 7).unwrap(), Some((b"\xffx".to_vec(), 6)));
    }

    #[test]
    fn the_first_packet_of_a_server_is_understood() {
        let greeted = handshake(&handshake_packet("8.4.4", "caching_sha2_password")).unwrap().unwrap();
        assert_eq!(greeted.version, "8.4.4");
        assert_eq!(greeted.nonce, b"abcdefghijklmnopqrst");
        assert_eq!(greeted.plugin, "caching_sha2_password");
        assert!(greeted.tls);
    }

    #[test]
    fn a_refusal_is_understood_before_the_login_and_after_it() {
        let before = handshake(b"\xff\x6a\x04Host '172.17.0.1' is not allowed").unwrap().unwrap_err();
        assert_eq!(before, ServerError { code: 1130, message: "Host '172.17.0.1' is not allowed".to_owned() });
        let after = authentication(b"\xff\x15\x04#28000Access denied").unwrap().unwrap_err();
        assert_eq!(after, ServerError { code: 1045, message: "Access denied".to_owned() });
        assert_eq!(head(b"\xff\x15\x04#28000Access denied").unwrap().unwrap_err(), after);
    }

    #[test]
    fn the_answers_to_a_login_are_told_apart() {
        let switched = Authentication::Switch { plugin: "p".to_owned(), nonce: b"abc".to_vec() };
        assert_eq!(authentication(b"\xfep\0abc\0").unwrap().unwrap(), switched);
        let old = Authentication::Switch { plugin: "mysql_old_password".to_owned(), nonce: Vec::new() };
        assert_eq!(authentication(b"\xfe").unwrap().unwrap(), old);
        assert_eq!(authentication(b"\x01\x04").unwrap().unwrap(), Authentication::More(vec![4]));
        assert_eq!(authentication(b"\0\0\0\x02\0\0\0").unwrap().unwrap(), Authentication::Done);
        assert_eq!(authentication(b"\x07"), None);
        assert_eq!(authentication(b""), None);
    }

    #[test]
    fn a_login_says_who_where_and_how() {
        let login = Login { user: "app", database: Some("shop"), plugin: "p", response: b"digest", tls: false };
        let bytes = login.response();
        assert_eq!(&bytes[..4], &(OURS | CONNECT_WITH_DB).to_le_bytes());
        assert_eq!(&bytes[32..], b"app\0\x06digestshop\0p\0");
        let nowhere = Login { database: None, tls: true, ..login };
        assert_eq!(&nowhere.tls_request()[..4], &(OURS | SSL).to_le_bytes());
        assert_eq!(&nowhere.response()[32..], b"app\0\x06digestp\0");
    }

    #[test]
    fn rows_are_read_with_their_nulls_and_their_end() {
        assert_eq!(head(b"\x02").unwrap().unwrap(), 2);
        assert_eq!(head(b"\0\0\0\x02\0\0\0").unwrap().unwrap(), 0);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(row(b"\x01a\xfb\x00", 3).unwrap().unwrap(), Some(vec![text("a"), None, text("")]));
        assert_eq!(row(b"\xfe\0\0\x02\0", 1).unwrap().unwrap(), None);
        assert_eq!(row(b"\xfc\x01\0x", 1).unwrap().unwrap(), Some(vec![text("x")]));
    }

    #[test]
    fn bytes_that_are_no_answer_are_refused() {
        // A local file; columns without end; more columns than any table has; lengths beyond the packet.
        for bytes in [&b"\xfb/etc/passwd"[..], b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", b"\xfc\xff\xff", b"\x02x", b""]
        {
            assert_eq!(head(bytes), None, "{bytes:?}");
        }
        for bytes in [&b"\x05ab"[..], b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", b"\xfd\x01", b"\x01ab", b""] {
            assert_eq!(row(bytes, 1), None, "{bytes:?}");
        }
        assert_eq!(handshake(b"\x09old\0"), None);
        let whole = handshake_packet("8.4.4", "p");
        for length in 0..whole.len() - 2 {
            assert_eq!(handshake(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, sequence: u8, columns in 0_usize..9) {
            let _ = parse(&bytes, sequence);
            let _ = handshake(&bytes);
            let _ = handshake(&[&[10], &bytes[..]].concat());
            let _ = authentication(&bytes);
            let _ = head(&bytes);
            let _ = row(&bytes, columns);
        }
    }
}

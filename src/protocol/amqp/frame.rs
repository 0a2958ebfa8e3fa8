//! AMQP 0-9-1 frames of the connection class, without a socket: reads methods from bytes, and writes methods as bytes.
//!
//! Names and numbers are those of the specification (`amqp0-9-1.xml`, class 10 `connection`).

use crate::protocol::ProbeError;
use crate::protocol::wire::Parsed;

/// The first bytes that a client sends.
pub(super) const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// The largest accepted frame: `RabbitMQ`'s own maximum. Until both sides have agreed on a size, a frame has at most 4
/// kB.
const MAX_FRAME_SIZE: usize = 128 * 1024;
const FRAME_END: u8 = 0xce;
const METHOD: u8 = 1;
const HEARTBEAT: u8 = 8;

/// The methods that a server sends while a connection is opened and closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// The server introduces itself.
    Start { mechanisms: String, version: Option<String> },
    /// The server proposes limits.
    Tune { channel_max: u16, frame_max: u32 },
    /// The vhost is open.
    OpenOk,
    /// The server closes the connection and gives the reason.
    Close { code: u16, text: String },
    /// The server confirms the end of the connection.
    CloseOk,
    /// Any other method, which is not expected here.
    Unexpected,
    /// A sign that the server is alive.
    Heartbeat,
}

/// Returns the first frame of the bytes and its length; `None` while the frame is incomplete.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Method> {
    let foreign = || ProbeError::foreign("AMQP 0-9-1");
    let Some(kind) = bytes.first().copied() else { return Ok(None) };
    if kind == PROTOCOL_HEADER[0] {
        // A server that does not speak the requested version answers with its own header.
        return if bytes.len() < 8 && PROTOCOL_HEADER.starts_with(&bytes[..bytes.len().min(4)]) {
            Ok(None)
        } else {
            Err(foreign())
        };
    }
    if kind != METHOD && kind != HEARTBEAT {
        return Err(foreign());
    }
    let mut fields = Fields(bytes);
    let Some((channel, length)) = fields.header() else { return Ok(None) };
    if channel != 0 || length > MAX_FRAME_SIZE {
        return Err(foreign());
    }
    let Some((payload, rest)) = fields.0.split_at_checked(length) else { return Ok(None) };
    match rest.first() {
        None => Ok(None),
        Some(&FRAME_END) => {
            let method = if kind == HEARTBEAT { Method::Heartbeat } else { method(payload).ok_or_else(foreign)? };
            Ok(Some((method, 7 + length + 1)))
        }
        Some(_) => Err(foreign()),
    }
}

fn method(payload: &[u8]) -> Option<Method> {
    let mut fields = Fields(payload);
    Some(match (fields.u16()?, fields.u16()?) {
        (10, 10) => {
            fields.take(2)?;
            let version = version(fields.long()?);
            let mechanisms = fields.long()?;
            Method::Start { mechanisms: String::from_utf8_lossy(mechanisms).into_owned(), version }
        }
        (10, 30) => Method::Tune { channel_max: fields.u16()?, frame_max: fields.u32()? },
        (10, 41) => Method::OpenOk,
        (10, 50) => Method::Close { code: fields.u16()?, text: fields.short()? },
        (10, 51) => Method::CloseOk,
        _ => Method::Unexpected,
    })
}

/// Returns `version` of the server's properties. In practice, the properties are only strings and nested tables, so an
/// unknown type ends the search.
fn version(table: &[u8]) -> Option<String> {
    let mut fields = Fields(table);
    loop {
        let name = fields.short()?;
        match fields.take(1)?[0] {
            b'S' => {
                let value = fields.long()?;
                if name == "version" {
                    return Some(String::from_utf8_lossy(value).into_owned());
                }
            }
            b'F' | b'A' | b'x' => drop(fields.long()?),
            b't' | b'b' | b'B' => drop(fields.take(1)?),
            b'I' | b'i' | b'f' => drop(fields.take(4)?),
            b'l' | b'L' | b'd' | b'T' => drop(fields.take(8)?),
            b'V' => {}
            _ => return None,
        }
    }
}

/// Reads fields from the front, big-endian.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A frame's channel and payload size, after its type.
    fn header(&mut self) -> Option<(u16, usize)> {
        self.take(1)?;
        Some((self.u16()?, usize::try_from(self.u32()?).ok()?))
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn short(&mut self) -> Option<String> {
        let length = self.take(1)?[0];
        Some(String::from_utf8_lossy(self.take(usize::from(length))?).into_owned())
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }
}

/// `start-ok`: the login by the mechanism PLAIN.
pub(super) fn start_ok(user: &str, password: &str) -> Vec<u8> {
    // Without this capability, a server that refuses the login closes the connection without a reason.
    let mut capabilities = Vec::new();
    push_short(&mut capabilities, "authentication_failure_close");
    capabilities.extend_from_slice(b"t\x01");
    let mut properties = Vec::new();
    push_short(&mut properties, "product");
    properties.push(b'S');
    push_long(&mut properties, b"devenv");
    push_short(&mut properties, "capabilities");
    properties.push(b'F');
    push_long(&mut properties, &capabilities);

    let mut arguments = Vec::new();
    push_long(&mut arguments, &properties);
    push_short(&mut arguments, "PLAIN");
    push_long(&mut arguments, format!("\0{user}\0{password}").as_bytes());
    push_short(&mut arguments, "en_US");
    frame(11, &arguments)
}

/// `tune-ok`: agrees to the server's limits, without heartbeats.
pub(super) fn tune_ok(channel_max: u16, frame_max: u32) -> Vec<u8> {
    let mut arguments = channel_max.to_be_bytes().to_vec();
    arguments.extend_from_slice(&frame_max.to_be_bytes());
    arguments.extend_from_slice(&0_u16.to_be_bytes());
    frame(31, &arguments)
}

/// `open`: asks for a vhost.
pub(super) fn open(vhost: &str) -> Vec<u8> {
    let mut arguments = Vec::new();
    push_short(&mut arguments, vhost);
    // Two fields of earlier versions: a short string and a bit.
    arguments.extend_from_slice(&[0, 0]);
    frame(40, &arguments)
}

/// `close`: ends the connection by the rules of the protocol.
pub(super) fn close() -> Vec<u8> {
    let mut arguments = 200_u16.to_be_bytes().to_vec();
    push_short(&mut arguments, "done");
    arguments.extend_from_slice(&[0; 4]);
    frame(50, &arguments)
}

/// `close-ok`: confirms the `close` of the server.
pub(super) fn close_ok() -> Vec<u8> {
    frame(51, &[])
}

fn frame(method: u16, arguments: &[u8]) -> Vec<u8> {
    let mut bytes = vec![METHOD, 0, 0];
    let mut payload = 10_u16.to_be_bytes().to_vec();
    payload.extend_from_slice(&method.to_be_bytes());
    payload.extend_from_slice(arguments);
    push_long(&mut bytes, &payload);
    bytes.push(FRAME_END);
    bytes
}

/// Appends a string of at most 255 bytes; a longer string is cut, and the server will not recognise it.
fn push_short(bytes: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(255)];
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text);
}

/// Appends a string with a length of four bytes. The strings here are far below 4 GB.
fn push_long(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Fault;

    /// A frame as a server would send it.
    fn from_server(method: u16, arguments: &[u8]) -> Vec<u8> {
        frame(method, arguments)
    }

    fn start(properties: &[u8]) -> Vec<u8> {
        let mut arguments = vec![0, 9];
        push_long(&mut arguments, properties);
        push_long(&mut arguments, b"AMQPLAIN PLAIN");
        push_long(&mut arguments, b"en_US");
        from_server(10, &arguments)
    }

    #[test]
    fn a_start_tells_mechanisms_and_version() {
        let mut properties = Vec::new();
        push_short(&mut properties, "capabilities");
        properties.push(b'F');
        push_long(&mut properties, b"\x01xt\x01");
        push_short(&mut properties, "version");
        properties.push(b'S');
        push_long(&mut properties, b"3.10.8");
        let bytes = start(&properties);
        let expected = Method::Start { mechanisms: "AMQPLAIN PLAIN".to_owned(), version: Some("3.10.8".to_owned()) };
        assert_eq!(parse(&bytes).unwrap(), Some((expected, bytes.len())));
    }

    #[test]
    fn a_table_that_lies_about_its_lengths_has_no_version() {
        for properties in [&b"\xff"[..], b"\x07versionS\xff\xff\xff\xff", b"\x01xQ", b"\x01xF\0\0\0\x09"] {
            assert!(matches!(parse(&start(properties)), Ok(Some((Method::Start { version: None, .. }, _)))));
        }
    }

    #[test]
    fn a_frame_is_awaited_until_its_last_byte() {
        let bytes = from_server(30, &[0, 255, 0, 2, 0, 0, 0, 60]);
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]).unwrap(), None, "{length}");
        }
        let (method, length) = parse(&[&bytes[..], b"more"].concat()).unwrap().unwrap();
        assert_eq!(method, Method::Tune { channel_max: 255, frame_max: 131_072 });
        assert_eq!(length, bytes.len());
    }

    #[test]
    fn bytes_that_are_no_frame_are_refused_at_once() {
        let mut without_end = from_server(41, &[0]);
        *without_end.last_mut().unwrap() = 0;
        let huge = [1, 0, 0, 0xff, 0xff, 0xff, 0xff];
        let cut_arguments = from_server(50, &[1]);
        for bytes in [&b"HTTP/1.1 400"[..], b"-ERR", b"AMQP\0\0\x09\x01", b"AMxx", &without_end, &huge, &cut_arguments]
        {
            assert_eq!(parse(bytes).unwrap_err().fault, Fault::Other, "{bytes:?}");
        }
        assert_eq!(parse(b"AMQP\x03").unwrap(), None);
    }

    #[test]
    fn a_login_is_framed_as_the_specification_says() {
        let bytes = start_ok("app", "pw");
        assert_eq!(&bytes[..3], [1, 0, 0]);
        let length = u32::from_be_bytes(bytes[3..7].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), 7 + length + 1);
        assert_eq!(&bytes[7..11], [0, 10, 0, 11]);
        assert!(bytes.ends_with(b"\x05PLAIN\0\0\0\x07\0app\0pw\x05en_US\xce"), "{bytes:?}");
    }

    #[test]
    fn a_vhost_is_asked_for_by_its_name() {
        assert_eq!(open("/"), b"\x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\0\xce");
        assert_eq!(open(&"v".repeat(300)).len(), 8 + 4 + 256 + 2);
    }

    #[test]
    fn a_close_tells_code_and_words() {
        let mut arguments = 530_u16.to_be_bytes().to_vec();
        push_short(&mut arguments, "NOT_ALLOWED - vhost nope not found");
        arguments.extend_from_slice(&[0, 10, 0, 40]);
        let expected = Method::Close { code: 530, text: "NOT_ALLOWED - vhost nope not found".to_owned() };
        assert_eq!(parse(&from_server(50, &arguments)).unwrap().unwrap().0, expected);
    }
}

//! Bytes as a JSON string, in which each byte is one character. ASCII text takes about as much space as the text
//! itself.

use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    let byte = |letter| u8::try_from(letter).map_err(|_| serde::de::Error::custom("a character that is no byte"));
    text.chars().map(byte).collect()
}

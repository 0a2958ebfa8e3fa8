//! Where a value was declared.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file as it was read. An [`Origin`] is a place in this file.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as messages show it: relative to the project's root if the file is inside the root, `<stdin>` for
    /// standard input.
    pub path: PathBuf,
    /// The whole text, for showing the line beside a message.
    pub text: String,
}

/// A place in a file. Every value of a stack has its place.
///
/// The serialized form does not have the text of the file: messages then name the line and do not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Origin {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The length of the value on that line, in characters (at least 1 if it is shown).
    pub length: u32,
}

/// The serialized form of a place.
#[derive(Serialize, Deserialize)]
struct Kept(PathBuf, u32, u32, u32);

impl From<Kept> for Origin {
    fn from(Kept(path, line, column, length): Kept) -> Self {
        Self { file: Arc::new(SourceFile { path, text: String::new() }), line, column, length }
    }
}

impl From<Origin> for Kept {
    fn from(origin: Origin) -> Self {
        Self(origin.file.path.clone(), origin.line, origin.column, origin.length)
    }
}

impl Origin {
    /// The place of a whole file, for a message that concerns no single line.
    pub fn start_of(file: &Arc<SourceFile>) -> Self {
        Self { file: Arc::clone(file), line: 1, column: 1, length: 1 }
    }

    /// The file's path as messages show it.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.path.display(), self.line, self.column)
    }
}

/// As short as Display: a debug print must not contain the text of a file.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value and the place of its declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub origin: Origin,
}

impl<T> Located<T> {
    /// A value at a place.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), origin: self.origin }
    }
}

//! How each key of a backing service is supported, so that no key is dropped in silence.
//!
//! The support of a whole service is that of its worst key that changes how the server answers. Keys about the
//! container (restarts, limits, logging) are reported, but do not count.

use crate::model::{Key, Support};
use std::collections::HashSet;

/// Keys and their support.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Each key, in order.
    pub(crate) all: Vec<Key>,
    /// The worst support of the keys that count.
    pub(crate) worst: Support,
    /// Their paths. Only the first record for each path is kept.
    known: HashSet<String>,
}

impl Keys {
    /// Adds a key that changes how the server answers.
    pub(crate) fn add(&mut self, path: impl Into<String>, support: Support, note: impl Into<String>) {
        if support != Support::Reproduced {
            self.worst = self.worst.max(Support::Approximated);
        }
        self.add_neutral(path, support, note);
    }

    /// Adds a key that does not change how the server answers, and so does not count for the service's support.
    pub(crate) fn add_neutral(&mut self, path: impl Into<String>, support: Support, note: impl Into<String>) {
        let path = path.into();
        if self.known.insert(path.clone()) {
            self.all.push(Key { path, support, note: note.into() });
        }
    }
}

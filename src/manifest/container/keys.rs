//! What becomes of each key of a backing service, so that nothing is dropped in silence.
//!
//! A service as a whole is as well supported as the worst key that changes how the server answers; keys about the
//! container around it (restarts, limits, logging) are told and do not count.

use crate::model::{Key, Support};
use std::collections::HashSet;

/// Keys and what became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Each key, in order.
    pub(crate) all: Vec<Key>,
    /// The worst of those that count.
    pub(crate) worst: Support,
    /// Their paths: the first of each counts.
    known: HashSet<String>,
}

impl Keys {
    /// A key that changes how the server answers.
    pub(crate) fn add(&mut self, path: impl Into<String>, support: Support, note: impl Into<String>) {
        if support != Support::Reproduced {
            self.worst = self.worst.max(Support::Approximated);
        }
        self.aside(path, support, note);
    }

    /// A key that does not.
    pub(crate) fn aside(&mut self, path: impl Into<String>, support: Support, note: impl Into<String>) {
        let path = path.into();
        if self.known.insert(path.clone()) {
            self.all.push(Key { path, support, note: note.into() });
        }
    }
}

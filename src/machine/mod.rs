//! What belongs to this machine and not to a project: its key, the user's configuration, locks, ports in use, and the
//! programs on it that can be asked; and what its user agreed to.
//!
//! Nothing here is state of an environment; losing the key makes new passwords, which the next `up` carries out.

mod ask;
pub(crate) mod clipboard;
mod clock;
mod digests;
pub mod git;
mod key;
mod lock;
mod ports;
mod program;
mod settings;
pub mod tools;
mod trust;

pub use clock::today;
pub use digests::Digests;
pub use key::Key;
pub use lock::{CheckoutLock, is_held};
pub use ports::{Holder, holder_of, is_free};
pub(crate) use program::{OnPath, Programs};
pub use settings::Settings;
pub use trust::{Agreement, Trust};

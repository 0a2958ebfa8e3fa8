//! The parts of devenv that belong to this machine and not to a project: its key, the user's configuration, locks,
//! ports in use, the programs that devenv asks, and the agreements of the user.
//!
//! Nothing here is state of an environment. If the key is lost, passwords are new, and the next `up` sets them.

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

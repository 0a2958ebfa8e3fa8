//! The files of a checkout: opened and replaced without leaving it, and what reading them may cost.
//!
//! Whatever lies in a checkout came with a clone, its symbolic links included, and is not trusted. A path is followed one
//! component at a time, each relative to the folder that is open already, so what is swapped meanwhile leads nowhere else.
//! And whatever a checkout holds, reading it ends: one [`Budget`] is spent by everything that is read or expanded.

mod budget;
mod deadline;
mod jail;
mod read;
mod replace;

pub(crate) use budget::LIMIT;
pub use budget::{Budget, Resource, Spent, VARIABLE, of_text};
pub use deadline::within_deadline;
pub(crate) use jail::tidy;
pub use jail::{Checkout, Fault, git_top_level};
pub use read::{open_named, open_regular, read_at_most, read_text, read_up_to};
pub use replace::{FileName, Mode, Replacement, is_env_file};

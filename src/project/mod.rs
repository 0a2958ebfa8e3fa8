//! Opens and replaces the files of a checkout without leaving it, and limits the cost of reading them.
//!
//! All files of a checkout came with a clone, its symbolic links included, and are not trusted. A path is followed one
//! component at a time, each relative to the folder that is open already, so that a file that is swapped meanwhile
//! leads nowhere else. Reading always ends, whatever a checkout contains: everything that is read or expanded spends
//! from one [`Budget`].

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

//! The files of a checkout: opened and replaced without leaving it.
//!
//! Whatever lies in a checkout came with a clone, its symbolic links included, and is not trusted. A path is followed one
//! component at a time, each relative to the folder that is open already, so what is swapped meanwhile leads nowhere else.

mod jail;
mod replace;

pub(crate) use jail::tidy;
pub use jail::{Checkout, Fault, git_top_level};
pub use replace::{FileName, Mode, Replacement};

//! The variables as text: the managed block of `.env`, the lines around the block, and the other formats of `devenv
//! env`.
//!
//! python-dotenv, Node's dotenv, Ruby's dotenv, dotenvy and a POSIX shell read every written value the same. If that is
//! impossible for a value, devenv reports the variable with the reason, and still writes the others. devenv never
//! changes the lines that a user wrote outside the block. Only [`mod@file`] touches the disk, and only [`git`] asks
//! git.

mod block;
mod entry;
pub mod file;
mod format;
pub mod git;
mod quote;
mod reader;
mod target;

pub use block::{Difference, TO_FILL_IN, check, commented_out, has_block, lift, merge, render_block, without_block};
pub use entry::{Entry, EntryValue, Refusal};
pub use file::EnvFile;
pub use format::{Format, masks, render};
pub use reader::{UserLine, user_lines};
pub use target::{Target, Wanted, choose};

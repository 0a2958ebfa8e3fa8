//! The variables as text: the managed block of `.env`, what surrounds it, and the other formats of `devenv env`.
//!
//! Whatever is written here is read back the same by python-dotenv, Node's dotenv, Ruby's dotenv, dotenvy and a POSIX
//! shell; a value for which that cannot be had is told with the reason, and costs no other. What a user wrote outside the block is never
//! changed. Only [`mod@file`] touches the disk, and only [`git`] asks git.

mod block;
mod entry;
pub mod file;
mod format;
pub mod git;
mod quote;
mod reader;
mod target;

pub use block::{Difference, TO_FILL_IN, check, disarmed, has_block, lift, merge, render_block, without_block};
pub use entry::{Entry, EntryValue, Refusal};
pub use file::EnvFile;
pub use format::{Format, masks, render};
pub use reader::{UserLine, user_lines};
pub use target::{Target, Wanted, choose};

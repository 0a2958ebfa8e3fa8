//! Production against development, as data: what each side says, where they differ, and how much that matters.
//!
//! Pure: whoever calls it has asked the servers and read the files.

mod compare;
mod declared;
mod facts_file;
mod knowledge;
pub mod people;
pub mod time;
pub mod tools;
mod values;

pub use compare::{Declared, Sides, compare, left_out};
pub use declared::{as_facts, declared};
pub use facts_file::{FactsFile, is_facts, parse, render};

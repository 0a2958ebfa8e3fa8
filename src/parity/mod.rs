//! The comparison of production and development, as data: the facts of each side, the differences, and how much they
//! matter.
//!
//! This module is pure: the caller asks the servers and reads the files.

mod base;
mod compare;
mod declared;
mod end_of_life;
mod facts_file;
mod help;
mod knowledge;
pub mod people;
mod releases;
mod sides;
#[cfg(test)]
mod tests;
pub mod time;
pub mod tools;
mod values;

pub use base::with_image;
pub use compare::{compare, excluded, local_only};
pub use declared::{as_facts, declared, overlay};
pub use end_of_life::ended;
pub use facts_file::{FactsFile, is_facts, parse, render};
pub use sides::{Advice, Compared, Declared, Sides};

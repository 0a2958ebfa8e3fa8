//! Where development differs from production: pure comparisons, and the sections that come of them.

pub mod people;
pub mod time;
pub mod tools;

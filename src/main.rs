//! The `devenv` program.

fn main() {}

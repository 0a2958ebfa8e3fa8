//! Files in TOML, as each of the formats that are written in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &["fly.toml", "railway.toml"];

fuzz_target!(|data: &[u8]| devenv_fuzz::read_as_one_of(NAMES, data));

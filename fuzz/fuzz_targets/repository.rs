//! Whole repositories: files of every format, links and FIFOs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| devenv_fuzz::repository::read(data));

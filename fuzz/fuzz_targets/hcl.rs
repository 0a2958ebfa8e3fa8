//! Files in HCL, as each of the formats that are written in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &["main.tf", "terraform.tfvars", "jobs.nomad.hcl"];

fuzz_target!(|data: &[u8]| devenv_fuzz::read_as_one_of(NAMES, data));

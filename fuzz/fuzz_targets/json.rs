//! Files in JSON, as each of the formats that are written in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] =
    &["shown.json", "task.json", "app.json", "scalingo.json", "stack.template.json", "main.tf.json", "compose.json"];

fuzz_target!(|data: &[u8]| devenv_fuzz::read_as_one_of(NAMES, data));

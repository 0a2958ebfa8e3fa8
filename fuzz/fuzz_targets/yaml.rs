//! Files in YAML, as each of the formats that are written in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: &[&str] = &[
    "compose.yaml",
    "services.yaml",
    "k8s.yaml",
    "values.yaml",
    "render.yaml",
    ".do/app.yaml",
    ".upsun/config.yaml",
    ".platform/services.yaml",
    "config/deploy.yml",
    "template.yaml",
    "manifest.yml",
    "nais.yaml",
    "score.yaml",
    "heroku.yml",
    "kustomization.yaml",
];

fuzz_target!(|data: &[u8]| devenv_fuzz::read_as_one_of(NAMES, data));

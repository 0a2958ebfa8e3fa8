//! Finds the stage of a file (production, staging, development) by the words of its path.

use std::path::Path;

/// The stage that a file is for. Of several files, those with the least stage win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The path names no stage: a base file, or the only file.
    Unnamed,
    /// The path says production.
    Production,
    /// The path names a stage just before production.
    Staging,
    /// The path names development, tests or reviews.
    Development,
}

const STAGING: &[&str] = &["staging", "stage", "stg", "preprod", "preproduction", "nonprod", "uat"];

const DEVELOPMENT: &[&str] = &[
    "dev",
    "devel",
    "develop",
    "development",
    "test",
    "tests",
    "testing",
    "qa",
    "local",
    "localhost",
    "ci",
    "preview",
    "review",
    "sandbox",
    "e2e",
    "minikube",
];

/// The stage that the words of a path name; the last such word counts.
pub(crate) fn stage(path: &Path) -> Stage {
    let path = path.to_string_lossy().to_ascii_lowercase();
    let words: Vec<&str> = path.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let mut stage = Stage::Unnamed;
    for (at, word) in words.iter().enumerate() {
        let negated = at > 0 && matches!(words[at - 1], "pre" | "non" | "not");
        stage = match *word {
            "prod" | "production" | "prd" if negated => Stage::Staging,
            "prod" | "production" | "prd" => Stage::Production,
            word if STAGING.contains(&word) => Stage::Staging,
            word if DEVELOPMENT.contains(&word) => Stage::Development,
            _ => stage,
        };
    }
    stage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_path_name_its_stage() {
        for (path, wanted) in [
            ("k8s/db.yaml", Stage::Unnamed),
            ("k8s/overlays/production/db.yaml", Stage::Production),
            ("config/deploy.prod.yml", Stage::Production),
            ("terraform/pre-prod/main.tf", Stage::Staging),
            ("dev.tfvars", Stage::Development),
            ("terraform/dev_eu/main.tf", Stage::Development),
            ("k8s/device.yaml", Stage::Unnamed),
            ("k8s/product.yaml", Stage::Unnamed),
        ] {
            assert_eq!(stage(Path::new(path)), wanted, "{path}");
        }
    }
}

//! The digest of each seed, which decides the base that the seed is in.

use super::consent;
use crate::machine::{self, Digests};
use crate::model::{Diagnostic, Exit, Failure, SeedSource, Stack, digest_of_bytes};
use crate::project::{Checkout, Fault};
use std::path::Path;

/// Computes the digest of each seed. The digest, and not the time of any file, decides which base the seed is in. The
/// digest of a command covers all inputs that can be known: its words, the files of the checkout that the words name
/// (including the program), and the files that the command reads. Other inputs depend on the project, so only the
/// worktrees of one project share a base that a command made.
pub(crate) fn hash_seeds(stack: &mut Stack, root: &Path, folder: &Path) -> Result<(), Failure> {
    if stack.services.iter().all(|service| service.seeds.is_empty()) {
        return Ok(());
    }
    let checkout = Checkout::at(root).map_err(|error| unreadable_root(root, &error))?;
    let mut digests = Digests::open(folder);
    let project = machine::git::in_main_worktree(root).unwrap_or_else(|| root.to_owned());
    for seed in stack.services.iter_mut().flat_map(|service| &mut service.seeds) {
        let mut of = |path: &Path| {
            digests.of(&checkout, path).map_err(|fault| {
                let diagnostic = Diagnostic::error("seed-read", format!("cannot read the seed {}", path.display()));
                let diagnostic = diagnostic.at(&seed.origin, "this seed").because(fault.to_string());
                Failure::new(
                    Exit::Failed,
                    diagnostic.help(match fault {
                        Fault::Outside(_) => "copy it into the checkout: devenv does not follow a link out of a clone",
                        _ => "check the file and its permissions",
                    }),
                )
            })
        };
        let parts = match &seed.source {
            SeedSource::File { path, database } => {
                vec!["file".to_owned(), of(path)?, database.clone().unwrap_or_default()]
            }
            SeedSource::Command { command, reads } => {
                let mut parts = vec!["command 2".to_owned(), project.display().to_string(), command.len().to_string()];
                parts.extend(command.iter().cloned());
                let mut files = consent::named_files(root, command);
                files.extend(reads.iter().cloned());
                for path in &files {
                    parts.extend([path.display().to_string(), of(path)?]);
                }
                parts
            }
        };
        seed.digest = digest_of_bytes(parts.join("\0").as_bytes());
    }
    digests.keep();
    Ok(())
}

pub(crate) fn unreadable_root(root: &Path, error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error("folder", format!("cannot read {}", root.display())).because(error.to_string());
    Failure::new(Exit::Failed, diagnostic.help("check the folder and its permissions"))
}

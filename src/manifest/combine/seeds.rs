//! `seeds:` of `services.local.yaml`: the first data of each service.
//!
//! ```yaml
//! seeds:
//!   db:
//!     - seeds/schema.sql                           # .sql, .dump, also compressed
//!     - {file: seeds/shop.dump, database: shop}    # without `database`: the first database
//!     - command: bin/rails db:migrate              # run on the host with the project's variables
//!       reads: [db/migrate, db/schema.rb]          # when these files change, the command runs again
//! ```

use crate::kinds::Kinds;
use crate::manifest::combine::local::no_such_service;
use crate::model::{Diagnostic, Located, Origin, Protocol, Seed, SeedSource, Service, Stack};
use crate::project::{Checkout, Fault};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Node;
use std::path::{Path, PathBuf};

/// Adds the seeds to the stack's services.
pub(crate) fn apply(node: &Node, root: &Path, stack: &mut Stack, kinds: &Kinds, expect: &mut Expect) {
    for entry in expect.map(node, "`seeds`").to_vec() {
        let Some(at) = stack.services.iter().position(|service| service.name == entry.key.value) else {
            expect.diagnostics.push(no_such_service(&entry.key, stack));
            continue;
        };
        let service = &stack.services[at];
        let Some(protocol) = kinds.get(&service.kind).map(|kind| kind.protocol) else { continue };
        let nodes: Vec<Node> = match entry.value.as_sequence() {
            Some(items) => items.to_vec(),
            None => vec![entry.value.clone()],
        };
        let mut seeds = Vec::new();
        for node in &nodes {
            if let Some(source) = read(node, &entry.key, root, expect)
                && let Some(source) = fits(source, &node.origin, service, protocol, expect)
            {
                seeds.push(Seed { origin: node.origin.clone(), source, digest: String::new() });
            }
        }
        if nodes.is_empty() {
            let error = Diagnostic::error("seed-none", format!("`seeds` of `{}` is empty", entry.key.value));
            expect
                .diagnostics
                .push(error.at(&entry.key.origin, "an empty list").help("name a file, or remove the line"));
        }
        stack.services[at].seeds = seeds;
    }
}

fn read(node: &Node, service: &Located<String>, root: &Path, expect: &mut Expect) -> Option<SeedSource> {
    let what = format!("a seed of `{}`", service.value);
    if node.as_mapping().is_none() {
        let path = expect.text(node, &what)?;
        return file(&path, None, root, expect);
    }
    let entries = expect.known(node, &what, &["file", "database", "command", "reads"]);
    let find = |key: &str| entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value);
    match (find("file"), find("command")) {
        (Some(path), None) => {
            let database = find("database").and_then(|node| expect.text(node, "`database` of a seed"));
            if let Some(reads) = find("reads") {
                let error = Diagnostic::error("seed-reads", "a file's own content decides whether it is loaded again");
                expect.diagnostics.push(error.at(&reads.origin, "for commands only").help("remove `reads`"));
            }
            let path = expect.text(path, "`file` of a seed")?;
            file(&path, database.map(|database| database.value), root, expect)
        }
        (None, Some(node)) => {
            if let Some(database) = find("database") {
                let error = Diagnostic::error("seed-database", "a command connects by its variables");
                expect.diagnostics.push(error.at(&database.origin, "for files only").help("remove `database`"));
            }
            let command = match node.as_sequence() {
                Some(_) => expect.texts(node, "`command` of a seed").into_iter().map(|word| word.value).collect(),
                None => vec!["sh".to_owned(), "-c".to_owned(), expect.text(node, "`command` of a seed")?.value],
            };
            let mut reads = Vec::new();
            for path in find("reads").map(|node| expect.texts(node, "`reads` of a seed")).unwrap_or_default() {
                reads.push(existing(&path, root, false, expect)?);
            }
            if command.is_empty() {
                let error =
                    Diagnostic::error("seed-command", "the command has no words").at(&node.origin, "an empty list");
                expect.diagnostics.push(error.help("write it as a text or as a list"));
                return None;
            }
            Some(SeedSource::Command { command, reads })
        }
        _ => {
            let error = Diagnostic::error("seed-form", format!("{what} is a file or a command"));
            let error = error.at(&node.origin, "names neither, or both");
            expect.diagnostics.push(error.help("write a path, `{file: PATH}` or `{command: WORDS}`"));
            None
        }
    }
}

fn file(path: &Located<String>, database: Option<String>, root: &Path, expect: &mut Expect) -> Option<SeedSource> {
    Some(SeedSource::File { path: existing(path, root, true, expect)?, database })
}

/// The path of an existing file, or of an existing file or folder if `is_file` is false.
fn existing(path: &Located<String>, root: &Path, is_file: bool, expect: &mut Expect) -> Option<PathBuf> {
    let found = root.join(&path.value);
    let opened = Checkout::at(root).map_err(Fault::Io).and_then(|checkout| {
        let opened = checkout.open(&found).map(|_| ());
        if is_file { opened } else { opened.or_else(|_| checkout.open_folder(&found).map(|_| ())) }
    });
    let why = match opened {
        Ok(()) => return Some(PathBuf::from(&path.value)),
        Err(Fault::Missing) => format!("looked for at {}", found.display()),
        Err(fault) => {
            let error = Diagnostic::error("seed-refused", format!("the seed `{}` is not read", path.value));
            let error = error.at(&path.origin, "named here").because(fault.to_string());
            expect.diagnostics.push(error.help("name a regular file inside the checkout: copy it there"));
            return None;
        }
    };
    let error = Diagnostic::error("seed-absent", format!("there is no file {}", path.value));
    let error = error.at(&path.origin, why);
    expect.diagnostics.push(error.help("paths are relative to the folder of services.local.yaml"));
    None
}

/// Returns the seed if the service can load a seed of this form; otherwise reports the reason.
fn fits(
    source: SeedSource,
    origin: &Origin,
    service: &Service,
    protocol: Protocol,
    expect: &mut Expect,
) -> Option<SeedSource> {
    let keeps = service.kind != "memcached" && !matches!(protocol, Protocol::Memcached);
    let takes_files = matches!(protocol, Protocol::Postgres | Protocol::Mysql | Protocol::Redis | Protocol::Amqp);
    let has_databases = matches!(protocol, Protocol::Postgres | Protocol::Mysql);
    let (why, help) = match &source {
        _ if !keeps => ("it keeps no data after it stops", "fill it when the app starts"),
        SeedSource::File { .. } if !takes_files => {
            ("devenv cannot load a file into it", "use `{command: …}`, with a client on this machine")
        }
        SeedSource::File { database: Some(_), .. } if !has_databases => {
            ("it has no databases by name", "remove `database`")
        }
        _ => return Some(source),
    };
    let error = Diagnostic::error("seed-kind", format!("`{}` ({}) cannot load this seed", service.name, service.kind));
    expect.diagnostics.push(error.at(origin, "this seed").because(why).help(help));
    None
}

#[cfg(test)]
mod tests {
    use crate::manifest::Reading;
    use crate::manifest::Request;
    use crate::model::{Diagnostic, SeedSource};

    const MANIFEST: &str = "services:\n  db: {kind: postgres, version: \"16\"}\n  mem: {kind: memcached, version: \"1.6\"}\n  cache: {kind: redis, version: \"7.0\"}\n  search: {kind: meilisearch, version: \"1.6\"}\n";

    fn reading(seeds: &str) -> Reading {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("db/migrate")).unwrap();
        for (path, text) in [("services.yaml", MANIFEST), ("services.local.yaml", seeds), ("a.sql", "")] {
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        let request = Request { folder: folder.path().to_path_buf(), folder_is_root: true, ..Request::default() };
        crate::manifest::read(&request).unwrap()
    }

    fn diagnostics(seeds: &str) -> Vec<Diagnostic> {
        reading(seeds).diagnostics
    }

    #[test]
    fn files_and_commands_are_read_in_their_order() {
        let text = "seeds:\n  db:\n    - a.sql\n    - {file: a.sql, database: shop}\n    - {command: make it, reads: [db/migrate]}\n    - {command: [make, it]}\n";
        let reading = reading(text);
        let seeds = &reading.stack.service("db").unwrap().seeds;
        let names: Vec<String> = seeds.iter().map(|seed| seed.source.name()).collect();
        assert_eq!(names, ["a.sql", "a.sql", "make it", "make it"]);
        assert!(matches!(&seeds[1].source, SeedSource::File { database: Some(name), .. } if name == "shop"));
        assert!(matches!(&seeds[2].source, SeedSource::Command { reads, .. } if reads.len() == 1));
        assert_eq!(seeds[2].origin.line, 5);
    }

    #[test]
    fn each_mistake_is_reported_at_its_line_with_help() {
        for (line, code) in [
            ("dbb: [a.sql]", "unknown-service"),
            ("db: [b.sql]", "seed-absent"),
            ("db: []", "seed-none"),
            ("db: [{file: a.sql, command: x}]", "seed-form"),
            ("db: [{database: x}]", "seed-form"),
            ("db: [{file: a.sql, reads: [a.sql]}]", "seed-reads"),
            ("db: [{command: x, database: y}]", "seed-database"),
            ("db: [{command: []}]", "seed-command"),
            ("db: [{command: x, reads: [nowhere]}]", "seed-absent"),
            ("db: [{fil: a.sql}]", "unknown-key"),
            ("mem: [a.sql]", "seed-kind"),
            ("search: [a.sql]", "seed-kind"),
            ("cache: [{file: a.sql, database: x}]", "seed-kind"),
        ] {
            let diagnostics = diagnostics(&format!("seeds:\n  {line}\n"));
            let found = diagnostics.iter().find(|one| one.code == code);
            let found = found.unwrap_or_else(|| panic!("{line}: {diagnostics:?}"));
            assert_eq!(found.origin.as_ref().unwrap().line, 2, "{line}");
            assert!(!found.help.is_empty(), "{line}: {found:?}");
        }
    }
}

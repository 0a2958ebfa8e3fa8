//! What the targets share: a file in a folder of its own, read as `devenv manifest` reads it.

pub mod repository;

use devenv::manifest::{self, Request, Strictness};
use std::cell::RefCell;
use std::fs;
use tempfile::TempDir;

thread_local! {
    static PROJECT: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Writes each file, reads the first one, and does with the reading what the commands do with it.
pub fn read(files: &[(&str, &[u8])]) {
    PROJECT.with_borrow_mut(|project| {
        let project = project.get_or_insert_with(|| TempDir::new().expect("a temporary folder"));
        for (name, bytes) in files {
            let path = project.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        let reading = manifest::read(&Request {
            folder: project.path().to_owned(),
            folder_is_root: true,
            files: vec![files[0].0.into()],
            ..Request::default()
        });
        for (name, _) in files {
            fs::remove_file(project.path().join(name)).expect("the file");
        }
        let Ok(reading) = reading else { return };
        let _ = manifest::json(&reading, &[]);
        let _ = manifest::refusals(&reading.stack, &reading.kinds, Strictness::Usual);
        let _ = manifest::disagreements(&reading.stack.variables);
    });
}

/// The first byte chooses the file's name, and with it the format that is most likely to be tried.
pub fn read_as_one_of(names: &[&str], data: &[u8]) {
    if let Some((first, rest)) = data.split_first() {
        read(&[(names[usize::from(*first) % names.len()], rest)]);
    }
}

use super::*;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

/// A checkout in its own folder, and a file outside of it.
fn checkout() -> (tempfile::TempDir, Checkout) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("checkout");
    fs::create_dir_all(root.join(".git/hooks")).unwrap();
    fs::write(folder.path().join("outside"), "theirs").unwrap();
    let checkout = Checkout::at(&root).unwrap();
    (folder, checkout)
}

fn write(checkout: &Checkout, path: &str, name: FileName) -> Result<(), Fault> {
    let mut file = checkout.replace(Path::new(path), name, Mode::Private)?;
    file.write_all(b"A=1\n").map_err(Fault::Io)?;
    file.finish().map_err(Fault::Io)
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn no_link_of_the_checkout_leads_a_write_out_of_it() {
    let (folder, checkout) = checkout();
    let root = checkout.root().to_path_buf();
    symlink("..", root.join("web")).unwrap();
    symlink("../.bash_login", root.join(".env")).unwrap();
    symlink("../outside", root.join(".env.local")).unwrap();
    for path in ["web/.env", ".env", ".env.local", "../.env", "/tmp/.env"] {
        for name in [FileName::EnvFile, FileName::Same] {
            assert!(matches!(write(&checkout, path, name), Err(Fault::Outside(_))), "{path}");
        }
    }
    // This also holds if the user names the path: the link came with the clone.
    for path in ["web/.env", ".env"] {
        assert!(matches!(write(&checkout, path, FileName::Asked), Err(Fault::Outside(_))), "{path}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "theirs");
    let mut names = names_in(folder.path());
    names.sort();
    assert_eq!(names, ["checkout", "outside"]);
}

#[test]
fn a_link_inside_the_checkout_stays_one_and_leads_to_no_file_of_another_purpose() {
    let (_folder, checkout) = checkout();
    let root = checkout.root().to_path_buf();
    fs::create_dir(root.join("config")).unwrap();
    fs::write(root.join("conftest.py"), "").unwrap();
    symlink("config/.env.web", root.join(".env")).unwrap();
    write(&checkout, ".env", FileName::EnvFile).unwrap();
    assert!(root.join(".env").is_symlink());
    assert_eq!(fs::read_to_string(root.join("config/.env.web")).unwrap(), "A=1\n");
    assert!(matches!(write(&checkout, ".env", FileName::Same), Err(Fault::OtherPurpose(_))));
    for (at, target) in ["conftest.py", ".envrc", ".npmrc", "config/.env/x"].into_iter().enumerate() {
        symlink(target, root.join(format!(".env.{at}"))).unwrap();
        let refused = write(&checkout, &format!(".env.{at}"), FileName::EnvFile);
        assert!(matches!(refused, Err(Fault::OtherPurpose(_) | Fault::Missing)), "{target}: {refused:?}");
    }
    for name in ["conftest.py", ".envrc", ".env.", ".environment", "env", "web/../Makefile"] {
        assert!(matches!(write(&checkout, name, FileName::EnvFile), Err(Fault::OtherPurpose(_))), "{name}");
    }
}

#[test]
fn nothing_in_git_s_own_folder_is_written() {
    let (_folder, checkout) = checkout();
    let root = checkout.root().to_path_buf();
    symlink(".git/hooks", root.join("hooks")).unwrap();
    symlink(".git/x.env", root.join("x.env")).unwrap();
    fs::create_dir(root.join(".GIT")).unwrap();
    for path in [".git/.env", ".git/hooks/.env", "hooks/.env", "x.env", ".GIT/.env"] {
        for name in [FileName::EnvFile, FileName::Asked] {
            assert!(matches!(write(&checkout, path, name), Err(Fault::Git)), "{path}");
        }
    }
}

#[test]
fn a_file_that_is_swapped_for_a_link_during_the_write_leads_nowhere_else() {
    let (folder, checkout) = checkout();
    let root = checkout.root().to_path_buf();
    fs::create_dir(root.join("web")).unwrap();
    fs::write(root.join("web/.env"), "old").unwrap();
    let mut file = checkout.replace(Path::new("web/.env"), FileName::EnvFile, Mode::Private).unwrap();
    file.write_all(b"A=1\n").unwrap();
    // The file becomes a link, and then its folder.
    fs::remove_file(root.join("web/.env")).unwrap();
    symlink("../../outside", root.join("web/.env")).unwrap();
    fs::rename(root.join("web"), root.join("was")).unwrap();
    symlink("..", root.join("web")).unwrap();
    file.finish().unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(root.join("was/.env")).unwrap(), "A=1\n");
    assert!(!folder.path().join(".env").exists());
    assert_eq!(names_in(&root.join("was")), [".env"]);
}

#[test]
fn a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else() {
    let (_folder, checkout) = checkout();
    let root = checkout.root().join("web");
    fs::create_dir(&root).unwrap();
    fs::write(root.join(".env"), "old").unwrap();
    let mut file = checkout.replace(Path::new("web/.env"), FileName::EnvFile, Mode::Private).unwrap();
    file.write_all(b"A=").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(root.join(".env")).unwrap(), "old");
    assert_eq!(names_in(&root), [".env"]);
}

#[test]
fn only_regular_files_that_may_be_written_are_replaced() {
    let (_folder, checkout) = checkout();
    let root = checkout.root().to_path_buf();
    fs::create_dir(root.join(".env")).unwrap();
    assert!(matches!(write(&checkout, ".env", FileName::EnvFile), Err(Fault::Folder)));
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, root.join("a.env"), fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert!(matches!(write(&checkout, "a.env", FileName::EnvFile), Err(Fault::NotRegular)));
    fs::write(root.join("b.env"), "").unwrap();
    fs::set_permissions(root.join("b.env"), PermissionsExt::from_mode(0o444)).unwrap();
    assert!(matches!(write(&checkout, "b.env", FileName::EnvFile), Err(Fault::ReadOnly)));
    assert!(matches!(write(&checkout, "missing/.env", FileName::EnvFile), Err(Fault::Missing)));
}

#[test]
fn a_file_of_secrets_is_its_user_s_alone_and_another_keeps_its_mode() {
    let (_folder, checkout) = checkout();
    let mode = |name: &str| fs::metadata(checkout.root().join(name)).unwrap().mode() & 0o777;
    for name in [".env", "services.lock"] {
        fs::write(checkout.root().join(name), "").unwrap();
        fs::set_permissions(checkout.root().join(name), PermissionsExt::from_mode(0o664)).unwrap();
    }
    write(&checkout, ".env", FileName::EnvFile).unwrap();
    checkout.replace(Path::new("services.lock"), FileName::Same, Mode::Kept).unwrap().finish().unwrap();
    assert_eq!((mode(".env"), mode("services.lock")), (0o600, 0o664));
}

#[test]
fn a_file_that_the_user_names_outside_the_checkout_is_written_there() {
    let (folder, checkout) = checkout();
    let path = folder.path().join("mine");
    symlink("outside", &path).unwrap();
    write(&checkout, path.to_str().unwrap(), FileName::Asked).unwrap();
    assert!(path.is_symlink());
    assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "A=1\n");
    // The same folder by another path is still the checkout.
    symlink("checkout", folder.path().join("alias")).unwrap();
    symlink("../outside", checkout.root().join(".env")).unwrap();
    let alias = folder.path().join("alias/.env");
    assert!(matches!(write(&checkout, alias.to_str().unwrap(), FileName::Asked), Err(Fault::Outside(_))));
}

#[test]
fn a_file_that_root_writes_belongs_to_the_old_file_s_owner_or_the_folder_s() {
    if !rustix::process::geteuid().is_root() {
        // A user other than root writes files as their owner, so there is no owner to keep.
        let (_folder, checkout) = checkout();
        write(&checkout, ".env", FileName::EnvFile).unwrap();
        let owner = fs::metadata(checkout.root().join(".env")).unwrap().uid();
        assert_eq!(owner, rustix::process::geteuid().as_raw());
        return;
    }
    let (_folder, checkout) = checkout();
    let owner = |name: &str| {
        let found = fs::metadata(checkout.root().join(name)).unwrap();
        (found.uid(), found.gid())
    };
    std::os::unix::fs::chown(checkout.root(), Some(1234), Some(2345)).unwrap();
    fs::write(checkout.root().join("old.env"), "").unwrap();
    std::os::unix::fs::chown(checkout.root().join("old.env"), Some(1235), Some(2346)).unwrap();
    for name in [".env", "old.env"] {
        write(&checkout, name, FileName::EnvFile).unwrap();
    }
    assert_eq!(owner(".env"), (1234, 2345));
    assert_eq!(owner("old.env"), (1235, 2346));
}

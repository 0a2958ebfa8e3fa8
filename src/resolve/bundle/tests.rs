//! Bundles as engines write them, and as no program should.

use super::*;
use std::io::Cursor;
use tar::{Archive, EntryType};

struct Made {
    index: String,
    manifest: String,
    config: String,
    layer: Vec<u8>,
    names: &'static str,
}

fn made() -> Made {
    let layer = b"the layer's bytes".to_vec();
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{}},"rootfs":{{"diff_ids":["{}"]}}}}"#,
        digest_of_bytes(&layer)
    );
    let manifest = format!(
        r#"{{"config":{{"digest":"{}"}},"layers":[{{"digest":"sha256:packed"}}]}}"#,
        digest_of_bytes(config.as_bytes())
    );
    let index = format!(
        r#"{{"manifests":[{{"digest":"{}","platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        digest_of_bytes(manifest.as_bytes())
    );
    Made { index, manifest, config, layer, names: "null" }
}

fn head(made: &Made) -> Head {
    let digest = digest_of_bytes(made.index.as_bytes());
    let bundled = Bundled {
        service: "db".into(),
        image: "docker.io/library/postgres:16".into(),
        digest: digest.clone(),
        platform: "linux/amd64".into(),
    };
    let documents =
        [&made.index, &made.manifest].map(|text| (digest_of_bytes(text.as_bytes()), text.clone().into_bytes()));
    Head::new(vec![bundled], documents.into())
}

/// As engines save images: a folder for each layer, one of them a link to another layer.
fn archive(head: &Head, made: &Made) -> Vec<u8> {
    let mut bytes = head.entry().unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content).unwrap();
    };
    add("aa/layer.tar", &made.layer);
    add("config.json", made.config.as_bytes());
    let list = format!(r#"[{{"Config":"config.json","RepoTags":{},"Layers":["bb/layer.tar"]}}]"#, made.names);
    add("manifest.json", list.as_bytes());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "bb/layer.tar", "../aa/layer.tar").unwrap();
    bytes.extend(archive.into_inner().unwrap());
    bytes
}

fn why(head: &Head, made: &Made) -> String {
    let diagnostics = read(archive(head, made).as_slice()).unwrap().prove().unwrap_err();
    assert!(diagnostics[0].message.contains("db") && !diagnostics[0].help.is_empty());
    diagnostics[0].notes.join(" ")
}

#[test]
fn a_saved_image_is_verified_from_the_locked_digest_to_the_last_layer() {
    let made = made();
    let head = head(&made);
    let bytes = archive(&head, &made);
    let contents = read(bytes.as_slice()).unwrap();
    assert_eq!(contents.head, head);
    let proven = contents.prove().unwrap();
    assert_eq!(proven[0].config, digest_of_bytes(made.config.as_bytes()));
}

#[test]
fn every_broken_link_of_the_chain_is_reported() {
    let good = made();
    let head = head(&good);
    let layer = Made { layer: b"other bytes".to_vec(), ..made() };
    let reason = why(&head, &layer);
    assert!(
        reason.contains(&digest_of_bytes(&layer.layer)) && reason.contains(&digest_of_bytes(&good.layer)),
        "{reason}"
    );

    let config = Made { config: good.config.replace("amd64", "arm64"), ..made() };
    assert!(why(&head, &config).contains("nothing with the digest"));

    // A document counts as its actual bytes, not as the digest in its name.
    let mut forged = head.clone();
    let digest = forged.images[0].digest.clone();
    forged.documents.insert(digest.clone(), good.index.replace("linux", "other"));
    assert!(why(&forged, &good).contains(&digest));

    let mut elsewhere = head.clone();
    elsewhere.images[0].platform = "linux/s390x".into();
    assert!(why(&elsewhere, &good).contains("nothing for linux/s390x"));
}

#[test]
fn an_archive_that_lists_more_than_the_verified_images_is_refused() {
    let made = made();
    let mut nothing = head(&made);
    nothing.images.clear();
    let diagnostics = read(archive(&nothing, &made).as_slice()).unwrap().prove().unwrap_err();
    assert_eq!(diagnostics[0].code, "bundle-more");
    assert!(diagnostics[0].notes[0].contains(&digest_of_bytes(made.config.as_bytes())), "{diagnostics:?}");
    // A name that would be taken away from another image.
    let made = Made { names: r#"["a:1"]"#, ..made };
    let diagnostics = read(archive(&head(&made), &made).as_slice()).unwrap().prove().unwrap_err();
    assert_eq!((diagnostics[0].code, diagnostics[0].notes[0].as_str()), ("bundle-more", "a:1"));
}

#[test]
fn an_image_that_was_made_on_an_engine_is_proven_by_its_id() {
    let made = made();
    let mut head = head(&made);
    head.images[0].digest = digest_of_bytes(made.config.as_bytes());
    head.documents.clear();
    assert!(read(archive(&head, &made).as_slice()).unwrap().prove().is_ok());
}

#[test]
fn a_file_that_is_not_a_bundle_is_refused_at_its_beginning() {
    for bytes in [&b""[..], b"text", &[0; 1024]] {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(2);
    archive.append_data(&mut header, "manifest.json", &b"[]"[..]).unwrap();
    let error = read(archive.into_inner().unwrap().as_slice()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let made = made();
    let whole = super::tests::archive(&head(&made), &made);
    assert!(read(&whole[..whole.len() - 1600]).is_err(), "cut short");
    assert!(read(&whole[..whole.len() - 1024]).is_err(), "without its end");
}

/// The archive that the engine gets for a bundle: each entry's path and content.
fn given(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let contents = read(bytes).unwrap();
    let proven = contents.prove().unwrap();
    let mut clean = Vec::new();
    CleanArchive::new(Cursor::new(bytes), &contents, &proven).unwrap().read_to_end(&mut clean).unwrap();
    let mut archive = Archive::new(clean.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        assert_eq!(entry.header().entry_type(), EntryType::Regular);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), content)
    });
    entries.collect()
}

#[test]
fn an_engine_gets_an_archive_of_the_verified_parts_only() {
    let made = made();
    let mut bytes = archive(&head(&made), &made);
    bytes.truncate(bytes.len() - 1024);
    // Names, and another image's configuration and layer: no list contains them.
    bytes.extend(entry("repositories", EntryType::Regular, br#"{"postgres":{"16":"x"}}"#));
    bytes.extend(entry("smuggled.json", EntryType::Regular, b"{}"));
    bytes.extend(entry("folder/", EntryType::Directory, b""));
    bytes.extend([0; 10240]);
    let (config, layer) = (digest_of_bytes(made.config.as_bytes()), digest_of_bytes(&made.layer));
    let (config, layer) = (format!("{}.json", &config[7..]), format!("{}.tar", &layer[7..]));
    let list = format!(r#"[{{"Config":"{config}","RepoTags":null,"Layers":["{layer}"]}}]"#);
    let expected =
        [(config, made.config.into_bytes()), (layer, made.layer), ("manifest.json".into(), list.into_bytes())];
    assert_eq!(given(&bytes), expected);
}

#[test]
fn a_file_that_is_changed_after_it_was_proven_ends_the_loading() {
    let made = made();
    let bytes = archive(&head(&made), &made);
    let contents = read(bytes.as_slice()).unwrap();
    let proven = contents.prove().unwrap();
    let at = bytes.windows(made.layer.len()).position(|part| part == made.layer).unwrap();
    let mut other = bytes.clone();
    other[at] ^= 1;
    for changed in [other, bytes[..at + 3].to_vec()] {
        let mut got = Vec::new();
        let mut clean = CleanArchive::new(Cursor::new(changed), &contents, &proven).unwrap();
        let error = clean.read_to_end(&mut got).unwrap_err();
        assert_eq!(error.to_string(), "the file was changed while it was loaded");
        assert!(!got.windows(13).any(|part| part == b"manifest.json"), "the list of images is not given");
    }
}

/// One entry as it is in an archive, of any type.
fn entry(path: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn link(path: &str, kind: EntryType, target: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path(path).unwrap();
    header.as_gnu_mut().unwrap().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn records(records: &[(&str, &str)]) -> Vec<u8> {
    let line = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length =
            (1..4).map(|digits| rest.len() + digits).find(|length| length.to_string().len() + rest.len() == *length);
        format!("{}{rest}", length.unwrap())
    };
    records.iter().flat_map(|(key, value)| line(key, value).into_bytes()).collect()
}

/// Entries that two programs read differently: behind them could be an image that was not verified.
#[test]
fn entries_that_could_be_read_in_two_ways_are_refused() {
    let made = made();
    let file = |path: &str| entry(path, EntryType::Regular, b"{}");
    let with_records = |said: &[(&str, &str)], kind: EntryType| {
        [entry("PaxHeaders/x", kind, &records(said)), file("harmless")].concat()
    };
    let mut broken = file("broken");
    broken[0] ^= 1;
    let cases: [(&str, Vec<u8>); 20] = [
        (
            "a sparse name",
            with_records(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "manifest.json")], EntryType::XHeader),
        ),
        ("a sparse name alone", with_records(&[("GNU.sparse.name", "manifest.json")], EntryType::XHeader)),
        ("a path", with_records(&[("path", "manifest.json")], EntryType::XHeader)),
        ("a target", with_records(&[("linkpath", "manifest.json")], EntryType::XHeader)),
        ("a size twice", with_records(&[("size", "2"), ("size", "1024")], EntryType::XHeader)),
        ("a size that is none", with_records(&[("size", "-1")], EntryType::XHeader)),
        ("records for all that follow", with_records(&[("path", "manifest.json")], EntryType::XGlobalHeader)),
        ("records that make no sense", [entry("x", EntryType::XHeader, b"99 path=x\n"), file("harmless")].concat()),
        ("a header without end", entry("x", EntryType::XHeader, &vec![b'1'; 70_000])),
        (
            "a long name",
            [entry("././@LongLink", EntryType::GNULongName, b"manifest.json\0"), file("harmless")].concat(),
        ),
        (
            "a long target",
            [entry("././@LongLink", EntryType::GNULongLink, b"manifest.json\0"), file("harmless")].concat(),
        ),
        ("a sparse file", entry("sparse", EntryType::GNUSparse, b"x")),
        ("a device", entry("device", EntryType::Char, b"")),
        ("a name twice", [file("twice"), file("twice")].concat()),
        ("a name twice, in another way", [file("twice"), file("./twice")].concat()),
        ("an absolute name", file("/manifest.json")),
        ("a name that leads out", file("a/../../manifest.json")),
        ("a link that leads out", link("a/b", EntryType::Symlink, "../../../etc/passwd")),
        ("an absolute link", link("a", EntryType::Link, "/etc/passwd")),
        ("a broken sum", broken),
    ];
    let mut whole = archive(&head(&made), &made);
    whole.truncate(whole.len() - 1024);
    for (what, case) in cases {
        for bytes in [[&whole[..], &case, &[0; 1024]].concat(), [case.clone(), whole.clone()].concat()] {
            let error = read(bytes.as_slice()).expect_err(what);
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{what}: {error}");
        }
    }
    let behind = [&archive(&head(&made), &made)[..], &file("manifest.json"), &[0; 1024]].concat();
    assert!(read(behind.as_slice()).unwrap_err().to_string().contains("follows its end"));
    let packed = [b"\x1f\x8b\x08\0", whole.as_slice()].concat();
    assert!(read(packed.as_slice()).is_err(), "gzip");
}

#[test]
fn records_that_engines_write_are_read() {
    let made = made();
    let mut bytes = head(&made).entry().unwrap();
    let list = r#"[{"Config":"c","RepoTags":null,"Layers":["l"]}]"#;
    bytes.extend(entry("x", EntryType::XHeader, &records(&[("mtime", "1.5"), ("uname", "root")])));
    bytes.extend(entry("c", EntryType::Regular, made.config.as_bytes()));
    // The size of a large layer is in a record, and the header has no size of its own.
    bytes.extend(entry("x", EntryType::XHeader, &records(&[("size", &made.layer.len().to_string())])));
    let mut layer = entry("l", EntryType::Regular, b"");
    layer.extend(&made.layer);
    layer.resize(layer.len().next_multiple_of(512), 0);
    bytes.extend(layer);
    bytes.extend(entry("manifest.json", EntryType::Regular, list.as_bytes()));
    bytes.extend([0; 1024]);
    assert_eq!(given(&bytes).len(), 3);
}

#[test]
fn more_than_any_images_have_is_not_held_in_memory() {
    let mut bytes = head(&made()).entry().unwrap();
    let document = entry("d", EntryType::Regular, &[b"{".to_vec(), vec![b' '; 3 * 1024 * 1024]].concat());
    for number in 0..22 {
        let mut one = document.clone();
        let mut header = Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&one[..512]);
        header.set_path(format!("d{number}")).unwrap();
        header.set_cksum();
        one[..512].copy_from_slice(header.as_bytes());
        bytes.extend(one);
    }
    bytes.extend([0; 1024]);
    assert!(read(bytes.as_slice()).unwrap_err().to_string().contains("more documents"));
}

//! Lists the kinds' files, so that adding a kind is adding a file; as JSON, since every command reads all of
//! them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new("templates/kinds");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let path = file.display().to_string();
        let kind: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(&file)?)
            .map_err(|error| io::Error::other(format!("{path}: {error}")))?;
        writeln!(table, "    ({path:?}, {:?}),", kind.to_string()).map_err(io::Error::other)?;
    }
    table.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("kinds.rs"), table)
}

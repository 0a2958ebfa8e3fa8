//! Platforms whose files declare no backing service: Fly and Railway. They are recognised, so that devenv can say so.

use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Origin, Source, Stack};

/// Fly's entry in the table.
pub(crate) const FLY: Dialect = Dialect {
    name: "fly",
    title: "Fly",
    places: Places::Files(&["fly.toml"]),
    syntax: Syntax::Text,
    marks: &[],
    recognises: is_fly,
    read: read_fly,
};

/// Railway's entry in the table.
pub(crate) const RAILWAY: Dialect = Dialect {
    name: "railway",
    title: "Railway",
    places: Places::Files(&["railway.{toml,json}"]),
    syntax: Syntax::Text,
    marks: &[],
    recognises: is_railway,
    read: read_railway,
};

fn file_name(file: &ManifestFile) -> &str {
    file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a line of the text begins with one of these starts, after spaces.
fn has_line(file: &ManifestFile, starts: &[&str]) -> bool {
    file.source.text.lines().any(|line| starts.iter().any(|start| line.trim_start().starts_with(start)))
}

fn is_fly(file: &ManifestFile) -> bool {
    let path = &file.source.path;
    let is_named = file_name(file).starts_with("fly.") && path.extension().is_some_and(|ending| ending == "toml");
    is_named
        && has_line(
            file,
            &[
                "app ",
                "app=",
                "[http_service]",
                "[[services]]",
                "[build]",
                "[env]",
                "primary_region",
                "[[vm]]",
                "[mounts]",
                "[processes]",
                "[deploy]",
            ],
        )
}

fn is_railway(file: &ManifestFile) -> bool {
    match file_name(file) {
        "railway.toml" => has_line(file, &["[build", "[deploy", "[environments", "[[services"]),
        "railway.json" => ["\"build\"", "\"deploy\"", "railway.com/", "railway.app/"]
            .iter()
            .any(|word| file.source.text.contains(word)),
        _ => false,
    }
}

fn read_fly(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let why = "Fly's databases are separate apps or extensions, which `fly` attaches";
    read(input, &FLY, why)
}

fn read_railway(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    read(input, &RAILWAY, "Railway keeps a project's databases in its dashboard")
}

fn read(input: &Input<'_>, dialect: &Dialect, why: &str) -> (Stack, Vec<Diagnostic>) {
    let mut stack = Stack::default();
    let mut diagnostics = Vec::new();
    for file in input.files {
        let path = file.source.path.clone();
        let shown = path.display().to_string();
        stack.sources.push(Source { path, format: dialect.name, title: dialect.title });
        let origin = Origin::start_of(&file.source);
        App { name: name_of(file), image: None, note: String::new(), origin: origin.clone() }
            .add_to(&mut stack.apps, &input.project.budget);
        diagnostics.push(
            Diagnostic::note("no-services", format!("`{shown}` declares no backing service"))
                .because(why)
                .because("the variables that it gives its apps are not read")
                .help("say which services production runs in a services.yaml (`devenv init`)"),
        );
    }
    (stack, diagnostics)
}

/// The app's name, if a line assigns it as a plain text.
fn name_of(file: &ManifestFile) -> String {
    let said = file.source.text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        let is_name = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        (key.trim() == "app" && is_name).then(|| value.to_owned())
    });
    said.unwrap_or_else(|| "app".to_owned())
}

//! The languages and tools that an image of a Dockerfile contains, with their versions.

use crate::model::{ImageRef, Requirement, Tool};

/// The last part of an image's name, and the tool whose version its tag begins with.
const IMAGES: &[(&str, &str)] = &[
    ("amazoncorretto", "java"),
    ("aspnet", "dotnet"),
    ("bun", "bun"),
    ("composer", "composer"),
    ("deno", "deno"),
    ("eclipse-temurin", "java"),
    ("elixir", "elixir"),
    ("erlang", "erlang"),
    ("golang", "go"),
    ("ibm-semeru-runtimes", "java"),
    ("java", "java"),
    ("node", "node"),
    ("nodejs", "node"),
    ("openjdk", "java"),
    ("php", "php"),
    ("php-fpm", "php"),
    ("python", "python"),
    ("ruby", "ruby"),
    ("runtime", "dotnet"),
    ("rust", "rust"),
    ("sapmachine", "java"),
    ("sdk", "dotnet"),
    ("uv", "uv"),
    ("zulu-openjdk", "java"),
];

/// Words before a version in a tag (`1-php8.3`, `8.7-jdk17`, `1.16.1-erlang-26.2`) or in the last part of a name
/// (`nodejs20-debian12`, `openjdk-17`).
const WORDS: &[(&str, &str)] = &[
    ("corretto", "java"),
    ("erlang", "erlang"),
    ("golang", "go"),
    ("java", "java"),
    ("jdk", "java"),
    ("node", "node"),
    ("nodejs", "node"),
    ("openjdk", "java"),
    ("otp", "erlang"),
    ("php", "php"),
    ("python", "python"),
    ("ruby", "ruby"),
    ("temurin", "java"),
];

/// Node's releases with long-term support, by their names (nodejs/Release, `CODENAMES.md`).
const NODE_NAMES: &[(&str, &str)] = &[
    ("erbium", "12"),
    ("fermium", "14"),
    ("gallium", "16"),
    ("hydrogen", "18"),
    ("iron", "20"),
    ("jod", "22"),
    ("krypton", "24"),
];

/// The tools that an image contains, if its name and tag determine their versions.
pub(super) fn tools_of(image: &str) -> Vec<(&'static Tool, Requirement)> {
    let Ok(image) = ImageRef::parse(image) else { return Vec::new() };
    let name = image.repository.rsplit('/').next().unwrap_or_default();
    let tag = image.tag.as_deref().unwrap_or_default();
    let is_dotnet = image.registry == "mcr.microsoft.com" && image.repository.starts_with("dotnet/");
    // Kubernetes in Docker has an image that is called `node` too.
    let known = IMAGES.iter().filter(|_| !image.repository.starts_with("kindest/"));
    let known = known.into_iter().find(|(known, tool)| *known == name && (*tool != "dotnet" || is_dotnet));
    let mut found: Vec<(&'static str, String)> = Vec::new();
    if let Some((_, tool)) = known {
        let first = tag.split('-').next().unwrap_or_default();
        let version = if *tool == "node" { node_version(first) } else { first };
        // Microsoft's images have the version of the runtime, but the command has the version of the SDK. Their third
        // numbers differ.
        let parts = if *tool == "dotnet" { 2 } else { usize::MAX };
        found.push((tool, version.split('.').take(parts).collect::<Vec<_>>().join(".")));
    } else {
        found.extend(words(name).map(|(tool, version)| (tool, dotted(tool, version))));
    }
    found.extend(words(tag).map(|(tool, version)| (tool, version.to_owned())));
    let mut tools: Vec<(&'static Tool, Requirement)> = Vec::new();
    for (name, version) in found {
        let Some(tool) = Tool::named_so(name) else { continue };
        if let Some(wanted) = release(tool, &version)
            && !tools.iter().any(|(known, _)| known.name == tool.name)
        {
            tools.push((tool, wanted));
        }
    }
    tools
}

/// The release that a name of Node means: `lts/iron` and `iron` are 20. Any other text is returned unchanged.
pub(super) fn node_version(text: &str) -> &str {
    let name = text.strip_prefix("lts/").unwrap_or(text);
    NODE_NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map_or(text, |(_, version)| version)
}

/// The release whose number a text begins with, shown as its number only.
fn release(tool: &'static Tool, text: &str) -> Option<Requirement> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    tool.release(text[..end].trim_end_matches('.'))
}

/// Each known word of a name or tag, with the version that follows directly or after a dash.
fn words(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let starts_with_digit = |text: &&str| text.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let find = move |at: usize| {
        let part = *parts.get(at)?;
        WORDS.iter().find_map(|(word, tool)| {
            let rest = part.strip_prefix(word)?;
            let version = if rest.is_empty() { parts.get(at + 1).copied() } else { Some(rest) };
            version.filter(starts_with_digit).map(|version| (*tool, version))
        })
    };
    (0..text.split('-').count()).filter_map(find)
}

/// The version with a dot. Red Hat writes Python 3.11 as `python-311`, because a name has no dot.
fn dotted(tool: &str, version: &str) -> String {
    let has_minor = matches!(tool, "python" | "php" | "ruby") && version.len() > 1;
    if !has_minor || version.contains('.') || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return version.to_owned();
    }
    let (major, minor) = version.split_at(1);
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_say_languages_and_versions() {
        for (image, wanted) in [
            ("python:3.12.4-slim-bookworm", "python 3.12.4"),
            ("docker.io/library/ruby:3.3.0-slim", "ruby 3.3.0"),
            ("public.ecr.aws/lambda/python:3.12", "python 3.12"),
            ("registry.example.com/base/node:20-alpine", "node 20"),
            ("node:iron-slim", "node 20"),
            ("golang:1.22", "go 1.22"),
            ("rust:1.80-slim", "rust 1.80"),
            ("php:8.3-fpm-alpine", "php 8.3"),
            ("eclipse-temurin:17.0.8_7-jre-alpine", "java 17.0.8"),
            ("openjdk:8u292-jdk", "java 8"),
            ("maven:3.9.6-eclipse-temurin-17-alpine", "java 17"),
            ("gradle:8.7-jdk17", "java 17"),
            ("elixir:1.16-otp-26", "elixir 1.16, erlang 26"),
            ("hexpm/elixir:1.16.1-erlang-26.2.1-debian-bookworm-20240130-slim", "elixir 1.16.1, erlang 26.2.1"),
            ("dunglas/frankenphp:1-php8.3-alpine", "php 8.3"),
            ("ghcr.io/astral-sh/uv:0.5.1-python3.12-bookworm", "uv 0.5.1, python 3.12"),
            ("tiangolo/uvicorn-gunicorn-fastapi:python3.11", "python 3.11"),
            ("gcr.io/distroless/nodejs20-debian12", "node 20"),
            ("gcr.io/distroless/java17-debian12:nonroot", "java 17"),
            ("registry.access.redhat.com/ubi9/python-311:latest", "python 3.11"),
            ("mcr.microsoft.com/dotnet/aspnet:8.0.4-alpine", "dotnet 8.0"),
            ("oven/bun:1.1.8", "bun 1.1.8"),
        ] {
            let found = tools_of(image);
            let found: Vec<String> =
                found.iter().map(|(tool, wanted)| format!("{} {}", tool.name, wanted.text)).collect();
            assert_eq!(found.join(", "), wanted, "{image}");
        }
    }

    #[test]
    fn an_image_without_a_version_names_no_tool() {
        for image in [
            "node",
            "node:lts-alpine",
            "node:current",
            "python:slim",
            "golang:alpine",
            "alpine:3.20",
            "debian:bookworm",
            "gcr.io/distroless/python3-debian12",
            "kindest/node:v1.29.2",
            "acme/sdk:2.1",
            "redis:7.2",
            "scratch",
            "nginx:1.27-alpine",
            "ghcr.io/astral-sh/uv:latest",
            "Not An Image",
            "acme/python-worker:1.2",
        ] {
            let found: Vec<&str> = tools_of(image).iter().map(|(tool, _)| tool.name).collect();
            let is_python_3 = image.contains("python3-debian12");
            assert_eq!(found, if is_python_3 { vec!["python"] } else { vec![] }, "{image}");
        }
    }
}

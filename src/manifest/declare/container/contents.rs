//! The mounts of a backing service: its data, files for its first start, its configuration.

use super::backing::Backing;
use super::mount::{Mount, MountSource};
use super::settings::REPEATED;
use crate::model::{Diagnostic, InitFile, Located, Support};
use crate::project::Resource;
use std::collections::HashSet;

impl Backing<'_> {
    pub(super) fn read_mounts(&mut self, named_files: &[String]) {
        // Settings of the command line have precedence over settings in files, so those in files come first.
        let from_command = std::mem::take(&mut self.service.settings);
        let definitions = self.definition_paths(named_files);
        for mount in self.container.mounts.clone() {
            let is_definitions = Self::is_definitions(&mount, &definitions);
            if matches!(mount.source, MountSource::Secret(..)) && !is_definitions {
                let used = Support::Reproduced;
                self.keys.add_neutral(
                    format!("{}.{}", self.container.field_names.secrets, mount.target),
                    used,
                    "read by its name, never its content",
                );
                continue;
            }
            let key = format!("{}.{}", self.container.field_names.mounts, mount.target);
            if self.is_data(&mount.target) {
                let note = match mount.source {
                    MountSource::Host(_) => "a volume of the environment replaces the host's folder",
                    _ => "a volume of the environment",
                };
                self.keys.add_neutral(key, Support::Reproduced, note);
            } else if self.is_init(&mount.target) {
                self.init_files(&mount, &key);
            } else if self.is_setting_file(&mount, named_files) {
                self.setting_files(&mount, &key);
                if is_definitions {
                    self.definitions(&mount, &key, &definitions);
                }
            } else if is_definitions {
                self.definitions(&mount, &key, &definitions);
            } else if mount.target.ends_with("/enabled_plugins") {
                match mount.files(self.project) {
                    Ok(files) => {
                        for file in files {
                            self.plugins(&String::from_utf8_lossy(&file.content), &mount.origin);
                        }
                        self.keys.add_neutral(key, Support::Reproduced, "");
                    }
                    Err(message) => self.unreadable(message, key),
                }
            } else {
                match mount.source {
                    MountSource::Host(_)
                        if mount.target.starts_with("/etc/localtime") || mount.target.starts_with("/etc/timezone") =>
                    {
                        self.keys.add_neutral(key, Support::Unsupported, "a manifest cannot mount a host path here");
                    }
                    MountSource::Host(_) => {
                        self.keys.add(key, Support::Unsupported, "a manifest cannot mount a host path here");
                    }
                    MountSource::Temporary => {
                        self.keys.add_neutral(key, Support::Unsupported, "it is in the container's own file system");
                    }
                    MountSource::Volume => {
                        self.keys.add_neutral(key, Support::Unsupported, "only the server's data folder is kept");
                    }
                    _ => {
                        self.keys.add(
                            key,
                            Support::Unsupported,
                            "the meaning of this file for the server is not known here",
                        );
                    }
                }
            }
        }
        self.mark_definition_settings();
        for setting in from_command {
            if !REPEATED.contains(&setting.name.as_str()) {
                self.service.settings.retain(|known| known.name != setting.name);
            }
            self.service.settings.push(setting);
        }
    }

    pub(super) fn is_data(&self, target: &str) -> bool {
        let contains = |outer: &str, inner: &str| {
            inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        self.family.data.iter().any(|(_, folder)| contains(target, folder) || contains(folder, target)) && target != "/"
    }

    pub(super) fn is_init(&self, target: &str) -> bool {
        self.family.init_folder.as_deref().is_some_and(|folder| {
            target == folder || target.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    pub(super) fn is_setting_file(&self, mount: &Mount, named: &[String]) -> bool {
        let name = mount.target.rsplit('/').next().unwrap_or_default();
        let is_named =
            named.iter().any(|file| *file == mount.target || file.starts_with(&format!("{}/", mount.target)));
        // `/etc/mysql/conf.d`, and any file in that folder.
        let is_fragments =
            |folder: &str| folder.starts_with("/etc/") && folder.rsplit_once('.').is_some_and(|(_, end)| end == "d");
        let is_fragment = || {
            let (folder, name) = mount.target.rsplit_once('/').unwrap_or_default();
            is_fragments(folder) && [".conf", ".cnf"].iter().any(|end| name.ends_with(end))
        };
        let is_folder = is_fragments(&mount.target) || is_fragment();
        is_named
            || self.kind.setting_files.iter().any(|known| known == name)
            || (is_folder && !self.kind.setting_files.is_empty())
            || self.is_setting_folder(mount)
    }

    /// Whether the mount is the whole folder of the server's configuration, with a configuration in it.
    fn is_setting_folder(&self, mount: &Mount) -> bool {
        let MountSource::Host(path) = &mount.source else { return false };
        let is_server_s = self.family.files.iter().any(|file| file.path.starts_with(&format!("{}/", mount.target)));
        let holds = |name: &String| self.kind.setting_files.contains(name);
        is_server_s
            && self.project.is_folder(path)
            && self.project.list(path).is_ok_and(|names| names.iter().any(holds))
    }

    pub(super) fn init_files(&mut self, mount: &Mount, key: &str) {
        let files = match mount.files(self.project) {
            Ok(files) => files,
            Err(message) => return self.unreadable(message, key.to_owned()),
        };
        for file in files {
            let text = String::from_utf8_lossy(&file.content);
            for name in extensions_in(&text) {
                if !self.project.budget.spend_at(Resource::Steps, self.service.extensions.len(), &mount.origin) {
                    return;
                }
                if !self.service.extensions.iter().any(|known| known.value == name) {
                    self.service.extensions.push(Located::new(name, mount.origin.clone()));
                }
            }
            self.service.init_files.push(InitFile {
                name: file.name,
                content: file.content,
                origin: mount.origin.clone(),
            });
        }
        self.service.init_files.sort_by(|one, other| one.name.cmp(&other.name));
        self.keys.add_neutral(key, Support::Reproduced, "run at the first start");
    }

    pub(super) fn unreadable(&mut self, message: Option<Diagnostic>, key: String) {
        let note = if message.is_some() { "the file cannot be read" } else { "its content is not in the project" };
        self.diagnostics.extend(message);
        self.keys.add(key, Support::Unsupported, note);
    }
}

/// Names after `CREATE EXTENSION` in an SQL file.
pub(crate) fn extensions_in(text: &str) -> Vec<String> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut words =
        text.lines().map(|line| line.split("--").next().unwrap_or_default()).flat_map(str::split_whitespace).peekable();
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case("create")
            || !words.peek().is_some_and(|next| next.eq_ignore_ascii_case("extension"))
        {
            continue;
        }
        words.next();
        let mut name = words.next().unwrap_or_default();
        if name.eq_ignore_ascii_case("if") {
            words.next();
            words.next();
            name = words.next().unwrap_or_default();
        }
        let name = name.trim_end_matches(';').trim_matches('"');
        let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if valid && known.insert(name.to_owned()) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_in_sql() {
        let text =
            "-- create extension no;\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\";\ncreate extension pg_trgm;\n";
        assert_eq!(extensions_in(text), ["uuid-ossp", "pg_trgm"]);
    }
}

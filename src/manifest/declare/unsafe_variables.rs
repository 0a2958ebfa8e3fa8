//! Names of variables that can make other programs run, from `templates/unsafe-variables.yaml`, with a reason for each
//! group.

use serde::Deserialize;
use std::collections::HashMap;
use std::sync::OnceLock;

const LIST: &str = include_str!("../../../templates/unsafe-variables.yaml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// The effect of each name of the group.
    reason: String,
    /// Names, or patterns: `START*`, `*END`.
    names: Vec<String>,
    /// Safe names that a pattern matches.
    #[serde(default)]
    except: Vec<String>,
}

/// The groups, with an index of their names, because a repository may declare ten thousand variables.
struct List {
    groups: Vec<Group>,
    /// By exact name, the index of its first group.
    names: HashMap<String, usize>,
    /// The beginnings of names (`START*`), each with the index of its group.
    starts: Vec<(String, usize)>,
    /// The ends of names (`*END`), each with the index of its group.
    ends: Vec<(String, usize)>,
}

impl List {
    fn of(groups: Vec<Group>) -> Self {
        let mut list = Self { groups: Vec::new(), names: HashMap::new(), starts: Vec::new(), ends: Vec::new() };
        for (at, group) in groups.iter().enumerate() {
            for name in &group.names {
                match (name.strip_suffix('*'), name.strip_prefix('*')) {
                    (Some(start), _) => list.starts.push((start.to_owned(), at)),
                    (None, Some(end)) => list.ends.push((end.to_owned(), at)),
                    (None, None) => drop(list.names.entry(name.clone()).or_insert(at)),
                }
            }
        }
        Self { groups, ..list }
    }

    /// The first group that contains the name.
    fn group(&self, name: &str) -> Option<&Group> {
        let starts = self.starts.iter().filter(|(start, _)| name.starts_with(start)).map(|(_, at)| *at);
        let ends = self.ends.iter().filter(|(end, _)| name.ends_with(end)).map(|(_, at)| *at);
        let found = self.names.get(name).copied().into_iter().chain(starts).chain(ends);
        let is_excepted = |at: &usize| self.groups[*at].except.iter().any(|other| other == name);
        found.filter(|at| !is_excepted(at)).min().map(|at| &self.groups[at])
    }
}

/// The effect of a variable of that name on programs; `None` for a safe name.
pub fn unsafe_variable(name: &str) -> Option<&'static str> {
    static GROUPS: OnceLock<List> = OnceLock::new();
    // A test parses this file, and the program contains no other.
    let list = GROUPS.get_or_init(|| List::of(serde_saphyr::from_str(LIST).unwrap_or_default()));
    list.group(name).map(|group| group.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_every_name_of_it_is_unsafe() {
        let groups: Vec<Group> = serde_saphyr::from_str(LIST).unwrap();
        assert!(groups.len() > 20);
        for group in &groups {
            assert!(!group.reason.is_empty() && !group.names.is_empty());
            for name in &group.names {
                assert!(name.matches('*').count() <= 1 && name.len() > 1, "{name}");
                // One name that the pattern matches.
                let one = name.replace('*', "X");
                assert_eq!(unsafe_variable(&one), Some(group.reason.as_str()), "{one}");
            }
            for name in &group.except {
                assert_eq!(unsafe_variable(name), None, "{name}");
            }
        }
    }

    #[test]
    fn names_that_make_programs_run_are_unsafe_and_names_of_apps_are_safe() {
        for name in "PATH LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES BASH_ENV ENV PROMPT_COMMAND \
                    PS4 IFS GIT_SSH_COMMAND GIT_EXTERNAL_DIFF NODE_OPTIONS PYTHONSTARTUP PYTHONPATH PERL5OPT \
                    PERL5LIB RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS DOCKER_HOST HOME SHELL EDITOR \
                    PAGER SSH_AUTH_SOCK HTTPS_PROXY https_proxy NO_PROXY SSL_CERT_FILE DEVENV_TRUST ZDOTDIR \
                    DOTNET_STARTUP_HOOKS GOFLAGS RUSTC_WRAPPER CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER \
                    npm_config_node_options LESSOPEN OPENSSL_CONF GCONV_PATH XDG_CONFIG_HOME KUBECONFIG \
                    AWS_CONFIG_FILE BASH_FUNC_ls%%"
            .split_whitespace()
        {
            assert!(unsafe_variable(name).is_some(), "{name}");
        }
        for name in "DATABASE_URL REDIS_URL RAILS_ENV NODE_ENV APP_ENV MIX_ENV DJANGO_SETTINGS_MODULE FLASK_APP \
                    PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE RUST_LOG RUST_BACKTRACE JAVA_OPTS GODEBUG \
                    GOMAXPROCS AWS_REGION AWS_ACCESS_KEY_ID TZ LANG LC_ALL PORT HOST LOG_LEVEL GIT_SHA \
                    TRUST_PROXY PGHOST MYSQL_HOST ASPNETCORE_ENVIRONMENT DOTNET_ENVIRONMENT \
                    SPRING_PROFILES_ACTIVE TERM USER TF_VAR_region VCAP_SERVICES PLATFORM_RELATIONSHIPS \
                    SECRET_KEY_BASE MYPATH PATH_PREFIX"
            .split_whitespace()
        {
            assert_eq!(unsafe_variable(name), None, "{name}");
        }
    }
}

//! Which app gets which variables, and in which env file.
//!
//! Apps may disagree about a name, that is, have different values for it. This is no error: each app gets its own
//! value, in its own file.

use crate::manifest;
use crate::model::{Diagnostic, Exit, Failure, Located, Stack, Value, Variable, did_you_mean};
use std::collections::{BTreeMap, BTreeSet};

/// The variables of one env file.
pub(crate) struct Share<'a> {
    /// The app that the file is for; none for the file that is for every app.
    pub(crate) app: Option<&'a str>,
    /// The file that `services.local.yaml` names for the app.
    pub(crate) named: Option<&'a Located<String>>,
    /// The variables.
    pub(crate) variables: Vec<&'a Variable>,
}

/// The variables of every env file; the file for every app comes first. If apps disagree about a name, each app's value
/// goes to the app's own file. An app with a named file gets all of its variables in that file only.
pub(crate) fn shares<'a>(stack: &'a Stack, files: &'a BTreeMap<String, Located<String>>) -> Vec<Share<'a>> {
    let unnamed = || stack.variables.iter().filter(move |variable| !files.contains_key(&variable.app));
    let disagreed = manifest::disagreements(unnamed());
    let is_own = |variable: &Variable| !variable.app.is_empty() && disagreed.contains(variable.name.as_str());
    let mut shares =
        vec![Share { app: None, named: None, variables: unnamed().filter(|variable| !is_own(variable)).collect() }];
    for (app, file) in files {
        // A variable that belongs to no app is for every app.
        let of_app = |variable: &&Variable| variable.app == *app || variable.app.is_empty();
        let variables = stack.variables.iter().filter(of_app).collect();
        shares.push(Share { app: Some(app.as_str()), named: Some(file), variables });
    }
    for variable in unnamed().filter(|variable| is_own(variable) && variable.value != Value::NotPassed) {
        match shares.iter_mut().find(|share| share.app == Some(variable.app.as_str())) {
            Some(share) => share.variables.push(variable),
            None => shares.push(Share { app: Some(variable.app.as_str()), named: None, variables: vec![variable] }),
        }
    }
    shares
}

/// The variables of one app, its own first. Without an app: the variables of all apps, except the names that the apps
/// disagree about.
pub(crate) fn of_app<'a>(
    stack: &'a Stack,
    files: &'a BTreeMap<String, Located<String>>,
    app: Option<&str>,
) -> Result<Vec<&'a Variable>, Failure> {
    let shares = shares(stack, files);
    let Some(app) = app else {
        let disagreed = disagreed(&shares);
        let named = shares.iter().skip(1).filter(|share| share.named.is_some());
        let rest =
            named.flat_map(|share| &share.variables).filter(|variable| !disagreed.contains(variable.name.as_str()));
        return Ok(shares[0].variables.iter().chain(rest).copied().collect());
    };
    let known: BTreeSet<&str> = stack
        .apps
        .iter()
        .map(|app| app.name.as_str())
        .chain(stack.variables.iter().map(|variable| variable.app.as_str()).filter(|app| !app.is_empty()))
        .collect();
    if !known.contains(app) {
        let diagnostic = Diagnostic::error("unknown-app", format!("no manifest declares an app `{app}`"));
        let diagnostic =
            diagnostic.because(format!("there are: {}", known.iter().copied().collect::<Vec<_>>().join(", ")));
        return Err(Failure::new(
            Exit::Usage,
            match did_you_mean(app, known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("name one of them: `--app NAME`"),
            },
        ));
    }
    let own = shares.iter().find(|share| share.app == Some(app));
    let of_all: &[&Variable] =
        if own.is_some_and(|share| share.named.is_some()) { &[] } else { shares[0].variables.as_slice() };
    Ok(own.map(|share| share.variables.as_slice()).unwrap_or_default().iter().chain(of_all).copied().collect())
}

/// The names about which apps without a named file disagree.
fn disagreed<'a>(shares: &[Share<'a>]) -> BTreeSet<&'a str> {
    let own = shares.iter().filter(|share| share.app.is_some() && share.named.is_none());
    own.flat_map(|share| &share.variables).map(|variable| variable.name.as_str()).collect()
}

/// A note for a command that names no app although apps disagree: lists the names that are excluded.
pub(crate) fn names_without_value(stack: &Stack, files: &BTreeMap<String, Located<String>>) -> Option<Diagnostic> {
    let shares = shares(stack, files);
    let names: Vec<&str> = disagreed(&shares).into_iter().collect();
    let app = shares.iter().find(|share| share.app.is_some() && share.named.is_none())?.app?;
    let message = format!("apps have different values of {}, so no value is set here", names.join(", "));
    Some(Diagnostic::note("variables-differ", message).help(format!("name the app: `--app {app}`")))
}

/// The name of an app's own env file. `taken` holds the names of other apps' files.
pub(crate) fn file_name(app: &str, taken: &BTreeSet<String>) -> String {
    /// Suffixes of files that frameworks read automatically, or that are usually committed to git.
    const RESERVED: &[&str] = &[
        "local",
        "development",
        "dev",
        "production",
        "prod",
        "test",
        "staging",
        "ci",
        "example",
        "sample",
        "template",
        "dist",
        "defaults",
    ];
    let plain: String =
        app.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    let word = if plain.is_empty() || RESERVED.contains(&plain.to_ascii_lowercase().as_str()) {
        format!("app-{plain}")
    } else {
        plain.to_owned()
    };
    let mut name = format!(".env.{word}");
    let mut number = 2;
    while taken.contains(&name) {
        name = format!(".env.{word}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    /// The variables of each env file, for apps with these values of these names.
    fn shared(variables: &[(&str, &str, Value)], named: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() }));
        let variable = |(app, name, value): &(&str, &str, Value)| Variable {
            name: (*name).to_owned(),
            app: (*app).to_owned(),
            value: value.clone(),
            origin: origin.clone(),
        };
        let stack = Stack { variables: variables.iter().map(variable).collect(), ..Stack::default() };
        let located = |path: &str| Located::new(path.to_owned(), origin.clone());
        let files = named.iter().map(|(app, path)| ((*app).to_owned(), located(path))).collect();
        let shown = |share: &Share<'_>| {
            let labelled = |variable: &&Variable| format!("{} of {}", variable.name, variable.app);
            (share.app.unwrap_or("every app").to_owned(), share.variables.iter().map(labelled).collect())
        };
        shares(&stack, &files).iter().map(shown).collect()
    }

    #[test]
    fn apps_share_the_values_that_they_agree_about_and_each_gets_its_own_other_values() {
        let plain = |text: &str| Value::Plain(text.to_owned());
        let variables = [
            ("web", "LEVEL", plain("info")),
            ("web", "ROLE", plain("web")),
            ("web", "ONLY_WEB", plain("1")),
            ("worker", "LEVEL", plain("info")),
            ("worker", "ROLE", plain("worker")),
            ("cron", "ROLE", Value::NotPassed),
            ("", "ROLE", plain("none")),
        ];
        let expected = |files: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            files.iter().map(|(app, names_of)| ((*app).to_owned(), names(names_of))).collect()
        };
        assert_eq!(
            shared(&variables, &[]),
            expected(&[
                ("every app", &["LEVEL of web", "ONLY_WEB of web", "LEVEL of worker", "ROLE of "]),
                ("web", &["ROLE of web"]),
                ("worker", &["ROLE of worker"]),
            ])
        );
        assert_eq!(
            shared(&variables[..5], &[("worker", "worker.env")]),
            expected(&[
                ("every app", &["LEVEL of web", "ROLE of web", "ONLY_WEB of web"]),
                ("worker", &["LEVEL of worker", "ROLE of worker"]),
            ])
        );
    }

    #[test]
    fn each_app_s_file_has_a_unique_and_unreserved_name() {
        let taken = BTreeSet::from([".env.web".to_owned()]);
        for (app, name) in [
            ("worker", ".env.worker"),
            ("web", ".env.web-2"),
            ("a/../b c", ".env.a----b-c"),
            ("Production", ".env.app-Production"),
            ("local", ".env.app-local"),
            ("..", ".env.app-"),
        ] {
            assert_eq!(file_name(app, &taken), name);
        }
    }
}

//! The lines around the services: the files that were read, the files that were written, and the next steps. Text from
//! plain data.

use super::layout::Layout;
use super::lines::wrapped;
use super::visible::one_line;
use crate::model::{Service, Source};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// If there are more names than this, the others are counted, not listed.
const NAMES: usize = 8;

/// `production  compose.prod.yaml (Compose) · 3 services, 2 apps not started, mail excluded by …`. `apps` does not count
/// the excluded apps.
pub fn production_line(
    layout: Layout,
    sources: &[Source],
    services: usize,
    apps: usize,
    excluded: &BTreeSet<String>,
) -> String {
    let files: Vec<String> = sources.iter().map(|source| one_line(&source.to_string())).collect();
    let mut text = counted(services, "service");
    if !files.is_empty() {
        text = format!("{} · {text}", files.join(", "));
    }
    if apps > 0 {
        let _ = write!(text, ", {} not started", counted(apps, "app"));
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|name| one_line(name)).collect();
        let _ = write!(text, ", {} excluded by `leave_out`", names.join(", "));
    }
    layout.line("production", &text)
}

/// `3 keys of 2 services are not carried out: devenv manifest`; `None` if every key is carried out.
pub fn not_carried_out(services: &[Service]) -> Option<String> {
    let counts: Vec<usize> = services.iter().map(Service::not_carried_out).filter(|count| *count > 0).collect();
    let keys: usize = counts.iter().sum();
    let are = if keys == 1 { "is" } else { "are" };
    (keys > 0).then(|| {
        let of = counted(counts.len(), "service");
        format!("{} of {of} {are} not carried out: devenv manifest", counted(keys, "key"))
    })
}

/// The count for each service, for programs.
pub fn not_carried_out_json(services: &[Service]) -> serde_json::Value {
    let count = |service: &Service| (service.name.clone(), serde_json::json!(service.not_carried_out()));
    serde_json::Value::Object(services.iter().map(count).collect())
}

/// `.env  9 variables written · 2 values to fill in: STRIPE_KEY, SENTRY_DSN`.
pub fn env_line(layout: Layout, file: &str, variables: usize, changed: bool, to_fill_in: &[String]) -> String {
    let mut text = counted(variables, "variable");
    text += if changed { " written" } else { ", unchanged" };
    if !to_fill_in.is_empty() {
        let mut names = to_fill_in.iter().take(NAMES).map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
        if to_fill_in.len() > NAMES {
            let _ = write!(names, " and {} more", to_fill_in.len() - NAMES);
        }
        let _ = write!(text, " · {} to fill in: {names}", counted(to_fill_in.len(), "value"));
    }
    layout.line(&one_line(file), &text)
}

/// `ready in 8.0 s · devenv status, devenv logs, devenv shell db`; on several lines if that is wider than `width`.
pub fn ready_line(took: Duration, next: &[&str], width: Option<usize>) -> String {
    let hints = if next.is_empty() { String::new() } else { format!(" · {}", next.join(", ")) };
    let line = format!("ready in {}{hints}", seconds(took));
    match width {
        Some(width) => format!(" {}", wrapped(&line, width.saturating_sub(3)).join("\n   ")),
        None => format!(" {line}"),
    }
}

/// `0.4 s`, `2.1 s`, `1 min 5 s`.
pub fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole >= 60 {
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// `5 s`, `12 min`, `3 h`, `2 days`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `731 B`, `12 kB`, `148 MB`, `1.4 GB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{}.{} GB", count / 1_000_000_000, count / 100_000_000 % 10),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Key, Origin, SourceFile, Support, Version};
    use crate::ui::ServiceRow;
    use std::sync::Arc;

    #[test]
    fn keys_that_are_not_carried_out_are_counted_in_one_line() {
        let place = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() }));
        let service = |name: &str, keys: &[Support]| {
            let version = Version::parse("16.4", false, |_| 2, place.clone());
            let mut service = Service::new(name, "postgres", "official", version, place.clone());
            service.keys.extend(keys.iter().enumerate().map(|(at, support)| Key {
                path: format!("key{at}"),
                support: *support,
                note: String::new(),
            }));
            service
        };
        let (as_declared, not) = (Support::Reproduced, Support::Unsupported);
        let services =
            [service("db", &[not, as_declared, not]), service("cache", &[not]), service("queue", &[as_declared])];
        let line = not_carried_out(&services).unwrap();
        assert_eq!(line, "3 keys of 2 services are not carried out: devenv manifest");
        let line = not_carried_out(&services[1..]).unwrap();
        assert_eq!(line, "1 key of 1 service is not carried out: devenv manifest");
        assert_eq!(not_carried_out(&services[2..]), None);
        assert_eq!(not_carried_out_json(&services), serde_json::json!({"db": 2, "cache": 1, "queue": 0}));
    }

    #[test]
    fn the_lines_around_the_services_stand_in_line() {
        let layout = Layout::of(&[ServiceRow { name: "db".into(), what: "postgres 16.4".into() }]);
        let compose = [Source { path: "compose.prod.yaml".into(), format: "compose", title: "Compose" }];
        assert_eq!(
            production_line(layout, &compose, 3, 2, &BTreeSet::from(["mail".to_owned()])),
            " production  compose.prod.yaml (Compose) · 3 services, 2 apps not started, mail excluded by `leave_out`"
        );
        let own = [Source { path: "services.yaml".into(), format: "services.yaml", title: "services.yaml" }];
        assert_eq!(production_line(layout, &own, 1, 0, &BTreeSet::new()), " production  services.yaml · 1 service");
        let names = ["STRIPE_KEY".to_owned(), "SENTRY_DSN".to_owned()];
        assert_eq!(
            env_line(layout, ".env", 9, true, &names),
            " .env        9 variables written · 2 values to fill in: STRIPE_KEY, SENTRY_DSN"
        );
        assert_eq!(env_line(layout, ".env", 1, false, &[]), " .env        1 variable, unchanged");
        assert_eq!(
            ready_line(Duration::from_millis(8_040), &["devenv status"], None),
            " ready in 8.0 s · devenv status"
        );
    }

    #[test]
    fn many_secrets_are_counted() {
        let names: Vec<String> = (0..11).map(|number| format!("S{number}")).collect();
        assert!(env_line(Layout { name: 4, what: 0, width: None }, ".env", 1, true, &names).ends_with("S7 and 3 more"));
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 999, 12_400, 148_900_000, 1_480_000_000].map(bytes),
            ["0 B", "999 B", "12 kB", "148 MB", "1.4 GB"]
        );
        assert_eq!(seconds(Duration::from_secs(65)), "1 min 5 s");
    }
}

//! Warnings about declared versions that get no fixes any more.

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Service, Stack};

/// A warning for each service whose series got its last fixes before `today` (`2026-01-31`). The caller passes the day,
/// so that the same input always gives the same output.
pub fn ended(stack: &Stack, kinds: &Kinds, today: &str) -> Vec<Diagnostic> {
    let warning = |service: &Service| {
        let ended = kinds.get(&service.kind)?.ended(&service.version.parts(), today)?;
        let warning = Diagnostic::warning("end-of-life", ended.sentence())
            .at(&service.version.origin, format!("production runs {}", service.version.text))
            .because(format!("its project says so: {}", ended.source()));
        Some(warning.help("plan an upgrade in production; devenv runs the declared version"))
    };
    stack.services.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile, Version};
    use std::sync::Arc;

    fn messages(today: &str) -> Vec<String> {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: "x".into() }));
        let service = |name: &str, kind: &str, version: &str| {
            let version = Version::parse(version, false, |_| 2, origin.clone());
            Service::new(name, kind, "official", version, origin.clone())
        };
        let services = vec![
            service("db", "postgres", "13.4"),
            service("old", "mysql", "5.7"),
            service("cache", "redis", "9.9.9"),
            service("open", "postgres", "latest"),
        ];
        let stack = Stack { services, ..Stack::default() };
        let warnings = ended(&stack, &Kinds::built_in().unwrap(), today);
        warnings.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn a_series_is_reported_from_the_day_after_its_last_fixes() {
        let mysql = "MySQL 5.7 has had no fixes since 2023-10-31";
        assert_eq!(messages("2023-10-31"), Vec::<String>::new());
        assert_eq!(messages("2025-11-13"), [mysql]);
        assert_eq!(messages("2025-11-14"), ["Postgres 13 has had no fixes since 2025-11-13", mysql]);
    }
}

//! Declared versions that get no fixes any more.

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Service, Stack};

/// A warning for each service whose series got its last fixes before `today` (`2026-01-31`). The day is the caller's, so
/// that the same files always read the same.
pub fn ended(stack: &Stack, kinds: &Kinds, today: &str) -> Vec<Diagnostic> {
    let told = |service: &Service| {
        let ended = kinds.get(&service.kind)?.ended(&service.version.parts(), today)?;
        let told = Diagnostic::warning("end-of-life", ended.sentence())
            .at(&service.version.origin, format!("production runs {}", service.version.text))
            .because(format!("its project says so: {}", ended.source()));
        Some(told.help("plan an upgrade in production; what is declared is what runs here"))
    };
    stack.services.iter().filter_map(told).collect()
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
        let told = ended(&stack, &Kinds::built_in().unwrap(), today);
        told.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn a_series_is_told_from_the_day_after_its_last() {
        let mysql = "MySQL 5.7 has had no fixes since 2023-10-31";
        assert_eq!(messages("2023-10-31"), Vec::<String>::new());
        assert_eq!(messages("2025-11-13"), [mysql]);
        assert_eq!(messages("2025-11-14"), ["Postgres 13 has had no fixes since 2025-11-13", mysql]);
    }
}

//! Facts files, matched to the services of a stack.

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Exit, Failure, NotAsked, Service, ServiceFacts, Stack};
use crate::parity::{self, FactsFile};
use crate::project::read_text;
use std::path::Path;

/// Reads a facts file.
pub(crate) fn read_facts(path: &Path) -> Result<FactsFile, Failure> {
    let text = read_text(path).map_err(|error| {
        let diagnostic = Diagnostic::error("facts-file", format!("cannot read {}", path.display()));
        Failure::new(
            Exit::Usage,
            diagnostic.because(error.to_string()).help("`devenv facts NAME=URL > FILE` writes such a file"),
        )
    })?;
    parity::parse(path, &text)
}

/// The facts by the stack's own service names. Facts with another name belong to the only service of the same protocol.
pub(crate) fn by_service(stack: &Stack, kinds: &Kinds, facts: FactsFile) -> Result<FactsFile, Failure> {
    let speaks = |service: &Service| service.protocol.or_else(|| Some(kinds.get(&service.kind)?.protocol));
    let (mut named, others): (FactsFile, FactsFile) =
        facts.into_iter().partition(|(name, _)| stack.service(name).is_some());
    for (name, facts) in others {
        let open: Vec<&Service> = stack
            .services
            .iter()
            .filter(|service| speaks(service) == Some(facts.protocol) && !named.contains_key(&service.name))
            .collect();
        let [only] = open.as_slice() else {
            let known: Vec<&str> = stack.services.iter().map(|service| service.name.as_str()).collect();
            let diagnostic = Diagnostic::error("facts-service", format!("nothing says which service `{name}` is"))
                .because(format!("the manifest declares {}", known.join(", ")))
                .help("name it: `--against SERVICE=URL`, or call it so in the facts file");
            return Err(Failure::new(Exit::Usage, diagnostic));
        };
        named.insert(only.name.clone(), facts);
    }
    Ok(named)
}

/// The topics about which the servers could not be asked; topics with the same reason are together.
pub(crate) fn not_asked(answered: &[(&str, &ServiceFacts)]) -> Vec<NotAsked> {
    let mut missing: Vec<NotAsked> = Vec::new();
    for (side, facts) in answered {
        for (topic, why) in &facts.not_asked {
            match missing.iter_mut().find(|one| one.side == *side && one.why == *why) {
                Some(one) => one.topics.push(topic.clone()),
                None => {
                    missing.push(NotAsked { side: (*side).to_owned(), why: why.clone(), topics: vec![topic.clone()] });
                }
            }
        }
    }
    missing
}

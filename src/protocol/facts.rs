//! The parts of gathering facts that are the same for every protocol.

use super::ProbeError;
use crate::model::{Protocol, ServiceFacts};
use std::collections::BTreeMap;

/// Facts of a server that has not reported anything yet.
pub(super) fn nothing_yet(protocol: Protocol, product: &str, version: Option<String>) -> ServiceFacts {
    ServiceFacts { protocol, product: product.to_owned(), version, topics: BTreeMap::new(), not_asked: BTreeMap::new() }
}

/// Notes the answer for a topic: its entries, or the reason why there are none.
pub(super) fn note(
    facts: &mut ServiceFacts,
    topic: &str,
    answer: Result<impl IntoIterator<Item = (String, String)>, ProbeError>,
) {
    match answer {
        Ok(entries) => facts.topics.entry(topic.to_owned()).or_default().extend(entries),
        Err(error) => drop(facts.not_asked.insert(topic.to_owned(), error.message)),
    }
}

//! Services and apps are counted as they are found: what a dialect compares with all of them stays small.

use crate::model::{App, Origin, Service};
use crate::project::{Budget, Resource};

/// What a stack holds a number of.
pub(super) trait Counted: Sized {
    /// Where it was declared.
    fn origin(&self) -> &Origin;

    /// Adds it to those that are known, unless a project has no more of them by any measure.
    fn add_to(self, known: &mut Vec<Self>, budget: &Budget) {
        if budget.spend_at(Resource::Services, 1, self.origin()) {
            known.push(self);
        }
    }
}

impl Counted for Service {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Counted for App {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

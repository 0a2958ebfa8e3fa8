//! Counts services and apps as they are found, so that comparing each of them with all others stays cheap.

use crate::model::{App, Origin, Service};
use crate::project::{Budget, Resource};

/// An item that a stack holds a limited number of: a service or an app.
pub(crate) trait Counted: Sized {
    /// Where the item was declared.
    fn origin(&self) -> &Origin;

    /// Adds the item to the known items, unless the budget says that no real project has so many.
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

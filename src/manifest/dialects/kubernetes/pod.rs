//! The parts of a pod that its containers share.

use crate::syntax::tree::Node;

/// A pod of a workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod<'n> {
    /// Its labels.
    pub(super) labels: Option<&'n Node>,
    /// Its specification.
    pub(super) spec: &'n Node,
}

/// How an environment's data follows git (`branch:` of `services.local.yaml`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Branching {
    /// Each git branch of a checkout has data of its own.
    pub git: bool,
    /// A new worktree begins with the data of the main worktree.
    pub worktree: bool,
}

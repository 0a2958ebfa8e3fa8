//! Which image a declared version means: from `services.lock`, else from what the engine has or a registry says.
//!
//! Everything here is pure. A lock is only ever changed because somebody asked for that: nothing moves by itself.

pub mod bundle;
pub mod lock_file;
pub mod versions;

//! Decides which image a declared version means: from `services.lock`, otherwise from the images of the engine or the
//! answer of a registry.
//!
//! This module is pure. A lock changes only if the user asks for it: nothing changes by itself.

pub mod bundle;
pub mod lock_file;
pub mod versions;

//! The formats of platforms: they run the services themselves, and say which by kind and version.
//!
//! One file a platform; what they share is a managed service ([`managed`]) and what apps are given ([`given`]).

pub(crate) mod platformsh;

mod given;
mod managed;

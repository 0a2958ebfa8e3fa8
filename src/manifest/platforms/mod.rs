//! The formats of platforms: they run the services themselves, and say which by kind and version.
//!
//! One file a platform; what they share is a managed service ([`managed`]) and what apps are given ([`given`]).

pub(crate) mod cloudfoundry;
pub(crate) mod digitalocean;
pub(crate) mod ecs;
pub(crate) mod heroku;
pub(crate) mod kamal;
pub(crate) mod nais;
pub(crate) mod nomad;
pub(crate) mod platformsh;
pub(crate) mod render;
pub(crate) mod score;
pub(crate) mod without_services;

mod container;
mod given;
mod managed;
mod templated;

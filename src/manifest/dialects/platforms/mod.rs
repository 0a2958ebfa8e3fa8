//! The formats of platforms that run the services themselves. Their files declare each service by kind and version.
//!
//! Each platform has one file. They share managed services ([`managed`]) and the variables of apps ([`variables`]).

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
mod managed;
mod templated;
mod variables;

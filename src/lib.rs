//! Enlist, a self-hosted mobile enrollment server.

pub mod config;
pub mod domain;
pub mod pki;
pub mod store;

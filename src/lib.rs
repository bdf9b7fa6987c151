//! Enlist, a self-hosted mobile enrollment server.

pub mod apple;
pub mod config;
pub mod domain;
pub mod pki;
pub mod store;

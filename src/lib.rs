//! Enlist, a self-hosted mobile enrollment server.

pub mod apple;
pub mod domain;
pub mod pki;

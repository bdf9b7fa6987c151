//! Enlist, a self-hosted mobile enrollment server.

pub mod domain;

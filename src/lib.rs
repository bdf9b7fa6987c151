//! Enlist, a self-hosted mobile enrollment server.

pub mod apple;
pub mod config;
pub mod domain;
pub mod http;
pub mod mail;
pub mod pki;
pub mod service;
pub mod simulator;
pub mod store;

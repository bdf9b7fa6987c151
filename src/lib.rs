//! Enlist, a self-hosted mobile enrollment server.

pub mod apple;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod pki;
pub mod service;
pub mod simulator;
pub mod store;

//! Enlist, a self-hosted mobile enrollment server. The layers, and who may use whom:
//!
//! ```text
//! domain  ◄─ store ◄─┐
//!    ▲               ├─ service ◄─┬─ jobs
//!    ├─ pki ◄────────┤            ├─ http
//!    ├─ apple        │            └─ cli ─► simulator
//!    ├─ android      │
//!    ├─ dovecot      │
//!    ├─ webhook      │
//!    └─ mail ◄───────┘
//! config: read by cli, which hands each part its own values
//! ```
//!
//! [`domain`] says what is true, without I/O; [`store`] keeps it, and is the only place with SQL; [`pki`], [`apple`], [`android`],
//! [`dovecot`], [`mail`] and [`webhook`] translate; [`service`] does things, one verb in each file, and is the only caller of a writing transaction;
//! [`http`], [`jobs`] and [`cli`] are who asks. [`simulator`] is the other end of the wire and shares no codec with the rest.

pub mod android;
pub mod apple;
pub mod cli;
pub mod config;
pub mod domain;
pub mod dovecot;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod pki;
pub mod service;
pub mod simulator;
pub mod store;
pub mod webhook;

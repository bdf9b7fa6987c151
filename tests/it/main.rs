//! Everything that is tested from outside: one binary, so that it is linked once.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "these are tests: what surprises them must end them"
)]

mod android;
mod api;
mod apple;
mod architecture;
mod backup;
mod browser;
mod browsers;
mod console;
mod crash;
mod deploy;
mod doctor;
mod gate;
mod harness;
mod hold;
mod hostile;
mod mail;
mod mailgate;
mod portal;
mod push;
mod scep;
mod store;
mod webhooks;

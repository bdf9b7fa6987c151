//! The console as a person at it meets it.

mod access;
mod approvals;
mod devices;
mod groups;
mod guard;
mod import;
mod outbox;
mod people;
mod policies;
mod push;
mod server;
mod sign_in;

//! The console as a person at it meets it.

mod devices;
mod guard;
mod server;
mod sign_in;

//! Apple devices, played against a whole server.

mod certificates;
mod checkin;
mod commands;
mod emission;
mod invariants;
pub mod revocation;
mod scep;
mod signers;
mod story;

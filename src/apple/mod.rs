//! What Apple devices speak: check-in, commands and their answers, profiles, declarations. Domain types in, bytes out; who may
//! say what, and what follows from it, is left to the services.

pub mod apns;
pub mod channel;
pub mod checkin;
pub mod command;
pub mod declarative;
pub mod field;
pub mod profile;
pub mod property_list;
pub mod push_certificate;
pub mod push_request;
pub mod rejection;
pub mod report;
pub mod scep;
#[cfg(test)]
mod schema;

//! What is true: rules as pure functions of plain data. No I/O, no clock, no database, no protocol.

pub mod access;
pub mod audit;
pub mod backend;
pub mod browser;
pub mod command;
pub mod compliance;
pub mod device;
pub mod enrollment;
pub mod id;
pub mod ladder;
pub mod link;
pub mod networks;
pub mod origin;
pub mod passcode;
pub mod policy;
pub mod posture;
pub mod reach;
pub mod retry;
pub mod rights;
pub mod roster;
pub mod sign_in;
pub mod time;
pub mod user;
pub mod webhook;
pub mod words;

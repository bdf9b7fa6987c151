//! What is true: rules as pure functions of plain data. No I/O, no clock, no database, no protocol.

pub mod command;
pub mod device;
pub mod id;
pub mod passcode;
pub mod posture;
pub mod rights;
pub mod time;
pub mod words;

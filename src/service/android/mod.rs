//! Android devices: how each backend enrolls its own, and what it hears from them.

pub mod agent;
pub mod channel;
pub mod passcode;
pub mod waiting;

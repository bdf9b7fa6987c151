//! What is spoken with Android devices: Enlist's own agent protocol, and that of the Headwind launcher. Translates, and knows
//! neither the database nor HTTP.

pub mod apk;
pub mod command;
pub mod launcher;
pub mod message;
pub mod policy;

//! Android devices: how each backend enrolls its own, and what it hears from them.

pub mod agent;
pub mod certificate;
pub mod channel;
pub mod identity;
pub mod launcher;
pub mod launcher_channel;
pub mod launcher_configuration;
pub mod launcher_package;
pub mod launcher_settings;
pub mod method;
pub mod passcode;
pub mod waiting;

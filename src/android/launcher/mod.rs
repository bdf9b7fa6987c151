//! The protocol of the Headwind launcher, an open agent for Android that its vendor publishes: the launcher asks for a
//! configuration that says everything which shall hold, reports how the device is, and waits for word that something changed.
//!
//! Nothing but the number in an address says which device speaks, so a number is a secret. The signatures prove little, because
//! the launcher as it is published has a secret that everybody knows; they are checked all the same, for launchers that were built
//! with another one.

pub mod answer;
pub mod configuration;
pub mod device_info;
pub mod log;
pub mod number;
pub mod provisioning;
pub mod push;
mod reading;
pub mod signature;

pub use reading::Unreadable;

/// The path below the server's address where the launcher's requests go (`com.hmdm.SERVER_PROJECT`).
pub const PROJECT: &str = "android/hw";
/// The launcher's package as its vendor publishes it.
pub const PACKAGE: &str = "com.hmdm.launcher";
/// The component that becomes device owner, as its vendor publishes it.
pub const COMPONENT: &str = "com.hmdm.launcher/com.hmdm.launcher.AdminReceiver";

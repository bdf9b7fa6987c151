//! Android devices, each written from the description of its protocol alone.

pub mod apk;
pub mod launcher;
pub mod launcher_passcode;

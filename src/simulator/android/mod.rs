//! Android devices, each written from the description of its protocol alone.

pub mod apk;
pub mod certificate;
pub mod launcher;
pub mod launcher_passcode;

//! Android devices.

mod certificate;
mod orders;

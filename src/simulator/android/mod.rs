//! Android devices, each by what manages it.

pub mod certificate;

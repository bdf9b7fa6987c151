//! pki
pub mod seal;

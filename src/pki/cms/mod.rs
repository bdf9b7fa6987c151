//! Cryptographic Message Syntax (RFC 5652): signed messages made, opened and checked.
//!
//! * [`ber`] turns what Apple devices and streaming encoders send into DER;
//! * `wire` takes a `SignedData` apart without copying;
//! * [`attached`] opens what devices sign during enrollment;
//! * [`detached`] checks `Mdm-Signature`;
//! * [`seal`] signs configuration profiles and SCEP answers.
//!
//! Envelopes are opened and closed by OpenSSL itself, see [`crate::apple::scep`].

pub mod attached;
pub mod ber;
pub mod detached;
pub mod seal;
pub(crate) mod wire;

pub use attached::Attached;
pub use detached::Detached;
pub use seal::{certificates_only, sign_attached};

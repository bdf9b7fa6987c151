//! Simple Certificate Enrollment Protocol (RFC 8894): messages taken apart and answers put together.
//!
//! [`operation`] reads the URL, [`message`] opens and seals, [`proof`] says what a requester has shown. Challenges,
//! templates and the certificates that were issued are the caller's: nothing here decides who may have a certificate.
//!
//! A caller goes: [`Operation::parse`], [`open`], [`Request::asks`], for a certificate request
//! [`csr::inspect`](crate::pki::csr::inspect) and [`proof::establish`], the challenge or the old certificate looked up,
//! [`issue_device`](crate::pki::issue::issue_device), [`seal_success`]. A transaction that is known already gets the
//! certificate it got before, not a second one.

pub mod answer;
pub mod capabilities;
pub mod message;
pub mod operation;
pub mod proof;

pub use answer::{FailInfo, seal_failure, seal_success};
pub use capabilities::capabilities;
pub use message::{Asks, MessageType, OpenError, Refusal, Request, Transaction, open};
pub use operation::{Operation, OperationError, ca_certificates};
pub use proof::{Proof, ProofError, establish};

#[cfg(test)]
mod tests;

use openssl::symm;

use crate::pki::oid;

/// Which old algorithms are still tolerated; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strength {
    /// Messages signed with SHA-1 are accepted, and answered with SHA-1.
    pub allow_sha1: bool,
    /// Envelopes closed with triple DES are accepted, and answered with triple DES.
    pub allow_3des: bool,
}

/// The cipher of an envelope. Single DES is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// AES-128-CBC.
    Aes128,
    /// AES-192-CBC.
    Aes192,
    /// AES-256-CBC.
    Aes256,
    /// Triple DES in CBC mode.
    TripleDes,
}

impl Cipher {
    const ALL: [Self; 4] = [Self::Aes128, Self::Aes192, Self::Aes256, Self::TripleDes];

    fn from_identifier(identifier: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.identifier().as_bytes() == identifier)
    }

    const fn identifier(self) -> der::oid::ObjectIdentifier {
        match self {
            Self::Aes128 => oid::AES128_CBC,
            Self::Aes192 => oid::AES192_CBC,
            Self::Aes256 => oid::AES256_CBC,
            Self::TripleDes => oid::DES_EDE3_CBC,
        }
    }

    fn symmetric(self) -> symm::Cipher {
        match self {
            Self::Aes128 => symm::Cipher::aes_128_cbc(),
            Self::Aes192 => symm::Cipher::aes_192_cbc(),
            Self::Aes256 => symm::Cipher::aes_256_cbc(),
            Self::TripleDes => symm::Cipher::des_ede3_cbc(),
        }
    }
}

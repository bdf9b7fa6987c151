//! What a requester has shown: that it holds a fresh key, or that it holds a certificate of ours.

use openssl::x509::{X509, X509Ref};

use super::message::{Asks, Request};
use crate::{
    domain::time::Timestamp,
    pki::{
        chain::{self, ChainError, Purpose},
        csr::Csr,
        key,
    },
};

/// What was shown. The caller has still to decide.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Possession of the key, nothing else: a challenge has to be spent.
    First,
    /// Possession of this certificate of ours. Whether it was revoked, how long ago it may have ended, and what the new one
    /// may say, is in the database under its fingerprint; no challenge is needed, and the subject stays the same.
    Renewal(X509),
}

/// Why a requester has shown nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The self-signed certificate is of another key than the request.
    #[error("the message and the certificate request are of two different keys")]
    OtherKey,
    /// A renewal that is not signed by a certificate of ours.
    #[error("the renewal is not signed by a valid certificate of this authority")]
    NotOurs(#[source] ChainError),
    /// Polling brings no request.
    #[error("there is no certificate request to prove anything about")]
    NoRequest,
}

/// Finds out what the signer of `request` has shown at `now`; `csr` is the inspected request inside.
///
/// A `RenewalReq` must be signed by a certificate of ours, which may have ended: a phone that lay in a drawer must be able to come
/// back. A `PKCSReq` may be signed by a living one (older clients renew that way), else its signer must bear the very key of the
/// request.
pub fn establish(request: &Request, csr: &Csr, ca: &X509Ref, now: Timestamp) -> Result<Proof, ProofError> {
    match request.asks {
        Asks::Poll => Err(ProofError::NoRequest),
        Asks::Renew(_) => ours(request, ca, now, Purpose::ExpiredClientAuth).map(Proof::Renewal).map_err(ProofError::NotOurs),
        Asks::Enroll(_) => match ours(request, ca, now, Purpose::ClientAuth) {
            Ok(certificate) => Ok(Proof::Renewal(certificate)),
            Err(_) => own_key(request, csr),
        },
    }
}

fn ours(request: &Request, ca: &X509Ref, now: Timestamp, purpose: Purpose) -> Result<X509, ChainError> {
    let der = request.signer.to_der().map_err(|_| ChainError::Foreign)?;
    chain::verify_issued_by(ca, &der, now, purpose)
}

fn own_key(request: &Request, csr: &Csr) -> Result<Proof, ProofError> {
    let key = request.signer.public_key().map_err(|_| ProofError::OtherKey)?;
    if key::same(&key, &csr.key) { Ok(Proof::First) } else { Err(ProofError::OtherKey) }
}

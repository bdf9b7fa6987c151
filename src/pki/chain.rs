//! Whether a certificate that a device shows is one of ours, and for what.

use openssl::x509::{X509, X509Ref};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{domain::time::Timestamp, pki::Error};

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The device proves who it is: `clientAuth` is demanded, and today within the validity.
    ClientAuth,
    /// The same, of a certificate that may have ended: for saying what it was, never for letting somebody in.
    ExpiredClientAuth,
}

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable(#[source] Error),
    /// Another authority issued it, or nobody did.
    #[error("the certificate was not issued by this authority")]
    Foreign,
    /// Today is before its validity.
    #[error("the certificate is not valid yet")]
    NotYet,
    /// Today is after its validity.
    #[error("the certificate has expired")]
    Expired,
    /// It is an authority's, or not meant for clients.
    #[error("the certificate is not meant for this purpose")]
    Purpose,
}

/// Checks that `ca` itself signed `leaf`, that `leaf` is valid at `now`, is no authority and is meant for `purpose`.
///
/// Whether it was revoked, and to whom it belongs, is for the database to say.
pub fn verify_issued_by(ca: &X509Ref, leaf: &[u8], now: Timestamp, purpose: Purpose) -> Result<X509, ChainError> {
    let unreadable = || ChainError::Unreadable(Error::Malformed("the certificate"));
    let (rest, parsed) = X509Certificate::from_der(leaf).map_err(|_| unreadable())?;
    if !rest.is_empty() {
        return Err(unreadable());
    }
    let certificate = X509::from_der(leaf).map_err(|_| unreadable())?;
    let key = ca.public_key().map_err(|_| ChainError::Foreign)?;
    let named = certificate.issuer_name().try_cmp(ca.subject_name()).is_ok_and(std::cmp::Ordering::is_eq);
    if !named || !certificate.verify(&key).unwrap_or(false) {
        return Err(ChainError::Foreign);
    }
    check_purpose(&parsed)?;
    if now.seconds() < parsed.validity().not_before.timestamp() {
        return Err(ChainError::NotYet);
    }
    if purpose == Purpose::ClientAuth && now.seconds() > parsed.validity().not_after.timestamp() {
        return Err(ChainError::Expired);
    }
    Ok(certificate)
}

/// An absent or empty list of purposes is no permission.
fn check_purpose(leaf: &X509Certificate<'_>) -> Result<(), ChainError> {
    let is_authority = leaf.basic_constraints().map_err(|_| ChainError::Purpose)?.is_some_and(|found| found.value.ca);
    let may = leaf.extended_key_usage().map_err(|_| ChainError::Purpose)?.is_some_and(|found| found.value.client_auth);
    if may && !is_authority { Ok(()) } else { Err(ChainError::Purpose) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        ca,
        issue::{issue_device, tests::template},
        testing::{NOW, authority, rsa, self_signed},
    };

    #[test]
    fn only_a_living_certificate_of_ours_for_clients_passes() {
        let (ours, theirs, key) = (authority(), authority(), rsa());
        let leaf = issue_device(&ours, &template(), &key).unwrap().to_der().unwrap();
        let check = |leaf: &[u8], now| verify_issued_by(&ours.certificate, leaf, now, Purpose::ClientAuth);
        assert!(check(&leaf, NOW).is_ok());
        assert!(matches!(check(&leaf, NOW.plus_days(-1)), Err(ChainError::NotYet)));
        assert!(matches!(check(&leaf, NOW.plus_days(366)), Err(ChainError::Expired)));
        assert!(verify_issued_by(&ours.certificate, &leaf, NOW.plus_days(366), Purpose::ExpiredClientAuth).is_ok());
        // The other authority bears the same name, so only the signature tells them apart.
        let forged = issue_device(&theirs, &template(), &key).unwrap().to_der().unwrap();
        assert!(matches!(check(&forged, NOW), Err(ChainError::Foreign)));
        assert!(matches!(check(&self_signed(&key).to_der().unwrap(), NOW), Err(ChainError::Foreign)));
    }

    #[test]
    fn certificates_of_the_server_are_not_device_certificates() {
        let ours = authority();
        let signer = ca::issue_profile_signer(&ours, "Example", NOW).unwrap();
        for other in [ours.certificate.to_der().unwrap(), signer.certificate.to_der().unwrap()] {
            assert!(matches!(verify_issued_by(&ours.certificate, &other, NOW, Purpose::ClientAuth), Err(ChainError::Purpose)));
        }
    }

    #[test]
    fn a_truncated_certificate_is_refused_without_panic() {
        let ours = authority();
        let leaf = issue_device(&ours, &template(), &rsa()).unwrap().to_der().unwrap();
        for end in 0..leaf.len() {
            assert!(verify_issued_by(&ours.certificate, &leaf[..end], NOW, Purpose::ClientAuth).is_err());
        }
    }
}

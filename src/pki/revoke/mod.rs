//! What is no longer valid, told in both ways that the world asks: a list (RFC 5280) and single answers (RFC 6960).

pub mod ocsp;

use openssl::x509::X509Ref;

use crate::{
    domain::time::Timestamp,
    pki::{
        During, Error, Identity,
        algorithm::{self, Digest},
        oid,
        tlv::{self, tag},
    },
};

/// Why a certificate was revoked (RFC 5280, section 5.3.1); the reasons that occur for devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No reason is given.
    Unspecified,
    /// The key, or the device that holds it, is in wrong hands.
    KeyCompromise,
    /// The device or the user belongs to somebody else now.
    AffiliationChanged,
    /// A newer certificate took its place.
    Superseded,
    /// The device is no longer managed.
    CessationOfOperation,
    /// The right to it was withdrawn.
    PrivilegeWithdrawn,
}

impl Reason {
    /// The number on the wire; an unspecified reason is left out, as the standard asks.
    const fn code(self) -> Option<u8> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(1),
            Self::AffiliationChanged => Some(3),
            Self::Superseded => Some(4),
            Self::CessationOfOperation => Some(5),
            Self::PrivilegeWithdrawn => Some(9),
        }
    }

    fn enumerated(self) -> Option<Vec<u8>> {
        self.code().map(|code| tlv::element(tag::ENUMERATED, &[&[code]]))
    }
}

/// One revoked certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: [u8; 16],
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Makes the revocation list: version 2, SHA-256, signed by the authority, `number` never used before and growing.
pub fn crl(ca: &Identity, revoked: &[Revoked], number: u64, this_update: Timestamp, next_update: Timestamp) -> Result<Vec<u8>, Error> {
    let algorithm = algorithm::algorithm_for(Digest::Sha256, &ca.key)?;
    let issuer = ca.certificate.subject_name().to_der().during("encode the issuer")?;
    let entries: Vec<Vec<u8>> = revoked.iter().map(entry).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    // An empty list must be left out (RFC 5280, section 5.1.2.6).
    let entries = if entries.is_empty() { Vec::new() } else { tlv::sequence(&entries) };
    let number = tlv::extension(&oid::CRL_NUMBER, &tlv::unsigned(&number.to_be_bytes()));
    let extensions = tlv::element(tag::context(0), &[&tlv::sequence(&[&tlv::authority_key_id(key_id(&ca.certificate)?), &number])]);
    let times = [tlv::time(this_update), tlv::time(next_update)].concat();
    let body = tlv::sequence(&[&tlv::unsigned(&[1]), &algorithm, &issuer, &times, &entries, &extensions]);
    let (algorithm, signature) = algorithm::sign(Digest::Sha256, &ca.key, &body)?;
    Ok(tlv::sequence(&[&body, &algorithm, &tlv::bits(&signature)]))
}

fn entry(revoked: &Revoked) -> Vec<u8> {
    let reason = revoked.reason.enumerated().map(|code| tlv::sequence(&[&tlv::extension(&oid::CRL_REASON, &code)])).unwrap_or_default();
    tlv::sequence(&[&tlv::unsigned(&revoked.serial), &tlv::time(revoked.at), &reason])
}

fn key_id(certificate: &X509Ref) -> Result<&[u8], Error> {
    certificate
        .subject_key_id()
        .map(openssl::asn1::Asn1OctetStringRef::as_slice)
        .ok_or(Error::Unsupported("an authority without a key identifier"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        issue::{issue_device, tests::template},
        testing::{Desk, NOW, authority, rsa},
    };

    #[test]
    fn a_revoked_certificate_fails_and_another_passes() {
        let (ca, desk, key) = (authority(), Desk::new(), rsa());
        let (lost, kept) = (template(), template());
        desk.put_identity("ca", &ca);
        for (name, template) in [("lost.pem", &lost), ("kept.pem", &kept)] {
            desk.put(name, &issue_device(&ca, template, &key).unwrap().to_pem().unwrap());
        }
        let revoked = [Revoked { serial: lost.serial, at: NOW, reason: Reason::KeyCompromise }];
        desk.put("crl.der", &crl(&ca, &revoked, 300, NOW, NOW.plus_days(1)).unwrap());
        let text = desk.run("crl -inform DER -in crl.der -CAfile ca.pem -noout -text");
        for expected in ["verify OK", "Version 2", "Key Compromise", "CRL Number", "300", "Authority Key Identifier"] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }
        desk.run("crl -inform DER -in crl.der -out crl.pem");
        let check = format!("verify -attime {} -crl_check -CRLfile crl.pem -CAfile ca.pem", NOW.seconds());
        desk.run(&format!("{check} kept.pem"));
        let (ok, text) = desk.openssl(&format!("{check} lost.pem"));
        assert!(!ok && text.contains("certificate revoked"), "{text}");
    }

    #[test]
    fn an_empty_list_is_valid() {
        let (ca, desk) = (authority(), Desk::new());
        desk.put_identity("ca", &ca).put("crl.der", &crl(&ca, &[], 0, NOW, NOW.plus_days(1)).unwrap());
        assert!(desk.run("crl -inform DER -in crl.der -CAfile ca.pem -noout -text").contains("No Revoked Certificates"));
    }

    #[test]
    fn a_hundred_thousand_entries_are_read_back() {
        let ca = authority();
        let entry = Revoked { serial: [0x41; 16], at: NOW, reason: Reason::Unspecified };
        let der = crl(&ca, &vec![entry; 100_000], 7, NOW, NOW.plus_days(1)).unwrap();
        let parsed = openssl::x509::X509Crl::from_der(&der).unwrap();
        assert_eq!(parsed.get_revoked().unwrap().len(), 100_000);
        assert!(parsed.verify(&ca.key).unwrap());
    }
}

//! Detached signatures, in two steps so that a caller can keep the public keys it knows: Apple's `Mdm-Signature`.
//!
//! ```text
//! let signature = Detached::open(&header)?;
//! let key = keys.get_or_check(signature.signer_certificate_der())?;   // chain, revocation, device
//! signature.verify(&key, &body)?;
//! ```

use openssl::pkey::{HasPublic, PKeyRef};

use crate::pki::{
    Error,
    algorithm::{Digest, Scheme},
    cms::{
        ber,
        wire::{Attributes, Signed, SignedData},
    },
};

/// A header of four certificates of RSA 4096 is half of this.
pub const MAX_SIGNATURE_BYTES: usize = 32 * 1024;

/// A signature that was read but not checked yet.
#[derive(Debug, Clone)]
pub struct Detached {
    certificate: Vec<u8>,
    content_type: Vec<u8>,
    digest: Digest,
    scheme: Scheme,
    attributes: Option<Vec<u8>>,
    signature: Vec<u8>,
}

impl Detached {
    /// Reads a CMS `SignedData` without content, BER or DER: exactly one signer, at most four certificates, 32 kB.
    pub fn open(message: &[u8]) -> Result<Self, Error> {
        if message.len() > MAX_SIGNATURE_BYTES {
            return Err(Error::TooLarge("the detached signature"));
        }
        let der = ber::to_der(message)?;
        let data = SignedData::parse(&der)?;
        // Content inside would be a second message beside the body, and nobody could say which one was meant.
        if data.content.is_some_and(|content| !content.is_empty()) {
            return Err(Error::Unsupported("a detached signature with content"));
        }
        Self::keep(&data)
    }

    /// Keeps of a message what is needed to check its signature later.
    pub(super) fn keep(data: &SignedData<'_>) -> Result<Self, Error> {
        Ok(Self {
            certificate: data.signer_certificate()?.to_vec(),
            content_type: data.content_type.to_vec(),
            digest: data.signer.digest,
            scheme: data.signer.scheme,
            attributes: data.signer.attributes.map(|attributes| attributes.0.to_vec()),
            signature: data.signer.signature.to_vec(),
        })
    }

    /// The certificate that the signer says is its own, byte for byte as it came. Not verified in any way.
    #[must_use]
    pub fn signer_certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The digest the signer used.
    ///
    /// SHA-1 is accepted by [`verify`](Self::verify): old iOS versions sign `Mdm-Signature` with it. To misuse that one
    /// would need a second message with the digest of one that a device signed by itself (a second preimage); what is
    /// broken of SHA-1 are collisions, which need a signer who signs what the attacker made up. A caller that has only
    /// newer devices can refuse by this.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Checks that `key` signed `body`: digest, content type, and the signature over the signed attributes (or over the
    /// body, if there are none). RSA (PKCS#1 v1.5 and PSS) and ECDSA with SHA-1, SHA-256, SHA-384 or SHA-512.
    pub fn verify<T: HasPublic>(&self, key: &PKeyRef<T>, body: &[u8]) -> Result<(), Error> {
        let signed = Signed {
            content_type: &self.content_type,
            digest: self.digest,
            scheme: self.scheme,
            attributes: self.attributes.as_deref().map(Attributes),
            signature: &self.signature,
        };
        signed.verify(key, body)
    }
}

#[cfg(test)]
mod tests {
    use openssl::{
        ec::{EcGroup, EcKey},
        nid::Nid,
        pkey::PKey,
    };

    use super::*;
    use crate::pki::{
        Identity,
        cms::ber::tests::streamed,
        testing::{Desk, rsa, self_signed},
    };

    fn ec() -> PKey<openssl::pkey::Private> {
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap()).unwrap()
    }

    fn desk(key: PKey<openssl::pkey::Private>) -> (Desk, Identity) {
        let (desk, identity) = (Desk::new(), Identity { certificate: self_signed(&key), key });
        desk.put_identity("me", &identity).put("body", b"<plist>\n\n</plist>\n");
        (desk, identity)
    }

    const BODY: &[u8] = b"<plist>\n\n</plist>\n";

    #[test]
    fn signatures_of_every_accepted_kind_are_verified() {
        let kinds = ["", "-md sha1", "-md sha384", "-md sha512", "-noattr", "-keyid", "-nosmimecap -cades"];
        for key in [rsa(), ec()] {
            let (desk, me) = desk(key);
            for kind in kinds {
                desk.run(&format!("cms -sign -binary -signer me.pem -inkey me.key -in body -outform DER -out sig {kind}"));
                let signature = Detached::open(&desk.get("sig")).unwrap();
                assert_eq!(signature.signer_certificate_der(), me.certificate.to_der().unwrap());
                signature.verify(&me.key, BODY).unwrap();
                Detached::open(&streamed(&desk.get("sig"))).unwrap().verify(&me.key, BODY).unwrap();
                assert!(signature.verify(&me.key, b"<plist>\r\n\r\n</plist>\r\n").is_err(), "{kind}: another body");
                assert!(signature.verify(&rsa(), BODY).is_err(), "{kind}: another key");
            }
        }
    }

    #[test]
    fn rsa_pss_is_verified() {
        let (desk, me) = desk(rsa());
        desk.run("cms -sign -binary -md sha512 -signer me.pem -inkey me.key -keyopt rsa_padding_mode:pss -in body -outform DER -out sig");
        Detached::open(&desk.get("sig")).unwrap().verify(&me.key, BODY).unwrap();
    }

    #[test]
    fn stripped_attributes_do_not_become_a_message() {
        use crate::pki::tlv::{self, tag};
        let (desk, me) = desk(rsa());
        desk.run("cms -sign -binary -signer me.pem -inkey me.key -in body -outform DER -out sig");
        let mut signature = Detached::open(&desk.get("sig")).unwrap();
        let body = tlv::element(tag::SET, &[&signature.attributes.take().unwrap()]);
        assert!(matches!(signature.verify(&me.key, &body), Err(Error::BadSignature)));
    }

    #[test]
    fn messages_with_content_and_with_two_signers_are_refused() {
        let (desk, _) = desk(rsa());
        let key = rsa();
        desk.put_identity("you", &Identity { certificate: self_signed(&key), key });
        desk.run("cms -sign -binary -nodetach -signer me.pem -inkey me.key -in body -outform DER -out sig");
        assert!(matches!(Detached::open(&desk.get("sig")), Err(Error::Unsupported(_))));
        desk.run("cms -sign -binary -signer me.pem -inkey me.key -signer you.pem -inkey you.key -in body -outform DER -out sig");
        assert!(matches!(Detached::open(&desk.get("sig")), Err(Error::TooLarge(_))));
        desk.run("cms -sign -binary -md md5 -signer me.pem -inkey me.key -in body -outform DER -out sig");
        assert!(matches!(Detached::open(&desk.get("sig")), Err(Error::Unsupported(_))));
    }

    #[test]
    fn truncations_and_flipped_bytes_never_pass() {
        let (desk, me) = desk(rsa());
        desk.run("cms -sign -binary -nocerts -signer me.pem -inkey me.key -in body -outform DER -out sig");
        assert!(Detached::open(&desk.get("sig")).is_err(), "no certificate to know the signer by");
        desk.run("cms -sign -binary -signer me.pem -inkey me.key -in body -outform DER -out sig");
        for whole in [desk.get("sig"), streamed(&desk.get("sig"))] {
            for end in 0..whole.len() {
                assert!(Detached::open(&whole[..end]).is_err(), "cut at {end}");
            }
            for at in 0..whole.len() {
                let mut bad = whole.clone();
                bad[at] ^= 0x04;
                if let Ok(signature) = Detached::open(&bad)
                    && signature.verify(&me.key, BODY).is_ok()
                {
                    // Bytes that no signature covers (versions, certificate, unused lists) may change; the body is still proved.
                    assert!(signature.verify(&me.key, b"other").is_err());
                }
            }
        }
    }

    #[test]
    fn ten_thousand_certificates_are_refused_at_the_fifth() {
        use crate::pki::{oid, tlv};
        let certificates = tlv::element(tlv::tag::context(0), &[&[0x30, 0x00].repeat(10_000)]);
        let content = tlv::sequence(&[&tlv::oid(&oid::DATA)]);
        let data = tlv::sequence(&[&tlv::unsigned(&[1]), &[0x31, 0], &content, &certificates, &[0x31, 0]]);
        let message = tlv::sequence(&[&tlv::oid(&oid::SIGNED_DATA), &tlv::element(tlv::tag::context(0), &[&data])]);
        assert!(matches!(Detached::open(&message), Err(Error::TooLarge("the number of certificates"))));
        assert!(matches!(Detached::open(&vec![0x30; MAX_SIGNATURE_BYTES + 1]), Err(Error::TooLarge(_))));
    }
}

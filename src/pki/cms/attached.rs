//! Signed messages with their content inside: what Apple devices send in the profile service and in account-driven enrollment.
//!
//! As with [`Detached`], the signature is checked in a second step, by a key whose certificate the caller trusts.

use openssl::pkey::{HasPublic, PKeyRef};

use crate::pki::{
    Error,
    algorithm::Digest,
    cms::{Detached, ber, wire::SignedData},
};

/// A message that was read; nothing in it is proved yet.
#[derive(Debug, Clone)]
pub struct Attached {
    signature: Detached,
    content: Vec<u8>,
    certificates: Vec<Vec<u8>>,
}

impl Attached {
    /// Reads a CMS `SignedData` with content, BER or DER, of at most `limit` bytes: one signer, at most four certificates.
    pub fn open(message: &[u8], limit: usize) -> Result<Self, Error> {
        if message.len() > limit {
            return Err(Error::TooLarge("the signed message"));
        }
        let der = ber::to_der(message)?;
        let data = SignedData::parse(&der)?;
        let content = data.content.ok_or(Error::Unsupported("a signed message without content"))?.to_vec();
        let certificates = data.certificates.iter().map(|certificate| certificate.to_vec()).collect();
        Ok(Self { signature: Detached::keep(&data)?, content, certificates })
    }

    /// The certificate that the signer says is its own, byte for byte as it came. Not verified in any way.
    #[must_use]
    pub fn signer_certificate_der(&self) -> &[u8] {
        self.signature.signer_certificate_der()
    }

    /// All certificates in the message: the signer's and perhaps its issuers'. Not verified in any way.
    #[must_use]
    pub fn certificates_der(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The digest the signer used; see [`Detached::digest`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.signature.digest()
    }

    /// The content, once `key` is shown to have signed it.
    pub fn verify<T: HasPublic>(&self, key: &PKeyRef<T>) -> Result<&[u8], Error> {
        self.signature.verify(key, &self.content)?;
        Ok(&self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        Identity,
        cms::{ber::tests::streamed, sign_attached},
        testing::{Desk, rsa, self_signed},
    };

    #[test]
    fn content_is_given_only_to_the_right_key() {
        let key = rsa();
        let (desk, me) = (Desk::new(), Identity { certificate: self_signed(&key), key });
        desk.put_identity("me", &me).put("body", b"<plist/>\n");
        desk.run("cms -sign -binary -nodetach -stream -signer me.pem -inkey me.key -in body -outform DER -out signed");
        let ours = sign_attached(b"<plist/>\n", &me, &[]).unwrap();
        for message in [desk.get("signed"), streamed(&ours), ours] {
            let opened = Attached::open(&message, 10_000).unwrap();
            assert_eq!(opened.verify(&me.key).unwrap(), b"<plist/>\n");
            assert!(opened.verify(&rsa()).is_err());
            assert_eq!(opened.certificates_der(), [me.certificate.to_der().unwrap()]);
            assert!(matches!(Attached::open(&message, 100), Err(Error::TooLarge(_))));
        }
    }

    #[test]
    fn a_message_without_content_is_refused() {
        let key = rsa();
        let (desk, me) = (Desk::new(), Identity { certificate: self_signed(&key), key });
        desk.put_identity("me", &me).put("body", b"x");
        desk.run("cms -sign -binary -signer me.pem -inkey me.key -in body -outform DER -out signed");
        assert!(matches!(Attached::open(&desk.get("signed"), 10_000), Err(Error::Unsupported(_))));
    }
}

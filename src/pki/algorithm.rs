//! Digests and signature schemes that are accepted, and how one is checked or made.

use der::oid::ObjectIdentifier;
use openssl::{
    hash::{DigestBytes, Hasher, MessageDigest},
    pkey::{HasPrivate, HasPublic, Id, PKeyRef},
    rsa::Padding,
    sign::{RsaPssSaltlen, Signer, Verifier},
};

use crate::pki::{
    During, Error, oid,
    tlv::{self, Reader, Tlv, tag},
};

/// A digest that messages may be signed with. MD5 is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-1: broken against collisions, tolerated where a caller says so.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How a signature is computed from a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    RsaPkcs1,
    RsaPss,
    Ecdsa,
}

impl Digest {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    pub(crate) const fn identifier(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        }
    }

    pub(crate) const fn with_rsa(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => oid::RSA_SHA1,
            Self::Sha256 => oid::RSA_SHA256,
            Self::Sha384 => oid::RSA_SHA384,
            Self::Sha512 => oid::RSA_SHA512,
        }
    }

    pub(crate) const fn with_ecdsa(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => oid::ECDSA_SHA1,
            Self::Sha256 => oid::ECDSA_SHA256,
            Self::Sha384 => oid::ECDSA_SHA384,
            Self::Sha512 => oid::ECDSA_SHA512,
        }
    }

    pub(crate) fn from_identifier(identifier: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.identifier().as_bytes() == identifier)
    }

    /// OpenSSL's name for it.
    #[must_use]
    pub fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    pub(crate) fn of(self, bytes: &[u8]) -> Result<DigestBytes, Error> {
        let mut hasher = Hasher::new(self.message_digest()).during("start a digest")?;
        hasher.update(bytes).during("compute a digest")?;
        hasher.finish().during("finish a digest")
    }

    /// The `AlgorithmIdentifier` of this digest.
    pub(crate) fn algorithm(self) -> Vec<u8> {
        tlv::sequence(&[&tlv::oid(&self.identifier()), &[tag::NULL, 0]])
    }
}

/// The scheme that a signature's `AlgorithmIdentifier` names, which must agree with the digest beside it.
///
/// Some encoders name the key (`rsaEncryption`, `id-ecPublicKey`) instead of the signature; both are accepted.
pub(crate) fn scheme(identifier: &[u8], parameters: Option<Tlv<'_>>, digest: Digest) -> Result<Scheme, Error> {
    let is = |known: ObjectIdentifier| known.as_bytes() == identifier;
    if is(oid::RSA) || is(digest.with_rsa()) {
        Ok(Scheme::RsaPkcs1)
    } else if is(oid::EC_KEY) || is(digest.with_ecdsa()) {
        Ok(Scheme::Ecdsa)
    } else if is(oid::RSA_PSS) && pss_digest(parameters)? == digest {
        Ok(Scheme::RsaPss)
    } else {
        Err(Error::Unsupported("the signature algorithm"))
    }
}

/// The digest of `RSASSA-PSS-params` (RFC 4055, section 3.1), which its mask generation must share.
fn pss_digest(parameters: Option<Tlv<'_>>) -> Result<Digest, Error> {
    const UNSUPPORTED: Error = Error::Unsupported("the RSA-PSS digest");
    let Some(parameters) = parameters.filter(|found| found.tag == tag::SEQUENCE) else { return Err(UNSUPPORTED) };
    let mut reader = Reader::new("the RSA-PSS parameters", parameters.value);
    let Some(named) = reader.maybe(tag::context(0))? else { return Ok(Digest::Sha1) };
    let digest = Digest::from_identifier(reader.inside(&named).algorithm()?.0).ok_or(UNSUPPORTED)?;
    let Some(mask) = reader.maybe(tag::context(1))? else { return Err(UNSUPPORTED) };
    let (_, mask) = reader.inside(&mask).algorithm()?;
    let Some(mask) = mask.filter(|found| found.tag == tag::SEQUENCE) else { return Err(UNSUPPORTED) };
    let named = reader.inside(&mask).take(tag::OID)?;
    if named.value == digest.identifier().as_bytes() { Ok(digest) } else { Err(UNSUPPORTED) }
}

/// Checks a signature over `parts`, one after the other. Any fault of the signature itself is [`Error::BadSignature`].
pub(crate) fn verify<T: HasPublic>(
    scheme: Scheme,
    digest: Digest,
    key: &PKeyRef<T>,
    parts: &[&[u8]],
    signature: &[u8],
) -> Result<(), Error> {
    let wanted = if scheme == Scheme::Ecdsa { Id::EC } else { Id::RSA };
    if key.id() != wanted {
        return Err(Error::BadSignature);
    }
    let mut verifier = Verifier::new(digest.message_digest(), key).during("prepare to check a signature")?;
    if scheme == Scheme::RsaPss {
        verifier.set_rsa_padding(Padding::PKCS1_PSS).during("choose RSA-PSS")?;
        // When checking, this value means: whatever length of salt the signer chose.
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::MAXIMUM_LENGTH).during("choose the length of the salt")?;
        verifier.set_rsa_mgf1_md(digest.message_digest()).during("choose the mask digest")?;
    }
    for part in parts {
        verifier.update(part).during("check a signature")?;
    }
    // An undecodable signature is an error to OpenSSL and a wrong signature to us.
    if verifier.verify(signature).unwrap_or(false) { Ok(()) } else { Err(Error::BadSignature) }
}

/// Signs `bytes` with an RSA (PKCS#1 v1.5) or EC key; gives the `AlgorithmIdentifier` and the signature.
pub(crate) fn sign<T: HasPrivate>(digest: Digest, key: &PKeyRef<T>, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let algorithm = algorithm_for(digest, key)?;
    let mut signer = Signer::new(digest.message_digest(), key).during("prepare to sign")?;
    let signature = signer.sign_oneshot_to_vec(bytes).during("sign")?;
    Ok((algorithm, signature))
}

/// The `AlgorithmIdentifier` that [`sign`] will give for this key.
pub(crate) fn algorithm_for<T: HasPrivate>(digest: Digest, key: &PKeyRef<T>) -> Result<Vec<u8>, Error> {
    match key.id() {
        Id::RSA => Ok(tlv::sequence(&[&tlv::oid(&digest.with_rsa()), &[tag::NULL, 0]])),
        Id::EC => Ok(tlv::sequence(&[&tlv::oid(&digest.with_ecdsa())])),
        _ => Err(Error::Unsupported("the kind of the signing key")),
    }
}

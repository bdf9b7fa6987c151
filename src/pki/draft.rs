//! One way to put a certificate together, for every kind that is issued here.

use openssl::{
    asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time},
    bn::BigNum,
    hash::MessageDigest,
    nid::Nid,
    pkey::{HasPrivate, HasPublic, PKeyRef, Private},
    x509::{
        X509, X509Builder, X509Extension, X509Name, X509Ref,
        extension::{AuthorityKeyIdentifier, SubjectKeyIdentifier},
    },
};

use crate::{
    domain::time::Timestamp,
    pki::{During, Error, tlv},
};

/// Longest common name and organization (RFC 5280, appendix A: `ub-common-name`, `ub-organization-name`).
const NAME_LIMIT: usize = 64;

/// A certificate before it is signed.
pub(crate) struct Draft {
    pub(crate) subject: X509Name,
    pub(crate) serial: [u8; 16],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) extensions: Vec<X509Extension>,
}

impl Draft {
    /// Certifies `key` by the issuer's certificate and key. The certificate never outlives its issuer.
    pub(crate) fn sign<K: HasPublic>(self, key: &PKeyRef<K>, issuer: &X509Ref, issuer_key: &PKeyRef<Private>) -> Result<X509, Error> {
        let mut builder = self.start(key)?;
        builder.set_issuer_name(issuer.subject_name()).during("set the issuer")?;
        let not_after = asn1_time(self.not_after)?;
        if *issuer.not_after() < not_after {
            builder.set_not_after(issuer.not_after()).during("set the end of validity")?;
        }
        let authority = {
            let context = builder.x509v3_context(Some(issuer), None);
            AuthorityKeyIdentifier::new().keyid(true).build(&context).during("name the authority's key")?
        };
        builder.append_extension(authority).during("add an extension")?;
        self.finish(builder, issuer_key)
    }

    /// A certificate that vouches for itself.
    pub(crate) fn self_sign(self, key: &PKeyRef<Private>) -> Result<X509, Error> {
        let mut builder = self.start(key)?;
        builder.set_issuer_name(&self.subject).during("set the issuer")?;
        self.finish(builder, key)
    }

    fn start<K: HasPublic>(&self, key: &PKeyRef<K>) -> Result<X509Builder, Error> {
        let mut builder = X509Builder::new().during("start a certificate")?;
        builder.set_version(2).during("set the version")?;
        let serial =
            BigNum::from_slice(&self.serial).and_then(|number| Asn1Integer::from_bn(&number)).during("encode the serial number")?;
        builder.set_serial_number(&serial).during("set the serial number")?;
        builder.set_subject_name(&self.subject).during("set the subject")?;
        builder.set_not_before(&*asn1_time(self.not_before)?).during("set the start of validity")?;
        builder.set_not_after(&*asn1_time(self.not_after)?).during("set the end of validity")?;
        builder.set_pubkey(key).during("set the public key")?;
        Ok(builder)
    }

    fn finish<K: HasPrivate>(self, mut builder: X509Builder, key: &PKeyRef<K>) -> Result<X509, Error> {
        let subject_key = {
            let context = builder.x509v3_context(None, None);
            SubjectKeyIdentifier::new().build(&context).during("name the subject's key")?
        };
        builder.append_extension(subject_key).during("add an extension")?;
        for extension in self.extensions {
            builder.append_extension(extension).during("add an extension")?;
        }
        builder.sign(key, MessageDigest::sha256()).during("sign a certificate")?;
        Ok(builder.build())
    }
}

/// A name of organization and common name, each cut at 64 characters, empty ones left out.
pub(crate) fn name(organization: &str, common_name: &str) -> Result<X509Name, Error> {
    let mut builder = X509Name::builder().during("start a name")?;
    for (field, text) in [(Nid::ORGANIZATIONNAME, organization), (Nid::COMMONNAME, common_name)] {
        let text: String = text.chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect();
        if !text.is_empty() {
            builder.append_entry_by_nid(field, &text).during("write a name")?;
        }
    }
    Ok(builder.build())
}

/// An extension whose content is DER already.
pub(crate) fn extension(identifier: &der::oid::ObjectIdentifier, critical: bool, content: &[u8]) -> Result<X509Extension, Error> {
    let object = Asn1Object::from_str(&identifier.to_string()).during("name an extension")?;
    let content = Asn1OctetString::new_from_bytes(content).during("wrap an extension")?;
    X509Extension::new_from_der(&object, critical, &content).during("make an extension")
}

/// `GeneralName` of an ASCII kind: `[1]` mail address, `[2]` host name, `[6]` URL.
pub(crate) fn general_name(kind: u8, text: &str) -> Result<Vec<u8>, Error> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Unsupported("a name that is not plain ASCII"));
    }
    Ok(tlv::element(tlv::tag::context_primitive(kind), &[text.as_bytes()]))
}

pub(crate) fn asn1_time(at: Timestamp) -> Result<Asn1Time, Error> {
    Asn1Time::from_unix(at.seconds()).during("encode a time")
}

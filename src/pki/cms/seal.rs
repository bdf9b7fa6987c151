//! Signed messages made here: configuration profiles, bundles of certificates, and messages with attributes of their own.

use openssl::{
    pkcs7::{Pkcs7, Pkcs7Flags},
    pkey::Id,
    stack::Stack,
    x509::{X509, X509Ref},
};

use crate::pki::{
    During, Error, Identity,
    algorithm::{self, Digest},
    oid,
    tlv::{self, tag},
};

/// Signs `content` with SHA-256 and encloses it: the form of a signed `.mobileconfig`.
///
/// `chain` holds the certificates between the signer and a root the device knows, without that root.
pub fn sign_attached(content: &[u8], signer: &Identity, chain: &[X509]) -> Result<Vec<u8>, Error> {
    let mut others = Stack::new().during("gather certificates")?;
    for certificate in chain {
        others.push(certificate.clone()).during("gather certificates")?;
    }
    // Without BINARY line ends would be rewritten; the list of S/MIME capabilities is of no use here.
    let flags = Pkcs7Flags::BINARY | Pkcs7Flags::NOSMIMECAP;
    Pkcs7::sign(&signer.certificate, &signer.key, &others, content, flags).and_then(|message| message.to_der()).during("sign a message")
}

/// A CMS message that carries certificates and nothing else (RFC 8894, section 3.4: degenerate, "certs-only").
///
/// They stay in the order given, as PKCS#7 had it: DER would sort the set, but clients take the first for theirs.
pub fn certificates_only(certificates: &[&X509Ref]) -> Result<Vec<u8>, Error> {
    let content = tlv::sequence(&[&tlv::oid(&oid::DATA)]);
    let none = tlv::set_of::<Vec<u8>>(tag::SET, &[]);
    let data = tlv::sequence(&[&tlv::unsigned(&[1]), &none, &content, &certificate_set(certificates)?, &none]);
    Ok(wrap(&data))
}

/// Signs `content` (or nothing at all) together with `attributes`, each a DER `Attribute`; content type and digest are added.
pub(crate) fn sign_with_attributes(
    content: Option<&[u8]>,
    mut attributes: Vec<Vec<u8>>,
    signer: &Identity,
    others: &[&X509Ref],
    digest: Digest,
) -> Result<Vec<u8>, Error> {
    attributes.push(attribute(&oid::CONTENT_TYPE, &tlv::oid(&oid::DATA)));
    attributes.push(attribute(&oid::MESSAGE_DIGEST, &tlv::octets(&digest.of(content.unwrap_or_default())?)));
    let (mut algorithm, signature) = algorithm::sign(digest, &signer.key, &tlv::set_of(tag::SET, &attributes))?;
    // RFC 5754, section 3.2: every receiver must know this name of an RSA signature, the others are optional.
    if signer.key.id() == Id::RSA {
        algorithm = tlv::sequence(&[&tlv::oid(&oid::RSA), &[tag::NULL, 0]]);
    }
    let certificate = &signer.certificate;
    let issuer = certificate.issuer_name().to_der().during("encode the issuer")?;
    let serial = certificate.serial_number().to_bn().during("read the serial number")?.to_vec();
    let signer_info = tlv::sequence(&[
        &tlv::unsigned(&[1]),
        &tlv::sequence(&[&issuer, &tlv::unsigned(&serial)]),
        &digest.algorithm(),
        &tlv::set_of(tag::context(0), &attributes),
        &algorithm,
        &tlv::octets(&signature),
    ]);
    let enclosed = content.map(|content| tlv::element(tag::context(0), &[&tlv::octets(content)])).unwrap_or_default();
    let mut certificates: Vec<&X509Ref> = vec![certificate];
    certificates.extend(others);
    let data = tlv::sequence(&[
        &tlv::unsigned(&[1]),
        &tlv::set_of(tag::SET, &[digest.algorithm()]),
        &tlv::sequence(&[&tlv::oid(&oid::DATA), &enclosed]),
        &certificate_set(&certificates)?,
        &tlv::set_of(tag::SET, &[signer_info]),
    ]);
    Ok(wrap(&data))
}

/// An `Attribute` with one value, which is DER already.
pub(crate) fn attribute(identifier: &der::oid::ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    tlv::sequence(&[&tlv::oid(identifier), &tlv::element(tag::SET, &[value])])
}

fn certificate_set(certificates: &[&X509Ref]) -> Result<Vec<u8>, Error> {
    let encoded: Vec<Vec<u8>> = certificates.iter().map(|one| one.to_der()).collect::<Result<_, _>>().during("encode a certificate")?;
    let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    Ok(tlv::element(tag::context(0), &encoded))
}

fn wrap(data: &[u8]) -> Vec<u8> {
    tlv::sequence(&[&tlv::oid(&oid::SIGNED_DATA), &tlv::element(tag::context(0), &[data])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{
        ca,
        testing::{Desk, NOW, authority},
    };

    #[test]
    fn a_signed_profile_verifies_and_keeps_every_byte() {
        let (ca, desk) = (authority(), Desk::new());
        let signer = ca::issue_profile_signer(&ca, "Example", NOW).unwrap();
        let profile = b"<plist>\n<string>\xc3\xbc</string>\r\n</plist>";
        let message = sign_attached(profile, &signer, &[]).unwrap();
        desk.put_identity("ca", &ca).put("signed", &message);
        let at = NOW.seconds();
        for tool in ["smime -verify -binary", "cms -verify -binary"] {
            desk.run(&format!("{tool} -attime {at} -inform DER -in signed -CAfile ca.pem -out content"));
            assert_eq!(desk.get("content"), profile);
        }
    }

    #[test]
    fn a_bundle_of_certificates_is_read_by_others() {
        let (ca, desk) = (authority(), Desk::new());
        let ra = ca::issue_registration_authority(&ca, "Example", NOW).unwrap();
        desk.put("bundle", &certificates_only(&[&ca.certificate, &ra.certificate]).unwrap());
        let text = desk.run("pkcs7 -inform DER -in bundle -print_certs");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2);
    }

    #[test]
    fn a_message_with_attributes_verifies() {
        let (ca, desk) = (authority(), Desk::new());
        let signer = ca::issue_profile_signer(&ca, "Example", NOW).unwrap();
        let extra = attribute(&oid::SCEP_PKI_STATUS, &tlv::element(tag::PRINTABLE_STRING, &[b"0"]));
        for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha512] {
            let message = sign_with_attributes(Some(b"content"), vec![extra.clone()], &signer, &[], digest).unwrap();
            desk.put_identity("ca", &ca).put("signed", &message);
            desk.run(&format!("cms -verify -binary -attime {} -inform DER -in signed -CAfile ca.pem -out content", NOW.seconds()));
            assert_eq!(desk.get("content"), b"content");
        }
    }
}

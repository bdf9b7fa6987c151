//! The rehearsal's certificate authority: a CA and its registrar, who answer SCEP as RFC 8894 asks.

use der::asn1::{Any, OctetString};
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    pkcs7::{Pkcs7, Pkcs7Flags},
    pkey::{PKey, Public},
    stack::Stack,
    x509::{
        X509, X509Builder, X509NameRef, X509Req,
        extension::{BasicConstraints, KeyUsage},
    },
};

use crate::simulator::{
    cms,
    keychain::{Attribute, Identity, name, printable, rsa_key},
    scep::{FAIL_INFO, MESSAGE_TYPE, PKI_STATUS, RECIPIENT_NONCE, SENDER_NONCE, TRANSACTION_ID},
};

/// A CA, its registrar, and the one challenge that is good.
#[derive(Debug)]
pub(in crate::simulator) struct Authority {
    pub(in crate::simulator) ca: Identity,
    pub(in crate::simulator) registrar: Identity,
    pub(in crate::simulator) challenge: &'static str,
}

impl Authority {
    pub(in crate::simulator) fn new(challenge: &'static str) -> Self {
        let subject = |text: &str| name(&[("CN".to_owned(), text.to_owned())]).unwrap();
        let key = rsa_key(2048).unwrap();
        let public = PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap();
        let blank = Identity::self_signed(key.clone(), &subject("CA"), 1).unwrap();
        let ca = Identity { certificate: certify(&blank, &public, &subject("CA"), true), key };
        let key = rsa_key(2048).unwrap();
        let public = PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap();
        let registrar = Identity { certificate: certify(&ca, &public, &subject("RA"), false), key };
        Self { ca, registrar, challenge }
    }

    /// Answers a request: message types 19 with the challenge and 17 signed by one of our own.
    pub(in crate::simulator) fn answer(&self, message: &[u8]) -> Vec<u8> {
        let signers = cms::certificates(message).unwrap();
        let opened = cms::open_with_attributes(message, &signers).unwrap();
        let csr = cms::decrypt(opened.content.as_ref().unwrap(), &self.registrar).unwrap();
        let request = X509Req::from_der(&csr).unwrap();
        let key = request.public_key().unwrap();
        assert!(request.verify(&key).unwrap());
        let ours = signers[0].verify(&self.ca.key).unwrap();
        let challenged = csr.windows(self.challenge.len()).any(|window| window == self.challenge.as_bytes());
        let good = match opened.attribute(MESSAGE_TYPE).unwrap() {
            b"19" => challenged && signers[0].public_key().unwrap().public_eq(&key),
            b"17" => ours && !signers[0].public_key().unwrap().public_eq(&key),
            _ => false,
        };
        let (transaction, nonce) = (opened.attribute(TRANSACTION_ID).unwrap(), &opened.attribute(SENDER_NONCE).unwrap());
        if !good {
            return reply(&self.registrar, transaction, nonce, "2", b"");
        }
        let issued = certify(&self.ca, &key, request.subject_name(), false);
        let sealed = cms::encrypt(&bag(&[&issued]), &signers[0]).unwrap();
        reply(&self.registrar, transaction, nonce, "0", &sealed)
    }
}

/// A signed `CertRep`.
pub(in crate::simulator) fn reply(registrar: &Identity, transaction: &[u8], nonce: &[u8], status: &str, content: &[u8]) -> Vec<u8> {
    let nonce = OctetString::new(nonce).unwrap();
    let transaction = std::str::from_utf8(transaction).unwrap();
    let attributes = vec![
        Attribute::one(MESSAGE_TYPE, printable("3").unwrap()).unwrap(),
        Attribute::one(PKI_STATUS, printable(status).unwrap()).unwrap(),
        Attribute::one(FAIL_INFO, printable("2").unwrap()).unwrap(),
        Attribute::one(TRANSACTION_ID, printable(transaction).unwrap()).unwrap(),
        Attribute::one(RECIPIENT_NONCE, Any::encode_from(&nonce).unwrap()).unwrap(),
    ];
    cms::sign_with_attributes(content, attributes, registrar).unwrap()
}

/// A message whose only use are the certificates in it.
pub(in crate::simulator) fn bag(of: &[&X509]) -> Vec<u8> {
    let mut stack = Stack::new().unwrap();
    for certificate in of {
        stack.push((*certificate).clone()).unwrap();
    }
    let nobody = Identity::stranger("bag").unwrap();
    Pkcs7::sign(&nobody.certificate, &nobody.key, &stack, b"", Pkcs7Flags::empty()).unwrap().to_der().unwrap()
}

fn certify(issuer: &Identity, key: &PKey<Public>, subject: &X509NameRef, is_ca: bool) -> X509 {
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::ONE, false).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    let mut usage = KeyUsage::new();
    if is_ca {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature().key_encipherment();
    }
    builder.append_extension(usage.critical().build().unwrap()).unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    builder.build()
}

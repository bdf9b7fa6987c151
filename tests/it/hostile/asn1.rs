//! DER and CMS that no honest software would write.

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    x509::{X509, X509Builder},
};

use enlist::simulator::keychain::Identity;

const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SHA256: &[u8] = &[0x30, 11, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const RSA: &[u8] = &[0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// One element around these pieces.
pub fn element(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let content = pieces.concat();
    let length = u32::try_from(content.len()).unwrap();
    let head = match length {
        0..0x80 => vec![tag, length.to_be_bytes()[3]],
        0x80..0x1_0000 => [&[tag, 0x82], &length.to_be_bytes()[2..]].concat(),
        _ => [&[tag, 0x84], length.to_be_bytes().as_slice()].concat(),
    };
    [head, content].concat()
}

/// Signed data of these certificates and these signers, the content in it or apart.
pub fn signed_data(content: Option<&[u8]>, certificates: &[Vec<u8>], signers: &[Vec<u8>]) -> Vec<u8> {
    let content = content.map(|content| element(0xa0, &[&element(0x04, &[content])])).unwrap_or_default();
    let inner = element(0x30, &[DATA, &content]);
    let (certificates, signers) = (element(0xa0, &[&certificates.concat()]), element(0x31, &[&signers.concat()]));
    let signed = element(0x30, &[&[2, 1, 1], &element(0x31, &[SHA256]), &inner, &certificates, &signers]);
    element(0x30, &[SIGNED_DATA, &element(0xa0, &[&signed])])
}

/// A signer by the name of this certificate, with this as the signature.
pub fn signer(certificate: &X509, signature: &[u8]) -> Vec<u8> {
    let serial = certificate.serial_number().to_bn().unwrap().to_vec();
    let serial = element(0x02, &[&[0], &serial]);
    let issuer = certificate.issuer_name().to_der().unwrap();
    element(0x30, &[&[2, 1, 1], &element(0x30, &[&issuer, &serial]), SHA256, RSA, &element(0x04, &[signature])])
}

/// A certificate for an RSA key of such a modulus and exponent.
pub fn certificate_of(modulus: BigNum, exponent: BigNum) -> X509 {
    let key = PKey::from_rsa(Rsa::from_public_components(modulus, exponent).unwrap()).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let maker = Identity::stranger("giant").unwrap();
    builder.set_issuer_name(maker.certificate.subject_name()).unwrap();
    builder.set_subject_name(maker.certificate.subject_name()).unwrap();
    builder.sign(&maker.key, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A number of so many bytes, all bits set.
pub fn number(bytes: usize) -> BigNum {
    BigNum::from_slice(&vec![0xff; bytes]).unwrap()
}

/// Bytes with names that are no message, none longer than `limit`.
pub fn rubbish(limit: usize) -> Vec<(&'static str, Vec<u8>)> {
    let nested = (0..limit / 8).fold(Vec::new(), |inner, _| if inner.len() + 8 > limit { inner } else { element(0x30, &[&inner]) });
    vec![
        ("nothing", Vec::new()),
        ("one byte", vec![0x30]),
        ("ones", vec![0xff; limit.min(2000)]),
        ("a length of 2^31", [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], [0; 64].as_slice()].concat()),
        ("a length of 2^64", [&[0x30, 0x88], [0xff; 72].as_slice()].concat()),
        ("a length of 127 bytes", [&[0x30, 0xff], [0xff; 200].as_slice()].concat()),
        ("indefinite lengths without end", [0x30, 0x80].repeat(limit / 2)),
        ("indefinite octet strings without end", [0x24, 0x80].repeat(limit / 2)),
        ("sequences as deep as fits", nested),
        ("signed data with nothing in it", signed_data(None, &[], &[])),
        ("signed data with a tag of many bytes", [&[0x3f], vec![0xff; limit.min(1000)].as_slice(), &[0x7f, 0]].concat()),
    ]
}

/// Signed data with names, of hostile certificates and signers, over this content.
pub fn signed(content: Option<&[u8]>) -> Vec<(&'static str, Vec<u8>)> {
    let stranger = Identity::stranger("stranger").unwrap();
    let own = stranger.certificate.to_der().unwrap();
    let info = signer(&stranger.certificate, &[1; 256]);
    let giant = |modulus, exponent| {
        let certificate = certificate_of(modulus, exponent);
        signed_data(content, &[certificate.to_der().unwrap()], &[signer(&certificate, &[1; 256])])
    };
    let three = || BigNum::from_u32(3).unwrap();
    vec![
        ("a wrong signature", signed_data(content, std::slice::from_ref(&own), std::slice::from_ref(&info))),
        ("a signer without a certificate", signed_data(content, &[], std::slice::from_ref(&info))),
        ("no signer", signed_data(content, std::slice::from_ref(&own), &[])),
        ("10,000 empty certificates", signed_data(content, &vec![vec![0x30, 0]; 10_000], std::slice::from_ref(&info))),
        ("10,000 empty signers", signed_data(content, std::slice::from_ref(&own), &vec![vec![0x30, 0]; 10_000])),
        ("40 certificates", signed_data(content, &vec![own.clone(); 40], std::slice::from_ref(&info))),
        ("60 signers", signed_data(content, std::slice::from_ref(&own), &vec![info; 60])),
        ("an RSA key of 16,384 bits", giant(number(2048), three())),
        ("an RSA key of 100,000 bits", giant(number(12_500), three())),
        ("an RSA exponent of 4,096 bits", giant(number(512), number(512))),
        ("an RSA exponent of one", giant(number(256), BigNum::from_u32(1).unwrap())),
        ("an RSA key of 512 bits", giant(number(64), three())),
    ]
}

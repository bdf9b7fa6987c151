//! Writes honest messages for the fuzzer to begin with: `seeds FOLDER` makes a folder for each target, and the keys they fit.

use std::{error::Error, fs, path::Path};

use enlist_fuzz::{domain::time::Timestamp, pki::{Identity, ca}};
use openssl::{
    asn1::Asn1Time,
    cms::{CMSOptions, CmsContentInfo},
    hash::{MessageDigest, hash},
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
    stack::Stack,
    symm::Cipher,
    x509::{X509, X509Builder, X509NameBuilder, X509ReqBuilder},
};

// Without a target the instruments have nothing to report to, and nothing links.
libfuzzer_sys::fuzz_target!(|_data: &[u8]| {});

type Made<T> = Result<T, Box<dyn Error>>;

const OIDS: [&[u8]; 3] = [
    &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x45, 1, 9, 2],
    &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x45, 1, 9, 7],
    &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x45, 1, 9, 5],
];
const SIGNED_DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SHA256: &[u8] = &[0x30, 11, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const RSA: &[u8] = &[0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

fn main() -> Made<()> {
    let folder = std::env::args().nth(1).ok_or("the folder is missing")?;
    let folder = Path::new(&folder);
    let now = Timestamp::from_millis(1_795_305_600_000);
    let authority = ca::create_authority("Example", now)?;
    let ra = ca::issue_registration_authority(&authority, "Example", now)?;
    let (certificate, key) = ra.to_pem()?;
    for target in ["scep_message", "cms_signature", "property_list"] {
        fs::create_dir_all(folder.join(target))?;
    }
    fs::write(folder.join("ra.pem"), certificate)?;
    fs::write(folder.join("ra.key"), key)?;
    let phone = phone()?;
    scep(&folder.join("scep_message"), &ra, &phone)?;
    signatures(&folder.join("cms_signature"), &phone)?;
    lists(&folder.join("property_list"))
}

fn phone() -> Made<Identity> {
    let key = PKey::from_rsa(Rsa::generate(2048)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "phone")?;
    let name = name.build();
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    let (begin, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(3650)?);
    builder.set_not_before(&begin)?;
    builder.set_not_after(&end)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok(Identity { certificate: builder.build(), key })
}

fn request(key: &PKey<Private>) -> Made<Vec<u8>> {
    let mut builder = X509ReqBuilder::new()?;
    builder.set_pubkey(key)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build().to_der()?)
}

fn scep(folder: &Path, ra: &Identity, phone: &Identity) -> Made<()> {
    let request = request(&phone.key)?;
    let mut recipients = Stack::<X509>::new()?;
    recipients.push(ra.certificate.clone())?;
    for (name, kind, cipher) in [("first", "19", Cipher::aes_128_cbc()), ("renewal", "17", Cipher::aes_256_cbc()), ("poll", "20", Cipher::des_ede3_cbc())] {
        let sealed = CmsContentInfo::encrypt(&recipients, &request, cipher, CMSOptions::BINARY)?.to_der()?;
        fs::write(folder.join(name), message(&sealed, kind, phone)?)?;
    }
    fs::write(folder.join("request"), request)?;
    Ok(())
}

/// A SCEP message (RFC 8894, section 3) around a sealed request.
fn message(sealed: &[u8], kind: &str, phone: &Identity) -> Made<Vec<u8>> {
    let [kind_oid, transaction_oid, nonce_oid] = OIDS;
    let digest = hash(MessageDigest::sha256(), sealed)?;
    // In the order in which DER sorts a set.
    let mut attributes = vec![
        attribute(CONTENT_TYPE, DATA),
        attribute(kind_oid, &element(0x13, &[kind.as_bytes()])),
        attribute(nonce_oid, &element(4, &[&[7; 16]])),
        attribute(transaction_oid, &element(0x13, &[b"transaction"])),
        attribute(MESSAGE_DIGEST, &element(4, &[&digest])),
    ];
    attributes.sort();
    let attributes = attributes.concat();
    let mut signer = Signer::new(MessageDigest::sha256(), &phone.key)?;
    let signature = signer.sign_oneshot_to_vec(&element(0x31, &[&attributes]))?;
    let serial = element(2, &[&[0]]);
    let id = element(0x30, &[&phone.certificate.issuer_name().to_der()?, &serial]);
    let info = element(0x30, &[&[2, 1, 1], &id, SHA256, &element(0xa0, &[&attributes]), RSA, &element(4, &[&signature])]);
    let content = element(0x30, &[DATA, &element(0xa0, &[&element(4, &[sealed])])]);
    let certificates = element(0xa0, &[&phone.certificate.to_der()?]);
    let signed = element(0x30, &[&[2, 1, 1], &element(0x31, &[SHA256]), &content, &certificates, &element(0x31, &[&info])]);
    Ok(element(0x30, &[SIGNED_DATA, &element(0xa0, &[&signed])]))
}

fn attribute(oid: &[u8], value: &[u8]) -> Vec<u8> {
    element(0x30, &[&element(6, &[oid]), &element(0x31, &[value])])
}

fn element(tag: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let content = pieces.concat();
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut whole = match content.len() {
        0..0x80 => vec![tag, length[3]],
        0x80..0x1_0000 => vec![tag, 0x82, length[2], length[3]],
        _ => [&[tag, 0x84], length.as_slice()].concat(),
    };
    whole.extend(content);
    whole
}

fn signatures(folder: &Path, phone: &Identity) -> Made<()> {
    let sign = |flags| CmsContentInfo::sign(Some(&phone.certificate), Some(&phone.key), None, Some(b"body"), flags)?.to_der();
    let detached = CMSOptions::BINARY | CMSOptions::DETACHED;
    fs::write(folder.join("detached"), sign(detached)?)?;
    fs::write(folder.join("bare"), sign(detached | CMSOptions::NOATTR)?)?;
    fs::write(folder.join("by-key"), sign(detached | CMSOptions::NOSMIMECAP)?)?;
    fs::write(folder.join("attached"), sign(CMSOptions::BINARY)?)?;
    Ok(())
}

fn lists(folder: &Path) -> Made<()> {
    let mut inner = plist::Dictionary::new();
    inner.insert("PasscodePresent".into(), true.into());
    inner.insert("Battery".into(), 0.5.into());
    inner.insert("Count".into(), 7.into());
    let mut list = plist::Dictionary::new();
    for (key, value) in [
        ("MessageType", "TokenUpdate"),
        ("Status", "Acknowledged"),
        ("UDID", "00008120-0000000000000000"),
        ("Topic", "com.apple.mgmt.Test"),
        ("PushMagic", "magic"),
        ("CommandUUID", "0A11A000-0000-4000-8000-000000000000"),
    ] {
        list.insert(key.into(), value.into());
    }
    list.insert("Token".into(), plist::Value::Data(vec![7; 32]));
    list.insert("SecurityInfo".into(), inner.into());
    list.insert("ErrorChain".into(), plist::Value::Array(vec!["one".into(), 2.into()]));
    let value = plist::Value::from(list);
    value.to_file_xml(folder.join("xml"))?;
    value.to_file_binary(folder.join("binary"))?;
    Ok(())
}

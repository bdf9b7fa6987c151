//! Conversations with the registration authority, honest and otherwise, checked by the `openssl` command.

use openssl::{
    cms::{CMSOptions, CmsContentInfo},
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    stack::Stack,
    x509::X509,
};

use super::*;
use crate::pki::{
    Identity,
    algorithm::Digest,
    ca,
    cms::{ber, ber::tests::streamed, seal, wire::SignedData},
    csr,
    issue::{issue_device, tests::template},
    testing::{Desk, NOW, authority, rsa, self_signed},
    tlv::{self, tag},
};

const ALL: Strength = Strength { allow_sha1: true, allow_3des: true };
const NONE: Strength = Strength { allow_sha1: false, allow_3des: false };

struct Scene {
    desk: Desk,
    ca: Identity,
    ra: Identity,
    me: Identity,
    csr: Vec<u8>,
}

/// A message to be, all of whose parts a test may spoil.
struct Draft<'a> {
    kind: &'a str,
    cipher: Cipher,
    digest: Digest,
    id: Vec<u8>,
    envelope: Option<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let (desk, ca, key) = (Desk::new(), authority(), rsa());
        let ra = ca::issue_registration_authority(&ca, "Example", NOW).unwrap();
        let csr = csr::tests::request(&desk, &key, "challenge");
        desk.put_identity("ca", &ca);
        Self { desk, ca, ra, me: Identity { certificate: self_signed(&key), key }, csr }
    }

    fn envelope(&self, content: &[u8], cipher: Cipher) -> Vec<u8> {
        let mut to = Stack::new().unwrap();
        to.push(self.ra.certificate.clone()).unwrap();
        CmsContentInfo::encrypt(&to, content, cipher.symmetric(), CMSOptions::BINARY).unwrap().to_der().unwrap()
    }

    fn send(&self, draft: &Draft<'_>, signer: &Identity) -> Vec<u8> {
        let envelope = draft.envelope.clone().unwrap_or_else(|| self.envelope(&self.csr, draft.cipher));
        let attributes = vec![
            seal::attribute(&oid::SCEP_MESSAGE_TYPE, &printable(draft.kind)),
            seal::attribute(&oid::SCEP_TRANSACTION_ID, &draft.id),
            seal::attribute(&oid::SCEP_SENDER_NONCE, &tlv::octets(&[7; 16])),
        ];
        seal::sign_with_attributes(Some(&envelope), attributes, signer, &[], draft.digest).unwrap()
    }

    fn refused(&self, message: &[u8], strength: Strength) -> Refusal {
        match open(message, &self.ra, strength) {
            Err(OpenError::Refused(refusal)) => *refusal,
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn draft(kind: &str) -> Draft<'_> {
    Draft { kind, cipher: Cipher::Aes256, digest: Digest::Sha256, id: printable("transaction"), envelope: None }
}

fn printable(text: &str) -> Vec<u8> {
    tlv::element(tag::PRINTABLE_STRING, &[text.as_bytes()])
}

#[test]
fn a_first_enrollment_goes_through_with_every_algorithm() {
    let scene = Scene::new();
    for (cipher, digest) in [
        (Cipher::Aes128, Digest::Sha256),
        (Cipher::Aes192, Digest::Sha384),
        (Cipher::Aes256, Digest::Sha512),
        (Cipher::TripleDes, Digest::Sha1),
    ] {
        let mut draft = draft("19");
        (draft.cipher, draft.digest) = (cipher, digest);
        let request = open(&scene.send(&draft, &scene.me), &scene.ra, ALL).unwrap();
        assert_eq!((request.transaction.id.as_str(), request.cipher, request.transaction.digest), ("transaction", cipher, digest));
        let Asks::Enroll(der) = &request.asks else { panic!("{request:?}") };
        let csr = csr::inspect(der).unwrap();
        assert!(matches!(establish(&request, &csr, &scene.ca.certificate, NOW).unwrap(), Proof::First));
        let issued = issue_device(&scene.ca, &template(), &csr.key).unwrap();
        let answer = seal_success(&request, &scene.ra, &issued, std::slice::from_ref(&scene.ca.certificate)).unwrap();
        read_success(&scene, &answer, &issued);
    }
}

/// Reads the answer as a client does.
fn read_success(scene: &Scene, answer: &[u8], issued: &X509) {
    let desk = &scene.desk;
    desk.put("answer", answer).put_identity("me", &scene.me);
    desk.run(&format!("cms -verify -binary -purpose any -attime {} -inform DER -in answer -CAfile ca.pem -out envelope", NOW.seconds()));
    desk.run("cms -decrypt -binary -inform DER -in envelope -recip me.pem -inkey me.key -out bundle");
    desk.run("pkcs7 -inform DER -in bundle -print_certs -out bundle.pem");
    let certificates = X509::stack_from_pem(&desk.get("bundle.pem")).unwrap();
    assert_eq!(certificates.len(), 2);
    assert_eq!(certificates[0].to_der().unwrap(), issued.to_der().unwrap(), "the new certificate comes first");
    let der = ber::to_der(answer).unwrap();
    let attributes = SignedData::parse(&der).unwrap().signer.attributes.unwrap();
    let value = |identifier| attributes.find(&identifier).unwrap().unwrap().value;
    assert_eq!(value(oid::SCEP_MESSAGE_TYPE), b"3");
    assert_eq!(value(oid::SCEP_PKI_STATUS), b"0");
    assert_eq!(value(oid::SCEP_RECIPIENT_NONCE), [7; 16]);
}

#[test]
fn a_streamed_message_is_opened_like_any_other() {
    let scene = Scene::new();
    let mut draft = draft("19");
    draft.envelope = Some(streamed(&scene.envelope(&scene.csr, Cipher::Aes256)));
    let message = streamed(&scene.send(&draft, &scene.me));
    let request = open(&message, &scene.ra, NONE).unwrap();
    assert!(matches!(request.asks, Asks::Enroll(der) if der == scene.csr));
}

#[test]
fn old_algorithms_are_refused_unless_allowed_and_answered_with_new_ones() {
    let scene = Scene::new();
    let mut draft = draft("19");
    draft.cipher = Cipher::TripleDes;
    assert_eq!(scene.refused(&scene.send(&draft, &scene.me), NONE).fail_info, FailInfo::BadAlg);
    draft.digest = Digest::Sha1;
    let refusal = scene.refused(&scene.send(&draft, &scene.me), NONE);
    assert_eq!((refusal.fail_info, refusal.transaction.digest), (FailInfo::BadAlg, Digest::Sha256));
}

#[test]
fn a_failure_is_signed_and_names_its_reason() {
    let scene = Scene::new();
    let mut draft = draft("18");
    draft.id = tlv::element(tag::UTF8_STRING, &[b"t-1"]);
    let refusal = scene.refused(&scene.send(&draft, &scene.me), NONE);
    let answer = seal_failure(&refusal.transaction, &scene.ra, refusal.fail_info, refusal.text).unwrap();
    scene.desk.put("answer", &answer).put("nothing", b"");
    scene
        .desk
        .run(&format!("cms -verify -binary -purpose any -attime {} -inform DER -in answer -content nothing -CAfile ca.pem", NOW.seconds()));
    let attributes = SignedData::parse(&answer).unwrap().signer.attributes.unwrap();
    let find = |identifier| attributes.find(&identifier).unwrap().unwrap();
    assert_eq!(find(oid::SCEP_PKI_STATUS).value, b"2");
    assert_eq!(find(oid::SCEP_FAIL_INFO).value, b"2");
    assert_eq!(find(oid::SCEP_FAIL_INFO_TEXT).value, refusal.text.as_bytes());
    assert_eq!(find(oid::SCEP_TRANSACTION_ID).whole, draft.id, "the type of the identifier is kept");
}

#[test]
fn every_kind_of_message_but_three_is_refused() {
    let scene = Scene::new();
    for kind in ["0", "1", "3", "18", "21", "22", "23", "019", "19 ", "-19", "", "99999999999999999999", "PKCSReq"] {
        assert_eq!(scene.refused(&scene.send(&draft(kind), &scene.me), ALL).fail_info, FailInfo::BadRequest, "{kind}");
    }
    let asks = |kind| open(&scene.send(&draft(kind), &scene.me), &scene.ra, ALL).unwrap().asks;
    assert!(matches!(asks("17"), Asks::Renew(_)));
    assert!(matches!(asks("19"), Asks::Enroll(_)));
    assert!(matches!(asks("20"), Asks::Poll));
}

#[test]
fn broken_envelopes_cannot_be_told_apart() {
    let scene = Scene::new();
    let good = scene.envelope(&scene.csr, Cipher::Aes256);
    let mut broken = vec![vec![], vec![0x30, 0], good[..good.len() - 16].to_vec(), scene.csr.clone()];
    broken.push(scene.envelope(b"not a request", Cipher::Aes256));
    broken.push(Scene::new().envelope(&scene.csr, Cipher::Aes256));
    for at in [good.len() - 1, good.len() - 20, good.len() / 2, good.len() / 3, 5, 200] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        broken.push(bad);
    }
    for (number, envelope) in broken.into_iter().enumerate() {
        let mut draft = draft("19");
        draft.envelope = Some(envelope);
        if let Err(error) = open(&scene.send(&draft, &scene.me), &scene.ra, ALL) {
            let OpenError::Refused(refusal) = error else { panic!("{number}: {error:?}") };
            assert_eq!((refusal.fail_info, refusal.text), (FailInfo::BadMessageCheck, "the envelope cannot be opened"), "{number}");
        } else {
            // A flipped bit in CBC may leave a request of the right shape; its own signature fails then.
            assert!(number > 5, "{number}");
        }
    }
}

#[test]
fn the_cipher_is_read_from_the_structure_and_not_found_by_chance() {
    let scene = Scene::new();
    // A good cipher is named where the recipient is; the content itself is closed with single DES.
    let recipients = tlv::element(tag::SET, &[&tlv::sequence(&[&tlv::oid(&oid::AES256_CBC)])]);
    let single_des = der::oid::ObjectIdentifier::new_unwrap("1.3.14.3.2.7");
    let content = tlv::sequence(&[&tlv::oid(&oid::DATA), &tlv::sequence(&[&tlv::oid(&single_des)])]);
    let data = tlv::sequence(&[&tlv::unsigned(&[0]), &recipients, &content]);
    let mut draft = draft("19");
    draft.envelope = Some(tlv::sequence(&[&tlv::oid(&oid::ENVELOPED_DATA), &tlv::element(tag::context(0), &[&data])]));
    assert_eq!(scene.refused(&scene.send(&draft, &scene.me), ALL).fail_info, FailInfo::BadAlg);
}

#[test]
fn keys_that_cannot_be_answered_are_refused() {
    let scene = Scene::new();
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let small = openssl::rsa::Rsa::generate(1024).unwrap();
    for key in [PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap(), PKey::from_rsa(small).unwrap()] {
        let weak = Identity { certificate: self_signed(&key), key };
        let refusal = scene.refused(&scene.send(&draft("19"), &weak), ALL);
        assert_eq!(refusal.fail_info, FailInfo::BadAlg, "{}", refusal.text);
    }
}

#[test]
fn the_key_of_another_proves_nothing() {
    let scene = Scene::new();
    let key = rsa();
    let stranger = Identity { certificate: self_signed(&key), key };
    let request = open(&scene.send(&draft("19"), &stranger), &scene.ra, NONE).unwrap();
    let csr = csr::inspect(&scene.csr).unwrap();
    assert!(matches!(establish(&request, &csr, &scene.ca.certificate, NOW), Err(ProofError::OtherKey)));
}

#[test]
fn a_renewal_needs_a_certificate_of_ours_and_says_so_where_that_may_have_ended() {
    let scene = Scene::new();
    let csr = csr::inspect(&scene.csr).unwrap();
    let prove = |kind, signer: &Identity, now| {
        let request = open(&scene.send(&draft(kind), signer), &scene.ra, NONE).unwrap();
        establish(&request, &csr, &scene.ca.certificate, now)
    };
    assert!(matches!(prove("17", &scene.me, NOW), Err(ProofError::NotOurs(_))));
    let key = rsa();
    let mine = Identity { certificate: issue_device(&scene.ca, &template(), &key).unwrap(), key };
    for kind in ["17", "19"] {
        assert!(matches!(prove(kind, &mine, NOW), Ok(Proof::Renewal(old)) if old == mine.certificate), "{kind}");
    }
    let after_the_end = NOW.plus_days(366);
    assert!(matches!(prove("17", &mine, after_the_end), Ok(Proof::Renewal(old)) if old == mine.certificate));
    assert!(prove("19", &mine, after_the_end).is_err(), "a first request is not a renewal then");
    let key = rsa();
    let forged = Identity { certificate: issue_device(&authority(), &template(), &key).unwrap(), key };
    assert!(prove("17", &forged, NOW).is_err() && prove("19", &forged, NOW).is_err());
    assert!(matches!(prove("20", &mine, NOW), Err(ProofError::NoRequest)));
}

#[test]
fn a_message_signed_by_another_key_than_it_shows_is_refused() {
    let scene = Scene::new();
    let liar = Identity { certificate: scene.me.certificate.clone(), key: rsa() };
    assert_eq!(scene.refused(&scene.send(&draft("19"), &liar), ALL).fail_info, FailInfo::BadMessageCheck);
}

#[test]
fn spliced_messages_never_panic() {
    use proptest::prelude::*;
    let scene = Scene::new();
    let whole = scene.send(&draft("19"), &scene.me);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..9_usize, prop::collection::vec(any::<u8>(), 0..9)), 1..4);
    let mut runner = proptest::test_runner::TestRunner::default();
    let outcome = runner.run(&edits, |edits| {
        let mut message = whole.clone();
        for (at, remove, insert) in edits {
            let start = at.index(message.len());
            let end = (start + remove).min(message.len());
            message.splice(start..end, insert);
        }
        if let Ok(request) = open(&message, &scene.ra, ALL) {
            // What passes all the same is the very request, whatever was done to bytes that nobody reads.
            prop_assert!(matches!(request.asks, Asks::Enroll(der) if der == scene.csr));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn any_bytes_never_panic() {
    use proptest::prelude::*;
    let ra = Scene::new().ra;
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,80}")| {
        let _ = open(&bytes, &ra, ALL);
        let _ = csr::inspect(&bytes);
        let _ = crate::pki::cms::Detached::open(&bytes);
        let _ = crate::pki::revoke::ocsp::OcspRequest::parse(&bytes);
        let _ = Operation::parse(&text);
        let _ = Operation::parse(&format!("operation=PKIOperation&message={text}"));
    });
}

#[test]
fn hostile_bytes_never_panic_and_never_pass() {
    let scene = Scene::new();
    let whole = scene.send(&draft("19"), &scene.me);
    for message in [whole.clone(), streamed(&whole)] {
        for end in 0..message.len() {
            assert!(open(&message[..end], &scene.ra, ALL).is_err(), "cut at {end}");
        }
    }
    for at in (0..whole.len()).step_by(7) {
        let mut bad = whole.clone();
        bad[at] ^= 0x81;
        let _ = open(&bad, &scene.ra, ALL);
    }
    let huge = vec![0x30; message::MAX_MESSAGE_BYTES + 1];
    assert!(matches!(open(&huge, &scene.ra, ALL), Err(OpenError::Unreadable(_))));
    assert!(open(&[0x30, 0x84, 0x80, 0, 0, 0], &scene.ra, ALL).is_err());
    assert!(open(&[0x30, 0x80].repeat(100_000), &scene.ra, ALL).is_err());
}

#[test]
fn a_message_without_transaction_cannot_be_answered() {
    let scene = Scene::new();
    for id in [printable(""), printable(&"x".repeat(129)), tlv::octets(b"x"), printable("a\nb")] {
        let mut draft = draft("19");
        draft.id = id;
        assert!(matches!(open(&scene.send(&draft, &scene.me), &scene.ra, ALL), Err(OpenError::Unreadable(_))));
    }
}

#[test]
fn the_authority_is_shown_alone_or_with_its_deputy() {
    let scene = Scene::new();
    let (kind, der) = ca_certificates(&scene.ca.certificate, None).unwrap();
    assert_eq!((kind, der), ("application/x-x509-ca-cert", scene.ca.certificate.to_der().unwrap()));
    let (kind, der) = ca_certificates(&scene.ca.certificate, Some(&scene.ra.certificate)).unwrap();
    assert_eq!(kind, "application/x-x509-ca-ra-cert");
    scene.desk.put("bundle", &der);
    let text = scene.desk.run("pkcs7 -inform DER -in bundle -print_certs -noout");
    assert!(text.find("Device CA").unwrap() < text.find("Device Registration").unwrap(), "{text}");
}

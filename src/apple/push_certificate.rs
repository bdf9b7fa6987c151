//! The push certificate as Apple gives it: one PEM certificate whose subject holds the topic. A private key may come along.

use openssl::{
    nid::Nid,
    pkey::{PKey, Private},
    x509::X509,
};

use crate::{
    domain::time::Timestamp,
    pki::{self, Identity},
};

/// Longest file that is looked at.
pub const MAX_BYTES: usize = 64 * 1024;
/// All topics of device management begin so.
const TOPIC: &str = "com.apple.mgmt.";

/// A push certificate that was read.
pub struct PushCertificate {
    /// The certificate.
    pub certificate: X509,
    /// The topic that it is for.
    pub topic: String,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// The private key, where the file had it.
    pub key: Option<PKey<Private>>,
}

/// Why a file is not a push certificate; the text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPushCertificate {
    /// No certificate in PEM.
    #[error("is not a certificate in PEM: give the file that the Apple Push Certificates Portal offers for download")]
    NotPem,
    /// A certificate for something else.
    #[error("is not a push certificate for device management: its subject has no user ID that begins with com.apple.mgmt.")]
    NoTopic,
    /// A private key that cannot be read.
    #[error("holds a private key that cannot be read: take its pass phrase off, or leave it out if the request was made here")]
    Key,
    /// A private key of another certificate.
    #[error("holds a private key that does not belong to the certificate")]
    OtherKey,
}

/// Reads a push certificate.
///
/// # Errors
/// It is none, or its key cannot be used.
pub fn read(pem: &[u8]) -> Result<PushCertificate, NotAPushCertificate> {
    if pem.len() > MAX_BYTES {
        return Err(NotAPushCertificate::NotPem);
    }
    let certificate = X509::from_pem(pem).map_err(|_| NotAPushCertificate::NotPem)?;
    let topic = topic(&certificate).ok_or(NotAPushCertificate::NoTopic)?;
    let instant = |time| pki::instant(time).map_err(|_| NotAPushCertificate::NotPem);
    let (not_before, not_after) = (instant(certificate.not_before())?, instant(certificate.not_after())?);
    let key = key(pem, &certificate)?;
    Ok(PushCertificate { certificate, topic, not_before, not_after, key })
}

fn topic(certificate: &X509) -> Option<String> {
    let mut entries = certificate.subject_name().entries_by_nid(Nid::USERID);
    let topic = entries.next()?.data().to_string().ok()?;
    let is_plain = |text: &str| text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    (topic.starts_with(TOPIC) && is_plain(&topic)).then_some(topic)
}

fn key(pem: &[u8], certificate: &X509) -> Result<Option<PKey<Private>>, NotAPushCertificate> {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    if !pem.windows(MARK.len()).any(|window| window == MARK) {
        return Ok(None);
    }
    // The callback answers for the pass phrase: without it OpenSSL would ask at the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| NotAPushCertificate::Key)?;
    let identity = Identity { certificate: certificate.clone(), key };
    let is_own = certificate.public_key().is_ok_and(|public| public.public_eq(&identity.key));
    if is_own { Ok(Some(identity.key)) } else { Err(NotAPushCertificate::OtherKey) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::Desk;

    /// A certificate with this subject, and its key.
    fn made(desk: &Desk, subject: &str) -> (Vec<u8>, Vec<u8>) {
        desk.run(&format!("req -x509 -newkey rsa:2048 -nodes -days 365 -subj {subject} -keyout key.pem -out certificate.pem"));
        (desk.get("certificate.pem"), desk.get("key.pem"))
    }

    #[test]
    fn topic_validity_and_key_are_read() {
        let desk = Desk::new();
        let (certificate, key) = made(&desk, "/UID=com.apple.mgmt.External.1-2/CN=APSP:1-2/C=US");
        let found = read(&certificate).unwrap();
        assert_eq!((found.topic.as_str(), found.key.is_some()), ("com.apple.mgmt.External.1-2", false));
        assert_eq!(found.not_after.since(found.not_before).as_secs(), 365 * 86_400);
        let both = [certificate.as_slice(), &key].concat();
        assert!(read(&both).unwrap().key.is_some());
        let other = made(&desk, "/CN=x").1;
        assert_eq!(read(&[certificate.as_slice(), &other].concat()).err(), Some(NotAPushCertificate::OtherKey));
    }

    #[test]
    fn what_is_no_push_certificate_is_refused() {
        let desk = Desk::new();
        for subject in ["/CN=x", "/UID=ada/CN=x", "/UID=com.example.app/CN=x"] {
            assert_eq!(read(&made(&desk, subject).0).err(), Some(NotAPushCertificate::NoTopic), "{subject}");
        }
        for bytes in [b"".as_slice(), b"hello", &vec![b'-'; MAX_BYTES + 1]] {
            assert_eq!(read(bytes).err(), Some(NotAPushCertificate::NotPem));
        }
        let (certificate, _) = made(&desk, "/UID=com.apple.mgmt.External.1");
        desk.run("pkey -in key.pem -aes256 -passout pass:secret -out locked.pem");
        assert_eq!(read(&[certificate, desk.get("locked.pem")].concat()).err(), Some(NotAPushCertificate::Key));
    }
}

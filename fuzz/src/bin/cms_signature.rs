//! Feeds signed messages, detached and whole, to those who read them; and OCSP requests.
#![no_main]

use enlist_fuzz::pki::{cms::{Attached, Detached}, revoke::ocsp::OcspRequest};
use openssl::x509::X509;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Detached::open(data)
        && let Ok(certificate) = X509::from_der(message.signer_certificate_der())
        && let Ok(key) = certificate.public_key()
    {
        drop(message.verify(&key, b"body"));
    }
    drop(Attached::open(data, 256 * 1024));
    drop(OcspRequest::parse(data));
});

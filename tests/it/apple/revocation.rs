//! What the device CA says of a certificate, asked as anybody may ask.

use std::sync::atomic::{AtomicBool, Ordering};

use enlist::simulator::transport::{Trust, Wire};
use openssl::{
    hash::MessageDigest,
    ocsp::{OcspCertId, OcspCertStatus, OcspRequest, OcspResponse},
    x509::{CrlStatus, X509, X509Crl},
};
use reqwest::Url;

use crate::harness::{app::TestApp, clock::TestClock};

/// The device CA of a server.
pub struct Authority {
    wire: Wire,
    base: Url,
    clock: TestClock,
    ca: X509,
    asked: AtomicBool,
}

impl Authority {
    /// That of this server.
    pub async fn of(app: &TestApp) -> Self {
        let (wire, base) = (Wire::new(&Trust::System).unwrap(), Url::parse(app.address()).unwrap());
        let pem = wire.get(base.join("/pki/ca.pem").unwrap()).await.unwrap().ok("the CA").unwrap();
        Self { wire, base, clock: app.clock.clone(), ca: X509::from_pem(&pem).unwrap(), asked: AtomicBool::new(false) }
    }

    /// Whether a certificate is revoked; the list and OCSP must say the same.
    pub async fn has_revoked(&self, certificate: &X509) -> bool {
        // OCSP first: it knows at once, while a list is given out again for some seconds.
        let by_ocsp = self.is_revoked_by_ocsp(certificate).await;
        if self.asked.swap(true, Ordering::Relaxed) {
            self.clock.advance_seconds(11);
        }
        let by_list = self.is_revoked_by_list(certificate).await;
        assert_eq!(by_ocsp, by_list, "OCSP and the list must agree");
        by_ocsp
    }

    async fn is_revoked_by_list(&self, certificate: &X509) -> bool {
        let list = self.wire.get(self.base.join("/pki/crl").unwrap()).await.unwrap().ok("the list").unwrap();
        let list = X509Crl::from_der(&list).unwrap();
        assert!(list.verify(&self.ca.public_key().unwrap()).unwrap());
        matches!(list.get_by_cert(certificate), CrlStatus::Revoked(_))
    }

    async fn is_revoked_by_ocsp(&self, certificate: &X509) -> bool {
        let name = || OcspCertId::from_cert(MessageDigest::sha1(), certificate, &self.ca).unwrap();
        let mut request = OcspRequest::new().unwrap();
        request.add_id(name()).unwrap();
        let url = self.base.join("/pki/ocsp").unwrap();
        let answer = self.wire.post(url, "application/ocsp-request", request.to_der().unwrap()).await.unwrap().ok("OCSP").unwrap();
        let answer = OcspResponse::from_der(&answer).unwrap().basic().unwrap();
        let status = answer.find_status(&name()).expect("the certificate is answered for").status;
        assert!([OcspCertStatus::GOOD, OcspCertStatus::REVOKED].contains(&status), "every certificate of ours is known");
        status == OcspCertStatus::REVOKED
    }
}

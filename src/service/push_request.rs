//! Asks for a push certificate: makes the key, keeps it sealed, and gives the request that has to be brought to Apple.

use std::sync::Arc;

use openssl::sha::sha256;
use serde_json::json;

use super::{App, Error, Result, push::PURPOSE};
use crate::{
    apple::push_request::{self, SignError},
    domain::{audit::Actor, id::PushCertificateId, user::normalize_address},
    pki::request,
    store::{
        audit::{self, Entry},
        push_certificates::{self, PushCertificate},
    },
};

/// Keys of requests that were never answered; older ones are forgotten.
const MOST_REQUESTS: i64 = 10;

/// The holder of an MDM vendor certificate, in whose name a request is signed.
pub struct Vendor {
    /// The certificate and those above it up to Apple's root, in PEM.
    pub certificate: String,
    /// The key in PEM, without a pass phrase. It is used once and not kept.
    pub key: String,
}

/// A request to be brought to Apple.
#[derive(Debug)]
pub struct PushRequest {
    /// The text: a request in PEM, or one that was signed by a vendor, in the form that Apple's portal takes.
    pub text: String,
    /// Whether it was signed by a vendor.
    pub is_signed: bool,
}

/// What has to be done with a request, in words for people.
#[must_use]
pub const fn explain(is_signed: bool) -> &'static str {
    if is_signed {
        "Upload this file at https://identity.apple.com/pushcert with the organization's Apple account. To renew a certificate, use the \
         same account and choose Renew: only then the topic stays, and enrolled devices can still be woken. Then import the \
         certificate that the portal offers for download."
    } else {
        "Apple's portal does not take this request as it is: it has to be signed by the holder of an MDM vendor certificate, which \
         Apple gives to members of its developer programs who ask for it. Either give that certificate with its chain and its key \
         to have the request signed here, or hand the request to a vendor who signs it for you. What you get back is uploaded at \
         https://identity.apple.com/pushcert, and the certificate that the portal offers for download is imported."
    }
}

impl App {
    /// Asks for a push certificate.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the address, or the vendor's certificate or key, cannot be used.
    pub async fn request_push_certificate(self: &Arc<Self>, actor: Actor, email: &str, vendor: Option<Vendor>) -> Result<PushRequest> {
        let email = normalize_address(email).map_err(|why| Error::invalid("email", why))?;
        let organization = self.settings().await?.organization;
        let subject = (organization, email.clone());
        let made = tokio::task::spawn_blocking(move || request::create("Enlist push", &subject.0, &subject.1));
        let made = made.await.map_err(|error| Error::internal("making a key", error))??;
        let der = made.request.to_der()?;
        let is_signed = vendor.is_some();
        let text = match vendor {
            Some(vendor) => push_request::sign(&der, vendor.certificate.as_bytes(), vendor.key.as_bytes()).map_err(refused)?,
            None => String::from_utf8_lossy(&made.request.to_pem()?).into_owned(),
        };
        let now = self.now();
        let kept = PushCertificate {
            id: PushCertificateId::new(),
            key_hash: sha256(&made.key.public_key_to_der()?).to_vec(),
            sealed_key: self.keys.seal(PURPOSE, &made.key.private_key_to_pkcs8()?)?,
            requested_by: actor.name.clone(),
            requested_at: now,
            certificate: None,
            topic: None,
            not_after: None,
            imported_by: None,
            imported_at: None,
        };
        self.write(move |tx| {
            push_certificates::insert_request(tx, &kept, MOST_REQUESTS)?;
            let detail = json!({ "email": email, "signed_by_vendor": is_signed });
            let subject = kept.id.to_string();
            let action = "push_certificate.request";
            Ok(audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "push_certificate", subject, detail })?)
        })
        .await?;
        Ok(PushRequest { text, is_signed })
    }
}

fn refused(error: SignError) -> Error {
    match error {
        SignError::Certificate | SignError::Chain => Error::invalid("vendor_certificate", error),
        SignError::Key | SignError::OtherKey => Error::invalid("vendor_key", error),
        SignError::Failed(source) => Error::internal("signing the request", source),
    }
}

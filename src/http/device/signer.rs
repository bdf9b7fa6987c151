//! Which certificate a device speaks with: that of its signature, or the one that it came with.

use actix_web::HttpRequest;

use crate::{
    http::client::client_certificate,
    service::{
        App,
        signers::{Fingerprint, SignerError},
    },
};

/// Finds the certificate behind a message. The signature of the message itself counts most; without one, the certificate of
/// the connection.
///
/// # Errors
/// There is none, or it is none of ours.
pub fn signer_of(app: &App, request: &HttpRequest, body: &[u8]) -> Result<Fingerprint, SignerError> {
    let mut headers = request.headers().get_all("mdm-signature");
    match (headers.next(), headers.next()) {
        (Some(header), None) => app.signer_of(header.to_str().map_err(|_| SignerError::Unreadable)?, body),
        (Some(_), Some(_)) => Err(SignerError::Unreadable),
        (None, _) => app.certificate_of(&client_certificate(request).ok_or(SignerError::Missing)?),
    }
}

//! A command as an agent gets it: the signature is verified, and what is foreign, out of time or of another generation is refused.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use openssl::{hash::MessageDigest, sign::Verifier, x509::X509};
use serde::Deserialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::simulator::error::{Result, crypto, protocol};

const DOING: &str = "take a command";

/// What an agent knows since its activation.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Its enrollment.
    pub enrollment: String,
    /// The generation of its device.
    pub generation: i64,
    /// The authority that issued its certificate.
    pub authority: X509,
    /// The certificate of the key that signs commands.
    pub signer: X509,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    signature: String,
    certificate: String,
}

/// A command whose signature is good.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    /// Its identifier.
    pub id: String,
    enrollment: String,
    generation: i64,
    /// What is to be done.
    pub kind: String,
    /// What belongs to it.
    pub parameters: Value,
    issued_at: String,
    expires_at: String,
}

impl Order {
    /// Reads an answer of the server and verifies it at this time.
    pub fn read(body: &[u8], trusted: &Trusted, now: OffsetDateTime) -> Result<Self> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| protocol(DOING, error.to_string()))?;
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| protocol(DOING, error.to_string()));
        let (payload, signature) = (decoded(&envelope.payload)?, decoded(&envelope.signature)?);
        let signer = trusted.signer_of(&envelope.certificate)?;
        let key = signer.public_key().map_err(crypto("read the signer's key"))?;
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).map_err(crypto("verify a command"))?;
        if !verifier.verify_oneshot(&signature, &payload).unwrap_or(false) {
            return Err(protocol(DOING, "the signature does not fit"));
        }
        let order: Self = serde_json::from_slice(&payload).map_err(|error| protocol(DOING, error.to_string()))?;
        if order.enrollment != trusted.enrollment {
            return Err(protocol(DOING, "it is for another device"));
        }
        if order.generation != trusted.generation {
            return Err(protocol(DOING, "it is of another generation"));
        }
        let instant = |text: &str| OffsetDateTime::parse(text, &Rfc3339).map_err(|error| protocol(DOING, error.to_string()));
        if instant(&order.expires_at)? <= now || instant(&order.issued_at)? > instant(&order.expires_at)? {
            return Err(protocol(DOING, "it has expired"));
        }
        Ok(order)
    }
}

impl Trusted {
    /// The certificate of the signer: the one that is known, or a later one that the authority has issued for signing code. Device
    /// certificates are of the same authority, and must not sign commands.
    fn signer_of(&self, certificate: &str) -> Result<X509> {
        let der = STANDARD.decode(certificate).map_err(|error| protocol(DOING, error.to_string()))?;
        let certificate = X509::from_der(&der).map_err(crypto("read the signer's certificate"))?;
        let is_known = self.signer.to_der().map_err(crypto("read the signer's certificate"))? == der;
        let key = self.authority.public_key().map_err(crypto("read the authority's key"))?;
        if is_known || (certificate.verify(&key).unwrap_or(false) && may_sign_code(&der)) {
            Ok(certificate)
        } else {
            Err(protocol(DOING, "it is signed by somebody else"))
        }
    }
}

fn may_sign_code(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    certificate.extended_key_usage().ok().flatten().is_some_and(|usage| usage.value.code_signing && !usage.value.client_auth)
}

#[cfg(test)]
mod tests {
    use openssl::sign::Signer;
    use serde_json::json;

    use super::*;
    use crate::simulator::keychain::Identity;

    fn signed(payload: &Value, by: &Identity) -> Vec<u8> {
        let bytes = serde_json::to_vec(payload).unwrap();
        let signature = Signer::new(MessageDigest::sha256(), &by.key).unwrap().sign_oneshot_to_vec(&bytes).unwrap();
        serde_json::to_vec(&json!({
            "payload": URL_SAFE_NO_PAD.encode(bytes), "signature": URL_SAFE_NO_PAD.encode(signature),
            "certificate": STANDARD.encode(by.certificate.to_der().unwrap()),
        }))
        .unwrap()
    }

    #[test]
    fn only_a_command_for_this_device_in_its_time_from_the_known_signer_is_taken() {
        let (server, stranger) = (Identity::stranger("server").unwrap(), Identity::stranger("stranger").unwrap());
        let trusted =
            Trusted { enrollment: "e".into(), generation: 2, authority: server.certificate.clone(), signer: server.certificate.clone() };
        let now = OffsetDateTime::parse("2026-11-26T12:00:00Z", &Rfc3339).unwrap();
        let good = json!({
            "id": "1", "enrollment": "e", "generation": 2, "kind": "lock", "parameters": {},
            "issued_at": "2026-11-26T11:59:59.000Z", "expires_at": "2026-11-26T12:09:59.000Z",
        });
        assert_eq!(Order::read(&signed(&good, &server), &trusted, now).unwrap().kind, "lock");
        let changed = |key: &str, value: Value| {
            let mut payload = good.clone();
            payload[key] = value;
            Order::read(&signed(&payload, &server), &trusted, now).unwrap_err().to_string()
        };
        assert!(changed("enrollment", json!("f")).contains("another device"));
        assert!(changed("generation", json!(1)).contains("another generation"));
        assert!(changed("expires_at", json!("2026-11-26T12:00:00Z")).contains("expired"));
        assert!(Order::read(&signed(&good, &stranger), &trusted, now).unwrap_err().to_string().contains("somebody else"));
        let mut forged: Value = serde_json::from_slice(&signed(&good, &server)).unwrap();
        forged["payload"] = json!(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&json!({ "id": "2" })).unwrap()));
        assert!(Order::read(&serde_json::to_vec(&forged).unwrap(), &trusted, now).unwrap_err().to_string().contains("does not fit"));
    }
}

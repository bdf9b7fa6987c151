//! Commands in the agent's terms, and the server's signature over them.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use openssl::{hash::MessageDigest, sign::Signer};
use serde_json::{Value, json};

use crate::{
    android::message::{CommandPayload, SignedCommand},
    domain::command::Command,
    pki::{During, Error, Identity},
};

/// Seconds after which a command that was handed out must be refused. It is handed out again with another time, so it only has to
/// be long enough for a clock that is not quite right.
pub const LIFETIME_SECONDS: i64 = 600;

/// What belongs to a command, in the agent's terms; none where an agent knows no such command.
///
/// * `passcode`: the new passcode, opened.
#[must_use]
pub fn parameters(command: &Command, passcode: Option<&str>) -> Option<Value> {
    Some(match command {
        Command::ApplyPolicy { version } => json!({ "version": version }),
        Command::ReportPosture | Command::RemoveWorkData | Command::EraseDevice(_) | Command::RenewIdentity => json!({}),
        Command::DeviceLock { message, phone_number } => json!({ "message": message, "phone_number": phone_number }),
        Command::ResetPasscode { .. } => json!({ "passcode": passcode? }),
        _ => return None,
    })
}

/// Signs a command. The signature is over the very bytes that are sent, so that nothing has to be written in one form only.
///
/// # Errors
/// The key cannot sign.
pub fn sign(payload: &CommandPayload, signer: &Identity) -> Result<SignedCommand, Error> {
    let bytes = serde_json::to_vec(payload).map_err(|_| Error::Malformed("a command"))?;
    let signature = Signer::new(MessageDigest::sha256(), &signer.key).and_then(|mut signer| signer.sign_oneshot_to_vec(&bytes));
    Ok(SignedCommand {
        payload: URL_SAFE_NO_PAD.encode(&bytes),
        signature: URL_SAFE_NO_PAD.encode(signature.during("sign a command")?),
        certificate: STANDARD.encode(signer.certificate.to_der().during("write a certificate")?),
    })
}

//! A mail account that management installed on a device: where its mail is and what opens it, as the mail app knows it.

use plist::{Dictionary, Value};

use crate::simulator::profile::Payload;

/// A managed mail account.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAccount {
    /// `PayloadType`: `com.apple.mail.managed` or `com.apple.eas.account`.
    pub kind: String,
    /// The server that mail is read from.
    pub host: String,
    /// Its port; for Exchange there is none to choose.
    pub port: Option<u16>,
    /// The user name.
    pub user_name: String,
    /// The password.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for MailAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailAccount").field("kind", &self.kind).field("host", &self.host).finish_non_exhaustive()
    }
}

impl MailAccount {
    /// The account that a payload installs; none where it is another payload, or one with which nobody could sign in.
    #[must_use]
    pub fn read(payload: &Payload) -> Option<Self> {
        let [host, user_name, password] = match payload.kind.as_str() {
            "com.apple.mail.managed" => ["IncomingMailServerHostName", "IncomingMailServerUsername", "IncomingPassword"],
            "com.apple.eas.account" => ["Host", "UserName", "Password"],
            _ => return None,
        }
        .map(|key| text(&payload.body, key));
        let port = payload.body.get("IncomingMailServerPortNumber").and_then(Value::as_unsigned_integer);
        Some(Self {
            kind: payload.kind.clone(),
            host: host?,
            port: port.and_then(|port| u16::try_from(port).ok()),
            user_name: user_name?,
            password: password?,
        })
    }
}

fn text(from: &Dictionary, key: &str) -> Option<String> {
    from.get(key).and_then(Value::as_string).map(str::to_owned)
}

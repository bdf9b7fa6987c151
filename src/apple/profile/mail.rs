//! The managed mail account: IMAP with SMTP (`com.apple.mail.managed`), or Exchange `ActiveSync` (`com.apple.eas.account`).

use plist::Dictionary;

use super::{Base, Payload, Profile, ProfileError};
use crate::apple::command::With;

const IMAP: &[u8] = include_bytes!("../../../profiles/apple/mail.mobileconfig");
const EXCHANGE: &[u8] = include_bytes!("../../../profiles/apple/exchange.mobileconfig");

/// Where the mail is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// An IMAP and an SMTP server, each with its port.
    Imap {
        /// Where mail is read.
        incoming: (String, u16),
        /// Where mail is sent.
        outgoing: (String, u16),
    },
    /// An Exchange `ActiveSync` server.
    Exchange {
        /// Its host.
        host: String,
    },
}

/// The account of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAccount {
    /// What it is called on the device.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// The user name at the server.
    pub user_name: String,
    /// The server.
    pub server: Server,
    /// Makes another UUID where the password is to be another one.
    pub edition: String,
}

/// `PayloadIdentifier` of the mail profile, the same for every version: a new one replaces the old one in place.
#[must_use]
pub fn identifier(reverse_dns: &str) -> String {
    format!("{reverse_dns}.mail")
}

impl MailAccount {
    /// Makes the profile. The UUID follows from everything but the password, which is secret where the UUID is not.
    ///
    /// # Errors
    /// The profile cannot be written.
    pub fn profile(&self, reverse_dns: &str, organization: &str, password: Option<&str>) -> Result<Profile, ProfileError> {
        let identifier = identifier(reverse_dns);
        let (base, entries, keys) = self.entries()?;
        let entries = entries.with_text("PayloadOrganization", Some(organization));
        let mut payload = Payload::new(entries, &format!("{identifier}.account"), &self.edition)?;
        if let Some(password) = password {
            for key in keys {
                payload.entries.insert((*key).to_owned(), password.into());
            }
        }
        base.finish(identifier, organization, vec![payload])
    }

    /// The keys of the payload, and which of them hold the password.
    fn entries(&self) -> Result<(Base, Dictionary, &'static [&'static str]), ProfileError> {
        match &self.server {
            Server::Imap { incoming, outgoing } => {
                let mut base = Base::load("mail", IMAP)?;
                let entries = base
                    .payload("com.apple.mail.managed")?
                    .with_text("EmailAccountDescription", Some(&self.name))
                    .with("EmailAddress", self.email.as_str())
                    .with("IncomingMailServerHostName", incoming.0.as_str())
                    .with("IncomingMailServerPortNumber", incoming.1)
                    .with("IncomingMailServerUsername", self.user_name.as_str())
                    .with("OutgoingMailServerHostName", outgoing.0.as_str())
                    .with("OutgoingMailServerPortNumber", outgoing.1)
                    .with("OutgoingMailServerUsername", self.user_name.as_str());
                Ok((base, entries, &["IncomingPassword", "OutgoingPassword"]))
            }
            Server::Exchange { host } => {
                let mut base = Base::load("Exchange", EXCHANGE)?;
                let entries = base
                    .payload("com.apple.eas.account")?
                    .with_text("PayloadDisplayName", Some(&self.name))
                    .with("EmailAddress", self.email.as_str())
                    .with("Host", host.as_str())
                    .with("UserName", self.user_name.as_str());
                Ok((base, entries, &["Password"]))
            }
        }
    }
}

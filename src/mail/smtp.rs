//! Mail to a mail server by SMTP: encrypted by STARTTLS or from the first byte on, with a certificate that is verified, and one
//! connection for many mails.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    address::{Address, Envelope},
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::{Instant, timeout};

use super::{
    Delivery, DeliveryError, Mailer, Outgoing,
    route::{Route, RouteError, Security},
};

/// How long a connection is kept for the next mail.
const IDLE: Duration = Duration::from_secs(30);
/// Most connections that are kept.
const MOST_IDLE: usize = 2;
/// How long a server that could not be used is left alone.
const REST: Duration = Duration::from_secs(15);
/// Bytes in a second that a line takes at least. A long mail has time by its size, and a server that is silent still none.
const RATE: usize = 32 * 1024;
/// Longest text of a server that is kept, in characters.
const LONGEST_TEXT: usize = 500;
/// Passwords go over encrypted connections only, so the plain forms do; they are those that every server has.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// A mail server.
pub struct Smtp {
    route: Route,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    patience: Duration,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
    /// When the server could last not be used, and why.
    trouble: Mutex<Option<(Instant, String)>>,
}

impl Smtp {
    /// A mail server.
    ///
    /// * `url`: see [`Route`].
    /// * `roots`: certificates in PEM that are trusted besides the system's.
    /// * `patience`: how long the server may take to let us in, and again to take a mail, besides the time that its size takes.
    ///
    /// # Errors
    /// The address cannot be used, or the certificates cannot be read.
    pub fn new(url: &str, roots: Option<&[u8]>, patience: Duration) -> Result<Self, RouteError> {
        let route: Route = url.parse()?;
        let tls = route.tls(roots)?;
        let credentials = route.login.clone().map(|(user, password)| Credentials::new(user, password));
        let hello = ClientId::default();
        Ok(Self { route, tls, credentials, hello, patience, idle: Mutex::default(), trouble: Mutex::default() })
    }

    async fn send(&self, message: &Outgoing) -> Result<(), DeliveryError> {
        let envelope = envelope(message)?;
        let mut connection = self.connection().await?;
        let patience = self.patience.saturating_add(Duration::from_secs(size_seconds(message.bytes.len())));
        match timeout(patience, connection.send(&envelope, &message.bytes)).await {
            Ok(Ok(_)) => {
                self.keep(connection);
                Ok(())
            }
            Ok(Err(error)) => Err(judged(&error)),
            // The server may have taken it. It is sent again all the same: a mail that comes twice is recognized by its Message-ID,
            // one that never comes is not.
            Err(_) => Err(DeliveryError::Temporary(format!("the mail server did not answer within {patience:?}"))),
        }
    }

    /// A connection that was kept and still lives, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, DeliveryError> {
        while let Some(mut kept) = self.kept() {
            if timeout(self.patience, kept.test_connected()).await.unwrap_or(false) {
                return Ok(kept);
            }
        }
        if let Some((at, why)) = &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < REST
        {
            return Err(DeliveryError::Unreachable(why.clone()));
        }
        self.new_connection().await.map_err(DeliveryError::Unreachable)
    }

    async fn new_connection(&self) -> Result<AsyncSmtpConnection, String> {
        let opened = timeout(self.patience, self.open()).await;
        let result = opened.unwrap_or_else(|_| Err(format!("the mail server did not answer within {:?}", self.patience)));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = result.as_ref().err().map(|why| (Instant::now(), why.clone()));
        result
    }

    /// Connects, encrypts, signs in. Whatever goes wrong here has nothing to do with the mail.
    async fn open(&self) -> Result<AsyncSmtpConnection, String> {
        let text = |error: lettre::transport::smtp::Error| described(&error);
        let implicit = (self.route.security == Security::Implicit).then(|| self.tls.clone());
        let address = (self.route.host.as_str(), self.route.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.patience), &self.hello, implicit, None).await.map_err(text)?;
        if self.route.security == Security::StartTls {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err("the mail server does not offer STARTTLS, or somebody on the way removed the offer; nothing was sent".into());
            }
            connection.starttls(self.tls.clone(), &self.hello).await.map_err(text)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(&MECHANISMS, credentials).await.map_err(text)?;
        }
        Ok(connection)
    }

    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && !connection.has_broken() {
            idle.push((connection, Instant::now()));
        }
    }
}

impl Mailer for Smtp {
    fn deliver<'a>(&'a self, message: &'a Outgoing) -> Delivery<'a> {
        Box::pin(self.send(message))
    }

    fn probe(&self) -> Delivery<'_> {
        Box::pin(async {
            let connection = self.new_connection().await.map_err(DeliveryError::Unreachable)?;
            self.keep(connection);
            Ok(())
        })
    }
}

/// Seconds that a mail of so many bytes may take on a slow line.
#[must_use]
pub fn size_seconds(bytes: usize) -> u64 {
    u64::try_from(bytes / RATE).unwrap_or(u64::MAX)
}

/// The envelope. Its sender is never empty: large providers reject mail from nobody.
fn envelope(message: &Outgoing) -> Result<Envelope, DeliveryError> {
    let address =
        |text: &str| text.parse::<Address>().map_err(|error| DeliveryError::Permanent(format!("'{text}' is not a mail address: {error}")));
    let (sender, recipient) = (address(&message.sender)?, address(&message.recipient)?);
    Envelope::new(Some(sender), vec![recipient]).map_err(|error| DeliveryError::Permanent(error.to_string()))
}

/// What an answer to the mail itself means.
fn judged(error: &lettre::transport::smtp::Error) -> DeliveryError {
    let text = described(error);
    let code = error.status().map(|code| code.to_string());
    if matches!(code.as_deref(), Some("530" | "534" | "535" | "538")) {
        // It wants another sign-in. That is for the administrator to mend, and no fault of the mail.
        DeliveryError::Unreachable(text)
    } else if error.is_permanent() || error.is_client() {
        DeliveryError::Permanent(text)
    } else {
        DeliveryError::Temporary(text)
    }
}

/// The server's own words with their code, or what else went wrong, in one line.
fn described(error: &lettre::transport::smtp::Error) -> String {
    use std::error::Error;
    let mut text = match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None => "the mail server cannot be used".to_owned(),
    };
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect()
}

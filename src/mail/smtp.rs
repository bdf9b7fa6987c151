//! Mail to a mail server by SMTP, with STARTTLS or implicit TLS.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::{Address, Envelope},
};

use super::{Delivery, DeliveryError, Mailer, Outgoing};

/// How long a mail server may think.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Smtp {
    /// A mail server at an address such as `smtps://user:password@mail.example.com`, or `smtp://…?tls=required` for STARTTLS.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn new(url: &str) -> Result<Self, lettre::transport::smtp::Error> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.timeout(Some(PATIENCE)).build();
        Ok(Self { transport })
    }

    async fn send(&self, message: &Outgoing) -> Result<(), DeliveryError> {
        let address = |text: &str| text.parse::<Address>().map_err(|error| DeliveryError::Permanent(format!("{text}: {error}")));
        let envelope = Envelope::new(Some(address(&message.sender)?), vec![address(&message.recipient)?])
            .map_err(|error| DeliveryError::Permanent(error.to_string()))?;
        match self.transport.send_raw(&envelope, &message.bytes).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(DeliveryError::Permanent(error.to_string())),
            Err(error) => Err(DeliveryError::Temporary(error.to_string())),
        }
    }
}

impl Mailer for Smtp {
    fn deliver<'a>(&'a self, message: &'a Outgoing) -> Delivery<'a> {
        Box::pin(self.send(message))
    }
}

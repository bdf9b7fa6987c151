//! Mail: texts in several languages, messages made from them, and the ways that they leave. Nothing here knows the database; the
//! outbox does.

use std::{future::Future, pin::Pin};

pub mod attachment;
pub mod folder;
mod html;
pub mod languages;
pub mod message;
pub mod render;
pub mod route;
pub mod sample;
pub mod smtp;
pub mod template;

/// A message ready to leave.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Envelope sender.
    pub sender: String,
    /// Envelope recipient.
    pub recipient: String,
    /// `Message-ID` without its angle brackets.
    pub message_id: String,
    /// The message as it goes over the wire.
    pub bytes: Vec<u8>,
}

/// Why a message did not leave.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again later may work.
    #[error("{0}")]
    Temporary(String),
    /// It will never be taken.
    #[error("{0}")]
    Permanent(String),
    /// The way itself cannot be used, whatever the message: nobody answers, the certificate is wrong, the password is.
    #[error("{0}")]
    Unreachable(String),
}

/// What a delivery gives in the end.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'a>>;

/// A way for messages to leave.
pub trait Mailer: Send + Sync {
    /// Hands a message over. A message that was handed over may be handed over again after a crash; it has the same
    /// `Message-ID` then.
    fn deliver<'a>(&'a self, message: &'a Outgoing) -> Delivery<'a>;

    /// Whether the way can be used at present. Asked where messages wait because it could not.
    fn probe(&self) -> Delivery<'_> {
        Box::pin(async { Ok(()) })
    }
}

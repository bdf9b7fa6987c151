//! Webhooks: other systems are told of events by a signed POST, in the form of the Standard Webhooks specification. Nothing here
//! knows the database; which event goes where, and when again, is up to the services.

mod messenger;
mod reach;
mod sign;

pub use messenger::{Message, Messenger, Refusal, SetUpError, UrlError};
pub use reach::ReachError;
pub use sign::{Secret, SecretError};

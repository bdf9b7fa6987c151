//! What a use case says when it cannot do what was asked. Meaning only; each door turns it into its own answer.

use crate::{pki, store};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller may not.
    #[error("{0}")]
    Denied(String),
    /// The enrollment that a device speaks for has ended.
    #[error("the enrollment has ended")]
    Ended,
    /// A value is not usable.
    #[error("{field}: {why}")]
    Invalid {
        /// Which one.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// It does not fit the present state; the text says why and what to do.
    #[error("{0}")]
    Conflict(String),
    /// Too much at once.
    #[error("{why}")]
    TooMany {
        /// Why, and what to do.
        why: String,
        /// When it may be tried again.
        retry_after_seconds: u64,
    },
    /// A neighbour does not answer; trying again later may work.
    #[error("{0} is not available at the moment; try again later")]
    Unavailable(&'static str, #[source] store::Error),
    /// Something is wrong with the server itself.
    #[error("{operation} failed")]
    Internal {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A value that is not usable.
    #[allow(clippy::needless_pass_by_value, reason = "errors and texts are given as they come")]
    pub fn invalid(field: impl Into<String>, why: impl ToString) -> Self {
        Self::Invalid { field: field.into(), why: why.to_string() }
    }

    /// Something is wrong with the server itself.
    pub fn internal(operation: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal { operation, source: source.into() }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Unavailable("the database", error),
            store::Error::Conflict(_) => Self::Conflict("this exists already, or refers to something that does not exist".into()),
            other => Self::internal("a database query", other),
        }
    }
}

impl From<pki::seal::SealError> for Error {
    fn from(error: pki::seal::SealError) -> Self {
        Self::internal("sealing or opening a secret", error)
    }
}

impl From<pki::Error> for Error {
    fn from(error: pki::Error) -> Self {
        Self::internal("an operation of the certificate authority", error)
    }
}

impl From<openssl::error::ErrorStack> for Error {
    fn from(error: openssl::error::ErrorStack) -> Self {
        Self::internal("an operation of OpenSSL", error)
    }
}

/// What a use case gives.
pub type Result<T> = std::result::Result<T, Error>;

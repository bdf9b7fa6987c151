//! The one error type of the simulator: what a device or its owner was doing when it went wrong.

use std::{io, path::PathBuf};

use openssl::error::ErrorStack;

/// Why a simulated device could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request did not get through (connection, TLS, time-out).
    #[error("{doing}: the request did not get through")]
    Network {
        /// What was asked for.
        doing: String,
        /// The HTTP client's reason.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered, but not with success.
    #[error("{doing}: the server answered {status}: {body}")]
    Refused {
        /// What was asked for.
        doing: String,
        /// HTTP status code.
        status: u16,
        /// The beginning of the answer's body.
        body: String,
    },
    /// The answer is not what the protocol asks for.
    #[error("{doing}: {why}")]
    Protocol {
        /// What was being read.
        doing: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The portal's pages lead nowhere.
    #[error("the portal led nowhere: {why}; the last page is \"{title}\": {text}")]
    Portal {
        /// What was missing.
        why: String,
        /// Title of the last page.
        title: String,
        /// Beginning of its text.
        text: String,
    },
    /// The expected mail did not come.
    #[error("no {what} for {address} came to {outbox} within {seconds} s")]
    Mail {
        /// What was waited for.
        what: &'static str,
        /// Whose mail.
        address: String,
        /// The folder that was watched.
        outbox: PathBuf,
        /// How long, in seconds.
        seconds: u64,
    },
    /// OpenSSL refused.
    #[error("{doing}")]
    Crypto {
        /// The operation.
        doing: &'static str,
        /// OpenSSL's reasons.
        #[source]
        source: ErrorStack,
    },
    /// DER could not be read or written.
    #[error("{doing}")]
    Der {
        /// The operation.
        doing: &'static str,
        /// The codec's reason.
        #[source]
        source: der::Error,
    },
    /// A property list could not be read or written.
    #[error("{doing}")]
    Plist {
        /// The operation.
        doing: &'static str,
        /// The codec's reason.
        #[source]
        source: plist::Error,
    },
    /// A file could not be read.
    #[error("{doing} {path}")]
    File {
        /// The operation.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The SCEP server said no (RFC 8894 section 3.2.1.4).
    #[error("SCEP: the certificate was refused, failInfo {fail_info} ({meaning})")]
    Scep {
        /// The number of the failInfo attribute.
        fail_info: String,
        /// Its name in RFC 8894.
        meaning: &'static str,
    },
    /// Something was asked of a device in the wrong order, or the options are off.
    #[error("{0}")]
    Misuse(String),
}

/// What the simulator's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// For `map_err`: an OpenSSL failure while `doing`.
pub(crate) fn crypto(doing: &'static str) -> impl Fn(ErrorStack) -> Error {
    move |source| Error::Crypto { doing, source }
}

/// For `map_err`: a DER failure while `doing`.
pub(crate) fn der(doing: &'static str) -> impl Fn(der::Error) -> Error {
    move |source| Error::Der { doing, source }
}

/// A protocol error with its explanation.
pub(crate) fn protocol(doing: &'static str, why: impl Into<String>) -> Error {
    Error::Protocol { doing, why: why.into() }
}

/// The error and its causes on one line, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

//! Asks a mail server whether it would take mail: connects, speaks TLS, signs in, and sends nothing.

use std::time::Duration;

use lettre::{AsyncSmtpTransport, Tokio1Executor};

/// How long a mail server may think here.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the mail server of this address.
///
/// # Errors
/// What it does not like, in words.
pub async fn probe(url: &str) -> Result<(), String> {
    let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|error| explain(&error))?;
    let transport: AsyncSmtpTransport<Tokio1Executor> = builder.timeout(Some(PATIENCE)).build();
    match tokio::time::timeout(PATIENCE * 2, transport.test_connection()).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err("it does not answer as a mail server".into()),
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err("it takes too long to answer".into()),
    }
}

/// The error with its causes: the outermost one says little.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

//! Mail into files of a folder: what works without a mail server, and what tests read.

use std::path::PathBuf;

use super::{Delivery, DeliveryError, Mailer, Outgoing};

/// Writes each message into a file that ends in `.eml`.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Messages go into this folder, which is made when it is needed.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    async fn write(&self, message: &Outgoing) -> std::io::Result<()> {
        tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path).await?;
        let name: String =
            message.message_id.chars().map(|c| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' }).collect();
        // Readers of the folder never see half a message.
        let half = self.path.join(format!(".{name}.half"));
        tokio::fs::write(&half, &message.bytes).await?;
        tokio::fs::rename(&half, self.path.join(format!("{name}.eml"))).await
    }
}

impl Mailer for Folder {
    fn deliver<'a>(&'a self, message: &'a Outgoing) -> Delivery<'a> {
        Box::pin(async move {
            self.write(message)
                .await
                .map_err(|error| DeliveryError::Temporary(format!("the folder {} cannot be written: {error}", self.path.display())))
        })
    }
}

//! The owner of an Android device at the portal: chooses how the device is managed, agrees, and comes away with what enrolls it.

use reqwest::Url;

use super::agent::Ticket;
use crate::simulator::{
    error::{Error, Result, protocol},
    page::Page,
    portal::Owner,
};

/// What to look for where the portal does not lead to a code: its pages offer what is possible, and are silent about the rest.
const NO_CODE: &str = "for a code an administrator has to upload the launcher, and the owner has to be invited to enroll a company device";

/// Follows the portal from this address to the activation of the agent; gives the page that shows it, and what it shows.
pub async fn fetch_ticket(owner: &Owner, start: Url) -> Result<(Page, Ticket)> {
    let page = owner.walk_to(start, "activation").await?;
    let shown = page.text_marked("activation").unwrap_or_default();
    let ticket = serde_json::from_str(shown).map_err(|error| protocol("read the activation", error.to_string()))?;
    Ok((page, ticket))
}

/// Follows the portal from this address to the code that a new phone reads; gives the page that shows it, and the code's content.
pub async fn fetch_code(owner: &Owner, start: Url) -> Result<(Page, String)> {
    let page = owner.walk_to(start, "provisioning").await.map_err(|error| match error {
        Error::Portal { why, title, text } => Error::Portal { why: format!("{why}; {NO_CODE}"), title, text },
        other => other,
    })?;
    let code = page.text_marked("provisioning").unwrap_or_default().to_owned();
    Ok((page, code))
}

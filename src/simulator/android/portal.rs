//! The owner of an Android device at the portal: chooses how the device is managed, agrees, and comes away with what enrolls it.

use reqwest::Url;

use super::agent::Ticket;
use crate::simulator::{
    error::{Result, protocol},
    page::Page,
    portal::Owner,
};

/// Follows the portal from this address to the activation of the agent; gives the page that shows it, and what it shows.
pub async fn fetch_ticket(owner: &Owner, start: Url) -> Result<(Page, Ticket)> {
    let page = owner.walk_to(start, "activation").await?;
    let shown = page.text_marked("activation").unwrap_or_default();
    let ticket = serde_json::from_str(shown).map_err(|error| protocol("read the activation", error.to_string()))?;
    Ok((page, ticket))
}

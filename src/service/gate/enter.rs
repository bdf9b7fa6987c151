//! How an enrolled browser gets from this server to an application behind the gate: with a ticket, which it spends there once for a
//! cookie of that host.

use super::signed;
use crate::{
    domain::{
        destination::{Destination, TICKET_SECONDS},
        id::EnrollmentId,
    },
    service::{App, Error, Result, secrets},
    store::gate_cookies::{self, Ticket},
};

impl App {
    /// Reads the address of an application that browsers may be led to.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is none, or none of a host that the settings name; those of the database.
    pub async fn destination(&self, wanted: &str) -> Result<Destination> {
        let is_secure = self.public_url().starts_with("https://");
        let to =
            Destination::parse(wanted, is_secure).ok_or_else(|| Error::invalid("to", "must be the whole address of an application"))?;
        if !self.settings().await?.gate_hosts.contains(&to.host) {
            return Err(Error::invalid("to", "must be of a host that the settings name"));
        }
        Ok(to)
    }

    /// Gives an enrolled browser a ticket for a host.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn give_ticket(&self, enrollment: EnrollmentId, to: &Destination) -> Result<String> {
        let secret = signed::draw(&self.keys, signed::TICKET, &to.host)?;
        let expires_at = self.now().plus_seconds(TICKET_SECONDS);
        let ticket = Ticket { hash: secret.hash, enrollment_id: enrollment, host: to.host.clone(), expires_at };
        self.write(move |tx| Ok(gate_cookies::insert_ticket(tx, &ticket)?)).await?;
        Ok(secret.text)
    }

    /// Spends a ticket at a host; gives the cookie that the browser is known by there, or nothing where the ticket is not good for it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn spend_ticket(&self, ticket: &str, host: &str) -> Result<Option<String>> {
        if !signed::is_ours(&self.keys, signed::TICKET, host, ticket)? {
            return Ok(None);
        }
        let (hash, host, now) = (secrets::hash(ticket), host.to_owned(), self.now());
        // After a write every answer of the gate waits until the database was asked anew, so one that is not good is found by reading.
        let (sought, place) = (hash.clone(), host.clone());
        if !self.read(move |conn| gate_cookies::is_good(conn, &sought, &place, now)).await? {
            return Ok(None);
        }
        let secret = signed::draw(&self.keys, signed::COOKIE, &host)?;
        self.write(move |tx| {
            let Some(enrollment) = gate_cookies::spend_ticket(tx, &hash, &host, now)? else { return Ok(None) };
            gate_cookies::upsert(tx, enrollment, &host, &secret.hash, now)?;
            Ok(Some(secret.text))
        })
        .await
    }
}

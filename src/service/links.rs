//! Protected links: made by administrators and mail gateways, followed by people in an enrolled browser, recorded for whoever that
//! is, to whomever the mail was first sent.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{App, Error, Result, browser::IdentifiedBrowser};
use crate::{
    domain::{
        audit::Actor,
        id::{LinkEventId, LinkId, UserId},
        link::{self, ANSWER_SECONDS, LinkEventKind, MOST_AT_ONCE, MOST_DAYS, USUAL_DAYS},
        time::Timestamp,
        user::normalize_address,
    },
    store::{
        audit::{self, Entry},
        files,
        links::{self, Link, LinkEvent},
    },
};

/// What the signatures of links are for.
const PURPOSE: &str = "protected link";
/// Bytes of a signature that stand in a link.
const SIGNATURE: usize = 16;

/// A link to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// Where it leads.
    pub target: String,
    /// What it is about.
    pub note: String,
    /// To whom the mail is first sent.
    pub recipient: Option<String>,
    /// Days for which it is good.
    pub days: Option<u16>,
}

/// How a link stands.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It is good.
    Good(Box<Link>),
    /// Its time is over, or it was taken back.
    Ended,
    /// It was not made here.
    Unknown,
}

impl App {
    /// The address that leads through this server to a link's target. It is signed, so that nobody can make one up.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn link_address(&self, id: LinkId) -> Result<String> {
        let mut bytes = id.as_bytes().to_vec();
        bytes.extend(self.link_signature(id)?);
        Ok(format!("{}/l/{}", self.public_url, URL_SAFE_NO_PAD.encode(bytes)))
    }

    fn link_signature(&self, id: LinkId) -> Result<Vec<u8>> {
        let mut signature = self.keys.keyed_hash(PURPOSE, &[id.as_bytes()])?;
        signature.truncate(SIGNATURE);
        Ok(signature)
    }

    /// How the link of a token stands. Looking changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn link_of(&self, token: &str) -> Result<Standing> {
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        let Some((id, signature)) = bytes.split_first_chunk::<16>() else { return Ok(Standing::Unknown) };
        let id = LinkId::from_bytes(*id);
        let expected = self.link_signature(id)?;
        if signature.len() != expected.len() || !openssl::memcmp::eq(signature, &expected) {
            return Ok(Standing::Unknown);
        }
        let now = self.now();
        Ok(match self.read(move |conn| links::find(conn, id)).await? {
            None => Standing::Unknown,
            Some(link) if link.is_good(now) => Standing::Good(Box::new(link)),
            Some(_) => Standing::Ended,
        })
    }

    /// Makes links: all of them, or none.
    ///
    /// # Errors
    /// [`Error::Invalid`] where one of them is not usable; the field says which.
    pub async fn make_links(self: &Arc<Self>, actor: Actor, wanted: Vec<NewLink>) -> Result<Vec<Link>> {
        if wanted.is_empty() || wanted.len() > MOST_AT_ONCE {
            return Err(Error::invalid("links", format!("must be 1 to {MOST_AT_ONCE}")));
        }
        let (now, is_one) = (self.now(), wanted.len() == 1);
        let checked = |(number, wanted): (usize, NewLink)| {
            check(wanted, &actor, now).map_err(|error| match error {
                Error::Invalid { field, why } if !is_one => Error::invalid(format!("links[{number}].{field}"), why),
                other => other,
            })
        };
        let made: Vec<Link> = wanted.into_iter().enumerate().map(checked).collect::<Result<_>>()?;
        self.write(move |tx| {
            for link in &made {
                links::insert(tx, link)?;
            }
            let ids: Vec<LinkId> = made.iter().map(|link| link.id).collect();
            let (subject, detail) = match made.first().filter(|_| is_one) {
                Some(link) => (link.id.to_string(), json!({ "target": link.target, "recipient": link.recipient })),
                None => ("many".to_owned(), json!({ "links": ids })),
            };
            audit::record(tx, &Entry { at: now, actor: &actor, action: "link.create", subject_kind: "link", subject, detail })?;
            Ok(made)
        })
        .await
    }

    /// Takes a link back: from then on it leads nowhere, and the file that it stood for is forgotten.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where that was done already.
    pub async fn withdraw_link(self: &Arc<Self>, actor: Actor, id: LinkId) -> Result<Link> {
        let now = self.now();
        self.write(move |tx| {
            let link = links::find(tx, id)?.ok_or(Error::NotFound("link"))?;
            if !links::withdraw(tx, id, now)? {
                return Err(Error::Conflict("the link was withdrawn already".into()));
            }
            files::delete(tx, id)?;
            let detail = link.file_name.map_or_else(|| json!({}), |name| json!({ "file": name }));
            let subject = id.to_string();
            audit::record(tx, &Entry { at: now, actor: &actor, action: "link.withdraw", subject_kind: "link", subject, detail })?;
            links::find(tx, id)?.ok_or(Error::NotFound("link"))
        })
        .await
    }

    /// Records what a person did with a link, in the browser that they enrolled; the same within a minute once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn note_link(&self, link: LinkId, browser: &IdentifiedBrowser, kind: LinkEventKind) -> Result<()> {
        let event = LinkEvent {
            id: LinkEventId::new(),
            link_id: link,
            user_id: browser.user.id,
            device_id: Some(browser.device),
            at: self.now(),
            kind,
        };
        self.write(move |tx| Ok(links::note(tx, &event)?)).await
    }

    /// Whether a person has answered a moment ago whether a link looks safe.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_answered(&self, link: LinkId, user: UserId) -> Result<bool> {
        let since = self.now().plus_seconds(-ANSWER_SECONDS);
        Ok(self.read(move |conn| links::has_answered(conn, link, user, since)).await?)
    }
}

fn check(wanted: NewLink, actor: &Actor, now: Timestamp) -> Result<Link> {
    let target = link::target(&wanted.target).map_err(|why| Error::invalid("target", why))?;
    let about = About { note: wanted.note, recipient: wanted.recipient, days: wanted.days };
    Ok(Link { target: target.into(), ..link_about(about, actor, now)? })
}

/// What is said of a link, whatever it stands for.
pub(super) struct About {
    pub note: String,
    pub recipient: Option<String>,
    pub days: Option<u16>,
}

/// A link that stands for nothing yet.
pub(super) fn link_about(about: About, actor: &Actor, now: Timestamp) -> Result<Link> {
    let note = about.note.trim().to_owned();
    if note.chars().count() > 200 || note.chars().any(char::is_control) {
        return Err(Error::invalid("note", "must be at most 200 characters, without line breaks"));
    }
    let recipient = about.recipient.filter(|recipient| !recipient.trim().is_empty());
    let recipient = recipient.map(|recipient| normalize_address(&recipient).map_err(|why| Error::invalid("recipient", why))).transpose()?;
    let days = about.days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::invalid("days", format!("must be from 1 to {MOST_DAYS}")));
    }
    Ok(Link {
        id: LinkId::new(),
        target: String::new(),
        note,
        recipient,
        created_by: actor.name.clone(),
        created_at: now,
        expires_at: now.plus_days(i64::from(days)),
        withdrawn_at: None,
        file_name: None,
        file_length: None,
    })
}

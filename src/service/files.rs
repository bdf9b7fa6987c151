//! Protected files: kept sealed behind a link, and released by mail to whoever enrolled the browser in which they are asked for.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    browser::IdentifiedBrowser,
    links::{About, link_about},
    outbox::{NewMail, enqueue},
    settings,
};
use crate::{
    domain::{
        audit::Actor,
        file::{self, LONGEST, MOST_KEPT, ONCE_SECONDS},
        id::{LinkEventId, LinkId, MailId, UserId},
        link::LinkEventKind,
        time::Timestamp,
        user::UserState,
    },
    mail::{attachment, template::Template},
    pki::seal::{SealError, SealKey},
    store::{
        Tx,
        audit::{self, Entry},
        files::{self, Brought, File},
        links::{self, Link, LinkEvent},
        users,
    },
};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// A file to be protected.
pub struct NewFile {
    /// What it is called.
    pub name: String,
    /// What it is said to be; it goes into mails as something unknown where that is not well formed.
    pub kind: String,
    /// The file itself.
    pub content: Vec<u8>,
    /// What it is about.
    pub note: String,
    /// To whom the mail with the link is first sent.
    pub recipient: Option<String>,
    /// Days for which the link is good.
    pub days: Option<u16>,
}

/// What came of asking for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// It was sent.
    Sent,
    /// It was sent a moment ago already, and not again.
    Before(Timestamp),
}

/// A message with its file, or why it is not sent any more.
type WithFile = std::result::Result<Vec<u8>, &'static str>;

impl App {
    /// Keeps a file, and makes the link that stands for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field that is not usable, [`Error::Conflict`] where there is no room for the file.
    pub async fn protect_file(self: &Arc<Self>, actor: Actor, wanted: NewFile) -> Result<Link> {
        let (now, keys) = (self.now(), self.keys.clone());
        let name = file::name(&wanted.name).map_err(|why| Error::invalid("name", why))?;
        let about = About { note: wanted.note, recipient: wanted.recipient, days: wanted.days };
        let mut link = link_about(about, &actor, now)?;
        let length = length_of(&wanted.content)?;
        (link.file_name, link.file_length) = (Some(name), Some(length));
        let row = File { link_id: link.id, kind: file::kind(&wanted.kind), expires_at: link.expires_at };
        // Sealing takes longer than keeping it: it runs before the transaction, on a thread that may block.
        let sealing = tokio::task::spawn_blocking(move || sealed(&keys, row.link_id, &wanted.content).map(|pieces| (row, pieces)));
        let (row, pieces) = sealing.await.map_err(|error| Error::internal("sealing a file", error))??;
        self.write(move |tx| {
            // Two at the same moment may both be let in where there is room for one: the limit keeps the disk free, and need not be exact.
            if files::kept_bytes(tx)?.saturating_add(length) > MOST_KEPT {
                return Err(Error::Conflict(no_room()));
            }
            links::insert(tx, &link)?;
            files::insert(tx, &row, &pieces)?;
            let detail = json!({ "file": link.file_name, "bytes": length, "recipient": link.recipient });
            let subject = link.id.to_string();
            audit::record(tx, &Entry { at: now, actor: &actor, action: "link.create", subject_kind: "link", subject, detail })?;
            Ok(link)
        })
        .await
    }

    /// When a file was last sent to a person, as long as it is not sent to them again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn file_released_at(&self, link: LinkId, user: UserId) -> Result<Option<Timestamp>> {
        let since = self.now().plus_seconds(-ONCE_SECONDS);
        Ok(self.read(move |conn| links::released_at(conn, link, user, since)).await?)
    }

    /// Sends a file to the main address of whoever enrolled the browser, whoever the mail with the link was first sent to, and
    /// records that for them; within ten minutes once.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the link is not good any more or stands for no file, [`Error::Denied`] where the person has been
    /// disabled.
    pub async fn release_file(self: &Arc<Self>, link: LinkId, browser: &IdentifiedBrowser) -> Result<Release> {
        let (app, browser) = (Arc::clone(self), browser.clone());
        let release = self.write(move |tx| app.release(tx, link, &browser)).await?;
        self.jobs_waiting.notify_one();
        Ok(release)
    }

    fn release(&self, tx: &mut Tx<'_>, id: LinkId, browser: &IdentifiedBrowser) -> Result<Release> {
        let now = self.now();
        // Locked, so that of two requests at the same moment the second one sees what the first one has done.
        let user = users::find_for_update(tx, browser.user.id)?.filter(|user| user.state == UserState::Active);
        let user = user.ok_or_else(|| Error::Denied("your account is disabled".into()))?;
        let link = links::find(tx, id)?.filter(|link| link.is_good(now)).ok_or(Error::NotFound("link"))?;
        let file = link.file_name.ok_or(Error::NotFound("file"))?;
        if let Some(at) = links::released_at(tx, id, user.id, now.plus_seconds(-ONCE_SECONDS))? {
            return Ok(Release::Before(at));
        }
        let template = Template::File {
            organization: settings::read(tx, &self.default_sender)?.organization,
            name: user.name,
            file,
            browser: browser.name.clone(),
            link: format!("{}/devices", self.public_url),
        };
        let mail = NewMail { user: Some(user.id), recipient: user.email, template, expires_at: Some(link.expires_at) };
        let mail = enqueue(tx, self, mail)?;
        files::attach(tx, mail, id)?;
        let device_id = Some(browser.device);
        let kind = LinkEventKind::Released;
        links::note(tx, &LinkEvent { id: LinkEventId::new(), link_id: id, user_id: user.id, device_id, at: now, kind })?;
        Ok(Release::Sent)
    }

    /// A message of the outbox with the file that it brings. It is put in only now, so that no copy of a file outlives its link.
    /// Where it is not to be sent any more, it says why.
    ///
    /// # Errors
    /// Those of the database; the file cannot be opened.
    pub(super) async fn with_file(&self, mail: MailId, user: Option<UserId>, message: Vec<u8>) -> Result<WithFile> {
        let keys = self.keys.clone();
        self.read(move |conn| {
            let Some(brought) = files::of_mail(conn, mail)? else { return Ok(Ok(message)) };
            let user = user.map(|user| users::find(conn, user)).transpose()?.flatten();
            if user.is_none_or(|user| user.state != UserState::Active) {
                return Ok(Err("the user was removed or disabled before the file could be sent"));
            }
            let Some((kind, content)) = opened(&keys, &brought)? else {
                return Ok(Err("the file was withdrawn, or its time was over, before it could be sent"));
            };
            let whole = attachment::attach(&message, &brought.name, kind, content);
            whole.map(Ok).map_err(|error| Error::internal("putting a file into a mail", error))
        })
        .await
    }

    /// How many bytes all files have that are kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn kept_bytes(&self) -> Result<i64> {
        Ok(self.read(files::kept_bytes).await?)
    }
}

fn no_room() -> String {
    let most = MOST_KEPT / 1024 / 1024 / 1024;
    format!("there is no room for the file: at most {most} GiB of files are kept at once; withdraw links to files that nobody needs")
}

fn length_of(content: &[u8]) -> Result<i64> {
    match i64::try_from(content.len()) {
        Ok(0) => Err(Error::invalid("file", "must not be empty")),
        Ok(length) if content.len() <= LONGEST => Ok(length),
        _ => Err(Error::invalid("file", format!("must not be longer than {} MiB", LONGEST / 1024 / 1024))),
    }
}

/// What a piece is sealed for: it cannot be taken for one of another file, nor for another one of its own.
fn purpose(link: LinkId, position: usize) -> String {
    format!("protected file {link} {position}")
}

fn sealed(keys: &SealKey, link: LinkId, content: &[u8]) -> std::result::Result<Vec<Vec<u8>>, SealError> {
    content.chunks(PIECE).enumerate().map(|(position, piece)| keys.seal(&purpose(link, position), piece)).collect()
}

/// The type and the content of a file; nothing where it was forgotten.
fn opened<'a>(keys: &SealKey, brought: &'a Brought) -> Result<Option<(&'a str, Vec<u8>)>> {
    let Some((kind, pieces)) = &brought.content else { return Ok(None) };
    let mut content = Vec::with_capacity(pieces.len().saturating_mul(PIECE));
    for (position, piece) in pieces.iter().enumerate() {
        content.extend(keys.open(&purpose(brought.link, position), piece)?);
    }
    let is_whole = i64::try_from(content.len()) == Ok(brought.length);
    if is_whole { Ok(Some((kind, content))) } else { Err(Error::internal("reading a file", "pieces of it are missing")) }
}

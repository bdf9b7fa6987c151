//! Protected links, and what people did with them.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    page::{Page, PageRequest},
    schema::{devices, link_events, protected_links, users},
};
use crate::domain::{
    id::{DeviceId, LinkEventId, LinkId, UserId},
    link::LinkEventKind,
    time::Timestamp,
};

/// Seconds within which the same thing is noted once: a link that is opened in a loop would fill the table.
const SAME_SECONDS: i64 = 60;

/// One link.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = protected_links, treat_none_as_default_value = false)]
pub struct Link {
    /// Its identifier.
    pub id: LinkId,
    /// Where it leads; empty where it stands for a file.
    pub target: String,
    /// What it is about.
    pub note: String,
    /// To whom the mail was first sent.
    pub recipient: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// What the file is called that it stands for.
    pub file_name: Option<String>,
    /// How many bytes that file has.
    pub file_length: Option<i64>,
}

impl Link {
    /// Whether it has neither ended nor been taken back.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.withdrawn_at.is_none() && now < self.expires_at
    }

    /// What it stands for, in the words of lists: where it leads, or what its file is called.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.file_name.as_deref().unwrap_or(&self.target)
    }

    /// The name and the length of the file that it stands for; none where it leads to an address.
    #[must_use]
    pub fn file(&self) -> Option<(&str, i64)> {
        self.file_name.as_deref().zip(self.file_length)
    }
}

/// Something that a person did with a link.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = link_events, treat_none_as_default_value = false)]
pub struct LinkEvent {
    /// Its identifier.
    pub id: LinkEventId,
    /// Which link.
    pub link_id: LinkId,
    /// Who: whoever enrolled the browser.
    pub user_id: UserId,
    /// In which browser.
    pub device_id: Option<DeviceId>,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: LinkEventKind,
}

/// One line of the report.
#[derive(Debug, Clone, Queryable)]
pub struct ReportLine {
    /// What was done.
    pub event: LinkEvent,
    /// With which link.
    pub link: Link,
    /// By whom.
    pub email: String,
    /// In which browser.
    pub device_name: Option<String>,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this link.
    pub link: Option<LinkId>,
    /// Of this user.
    pub user: Option<UserId>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Until before then.
    pub until: Option<Timestamp>,
}

/// The link of this identifier.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: LinkId) -> Result<Option<Link>, Error> {
    Ok(protected_links::table.filter(protected_links::id.eq(id)).select(Link::as_select()).first(conn).optional()?)
}

/// Links, newest first.
///
/// # Errors
/// Those of the database.
pub fn list(conn: &mut Conn, page: PageRequest<LinkId>) -> Result<Page<Link>, Error> {
    let total = protected_links::table.count().get_result(conn)?;
    let mut query = protected_links::table.select(Link::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(protected_links::id.lt(after));
    }
    let items = query.order(protected_links::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |link: &Link| link.id))
}

/// Keeps a link.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, link: &Link) -> Result<(), Error> {
    diesel::insert_into(protected_links::table).values(link).execute(&mut **tx)?;
    Ok(())
}

/// Takes a link back; says whether it was still good.
///
/// # Errors
/// Those of the database.
pub fn withdraw(tx: &mut Tx<'_>, id: LinkId, now: Timestamp) -> Result<bool, Error> {
    let open = protected_links::table.filter(protected_links::id.eq(id).and(protected_links::withdrawn_at.is_null()));
    Ok(diesel::update(open).set(protected_links::withdrawn_at.eq(now)).execute(&mut **tx)? == 1)
}

/// Writes down what a person did, unless they did the same with the same link in the same browser a moment ago.
///
/// # Errors
/// Those of the database.
pub fn note(tx: &mut Tx<'_>, event: &LinkEvent) -> Result<(), Error> {
    let same = link_events::table
        .filter(link_events::link_id.eq(event.link_id).and(link_events::user_id.eq(event.user_id)))
        .filter(link_events::device_id.eq(event.device_id).and(link_events::kind.eq(event.kind)))
        .filter(link_events::at.gt(event.at.plus_seconds(-SAME_SECONDS)));
    let is_noted: bool = diesel::select(diesel::dsl::exists(same)).get_result(&mut **tx)?;
    if is_noted {
        return Ok(());
    }
    diesel::insert_into(link_events::table).values(event).execute(&mut **tx)?;
    Ok(())
}

/// Whether a person has answered about a link since then.
///
/// # Errors
/// Those of the database.
pub fn has_answered(conn: &mut Conn, link: LinkId, user: UserId, since: Timestamp) -> Result<bool, Error> {
    let answers = link_events::table
        .filter(link_events::link_id.eq(link).and(link_events::user_id.eq(user)))
        .filter(link_events::at.ge(since).and(link_events::kind.ne(LinkEventKind::Opened)));
    Ok(diesel::select(diesel::dsl::exists(answers)).get_result(conn)?)
}

/// When a file was last sent to a person since then.
///
/// # Errors
/// Those of the database.
pub fn released_at(conn: &mut Conn, link: LinkId, user: UserId, since: Timestamp) -> Result<Option<Timestamp>, Error> {
    let releases = link_events::table
        .filter(link_events::link_id.eq(link).and(link_events::user_id.eq(user)))
        .filter(link_events::at.gt(since).and(link_events::kind.eq(LinkEventKind::Released)));
    Ok(releases.order(link_events::at.desc()).select(link_events::at).first(conn).optional()?)
}

/// How often links were opened and files were sent, by link.
///
/// # Errors
/// Those of the database.
pub fn count_uses(conn: &mut Conn, ids: &[LinkId]) -> Result<Vec<(LinkId, i64)>, Error> {
    let uses = vec![LinkEventKind::Opened, LinkEventKind::Released];
    Ok(link_events::table
        .filter(link_events::link_id.eq_any(ids.to_vec()).and(link_events::kind.eq_any(uses)))
        .group_by(link_events::link_id)
        .select((link_events::link_id, diesel::dsl::count_star()))
        .load(conn)?)
}

/// What people did with links, newest first.
///
/// # Errors
/// Those of the database.
pub fn events(conn: &mut Conn, filter: &EventFilter, page: PageRequest<LinkEventId>) -> Result<Page<ReportLine>, Error> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query = $query.into_boxed();
            if let Some(link) = filter.link {
                query = query.filter(link_events::link_id.eq(link));
            }
            if let Some(user) = filter.user {
                query = query.filter(link_events::user_id.eq(user));
            }
            if let Some(since) = filter.since {
                query = query.filter(link_events::at.ge(since));
            }
            if let Some(until) = filter.until {
                query = query.filter(link_events::at.lt(until));
            }
            query
        }};
    }
    let total = filtered!(link_events::table.count()).get_result(conn)?;
    let mut query =
        filtered!(link_events::table.inner_join(protected_links::table).inner_join(users::table).left_join(devices::table).select((
            LinkEvent::as_select(),
            Link::as_select(),
            users::email,
            devices::device_name.nullable()
        )));
    if let Some(after) = page.after {
        query = query.filter(link_events::id.lt(after));
    }
    let items = query.order(link_events::id.desc()).limit(page.limit + 1).load(conn)?;
    Ok(Page::cut(items, page.limit, total, |line: &ReportLine| line.event.id))
}

//! The mail that explains to people what the enrollment of browsers means for them: sent to everybody, to a group or to some, each
//! through the outbox, with the progress of an import.

use std::{collections::HashSet, sync::Arc};

use super::{App, Error, Result, outbox, settings};
use crate::{
    domain::{
        audit::Actor,
        device::Ownership,
        id::{GroupId, ImportId, UserId},
        roster::MOST_LINES,
        user::{UserState, normalize_address},
    },
    mail::template::Template,
    store::{
        Conn, Tx, groups,
        imports::{self, ImportKind, Line, Outcome},
        users,
    },
};

/// Days after which the mail has lost its point.
const GOOD_DAYS: i64 = 14;

/// To whom it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who takes part.
    Everybody,
    /// Those of them who are in a group.
    Group(GroupId),
    /// The users of these addresses.
    Addresses(Vec<String>),
}

/// Somebody: identifier, address and name.
type Recipient = (UserId, String, String);

impl App {
    /// How many people an audience is.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an address is nobody's, [`Error::NotFound`] where there is no such group.
    pub async fn count_audience(&self, audience: Audience) -> Result<usize> {
        self.read(move |conn| Ok::<_, Error>(recipients(conn, &audience)?.len())).await
    }

    /// Begins to write the announcement to people.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an address is nobody's, [`Error::NotFound`] where there is no such group, [`Error::Conflict`] where
    /// there is nobody to write to, or another announcement is still being written.
    pub async fn announce_browsers(self: &Arc<Self>, actor: Actor, audience: Audience) -> Result<ImportId> {
        let (app, id) = (Arc::clone(self), ImportId::new());
        self.write(move |tx| {
            let found = recipients(tx, &audience)?;
            if found.is_empty() {
                return Err(Error::Conflict("there is nobody to write to".into()));
            }
            let line = |((user, email, name), number): (Recipient, i64)| {
                let mut line = Line::new(id, number, email, name, &[], Ownership::Personal)?;
                line.user_id = Some(user);
                Ok::<_, Error>(line)
            };
            let lines = found.into_iter().zip(1_i64..).map(line).collect::<Result<Vec<_>>>()?;
            app.begin_import(tx, &actor, (id, ImportKind::Announcements), false, &lines)?;
            // Looked for only now that the audit log is locked: of two at the same moment, the second one sees the first.
            if imports::is_another_running(tx, ImportKind::Announcements, id)? {
                return Err(Error::Conflict("another announcement is still being written: wait until it has ended".into()));
            }
            Ok(())
        })
        .await?;
        self.jobs_waiting.notify_one();
        Ok(id)
    }

    /// Writes to the person of a line.
    pub(super) fn announce_to(&self, tx: &mut Tx<'_>, line: &mut Line) -> Result<()> {
        let user = line.user_id.map(|id| users::find(tx, id)).transpose()?.flatten();
        let Some(user) = user.filter(|user| user.state == UserState::Active) else {
            (line.outcome, line.why) = (Outcome::Failed, Some("the user was removed or disabled meanwhile".into()));
            return Ok(());
        };
        let settings = settings::read(tx, &self.default_sender)?;
        let template = Template::Announcement {
            organization: settings.organization,
            name: user.name,
            days: settings.browser_enrollment_days,
            host: self.portal_host().to_owned(),
            link: format!("{}/browser", self.public_url),
        };
        let expires_at = Some(self.now().plus_days(GOOD_DAYS));
        let mail = outbox::NewMail { user: Some(user.id), recipient: user.email, template, expires_at };
        match outbox::try_enqueue(tx, self, mail)? {
            Ok(mail) => (line.outcome, line.mail_id) = (Outcome::Invited, Some(mail)),
            Err(why) => (line.outcome, line.why) = (Outcome::Failed, Some(format!("the mail could not be written: {why}"))),
        }
        Ok(())
    }
}

fn recipients(conn: &mut Conn, audience: &Audience) -> Result<Vec<Recipient>> {
    match audience {
        Audience::Everybody => Ok(users::taking_part(conn, None)?),
        Audience::Group(group) => {
            groups::find(conn, *group)?.ok_or(Error::NotFound("group"))?;
            Ok(users::taking_part(conn, Some(*group))?)
        }
        Audience::Addresses(addresses) => named(conn, addresses),
    }
}

/// The users of these addresses, each once.
fn named(conn: &mut Conn, addresses: &[String]) -> Result<Vec<Recipient>> {
    if addresses.is_empty() || addresses.len() > MOST_LINES {
        return Err(Error::invalid("emails", format!("must be 1 to {MOST_LINES} addresses")));
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for address in addresses {
        let email = normalize_address(address).map_err(|why| Error::invalid("emails", why))?;
        let user = users::find_by_email(conn, &email)?.filter(|user| user.state == UserState::Active);
        let user = user.ok_or_else(|| Error::invalid("emails", format!("must be addresses of users who take part; {email} is none")))?;
        if seen.insert(user.id) {
            found.push((user.id, user.email, user.name));
        }
    }
    Ok(found)
}

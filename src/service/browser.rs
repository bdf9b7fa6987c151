//! Browsers: enrolled by a code from a mail, known by a cookie afterwards, and forgotten when they are not used.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result, check_in::end_enrollment, comply, enroll::proved, retire::has_something_to_end, secrets, secrets::Secret, settings,
    settings::Settings,
};
use crate::{
    domain::{
        audit::{Actor, ActorKind},
        backend::Backend,
        browser::{Kind, renewed},
        device::{EnrollmentState, Ownership, Platform},
        id::{DeviceId, EnrollmentId, UserId, VisitId},
        time::Timestamp,
        user::UserState,
        webhook::EventKind,
    },
    store::{
        self, Conn, Tx,
        browsers::{self, Browser, Known},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        groups, timeline,
        users::{self, User},
        visits,
    },
};

/// Most characters of what a browser calls itself.
const AGENT_LENGTH: usize = 300;

/// What a browser says of itself.
#[derive(Debug, Clone)]
pub struct BrowserFacts {
    /// What people call it, such as "Chrome on Windows".
    pub name: String,
    /// The browser with its version.
    pub product: String,
    /// The system that it runs on.
    pub system: String,
    /// The header that all this was read from.
    pub user_agent: String,
}

/// An enrolled browser, known by its cookie.
#[derive(Debug, Clone)]
pub struct IdentifiedBrowser {
    /// Whose it is.
    pub user: User,
    /// The device that it is in lists and reports.
    pub device: DeviceId,
    /// Its enrollment.
    pub enrollment: EnrollmentId,
    /// What people call it.
    pub name: String,
    /// When the enrollment ends without another use.
    pub expires_at: Timestamp,
}

impl App {
    /// Whose browser a cookie names, if it is enrolled and the organization still wants that. This use moves the end of the
    /// enrollment on, which is written down once an hour.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn identify_browser(&self, cookie: &str) -> Result<Option<IdentifiedBrowser>> {
        let (hash, now, sender) = (secrets::hash(cookie), self.now(), self.default_sender.clone());
        let found = self
            .read(move |conn: &mut Conn| {
                let Some(known) = browsers::find_by_hash(conn, &hash)? else { return Ok(None) };
                let settings = settings::read(conn, &sender)?;
                let is_good = holds(&known, now) && may_enroll(conn, &settings, known.user.id)?;
                Ok::<_, Error>(is_good.then_some((known, settings.browser_enrollment_days)))
            })
            .await?;
        let Some((known, days)) = found else { return Ok(None) };
        self.seen.note(known.device_id, now);
        let enrollment = known.browser.enrollment_id;
        let end = renewed(known.browser.expires_at, days, now);
        if let Some(end) = end {
            self.write(move |tx| Ok(browsers::renew(tx, enrollment, now, end)?)).await?;
        }
        Ok(Some(IdentifiedBrowser {
            user: known.user,
            device: known.device_id,
            enrollment,
            name: known.device_name.unwrap_or_else(|| "Browser".into()),
            expires_at: end.unwrap_or(known.browser.expires_at),
        }))
    }

    /// Enrolls the browser of a visit whose mailbox was proved, and ends the visit; gives the secret for the browser to keep.
    ///
    /// * `earlier`: the cookie that the browser had before, if any: the same browser of the same person stays the same device.
    ///
    /// # Errors
    /// [`Error::Denied`] before the mailbox was proved, where the organization enrolls no browsers of this person, and where the
    /// person has as many as are allowed.
    pub async fn enroll_browser(self: &Arc<Self>, visit: VisitId, facts: BrowserFacts, earlier: Option<String>) -> Result<String> {
        let app = Arc::clone(self);
        let earlier = earlier.map(|cookie| secrets::hash(&cookie));
        let secret = self
            .write(move |tx| {
                let visit = proved(tx, visit)?;
                let user = visit.user_id.ok_or_else(|| Error::Denied("the mailbox has to be proved first".into()))?;
                users::find_for_update(tx, user)?;
                let settings = settings::read(tx, &app.default_sender)?;
                if !may_enroll(tx, &settings, user)? {
                    return Err(Error::Denied(
                        "browsers are not enrolled for your account; ask your help desk if you expected something else".into(),
                    ));
                }
                let mut device = device_for(tx, user, earlier.as_deref(), &app)?;
                app.within_device_limit(tx, user, Kind::Browser, Some(device.id))?;
                let secret = app.begin_enrollment(tx, &mut device, &facts, settings.browser_enrollment_days)?;
                // The visit has come to its end: from here on the browser's own cookie says who it is.
                visits::delete(tx, visit.id)?;
                Ok(secret)
            })
            .await?;
        self.jobs_waiting.notify_one();
        Ok(secret)
    }

    fn begin_enrollment(&self, tx: &mut Tx<'_>, device: &mut Device, facts: &BrowserFacts, days: u16) -> Result<String> {
        let (secret, now) = (Secret::generate("")?, self.now());
        device.generation = device.generation.saturating_add(1);
        let enrollment = enrollment_of(device, now);
        enrollments::insert(tx, &enrollment)?;
        for mut before in enrollments::others_of_device(tx, device.id, enrollment.id)? {
            end_enrollment(tx, &mut before, "the browser enrolled anew", "superseded", now)?;
        }
        let agent = facts.user_agent.chars().filter(|letter| !letter.is_control()).take(AGENT_LENGTH).collect();
        let end = now.plus_days(i64::from(days));
        let row = Browser { enrollment_id: enrollment.id, hash: secret.hash, user_agent: agent, used_at: now, expires_at: end };
        browsers::insert(tx, &row)?;
        device.state = EnrollmentState::Enrolled;
        device.enrollment_id = Some(enrollment.id);
        device.device_name = Some(facts.name.clone());
        device.model = Some(facts.product.clone());
        device.os_version = Some(facts.system.clone());
        device.enrolled_at = Some(now);
        comply::seen_now(device, now);
        devices::update(tx, device)?;
        timeline::record(tx, device.id, now, "enrolled", "The browser was enrolled by a code from the mailbox.", "portal")?;
        self.announce(tx, EventKind::DeviceEnrolled, device, json!({}))?;
        self.reconcile_device(tx, device.id, "enrollment")?;
        Ok(secret.text)
    }

    /// How often browsers of a user were enrolled within the last week.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn browsers_enrolled_this_week(&self, user: UserId) -> Result<i64> {
        let since = self.now().plus_days(-7);
        Ok(self.read(move |conn| browsers::enrolled_since(conn, user, since)).await?)
    }

    /// Ends the enrollments of browsers that were not used in time; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end_idle_browsers(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        let idle = self.read(move |conn| browsers::idle(conn, now, limit)).await?;
        for id in &idle {
            let (app, id) = (Arc::clone(self), *id);
            self.write(move |tx| app.end_idle(tx, id, now)).await?;
        }
        Ok(idle.len())
    }

    fn end_idle(&self, tx: &mut Tx<'_>, id: EnrollmentId, now: Timestamp) -> Result<()> {
        let Some(found) = enrollments::find(tx, id)? else { return Ok(()) };
        users::find_for_update(tx, found.user_id)?;
        let again = enrollments::find_for_update(tx, id)?.filter(|again| again.state == Stage::Enrolled);
        let Some(mut enrollment) = again else { return Ok(()) };
        end_enrollment(tx, &mut enrollment, "it was not used for too long", "cessation_of_operation", now)?;
        let Some(mut device) = enrollment.device_id.map(|id| devices::find_for_update(tx, id)).transpose()?.flatten() else {
            return Ok(());
        };
        device.state = EnrollmentState::Retired;
        devices::update(tx, &device)?;
        timeline::record(tx, device.id, now, "retired", "The browser was not used for so long that its enrollment ended.", "time passed")?;
        self.reconcile_device(tx, device.id, "time passed")
    }

    /// Lets a device of one's own go.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not the user's, [`Error::Conflict`] where it is not enrolled.
    pub async fn remove_own_device(self: &Arc<Self>, user: &User, device: DeviceId) -> Result<()> {
        let (owner, actor) = (user.id, own(user));
        let found = self.read(move |conn| devices::find(conn, device).map_err(Error::from)).await?;
        if found.is_none_or(|found| found.user_id != owner) {
            return Err(Error::NotFound("device"));
        }
        self.retire_own(actor, device).await.map(drop)
    }

    /// Lets every device of one's own go; gives how many those were. Where there is none, nothing is recorded: the form can be sent
    /// over and over again, and each time would be a line of the audit log.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_own_devices(self: &Arc<Self>, user: &User) -> Result<usize> {
        let owner = user.id;
        if !self.read(move |conn| has_something_to_end(conn, owner)).await? {
            return Ok(0);
        }
        self.revoke_own(own(user), user.id).await
    }
}

/// A user who sees to their own devices.
fn own(user: &User) -> Actor {
    Actor { kind: ActorKind::User, name: user.email.clone() }
}

/// Whether what is known about a cookie still holds.
fn holds(known: &Known, now: Timestamp) -> bool {
    known.stage == Stage::Enrolled
        && known.state == EnrollmentState::Enrolled
        && known.user.state == UserState::Active
        && known.browser.expires_at > now
}

/// Whether the organization enrolls browsers of this user.
pub(super) fn may_enroll(conn: &mut Conn, settings: &Settings, user: UserId) -> std::result::Result<bool, store::Error> {
    let wanted = &settings.browser_enrollment_groups;
    if !settings.browser_enrollment_enabled || wanted.is_empty() {
        return Ok(settings.browser_enrollment_enabled);
    }
    Ok(groups::of_users(conn, &[user])?.iter().any(|(_, group, _)| wanted.contains(group)))
}

/// The device that this browser is: the one that it was for the same person, or a new one.
fn device_for(tx: &mut Tx<'_>, user: UserId, earlier: Option<&[u8]>, app: &App) -> Result<Device> {
    let before = earlier.map(|hash| browsers::find_by_hash(tx, hash)).transpose()?.flatten();
    if let Some(known) = before.filter(|known| known.user.id == user && known.state != EnrollmentState::WipePending) {
        return devices::find_for_update(tx, known.device_id)?.ok_or(Error::NotFound("device"));
    }
    let identifier = format!("browser-{}", uuid::Uuid::new_v4());
    let device = Device::new(user, identifier, Platform::Browser, Ownership::Personal, app.now());
    devices::insert(tx, &device)?;
    Ok(device)
}

fn enrollment_of(device: &Device, now: Timestamp) -> Enrollment {
    Enrollment {
        id: EnrollmentId::new(),
        user_id: device.user_id,
        device_id: Some(device.id),
        generation: device.generation,
        ownership: device.ownership,
        rights: Backend::Browser.rights(device.ownership),
        state: Stage::Enrolled,
        is_user_enrollment: false,
        consent_version: None,
        consented_at: None,
        fingerprint: None,
        topic: None,
        push_token: None,
        push_magic: None,
        sealed_unlock_token: None,
        is_awaiting_configuration: false,
        sealed_bootstrap_token: None,
        passcode_profile: None,
        created_at: now,
        enrolled_at: Some(now),
        ended_at: None,
        end_cause: None,
        backend: Backend::Browser,
        management_mode: None,
    }
}

//! How the device of a certificate or a cookie stands: everything that the gate's answer rests on, read in one go.

use super::Holder;
use crate::{
    domain::{
        access::{self, AccessRules, Candidate, Decided, Exception},
        browser::{STEP_SECONDS, renewed},
        compliance::Status,
        device::{EnrollmentState, Platform},
        id::EnrollmentId,
        policy::Enforcement,
        time::Timestamp,
        user::UserState,
    },
    service::{App, Error, Result, browser::may_enroll, comply::Known, settings, signers::Fingerprint},
    store::{
        self, Conn,
        devices::{self, Device},
        enrollments::{self, Session, Stage},
        gate_cookies,
        users::{self, User},
    },
};

/// By what a device has shown which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// Its certificate.
    Certificate,
    /// The cookie of an enrolled browser.
    Cookie,
}

impl Assurance {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Cookie => "cookie",
        }
    }
}

/// The end that a use gives the enrollment of a browser.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// Its end.
    pub end: Timestamp,
}

/// Why a certificate of ours proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It was revoked.
    Revoked,
    /// It is not valid at this time.
    Expired,
    /// The device has another enrollment since.
    Replaced,
}

/// What the access rules ask about, kept.
#[derive(Debug, Clone)]
struct Facts {
    user: UserState,
    is_excluded: bool,
    exception: Option<Exception>,
    state: EnrollmentState,
    status: Status,
    enforcement: Enforcement,
    platform: Platform,
    model: Option<String>,
    product: Option<String>,
    os_version: Option<String>,
}

/// How the device of a certificate or a cookie stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose it is.
    pub holder: Holder,
    /// By what that was shown.
    pub assurance: Assurance,
    /// What is decided where no rule looks at programs.
    pub(super) decided: Decided,
    /// Why the certificate proves nothing.
    pub(super) trouble: Option<Trouble>,
    facts: Facts,
    read_at: Timestamp,
    good_until: Timestamp,
}

impl Standing {
    /// Reads how the device of a certificate stands; `None` where the certificate is not known.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn read(conn: &mut Conn, app: &App, print: &Fingerprint, now: Timestamp) -> Result<Option<Self>> {
        let Some(session) = enrollments::session(conn, print)? else { return Ok(None) };
        let user = users::find(conn, session.user_id)?.ok_or(Error::NotFound("user"))?;
        let device = match session.device_id {
            Some(id) => devices::find(conn, id)?,
            None => None,
        };
        let trouble = trouble(&session, device.as_ref().map(|device| device.enrollment_id == Some(session.enrollment_id)), now);
        let certificate_until = match trouble {
            Some(Trouble::Expired) if now < session.not_before => session.not_before,
            // It does not become better with time.
            Some(_) => now.plus_days(1),
            None => session.not_after,
        };
        let Some(device) = device else {
            // It has a certificate and has not checked in yet.
            let rules = store::access::rules(conn)?;
            let facts = Facts::of(&Candidate {
                user: user.state,
                is_excluded: store::access::is_excluded(conn, user.id)?,
                state: EnrollmentState::Pending,
                ..Candidate::nobody()
            });
            let holder = Holder { user: user.id, email: user.email, device: None, compliance: Status::Unknown };
            // Nothing would tell that it has become a device, so it is not remembered.
            return Ok(Some(Self::new(holder, &rules, facts, trouble, now, now)));
        };
        let standing = Self::of_device(conn, app, user, device, now, certificate_until)?;
        Ok(Some(Self { trouble, ..standing }))
    }

    /// Reads how an enrolled browser stands, with the end that this use gives its enrollment; `None` where the cookie does not count:
    /// it was not given for this host, or the enrollment or the host is not wanted any more.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) fn read_browser(
        conn: &mut Conn,
        app: &App,
        hash: &[u8],
        host: &str,
        now: Timestamp,
    ) -> Result<Option<(Self, Option<Renewal>)>> {
        let Some(shown) = gate_cookies::find(conn, hash, host)? else { return Ok(None) };
        let settings = settings::read(conn, &app.default_sender)?;
        let is_enrolled = shown.stage == Stage::Enrolled && shown.state == EnrollmentState::Enrolled && shown.browser.expires_at > now;
        let is_host = settings.gate_hosts.iter().any(|known| known == host);
        if !is_enrolled || !is_host || !may_enroll(conn, &settings, shown.user_id)? {
            return Ok(None);
        }
        let user = users::find(conn, shown.user_id)?.ok_or(Error::NotFound("user"))?;
        let device = devices::find(conn, shown.device_id)?.ok_or(Error::NotFound("device"))?;
        app.seen.note(device.id, now);
        let enrollment = shown.browser.enrollment_id;
        // A user who was disabled is told so, and renews nothing.
        let end = renewed(shown.browser.expires_at, settings.browser_enrollment_days, now).filter(|_| user.state == UserState::Active);
        // Read again after an hour of use, which is when the enrollment is renewed.
        let until = end.unwrap_or(shown.browser.expires_at).min(now.plus_seconds(STEP_SECONDS));
        let standing = Self::of_device(conn, app, user, device, now, until)?;
        Ok(Some((Self { assurance: Assurance::Cookie, ..standing }, end.map(|end| Renewal { enrollment, end }))))
    }

    /// * `until`: when what identifies the device has to be looked at again.
    fn of_device(conn: &mut Conn, app: &App, user: User, device: Device, now: Timestamp, until: Timestamp) -> Result<Self> {
        let known = Known::of(conn, app, device)?;
        let (verdict, _) = known.conclude(now)?;
        let holder = Holder { user: user.id, email: user.email, device: Some(known.device.id), compliance: verdict.status };
        let good_until = known.good_until(&verdict, now).map_or(until, |change| change.min(until));
        Ok(Self::new(holder, &known.rules, Facts::of(&known.candidate(verdict.status)), None, now, good_until))
    }

    fn new(holder: Holder, rules: &AccessRules, facts: Facts, trouble: Option<Trouble>, read_at: Timestamp, good_until: Timestamp) -> Self {
        let decided = access::decide(rules, &facts.candidate(), read_at);
        Self { holder, assurance: Assurance::Certificate, decided, trouble, facts, read_at, good_until }
    }

    /// Whether time alone has changed nothing since it was read.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now >= self.read_at && now < self.good_until
    }

    /// What the access rules are asked about.
    pub(super) fn candidate(&self) -> Candidate<'_> {
        self.facts.candidate()
    }

    /// A device of somebody.
    #[cfg(test)]
    pub(super) fn sample() -> Self {
        use crate::domain::id::{DeviceId, UserId};
        let holder =
            Holder { user: UserId::new(), email: "ada@example.com".into(), device: Some(DeviceId::new()), compliance: Status::Compliant };
        let (from, until) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        Self::new(holder, &AccessRules::default(), Facts::of(&Candidate::nobody()), None, from, until)
    }
}

impl Facts {
    fn of(candidate: &Candidate<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        Self {
            user: candidate.user,
            is_excluded: candidate.is_excluded,
            exception: candidate.exception,
            state: candidate.state,
            status: candidate.status,
            enforcement: candidate.enforcement,
            platform: candidate.platform,
            model: owned(candidate.model),
            product: owned(candidate.product),
            os_version: owned(candidate.os_version),
        }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            is_identified: true,
            user: self.user,
            is_excluded: self.is_excluded,
            exception: self.exception,
            state: self.state,
            status: self.status,
            enforcement: self.enforcement,
            platform: self.platform,
            model: self.model.as_deref(),
            product: self.product.as_deref(),
            os_version: self.os_version.as_deref(),
            user_agent: None,
        }
    }
}

/// What is wrong with a certificate, where something is.
///
/// * `is_present`: whether its enrollment is the present one of its device; `None` without a device.
fn trouble(session: &Session, is_present: Option<bool>, now: Timestamp) -> Option<Trouble> {
    if session.revoked_at.is_some() {
        return Some(Trouble::Revoked);
    }
    if now < session.not_before || now >= session.not_after {
        return Some(Trouble::Expired);
    }
    let has_ended = session.stage == Stage::Ended;
    (has_ended || is_present == Some(false)).then_some(Trouble::Replaced)
}

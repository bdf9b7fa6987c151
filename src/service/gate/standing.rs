//! How the device of a certificate stands: everything that the gate's answer rests on, read in one go.

use super::Holder;
use crate::{
    domain::{
        access::{self, AccessRules, Candidate, Decided, Exception},
        compliance::Status,
        device::{EnrollmentState, Platform},
        policy::Enforcement,
        time::Timestamp,
        user::UserState,
    },
    service::{App, Error, Result, comply::Known, signers::Fingerprint},
    store::{
        self, Conn, devices,
        enrollments::{self, Session, Stage},
        users,
    },
};

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

/// How the device of a certificate stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose the certificate is.
    pub holder: Holder,
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
        let known = Known::of(conn, app, device)?;
        let (verdict, _) = known.conclude(now)?;
        let holder = Holder { user: user.id, email: user.email, device: Some(known.device.id), compliance: verdict.status };
        let good_until = known.good_until(&verdict, now).map_or(certificate_until, |until| until.min(certificate_until));
        Ok(Some(Self::new(holder, &known.rules, Facts::of(&known.candidate(verdict.status)), trouble, now, good_until)))
    }

    fn new(holder: Holder, rules: &AccessRules, facts: Facts, trouble: Option<Trouble>, read_at: Timestamp, good_until: Timestamp) -> Self {
        let decided = access::decide(rules, &facts.candidate(), read_at);
        Self { holder, decided, trouble, facts, read_at, good_until }
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

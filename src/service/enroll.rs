//! From an identified person to an enrollment profile, and the progress that the page shows afterwards.

use std::sync::Arc;

use serde_json::json;

use super::{
    App, Error, Result,
    android::method::{self, Walker},
    census::CENSUS_DAYS,
    check_in::end_enrollment,
    secrets::Secret,
    settings,
};
use crate::{
    apple::profile::{
        enrollment::{EnrollmentProfile, Mode},
        ota::ProfileService,
        scep::Scep,
    },
    domain::{
        audit::Actor,
        backend::Backend,
        device::Ownership,
        enrollment::{CHALLENGE_SECONDS, PROVISIONING_SECONDS},
        id::{ChallengeId, EnrollmentId, UserId, VisitId},
        sign_in::{FAILURE_HOURS, KNOWN_DAYS},
        time::Timestamp,
        user::UserState,
    },
    store::{
        Conn, Tx, activation_files,
        audit::{self, Entry},
        census,
        certificates::{self, Challenge},
        deliveries,
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        files, gate, gate_cookies, imports, launcher_packages, mails, rollouts, sessions,
        users::{self, User},
        visits::{self, Visit},
    },
};

/// Where a visit stands, and so which page it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nobody has said who they are.
    Address,
    /// A code was sent.
    Code,
    /// The person has to choose how the device will be managed.
    Method,
    /// The person has to read and agree.
    Consent,
    /// The profile, or what stands for it on Android, can be had, once.
    Profile,
    /// It was given out; the device has not been heard of.
    Install,
    /// The device has begun.
    Installing,
    /// The device is enrolled.
    Done,
    /// The profile was not used in time.
    TooLate,
}

/// A visit with everything that its page shows.
pub struct Progress {
    /// Where it stands.
    pub step: Step,
    /// The visit.
    pub visit: Visit,
    /// Who it is, once proved.
    pub user: Option<User>,
    /// The device, once it has shown itself.
    pub device: Option<Device>,
    /// The ways that are offered.
    pub methods: Vec<Backend>,
    /// The way that is gone.
    pub method: Option<Backend>,
    /// Until when an activation certificate waits to be downloaded.
    pub file_until: Option<Timestamp>,
}

/// Seconds after which no server reads a change of what the gate decides from any more.
const GATE_SECONDS: i64 = 3600;

impl App {
    /// Where a visit stands.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn progress(&self, visit: Visit, walker: Walker) -> Result<Progress> {
        let methods = self.methods(walker, visit.ownership).await?;
        let now = self.now();
        self.read(move |conn: &mut Conn| {
            let user = visit.user_id.map(|id| users::find(conn, id)).transpose()?.flatten();
            let enrollment = visit.enrollment_id.map(|id| enrollments::find(conn, id)).transpose()?.flatten();
            let device =
                enrollment.as_ref().and_then(|enrollment| enrollment.device_id).map(|id| devices::find(conn, id)).transpose()?.flatten();
            let file_until = visit.enrollment_id.map(|id| activation_files::waits_until(conn, id, visit.id, now)).transpose()?.flatten();
            let method = enrollment.as_ref().map(|enrollment| enrollment.backend).or_else(|| method::chosen(&visit, &methods));
            let step = match &enrollment {
                Some(enrollment) => step_of_enrollment(enrollment, file_until, now),
                None => step_before(&visit, user.is_some(), method),
            };
            Ok(Progress { step, visit, user, device, methods, method, file_until })
        })
        .await
    }

    /// Lets a visit begin again from the code, for another device or after a profile that was not used.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn restart_visit(&self, visit: VisitId) -> Result<()> {
        self.write(move |tx| {
            let mut visit = visits::find(tx, visit)?.ok_or(Error::NotFound("visit"))?;
            (visit.user_id, visit.email) = (None, None);
            (visit.consent_version, visit.consented_at) = (None, None);
            (visit.enrollment_id, visit.profile_taken_at, visit.backend) = (None, None, None);
            Ok(visits::update(tx, &visit)?)
        })
        .await
    }

    /// Makes the enrollment profile of a visit, which is possible once.
    ///
    /// # Errors
    /// [`Error::Denied`] before mailbox and consent, [`Error::Conflict`] the second time.
    pub async fn take_profile(self: &Arc<Self>, visit: VisitId) -> Result<Vec<u8>> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let Consented { visit, user, consent } = consented(tx, visit, Backend::Apple)?;
            let (enrollment, secret) = app.prepare(tx, &user, Backend::Apple, visit.ownership, Some(consent))?;
            if !visits::take_profile(tx, visit.id, enrollment.id, app.now())? {
                return Err(Error::Conflict("the profile was downloaded already; begin again to get another".into()));
            }
            app.first_profile(tx, &enrollment, &user, &secret)
        })
        .await
    }

    /// Makes an enrollment profile for a user, to be handed over by an administrator.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn profile_for_user(self: &Arc<Self>, actor: Actor, user: UserId, ownership: Ownership) -> Result<Vec<u8>> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let user = users::find(tx, user)?.ok_or(Error::NotFound("user"))?;
            if user.state != UserState::Active {
                return Err(Error::Conflict("the user is disabled; enable the user before enrolling a device".into()));
            }
            let (enrollment, secret) = app.prepare(tx, &user, Backend::Apple, ownership, None)?;
            let detail = json!({ "email": user.email, "ownership": ownership, "enrollment": enrollment.id });
            audit::record(
                tx,
                &Entry {
                    at: app.now(),
                    actor: &actor,
                    action: "user.enrollment_profile",
                    subject_kind: "user",
                    subject: user.id.to_string(),
                    detail,
                },
            )?;
            app.first_profile(tx, &enrollment, &user, &secret)
        })
        .await
    }

    /// Prepares an enrollment with its one-time right to a certificate, where its user may have another device of this kind.
    pub(super) fn prepare(
        &self,
        tx: &mut Tx<'_>,
        user: &User,
        backend: Backend,
        ownership: Ownership,
        consent: Option<(String, Timestamp)>,
    ) -> Result<(Enrollment, Secret)> {
        self.within_device_limit(tx, user.id, backend.kind(), None)?;
        let now = self.now();
        let (consent_version, consented_at) = consent.unzip();
        let enrollment = Enrollment {
            id: EnrollmentId::new(),
            user_id: user.id,
            device_id: None,
            generation: 0,
            ownership,
            rights: backend.rights(ownership),
            state: Stage::Prepared,
            is_user_enrollment: false,
            consent_version,
            consented_at,
            fingerprint: None,
            topic: None,
            push_token: None,
            push_magic: None,
            sealed_unlock_token: None,
            is_awaiting_configuration: false,
            sealed_bootstrap_token: None,
            passcode_profile: None,
            created_at: now,
            enrolled_at: None,
            ended_at: None,
            end_cause: None,
            backend,
            management_mode: None,
        };
        enrollments::insert(tx, &enrollment)?;
        let secret = self.challenge(tx, &enrollment, &user.email)?;
        Ok((enrollment, secret))
    }

    /// A one-time right to a certificate. What the certificate will say is decided here.
    pub(super) fn challenge(&self, tx: &mut Tx<'_>, enrollment: &Enrollment, email: &str) -> Result<Secret> {
        let (secret, now) = (Secret::generate("")?, self.now());
        // Only the newest works, so that nobody can hoard them.
        certificates::spend_challenges_of(tx, enrollment.id, now)?;
        certificates::insert_challenge(
            tx,
            &Challenge {
                id: ChallengeId::new(),
                hash: secret.hash.clone(),
                enrollment_id: enrollment.id,
                common_name: enrollment.id.to_string(),
                email: email.to_owned(),
                created_at: now,
                expires_at: now.plus_seconds(CHALLENGE_SECONDS),
                spent_at: None,
            },
        )?;
        Ok(secret)
    }

    /// The first profile that the device gets: the enrollment itself, or the question what it is.
    fn first_profile(&self, tx: &mut Tx<'_>, enrollment: &Enrollment, user: &User, secret: &Secret) -> Result<Vec<u8>> {
        let settings = settings::read(tx, &self.default_sender)?;
        if !settings.ota_enrollment {
            return self.enrollment_profile(tx, enrollment, user, &secret.text);
        }
        let service = ProfileService {
            reverse_dns: self.reverse_dns.clone(),
            organization: settings.organization,
            url: format!("{}/enroll/ota", self.public_url),
            challenge: secret.text.clone(),
        };
        let profile = service.profile().map_err(|error| Error::internal("making the profile service", error))?;
        self.sign(&profile.xml)
    }

    /// The signed enrollment profile.
    pub(super) fn enrollment_profile(&self, tx: &mut Tx<'_>, enrollment: &Enrollment, user: &User, challenge: &str) -> Result<Vec<u8>> {
        let organization = settings::read(tx, &self.default_sender)?.organization;
        let profile = EnrollmentProfile {
            reverse_dns: self.reverse_dns.clone(),
            organization: organization.clone(),
            server_url: format!("{}/mdm/connect", self.public_url),
            checkin_url: format!("{}/mdm/checkin", self.public_url),
            scep: self.scep_payload(organization, user, enrollment, challenge)?,
            topic: super::setup::push_topic(tx, self.now())?,
            rights: enrollment.rights,
            sign_message: true,
            check_out_when_removed: true,
            mode: Mode::Device,
            trusted_root_der: Some(self.authorities.device_ca.certificate.to_der()?),
        };
        let profile = profile.profile().map_err(|error| Error::internal("making the enrollment profile", error))?;
        self.sign(&profile.xml)
    }

    pub(super) fn scep_payload(&self, organization: String, user: &User, enrollment: &Enrollment, challenge: &str) -> Result<Scep> {
        tracing::debug!(user = %user.id, enrollment = %enrollment.id, "a SCEP payload is made");
        Ok(Scep {
            url: format!("{}/scep", self.public_url),
            challenge: challenge.to_owned(),
            organization,
            subject_common_name: enrollment.id.to_string(),
            ca_certificate_der: self.authorities.device_ca.certificate.to_der()?,
        })
    }

    /// Forgets what has had its time: visits with their codes after a day, rights to a certificate after a week, mails after a
    /// quarter of a year, their texts with their point, deliveries of webhooks after a month, protected files with their links.
    /// Gives how many visits there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_old(&self) -> Result<usize> {
        let now = self.now();
        self.write(move |tx| {
            certificates::purge_challenges(tx, now.plus_days(-7))?;
            mails::purge(tx, now.plus_days(-90))?;
            imports::purge(tx, now.plus_days(-90))?;
            sessions::purge(tx, now.plus_days(-KNOWN_DAYS), now.plus_seconds(-FAILURE_HOURS * 3600))?;
            census::purge(tx, now.plus_days(-CENSUS_DAYS))?;
            mails::forget_expired(tx, now)?;
            rollouts::purge(tx, now.plus_days(-30))?;
            deliveries::purge(tx, now.plus_days(-30))?;
            gate::purge(tx, GATE_SECONDS)?;
            gate_cookies::purge_tickets(tx, now)?;
            launcher_packages::purge(tx, now.plus_days(-1))?;
            files::purge(tx, now)?;
            Ok(visits::purge(tx, now.plus_days(-1))?)
        })
        .await
    }

    /// Ends enrollments whose profile was never used; gives how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end_unused_enrollments(self: &Arc<Self>, limit: i64) -> Result<usize> {
        let now = self.now();
        self.write(move |tx| {
            let unused = enrollments::prepared_before(tx, now.plus_days(-1), limit)?;
            let count = unused.len();
            for enrollment in unused {
                users::find_for_update(tx, enrollment.user_id)?;
                // It may have begun since it was listed.
                let again = enrollments::find_for_update(tx, enrollment.id)?.filter(|again| again.state == Stage::Prepared);
                let Some(mut enrollment) = again else { continue };
                end_enrollment(tx, &mut enrollment, "the profile was not used", "cessation_of_operation", now)?;
            }
            Ok(count)
        })
        .await
    }
}

/// A visit whose mailbox was proved, locked until the commit.
pub(super) fn proved(tx: &mut Tx<'_>, visit: VisitId) -> Result<Visit> {
    let visit = visits::find_for_update(tx, visit)?.ok_or(Error::NotFound("visit"))?;
    let user = visit.user_id.map(|id| users::find(tx, id)).transpose()?.flatten();
    if user.is_none_or(|user| user.state != UserState::Active) {
        return Err(Error::Denied("the mailbox has to be proved first".into()));
    }
    Ok(visit)
}

/// A visit whose person has agreed.
pub(super) struct Consented {
    /// The visit, locked until the commit.
    pub(super) visit: Visit,
    /// Who it is.
    pub(super) user: User,
    /// Which text they agreed to, and when.
    pub(super) consent: (String, Timestamp),
}

/// A visit whose person has agreed to be managed in this way, and in no other.
pub(super) fn consented(tx: &mut Tx<'_>, visit: VisitId, method: Backend) -> Result<Consented> {
    let visit = proved(tx, visit)?;
    let (Some(user), Some(version), Some(at)) = (visit.user_id, visit.consent_version.clone(), visit.consented_at) else {
        return Err(Error::Denied("this is given only after the person has agreed".into()));
    };
    if !has_agreed_to(&visit, method) {
        return Err(Error::Denied("the person has agreed to be managed in another way".into()));
    }
    let user = users::find(tx, user)?.ok_or(Error::NotFound("user"))?;
    Ok(Consented { visit, user, consent: (version, at) })
}

/// Whether what was agreed to is this. Before there was a choice, there were Apple devices only.
fn has_agreed_to(visit: &Visit, method: Backend) -> bool {
    visit.consented_at.is_some() && visit.backend.unwrap_or(Backend::Apple) == method
}

fn step_of_enrollment(enrollment: &Enrollment, file_until: Option<Timestamp>, now: Timestamp) -> Step {
    match enrollment.state {
        Stage::Enrolled => Step::Done,
        Stage::Authenticated => Step::Installing,
        Stage::Ended => Step::TooLate,
        Stage::Prepared if enrollment.backend == Backend::Certificate && file_until.is_none() => Step::TooLate,
        Stage::Prepared if now > enrollment.created_at.plus_seconds(patience(enrollment.backend)) => Step::TooLate,
        Stage::Prepared => Step::Install,
    }
}

fn step_before(visit: &Visit, is_proved: bool, method: Option<Backend>) -> Step {
    match method {
        _ if !is_proved && visit.email.is_some() => Step::Code,
        _ if !is_proved => Step::Address,
        None => Step::Method,
        Some(method) if has_agreed_to(visit, method) => Step::Profile,
        Some(_) => Step::Consent,
    }
}

/// Seconds within which a device must have begun.
const fn patience(backend: Backend) -> i64 {
    match backend {
        Backend::Headwind => PROVISIONING_SECONDS,
        _ => CHALLENGE_SECONDS,
    }
}

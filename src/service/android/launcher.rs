//! From an identified person to the QR code from which a new device sets itself up, and who speaks when a number is named.

use std::sync::Arc;

use openssl::{
    hash::{MessageDigest, hash as digest},
    rand::rand_bytes,
};

use super::{
    launcher_package::{FILE, checksum_of},
    launcher_settings::Kept,
};
use crate::{
    android::launcher::{number, provisioning},
    domain::{
        backend::Backend,
        command::Purpose,
        device::EnrollmentState,
        enrollment::PROVISIONING_SECONDS,
        id::{DeviceId, EnrollmentId, VisitId},
        time::Timestamp,
        user::UserState,
    },
    service::{
        App, Error, Result,
        enroll::{Consented, consented},
        secrets,
    },
    store::{
        Conn, Tx, certificates, commands, devices,
        enrollments::{Enrollment, Stage},
        launcher_packages,
        launchers::{self, Launcher, Number},
        users, visits,
    },
};

/// Seals numbers.
const NUMBER: &str = "launcher number";
/// Days for which a device that was reset is told so once more: the answer may have been lost.
const FAREWELL_DAYS: i64 = 7;
/// The cookie that allows the download.
pub const COOKIE: &str = "enlist-launcher";

/// What a new device's set-up wizard has to read.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// The text of the QR code. It holds secrets: whoever reads it can enroll a device in the person's name.
    pub json: String,
    /// The password of a wireless network is among them.
    pub has_wifi: bool,
    /// The device must have begun by then.
    pub expires_at: Timestamp,
}

/// Who speaks.
pub(super) struct Speaker {
    pub number: Number,
    pub launcher: Launcher,
    pub enrollment: Enrollment,
    /// Where its device stands, once there is one.
    pub state: Option<EnrollmentState>,
    /// Its full wipe was carried out a short while ago, as far as the server knows. It is told once more, because the answer may have
    /// been lost.
    pub is_wiped: bool,
}

impl Speaker {
    /// Who is meant by a number, whether it is still good or not.
    pub fn find(conn: &mut Conn, text: &str, now: Timestamp) -> Result<Option<Self>> {
        if !number::is_shaped(text) {
            return Ok(None);
        }
        let Some((number, launcher, enrollment)) = launchers::by_number(conn, &secrets::hash(text))? else { return Ok(None) };
        let device = enrollment.device_id.map(|id| devices::find(conn, id)).transpose()?.flatten();
        let is_wiped = enrollment.state == Stage::Ended
            && enrollment.ended_at.is_some_and(|ended| now <= ended.plus_days(FAREWELL_DAYS))
            && device.as_ref().is_some_and(|device| device.enrollment_id == Some(enrollment.id))
            && commands::was_acknowledged(conn, enrollment.id, Purpose::FullWipe)?;
        Ok(Some(Self { number, launcher, state: device.map(|device| device.state), enrollment, is_wiped }))
    }

    /// Whether its number is good now.
    pub fn is_good(&self, now: Timestamp) -> bool {
        let is_late = self.enrollment.state == Stage::Prepared && now > self.launcher.expires_at;
        self.number.retired_at.is_none() && !is_late && (self.enrollment.state != Stage::Ended || self.is_wiped)
    }

    /// Whether nothing but the order to leave is given to it.
    pub const fn is_ending(&self) -> bool {
        matches!(self.state, Some(EnrollmentState::WipePending | EnrollmentState::Retired))
    }

    /// Its device, if its enrollment is complete.
    pub fn enrolled(&self) -> Option<DeviceId> {
        self.enrollment.device_id.filter(|_| self.enrollment.state == Stage::Enrolled)
    }
}

/// Who speaks, with the user locked until the commit and the number marked as used: those before it are of no further use.
///
/// [`Error::NotFound`] where nobody is known by this number.
pub(super) fn admit(tx: &mut Tx<'_>, text: &str, now: Timestamp) -> Result<Speaker> {
    let unknown = || Error::NotFound("device");
    let found = Speaker::find(tx, text, now)?.ok_or_else(unknown)?;
    let user = users::find_for_update(tx, found.enrollment.user_id)?;
    // Read once more, now that nobody can change it meanwhile.
    let speaker = Speaker::find(tx, text, now)?.filter(|speaker| speaker.is_good(now)).ok_or_else(unknown)?;
    let is_active = user.is_some_and(|user| user.state == UserState::Active);
    if !is_active && matches!(speaker.enrollment.state, Stage::Prepared | Stage::Authenticated) {
        return Err(Error::Denied("the user of this enrollment is disabled".into()));
    }
    if let Some(device) = speaker.enrollment.device_id {
        devices::find_for_update(tx, device)?;
    }
    if speaker.number.used_at.is_none() {
        launchers::use_number(tx, &speaker.number, now)?;
    }
    Ok(speaker)
}

impl App {
    /// Prepares the enrollment of a new device with the launcher, once for each visit.
    ///
    /// # Errors
    /// [`Error::Denied`] before mailbox and consent, [`Error::Conflict`] the second time and where no launcher was uploaded.
    pub async fn provision_launcher(self: &Arc<Self>, visit: VisitId) -> Result<Provisioning> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let now = app.now();
            let Consented { visit, user, consent } = consented(tx, visit, Backend::Headwind)?;
            let package = launcher_packages::current(tx)?.ok_or_else(|| {
                Error::Conflict("no launcher was uploaded yet; an administrator can do that in the console under Android launcher".into())
            })?;
            let (enrollment, _) = app.prepare(tx, &user, Backend::Headwind, visit.ownership, Some(consent))?;
            // The published launcher cannot install a certificate with its key.
            certificates::spend_challenges_of(tx, enrollment.id, now)?;
            if !visits::take_profile(tx, visit.id, enrollment.id, now)? {
                return Err(Error::Conflict("the code was shown already; begin again to get another".into()));
            }
            let kept = Kept::read(tx)?;
            let cookie = secrets::Secret::generate("")?;
            let launcher = Launcher {
                enrollment_id: enrollment.id,
                cookie_hash: cookie.hash,
                panel_password: closed_panel()?,
                expires_at: now.plus_seconds(PROVISIONING_SECONDS),
                configured_at: None,
                configured_version: None,
                version_since: None,
                confirmed_at: None,
                locked_at: None,
                lock_message: None,
            };
            launchers::insert(tx, &launcher)?;
            let number = app.give_number(tx, enrollment.id, now)?;
            let wifi = app.launcher_wifi(&kept)?;
            let has_wifi = wifi.as_ref().is_some_and(|wifi| wifi.password.is_some());
            let extras = provisioning::Provisioning {
                component: kept.component,
                download: format!("{}/files/{}/{FILE}", app.public_url, package.id),
                checksum: checksum_of(&package),
                cookie: format!("{COOKIE}={}", cookie.text),
                wifi,
                number,
                server: app.public_url.clone(),
            };
            let json = provisioning::to_json(&extras).map_err(|error| Error::internal("writing a provisioning code", error))?;
            Ok(Provisioning { json, has_wifi, expires_at: launcher.expires_at })
        })
        .await
    }

    /// Refuses by a read whoever is not known: there is one writer for everybody, and strangers must not keep it busy. Whether a number
    /// that is known is still good is found out by [`admit`].
    ///
    /// [`Error::NotFound`] where nobody is known by this number.
    pub(super) async fn must_know(&self, text: &str) -> Result<()> {
        let unknown = || Error::NotFound("device");
        if !number::is_shaped(text) {
            return Err(unknown());
        }
        let (now, text) = (self.now(), text.to_owned());
        let is_known = self.read(move |conn| Ok::<_, Error>(Speaker::find(conn, &text, now)?.is_some())).await?;
        if is_known { Ok(()) } else { Err(unknown()) }
    }

    /// Gives an enrollment a new number.
    pub(super) fn give_number(&self, tx: &mut Tx<'_>, enrollment: EnrollmentId, now: Timestamp) -> Result<String> {
        let text = number::generate()?;
        let number = Number {
            hash: secrets::hash(&text),
            enrollment_id: enrollment,
            sealed_number: self.keys.seal(NUMBER, text.as_bytes())?,
            created_at: now,
            used_at: None,
            retired_at: None,
        };
        launchers::insert_number(tx, &number)?;
        Ok(text)
    }

    /// The number that a device shall use from now on; none where it uses it already.
    ///
    /// The number of a QR code could be read by whoever saw the code, so the first configuration brings another one. Whoever asks
    /// again with the old number, because an answer was lost, gets yet another one, and the one that nobody has used is worth nothing
    /// from then on: two never know the same number, and where somebody has seen the code and interferes, the set-up fails where it
    /// can be seen.
    pub(super) fn successor(&self, tx: &mut Tx<'_>, speaker: &Speaker, now: Timestamp) -> Result<Option<String>> {
        let enrollment = speaker.enrollment.id;
        // One that was used would have made the speaker's own worthless.
        let unused = launchers::newest_number(tx, enrollment)?.filter(|newest| newest.hash != speaker.number.hash);
        match unused {
            Some(unused) => {
                tracing::info!(enrollment = %enrollment, "a launcher asks again for its first configuration and gets another number");
                launchers::delete_number(tx, &unused)?;
            }
            None if launchers::count_numbers(tx, enrollment)? > 1 => return Ok(None),
            None => {}
        }
        self.give_number(tx, enrollment, now).map(Some)
    }

    /// What launchers sign with, and what answers to them are signed with.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn launcher_answer_secret(&self) -> Result<String> {
        let kept = self.read(Kept::read).await?;
        self.launcher_secret(&kept)
    }
}

/// The password of the launcher's own settings: a random one that nobody knows, in the form in which the launcher compares it.
/// Without one everybody could open them, because the one that holds then is known.
fn closed_panel() -> Result<String> {
    let mut password = [0; 32];
    rand_bytes(&mut password)?;
    let hash = digest(MessageDigest::md5(), &password)?;
    Ok(hash.iter().fold(String::with_capacity(32), |text, byte| text + &format!("{byte:02X}")))
}

//! What can be done with a device at this moment, and where something cannot, why: so that nobody is promised what will be
//! refused.

use super::{App, Error, Result, command::may_send, wipe};
use crate::{
    domain::{
        backend::{Backend, ManagementMode},
        command::{Command, EraseOptions, ReturnToService},
        device::{EnrollmentState, WipeScope},
        id::{CommandId, DeviceId},
    },
    store::{
        self, Conn, commands, devices,
        devices::Device,
        enrollments::{self, Enrollment, Stage},
        launchers, users,
    },
};

/// Whether something can be done; where not, why.
pub type Offer = std::result::Result<(), String>;

/// What can be done with a device.
#[derive(Debug, Clone)]
pub struct Offers {
    /// Ask it for its facts.
    pub refresh: Offer,
    /// Lock its screen.
    pub lock: Offer,
    /// Remove its passcode.
    pub clear_passcode: Offer,
    /// Let it go.
    pub retire: Offer,
    /// Remove the company's data.
    pub selective_wipe: Offer,
    /// Reset it to its factory state.
    pub full_wipe: Offer,
}

/// A device with its owner and what can be done with it.
#[derive(Debug, Clone)]
pub struct DeviceWithOffers {
    /// The device.
    pub device: Device,
    /// Its owner's address.
    pub email: String,
    /// Its owner's name.
    pub name: String,
    /// Its present enrollment.
    pub enrollment: Option<Enrollment>,
    /// What can be done.
    pub offers: Offers,
    /// It is locked until somebody takes the lock away from here.
    pub is_locked: bool,
}

impl DeviceWithOffers {
    /// Looks a device up.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of the database.
    pub fn get(conn: &mut Conn, id: DeviceId) -> Result<Self> {
        let device = devices::find(conn, id)?.ok_or(Error::NotFound("device"))?;
        let owner = users::find(conn, device.user_id)?;
        let enrollment = device.enrollment_id.map(|id| enrollments::find(conn, id)).transpose()?.flatten();
        let offers = offers(conn, &device, enrollment.as_ref())?;
        let launcher = enrollment.as_ref().map(|enrollment| launchers::find(conn, enrollment.id)).transpose()?.flatten();
        let is_locked = device.state == EnrollmentState::Enrolled && launcher.is_some_and(|launcher| launcher.locked_at.is_some());
        let (email, name) = owner.map(|owner| (owner.email, owner.name)).unwrap_or_default();
        Ok(Self { device, email, name, enrollment, offers, is_locked })
    }

    /// What manages it.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.enrollment.as_ref().map_or(Backend::Apple, |enrollment| enrollment.backend)
    }

    /// What its agent is on it, once it has said so.
    #[must_use]
    pub fn mode(&self) -> Option<ManagementMode> {
        self.enrollment.as_ref().and_then(|enrollment| enrollment.management_mode)
    }
}

fn offers(conn: &mut Conn, device: &Device, enrollment: Option<&Enrollment>) -> Result<Offers> {
    let backend = enrollment.map_or(Backend::Apple, |enrollment| enrollment.backend);
    let by_command = |command: &Command| -> Offer {
        if device.state != EnrollmentState::Enrolled {
            return Err(format!("The device is not enrolled (it is {}), so no command can reach it.", device.state));
        }
        let Some(enrollment) = enrollment.filter(|enrollment| enrollment.state == Stage::Enrolled) else {
            return Err("The enrollment of the device is not complete.".into());
        };
        may_send(enrollment, command).map_err(|error| error.to_string())
    };
    let reset = Command::ResetPasscode { sealed_passcode: Vec::new() };
    let (refresh, lock, clear_passcode) = (
        by_command(if backend == Backend::Apple { &Command::SecurityInfo } else { &Command::ReportPosture }),
        by_command(&Command::DeviceLock { message: None, phone_number: None }),
        by_command(if backend == Backend::Apple { &Command::ClearPasscode } else { &reset }),
    );
    let mut wipe =
        |scope| Ok::<Offer, store::Error>(wipe::refusal(conn, device, enrollment, scope)?.map_or(Ok(()), |why| Err(why.to_string())));
    let (selective_wipe, full_wipe) = (wipe(WipeScope::Selective)?, wipe(WipeScope::Full)?);
    let may_retire = wipe::may_retire(conn, device, enrollment)?;
    let retire = if may_retire { Ok(()) } else { Err("The device is not enrolled, or a wipe of it is under way.".into()) };
    Ok(Offers { refresh, lock, clear_passcode, retire, selective_wipe, full_wipe })
}

/// A command as the device is given it, and what it answered.
#[derive(Debug, Clone)]
pub struct CommandInFull {
    /// Its row.
    pub queued: commands::QueuedCommand,
    /// The property list that is sent, without the secrets that it may hold: tokens, and the content of profiles.
    pub request: String,
    /// The answer as JSON, where there was one.
    pub answer: Option<String>,
}

impl App {
    /// A command of a device in full.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn command_in_full(&self, device: DeviceId, command: CommandId) -> Result<CommandInFull> {
        let queued = self.read(move |conn| commands::find_of_device(conn, device, command)).await?.ok_or(Error::NotFound("command"))?;
        let request = request_of(&queued)?;
        let answer = queued.answer.as_deref().map(pretty);
        Ok(CommandInFull { queued, request, answer })
    }
}

/// What the device is sent, for people: in place of what may be a secret (the token that clears a passcode, profiles with their
/// passwords and keys, commands of any content) it says so.
fn request_of(queued: &commands::QueuedCommand) -> Result<String> {
    const HIDDEN: &[u8] = b"not shown";
    let hide = |profile: Option<Vec<u8>>| profile.map(|_| HIDDEN.to_vec());
    let command = match queued.command()? {
        Command::InstallProfile { identifier, .. } => Command::InstallProfile { identifier, profile: HIDDEN.to_vec() },
        Command::EraseDevice(options) => Command::EraseDevice(EraseOptions {
            return_to_service: options
                .return_to_service
                .map(|service| ReturnToService { wifi_profile: hide(service.wifi_profile), mdm_profile: hide(service.mdm_profile) }),
            ..options
        }),
        Command::Raw { request_type, .. } => return Ok(format!("{request_type}: what somebody wrote by hand is not shown.")),
        Command::ApplyPolicy { version } => return Ok(format!("apply_policy: the policy of version {version}")),
        Command::ReportPosture => return Ok("report_posture".into()),
        Command::ResetPasscode { .. } => return Ok("reset_passcode: the new passcode is not shown.".into()),
        Command::RemoveWorkData => return Ok("remove_work_data".into()),
        Command::RenewIdentity => return Ok("A new enrollment profile, which is made when the device fetches it.".into()),
        Command::InstallMailProfile { .. } => {
            return Ok("The managed mail account, whose password is drawn when the device fetches it and is kept nowhere.".into());
        }
        Command::RemoveMailProfile => return Ok("RemoveProfile: the managed mail account.".into()),
        other => other,
    };
    let encoded = crate::apple::command::encode(&queued.id.to_string().to_uppercase(), &command, Some(HIDDEN));
    let encoded = encoded.map_err(|error| Error::internal("showing a command", error))?;
    Ok(String::from_utf8_lossy(&encoded).into_owned())
}

fn pretty(json: &str) -> String {
    serde_json::from_str::<serde_json::Value>(json)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| json.to_owned())
}

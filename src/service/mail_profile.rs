//! Gives devices their managed mail account, and takes it back. The profile is made when the device fetches it: the password is
//! drawn at that moment, and only the hash by which Dovecot names it is kept.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    App, Error, Result,
    command::reachable,
    comply::{self, Known},
    mail_access::{self, MailAccess, Shared},
    mail_sessions,
};
use crate::{
    apple::profile::{
        self, Profile,
        mail::{MailAccount as Account, Server},
    },
    domain::{
        audit::Actor,
        command::{Command, CommandState, Purpose},
        device::{EnrollmentState, Platform},
        id::{DeviceId, EnrollmentId},
        mail_access::{MailProtocol, MailReach, user_name},
        policy::EffectivePolicy,
        rights::AccessRights,
        time::Timestamp,
    },
    store::{
        Conn, Tx,
        audit::{self, Entry},
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        mail_accounts::{self, MailAccount, MailPassword},
        policies, timeline, users,
    },
};

/// The kind of the command that brings the account.
const INSTALL: &str = "install_mail_profile";
/// The kind of the command that takes it back.
const REMOVE: &str = "remove_mail_profile";

/// The managed mail account of a device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeviceMail {
    /// The device was given an account, or will be when it next connects.
    pub has_account: bool,
    /// When the newest of its passwords was made; null while the device has not fetched one.
    pub password_made_at: Option<Timestamp>,
    /// When somebody last signed in with its password.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_address: Option<String>,
    /// The user name on the mail server; null where mail access is off, or the address of the user makes none.
    pub user_name: Option<String>,
}

/// An account that a device must have.
struct Wanted {
    account: Account,
    shared: Shared,
}

impl App {
    /// The account for a device, where it must have one.
    fn wanted_mail(&self, tx: &mut Tx<'_>, device: &Device, policy: Option<&EffectivePolicy>, rotation: i32) -> Result<Option<Wanted>> {
        let access = mail_access::read(tx)?;
        let is_reached = access.reach == MailReach::Everyone || policy.is_some_and(|policy| policy.rules.require_managed_mail);
        let is_apple = matches!(device.platform, Platform::Ios | Platform::Ipados);
        if !access.enabled || !is_reached || !is_apple {
            return Ok(None);
        }
        let Some(shared) = mail_access::shared(tx, &self.keys)? else { return Ok(None) };
        let user = users::find(tx, device.user_id)?.ok_or(Error::NotFound("user"))?;
        let Some(login) = user_name(&access.user_name, &user.email) else {
            tracing::warn!(user = %user.id, "the address of this user makes no user name for mail, so the device gets no mail account");
            return Ok(None);
        };
        let edition = format!("{}.{rotation}", shared.edition);
        let account = Account { name: access.name.clone(), email: user.email, user_name: login, server: server(access), edition };
        Ok(Some(Wanted { account, shared }))
    }

    fn mail_profile(&self, account: &Account, organization: &str, password: Option<&str>) -> Result<Profile> {
        account.profile(&self.reverse_dns, organization, password).map_err(|error| Error::internal("making the mail profile", error))
    }

    /// Queues the mail profile where the device does not have the one that it must have, and removes one that nobody asks for.
    pub(super) fn keep_mail_profile(&self, tx: &mut Tx<'_>, known: &Known) -> Result<()> {
        let Some(enrollment) = &known.enrollment else { return Ok(()) };
        let may_manage = enrollment.is_user_enrollment || enrollment.rights.allows(AccessRights::MANAGE_PROFILES);
        if enrollment.state != Stage::Enrolled || known.device.state != EnrollmentState::Enrolled || !may_manage {
            return Ok(());
        }
        let present = mail_accounts::find(tx, enrollment.id)?;
        let rotation = present.as_ref().map_or(0, |account| account.rotation);
        let wanted = self.wanted_mail(tx, &known.device, known.policy.as_ref(), rotation)?;
        let command = match (wanted, present) {
            (Some(wanted), present) => {
                let version = self.mail_profile(&wanted.account, &known.organization, None)?.uuid;
                let mut account = present.unwrap_or_else(|| MailAccount::new(enrollment.id, self.now()));
                let identifier = profile::mail::identifier(&self.reverse_dns);
                let is_queued = account.version.as_deref() == Some(version.as_str());
                if is_queued && !comply::is_lost(tx, enrollment, &known.posture, (&identifier, INSTALL), self.now())? {
                    return Ok(());
                }
                account.version = Some(version.clone());
                mail_accounts::upsert(tx, &account)?;
                Command::InstallMailProfile { version }
            }
            (None, Some(_)) => {
                cut_off(tx, enrollment.id)?;
                mail_accounts::delete(tx, enrollment.id)?;
                Command::RemoveMailProfile
            }
            (None, None) => return Ok(()),
        };
        for kind in [INSTALL, REMOVE] {
            commands::cancel_kind(tx, enrollment.id, Purpose::Policy, kind, "newer settings of mail access took its place", self.now())?;
        }
        self.queue(tx, enrollment, known.device.id, &command, Purpose::Policy)?;
        Ok(())
    }

    /// The command that brings the account, with a password that was drawn this moment. Where the device is to have no account any
    /// more, the command stays as it was, and cannot be sent.
    pub(super) fn filled_mail(
        &self,
        tx: &mut Tx<'_>,
        device: DeviceId,
        enrollment: &Enrollment,
        queued: &QueuedCommand,
    ) -> Result<Command> {
        let device = devices::find(tx, device)?.ok_or(Error::NotFound("device"))?;
        let policy = policies::for_user(tx, device.user_id)?;
        let rotation = mail_accounts::find(tx, enrollment.id)?.map_or(0, |account| account.rotation);
        let Some(Wanted { account, shared }) = self.wanted_mail(tx, &device, policy.as_ref(), rotation)? else {
            return Ok(queued.command()?);
        };
        let organization = super::settings::read(tx, &self.default_sender)?.organization;
        let minted = shared.keys.mint(&account.user_name)?;
        let password = MailPassword {
            hash: minted.hash,
            enrollment_id: enrollment.id,
            command_id: queued.id,
            login: account.user_name.clone(),
            created_at: self.now(),
        };
        mail_accounts::insert_password(tx, &password)?;
        let profile = self.mail_profile(&account, &organization, Some(&minted.text))?;
        Ok(Command::InstallProfile { identifier: profile.identifier, profile: self.sign(&profile.xml)? })
    }

    /// The command that takes the account back, as Apple devices know it.
    pub(super) fn mail_removal(&self) -> Command {
        Command::RemoveProfile { identifier: profile::mail::identifier(&self.reverse_dns) }
    }

    /// What follows when a device has answered a command about its mail account.
    pub(super) fn follow_mail(
        &self,
        tx: &mut Tx<'_>,
        enrollment: EnrollmentId,
        device: DeviceId,
        command: &QueuedCommand,
        state: CommandState,
    ) -> Result<()> {
        match (command.kind.as_str(), state) {
            (INSTALL, CommandState::Acknowledged) => {
                // All that were handed out with this command may be the one that arrived; older ones are not in use any more.
                mail_accounts::forget_passwords(tx, enrollment, Some(command.id))?;
                timeline::record(tx, device, self.now(), "mail_installed", "The managed mail account was installed.", "device")?;
            }
            (INSTALL, CommandState::NotNow) => return Ok(mail_accounts::forget_untaken(tx, enrollment, command.id)?),
            // It is tried again when the device next reports, not at once.
            (INSTALL, CommandState::Failed) => {
                mail_accounts::forget_untaken(tx, enrollment, command.id)?;
                return Ok(mail_accounts::forget_version(tx, enrollment)?);
            }
            (REMOVE, CommandState::Acknowledged) => {
                timeline::record(tx, device, self.now(), "mail_removed", "The managed mail account was removed.", "device")?;
            }
            _ => return Ok(()),
        }
        let enrollment = enrollments::find(tx, enrollment)?.ok_or(Error::NotFound("enrollment"))?;
        self.ask_for_facts(tx, &enrollment, device).map(drop)
    }

    /// Orders a new mail password for a device. The one that it has is void at once.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where the device has no mail account or cannot be reached.
    pub async fn renew_mail_password(self: &Arc<Self>, actor: Actor, device: DeviceId) -> Result<()> {
        let app = Arc::clone(self);
        self.write(move |tx| {
            let (device, enrollment) = reachable(tx, device)?;
            let account = mail_accounts::find(tx, enrollment.id)?;
            let mut account = account.ok_or_else(|| Error::Conflict("the device has no managed mail account".into()))?;
            cut_off(tx, enrollment.id)?;
            account.rotation = account.rotation.saturating_add(1);
            mail_accounts::upsert(tx, &account)?;
            app.reconcile_device(tx, device.id, &actor.name)?;
            let now = app.now();
            timeline::record(tx, device.id, now, "mail_password", "A new mail password was ordered; the old one is void.", &actor.name)?;
            let subject = device.id.to_string();
            let detail = json!({ "rotation": account.rotation });
            let entry = Entry { at: now, actor: &actor, action: "device.mail_password", subject_kind: "device", subject, detail };
            Ok(audit::record(tx, &entry)?)
        })
        .await
    }
}

/// The managed mail account of a device.
///
/// # Errors
/// [`Error::NotFound`], and those of the database.
pub fn of_device(conn: &mut Conn, id: DeviceId) -> Result<DeviceMail> {
    let device = devices::find(conn, id)?.ok_or(Error::NotFound("device"))?;
    let (access, user) = (mail_access::read(conn)?, users::find(conn, device.user_id)?);
    let account = device.enrollment_id.map(|id| mail_accounts::find(conn, id)).transpose()?.flatten();
    let passwords = device.enrollment_id.map(|id| mail_accounts::passwords(conn, id)).transpose()?.unwrap_or_default();
    Ok(DeviceMail {
        has_account: account.is_some(),
        password_made_at: passwords.first().map(|password| password.created_at),
        last_used_at: account.as_ref().and_then(|account| account.last_used_at),
        last_address: account.and_then(|account| account.last_address),
        user_name: user.filter(|_| access.enabled).and_then(|user| user_name(&access.user_name, &user.email)),
    })
}

/// Whether a command of this kind is about the mail account.
pub(super) fn is_about_mail(kind: &str) -> bool {
    kind == INSTALL || kind == REMOVE
}

/// Ends the sessions of an enrollment's mail account and forgets its passwords: none of them is let in again.
pub(super) fn cut_off(tx: &mut Tx<'_>, enrollment: EnrollmentId) -> Result<()> {
    mail_sessions::end(tx, enrollment)?;
    mail_accounts::forget_passwords(tx, enrollment, None)?;
    Ok(())
}

fn server(access: MailAccess) -> Server {
    match access.protocol {
        MailProtocol::Imap => {
            Server::Imap { incoming: (access.imap_host, access.imap_port), outgoing: (access.smtp_host, access.smtp_port) }
        }
        MailProtocol::Exchange => Server::Exchange { host: access.exchange_host },
    }
}

//! Very many devices, written into the database as enrollments would have left them.

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use enlist::{
    domain::{
        access::Decision,
        audit::Actor,
        backend::Backend,
        command::{Command, Purpose},
        compliance::{Reason, Status},
        device::{EnrollmentState, Ownership, Platform},
        id::{CertificateId, DeviceId, EnrollmentId, GroupId, MailId, PolicyId, UserId},
        policy::Rules,
        rights::AccessRights,
        time::{Clock, SystemClock, Timestamp},
        user::UserState,
    },
    store::{
        self, DatabaseUrl, Error, Tx,
        audit::{self, Entry},
        certificates::{self, Certificate},
        commands::{self, QueuedCommand},
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        groups::{self, Group},
        mails::{self, Mail, MailState},
        policies::{self, Policy},
        tallies, timeline,
        users::{self, User},
    },
};

/// Devices in one transaction.
const BATCH: usize = 2000;

/// What the database was filled with.
pub struct Filled {
    /// The devices, oldest first.
    pub devices: Vec<DeviceId>,
    /// The policy of them all.
    pub policy: PolicyId,
    /// The group that every tenth user is in.
    pub group: GroupId,
}

/// Fills the database with so many devices, each of somebody else.
///
/// # Errors
/// Those of the database.
pub fn fill(url: &DatabaseUrl, devices: usize) -> anyhow::Result<Filled> {
    let now = SystemClock.now();
    let everyone = policy(now);
    let group = Group { id: GroupId::new(), name: "Every tenth".into(), source: "local".into(), created_at: now };
    store::write_once::<_, Error>(url, |tx| policies::insert(tx, &everyone).and_then(|()| groups::insert(tx, &group)))?;
    let mut ids = Vec::with_capacity(devices);
    for start in (0..devices).step_by(BATCH) {
        let numbers = start..devices.min(start + BATCH);
        let batch =
            store::write_once::<_, Error>(url, |tx| numbers.map(|number| add(tx, number, group.id, now)).collect::<Result<Vec<_>, _>>())?;
        ids.extend(batch);
    }
    settle(url)?;
    Ok(Filled { devices: ids, policy: everyone.id, group: group.id })
}

/// Does what happens by itself within minutes of a server's life: the sweep folds the tallies, PostgreSQL vacuums.
fn settle(url: &DatabaseUrl) -> anyhow::Result<()> {
    store::write_once::<_, Error>(url, tallies::fold)?;
    if let DatabaseUrl::Postgres(address) = url {
        PgConnection::establish(address)?.batch_execute("VACUUM (ANALYZE)")?;
    }
    Ok(())
}

fn policy(now: Timestamp) -> Policy {
    Policy {
        id: PolicyId::new(),
        name: "Everyone".into(),
        is_for_everyone: true,
        groups: Vec::new(),
        rules: Rules::default(),
        created_at: now,
        updated_at: now,
    }
}

fn add(tx: &mut Tx<'_>, number: usize, group: GroupId, now: Timestamp) -> Result<DeviceId, Error> {
    let user = user(number, now);
    users::insert(tx, &user)?;
    if number.is_multiple_of(10) {
        groups::add_member(tx, group, user.id)?;
    }
    let mut device = device(number, user.id, now)?;
    let enrollment = enrollment(&device, now);
    device.enrollment_id = Some(enrollment.id);
    devices::insert(tx, &device)?;
    enrollments::insert(tx, &enrollment)?;
    certificates::insert(tx, &certificate(&enrollment, &user.email, now))?;
    for _ in 0..2 {
        let mut command = QueuedCommand::new(enrollment.id, device.id, &Command::SecurityInfo, Purpose::Facts, now)?;
        command.state = enlist::domain::command::CommandState::Acknowledged;
        command.finished_at = Some(now);
        commands::insert(tx, &command)?;
        timeline::record(tx, device.id, now, "compliance_changed", "The device obeys its policy.", "report")?;
    }
    mails::insert(tx, &mail(&user, now))?;
    if number.is_multiple_of(10) {
        let detail = serde_json::json!({ "email": user.email });
        let (actor, subject) = (Actor::server(), user.id.to_string());
        audit::record(tx, &Entry { at: now, actor: &actor, action: "user.create", subject_kind: "user", subject, detail })?;
    }
    Ok(device.id)
}

fn user(number: usize, now: Timestamp) -> User {
    User {
        id: UserId::new(),
        email: format!("person{number}@example.com"),
        name: format!("Person {number}"),
        source: "local".into(),
        role: None,
        state: UserState::Active,
        password_hash: None,
        must_change_password: false,
        created_at: now,
        updated_at: now,
        language: None,
    }
}

fn device(number: usize, user: UserId, now: Timestamp) -> Result<Device, Error> {
    let platform = if number.is_multiple_of(4) { Platform::Ipados } else { Platform::Ios };
    let ownership = if number.is_multiple_of(3) { Ownership::Personal } else { Ownership::Company };
    let mut device = Device::new(user, format!("00008110-{number:016X}"), platform, ownership, now);
    device.state = if number.is_multiple_of(50) { EnrollmentState::Retired } else { EnrollmentState::Enrolled };
    device.generation = 1;
    device.model = Some("iPhone 15".into());
    device.device_name = Some(format!("iPhone {number}"));
    device.serial = Some(format!("SN{number:08}"));
    device.os_version = Some("18.1".into());
    (device.compliance, device.access) = match number % 10 {
        0 => (Status::Noncompliant, Decision::Block),
        1 => (Status::Unknown, Decision::Quarantine),
        _ => (Status::Compliant, Decision::Allow),
    };
    if device.compliance == Status::Noncompliant {
        let [code, text, remedy] =
            ["passcode_too_weak", "The passcode does not meet the requirements.", "Change the passcode."].map(String::from);
        device.set_reasons(&[Reason { code, text, remedy, since: now }])?;
    }
    let seen = if number.is_multiple_of(7) { now.plus_days(-20) } else { now };
    (device.last_seen_at, device.evaluated_at, device.enrolled_at) = (Some(seen), Some(now), Some(now));
    Ok(device)
}

fn enrollment(device: &Device, now: Timestamp) -> Enrollment {
    Enrollment {
        id: EnrollmentId::new(),
        user_id: device.user_id,
        device_id: Some(device.id),
        generation: 1,
        ownership: device.ownership,
        rights: AccessRights::COMPANY,
        state: Stage::Enrolled,
        is_user_enrollment: false,
        consent_version: Some("1".into()),
        consented_at: Some(now),
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
        backend: Backend::Apple,
        management_mode: None,
    }
}

fn random() -> Vec<u8> {
    [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat()
}

fn certificate(enrollment: &Enrollment, email: &str, now: Timestamp) -> Certificate {
    Certificate {
        id: CertificateId::new(),
        serial: uuid::Uuid::new_v4().as_bytes().to_vec(),
        fingerprint: random(),
        enrollment_id: enrollment.id,
        common_name: enrollment.id.to_string(),
        email: email.into(),
        certificate: vec![0x30; 900],
        transaction_hash: random(),
        not_before: now,
        not_after: now.plus_days(365),
        created_at: now,
        renew_at: Some(now.plus_days(240)),
        revoked_at: None,
        revocation_reason: None,
    }
}

fn mail(user: &User, now: Timestamp) -> Mail {
    let id = MailId::new();
    Mail {
        message_id: format!("<{id}@example.com>"),
        id,
        user_id: Some(user.id),
        recipient: user.email.clone(),
        template: "invitation".into(),
        subject: "Enroll your device".into(),
        sealed_message: None,
        state: MailState::Sent,
        created_at: now,
        expires_at: None,
        sent_at: Some(now),
        last_error: None,
        attempts: 1,
        is_unreachable: false,
    }
}

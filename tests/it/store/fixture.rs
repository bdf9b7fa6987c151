//! Rows with nothing special about them, for tests that need some to be there.

use enlist::{
    domain::{
        backend::Backend,
        command::{Command, Purpose},
        device::{EnrollmentState, Ownership, Platform},
        id::{CertificateId, ChallengeId, CodeId, EnrollmentId, GroupId, MailId, PolicyId, UserId, VisitId},
        policy::Rules,
        rights::AccessRights,
        time::Timestamp,
        user::UserState,
    },
    store::{
        Error, Store, Tx,
        certificates::{Certificate, Challenge},
        codes::Code,
        commands::QueuedCommand,
        devices::{self, Device},
        enrollments::{self, Enrollment, Stage},
        groups::{self, Group},
        mails::{Mail, MailState},
        page::PageRequest,
        policies::Policy,
        users::{self, User},
        visits::Visit,
    },
};

/// The present of these tests.
pub const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Writes, and fails the test if that fails.
pub async fn write<T: Send + 'static>(store: &Store, f: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static) -> T {
    store.write(f).await.unwrap()
}

/// Reads, and fails the test if that fails.
pub async fn read<T: Send + 'static>(store: &Store, f: impl FnOnce(&mut enlist::store::Conn) -> Result<T, Error> + Send + 'static) -> T {
    store.read(f).await.unwrap()
}

/// The first page.
pub const fn first<K>(limit: i64) -> PageRequest<K> {
    PageRequest { limit, after: None }
}

/// Any 32 bytes, never the same twice.
pub fn random_hash() -> Vec<u8> {
    [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat()
}

pub fn user(email: &str) -> User {
    User {
        id: UserId::new(),
        email: email.into(),
        name: "Ada Lovelace".into(),
        source: "local".into(),
        role: None,
        state: UserState::Active,
        password_hash: None,
        must_change_password: false,
        created_at: NOW,
        updated_at: NOW,
        language: None,
    }
}

pub fn group(name: &str) -> Group {
    Group { id: GroupId::new(), name: name.into(), source: "local".into(), created_at: NOW }
}

pub fn policy(name: &str, rules: Rules) -> Policy {
    Policy { id: PolicyId::new(), name: name.into(), is_for_everyone: false, groups: vec![], rules, created_at: NOW, updated_at: NOW }
}

pub fn device(user: UserId, identifier: &str) -> Device {
    Device::new(user, identifier.into(), Platform::Ios, Ownership::Company, NOW)
}

pub fn enrollment(user: UserId) -> Enrollment {
    Enrollment {
        id: EnrollmentId::new(),
        user_id: user,
        device_id: None,
        generation: 1,
        ownership: Ownership::Company,
        rights: AccessRights::COMPANY,
        state: Stage::Prepared,
        is_user_enrollment: false,
        consent_version: Some("1".into()),
        consented_at: Some(NOW),
        fingerprint: None,
        topic: None,
        push_token: None,
        push_magic: None,
        sealed_unlock_token: None,
        is_awaiting_configuration: false,
        sealed_bootstrap_token: None,
        passcode_profile: None,
        created_at: NOW,
        enrolled_at: None,
        ended_at: None,
        end_cause: None,
        backend: Backend::Apple,
        management_mode: None,
    }
}

pub fn visit() -> Visit {
    Visit {
        id: VisitId::new(),
        hash: random_hash(),
        invitation_id: None,
        email: None,
        user_id: None,
        ownership: Ownership::Personal,
        consent_version: None,
        consented_at: None,
        enrollment_id: None,
        profile_taken_at: None,
        created_at: NOW,
        expires_at: NOW.plus_days(1),
        backend: None,
        return_to: None,
    }
}

pub fn code(visit: VisitId, email: &str, at: Timestamp) -> Code {
    Code {
        id: CodeId::new(),
        visit_id: visit,
        email: email.into(),
        hash: random_hash(),
        tries: 0,
        failures: 0,
        created_at: at,
        expires_at: at.plus_seconds(600),
        spent_at: None,
    }
}

pub fn challenge(enrollment: EnrollmentId) -> Challenge {
    Challenge {
        id: ChallengeId::new(),
        hash: random_hash(),
        enrollment_id: enrollment,
        common_name: "device".into(),
        email: "ada@example.com".into(),
        created_at: NOW,
        expires_at: NOW.plus_seconds(900),
        spent_at: None,
    }
}

pub fn certificate(enrollment: EnrollmentId) -> Certificate {
    Certificate {
        id: CertificateId::new(),
        serial: random_hash()[..16].to_vec(),
        fingerprint: random_hash(),
        enrollment_id: enrollment,
        common_name: "device".into(),
        email: "ada@example.com".into(),
        certificate: vec![0x30, 0x00],
        transaction_hash: random_hash(),
        not_before: NOW,
        not_after: NOW.plus_days(365),
        created_at: NOW,
        renew_at: None,
        revoked_at: None,
        revocation_reason: None,
    }
}

pub fn mail(user: Option<UserId>) -> Mail {
    let id = MailId::new();
    Mail {
        id,
        user_id: user,
        recipient: "ada@example.com".into(),
        template: "invitation".into(),
        subject: "Enroll your phone".into(),
        message_id: format!("<{id}@example.com>"),
        sealed_message: Some(vec![1, 2, 3]),
        state: MailState::Queued,
        created_at: NOW,
        expires_at: None,
        sent_at: None,
        last_error: None,
        attempts: 0,
        is_unreachable: false,
    }
}

/// A user with an enrolled phone.
pub struct Enrolled {
    pub user: User,
    pub device: Device,
    pub enrollment: Enrollment,
}

/// Makes a user with an enrolled phone.
pub async fn enrolled(store: &Store, email: &str) -> Enrolled {
    let user = user(email);
    let mut device = device(user.id, &format!("UDID-of-{email}"));
    let mut enrollment = enrollment(user.id);
    enrollment.device_id = Some(device.id);
    enrollment.state = Stage::Enrolled;
    device.enrollment_id = Some(enrollment.id);
    device.state = EnrollmentState::Enrolled;
    let made = Enrolled { user, device, enrollment };
    let (user, device, enrollment) = (made.user.clone(), made.device.clone(), made.enrollment.clone());
    write(store, move |tx| {
        users::insert(tx, &user)?;
        devices::insert(tx, &device)?;
        enrollments::insert(tx, &enrollment)
    })
    .await;
    made
}

/// Makes a user.
pub async fn stored_user(store: &Store, email: &str) -> User {
    let user = user(email);
    let row = user.clone();
    write(store, move |tx| users::insert(tx, &row)).await;
    user
}

/// Makes a group with this one member.
pub async fn stored_group(store: &Store, name: &str, member: UserId) -> Group {
    let group = group(name);
    let row = group.clone();
    write(store, move |tx| {
        groups::insert(tx, &row)?;
        groups::add_member(tx, row.id, member)
    })
    .await;
    group
}

/// A command for this phone.
pub fn command(of: &Enrolled, command: &Command, purpose: Purpose) -> QueuedCommand {
    QueuedCommand::new(of.enrollment.id, of.device.id, command, purpose, NOW).unwrap()
}

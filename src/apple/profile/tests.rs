use super::{
    super::schema,
    enrollment::EnrollmentProfile,
    enrollment::Mode,
    mail::{MailAccount, Server},
    ota::ProfileService,
    scep::Scep,
    *,
};
use crate::domain::{device::Ownership, passcode::PasscodePolicy, rights::AccessRights};

const AWKWARD: &str = "M\u{fc}ller & S\u{f6}hne <GmbH> ]]> \u{1f4f1}";

fn enrollment() -> EnrollmentProfile {
    EnrollmentProfile {
        reverse_dns: reverse_dns("mdm.Example.com."),
        organization: AWKWARD.into(),
        server_url: "https://mdm.example.com/mdm/connect".into(),
        checkin_url: "https://mdm.example.com/mdm/checkin".into(),
        scep: Scep {
            url: "https://mdm.example.com/scep?a=1&b=2".into(),
            challenge: "one-time".into(),
            organization: AWKWARD.into(),
            subject_common_name: "0198f000".into(),
            ca_certificate_der: vec![0x30, 0],
        },
        topic: "com.apple.mgmt.External.0198f000".into(),
        rights: AccessRights::for_ownership(Ownership::Company),
        sign_message: true,
        check_out_when_removed: true,
        mode: Mode::Device,
        trusted_root_der: Some(vec![0x30, 0]),
    }
}

fn payload(profile: &Profile, payload_type: &str) -> Option<Dictionary> {
    schema::check_profile(&profile.xml).into_iter().find(|payload| payload["PayloadType"].as_string() == Some(payload_type))
}

#[test]
fn an_enrollment_profile_is_one_that_apple_accepts() {
    let profile = enrollment().profile().unwrap();
    assert_eq!(profile.identifier, "com.example.mdm.enroll");
    let management = payload(&profile, "com.apple.mdm").unwrap();
    let scep = payload(&profile, "com.apple.security.scep").unwrap();
    assert_eq!(management["IdentityCertificateUUID"], scep["PayloadUUID"]);
    assert_eq!(management["AccessRights"].as_signed_integer(), Some(8191));
    let settings = scep["PayloadContent"].as_dictionary().unwrap();
    assert_eq!(settings["Challenge"].as_string(), Some("one-time"));
    assert_eq!(settings["Keysize"].as_signed_integer(), Some(2048));
    assert_eq!(settings["Key Usage"].as_signed_integer(), Some(5));
    assert_eq!(settings["CAFingerprint"].as_data().unwrap().len(), 20);
    let subject = settings["Subject"].as_array().unwrap();
    assert_eq!(subject[0].as_array().unwrap()[0].as_array().unwrap()[1].as_string(), Some(AWKWARD));
    assert_eq!(subject[1].as_array().unwrap()[0].as_array().unwrap(), &vec![Value::from("CN"), Value::from("0198f000")]);
    assert_eq!(schema::parse(&profile.xml)["PayloadOrganization"].as_string(), Some(AWKWARD));
}

#[test]
fn a_personal_device_is_not_asked_for_the_right_to_erase() {
    let personal = EnrollmentProfile { rights: AccessRights::for_ownership(Ownership::Personal), ..enrollment() };
    let management = payload(&personal.profile().unwrap(), "com.apple.mdm").unwrap();
    assert_eq!(management["AccessRights"].as_signed_integer(), Some(5143));
    assert!(!management.contains_key("EnrollmentMode"));
}

#[test]
fn a_user_enrollment_has_its_mode_and_account_and_no_rights() {
    let mode = Mode::AccountDrivenUser { managed_apple_id: "ada@example.com".into() };
    let profile = EnrollmentProfile { mode, trusted_root_der: None, ..enrollment() }.profile().unwrap();
    let management = payload(&profile, "com.apple.mdm").unwrap();
    assert_eq!(management["EnrollmentMode"].as_string(), Some("BYOD"));
    assert_eq!(management["AssignedManagedAppleID"].as_string(), Some("ada@example.com"));
    assert!(!management.contains_key("AccessRights"));
    assert!(payload(&profile, "com.apple.security.root").is_none());
}

#[test]
fn uuids_follow_from_the_content_but_not_from_the_challenge() {
    let first = enrollment().profile().unwrap();
    assert_eq!(enrollment().profile().unwrap(), first);
    let mut other_challenge = enrollment();
    other_challenge.scep.challenge = "another".into();
    assert_eq!(other_challenge.profile().unwrap().uuid, first.uuid);
    let mut other_enrollment = enrollment();
    other_enrollment.scep.subject_common_name = "0198f001".into();
    assert_ne!(other_enrollment.profile().unwrap().uuid, first.uuid);
    assert_eq!(other_enrollment.profile().unwrap().identifier, first.identifier);
}

#[test]
fn what_apple_would_refuse_is_refused_here() {
    let refused = |change: fn(&mut EnrollmentProfile)| {
        let mut profile = enrollment();
        change(&mut profile);
        assert!(matches!(profile.profile(), Err(ProfileError::Invalid { .. })));
    };
    refused(|profile| profile.server_url = "ftp://mdm.example.com".into());
    refused(|profile| profile.checkin_url = String::new());
    refused(|profile| profile.topic = "com.example".into());
    refused(|profile| profile.rights = AccessRights::from_bits(0));
    refused(|profile| profile.rights = AccessRights::MANAGE_PROFILES);
    refused(|profile| profile.scep.url = "ftp://x".into());
    refused(|profile| profile.scep.challenge = String::new());
    refused(|profile| profile.mode = Mode::AccountDrivenDevice { managed_apple_id: String::new() });
}

#[test]
fn a_scep_profile_stands_alone() {
    let profile = enrollment().scep.profile("com.example").unwrap();
    assert_eq!(schema::check_profile(&profile.xml).len(), 1);
}

#[test]
fn every_passcode_requirement_reaches_the_profile() {
    let policy = PasscodePolicy {
        required: true,
        min_length: 8,
        require_alphanumeric: true,
        min_complex_characters: 1,
        allow_simple: false,
        max_failed_attempts: Some(10),
        max_inactivity_minutes: Some(5),
        max_age_days: Some(90),
        history: Some(12),
    };
    let profile = passcode::profile("com.example", "Example", &policy).unwrap();
    let payload = payload(&profile, passcode::PAYLOAD_TYPE).unwrap();
    let numbers = [
        ("minLength", 8),
        ("minComplexChars", 1),
        ("maxFailedAttempts", 10),
        ("maxInactivity", 5),
        ("maxPINAgeInDays", 90),
        ("pinHistory", 12),
    ];
    for (key, number) in numbers {
        assert_eq!(payload[key].as_signed_integer(), Some(number), "{key}");
    }
    for (key, value) in [("forcePIN", true), ("requireAlphanumeric", true), ("allowSimple", false)] {
        assert_eq!(payload[key].as_boolean(), Some(value), "{key}");
    }
}

#[test]
fn the_extremes_of_a_policy_stay_in_range() {
    let least =
        PasscodePolicy { max_age_days: Some(0), history: Some(0), max_inactivity_minutes: Some(0), ..PasscodePolicy::unrestricted() };
    let most = PasscodePolicy {
        required: true,
        min_length: 16,
        min_complex_characters: 4,
        max_failed_attempts: Some(11),
        max_inactivity_minutes: Some(15),
        max_age_days: Some(730),
        history: Some(50),
        ..PasscodePolicy::unrestricted()
    };
    for policy in [least, most, PasscodePolicy::unrestricted()] {
        schema::check_profile(&passcode::profile("com.example", "", &policy).unwrap().xml);
    }
    let beyond = PasscodePolicy { min_length: 17, ..PasscodePolicy::unrestricted() };
    assert!(matches!(passcode::profile("com.example", "", &beyond), Err(ProfileError::Passcode(_))));
}

#[test]
fn the_same_policy_has_the_same_uuid_and_a_changed_one_another() {
    let policy = PasscodePolicy { required: true, min_length: 6, ..PasscodePolicy::unrestricted() };
    let uuid = |policy: &PasscodePolicy| passcode::profile("com.example", "Example", policy).unwrap().uuid;
    assert_eq!(uuid(&policy), uuid(&policy.clone()));
    assert_ne!(uuid(&policy), uuid(&PasscodePolicy { min_length: 7, ..policy.clone() }));
    assert_eq!(passcode::identifier("com.example"), "com.example.passcode");
}

#[test]
fn the_profile_service_asks_for_what_the_next_phase_reads() {
    let service = ProfileService {
        reverse_dns: "com.example".into(),
        organization: AWKWARD.into(),
        url: "https://mdm.example.com/enroll/apple".into(),
        challenge: "secret".into(),
    };
    let profile = schema::parse(&service.profile().unwrap().xml);
    assert_eq!(profile["PayloadType"].as_string(), Some("Profile Service"));
    let content = profile["PayloadContent"].as_dictionary().unwrap();
    assert_eq!(content["Challenge"].as_string(), Some("secret"));
    assert!(content["DeviceAttributes"].as_array().unwrap().contains(&Value::from("UDID")));
    assert!(ProfileService { url: "file:///x".into(), ..service }.profile().is_err());
}

#[test]
fn the_attributes_of_a_device_are_read() {
    let attributes = ota::decode(
        b"<plist><dict><key>UDID</key><string>00008030-001A</string><key>CHALLENGE</key><data>c2VjcmV0</data>
        <key>PRODUCT</key><string>iPhone15,4</string></dict></plist>",
    )
    .unwrap();
    assert_eq!(attributes.challenge.map(|secret| secret.0), Some(b"secret".to_vec()));
    assert_eq!(attributes.udid.as_deref(), Some("00008030-001A"));
    assert_eq!(attributes.serial, None);
    assert!(ota::decode(b"<plist><dict><key>CHALLENGE</key><true/></dict></plist>").is_err());
    assert!(ota::decode(b"<plist><dict><key>UDID</key><integer>1</integer></dict></plist>").is_err());
}

fn mail(server: Server) -> MailAccount {
    MailAccount { name: AWKWARD.into(), email: "ada@example.com".into(), user_name: "ada".into(), server, edition: "1.0".into() }
}

#[test]
fn a_mail_profile_is_one_that_apple_accepts_and_its_uuid_tells_nothing_of_the_password() {
    let imap = mail(Server::Imap { incoming: ("imap.example.com".into(), 993), outgoing: ("smtp.example.com".into(), 587) });
    let exchange = mail(Server::Exchange { host: "eas.example.com".into() });
    for (account, kind, keys) in [
        (&imap, "com.apple.mail.managed", &["IncomingPassword", "OutgoingPassword"][..]),
        (&exchange, "com.apple.eas.account", &["Password"][..]),
    ] {
        let made = account.profile("com.example", AWKWARD, Some("secret")).unwrap();
        let found = payload(&made, kind).unwrap();
        assert!(keys.iter().all(|key| found[*key].as_string() == Some("secret")), "{kind}");
        let empty = account.profile("com.example", AWKWARD, None).unwrap();
        assert!(!String::from_utf8(empty.xml).unwrap().contains("secret"));
        assert_eq!((empty.uuid, empty.identifier.as_str()), (made.uuid.clone(), "com.example.mail"));
        let renewed = MailAccount { edition: "1.1".into(), ..account.clone() };
        assert_ne!(renewed.profile("com.example", AWKWARD, None).unwrap().uuid, made.uuid);
    }
}

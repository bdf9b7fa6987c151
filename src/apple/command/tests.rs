use super::{super::schema, *};

const UUID: &str = "0198f000-0000-7000-8000-000000000001";

/// One of every command that is typed, with every option used at least once.
fn every_command() -> Vec<Command> {
    let service = ReturnToService { wifi_profile: Some(vec![1]), mdm_profile: None };
    vec![
        Command::InstallProfile { identifier: "a".into(), profile: vec![0, 255] },
        Command::RemoveProfile { identifier: "com.example.enroll".into() },
        Command::ProfileList { managed_only: true },
        Command::DeviceInformation { queries: vec!["OSVersion".into(), "DeviceName".into()] },
        Command::SecurityInfo,
        Command::CertificateList { managed_only: false },
        Command::InstalledApplicationList { managed_only: true },
        Command::DeviceLock { message: Some("Lost <b>&amp; found ]]> \u{1f4f1}\u{1}".into()), phone_number: Some(String::new()) },
        Command::ClearPasscode,
        Command::EraseDevice(EraseOptions::default()),
        Command::EraseDevice(EraseOptions { preserve_data_plan: true, disallow_proximity_setup: true, return_to_service: Some(service) }),
        Command::Restrictions { profile_restrictions: true },
        Command::Settings {
            settings: vec![
                Setting::DeviceName { name: "x".into() },
                Setting::DataRoaming { enabled: false },
                Setting::VoiceRoaming { enabled: true },
                Setting::PersonalHotspot { enabled: true },
                Setting::Bluetooth { enabled: true },
                Setting::OrganizationInfo { name: "Example".into(), email: Some("it@example.com".into()), phone: None },
            ],
        },
        Command::DeclarativeManagement,
    ]
}

#[test]
fn every_command_is_one_that_apple_accepts() {
    for command in every_command() {
        let xml = encode(UUID, &command, Some(b"token")).unwrap();
        schema::check_command(&xml, UUID);
    }
}

#[test]
fn an_erase_without_options_is_only_its_name() {
    let xml = encode(UUID, &Command::EraseDevice(EraseOptions::default()), None).unwrap();
    assert_eq!(schema::check_command(&xml, UUID).len(), 1);
}

#[test]
fn a_message_arrives_as_it_was_written() {
    let text = "Lost <b>&amp; found ]]> \u{1f4f1}";
    let command = Command::DeviceLock { message: Some(format!("{text}\u{1}\u{ffff}")), phone_number: None };
    let body = schema::check_command(&encode(UUID, &command, None).unwrap(), UUID);
    assert_eq!(body["Message"].as_string(), Some(text));
    assert!(!body.contains_key("PhoneNumber"));
}

#[test]
fn a_passcode_is_only_cleared_with_the_unlock_token() {
    assert!(matches!(encode(UUID, &Command::ClearPasscode, None), Err(EncodeError::NoUnlockToken)));
    let body = schema::check_command(&encode(UUID, &Command::ClearPasscode, Some(&[0, 1])).unwrap(), UUID);
    assert_eq!(body["UnlockToken"].as_data(), Some([0, 1].as_slice()));
}

#[test]
fn a_raw_command_is_sent_as_it_was_given() {
    let xml = b"<plist><dict><key>RequestType</key><string>DeviceLocation</string><key>X</key><data>AAE=</data></dict></plist>";
    let command = raw_from_plist(xml).unwrap();
    assert!(matches!(&command, Command::Raw { request_type, .. } if request_type == "DeviceLocation"));
    let envelope = schema::parse(&encode(UUID, &command, None).unwrap());
    let body = envelope["Command"].as_dictionary().unwrap();
    assert_eq!(body["X"].as_data(), Some([0, 1].as_slice()));
    assert_eq!(body["RequestType"].as_string(), Some("DeviceLocation"));
}

#[test]
fn what_is_not_a_raw_command_is_refused() {
    for plist in [
        "<plist><array/></plist>",
        "<plist><dict/></plist>",
        "<plist><dict><key>RequestType</key><integer>1</integer></dict></plist>",
        "<plist><dict><key>RequestType</key><string></string></dict></plist>",
        "<plist><dict><key>RequestType</key><string>Erase Device</string></dict></plist>",
        "RequestType: SecurityInfo",
    ] {
        assert!(raw_from_plist(plist.as_bytes()).is_err(), "{plist}");
    }
}

#[test]
fn a_raw_command_cannot_hide_another() {
    let Command::Raw { plist, .. } =
        raw_from_plist(b"<plist><dict><key>RequestType</key><string>EraseDevice</string></dict></plist>").unwrap()
    else {
        panic!("not raw")
    };
    let disguised = Command::Raw { request_type: "DeviceLocation".into(), plist };
    assert!(matches!(encode(UUID, &disguised, None), Err(EncodeError::Raw(RawError::OtherRequestType))));
}

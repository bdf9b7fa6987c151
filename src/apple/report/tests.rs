use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn message(content: &str) -> Vec<u8> {
    format!("<plist><dict>{content}</dict></plist>").into_bytes()
}

fn answer(content: &str) -> Report {
    let envelope = "<key>UDID</key><string>00008030-001A</string><key>Status</key><string>Acknowledged</string>\
                    <key>CommandUUID</key><string>c-1</string>";
    decode(&message(&format!("{envelope}{content}"))).unwrap()
}

#[test]
fn an_idle_device_has_no_command_and_says_nothing() {
    let report = decode(&message("<key>UDID</key><string>A</string><key>Status</key><string>Idle</string>")).unwrap();
    assert_eq!(report.status, Status::Idle);
    assert_eq!(report.status.answer(), None);
    assert_eq!(report.command_uuid, None);
    assert_eq!(report.facts(NOW), Posture::default());
}

#[test]
fn security_info_becomes_facts_with_source_and_time() {
    let report = answer(
        "<key>SecurityInfo</key><dict><key>HardwareEncryptionCaps</key><integer>3</integer><key>PasscodePresent</key><true/>
        <key>PasscodeCompliant</key><false/><key>PasscodeCompliantWithProfiles</key><true/><key>AutoLockTime</key><integer>60</integer>
        <key>ManagementStatus</key><dict><key>IsUserEnrollment</key><false/></dict></dict>",
    );
    let posture = report.facts(NOW);
    assert_eq!(posture.passcode_present, Some(Fact { value: true, source: Source::SecurityInfo, at: NOW }));
    assert!(!posture.passcode_compliant.unwrap().value);
    assert!(posture.passcode_compliant_with_profiles.unwrap().value);
    assert!(posture.encryption_capable.unwrap().value);
    assert!(!posture.user_enrollment.unwrap().value);
    assert_eq!(report.results.security.unwrap().auto_lock_time, Some(60));
    assert_eq!(report.results.details["SecurityInfo"]["AutoLockTime"], 60);
}

#[test]
fn a_user_enrollment_reports_less_and_nothing_is_made_up() {
    let report = decode(&message(
        "<key>EnrollmentID</key><string>E-1</string><key>Status</key><string>Acknowledged</string>
        <key>CommandUUID</key><string>c</string><key>SecurityInfo</key><dict><key>PasscodeCompliant</key><true/></dict>",
    ))
    .unwrap();
    let posture = report.facts(NOW);
    assert_eq!(posture.passcode_present, None);
    assert_eq!(posture.passcode_compliant_with_profiles, None);
    assert_eq!(posture.encryption_capable, None);
    assert_eq!(posture.user_enrollment, Some(Fact { value: true, source: Source::CheckIn, at: NOW }));
    assert_eq!(answer("<key>SecurityInfo</key><dict/>").facts(NOW), Posture::default());
    assert_eq!(answer("").facts(NOW), Posture::default());
}

#[test]
fn a_result_of_another_type_is_not_reported_and_is_named() {
    let report = answer(
        "<key>SecurityInfo</key><dict><key>PasscodePresent</key><string>true</string><key>HardwareEncryptionCaps</key><true/></dict>
        <key>QueryResponses</key><array/><key>ProfileList</key><dict/>",
    );
    assert_eq!(report.facts(NOW), Posture::default());
    for key in ["PasscodePresent", "HardwareEncryptionCaps", "QueryResponses", "ProfileList"] {
        assert!(report.results.ignored.contains(&key), "{key}");
    }
}

#[test]
fn device_information_becomes_facts() {
    let name = format!("&lt;img src=x&gt; &amp; ]]&gt; \u{1f4f1}{}", "x".repeat(300));
    let report = answer(&format!(
        "<key>QueryResponses</key><dict><key>DeviceName</key><string>{name}</string><key>OSVersion</key><string>18.1</string>
        <key>IsSupervised</key><true/><key>DeviceCapacity</key><real>128</real></dict>"
    ));
    let posture = report.facts(NOW);
    let shown = posture.device_name.unwrap().value;
    assert!(shown.starts_with("<img src=x> & ]]> \u{1f4f1}x") && shown.chars().count() == 256);
    assert_eq!(posture.os_version.unwrap().value, "18.1");
    assert_eq!(posture.supervised, Some(Fact { value: true, source: Source::DeviceInformation, at: NOW }));
    assert_eq!(posture.serial, None);
}

#[test]
fn only_managed_profiles_are_evidence() {
    let profile = |identifier: &str, managed: &str| {
        format!(
            "<dict><key>PayloadIdentifier</key><string>{identifier}</string><key>PayloadUUID</key><string>U</string>{managed}
            <key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.mdm</string></dict><true/></array></dict>"
        )
    };
    let is_managed = "<key>IsManaged</key><true/>";
    let items = [profile("a", is_managed), profile("b", "<key>IsManaged</key><false/>"), profile("c", ""), profile("", is_managed)];
    let report = answer(&format!("<key>ProfileList</key><array>{}<string>odd</string></array>", items.concat()));
    let posture = report.facts(NOW);
    let managed = posture.managed_profiles.as_ref().unwrap();
    assert_eq!(managed.source, Source::ProfileList);
    assert_eq!(managed.value.len(), 1);
    assert_eq!(posture.managed_profile("a").unwrap().payload_types, ["com.apple.mdm"]);
    assert_eq!(report.results.profiles.unwrap().len(), 3);
    // An empty list is a fact: no profile is installed.
    assert_eq!(answer("<key>ProfileList</key><array/>").facts(NOW).managed_profiles.unwrap().value, []);
}

#[test]
fn other_results_are_kept_for_the_console_without_secrets() {
    let report = answer(
        "<key>CertificateList</key><array><dict><key>Data</key><data>AAE=</data></dict></array><key>UnlockToken</key><data>AAE=</data>
        <key>QueryResponses</key><dict><key>PushToken</key><data>AAE=</data></dict>",
    );
    assert_eq!(report.results.details["CertificateList"][0]["Data"], "AAE=");
    assert_eq!(report.results.details["QueryResponses"], serde_json::json!({}));
    let keys: Vec<_> = report.results.details.keys().collect();
    assert_eq!(keys, ["CertificateList", "QueryResponses"]);
}

#[test]
fn an_error_carries_its_chain_and_a_hint() {
    let report = decode(&message(
        "<key>UDID</key><string>A</string><key>Status</key><string>Error</string><key>CommandUUID</key><string>c</string>
        <key>ErrorChain</key><array><dict><key>ErrorDomain</key><string>MCMDMErrorDomain</string><key>ErrorCode</key>
        <integer>12021</integer><key>LocalizedDescription</key><string>Nein</string></dict><true/><dict/></array>",
    ))
    .unwrap();
    assert_eq!(report.status.answer(), Some(Answer::Error));
    assert_eq!(report.errors.len(), 2);
    assert_eq!(report.errors[0].text, "Nein");
    assert!(report.errors[0].hint().unwrap().contains("does not know this command"));
    assert_eq!(report.errors[1].hint(), None);
}

#[test]
fn a_broken_envelope_is_refused_and_the_key_is_named() {
    let refused = |content: &str, key: &str| {
        let error = decode(&message(content)).unwrap_err().to_string();
        assert!(error.starts_with(key), "{error}");
    };
    refused("<key>UDID</key><string>A</string>", "Status");
    refused("<key>Status</key><true/>", "Status");
    refused("<key>Status</key><string>Fine</string>", "Status");
    refused("<key>Status</key><string>Idle</string>", "UDID");
    refused("<key>UDID</key><string>A</string><key>Status</key><string>NotNow</string>", "CommandUUID");
    refused("<key>UDID</key><string>A</string><key>Status</key><string>Idle</string><key>CommandUUID</key><data></data>", "CommandUUID");
    refused("<key>UDID</key><string>A</string><key>Status</key><string>Idle</string><key>ErrorChain</key><dict/>", "ErrorChain");
}

//! What is on a device: its profiles, certificates, apps and restrictions, as the list commands report them.

use openssl::x509::X509;
use plist::{Dictionary, Value};

use crate::simulator::{
    device::{Device, Installed},
    propertylist::dictionary,
};

/// `ProfileList`.
pub(crate) fn profiles(device: &Device, managed_only: bool) -> Vec<Value> {
    let listed = device.profiles.iter().filter(|installed| installed.managed || !managed_only);
    listed.map(|installed| Value::Dictionary(describe(installed))).collect()
}

/// `CertificateList`.
pub(crate) fn certificates(device: &Device) -> Vec<Value> {
    let identity = device.management.as_ref().map(|management| (&management.identity, true));
    let roots: Vec<X509> = device.profiles.iter().filter_map(|installed| installed.profile.roots().ok()).flatten().collect();
    let all = identity.into_iter().chain(roots.iter().map(|root| (root, false)));
    all.filter_map(|(certificate, is_identity)| {
        let data = certificate.to_der().ok()?;
        let name = common_name(certificate);
        let keys = [("CommonName", name.into()), ("Data", Value::Data(data)), ("IsIdentity", is_identity.into())];
        Some(Value::Dictionary(dictionary(keys)))
    })
    .collect()
}

/// `GlobalRestrictions`, as far as the passcode policy makes any.
pub(crate) fn restrictions(device: &Device) -> Dictionary {
    let forced = device.profiles.iter().any(|installed| {
        let mut policies = installed.profile.of_kind("com.apple.mobiledevice.passwordpolicy");
        policies.any(|policy| policy.body.get("forcePIN").and_then(Value::as_boolean).unwrap_or(false))
    });
    let value = Value::Dictionary(dictionary([("value", forced.into())]));
    let booleans = Value::Dictionary(dictionary([("forcePIN", value)]));
    dictionary([("restrictedBool", booleans), ("restrictedValue", Value::Dictionary(Dictionary::new()))])
}

/// One entry of `ProfileList`.
fn describe(installed: &Installed) -> Dictionary {
    let body = &installed.profile.body;
    let mut entry = dictionary([("IsManaged", installed.managed.into()), ("IsEncrypted", false.into())]);
    let copied = ["PayloadIdentifier", "PayloadUUID", "PayloadVersion", "PayloadDisplayName", "PayloadDescription"];
    for key in copied.into_iter().chain(["PayloadOrganization", "PayloadRemovalDisallowed", "HasRemovalPasscode"]) {
        if let Some(value) = body.get(key) {
            entry.insert(key.to_owned(), value.clone());
        }
    }
    let contents = installed.profile.payloads.iter().map(|payload| {
        let common = payload.body.iter().filter(|(key, _)| key.starts_with("Payload") && *key != "PayloadContent");
        Value::Dictionary(common.map(|(key, value)| (key.clone(), value.clone())).collect())
    });
    entry.insert("PayloadContent".to_owned(), Value::Array(contents.collect()));
    let signer = installed.profile.signer.as_ref().and_then(|signer| signer.to_der().ok());
    entry.insert("SignerCertificates".to_owned(), Value::Array(signer.map(Value::Data).into_iter().collect()));
    entry
}

/// `InstalledApplicationList`: apps that the owner brought; management installed none.
pub(crate) fn applications(managed_only: bool) -> Vec<Value> {
    let owned = [("com.example.notes", "Notes", "3.1"), ("com.example.chess", "Chess", "12.0.2")];
    let listed = owned.into_iter().filter(|_| !managed_only);
    let entry = |(identifier, name, version): (&str, &str, &str)| {
        Value::Dictionary(dictionary([
            ("Identifier", identifier.into()),
            ("Name", name.into()),
            ("ShortVersion", version.into()),
            ("Version", version.into()),
            ("BundleSize", 24_000_000.into()),
            ("DynamicSize", 1_000_000.into()),
            ("IsValidated", true.into()),
        ]))
    };
    listed.map(entry).collect()
}

fn common_name(certificate: &X509) -> String {
    let mut entries = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME);
    entries.next().and_then(|entry| String::from_utf8(entry.data().as_slice().to_vec()).ok()).unwrap_or_default()
}

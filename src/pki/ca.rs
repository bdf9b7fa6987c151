//! The certificates the server keeps for itself: the authority, and those that speak in its name.

use std::net::IpAddr;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
};

use crate::{
    domain::time::Timestamp,
    pki::{
        During, Error, Identity,
        draft::{self, Draft},
        oid, random_serial, tlv,
    },
};

const AUTHORITY_DAYS: i64 = 3652;
const SERVICE_DAYS: i64 = 730;
/// Apple refuses server certificates that live longer than 398 days.
const SERVER_DAYS: i64 = 397;
/// Certificates begin a little in the past, for devices whose clock is behind.
pub(crate) const SKEW_SECONDS: i64 = -3600;

/// Makes a new device authority: RSA 3072, ten years, `pathlen` 0, may sign certificates and CRLs and nothing else.
pub fn create_authority(organization: &str, now: Timestamp) -> Result<Identity, Error> {
    let key = rsa(3072)?;
    let mut draft = blank(organization, "Device CA", now, AUTHORITY_DAYS)?;
    draft.extensions = vec![
        BasicConstraints::new().critical().ca().pathlen(0).build().during("constrain the authority")?,
        KeyUsage::new().critical().key_cert_sign().crl_sign().build().during("state the use of the key")?,
    ];
    Ok(Identity { certificate: draft.self_sign(&key)?, key })
}

/// Makes the registration authority of SCEP: RSA 2048, two years, signs answers and opens requests.
///
/// It is separate from the authority because certmonger refuses a self-signed authority that signs its own answers,
/// and because the authority's key then never decrypts what strangers send.
pub fn issue_registration_authority(ca: &Identity, organization: &str, now: Timestamp) -> Result<Identity, Error> {
    let usage = KeyUsage::new().critical().digital_signature().key_encipherment().build().during("state the use of the key")?;
    issue_service(ca, blank(organization, "Device Registration", now, SERVICE_DAYS)?, vec![usage])
}

/// Makes the signer of configuration profiles: RSA 2048, two years, `emailProtection` and `codeSigning`.
pub fn issue_profile_signer(ca: &Identity, organization: &str, now: Timestamp) -> Result<Identity, Error> {
    let usage = KeyUsage::new().critical().digital_signature().build().during("state the use of the key")?;
    let purpose = ExtendedKeyUsage::new().email_protection().code_signing().build().during("state the purpose of the key")?;
    issue_service(ca, blank(organization, "Configuration Profiles", now, SERVICE_DAYS)?, vec![usage, purpose])
}

/// Makes the delegated OCSP responder (RFC 6960, section 4.2.2.2): RSA 2048, two years, itself exempt from the check.
pub fn issue_ocsp_responder(ca: &Identity, organization: &str, now: Timestamp) -> Result<Identity, Error> {
    let usage = KeyUsage::new().critical().digital_signature().build().during("state the use of the key")?;
    let purpose = ExtendedKeyUsage::new().other("OCSPSigning").build().during("state the purpose of the key")?;
    let no_check = draft::extension(&oid::OCSP_NO_CHECK, false, &[tlv::tag::NULL, 0])?;
    issue_service(ca, blank(organization, "Device OCSP", now, SERVICE_DAYS)?, vec![usage, purpose, no_check])
}

/// Makes a TLS server's self-signed certificate: EC P-256, 397 days, host names and IP addresses as alternative names.
///
/// The first of `hosts` becomes the common name. An empty list or a name that is not ASCII is refused.
pub fn self_signed_server(hosts: &[&str], now: Timestamp) -> Result<Identity, Error> {
    let first = hosts.first().ok_or(Error::Unsupported("a server without a name"))?;
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).during("choose a curve")?;
    let key = PKey::from_ec_key(EcKey::generate(&group).during("make a key")?).during("make a key")?;
    let mut draft = blank("", first, now, SERVER_DAYS)?;
    draft.extensions = vec![
        BasicConstraints::new().critical().build().during("constrain the certificate")?,
        KeyUsage::new().critical().digital_signature().build().during("state the use of the key")?,
        ExtendedKeyUsage::new().server_auth().build().during("state the purpose of the key")?,
        draft::extension(&oid::SUBJECT_ALT_NAME, false, &host_names(hosts)?)?,
    ];
    Ok(Identity { certificate: draft.self_sign(&key)?, key })
}

fn host_names(hosts: &[&str]) -> Result<Vec<u8>, Error> {
    let mut names = Vec::new();
    for host in hosts {
        names.extend(match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => tlv::element(tlv::tag::context_primitive(7), &[&address.octets()]),
            Ok(IpAddr::V6(address)) => tlv::element(tlv::tag::context_primitive(7), &[&address.octets()]),
            Err(_) => draft::general_name(2, host)?,
        });
    }
    Ok(tlv::sequence(&[&names]))
}

fn rsa(bits: u32) -> Result<PKey<Private>, Error> {
    Rsa::generate(bits).and_then(PKey::from_rsa).during("make a key")
}

fn blank(organization: &str, common_name: &str, now: Timestamp, days: i64) -> Result<Draft, Error> {
    Ok(Draft {
        subject: draft::name(organization, common_name)?,
        serial: random_serial()?,
        not_before: now.plus_seconds(SKEW_SECONDS),
        not_after: now.plus_days(days),
        extensions: Vec::new(),
    })
}

fn issue_service(ca: &Identity, mut draft: Draft, extensions: Vec<openssl::x509::X509Extension>) -> Result<Identity, Error> {
    let key = rsa(2048)?;
    draft.extensions = extensions;
    draft.extensions.insert(0, BasicConstraints::new().critical().build().during("constrain the certificate")?);
    Ok(Identity { certificate: draft.sign(&key, &ca.certificate, &ca.key)?, key })
}

#[cfg(test)]
pub(crate) fn testing_self_signed(key: &PKey<Private>, now: Timestamp) -> openssl::x509::X509 {
    blank("", "SCEP requester", now, 2).unwrap().self_sign(key).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{Desk, NOW, authority};

    #[test]
    fn every_certificate_of_the_server_verifies_against_its_authority() {
        let (ca, desk) = (authority(), Desk::new());
        desk.put_identity("ca", &ca);
        desk.put_identity("ra", &issue_registration_authority(&ca, "Example", NOW).unwrap());
        desk.put_identity("signer", &issue_profile_signer(&ca, "Example", NOW).unwrap());
        desk.put_identity("ocsp", &issue_ocsp_responder(&ca, "Example", NOW).unwrap());
        let at = NOW.seconds();
        desk.run(&format!("verify -attime {at} -x509_strict -CAfile ca.pem ra.pem"));
        desk.run(&format!("verify -attime {at} -x509_strict -purpose smimesign -CAfile ca.pem signer.pem"));
        desk.run(&format!("verify -attime {at} -x509_strict -purpose ocsphelper -CAfile ca.pem ocsp.pem"));
        let text = desk.run("x509 -in ca.pem -noout -text");
        assert!(text.contains("CA:TRUE, pathlen:0") && text.contains("Certificate Sign, CRL Sign"), "{text}");
    }

    #[test]
    fn a_server_certificate_names_hosts_and_addresses() {
        let (server, desk) = (self_signed_server(&["localhost", "127.0.0.1", "::1"], NOW).unwrap(), Desk::new());
        desk.put_identity("server", &server);
        for host in ["-verify_hostname localhost", "-verify_ip 127.0.0.1", "-verify_ip ::1"] {
            desk.run(&format!("verify -attime {} -purpose sslserver {host} -CAfile server.pem server.pem", NOW.seconds()));
        }
        assert!(!desk.openssl("verify -verify_hostname example.com -CAfile server.pem server.pem").0);
        assert!(self_signed_server(&["münchen.example"], NOW).is_err());
        assert!(self_signed_server(&[], NOW).is_err());
    }

    #[test]
    fn nothing_outlives_its_authority() {
        let ca = authority();
        let late = issue_registration_authority(&ca, "Example", NOW.plus_days(3600)).unwrap();
        assert!(late.certificate.not_after() == ca.certificate.not_after());
    }
}

//! Device certificates: everything in them comes from what was stored beforehand, only the key comes from the device.

use openssl::{
    pkey::{HasPublic, PKeyRef},
    x509::{
        X509,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    },
};

use crate::{
    domain::time::Timestamp,
    pki::{
        During, Error, Identity,
        draft::{self, Draft},
        key, oid,
        tlv::{self, tag},
    },
};

/// What a device's certificate will say. Made by the server before the device asks; no field is ever taken from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTemplate {
    /// Common name, cut at 64 characters.
    pub common_name: String,
    /// Organization, cut at 64 characters; may be empty.
    pub organization: String,
    /// Mail address of the user, as `rfc822Name`; must be ASCII.
    pub email: Option<String>,
    /// Serial number, from [`random_serial`](crate::pki::random_serial).
    pub serial: [u8; 16],
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity; never later than the authority's own.
    pub not_after: Timestamp,
    /// Where the revocation list is.
    pub crl_url: Option<String>,
    /// Where the OCSP responder is.
    pub ocsp_url: Option<String>,
}

/// Certifies `key` for client authentication, as the template says. The caller has made sure that the device possesses it
/// ([`csr::inspect`](crate::pki::csr::inspect)); a weak key is refused here once more.
pub fn issue_device<K: HasPublic>(ca: &Identity, template: &DeviceTemplate, key: &PKeyRef<K>) -> Result<X509, Error> {
    key::check(key).map_err(|_| Error::Unsupported("the device's key"))?;
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature();
    // An EC key cannot encipher keys (RFC 5480, section 3).
    if key.id() == openssl::pkey::Id::RSA {
        usage.key_encipherment();
    }
    let mut extensions = vec![
        BasicConstraints::new().critical().build().during("constrain the certificate")?,
        usage.build().during("state the use of the key")?,
        ExtendedKeyUsage::new().client_auth().build().during("state the purpose of the key")?,
    ];
    if let Some(email) = &template.email {
        extensions.push(draft::extension(&oid::SUBJECT_ALT_NAME, false, &tlv::sequence(&[&draft::general_name(1, email)?]))?);
    }
    if let Some(url) = &template.crl_url {
        extensions.push(draft::extension(&oid::CRL_DISTRIBUTION_POINTS, false, &distribution_point(url)?)?);
    }
    if let Some(url) = &template.ocsp_url {
        let access = tlv::sequence(&[&tlv::oid(&oid::OCSP), &draft::general_name(6, url)?]);
        extensions.push(draft::extension(&oid::AUTHORITY_INFO_ACCESS, false, &tlv::sequence(&[&access]))?);
    }
    let draft = Draft {
        subject: draft::name(&template.organization, &template.common_name)?,
        serial: template.serial,
        not_before: template.not_before,
        not_after: template.not_after,
        extensions,
    };
    draft.sign(key, &ca.certificate, &ca.key)
}

/// `CRLDistributionPoints` with one full name (RFC 5280, section 4.2.1.13).
fn distribution_point(url: &str) -> Result<Vec<u8>, Error> {
    let full_name = tlv::element(tag::context(0), &[&draft::general_name(6, url)?]);
    let name = tlv::element(tag::context(0), &[&full_name]);
    Ok(tlv::sequence(&[&tlv::sequence(&[&name])]))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pki::{
        random_serial, serial_of,
        testing::{Desk, NOW, authority, rsa},
    };

    pub(crate) fn template() -> DeviceTemplate {
        DeviceTemplate {
            common_name: "iPhone of Ada".into(),
            organization: "Example".into(),
            email: Some("ada@example.com".into()),
            serial: random_serial().unwrap(),
            not_before: NOW.plus_seconds(-3600),
            not_after: NOW.plus_days(365),
            crl_url: Some("http://mdm.example.com/pki/crl".into()),
            ocsp_url: Some("http://mdm.example.com/pki/ocsp".into()),
        }
    }

    #[test]
    fn a_device_certificate_says_what_the_template_says() {
        let (ca, desk, template) = (authority(), Desk::new(), template());
        let issued = issue_device(&ca, &template, &rsa()).unwrap();
        assert_eq!(serial_of(&issued), Some(template.serial));
        desk.put_identity("ca", &ca).put("device.pem", &issued.to_pem().unwrap());
        desk.run(&format!("verify -attime {} -x509_strict -purpose sslclient -CAfile ca.pem device.pem", NOW.seconds()));
        let text = desk.run("x509 -in device.pem -noout -text");
        for expected in [
            "O = Example, CN = iPhone of Ada",
            "CA:FALSE",
            "Digital Signature, Key Encipherment",
            "TLS Web Client Authentication",
            "email:ada@example.com",
            "URI:http://mdm.example.com/pki/crl",
            "OCSP - URI:http://mdm.example.com/pki/ocsp",
        ] {
            assert!(text.contains(expected), "{expected} is missing in {text}");
        }
        assert!(!desk.openssl("verify -purpose sslserver -CAfile ca.pem device.pem").0);
    }

    #[test]
    fn a_mail_address_cannot_smuggle_in_another_name() {
        let (ca, key) = (authority(), rsa());
        let mut template = template();
        template.email = Some("ada@example.com,DNS:mdm.example.com".into());
        let issued = issue_device(&ca, &template, &key).unwrap();
        assert_eq!(issued.subject_alt_names().unwrap().len(), 1);
        template.email = Some("ada@example.com\0".into());
        assert!(issue_device(&ca, &template, &key).is_err());
    }

    #[test]
    fn a_name_longer_than_the_limit_is_cut() {
        let mut template = template();
        template.common_name = "ü".repeat(200);
        let issued = issue_device(&authority(), &template, &rsa()).unwrap();
        let name = issued.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).next().unwrap();
        assert_eq!(name.data().to_string().unwrap().chars().count(), 64);
    }
}

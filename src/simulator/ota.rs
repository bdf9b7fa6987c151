//! Over-the-air enrollment (Profile Service): the phone says what it is, gets a certificate, says it again with that,
//! and receives the enrollment profile.

use plist::Dictionary;

use crate::simulator::{
    cms,
    error::{Result, protocol},
    iphone::first_certificate,
    keychain::Identity,
    model::Model,
    profile::{Profile, Service},
    propertylist,
    transport::Wire,
};

const DOING: &str = "enroll over the air";

/// Plays phases 2 and 3 and gives the final profile with the identity that phase 2 brought. `built_in` plays the
/// certificate that a real phone has from its maker.
pub async fn play(
    wire: &Wire,
    service: &Service,
    model: &Model,
    built_in: &Identity,
    roots: &[openssl::x509::X509],
) -> Result<(Vec<u8>, Identity)> {
    let attributes = propertylist::write(attributes(service, model), false)?;
    let first = post(wire, service, cms::sign_attached(&attributes, built_in)?).await?;
    let payload = Profile::read(&first, roots)?.scep(None)?.ok_or_else(|| protocol(DOING, "phase 2 brought no SCEP payload"))?;
    let identity = first_certificate(wire, &payload).await?;
    let last = post(wire, service, cms::sign_attached(&attributes, &identity)?).await?;
    Ok((last, identity))
}

async fn post(wire: &Wire, service: &Service, message: Vec<u8>) -> Result<Vec<u8>> {
    wire.post(service.url.clone(), "application/pkcs7-signature", message).await?.ok(DOING)
}

/// The attributes that were asked for, as far as the device has them, and the challenge.
fn attributes(service: &Service, model: &Model) -> Dictionary {
    let mut sent = Dictionary::new();
    for name in &service.attributes {
        let value = match name.as_str() {
            "UDID" => Some(model.udid.clone()),
            "SERIAL" => Some(model.serial.clone()),
            "PRODUCT" => Some(model.product_name.to_owned()),
            "VERSION" => Some(model.build_version.to_owned()),
            "DEVICE_NAME" => Some(model.device_name.clone()),
            "IMEI" => model.imei.clone(),
            _ => None,
        };
        if let Some(value) = value {
            sent.insert(name.clone(), value.into());
        }
    }
    if let Some(challenge) = &service.challenge {
        sent.insert("CHALLENGE".to_owned(), challenge.clone().into());
    }
    sent
}

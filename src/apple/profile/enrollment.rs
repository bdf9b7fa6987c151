//! The enrollment profile: the identity by SCEP, and the management payload (`com.apple.mdm`) that uses it.

use plist::Value;

use super::{Base, Payload, Profile, ProfileError, scep::Scep, web_address};
use crate::{apple::command::With, domain::rights::AccessRights};

const BASE: &[u8] = include_bytes!("../../../profiles/apple/enrollment.mobileconfig");

/// How the device is enrolled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mode {
    /// A profile that the person downloads and installs.
    #[default]
    Device,
    /// Account-driven User Enrollment (`EnrollmentMode` `BYOD`): the device ignores access rights.
    AccountDrivenUser {
        /// `AssignedManagedAppleID`.
        managed_apple_id: String,
    },
    /// Account-driven Device Enrollment (`EnrollmentMode` `ADDE`).
    AccountDrivenDevice {
        /// `AssignedManagedAppleID`.
        managed_apple_id: String,
    },
}

/// Everything that an enrollment profile says.
#[derive(Clone)]
pub struct EnrollmentProfile {
    /// Begins all identifiers; see [`super::reverse_dns`].
    pub reverse_dns: String,
    /// The organization's name, shown to the person.
    pub organization: String,
    /// `ServerURL`: where the device asks for commands.
    pub server_url: String,
    /// `CheckInURL`.
    pub checkin_url: String,
    /// How the device gets its identity.
    pub scep: Scep,
    /// The push topic of the push certificate, `com.apple.mgmt.…`.
    pub topic: String,
    /// What the organization may do.
    pub rights: AccessRights,
    /// The device signs each message (`Mdm-Signature`).
    pub sign_message: bool,
    /// The device tells when the profile is removed.
    pub check_out_when_removed: bool,
    /// How the device is enrolled.
    pub mode: Mode,
    /// A root that the device shall trust for TLS, DER; none where the server's certificate is publicly trusted.
    pub trusted_root_der: Option<Vec<u8>>,
}

/// `PayloadIdentifier` of the enrollment profile, which a selective wipe removes last.
#[must_use]
pub fn identifier(reverse_dns: &str) -> String {
    format!("{reverse_dns}.enroll")
}

impl EnrollmentProfile {
    /// Makes the profile. Its UUIDs follow from its content, the challenge excepted.
    ///
    /// # Errors
    /// An address, the topic or the rights are not what Apple accepts.
    pub fn profile(&self) -> Result<Profile, ProfileError> {
        let mut base = Base::load("enrollment", BASE)?;
        let identifier = identifier(&self.reverse_dns);
        let identity = self.scep.payload(&format!("{identifier}.identity"))?;
        let management = self.management(&mut base, &format!("{identifier}.mdm"), &identity.uuid)?;
        let mut payloads = Vec::new();
        if let Some(root) = &self.trusted_root_der {
            payloads.push(self.root(&mut base, &format!("{identifier}.root"), root)?);
        }
        payloads.extend([identity, management]);
        base.finish(identifier, &self.organization, payloads)
    }

    fn management(&self, base: &mut Base, identifier: &str, identity_uuid: &str) -> Result<Payload, ProfileError> {
        web_address("ServerURL", &self.server_url)?;
        web_address("CheckInURL", &self.checkin_url)?;
        if self.topic.strip_prefix("com.apple.mgmt.").is_none_or(str::is_empty) {
            return Err(ProfileError::Invalid { key: "Topic", why: "must begin with com.apple.mgmt." });
        }
        let mut payload = base
            .payload("com.apple.mdm")?
            .with("IdentityCertificateUUID", identity_uuid)
            .with("Topic", self.topic.as_str())
            .with("ServerURL", self.server_url.as_str())
            .with("CheckInURL", self.checkin_url.as_str())
            .with("SignMessage", self.sign_message)
            .with("CheckOutWhenRemoved", self.check_out_when_removed)
            .with_text("PayloadOrganization", Some(&self.organization));
        let (mode, account) = match &self.mode {
            Mode::Device => (None, None),
            Mode::AccountDrivenUser { managed_apple_id } => (Some("BYOD"), Some(managed_apple_id.as_str())),
            Mode::AccountDrivenDevice { managed_apple_id } => (Some("ADDE"), Some(managed_apple_id.as_str())),
        };
        if account.is_some_and(str::is_empty) {
            return Err(ProfileError::Invalid { key: "AssignedManagedAppleID", why: "is empty" });
        }
        payload = payload.with_text("EnrollmentMode", mode).with_text("AssignedManagedAppleID", account);
        payload.remove("AccessRights");
        if mode != Some("BYOD") {
            check_rights(self.rights)?;
            payload = payload.with("AccessRights", self.rights.bits());
        }
        Payload::new(payload, identifier, "")
    }

    fn root(&self, base: &mut Base, identifier: &str, root: &[u8]) -> Result<Payload, ProfileError> {
        let payload = base.payload("com.apple.security.root")?;
        let payload = payload.with("PayloadContent", Value::Data(root.to_vec())).with_text("PayloadOrganization", Some(&self.organization));
        Payload::new(payload, identifier, "")
    }
}

/// Apple refuses no rights at all, and a right to change without the right to look (error 12000).
fn check_rights(rights: AccessRights) -> Result<(), ProfileError> {
    let needs = |right, other| !rights.allows(right) || rights.allows(other);
    let are_valid = rights.bits() != 0
        && needs(AccessRights::MANAGE_PROFILES, AccessRights::INSPECT_PROFILES)
        && needs(AccessRights::MANAGE_PROVISIONING, AccessRights::INSPECT_PROVISIONING);
    if are_valid { Ok(()) } else { Err(ProfileError::Invalid { key: "AccessRights", why: "are none, or lack the right to inspect" }) }
}

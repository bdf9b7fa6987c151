//! What the organization may do on a device, as asked for in the enrollment profile and shown to the person before.

use serde::{Deserialize, Serialize};

use super::device::Ownership;

/// Apple's access rights: the bit mask of the key `AccessRights` of `com.apple.mdm`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
)]
#[diesel(sql_type = diesel::sql_types::Integer)]
#[serde(transparent)]
pub struct AccessRights(i32);

impl AccessRights {
    /// See which profiles and certificates are installed.
    pub const INSPECT_PROFILES: Self = Self(1);
    /// Install and remove profiles of the organization.
    pub const MANAGE_PROFILES: Self = Self(2);
    /// Lock the device and remove its passcode.
    pub const LOCK_AND_CLEAR_PASSCODE: Self = Self(4);
    /// Erase the device.
    pub const ERASE: Self = Self(8);
    /// Ask for model, name and system version.
    pub const QUERY_DEVICE: Self = Self(16);
    /// Ask for telephone number, IMEI and network addresses.
    pub const QUERY_NETWORK: Self = Self(32);
    /// See provisioning profiles.
    pub const INSPECT_PROVISIONING: Self = Self(64);
    /// Install and remove provisioning profiles.
    pub const MANAGE_PROVISIONING: Self = Self(128);
    /// List the installed apps.
    pub const QUERY_APPS: Self = Self(256);
    /// Ask which restrictions are in force.
    pub const QUERY_RESTRICTIONS: Self = Self(512);
    /// Ask about passcode and encryption.
    pub const QUERY_SECURITY: Self = Self(1024);
    /// Change settings such as roaming.
    pub const MANAGE_SETTINGS: Self = Self(2048);
    /// Install and remove apps of the organization.
    pub const MANAGE_APPS: Self = Self(4096);

    /// Every right: a device that the company owns.
    pub const COMPANY: Self = Self(8191);
    /// What a personal device is asked for: no erase, no network identifiers, no list of private apps.
    pub const PERSONAL: Self = Self(1 + 2 + 4 + 16 + 1024 + 4096);

    /// What an agent on a company's Android device can do: everything but change single settings and read restrictions.
    pub const ANDROID_COMPANY: Self = Self(1 + 2 + 4 + 8 + 16 + 32 + 1024 + 4096);
    /// What an agent on a person's own Android device can do.
    pub const ANDROID_PERSONAL: Self = Self(1 + 2 + 4 + 16 + 1024 + 4096);

    /// The rights that the enrollment profile asks for. They can never be widened without enrolling again.
    #[must_use]
    pub const fn for_ownership(ownership: Ownership) -> Self {
        match ownership {
            Ownership::Company => Self::COMPANY,
            Ownership::Personal => Self::PERSONAL,
        }
    }

    /// The mask as Apple writes it.
    #[must_use]
    pub const fn bits(self) -> i32 {
        self.0
    }

    /// The rights of this mask; bits that Apple does not define are dropped.
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        Self(bits & 8191)
    }

    /// Whether every right of `other` is granted.
    #[must_use]
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What these rights let the organization do, in sentences for the person who is asked to agree.
    #[must_use]
    pub fn explained(self) -> Vec<&'static str> {
        EXPLANATIONS.iter().filter(|(right, _)| self.allows(*right)).map(|(_, text)| *text).collect()
    }

    /// What the organization can not do, in sentences for the same person.
    #[must_use]
    pub fn not_granted(self) -> Vec<&'static str> {
        EXPLANATIONS.iter().filter(|(right, _)| !self.allows(*right)).map(|(_, text)| *text).collect()
    }
}

/// Each right that a person should know about, most serious first.
const EXPLANATIONS: &[(AccessRights, &str)] = &[
    (AccessRights::ERASE, "erase the whole device, with everything that is on it"),
    (AccessRights::LOCK_AND_CLEAR_PASSCODE, "lock the device and remove a forgotten passcode"),
    (AccessRights::MANAGE_PROFILES, "install settings of the organization, such as the passcode rules, and remove them again"),
    (AccessRights::MANAGE_APPS, "install apps of the organization and remove them again"),
    (AccessRights::MANAGE_SETTINGS, "change settings such as data roaming"),
    (AccessRights::QUERY_SECURITY, "see whether a passcode is set and whether the device is encrypted (never the passcode itself)"),
    (AccessRights::QUERY_DEVICE, "see the model, the name and the system version of the device"),
    (AccessRights::INSPECT_PROFILES, "see which profiles and certificates are installed"),
    (AccessRights::QUERY_NETWORK, "see the telephone number, the IMEI and the network addresses"),
    (AccessRights::QUERY_APPS, "see the list of installed apps"),
    (AccessRights::QUERY_RESTRICTIONS, "see which restrictions are in force"),
];

impl std::ops::BitOr for AccessRights {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<DB> diesel::serialize::ToSql<diesel::sql_types::Integer, DB> for AccessRights
where
    DB: diesel::backend::Backend,
    i32: diesel::serialize::ToSql<diesel::sql_types::Integer, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Integer, DB> for AccessRights
where
    DB: diesel::backend::Backend,
    i32: diesel::deserialize::FromSql<diesel::sql_types::Integer, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        i32::from_sql(bytes).map(Self::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_device_is_never_asked_for_the_right_to_erase() {
        let personal = AccessRights::for_ownership(Ownership::Personal);
        assert_eq!(personal.bits(), 5143);
        assert!(!personal.allows(AccessRights::ERASE));
        assert!(personal.allows(AccessRights::MANAGE_PROFILES | AccessRights::QUERY_SECURITY));
    }

    #[test]
    fn every_right_is_either_explained_or_said_to_be_missing() {
        for rights in [AccessRights::COMPANY, AccessRights::PERSONAL] {
            assert_eq!(rights.explained().len() + rights.not_granted().len(), EXPLANATIONS.len());
        }
        assert!(AccessRights::PERSONAL.not_granted().iter().any(|text| text.contains("erase")));
    }
}

//! What a device can be told to do, the rights that each command needs, and the states that a command goes through.

use serde::{Deserialize, Serialize};

use super::rights::AccessRights;
use crate::words;

/// One command, with everything that its encoding needs. Kept as JSON in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Apple `InstallProfile`: the profile as it will be sent (signed or not), base64 in the queue.
    InstallProfile {
        /// `PayloadIdentifier` of the profile.
        identifier: String,
        /// The profile itself.
        #[serde(with = "base64_bytes")]
        profile: Vec<u8>,
    },
    /// Apple `RemoveProfile`.
    RemoveProfile {
        /// `PayloadIdentifier` of the profile.
        identifier: String,
    },
    /// Apple `ProfileList`.
    ProfileList {
        /// Only what the server installed.
        managed_only: bool,
    },
    /// Apple `DeviceInformation` with these queries.
    DeviceInformation {
        /// The keys asked for.
        queries: Vec<String>,
    },
    /// Apple `SecurityInfo`.
    SecurityInfo,
    /// Apple `CertificateList`.
    CertificateList {
        /// Only what the server installed.
        managed_only: bool,
    },
    /// Apple `InstalledApplicationList`.
    InstalledApplicationList {
        /// Only apps that the server installed.
        managed_only: bool,
    },
    /// Apple `DeviceLock`.
    DeviceLock {
        /// Shown on the lock screen.
        message: Option<String>,
        /// Shown on the lock screen.
        phone_number: Option<String>,
    },
    /// Apple `ClearPasscode`; the unlock token is added when the command is sent and is never kept in the queue.
    ClearPasscode,
    /// Apple `EraseDevice`, the factory reset.
    EraseDevice(EraseOptions),
    /// Apple `Restrictions`.
    Restrictions {
        /// With the restrictions of each profile.
        profile_restrictions: bool,
    },
    /// Apple `Settings`.
    Settings {
        /// The settings to change.
        settings: Vec<Setting>,
    },
    /// Renews the device's identity: the enrollment profile once more, made when the command is handed out, because the right to a
    /// certificate that it carries lives for minutes only.
    RenewIdentity,
    /// Installs the managed mail account: the profile is made when the command is handed out, with a password that is drawn then and
    /// kept nowhere.
    InstallMailProfile {
        /// `PayloadUUID` of the profile.
        version: String,
    },
    /// Removes the managed mail account.
    RemoveMailProfile,
    /// Apple `DeclarativeManagement`: asks the device to synchronize its declarations.
    DeclarativeManagement,
    /// Android: take over the policy of this version.
    ApplyPolicy {
        /// The version that the device must name afterwards.
        version: String,
    },
    /// Android: say how the device is.
    ReportPosture,
    /// Android: set this passcode in place of a forgotten one.
    ResetPasscode {
        /// The new passcode, sealed; it is opened when the command is handed out.
        #[serde(with = "base64_bytes")]
        sealed_passcode: Vec<u8>,
    },
    /// Android: remove everything that belongs to the organization and end the management.
    RemoveWorkData,
    /// A command dictionary that is not typed here, as an XML property list.
    Raw {
        /// `RequestType` of the command.
        request_type: String,
        /// The XML property list of the `Command` dictionary.
        plist: String,
    },
}

/// Options of Apple's `EraseDevice` that exist on iOS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseOptions {
    /// Keep the cellular data plan (`PreserveDataPlan`, iOS 11).
    #[serde(default)]
    pub preserve_data_plan: bool,
    /// Do not offer proximity set-up afterwards (`DisallowProximitySetup`, iOS 11.3).
    #[serde(default)]
    pub disallow_proximity_setup: bool,
    /// Enroll again without a person (`ReturnToService`, iOS 17).
    #[serde(default)]
    pub return_to_service: Option<ReturnToService>,
}

/// Apple's `ReturnToService`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnToService {
    /// A profile with the Wi-Fi network to join (`WiFiProfileData`).
    #[serde(default, with = "optional_base64_bytes")]
    pub wifi_profile: Option<Vec<u8>>,
    /// The enrollment profile to install (`MDMProfileData`).
    #[serde(default, with = "optional_base64_bytes")]
    pub mdm_profile: Option<Vec<u8>>,
}

/// One item of Apple's `Settings` command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case", deny_unknown_fields)]
pub enum Setting {
    /// `DeviceName` (supervised devices).
    DeviceName {
        /// The new name.
        name: String,
    },
    /// `DataRoaming`.
    DataRoaming {
        /// On or off.
        enabled: bool,
    },
    /// `VoiceRoaming`.
    VoiceRoaming {
        /// On or off.
        enabled: bool,
    },
    /// `PersonalHotspot`.
    PersonalHotspot {
        /// On or off.
        enabled: bool,
    },
    /// `Bluetooth` (supervised devices).
    Bluetooth {
        /// On or off.
        enabled: bool,
    },
    /// `OrganizationInfo`.
    OrganizationInfo {
        /// `OrganizationName`.
        name: String,
        /// `OrganizationEmail`.
        email: Option<String>,
        /// `OrganizationPhone`.
        phone: Option<String>,
    },
}

impl Command {
    /// The word for this command in the API, the timeline and the audit log.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::InstallProfile { .. } => "install_profile",
            Self::RemoveProfile { .. } => "remove_profile",
            Self::ProfileList { .. } => "profile_list",
            Self::DeviceInformation { .. } => "device_information",
            Self::SecurityInfo => "security_info",
            Self::CertificateList { .. } => "certificate_list",
            Self::InstalledApplicationList { .. } => "installed_application_list",
            Self::DeviceLock { .. } => "lock",
            Self::ClearPasscode => "clear_passcode",
            Self::EraseDevice(_) => "erase_device",
            Self::Restrictions { .. } => "restrictions",
            Self::Settings { .. } => "settings",
            Self::RenewIdentity => "renew_identity",
            Self::InstallMailProfile { .. } => "install_mail_profile",
            Self::RemoveMailProfile => "remove_mail_profile",
            Self::DeclarativeManagement => "declarative_management",
            Self::ApplyPolicy { .. } => "apply_policy",
            Self::ReportPosture => "report_posture",
            Self::ResetPasscode { .. } => "reset_passcode",
            Self::RemoveWorkData => "remove_work_data",
            Self::Raw { .. } => "raw",
        }
    }

    /// The rights that the enrollment must have (Apple's "access right" of each command).
    #[must_use]
    pub fn needed_rights(&self) -> AccessRights {
        match self {
            Self::InstallProfile { .. }
            | Self::RemoveProfile { .. }
            | Self::RenewIdentity
            | Self::InstallMailProfile { .. }
            | Self::RemoveMailProfile
            | Self::ApplyPolicy { .. }
            | Self::RemoveWorkData => AccessRights::MANAGE_PROFILES,
            Self::ProfileList { .. } | Self::CertificateList { .. } => AccessRights::INSPECT_PROFILES,
            Self::DeviceInformation { .. } => AccessRights::QUERY_DEVICE,
            Self::SecurityInfo | Self::ReportPosture => AccessRights::QUERY_SECURITY,
            Self::InstalledApplicationList { managed_only: true } => AccessRights::MANAGE_APPS,
            Self::InstalledApplicationList { managed_only: false } => AccessRights::QUERY_APPS,
            Self::DeviceLock { .. } | Self::ClearPasscode | Self::ResetPasscode { .. } => AccessRights::LOCK_AND_CLEAR_PASSCODE,
            Self::EraseDevice(_) => AccessRights::ERASE,
            Self::Restrictions { .. } => AccessRights::QUERY_RESTRICTIONS,
            Self::Settings { .. } => AccessRights::MANAGE_SETTINGS,
            Self::DeclarativeManagement => AccessRights::from_bits(0),
            Self::Raw { request_type, .. } => rights_of_raw(request_type),
        }
    }

    /// Whether Apple forbids the command in a User Enrollment.
    #[must_use]
    pub fn is_forbidden_in_user_enrollment(&self) -> bool {
        matches!(self, Self::EraseDevice(_) | Self::ClearPasscode | Self::Restrictions { .. } | Self::Raw { .. })
    }

    /// Whether the command destroys data or ends the management, so that it goes through the wipe's safeguards only.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        match self {
            Self::EraseDevice(_) | Self::RemoveWorkData => true,
            Self::Raw { request_type, .. } => request_type == "EraseDevice" || request_type == "RemoveProfile",
            _ => false,
        }
    }
}

/// The rights for commands known by their Apple name only; an unknown command needs every right.
fn rights_of_raw(request_type: &str) -> AccessRights {
    match request_type {
        "InstallProfile" | "RemoveProfile" => AccessRights::MANAGE_PROFILES,
        "ProfileList" | "CertificateList" => AccessRights::INSPECT_PROFILES,
        "ProvisioningProfileList" => AccessRights::INSPECT_PROVISIONING,
        "InstallProvisioningProfile" | "RemoveProvisioningProfile" => AccessRights::MANAGE_PROVISIONING,
        "DeviceLock" | "ClearPasscode" | "RestartDevice" | "ShutDownDevice" => AccessRights::LOCK_AND_CLEAR_PASSCODE,
        "EraseDevice" => AccessRights::ERASE,
        "DeviceInformation" => AccessRights::QUERY_DEVICE,
        "SecurityInfo" => AccessRights::QUERY_SECURITY,
        "InstalledApplicationList" => AccessRights::QUERY_APPS,
        "Restrictions" => AccessRights::QUERY_RESTRICTIONS,
        "Settings" => AccessRights::MANAGE_SETTINGS,
        "InstallApplication"
        | "RemoveApplication"
        | "ManagedApplicationList"
        | "ManagedApplicationConfiguration"
        | "ManagedApplicationAttributes"
        | "ManagedApplicationFeedback"
        | "ValidateApplications"
        | "InstallMedia"
        | "RemoveMedia"
        | "ManagedMediaList"
        | "AvailableOSUpdates"
        | "ScheduleOSUpdate"
        | "OSUpdateStatus" => AccessRights::MANAGE_APPS,
        "DeclarativeManagement"
        | "EnableLostMode"
        | "DisableLostMode"
        | "DeviceLocation"
        | "PlayLostModeSound"
        | "RequestMirroring"
        | "StopMirroring"
        | "RefreshCellularPlans"
        | "DeviceConfigured" => AccessRights::from_bits(0),
        _ => AccessRights::COMPANY,
    }
}

words! {
    /// Where a command stands.
    pub enum CommandState {
        /// Waits for the device.
        Queued = "queued",
        /// Was handed to the device; no answer yet.
        Sent = "sent",
        /// The device said that it cannot now; it is offered again later.
        NotNow = "not_now",
        /// The device did it.
        Acknowledged = "acknowledged",
        /// The device refused or could not.
        Failed = "failed",
        /// Its time ran out before the device answered.
        Expired = "expired",
        /// Withdrawn, or its enrollment ended.
        Cancelled = "cancelled",
        /// Waits for a second administrator.
        AwaitingApproval = "awaiting_approval",
    }
}

impl CommandState {
    /// Whether nothing can change it any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Failed | Self::Expired | Self::Cancelled)
    }

    /// Whether a device may still be given the command.
    #[must_use]
    pub const fn is_deliverable(self) -> bool {
        matches!(self, Self::Queued | Self::Sent | Self::NotNow)
    }

    /// The state after a device's answer, or `None` where the answer changes nothing (a repeated answer to a finished command).
    #[must_use]
    pub const fn after(self, answer: Answer) -> Option<Self> {
        if !self.is_deliverable() {
            return None;
        }
        Some(match answer {
            Answer::Acknowledged => Self::Acknowledged,
            Answer::Error | Answer::FormatError => Self::Failed,
            Answer::NotNow => Self::NotNow,
        })
    }
}

/// What a device answers to a command (Apple's `Status`, without `Idle`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// `Acknowledged`.
    Acknowledged,
    /// `Error`.
    Error,
    /// `CommandFormatError`: the server sent nonsense.
    FormatError,
    /// `NotNow`.
    NotNow,
}

words! {
    /// Why the server sent a command; decides what its answer means.
    pub enum Purpose {
        /// An administrator asked for it.
        Administrator = "administrator",
        /// The server wants to know how the device is.
        Facts = "facts",
        /// The policy's profile.
        Policy = "policy",
        /// The device's certificate comes to its end.
        Renewal = "renewal",
        /// Part of a selective wipe.
        SelectiveWipe = "selective_wipe",
        /// The last step of a selective wipe: the enrollment profile itself.
        SelectiveWipeEnd = "selective_wipe_end",
        /// The factory reset.
        FullWipe = "full_wipe",
        /// The device is let go.
        Retire = "retire",
    }
}

impl Purpose {
    /// Whether it takes something from a device that nobody can give back.
    #[must_use]
    pub const fn is_destructive(self) -> bool {
        matches!(self, Self::SelectiveWipe | Self::SelectiveWipeEnd | Self::FullWipe | Self::Retire)
    }
}

mod base64_bytes {
    //! Bytes as base64 text in JSON.
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

mod optional_base64_bytes {
    //! Optional bytes as base64 text in JSON.
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[allow(clippy::ref_option, reason = "the signature is serde's")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_command_never_changes_again() {
        for state in CommandState::ALL.iter().copied().filter(|state| state.is_terminal()) {
            for answer in [Answer::Acknowledged, Answer::Error, Answer::FormatError, Answer::NotNow] {
                assert_eq!(state.after(answer), None);
            }
        }
    }

    #[test]
    fn a_command_that_waits_for_approval_is_not_moved_by_a_device() {
        assert!(!CommandState::AwaitingApproval.is_deliverable());
        assert_eq!(CommandState::AwaitingApproval.after(Answer::Acknowledged), None);
    }

    #[test]
    fn a_profile_survives_the_queue() {
        let command = Command::InstallProfile { identifier: "a".into(), profile: vec![0, 255, 7] };
        let text = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
    }

    #[test]
    fn an_unknown_raw_command_needs_every_right() {
        let raw = Command::Raw { request_type: "Surprise".into(), plist: String::new() };
        assert_eq!(raw.needed_rights(), AccessRights::COMPANY);
    }
}

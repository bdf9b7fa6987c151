//! How a device says no: the error chains of its answers. The numbers are those of Apple's published domains.

use plist::{Dictionary, Value};

use crate::simulator::propertylist::dictionary;

/// Why a command was not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The profile did not grant the right.
    NotAuthorized,
    /// The command is not one that this device knows.
    InvalidRequestType,
    /// A key of the command is missing or of the wrong type.
    MalformedRequest,
    /// The profile could not be read.
    MalformedProfile,
    /// The profile's signature is not to be trusted.
    BadSignature,
    /// The device is managed already, by another profile.
    AlreadyManaged,
    /// A new enrollment profile may not widen rights or change addresses.
    ReplacementMismatch,
    /// No such profile is installed.
    NotInstalled,
    /// The profile was not installed by management.
    NotManaged,
    /// The unlock token is not this device's.
    CannotClearPasscode,
    /// The setting needs a supervised device or is unknown.
    InvalidSetting,
}

impl Refusal {
    fn parts(self) -> (&'static str, u64, &'static str) {
        match self {
            Self::NotAuthorized => ("MCMDMErrorDomain", 12007, "The MDM server is not authorized to do that."),
            Self::InvalidRequestType => ("MCMDMErrorDomain", 12021, "The request type is not valid."),
            Self::MalformedRequest => ("MCMDMErrorDomain", 12008, "The request is malformed."),
            Self::MalformedProfile => ("MCProfileErrorDomain", 1000, "The profile is malformed."),
            Self::BadSignature => ("MCProfileErrorDomain", 1004, "The signature of the profile could not be verified."),
            Self::AlreadyManaged => ("MCMDMErrorDomain", 12001, "The device is managed already."),
            Self::ReplacementMismatch => ("MCMDMErrorDomain", 12012, "The new MDM profile does not match the old one."),
            Self::NotInstalled => ("MCMDMErrorDomain", 12075, "The profile is not installed."),
            Self::NotManaged => ("MCMDMErrorDomain", 12013, "The profile is not managed."),
            Self::CannotClearPasscode => ("MCPasscodeErrorDomain", 5013, "The passcode cannot be cleared."),
            Self::InvalidSetting => ("MCSettingsErrorDomain", 28000, "The setting is unknown or needs supervision."),
        }
    }

    /// The key `ErrorChain` of an answer.
    #[must_use]
    pub fn chain(self) -> Value {
        let (domain, code, words) = self.parts();
        let link: Dictionary = dictionary([
            ("ErrorDomain", domain.into()),
            ("ErrorCode", code.into()),
            ("LocalizedDescription", words.into()),
            ("USEnglishDescription", words.into()),
        ]);
        Value::Array(vec![Value::Dictionary(link)])
    }
}

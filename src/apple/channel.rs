//! Who speaks: a device, or a user of it.

use std::fmt;

use super::field::{DecodeError, Fields};

/// The `UserID` that every user of a Shared iPad sends; the short name tells them apart.
const SHARED_IPAD_USER: &str = "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF";

/// What a device calls itself. One of the two, never both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DeviceIdentifier {
    /// `UDID`: a Device Enrollment.
    Udid(String),
    /// `EnrollmentID`: a User Enrollment, which hides the device's own identifiers.
    EnrollmentId(String),
}

impl DeviceIdentifier {
    /// The identifier itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udid(id) | Self::EnrollmentId(id) => id,
        }
    }

    /// Whether only a User Enrollment has such an identifier.
    #[must_use]
    pub const fn is_user_enrollment(&self) -> bool {
        matches!(self, Self::EnrollmentId(_))
    }
}

/// The user whose channel this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserChannel {
    /// `UserID`, or `EnrollmentUserID`; on a Shared iPad, where all users send the same, the short name.
    pub user_id: String,
    /// `UserShortName`.
    pub short_name: Option<String>,
    /// `UserLongName`.
    pub long_name: Option<String>,
    /// Whether this is a user of a Shared iPad.
    pub is_shared_ipad: bool,
}

/// Who speaks. Written as `id` or `id:user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The device.
    pub id: DeviceIdentifier,
    /// The user, where it is not the device's own channel.
    pub user: Option<UserChannel>,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_str())?;
        self.user.as_ref().map_or(Ok(()), |user| write!(f, ":{}", user.user_id))
    }
}

impl Channel {
    /// Reads who speaks from a message of either channel.
    pub(super) fn read(fields: &Fields) -> Result<Self, DecodeError> {
        let id = match (fields.identifier("UDID", 64)?, fields.identifier("EnrollmentID", 128)?) {
            (Some(id), None) => DeviceIdentifier::Udid(checked("UDID", id)?),
            (None, Some(id)) => DeviceIdentifier::EnrollmentId(checked("EnrollmentID", id)?),
            (Some(_), Some(_)) => return Err(DecodeError::Invalid { key: "EnrollmentID", why: "excludes UDID" }),
            (None, None) => return Err(DecodeError::Missing("UDID")),
        };
        Ok(Self { id, user: read_user(fields)? })
    }
}

fn read_user(fields: &Fields) -> Result<Option<UserChannel>, DecodeError> {
    let user_id = match fields.identifier("UserID", 64)? {
        Some(id) => id,
        None => match fields.identifier("EnrollmentUserID", 128)? {
            Some(id) => id,
            None => return Ok(None),
        },
    };
    let short_name = fields.text("UserShortName")?;
    let long_name = fields.text("UserLongName")?;
    let is_shared_ipad = user_id.eq_ignore_ascii_case(SHARED_IPAD_USER);
    let user_id =
        if is_shared_ipad { short_name.clone().ok_or(DecodeError::Missing("UserShortName"))? } else { checked("UserID", user_id)? };
    Ok(Some(UserChannel { user_id, short_name, long_name, is_shared_ipad }))
}

/// Identifiers are letters, digits and hyphens; never a character that means something in a path or between `id` and `user`.
fn checked(key: &'static str, id: String) -> Result<String, DecodeError> {
    if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')) {
        Ok(id)
    } else {
        Err(DecodeError::Invalid { key, why: "has characters that are not allowed" })
    }
}

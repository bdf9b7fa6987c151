//! Limits on requests, in one table. What is not listed takes the last line.

use crate::{domain::file, service::android::launcher_package::LONGEST};

/// Most bytes of a body, by the beginning of the path. The first match holds.
pub const BODIES: &[(&str, usize)] = &[
    ("/mdm/checkin", 4 * 1024 * 1024),
    ("/mdm/connect", 4 * 1024 * 1024),
    ("/android/hw/", 256 * 1024),
    ("/android/", 64 * 1024),
    ("/scep", 256 * 1024),
    ("/pki/ocsp", 4 * 1024),
    ("/enroll/ota", 256 * 1024),
    ("/enroll/", 16 * 1024),
    ("/api/v1/users/import", 4 * 1024 * 1024),
    ("/api/v1/android/launcher", LONGEST),
    // A little more than a file may have: whose file is hardly too long is told so by the name of the field.
    ("/api/v1/links/files", file::LONGEST + 64 * 1024),
    ("/api/", 256 * 1024),
    // The list itself, and what a form puts around it.
    ("/console/users/import", 2 * 1024 * 1024 + 64 * 1024),
    ("/console/android/launcher/upload", LONGEST + 64 * 1024),
    // As many addresses as an announcement may go to.
    ("/console/announcement", 1024 * 1024),
    ("/console/links/files", file::LONGEST + 64 * 1024),
    ("/console/", 64 * 1024),
    ("", 16 * 1024),
];

/// Most characters of an address with its query. SCEP carries whole messages in it.
pub const LONGEST_ADDRESS: usize = 8 * 1024;

/// Seconds that a body may take before its rate counts.
pub const BODY_SECONDS: u64 = 10;

/// Bytes in a second that a body must bring after that.
pub const BODY_RATE: u64 = 1024;

/// Most bytes of a body at this path.
#[must_use]
pub fn body_limit(path: &str) -> usize {
    BODIES.iter().find(|(start, _)| path.starts_with(start)).map_or(0, |(_, limit)| *limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_hidden_by_one_before_it() {
        for (index, (start, limit)) in BODIES.iter().enumerate() {
            let hiding = BODIES[..index].iter().find(|(earlier, _)| start.starts_with(earlier));
            assert_eq!(hiding, None, "{start}");
            assert_eq!(body_limit(start), *limit);
        }
        assert_eq!(body_limit("/android/hw/rest/public/sync/info"), 256 * 1024);
        assert_eq!(body_limit("/android/v1/posture"), 64 * 1024);
    }
}

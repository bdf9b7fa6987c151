//! The secret key, and the server's own certificates.

use std::os::unix::fs::PermissionsExt;

use super::{Finding, Site};
use crate::{
    pki::seal::SealKey,
    service::{self, push_certificate},
    store::authorities::{self, Authority, AuthorityKind},
};

/// Days before its end at which the CA has to be thought about.
const AUTHORITY_DAYS: i64 = 365;
/// Days before its end at which another certificate should have been made anew.
const OTHER_DAYS: i64 = 30;

fn kept(site: &mut Site<'_>) -> Result<Vec<Authority>, Finding> {
    authorities::list(site.database()?).map_err(|_| Finding::unknown("the database cannot be asked"))
}

/// The key's file: there, for its owner only, and the one that opens what is sealed.
pub(super) fn secret_key(site: &mut Site<'_>) -> Finding {
    let path = site.config.secret_key_file.clone();
    let shown = path.display();
    let keys = match SealKey::load(&path) {
        Ok(keys) => keys,
        Err(error) => {
            return Finding::wrong(
                error.to_string(),
                "bring the file back from a backup; without it the CA's key and all secrets in the database are lost",
            );
        }
    };
    let mode = std::fs::metadata(&path).map_or(0, |file| file.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        return Finding::wrong(format!("{shown} can be read by others than its owner (mode {mode:o})"), format!("chmod 600 {shown}"));
    }
    match kept(site) {
        Ok(kept) if service::authorities::open_under(&kept, &keys) => Finding::ok(format!("{shown} is private and opens what is sealed")),
        Ok(_) => Finding::wrong(
            format!("{shown} does not open the secrets in this database"),
            "name the key file that belongs to the database as secret-key-file, or bring it back from a backup",
        ),
        Err(finding) => finding,
    }
}

/// The device CA and the certificates that it signs for the server.
pub(super) fn authorities(site: &mut Site<'_>) -> Finding {
    let kept = match kept(site) {
        Ok(kept) => kept,
        Err(finding) => return finding,
    };
    let now = site.now;
    let ending = kept.iter().find(|authority| {
        let days = if authority.kind == AuthorityKind::DeviceCa { AUTHORITY_DAYS } else { OTHER_DAYS };
        authority.not_after < now.plus_days(days)
    });
    match ending {
        Some(authority) if authority.kind == AuthorityKind::DeviceCa => Finding::wrong(
            format!("the device CA ends on {}", authority.not_after),
            "plan the change to a new CA: every device has to enroll again",
        ),
        Some(authority) => Finding::wrong(
            format!("the certificate {} ends on {}", authority.kind, authority.not_after),
            "start the server again: it makes its own certificates anew when it starts",
        ),
        None if kept.is_empty() => Finding::note("there is no CA yet", "start the server, or run 'enlist init'"),
        None => {
            let end = kept.iter().map(|authority| authority.not_after).min().unwrap_or(now);
            Finding::ok(format!("the CA and the server's own certificates are good; the first of them ends on {end}"))
        }
    }
}

/// The push certificate. Without one the server works, and wakes no Apple device.
pub(super) fn push_certificate(site: &mut Site<'_>) -> Finding {
    let now = site.now;
    let conn = match site.database() {
        Ok(conn) => conn,
        Err(finding) => return finding,
    };
    let state = match push_certificate::state(conn, now) {
        Ok(state) => state,
        Err(error) => return Finding::unknown(format!("the push certificate cannot be read: {error}")),
    };
    let Some(warning) = state.warning else {
        return Finding::ok(format!("the push certificate is good for {} more days", state.days_left.unwrap_or_default()));
    };
    let text = warning.trim_end_matches('.').to_owned();
    let remedy =
        "'enlist apns request', or Apple push in the console, leads through Apple's portal; 'enlist apns import' takes what comes back";
    if state.topic.is_none() { Finding::note(text, remedy) } else { Finding::wrong(text, remedy) }
}

//! The device CA and the certificates that it signs for the server: made at the first start, kept sealed, renewed in time.

use openssl::{pkey::PKey, x509::X509};

use super::{Error, Result};
use crate::{
    domain::time::Timestamp,
    pki::{Identity, ca, seal::SealKey},
    store::{
        self, DatabaseUrl, Tx,
        authorities::{Authority, AuthorityKind},
    },
};

/// Seals the keys of the server's own certificates.
const PURPOSE: &str = "authority key";
/// Days before its end at which a certificate of the server is made anew.
const RENEWED_DAYS: i64 = 90;

/// The server's own certificates with their keys.
pub struct Authorities {
    /// Signs device certificates.
    pub device_ca: Identity,
    /// Speaks SCEP in the CA's name.
    pub scep_ra: Identity,
    /// Signs configuration profiles.
    pub profile_signer: Identity,
    /// Signs OCSP answers.
    pub ocsp_responder: Identity,
}

/// Reads the certificates, and makes those that are missing. Of two servers that start at once, one makes them.
///
/// # Errors
/// They were sealed under another key, or the database cannot be reached.
pub fn load_or_create(url: &DatabaseUrl, keys: &SealKey, organization: &str, now: Timestamp) -> Result<Authorities> {
    let kept = store::write_once(url, |tx| store::authorities::list(tx))?;
    if kept.len() < AuthorityKind::ALL.len() {
        // Making keys takes a second, so it happens before the transaction; who comes second throws theirs away.
        let made = make_missing(&kept, keys, organization, now)?;
        store::write_once(url, |tx| keep(tx, &made))?;
    }
    renew_ending(url, keys, organization, now)?;
    let kept = store::write_once(url, |tx| store::authorities::list(tx))?;
    let open = |kind| {
        let authority = kept.iter().find(|authority| authority.kind == kind).ok_or_else(|| missing(kind))?;
        open(authority, keys)
    };
    Ok(Authorities {
        device_ca: open(AuthorityKind::DeviceCa)?,
        scep_ra: open(AuthorityKind::ScepRa)?,
        profile_signer: open(AuthorityKind::ProfileSigner)?,
        ocsp_responder: open(AuthorityKind::OcspResponder)?,
    })
}

/// Makes those anew that end soon. The CA itself is not among them: its end is years away, and devices trust it by name.
fn renew_ending(url: &DatabaseUrl, keys: &SealKey, organization: &str, now: Timestamp) -> Result<()> {
    let kept = store::write_once(url, |tx| store::authorities::list(tx))?;
    let is_ending = |authority: &&Authority| authority.kind != AuthorityKind::DeviceCa && authority.not_after < now.plus_days(RENEWED_DAYS);
    if !kept.iter().any(|authority| is_ending(&authority)) {
        return Ok(());
    }
    let lasting: Vec<Authority> = kept.iter().filter(|authority| !is_ending(authority)).cloned().collect();
    let made = make_missing(&lasting, keys, organization, now)?;
    store::write_once(url, |tx| made.iter().try_for_each(|authority| store::authorities::replace(tx, authority)))?;
    Ok(())
}

/// Whether these certificates' keys were sealed under this key.
#[must_use]
pub fn open_under(kept: &[Authority], keys: &SealKey) -> bool {
    kept.iter().all(|authority| open(authority, keys).is_ok())
}

fn missing(kind: AuthorityKind) -> Error {
    Error::internal("reading the server's certificates", format!("{kind} is missing"))
}

fn keep(tx: &mut Tx<'_>, made: &[Authority]) -> std::result::Result<(), store::Error> {
    // Whoever has kept the CA first keeps the others too: they are signed by it.
    let Some((first, others)) = made.split_first() else { return Ok(()) };
    if store::authorities::insert_if_missing(tx, first)? {
        for authority in others {
            store::authorities::insert_if_missing(tx, authority)?;
        }
    }
    Ok(())
}

fn make_missing(kept: &[Authority], keys: &SealKey, organization: &str, now: Timestamp) -> Result<Vec<Authority>> {
    let find = |kind| kept.iter().find(|authority| authority.kind == kind);
    let mut made = Vec::new();
    let device_ca = if let Some(authority) = find(AuthorityKind::DeviceCa) {
        open(authority, keys)?
    } else {
        let identity = ca::create_authority(organization, now)?;
        made.push(seal(AuthorityKind::DeviceCa, &identity, keys, now)?);
        identity
    };
    for kind in [AuthorityKind::ScepRa, AuthorityKind::ProfileSigner, AuthorityKind::OcspResponder] {
        if find(kind).is_some() {
            continue;
        }
        let identity = match kind {
            AuthorityKind::ScepRa => ca::issue_registration_authority(&device_ca, organization, now)?,
            AuthorityKind::ProfileSigner => ca::issue_profile_signer(&device_ca, organization, now)?,
            _ => ca::issue_ocsp_responder(&device_ca, organization, now)?,
        };
        made.push(seal(kind, &identity, keys, now)?);
    }
    Ok(made)
}

fn seal(kind: AuthorityKind, identity: &Identity, keys: &SealKey, now: Timestamp) -> Result<Authority> {
    let not_after = openssl::asn1::Asn1Time::from_unix(0)?.diff(identity.certificate.not_after())?;
    let seconds = i64::from(not_after.days).saturating_mul(86_400).saturating_add(i64::from(not_after.secs));
    Ok(Authority {
        kind,
        certificate: identity.certificate.to_der()?,
        sealed_key: keys.seal(PURPOSE, &identity.key.private_key_to_pkcs8()?)?,
        not_after: Timestamp::from_millis(seconds.saturating_mul(1000)),
        created_at: now,
    })
}

fn open(authority: &Authority, keys: &SealKey) -> Result<Identity> {
    let key = keys.open(PURPOSE, &authority.sealed_key)?;
    Ok(Identity { certificate: X509::from_der(&authority.certificate)?, key: PKey::private_key_from_pkcs8(&key)? })
}

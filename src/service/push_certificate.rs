//! The push certificate: imported, watched until its end, and shown.

use std::sync::Arc;

use openssl::sha::sha256;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    App, Error, Result,
    push::{self, PURPOSE},
    push_health::{self, PushHealth},
};
use crate::{
    apple::push_certificate::{self as file, NotAPushCertificate},
    domain::{audit::Actor, id::PushCertificateId, time::Timestamp},
    store::{
        Conn, Tx,
        audit::{self, Entry},
        enrollments,
        push_certificates::{self, PushCertificate},
        settings,
    },
};

/// Days before the end of the certificate at which an alarm is raised; the last one is the end itself.
const ALARM_DAYS: [i64; 5] = [30, 14, 7, 1, 0];
/// Remembers the last alarm, so that each is raised once, by one server.
const ALARM: &str = "push_certificate_alarm";
/// Seconds by which Apple's clock may be ahead.
const SKEW_SECONDS: i64 = 300;

/// Where the push certificate stands, and how pushes fare.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PushCertificateState {
    /// Whether there is a certificate that is valid now. Without one no Apple device is woken; each gets its commands when it
    /// comes by itself.
    pub is_usable: bool,
    /// The push topic, the user ID in the certificate's subject.
    pub topic: Option<String>,
    /// End of its validity.
    pub expires_at: Option<Timestamp>,
    /// Whole days until then; negative afterwards.
    pub days_left: Option<i64>,
    /// Who imported it.
    pub imported_by: Option<String>,
    /// When.
    pub imported_at: Option<Timestamp>,
    /// When one was last asked for that was not imported yet.
    pub requested_at: Option<Timestamp>,
    /// What an administrator should do now, in words; nothing where all is well.
    pub warning: Option<String>,
    /// Enrolled devices with another topic: they cannot be woken until they are enrolled anew.
    pub devices_with_other_topic: i64,
    /// How pushes fare.
    #[serde(flatten)]
    pub health: PushHealth,
}

fn days_left(end: Timestamp, now: Timestamp) -> i64 {
    end.seconds().saturating_sub(now.seconds()).div_euclid(86_400)
}

/// What an administrator should do about the certificate.
fn warning(end: Option<Timestamp>, health: &PushHealth, now: Timestamp) -> Option<String> {
    const RENEW: &str =
        "Renew it at https://identity.apple.com/pushcert with the Apple account that it was made with, and import the new one.";
    let Some(end) = end else {
        return Some("There is no push certificate, so no Apple device is woken. Ask for one, and import it.".into());
    };
    let days = days_left(end, now);
    if now >= end {
        return Some(format!("The push certificate has expired, so no Apple device is woken. {RENEW}"));
    }
    if let Some(trouble) = &health.rejected {
        return Some(format!("Apple does not accept the push certificate ({}), so no Apple device is woken. {RENEW}", trouble.why));
    }
    let is_near = ALARM_DAYS.first().is_some_and(|first| days < *first);
    is_near.then(|| format!("The push certificate ends on {}, in {days} day(s). {RENEW}", end.calendar().date()))
}

/// How the push certificate stands, and what an administrator should know about it.
///
/// # Errors
/// Those of the database.
pub fn state(conn: &mut Conn, now: Timestamp) -> Result<PushCertificateState> {
    let (active, health) = (push_certificates::active(conn)?, push_health::read(conn)?);
    let (end, topic) = (active.as_ref().and_then(|active| active.not_after), active.as_ref().and_then(|active| active.topic.clone()));
    let other = topic.as_deref().map(|topic| enrollments::count_by_topic(conn, topic)).transpose()?.map_or(0, |(_, other)| other);
    Ok(PushCertificateState {
        is_usable: end.is_some_and(|end| now < end),
        warning: warning(end, &health, now),
        topic,
        expires_at: end,
        days_left: end.map(|end| days_left(end, now)),
        imported_by: active.as_ref().and_then(|active| active.imported_by.clone()),
        imported_at: active.and_then(|active| active.imported_at),
        requested_at: push_certificates::last_request(conn)?,
        devices_with_other_topic: other,
        health,
    })
}

impl App {
    /// Where the push certificate stands, and how pushes fare.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn push_certificate(&self) -> Result<PushCertificateState> {
        let now = self.now();
        self.read(move |conn| state(conn, now)).await
    }

    /// Imports a push certificate, for a key that was made here or that comes along. Devices for which something waits are woken.
    ///
    /// * `is_forced`: also where the topic is another one, although devices that are enrolled can no longer be woken then.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be used, [`Error::Conflict`] where enrolled devices would be cut off.
    pub async fn import_push_certificate(self: &Arc<Self>, actor: Actor, pem: &str, is_forced: bool) -> Result<PushCertificateState> {
        let (app, now) = (Arc::clone(self), self.now());
        let read = file::read(pem.as_bytes()).map_err(refused)?;
        if now >= read.not_after {
            return Err(Error::invalid("certificate", format!("has expired on {}", read.not_after.calendar().date())));
        }
        if now.plus_seconds(SKEW_SECONDS) < read.not_before {
            return Err(Error::invalid("certificate", format!("is not valid before {}; is this server's clock right?", read.not_before)));
        }
        let state = self
            .write(move |tx| {
                // Two that are imported at once come one after the other.
                audit::lock(tx)?;
                let before = push_certificates::active(tx)?;
                let lost = check_topic(tx, before.as_ref(), &read.topic, is_forced)?;
                let certificate = app.with_its_key(tx, &read, &actor, now)?;
                push_certificates::activate(tx, &certificate)?;
                push_health::reset(tx, now)?;
                push::enqueue_backlog(tx)?;
                let topic_before = before.and_then(|before| before.topic);
                let detail = json!({
                    "topic": read.topic, "topic_before": topic_before, "expires_at": read.not_after, "forced": is_forced, "devices_lost": lost,
                });
                let (action, subject) = ("push_certificate.import", certificate.id.to_string());
                audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "push_certificate", subject, detail })?;
                state(tx, now)
            })
            .await?;
        self.pusher.begin_anew();
        self.jobs_waiting.notify_one();
        Ok(state)
    }

    /// The row of a certificate: with the key that came along, or with the one that was made for its request.
    fn with_its_key(&self, tx: &mut Tx<'_>, read: &file::PushCertificate, actor: &Actor, now: Timestamp) -> Result<PushCertificate> {
        let key_hash = sha256(&read.certificate.public_key()?.public_key_to_der()?).to_vec();
        let asked = push_certificates::find_by_key(tx, &key_hash)?;
        let row = match (asked, &read.key) {
            (Some(asked), _) => asked,
            (None, Some(key)) => PushCertificate {
                id: PushCertificateId::new(),
                key_hash,
                sealed_key: self.keys.seal(PURPOSE, &key.private_key_to_pkcs8()?)?,
                requested_by: actor.name.clone(),
                requested_at: now,
                certificate: None,
                topic: None,
                not_after: None,
                imported_by: None,
                imported_at: None,
            },
            (None, None) => {
                let why =
                    "belongs to no request that was made here: import the answer to the latest request, or add its private key to the file";
                return Err(Error::invalid("certificate", why));
            }
        };
        Ok(PushCertificate {
            certificate: Some(read.certificate.to_der()?),
            topic: Some(read.topic.clone()),
            not_after: Some(read.not_after),
            imported_by: Some(actor.name.clone()),
            imported_at: Some(now),
            ..row
        })
    }

    /// Raises an alarm when the certificate comes near its end: once at each of 30, 14, 7 and 1 days before, and at the end.
    /// Gives the days of the alarm that was raised.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn watch_push_certificate(&self) -> Result<Option<i64>> {
        let now = self.now();
        let raised = self.read(move |conn| due_alarm(conn, now)).await?;
        let Some((_, days)) = &raised else { return Ok(None) };
        let days = *days;
        let is_first = self
            .write(move |tx| {
                // Another server may have been quicker.
                let Some((alarm, _)) = due_alarm(tx, now)? else { return Ok(false) };
                settings::upsert(tx, ALARM, &alarm, now)?;
                Ok(true)
            })
            .await?;
        if !is_first {
            return Ok(None);
        }
        if days > 0 {
            tracing::warn!(days, "ALARM: the push certificate ends soon; renew it with the Apple account that it was made with");
        } else {
            tracing::error!("ALARM: the push certificate has expired; no Apple device is woken until a new one is imported");
        }
        Ok(Some(days))
    }
}

/// The alarm that should be raised and was not yet: its name, and its days.
fn due_alarm(conn: &mut Conn, now: Timestamp) -> Result<Option<(String, i64)>> {
    let Some(active) = push_certificates::active(conn)? else { return Ok(None) };
    let Some(end) = active.not_after else { return Ok(None) };
    let Some(days) = ALARM_DAYS.into_iter().rev().find(|days| now >= end.plus_days(days.saturating_neg())) else { return Ok(None) };
    let alarm = format!("{} {end} {days}", active.id);
    let last: Option<String> = settings::find(conn, ALARM)?;
    Ok((last.as_ref() != Some(&alarm)).then_some((alarm, days)))
}

/// Refuses another topic while devices are enrolled under the one before; gives how many lose it where that is forced.
fn check_topic(tx: &mut Tx<'_>, before: Option<&PushCertificate>, topic: &str, is_forced: bool) -> Result<i64> {
    let Some(old) = before.and_then(|before| before.topic.as_deref()).filter(|old| *old != topic) else { return Ok(0) };
    let (devices, _) = enrollments::count_by_topic(tx, old)?;
    if devices > 0 && !is_forced {
        return Err(Error::Conflict(format!(
            "the certificate is for another topic ({topic} instead of {old}): {devices} enrolled device(s) could not be woken any more and \
             would have to enroll anew. Renew the certificate with the Apple account that the present one was made with, or force the import"
        )));
    }
    Ok(devices)
}

fn refused(error: NotAPushCertificate) -> Error {
    Error::invalid("certificate", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::push_health::Trouble;

    #[test]
    fn a_warning_says_what_is_worst() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let well = PushHealth::default();
        let ill = PushHealth { rejected: Some(Trouble { at: now, why: "403 BadCertificate".into() }), ..PushHealth::default() };
        let of = |days: i64, health| warning(Some(now.plus_days(days)), health, now).unwrap_or_default();
        assert!(warning(None, &well, now).unwrap().contains("There is no push certificate"));
        assert_eq!(of(365, &well), "");
        assert_eq!(of(30, &well), "");
        assert!(of(29, &well).contains("29 day(s)"));
        assert!(of(0, &ill).contains("expired"));
        assert!(of(365, &ill).contains("BadCertificate"));
    }

    #[test]
    fn days_are_counted_down_and_past_the_end() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let left: Vec<i64> = [86_400, 86_399, 0, -1].into_iter().map(|seconds| days_left(now.plus_seconds(seconds), now)).collect();
        assert_eq!(left, [1, 0, 0, -1]);
    }
}

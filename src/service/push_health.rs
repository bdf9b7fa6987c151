//! How pushes fare: what an administrator has to know of them. Kept in the database, because any of several servers may find out.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Result};
use crate::{
    domain::time::Timestamp,
    store::{self, Conn, Tx, settings},
};

const KEY: &str = "push_health";
/// The same thing is written down once in so many seconds.
const REPEATED_SECONDS: i64 = 60;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trouble {
    /// When it was last seen.
    pub at: Timestamp,
    /// What, in the words of Apple or of the network.
    pub why: String,
}

/// How pushes fare.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PushHealth {
    /// Apple does not accept the certificate, or it has expired: no device is woken until another one is imported. Gone with the
    /// next push that works.
    pub rejected: Option<Trouble>,
    /// What went wrong last, if anything did since the certificate was imported.
    pub last_error: Option<Trouble>,
    /// When a push was last known to work, to the minute.
    pub last_delivered_at: Option<Timestamp>,
}

/// What this server wrote down last, so that it does not write the same at every push.
#[derive(Default)]
pub(super) struct Noted {
    at: Timestamp,
    what: Option<What>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Delivered,
    Trouble(String),
    Rejected(String),
}

/// How pushes fare.
///
/// # Errors
/// Those of the database.
pub(super) fn read(conn: &mut Conn) -> std::result::Result<PushHealth, store::Error> {
    Ok(settings::find(conn, KEY)?.unwrap_or_default())
}

/// Forgets the troubles of an earlier certificate.
pub(super) fn reset(tx: &mut Tx<'_>, now: Timestamp) -> Result<()> {
    let health = PushHealth { last_delivered_at: read(tx)?.last_delivered_at, ..PushHealth::default() };
    Ok(settings::upsert(tx, KEY, &health, now)?)
}

impl App {
    pub(super) async fn note_delivered(&self) -> Result<()> {
        self.note(What::Delivered).await
    }

    pub(super) async fn note_trouble(&self, why: String) -> Result<()> {
        self.note(What::Trouble(why)).await
    }

    pub(super) async fn note_rejected(&self, why: String) -> Result<()> {
        self.note(What::Rejected(why)).await
    }

    async fn note(&self, what: What) -> Result<()> {
        let now = self.now();
        if !self.is_news(&what, now) {
            return Ok(());
        }
        match &what {
            What::Delivered => {}
            What::Trouble(why) => tracing::warn!(why, "a push did not go out"),
            What::Rejected(why) => {
                tracing::error!(why, "ALARM: the push certificate is not accepted; no device is woken until a valid one is imported");
            }
        }
        self.write(move |tx| {
            let mut health = read(tx)?;
            match what {
                What::Delivered => (health.rejected, health.last_delivered_at) = (None, Some(now)),
                What::Trouble(why) => health.last_error = Some(Trouble { at: now, why }),
                What::Rejected(why) => {
                    let trouble = Trouble { at: now, why };
                    (health.rejected, health.last_error) = (Some(trouble.clone()), Some(trouble));
                }
            }
            Ok(settings::upsert(tx, KEY, &health, now)?)
        })
        .await
    }

    fn is_news(&self, what: &What, now: Timestamp) -> bool {
        let mut noted = self.pusher.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.what.as_ref() == Some(what) && now < noted.at.plus_seconds(REPEATED_SECONDS) {
            return false;
        }
        (noted.what, noted.at) = (Some(what.clone()), now);
        true
    }
}

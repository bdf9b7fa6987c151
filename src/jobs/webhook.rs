//! The job that tells a target of its events.

use std::sync::Arc;

use super::Outcome;
use crate::{
    service::{
        App,
        deliver::{Errand, Turn},
    },
    store::jobs::Job,
};

/// Sends what waits for the target, in its order.
pub(super) async fn deliver(app: &Arc<App>, job: &Job) -> anyhow::Result<Outcome> {
    let errand: Errand = serde_json::from_str(&job.payload)?;
    Ok(match app.deliver(errand).await? {
        Turn::Over => Outcome::Done,
        Turn::Later { seconds, why } => Outcome::Later { seconds, why },
    })
}

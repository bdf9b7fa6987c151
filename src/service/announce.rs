//! Announces an event to the targets that want it: written in the transaction of what it tells of, sent afterwards by a job.

use serde_json::{Value, json};

use super::{
    App, Result,
    deliver::{self, Errand},
};
use crate::{
    domain::{
        command::Purpose,
        id::{DeliveryId, DeviceId, WebhookId},
        time::Timestamp,
        webhook::{DeliveryState, EventKind},
    },
    store::{
        Tx,
        commands::QueuedCommand,
        deliveries::{self, Delivery},
        devices::{self, Device},
        users, webhooks,
    },
};

impl App {
    /// Announces what happened to a device.
    ///
    /// * `more`: an object; what there is to say beside the device and its user.
    ///
    /// Where nobody wants to know it is one query on a table that is empty.
    pub(super) fn announce(&self, tx: &mut Tx<'_>, event: EventKind, device: &Device, more: Value) -> Result<()> {
        let targets = webhooks::wanting(tx, event)?;
        if targets.is_empty() {
            return Ok(());
        }
        let user = users::find(tx, device.user_id)?.map(|user| json!({ "id": user.id, "email": user.email }));
        let mut data = more;
        if let Some(data) = data.as_object_mut() {
            data.insert("device".into(), describe(device));
            data.insert("user".into(), json!(user));
        }
        for (target, is_paused) in targets {
            let delivery = write(tx, target, event, &data, self.now())?;
            if !is_paused {
                deliver::enqueue(tx, Errand { webhook: target, delivery: Some(delivery.id) })?;
            }
        }
        Ok(())
    }

    /// Announces that the command which completes a wipe was handed to the device.
    pub(super) fn announce_sent(&self, tx: &mut Tx<'_>, device: DeviceId, command: &QueuedCommand) -> Result<()> {
        let scope = match command.purpose {
            Purpose::FullWipe => "full",
            Purpose::SelectiveWipeEnd => "selective",
            _ => return Ok(()),
        };
        match devices::find(tx, device)? {
            Some(device) => self.announce(tx, EventKind::WipeSent, &device, json!({ "command": command.id, "scope": scope })),
            None => Ok(()),
        }
    }
}

/// Writes down an event for a target.
pub(super) fn write(tx: &mut Tx<'_>, webhook: WebhookId, event: EventKind, data: &Value, now: Timestamp) -> Result<Delivery> {
    let id = DeliveryId::new();
    let body = json!({ "id": id, "type": event, "at": now, "data": data }).to_string();
    let delivery = Delivery {
        id,
        webhook_id: webhook,
        event: event.as_str().into(),
        body,
        state: DeliveryState::Queued,
        attempts: 0,
        created_at: now,
        next_attempt_at: now,
        delivered_at: None,
        last_status: None,
        last_error: None,
    };
    deliveries::insert(tx, &delivery)?;
    Ok(delivery)
}

/// A device as events show it, in the words of the API.
fn describe(device: &Device) -> Value {
    json!({
        "id": device.id,
        "platform": device.platform,
        "os_version": device.os_version,
        "model": device.model,
        "product": device.product_name,
        "serial": device.serial,
        "ownership": device.ownership,
        "enrollment": device.state,
        "generation": device.generation,
        "compliance": device.compliance,
        "access": device.access,
    })
}

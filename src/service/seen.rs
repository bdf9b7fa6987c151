//! When devices were last seen, gathered in memory and written behind: a poll with nothing to do writes nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{id::DeviceId, time::Timestamp};

/// Devices that were seen since the last time this was written.
#[derive(Default)]
pub struct Seen(Mutex<HashMap<DeviceId, Timestamp>>);

impl Seen {
    /// Notes that a device was seen.
    pub fn note(&self, device: DeviceId, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(device, at);
    }

    /// Takes everything that was noted.
    #[must_use]
    pub fn take(&self) -> Vec<(DeviceId, Timestamp)> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen: Vec<_> = map.drain().collect();
        // The same order everywhere, so that two servers never wait for each other's rows.
        seen.sort_unstable_by_key(|(device, _)| *device);
        seen
    }

    /// Puts back what could not be written, unless something newer was noted meanwhile.
    pub fn put_back(&self, seen: Vec<(DeviceId, Timestamp)>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (device, at) in seen {
            map.entry(device).or_insert(at);
        }
    }
}

//! What one server remembers for the gate: by certificate or cookie, to be forgotten by device.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use lru::LruCache;

use super::standing::Standing;
use crate::{
    domain::{access::AccessRules, id::DeviceId},
    service::signers::Fingerprint,
    store::gate::Changed,
};

/// Most certificates and cookies that are remembered.
const REMEMBERED: usize = 200_000;

/// What the organization decides for everybody.
#[derive(Debug, Default)]
pub struct Ground {
    /// The access rules.
    pub rules: AccessRules,
    /// The hosts that enrolled browsers are led to; none while browsers are not enrolled.
    pub hosts: Vec<String>,
}

/// What is remembered.
pub struct Memory {
    standings: LruCache<Fingerprint, Arc<Standing>>,
    by_device: HashMap<DeviceId, Vec<Fingerprint>>,
    ground: Option<Arc<Ground>>,
    /// Grows with every change that was heard of. What was read before a change is not remembered after it.
    era: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self::of_size(REMEMBERED)
    }
}

impl Memory {
    fn of_size(size: usize) -> Self {
        let size = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        // Its memory grows as it fills.
        let mut standings = LruCache::unbounded();
        standings.resize(size);
        Self { standings, by_device: HashMap::new(), ground: None, era: 0 }
    }

    /// What is remembered of a certificate or a cookie.
    pub fn get(&mut self, print: &Fingerprint) -> Option<Arc<Standing>> {
        self.standings.get(print).cloned()
    }

    /// What is remembered of what the organization decides.
    pub fn ground(&self) -> Option<Arc<Ground>> {
        self.ground.clone()
    }

    /// How many changes were heard of so far; to be asked before something is read.
    pub const fn era(&self) -> u64 {
        self.era
    }

    /// Remembers what was read in this era, unless something has changed since.
    pub fn put(&mut self, print: Fingerprint, standing: &Arc<Standing>, era: u64) {
        if era != self.era {
            return;
        }
        if let Some((old, evicted)) = self.standings.push(print, Arc::clone(standing)) {
            self.unlink(&evicted, &old);
        }
        if let Some(device) = standing.holder.device {
            self.by_device.entry(device).or_default().push(print);
        }
    }

    /// Remembers what the organization decides, unless something has changed since.
    pub fn put_ground(&mut self, ground: &Arc<Ground>, era: u64) {
        if era == self.era {
            self.ground = Some(Arc::clone(ground));
        }
    }

    fn unlink(&mut self, standing: &Standing, print: &Fingerprint) {
        let Some(device) = standing.holder.device else { return };
        if let Some(prints) = self.by_device.get_mut(&device) {
            prints.retain(|other| other != print);
            if prints.is_empty() {
                self.by_device.remove(&device);
            }
        }
    }

    /// Forgets what has changed.
    pub fn forget(&mut self, changes: impl IntoIterator<Item = Changed>) {
        for change in changes {
            self.era = self.era.wrapping_add(1);
            match change {
                Changed::Device(device) => {
                    for print in self.by_device.remove(&device).unwrap_or_default() {
                        self.standings.pop(&print);
                    }
                }
                Changed::Everything => self.forget_everything(),
            }
        }
    }

    /// Forgets everything.
    pub fn forget_everything(&mut self) {
        self.era = self.era.wrapping_add(1);
        self.standings.clear();
        self.by_device.clear();
        self.ground = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(number: u8) -> Fingerprint {
        [number; 32]
    }

    #[test]
    fn what_changed_is_forgotten_and_nothing_else() {
        let mut memory = Memory::of_size(10);
        let (one, two) = (Arc::new(Standing::sample()), Arc::new(Standing::sample()));
        memory.put(print(1), &one, 0);
        memory.put(print(2), &one, 0);
        memory.put(print(3), &two, 0);
        memory.forget([Changed::Device(one.holder.device.unwrap())]);
        assert!(memory.get(&print(1)).is_none() && memory.get(&print(2)).is_none() && memory.get(&print(3)).is_some());
        memory.put_ground(&Arc::default(), 1);
        memory.forget([Changed::Everything]);
        assert!(memory.get(&print(3)).is_none() && memory.ground().is_none() && memory.by_device.is_empty());
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let mut memory = Memory::of_size(10);
        let era = memory.era();
        let standing = Arc::new(Standing::sample());
        memory.forget([Changed::Device(DeviceId::new())]);
        memory.put(print(1), &standing, era);
        memory.put_ground(&Arc::default(), era);
        assert!(memory.get(&print(1)).is_none() && memory.ground().is_none());
    }

    #[test]
    fn there_is_no_more_remembered_than_there_is_room_for() {
        let mut memory = Memory::of_size(3);
        for number in 0..10 {
            memory.put(print(number), &Arc::new(Standing::sample()), 0);
        }
        assert_eq!((memory.standings.len(), memory.by_device.len()), (3, 3));
    }
}

//! The people whom the devices of a fleet belong to: each enrolls one device after the other, and follows each invitation once.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::Url;
use tokio::sync::Mutex as Turn;

use crate::simulator::{mailbox::Mailbox, portal::Owner, transport::Browser};

/// Those whom a fleet belongs to.
pub(super) struct People {
    mailbox: Mailbox,
    portal: Url,
    /// Codes of one mailbox are told apart by time only, so one person enrolls one device after the other.
    turns: Mutex<HashMap<String, Arc<Turn<()>>>>,
    followed: Mutex<HashSet<Url>>,
}

impl People {
    pub(super) fn new(mailbox: Mailbox, portal: Url) -> Self {
        Self { mailbox, portal, turns: Mutex::default(), followed: Mutex::default() }
    }

    /// Whoever holds it enrolls a device of this person.
    pub(super) fn turn(&self, address: &str) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(address.to_lowercase()).or_default())
    }

    /// The person at a browser.
    pub(super) fn owner(&self, browser: Browser, address: &str, ownership: Option<String>, method: Option<String>) -> Owner {
        Owner { browser, mailbox: self.mailbox.clone(), address: address.to_owned(), ownership, method }
    }

    /// The invitation, if there is one that no device of this fleet followed yet; else the front page.
    pub(super) fn start(&self, address: &str) -> Url {
        let invitation = self.mailbox.invitation(address, &self.portal);
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        invitation.filter(|link| followed.insert(link.clone())).unwrap_or_else(|| self.portal.clone())
    }
}

//! A device as management sees it: its passcode, its profiles, its tokens. How it answers commands is in `obey`.

use std::collections::HashMap;

use openssl::{rand::rand_bytes, x509::X509};
use plist::{Dictionary, Value};

use crate::simulator::{
    account::MailAccount,
    error::{Result, crypto},
    model::Model,
    passcode::Passcode,
    profile::{Mdm, Profile, Scep},
    refusal::Refusal,
};

/// A simulated device.
#[derive(Debug)]
pub struct Device {
    model: Model,
    pub(super) passcode: Passcode,
    pub(super) defers: bool,
    pub(super) deferred: HashMap<String, u64>,
    pub(super) session: u64,
    pub(super) profiles: Vec<Installed>,
    pub(super) management: Option<Management>,
    pub(super) settings: Dictionary,
    pub(super) anchors: Vec<X509>,
    push_token: Vec<u8>,
    pub(super) unlock_token: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Installed {
    pub(super) profile: Profile,
    pub(super) managed: bool,
}

#[derive(Debug)]
pub(super) struct Management {
    pub(super) identifier: String,
    mdm: Mdm,
    pub(super) identity: X509,
}

impl Device {
    /// A device that nobody manages. One that `defers` answers `NotNow` once to every command for which iOS may.
    pub fn new(model: Model, passcode: Passcode, defers: bool) -> Result<Self> {
        let (mut push_token, mut unlock_token) = (vec![0; 32], vec![0; 64]);
        rand_bytes(&mut push_token).and_then(|()| rand_bytes(&mut unlock_token)).map_err(crypto("make the device's tokens"))?;
        Ok(Self {
            model,
            passcode,
            defers,
            deferred: HashMap::new(),
            session: 0,
            profiles: Vec::new(),
            management: None,
            settings: Dictionary::new(),
            anchors: Vec::new(),
            push_token,
            unlock_token,
        })
    }

    /// Puts the device under management: the enrollment profile is installed, its certificates trusted.
    pub fn enroll(&mut self, profile: Profile, mdm: Mdm, identity: X509, anchors: Vec<X509>) {
        self.management = Some(Management { identifier: profile.identifier.clone(), mdm, identity });
        self.anchors = anchors;
        self.profiles = vec![Installed { profile, managed: true }];
    }

    /// Uses another certificate for the same identity, after a renewal.
    pub fn renewed(&mut self, identity: X509) {
        if let Some(management) = &mut self.management {
            management.identity = identity;
        }
    }

    /// Forgets management, and all that came with it.
    pub fn release(&mut self) {
        self.management = None;
        self.profiles.clear();
        self.settings = Dictionary::new();
    }

    /// A session with the server begins; what was put off in an earlier one is obeyed now.
    pub fn begin_session(&mut self) {
        self.session += 1;
    }

    /// What the device is made of.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What the owner calls the device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.model.device_name
    }

    /// The present passcode.
    #[must_use]
    pub fn passcode(&self) -> Passcode {
        self.passcode
    }

    /// The owner chooses another passcode.
    pub fn set_passcode(&mut self, passcode: Passcode) {
        self.passcode = passcode;
    }

    /// Whether the passcode satisfies every policy that is installed. Without any, every passcode does, even none.
    #[must_use]
    pub fn is_compliant(&self) -> bool {
        let mut policies = self.profiles.iter().flat_map(|installed| installed.profile.of_kind("com.apple.mobiledevice.passwordpolicy"));
        policies.all(|policy| self.passcode.satisfies(&policy.body))
    }

    /// The rights that the enrollment profile grants.
    #[must_use]
    pub fn rights(&self) -> u64 {
        self.management.as_ref().map_or(0, |management| management.mdm.access_rights)
    }

    /// Identifiers of the installed profiles.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        self.profiles.iter().map(|installed| installed.profile.identifier.as_str()).collect()
    }

    /// The mail accounts that management has installed, with their passwords: what the mail app knows.
    #[must_use]
    pub fn mail_accounts(&self) -> Vec<MailAccount> {
        self.profiles.iter().flat_map(|installed| installed.profile.payloads.iter().filter_map(MailAccount::read)).collect()
    }

    /// The SCEP payload of the enrollment profile as it was last installed.
    pub fn identity_payload(&self) -> Result<Option<Scep>> {
        for installed in &self.profiles {
            if let Some(mdm) = installed.profile.mdm()? {
                return installed.profile.scep(Some(&mdm.identity_uuid));
            }
        }
        Ok(None)
    }

    /// A setting that management made, by the name of its query.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.get(name)
    }

    /// The device's token at the push service.
    #[must_use]
    pub fn push_token(&self) -> &[u8] {
        &self.push_token
    }

    /// With this the passcode can be cleared.
    #[must_use]
    pub fn unlock_token(&self) -> &[u8] {
        &self.unlock_token
    }
}

impl Management {
    /// A new enrollment profile may take rights away, never add any, nor lead elsewhere.
    pub(super) fn replace(&mut self, identifier: &str, new: Mdm) -> std::result::Result<(), Refusal> {
        let old = &self.mdm;
        if identifier != self.identifier {
            return Err(Refusal::AlreadyManaged);
        }
        let same = (&old.topic, &old.server_url, &old.check_in_url) == (&new.topic, &new.server_url, &new.check_in_url);
        if !same || new.access_rights & !old.access_rights != 0 {
            return Err(Refusal::ReplacementMismatch);
        }
        self.mdm = new;
        Ok(())
    }
}

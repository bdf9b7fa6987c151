//! Debian's Dovecot with the configuration of the documentation, in which only paths, ports and users are replaced.

use std::{
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::imap::Imap;
use crate::harness::{certificates::Company, folder::TempFolder, process::free_port};

/// Whoever may run Dovecot without any right: anybody but root.
const NOBODY: u32 = 65_534;
/// The key for doveadm.
pub const API_KEY: &str = "a key of the tests";

/// A Dovecot; stopped when this is dropped.
pub struct Dovecot {
    folder: TempFolder,
    imap: u16,
    doveadm: u16,
    process: Option<Child>,
}

/// What the documentation says, up to the values that every installation has of its own.
fn documented() -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gate/dovecot.md")).unwrap();
    let (_, rest) = text.split_once("```conf\n").expect("the document has a configuration");
    rest.split_once("```").unwrap().0.to_owned()
}

impl Dovecot {
    /// A Dovecot that is not running yet; its ports are known.
    pub fn prepare() -> Self {
        Self { folder: TempFolder::new("dovecot"), imap: free_port(), doveadm: free_port(), process: None }
    }

    /// Starts it.
    ///
    /// * `server`: where Enlist is.
    /// * `keys`: what Enlist showed when the keys were made.
    /// * `more`: changes of single settings, as the document speaks of them.
    pub fn start(&mut self, server: &str, keys: &str, more: &[(&str, &str)]) {
        let mut text = documented();
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "the document does not say {from:?}");
            text = text.replace(from, to);
        };
        let folder = self.folder.path().display().to_string();
        let issued = Company::new().issue("localhost");
        self.write("chain.pem", &issued.certificate.to_pem().unwrap());
        self.write("key.pem", &issued.key.private_key_to_pem_pkcs8().unwrap());
        self.write("keys.conf", keys.as_bytes());
        replace("/etc/dovecot/tls/", &format!("{folder}/"));
        replace("/etc/dovecot/enlist-keys.conf", &format!("{folder}/keys.conf"));
        replace("/var/vmail/", &format!("{folder}/mail/"));
        replace("https://enlist.example.com", server);
        replace("10.0.0.5", "127.0.0.1");
        replace("port = 8080", &format!("port = {}", self.doveadm));
        replace("choose-a-long-random-value", API_KEY);
        let (user, group) = owner();
        replace("uid=vmail gid=vmail", &format!("uid={user} gid={group}"));
        for (from, to) in more {
            replace(from, to);
        }
        text.push_str(&self.surroundings(&user, &group));
        self.write("dovecot.conf", text.as_bytes());
        Self::give_away(self.folder.path());
        self.run();
    }

    /// What a process without rights needs, on ports of its own. Wrong passwords do not slow down what follows.
    fn surroundings(&self, user: &str, group: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/log\n\
             default_internal_user = {user}\ndefault_internal_group = {group}\ndefault_login_user = {user}\n\
             first_valid_uid = 1\nauth_failure_delay = 0\nlisten = 127.0.0.1\n\
             service anvil {{\n  chroot =\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n\
             service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = 0\n  }}\n  inet_listener imaps {{\n    port = {}\n    ssl = yes\n  }}\n}}\n",
            self.imap
        )
    }

    fn run(&mut self) {
        let mut command = Command::new("dovecot");
        command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").arg("-F").arg("-c").arg(self.folder.path().join("dovecot.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(self.folder.path().join("stderr")).unwrap());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.process = Some(command.spawn().expect("dovecot is installed: scripts/test sees to it"));
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.imap)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "Dovecot does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where doveadm is.
    pub fn doveadm_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.doveadm)
    }

    /// The port of IMAP.
    pub fn port(&self) -> u16 {
        self.imap
    }

    /// Signs in.
    ///
    /// # Errors
    /// What Dovecot answered, where that was no.
    pub async fn sign_in(&self, user: &str, password: &str) -> Result<Imap, String> {
        let (port, user, password) = (self.imap, user.to_owned(), password.to_owned());
        tokio::task::spawn_blocking(move || Imap::sign_in(port, &user, &password)).await.unwrap()
    }

    /// Puts a mail into somebody's mailbox.
    pub fn deliver(&self, local: &str, domain: &str, text: &str) {
        let mailbox = self.folder.path().join("mail").join(domain).join(local);
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(mailbox.join(part)).unwrap();
        }
        std::fs::write(mailbox.join("new/1.test"), text).unwrap();
        Self::give_away(&self.folder.path().join("mail"));
    }

    /// What Dovecot wrote, for whoever has to find out why a test failed.
    pub fn log(&self) -> String {
        ["log", "stderr"].map(|name| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()).concat()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    /// Everything there belongs to whoever runs Dovecot.
    fn give_away(path: &Path) {
        if !is_root() {
            return;
        }
        let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            if path.is_dir() {
                waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // SIGTERM, so that its other processes go as well.
            drop(Command::new("kill").args(["-TERM", &process.id().to_string()]).status());
            drop(process.wait());
        }
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// User and group that Dovecot runs as.
fn owner() -> (String, String) {
    if is_root() {
        return ("nobody".into(), "nogroup".into());
    }
    let ask = |flag: &str| {
        let output = Command::new("id").arg(flag).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    (ask("-un"), ask("-gn"))
}

//! The owner's mailbox, played by a folder of `.eml` files: finds the invitation and waits for the code.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use reqwest::Url;

use crate::simulator::{
    error::{Error, Result},
    mail::Mail,
};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longer mails are not read, in bytes.
const MAIL_LIMIT: u64 = 1024 * 1024;

/// A folder into which a server writes its mails. Clones share what was read, so that a fleet reads each mail once.
#[derive(Debug, Clone)]
pub struct Mailbox {
    folder: PathBuf,
    patience: Duration,
    known: Arc<Mutex<Known>>,
}

/// Mails as they were read, with the time of writing: one that was still being written is read again.
type Known = HashMap<PathBuf, (SystemTime, Arc<Mail>)>;

/// The mails that were there at some moment; what is not among them is new.
#[derive(Debug, Clone, Default)]
pub struct Seen(HashSet<PathBuf>);

impl Mailbox {
    /// A mailbox over this folder, which waits that long for a mail that should come.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, patience: Duration) -> Self {
        Self { folder: folder.into(), patience, known: Arc::default() }
    }

    /// What is in the folder now. Take it before asking for a code: only newer mails count then.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen(self.files().into_iter().map(|(_, path)| path).collect())
    }

    /// The address in the newest invitation to this address, as far as it leads to this portal.
    #[must_use]
    pub fn invitation(&self, address: &str, portal: &Url) -> Option<Url> {
        self.mails(address, &Seen::default()).find_map(|(_, mail)| mail.link(portal, "enroll"))
    }

    /// Waits for a mail to this address that is not among `seen` and carries an eight-digit code. The mail is
    /// added to `seen`, so that the same code is never tried twice.
    pub async fn code(&self, address: &str, seen: &mut Seen) -> Result<String> {
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            let found = self.mails(address, seen).find_map(|(path, mail)| mail.code().map(|code| (path, code)));
            if let Some((path, code)) = found {
                seen.0.insert(path);
                return Ok(code);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Error::Mail {
                    what: "code",
                    address: address.to_owned(),
                    outbox: self.folder.clone(),
                    seconds: self.patience.as_secs(),
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The mails to this address that are not among `seen`, newest first.
    fn mails<'a>(&'a self, address: &'a str, seen: &'a Seen) -> impl Iterator<Item = (PathBuf, Arc<Mail>)> + 'a {
        let files = self.files().into_iter().filter(|(_, path)| !seen.0.contains(path));
        files.filter_map(move |(written, path)| {
            let mail = self.mail(written, &path)?;
            mail.is_for(address).then_some((path, mail))
        })
    }

    fn mail(&self, written: SystemTime, path: &Path) -> Option<Arc<Mail>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, mail)) = known.get(path).filter(|(then, _)| *then == written) {
            return Some(Arc::clone(mail));
        }
        let mail = Arc::new(Mail::parse(&read(path)?));
        known.insert(path.to_owned(), (written, Arc::clone(&mail)));
        Some(mail)
    }

    /// Every `.eml` with its time of writing, newest first; of equal times the later name first.
    fn files(&self) -> Vec<(SystemTime, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut files: Vec<_> = entries
            .filter_map(std::result::Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .filter_map(|path| Some((fs::metadata(&path).and_then(|meta| meta.modified()).ok()?, path)))
            .collect();
        files.sort();
        files.reverse();
        files
    }
}

/// A file that is too long, or gone again, is no mail.
fn read(path: &Path) -> Option<Vec<u8>> {
    let fits = fs::metadata(path).ok()?.len() <= MAIL_LIMIT;
    fits.then(|| fs::read(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("enlist-mailbox-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn write(folder: &Path, name: &str, to: &str, text: &str) {
        fs::write(folder.join(name), format!("To: {to}\r\nSubject: x\r\n\r\n{text}\r\n")).unwrap();
    }

    #[tokio::test]
    async fn only_a_newer_mail_to_the_same_person_has_the_code() {
        let folder = folder();
        let mailbox = Mailbox::new(&folder, Duration::from_millis(150));
        write(&folder, "1.eml", "ann@example.com", "code 11111111");
        let mut seen = mailbox.seen();
        write(&folder, "2.eml", "bob@example.com", "code 22222222");
        assert!(matches!(mailbox.code("ann@example.com", &mut seen).await, Err(Error::Mail { .. })));
        write(&folder, "3.eml", "Ann <ANN@example.com>", "code 33333333");
        assert_eq!(mailbox.code("ann@example.com", &mut seen).await.unwrap(), "33333333");
        assert!(mailbox.code("ann@example.com", &mut seen).await.is_err(), "a code is used once");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_invitation_to_another_portal_is_not_followed() {
        let folder = folder();
        let mailbox = Mailbox::new(&folder, Duration::ZERO);
        let portal = Url::parse("https://mdm.example.com/").unwrap();
        write(&folder, "1.eml", "ann@example.com", "see https://evil.example/enroll/abc");
        assert!(mailbox.invitation("ann@example.com", &portal).is_none());
        write(&folder, "2.eml", "ann@example.com", "see <https://mdm.example.com/enroll/abc>.");
        let found = mailbox.invitation("ann@example.com", &portal).unwrap();
        assert_eq!(found.as_str(), "https://mdm.example.com/enroll/abc");
        fs::remove_dir_all(folder).unwrap();
    }
}

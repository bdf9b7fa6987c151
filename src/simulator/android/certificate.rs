//! An Android device that only has a certificate: its owner walks through the portal, installs the file, and shows the certificate
//! where one is asked for. Nothing on it obeys anything.

use openssl::{
    pkcs12::Pkcs12,
    pkey::{PKey, Private},
    x509::X509,
};
use reqwest::Url;

use crate::simulator::{
    error::{Result, crypto, protocol},
    page::{Form, Page},
    portal::{Owner, lost},
    transport::{Answer, Got, Trust, Wire},
};

/// After so many pages a person gives up.
const PATIENCE: usize = 16;

/// What the owner chooses on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    /// The form that every Android reads.
    Legacy,
    /// The newer one.
    Modern,
}

/// A file with its password, as the portal gave them.
#[derive(Debug, Clone)]
pub struct Download {
    /// The PKCS#12 file.
    pub file: Vec<u8>,
    /// What was shown on the page.
    pub password: String,
    /// The page from which it came.
    pub page: Page,
}

/// The device once the file was installed.
#[derive(Debug, Clone)]
pub struct CertificateDevice {
    /// The key.
    pub key: PKey<Private>,
    /// The certificate.
    pub certificate: X509,
    /// The certificates above it.
    pub chain: Vec<X509>,
    wire: Wire,
}

/// Walks through the portal from this address to the file.
pub async fn download(owner: &Owner, start: Url, form: FileForm) -> Result<Download> {
    let mut seen = owner.mailbox.seen();
    let mut got = owner.browser.open(start).await?;
    let mut last: Option<Page> = None;
    for _ in 0..PATIENCE {
        let Got::Page(page) = got else { break };
        if let Some(password) = page.text_marked("password").map(str::to_owned) {
            let wanted = marked(&page, "certificate").ok_or_else(|| lost(&page, "there is a password and no file".to_owned()))?;
            return match owner.browser.submit(&page, &wanted).await? {
                Got::Certificate(file) => Ok(Download { file, password, page }),
                Got::Page(page) => Err(lost(&page, "the file was not given out".to_owned())),
                Got::Profile(_) => Err(protocol("download a certificate", "it is a configuration profile")),
            };
        }
        got = match (marked(&page, "method"), marked(&page, "activate")) {
            (Some(mut method), _) => {
                if !method.choose("method", "certificate") {
                    return Err(lost(&page, "a certificate is not offered".to_owned()));
                }
                owner.browser.submit(&page, &method).await?
            }
            (None, Some(mut activate)) => {
                activate.choose("profile", if form == FileForm::Modern { "modern" } else { "legacy" });
                owner.browser.submit(&page, &activate).await?
            }
            (None, None) => owner.turn(&page, &mut seen).await?,
        };
        last = Some(page);
    }
    match last {
        Some(page) => Err(lost(&page, format!("no certificate after {PATIENCE} pages"))),
        None => Err(protocol("open the portal", "the address leads to a file without any question")),
    }
}

fn marked(page: &Page, mark: &str) -> Option<Form> {
    page.forms.iter().find(|form| form.mark.as_deref() == Some(mark)).cloned()
}

impl CertificateDevice {
    /// Installs the file, as the Settings of the device do.
    pub fn install(file: &[u8], password: &str, trust: &Trust) -> Result<Self> {
        let doing = "open the certificate's file";
        let parsed = Pkcs12::from_der(file).and_then(|file| file.parse2(password)).map_err(crypto(doing))?;
        let (Some(key), Some(certificate)) = (parsed.pkey, parsed.cert) else {
            return Err(protocol(doing, "it holds no certificate with its key"));
        };
        let chain: Vec<X509> = parsed.ca.into_iter().flatten().collect();
        let pem = certificate.to_pem().map_err(crypto(doing))?;
        let key_pem = key.private_key_to_pem_pkcs8().map_err(crypto(doing))?;
        Ok(Self { wire: Wire::with_identity(trust, &pem, &key_pem)?, key, certificate, chain })
    }

    /// Whether the server still knows whose certificate this is, as it says at this address.
    ///
    /// # Errors
    /// It says neither.
    pub async fn is_known(&self, identity: Url) -> Result<bool> {
        let answer = self.visit(identity).await?;
        if answer.status == 403 {
            return Ok(false);
        }
        answer.ok("show the certificate").map(|_| true)
    }

    /// Opens an address on the port where a certificate is asked for.
    pub async fn visit(&self, url: Url) -> Result<Answer> {
        self.wire.get(url).await
    }
}

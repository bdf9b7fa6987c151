//! HTTP as the two halves of a phone speak it: the browser of its owner (cookies, redirects) and the device's own
//! management client (neither).

use std::{fs, path::PathBuf, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Identity, RequestBuilder, Response, Url, header};

use crate::simulator::{
    error::{Error, Result, protocol},
    page::{Form, Page},
};

/// Longer answers are not read, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(60);
/// For an answer that the server may hold back for a minute.
const LONG_TIMEOUT: Duration = Duration::from_secs(90);
/// How much of a refusal is quoted, in characters.
const QUOTED: usize = 300;
/// The media type of a configuration profile.
pub const PROFILE_TYPE: &str = "application/x-apple-aspen-config";
/// The media type of a certificate with its key.
pub const PKCS12_TYPE: &str = "application/x-pkcs12";

/// Whom a device believes when it makes a TLS connection.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// What the system trusts.
    #[default]
    System,
    /// What the system trusts, and the certificates of this PEM file.
    File(PathBuf),
    /// Anybody: for tests on one machine only.
    Anybody,
}

impl Trust {
    pub(super) fn apply(&self, builder: ClientBuilder) -> Result<ClientBuilder> {
        match self {
            Self::System => Ok(builder),
            Self::Anybody => Ok(builder.tls_danger_accept_invalid_certs(true)),
            Self::File(path) => {
                let doing = "read the trusted certificates in";
                let pem = fs::read(path).map_err(|source| Error::File { doing, path: path.clone(), source })?;
                let roots = Certificate::from_pem_bundle(&pem)
                    .map_err(|source| Error::Network { doing: format!("{doing} {}", path.display()), source })?;
                Ok(builder.tls_certs_merge(roots))
            }
        }
    }
}

fn network(doing: impl Into<String>) -> impl FnOnce(reqwest::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Network { doing, source }
}

/// Reads a body up to the limit.
async fn body(mut response: Response, doing: &str) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(network(doing))? {
        read.extend_from_slice(&chunk);
        if read.len() > BODY_LIMIT {
            return Err(protocol("read an answer", format!("{doing}: longer than {BODY_LIMIT} bytes")));
        }
    }
    Ok(read)
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// The `Content-Type` header, empty where it is missing.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body of a successful answer; any other status is an error that quotes it.
    pub fn ok(self, doing: &str) -> Result<Vec<u8>> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let body = String::from_utf8_lossy(&self.body).chars().take(QUOTED).collect();
        Err(Error::Refused { doing: doing.to_owned(), status: self.status, body })
    }
}

async fn answer(response: Response, doing: &str) -> Result<Answer> {
    let status = response.status().as_u16();
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Answer { status, content_type, body: body(response, doing).await? })
}

/// The device's own client: no cookies, no redirects.
#[derive(Debug, Clone)]
pub struct Wire {
    client: Client,
}

impl Wire {
    /// A client that trusts as told.
    pub fn new(trust: &Trust) -> Result<Self> {
        let builder = Client::builder().user_agent("MDM/1.0").timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = trust.apply(builder)?.build().map_err(network("set up the device's connection"))?;
        Ok(Self { client })
    }

    /// The same for a device that shows a certificate when it makes a connection, and that waits longer for an answer than the
    /// server lets it wait.
    pub fn with_identity(trust: &Trust, chain_pem: &[u8], key_pem: &[u8]) -> Result<Self> {
        let doing = "set up the connection with the device's certificate";
        let identity = Identity::from_pkcs8_pem(chain_pem, key_pem).map_err(network(doing))?;
        let builder =
            Client::builder().user_agent("Agent/1.0").timeout(LONG_TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = trust.apply(builder.identity(identity))?.build().map_err(network(doing))?;
        Ok(Self { client })
    }

    /// GET, unless the server still has what is known by this tag.
    pub async fn get_unless(&self, url: Url, tag: &str) -> Result<Answer> {
        let doing = format!("GET {}", url.path());
        let request = self.client.get(url).header(header::IF_NONE_MATCH, format!("\"{tag}\""));
        answer(request.send().await.map_err(network(&doing))?, &doing).await
    }

    /// GET.
    pub async fn get(&self, url: Url) -> Result<Answer> {
        let doing = format!("GET {}", url.path());
        answer(self.client.get(url).send().await.map_err(network(&doing))?, &doing).await
    }

    /// POST of a body.
    pub async fn post(&self, url: Url, content_type: &str, content: Vec<u8>) -> Result<Answer> {
        let doing = format!("POST {}", url.path());
        let request = self.client.post(url).header(header::CONTENT_TYPE, content_type).body(content);
        answer(request.send().await.map_err(network(&doing))?, &doing).await
    }

    /// PUT of a body, with a signature in the `Mdm-Signature` header if there is one.
    pub async fn put(&self, url: Url, content_type: &str, signature: Option<&str>, content: Vec<u8>) -> Result<Answer> {
        let doing = format!("PUT {}", url.path());
        let response = self.put_unread(url, content_type, signature, content).await?;
        answer(response, &doing).await
    }

    /// PUT like [`Self::put`], but the answer's body is never read: the connection breaks after the server did its work.
    pub async fn put_and_hang_up(&self, url: Url, content_type: &str, signature: Option<&str>, content: Vec<u8>) -> Result<()> {
        self.put_unread(url, content_type, signature, content).await.map(drop)
    }

    async fn put_unread(&self, url: Url, content_type: &str, signature: Option<&str>, content: Vec<u8>) -> Result<Response> {
        let doing = format!("PUT {}", url.path());
        let mut request = self.client.put(url).header(header::CONTENT_TYPE, content_type).body(content);
        if let Some(signature) = signature {
            request = request.header("Mdm-Signature", signature);
        }
        request.send().await.map_err(network(doing))
    }
}

/// The owner's browser: keeps cookies and follows redirects.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
}

/// What Safari says with every page that it asks for.
fn as_navigation(request: RequestBuilder, site: &str) -> RequestBuilder {
    request
        .header(header::ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header(header::ACCEPT_LANGUAGE, "en-GB,en;q=0.9")
        .header("Sec-Fetch-Site", site)
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Dest", "document")
}

/// What a browser got.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is nearly always a page")]
pub enum Got {
    /// A page to look at.
    Page(Page),
    /// A configuration profile; the phone offers to install it.
    Profile(Vec<u8>),
    /// A certificate with its key; an Android phone keeps the file among its downloads.
    Certificate(Vec<u8>),
}

impl Browser {
    /// A browser with no cookies yet.
    pub fn new(trust: &Trust, user_agent: &str) -> Result<Self> {
        let builder = Client::builder().user_agent(user_agent).timeout(TIMEOUT).cookie_store(true).no_proxy();
        let client = trust.apply(builder)?.build().map_err(network("set up the browser"))?;
        Ok(Self { client })
    }

    /// Opens an address.
    pub async fn open(&self, url: Url) -> Result<Got> {
        let doing = format!("GET {}", url.path());
        let request = as_navigation(self.client.get(url), "none");
        Self::look(request.send().await.map_err(network(&doing))?, &doing).await
    }

    /// Sends a form of a page, as its first button would.
    pub async fn submit(&self, page: &Page, form: &Form) -> Result<Got> {
        let target = page.resolve(&form.action).ok_or_else(|| protocol("send a form", format!("{:?} is no address", form.action)))?;
        let doing = format!("send the form {}", target.path());
        let request = if form.post {
            // Browsers always name their origin with a form; servers refuse foreign ones.
            let origin = page.url.origin().ascii_serialization();
            self.client.post(target).header(header::ORIGIN, origin).form(&form.entries())
        } else {
            self.client.get(target).query(&form.entries())
        };
        let request = as_navigation(request, "same-origin");
        Self::look(request.send().await.map_err(network(&doing))?, &doing).await
    }

    /// A page with an error status is still a page that a person reads; only what is neither page nor profile fails.
    async fn look(response: Response, doing: &str) -> Result<Got> {
        let url = response.url().clone();
        let answer = answer(response, doing).await?;
        if answer.content_type.starts_with(PROFILE_TYPE) {
            return answer.ok(doing).map(Got::Profile);
        }
        if answer.content_type.starts_with(PKCS12_TYPE) {
            return answer.ok(doing).map(Got::Certificate);
        }
        if answer.content_type.starts_with("text/html") {
            return Ok(Got::Page(Page::read(url, &String::from_utf8_lossy(&answer.body))));
        }
        let kind = answer.content_type.clone();
        answer.ok(doing)?;
        Err(protocol("read a page", format!("{doing}: {kind:?} is neither a page nor a profile")))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use openssl::{
        ssl::{SslAcceptor, SslMethod},
        x509::{X509, X509Builder, extension::SubjectAlternativeName},
    };

    use super::*;
    use crate::simulator::keychain::Identity;

    /// Answers every connection with a page that sets a cookie, and with the request's cookie as its text.
    fn serve(certificate: &X509, signer: &Identity) -> Url {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_private_key(&signer.key).unwrap();
        acceptor.set_certificate(certificate).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("https://localhost:{}/x", listener.local_addr().unwrap().port())).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = acceptor.accept(stream.unwrap()) else { continue };
                let mut head = [0; 4096];
                let length = stream.read(&mut head).unwrap();
                let text = String::from_utf8_lossy(&head[..length]).to_lowercase();
                let cookie = text.lines().find(|line| line.starts_with("cookie:")).unwrap_or("none").to_owned();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=b; Secure\r\nConnection: close\r\n\r\n{cookie}");
                stream.write_all(answer.as_bytes()).unwrap();
                // The client may be gone already.
                let _ = stream.shutdown();
            }
        });
        url
    }

    fn localhost() -> (X509, Identity) {
        let signer = Identity::stranger("localhost").unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(signer.certificate.subject_name()).unwrap();
        builder.set_issuer_name(signer.certificate.subject_name()).unwrap();
        builder.set_not_before(signer.certificate.not_before()).unwrap();
        builder.set_not_after(signer.certificate.not_after()).unwrap();
        builder.set_pubkey(&signer.key).unwrap();
        let names = SubjectAlternativeName::new().dns("localhost").build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&signer.key, openssl::hash::MessageDigest::sha256()).unwrap();
        (builder.build(), signer)
    }

    #[tokio::test]
    async fn a_certificate_is_trusted_as_told() {
        let (certificate, signer) = localhost();
        let url = serve(&certificate, &signer);
        let file = std::env::temp_dir().join(format!("enlist-trust-{}.pem", uuid::Uuid::new_v4()));
        fs::write(&file, certificate.to_pem().unwrap()).unwrap();
        for (trust, works) in [(Trust::File(file.clone()), true), (Trust::Anybody, true), (Trust::System, false)] {
            let answer = Wire::new(&trust).unwrap().get(url.clone()).await;
            assert_eq!(answer.is_ok(), works, "{trust:?}: {answer:?}");
        }
        fs::remove_file(&file).unwrap();
        assert!(matches!(Wire::new(&Trust::File(file)), Err(Error::File { .. })));
    }

    #[tokio::test]
    async fn a_browser_keeps_cookies() {
        let (certificate, signer) = localhost();
        let url = serve(&certificate, &signer);
        let browser = Browser::new(&Trust::Anybody, "Safari").unwrap();
        for expected in ["none", "cookie: a=b"] {
            let Got::Page(page) = browser.open(url.clone()).await.unwrap() else { panic!("no page") };
            assert_eq!(page.text, expected);
        }
    }
}

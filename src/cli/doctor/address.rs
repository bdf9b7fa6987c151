//! How phones and people get here: the public address, its certificate, and the proxies in between.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    path::Path,
    time::Duration,
};

use openssl::{
    asn1::Asn1Time,
    ssl::{HandshakeError, SslConnector, SslMethod, SslVerifyMode},
    x509::{X509, X509VerifyResult},
};

use super::{Finding, Site};
use crate::{
    cli::tls::public_acceptor,
    config::{Config, Tls},
    service::host_of,
};

/// How long somebody may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Days before its end at which a certificate becomes urgent.
const URGENT_DAYS: i32 = 14;
/// Days before its end at which a certificate is worth a word.
const SOON_DAYS: i32 = 30;
/// Where Debian and others keep the authorities that are trusted; OpenSSL that was built along looks elsewhere.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Numbers of OpenSSL's verdicts about a certificate (`X509_V_ERR_…`).
mod verdict {
    pub const EXPIRED: i32 = 10;
    pub const SELF_SIGNED: i32 = 18;
    pub const UNKNOWN_ROOT: i32 = 19;
    pub const NO_ISSUER: i32 = 20;
    pub const NO_ISSUER_OF_LEAF: i32 = 21;
    pub const OTHER_HOST: i32 = 62;
    pub const OTHER_ADDRESS: i32 = 64;
}

/// The public address: its form, its name, and whether this server is found there.
pub(super) fn address(site: &mut Site<'_>) -> Finding {
    let url = &site.config.public_url;
    if url.starts_with("http:") {
        return Finding::wrong(
            format!("the address {url} is not https, which real phones refuse"),
            "set public-url to an https address: with tls=files, or with a proxy in front that speaks TLS",
        );
    }
    if let Err(why) = resolve(site.config) {
        return Finding::wrong(format!("the name of {url} does not resolve: {why}"), "add the name to the DNS, or correct public-url");
    }
    match ask_whether_alive(url) {
        Ok(()) => Finding::ok(format!("{url} leads to a server of enlist")),
        Err(why) => Finding::wrong(
            format!("nothing of enlist answers at {url}/healthz: {why}"),
            "start the server, let its port through the firewall, and see that a proxy in front passes requests on",
        ),
    }
}

fn ask_whether_alive(url: &str) -> Result<(), String> {
    // What is wrong with the certificate is the next check's to say.
    let client = reqwest::blocking::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .tls_danger_accept_invalid_hostnames(true)
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(format!("{url}/healthz")).send().map_err(|error| innermost(&error))?;
    let status = answer.status();
    let body = answer.text().map_err(|error| innermost(&error))?;
    if status.is_success() && body.trim() == "ok" { Ok(()) } else { Err(format!("the answer was {status}")) }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn port_of(config: &Config) -> u16 {
    let standard = if config.public_url.starts_with("https:") { 443 } else { 80 };
    let rest = config.public_url.rsplit_once(':').map_or("", |(_, port)| port);
    rest.parse().unwrap_or(standard)
}

fn resolve(config: &Config) -> Result<SocketAddr, String> {
    let host = host_of(&config.public_url).trim_matches(['[', ']']);
    let mut found = (host, port_of(config)).to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "it has no address".into())
}

/// The certificate that whoever comes to the public address is shown.
pub(super) fn tls(site: &mut Site<'_>) -> Finding {
    if let Tls::Files { .. } = site.config.tls
        && let Err(error) = public_acceptor(site.config, site.now)
    {
        return Finding::wrong(format!("{error:#}"), "correct tls-certificate and tls-key; a server that starts now would not come up");
    }
    if site.config.public_url.starts_with("http:") {
        return Finding::unknown("the address is not https");
    }
    let Ok(address) = resolve(site.config) else { return Finding::unknown("the name does not resolve") };
    match handshake(address, host_of(&site.config.public_url).trim_matches(['[', ']'])) {
        Ok((result, certificate)) => judge(site.config, result, &certificate),
        Err(why) => Finding::wrong(
            format!("no TLS connection to {} can be made: {why}", site.config.public_url),
            "start the server, or see that the proxy in front speaks TLS at this address",
        ),
    }
}

/// Makes a connection as a phone does; gives OpenSSL's verdict and the certificate.
fn handshake(address: SocketAddr, host: &str) -> Result<(X509VerifyResult, X509), String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(|error| error.to_string())?;
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| error.to_string())?;
    let trusted = std::env::var("SSL_CERT_FILE").unwrap_or_else(|_| SYSTEM_AUTHORITIES.into());
    if Path::new(&trusted).is_file() {
        builder.set_ca_file(&trusted).map_err(|error| format!("{trusted}: {error}"))?;
    }
    // The connection is made in any case, so that the verdict can be told.
    builder.set_verify(SslVerifyMode::NONE);
    let connected = builder.build().connect(host, stream).map_err(|error| match error {
        HandshakeError::Failure(failed) => failed.error().to_string(),
        other => other.to_string(),
    })?;
    let certificate = connected.ssl().peer_certificate().ok_or("it shows no certificate")?;
    Ok((connected.ssl().verify_result(), certificate))
}

fn judge(config: &Config, result: X509VerifyResult, certificate: &X509) -> Finding {
    let host = host_of(&config.public_url);
    let days = Asn1Time::days_from_now(0).and_then(|now| now.diff(certificate.not_after())).map_or(0, |left| left.days);
    let until = certificate.not_after();
    match result.as_raw() {
        0 if days < URGENT_DAYS => Finding::wrong(
            format!("the certificate of {host} ends in {days} day(s), on {until}"),
            "renew it, and start the server again if it reads the files itself",
        ),
        0 if days < SOON_DAYS => Finding::note(format!("the certificate of {host} ends in {days} days, on {until}"), "renew it soon"),
        0 => Finding::ok(format!("the certificate of {host} is trusted and good for {days} days")),
        verdict::EXPIRED => Finding::wrong(
            format!("the certificate of {host} has expired, on {until}"),
            "renew it, and start the server again if it reads the files itself",
        ),
        verdict::OTHER_HOST | verdict::OTHER_ADDRESS => Finding::wrong(
            format!("the certificate is for other names than {host}"),
            format!("get a certificate for {host}, or correct public-url"),
        ),
        verdict::SELF_SIGNED | verdict::UNKNOWN_ROOT => Finding::wrong(
            format!("the certificate of {host} comes from nobody whom phones trust"),
            "use tls=files with a certificate of a public authority, or put a proxy with one in front",
        ),
        verdict::NO_ISSUER | verdict::NO_ISSUER_OF_LEAF => Finding::wrong(
            format!("the chain of {host}'s certificate is not complete, or ends at an authority that this machine does not trust"),
            "put the intermediate certificates behind the server's own in tls-certificate, or in the proxy's file",
        ),
        _ => Finding::wrong(format!("the certificate of {host} is not good: {}", result.error_string()), "get a new certificate"),
    }
}

/// Whose word about where a request came from is believed.
pub(super) fn proxies(site: &mut Site<'_>) -> Finding {
    let proxies = &site.config.trusted_proxies;
    let far = [
        [IpAddr::V4(Ipv4Addr::new(1, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(223, 255, 255, 254))],
        [IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1)), IpAddr::V6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 1))],
    ];
    if far.iter().any(|pair| pair.iter().all(|address| proxies.contain(*address))) {
        return Finding::wrong(
            "trusted-proxies contains the whole internet, so everybody can pretend to be anybody",
            "name only the addresses of your own proxies",
        );
    }
    let is_behind_one = site.config.tls == Tls::Off && site.config.public_url.starts_with("https:");
    if is_behind_one && proxies.is_empty() {
        return Finding::wrong(
            "a proxy speaks TLS for this server, but trusted-proxies is empty: everybody seems to come from the proxy, and limits hit all at once",
            "name the proxy's address in trusted-proxies",
        );
    }
    Finding::ok(if proxies.is_empty() { "no proxy is believed" } else { "only named proxies are believed" })
}

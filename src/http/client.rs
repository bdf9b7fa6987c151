//! Who is at the other end of a connection: the address, and the certificate that came by TLS or from a trusted proxy.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::{HttpRequest, web};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::domain::networks::Networks;

/// The certificate that came by TLS, DER.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Vec<u8>);

/// Whether a request comes from a proxy whose headers are believed.
#[must_use]
pub fn is_from_trusted_proxy(request: &HttpRequest) -> bool {
    let peer = request.peer_addr().map(|peer| peer.ip());
    let proxies = request.app_data::<web::Data<Networks>>();
    peer.zip(proxies).is_some_and(|(peer, proxies)| proxies.contain(peer))
}

/// The address of the client. A proxy's word counts only where the proxy is trusted, and of several addresses the last one that
/// is not a trusted proxy itself.
#[must_use]
pub fn client_address(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    if !is_from_trusted_proxy(request) {
        return peer;
    }
    let Some(proxies) = request.app_data::<web::Data<Networks>>() else { return peer };
    // Each proxy puts what it has seen to the right of what it was told, so only what the proxies themselves have put there is looked
    // at. Where that cannot be read, what stands further left is the client's own word, and does not count.
    let parts = request.headers().get_all("x-forwarded-for").rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    let mut addresses = parts.map(|part| part.trim().parse::<IpAddr>());
    let first = addresses.find(|address| !address.as_ref().is_ok_and(|address| proxies.contain(*address)));
    first.and_then(Result::ok).unwrap_or(peer)
}

/// The certificate that a device came with: by TLS, or in a header from a trusted proxy (RFC 9440 `Client-Cert`, or nginx's
/// `X-SSL-Client-Cert`). A header that comes twice, or from anybody else, is no certificate.
#[must_use]
pub fn client_certificate(request: &HttpRequest) -> Option<Vec<u8>> {
    shown_in(request, &DEVICE_WRITINGS).ok().flatten()
}

/// Something that can be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguous;

/// A header, and how proxies write a certificate into it.
type Writing = (&'static str, fn(&str) -> Option<Vec<u8>>);
/// RFC 9440, and nginx's and Envoy's escaped PEM. Proxies in front of Enlist were told to take these away from what a client sends.
const DEVICE_WRITINGS: [Writing; 2] = [("client-cert", from_rfc9440), ("x-ssl-client-cert", from_escaped_pem)];
/// The same and Traefik's base64, from proxies in front of applications.
const GATE_WRITINGS: [Writing; 3] =
    [("client-cert", from_rfc9440), ("x-ssl-client-cert", from_escaped_pem), ("x-forwarded-tls-client-cert", from_base64)];

/// The certificate that a device has shown to the proxy that asks the gate, or to this server itself.
///
/// # Errors
/// A trusted proxy handed on more than one, or one that cannot be read.
pub fn shown_certificate(request: &HttpRequest) -> Result<Option<Vec<u8>>, Ambiguous> {
    shown_in(request, &GATE_WRITINGS)
}

fn shown_in(request: &HttpRequest, writings: &[Writing]) -> Result<Option<Vec<u8>>, Ambiguous> {
    if let Some(peer) = request.conn_data::<PeerCertificate>() {
        return Ok(Some(peer.0.clone()));
    }
    if !is_from_trusted_proxy(request) {
        return Ok(None);
    }
    let mut shown = None;
    for (name, read) in writings {
        let mut values = request.headers().get_all(*name);
        let Some(value) = values.next() else { continue };
        let value = value.to_str().map_err(|_| Ambiguous)?.trim();
        if values.next().is_some() {
            return Err(Ambiguous);
        }
        // Proxies that have seen none write none in several ways.
        if value.is_empty() || value == "::" || value == "-" {
            continue;
        }
        let certificate = read(value).filter(|der| !der.is_empty()).ok_or(Ambiguous)?;
        if shown.replace(certificate).is_some() {
            return Err(Ambiguous);
        }
    }
    Ok(shown)
}

/// RFC 9440: `:base64:`.
fn from_rfc9440(value: &str) -> Option<Vec<u8>> {
    STANDARD.decode(value.strip_prefix(':')?.strip_suffix(':')?).ok()
}

/// nginx's `$ssl_client_escaped_cert` and Envoy's `%DOWNSTREAM_PEER_CERT%`: PEM, percent-encoded.
fn from_escaped_pem(value: &str) -> Option<Vec<u8>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let pem = unescaped(value)?;
    let (_, rest) = pem.split_once(BEGIN)?;
    let (content, rest) = rest.split_once("-----END CERTIFICATE-----")?;
    if rest.contains(BEGIN) {
        return None;
    }
    STANDARD.decode(content.split_ascii_whitespace().collect::<String>()).ok()
}

/// Traefik's `X-Forwarded-Tls-Client-Cert`: the PEM without its first and last line and without line breaks, escaped by some
/// versions; the device's own before those of its issuers.
fn from_base64(value: &str) -> Option<Vec<u8>> {
    let text = unescaped(value)?;
    STANDARD.decode(text.split(',').next()?).ok()
}

fn unescaped(value: &str) -> Option<String> {
    let mut text = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            text.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            text.push(byte);
        }
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(peer: &str, headers: &[(&str, &str)]) -> HttpRequest {
        let mut request = TestRequest::default()
            .peer_addr(format!("{peer}:1").parse().unwrap())
            .app_data(web::Data::new("10.0.0.0/8".parse::<Networks>().unwrap()));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        request.to_http_request()
    }

    #[test]
    fn only_a_trusted_proxy_may_name_the_client() {
        let address = |peer, headers: &[(&str, &str)]| client_address(&request(peer, headers)).to_string();
        assert_eq!(address("192.0.2.1", &[("x-forwarded-for", "1.1.1.1")]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.9.9.9")]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[("x-forwarded-for", "nonsense")]), "10.0.0.1");
    }

    #[test]
    fn a_client_cannot_choose_its_address_in_front_of_what_a_proxy_appends() {
        let address = |lines: &[&str]| {
            let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            client_address(&request("10.0.0.1", &headers)).to_string()
        };
        assert_eq!(address(&["6.6.6.6, nonsense, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(address(&["6.6.6.6", "nonsense", "1.1.1.1, 10.9.9.9"]), "1.1.1.1");
        assert_eq!(address(&["6.6.6.6, \u{e9}", "10.9.9.9, 1.1.1.1"]), "1.1.1.1");
        // What the proxy itself has written cannot be read, so that nothing further left counts either.
        assert_eq!(address(&["6.6.6.6, nonsense, 10.9.9.9"]), "10.0.0.1");
        assert_eq!(address(&["6.6.6.6", ""]), "10.0.0.1");
        assert_eq!(address(&["10.8.8.8, 10.9.9.9"]), "10.0.0.1");
    }

    #[test]
    fn a_certificate_in_a_header_counts_from_a_trusted_proxy_only_and_once() {
        let header = ("client-cert", ":AQID:");
        assert_eq!(client_certificate(&request("10.0.0.1", &[header])), Some(vec![1, 2, 3]));
        assert_eq!(client_certificate(&request("192.0.2.1", &[header])), None);
        assert_eq!(client_certificate(&request("10.0.0.1", &[header, header])), None);
        assert_eq!(client_certificate(&request("10.0.0.1", &[("x-ssl-client-cert", "%ZZ")])), None);
    }

    #[test]
    fn every_proxy_writes_a_certificate_in_its_own_way_and_only_one_of_them_may_be_there() {
        let pem = "-----BEGIN%20CERTIFICATE-----%0AAQI%0AD%0A-----END%20CERTIFICATE-----%0A";
        let shown = |headers: &[(&str, &str)]| shown_certificate(&request("10.0.0.1", headers));
        let ways = [("client-cert", ":AQID:"), ("x-ssl-client-cert", pem), ("x-forwarded-tls-client-cert", "AQID,BAUG")];
        for way in ways {
            assert_eq!(shown(&[way]), Ok(Some(vec![1, 2, 3])), "{way:?}");
            assert_eq!(shown(&[way, (way.0, "")]), Err(Ambiguous), "{way:?}");
            assert_eq!(shown(&[(way.0, "no certificate")]), Err(Ambiguous), "{way:?}");
            for other in ways.into_iter().filter(|other| other.0 != way.0) {
                assert_eq!(shown(&[way, other]), Err(Ambiguous), "{way:?} {other:?}");
            }
        }
        // The channels of devices know the first two only.
        assert_eq!(client_certificate(&request("10.0.0.1", &[ways[2]])), None);
        let none = [("client-cert", "::"), ("x-ssl-client-cert", ""), ("x-forwarded-tls-client-cert", "-")];
        assert_eq!(shown(&none), Ok(None));
        assert_eq!(shown_certificate(&request("192.0.2.1", &ways)), Ok(None));
        let two = format!("{pem}{pem}");
        assert_eq!(shown(&[("x-ssl-client-cert", &two)]), Err(Ambiguous));
    }
}

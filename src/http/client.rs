//! Who is at the other end of a connection: the address, and the certificate that came by TLS or from a trusted proxy.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::{HttpRequest, web};

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
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let addresses: Vec<IpAddr> = forwarded.map_while(|text| text.trim().parse().ok()).collect();
    addresses.into_iter().rev().find(|address| !proxies.contain(*address)).unwrap_or(peer)
}

/// The certificate that a device came with: by TLS, or in a header from a trusted proxy (RFC 9440 `Client-Cert`, or nginx's
/// `X-SSL-Client-Cert`). A header that comes twice, or from anybody else, is no certificate.
#[must_use]
pub fn client_certificate(request: &HttpRequest) -> Option<Vec<u8>> {
    if let Some(peer) = request.conn_data::<PeerCertificate>() {
        return Some(peer.0.clone());
    }
    if !is_from_trusted_proxy(request) {
        return None;
    }
    single(request, "client-cert").and_then(from_rfc9440).or_else(|| single(request, "x-ssl-client-cert").and_then(from_escaped_pem))
}

fn single<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name);
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// RFC 9440: `:base64:`.
fn from_rfc9440(value: &str) -> Option<Vec<u8>> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(value.trim().strip_prefix(':')?.strip_suffix(':')?).ok()
}

/// nginx's `$ssl_client_escaped_cert`: PEM, percent-encoded.
fn from_escaped_pem(value: &str) -> Option<Vec<u8>> {
    let mut pem = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            pem.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            pem.push(byte);
        }
    }
    openssl::x509::X509::from_pem(&pem).ok()?.to_der().ok()
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
    fn a_certificate_in_a_header_counts_from_a_trusted_proxy_only_and_once() {
        let header = ("client-cert", ":AQID:");
        assert_eq!(client_certificate(&request("10.0.0.1", &[header])), Some(vec![1, 2, 3]));
        assert_eq!(client_certificate(&request("192.0.2.1", &[header])), None);
        assert_eq!(client_certificate(&request("10.0.0.1", &[header, header])), None);
        assert_eq!(client_certificate(&request("10.0.0.1", &[("x-ssl-client-cert", "%ZZ")])), None);
    }
}

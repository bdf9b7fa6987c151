//! HTTP that proxies and servers might understand differently, or that would cost more than it brings.

use super::wire::request;

/// An attack by bytes alone.
pub struct Framing {
    /// What it is called.
    pub name: &'static str,
    /// What is sent.
    pub bytes: Vec<u8>,
}

const START: &str = "PUT /mdm/checkin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-apple-aspen-mdm-checkin\r\n";

/// A request that goes on like this after honest first lines.
fn begun(name: &'static str, rest: &str) -> Framing {
    Framing { name, bytes: format!("{START}{rest}").into_bytes() }
}

fn raw(name: &'static str, bytes: impl Into<Vec<u8>>) -> Framing {
    Framing { name, bytes: bytes.into() }
}

/// All of them.
pub fn framings(signature: &str) -> Vec<Framing> {
    let mut all = lengths();
    all.extend(heads(signature));
    all.extend(targets());
    all.extend(other_languages());
    all
}

fn lengths() -> Vec<Framing> {
    let chunks = format!("{START}Transfer-Encoding: chunked\r\n\r\n{}", format!("10000\r\n{}\r\n", "A".repeat(0x10000)).repeat(100));
    let mut bomb = request(
        "PUT /mdm/checkin",
        &[("Content-Type", "application/x-apple-aspen-mdm-checkin"), ("Content-Encoding", "gzip")],
        &[0x1f, 0x8b, 8, 0],
    );
    bomb.extend_from_slice(&[0; 64]);
    vec![
        begun("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"),
        begun("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nAAAAAA"),
        begun("a length with a plus", "Content-Length: +5\r\n\r\nAAAAA"),
        begun("a negative length", "Content-Length: -5\r\n\r\nAAAAA"),
        begun("a length beyond all numbers", "Content-Length: 99999999999999999999999\r\n\r\nA"),
        begun("a length of five megabytes", "Content-Length: 5242880\r\n\r\nA"),
        begun("a coding that nobody knows", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        begun("chunks, then something else", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        begun("a chunk beyond all numbers", "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\nA"),
        begun("a chunk of no number", "Transfer-Encoding: chunked\r\n\r\nzz\r\nA\r\n"),
        raw("chunks without end", chunks),
        raw("a compressed body", bomb),
    ]
}

fn heads(signature: &str) -> Vec<Framing> {
    let headers = |count: usize| "X-Filler: 1\r\n".repeat(count);
    vec![
        begun("a header of 200 kilobytes", &format!("X-Filler: {}\r\nContent-Length: 0\r\n\r\n", "A".repeat(200 << 10))),
        begun("a name of 200 kilobytes", &format!("{}: 1\r\nContent-Length: 0\r\n\r\n", "A".repeat(200 << 10))),
        begun("10,000 headers", &format!("{}Content-Length: 0\r\n\r\n", headers(10_000))),
        begun("90 headers", &format!("{}Content-Length: 0\r\n\r\n", headers(90))),
        begun("a NUL in a header", "X-Filler: a\0b\r\nContent-Length: 0\r\n\r\n"),
        begun("a folded header", "X-Filler: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        begun("a blank before the colon", "X-Filler : a\r\nContent-Length: 0\r\n\r\n"),
        begun("a line without a colon", "Filler\r\nContent-Length: 0\r\n\r\n"),
        begun("two signatures", &format!("Mdm-Signature: {signature}\r\nMdm-Signature: {signature}\r\nContent-Length: 0\r\n\r\n")),
        begun("a signature with an underscore", &format!("Mdm_Signature: {signature}\r\nContent-Length: 0\r\n\r\n")),
        begun("a signature of 90 kilobytes", &format!("Mdm-Signature: {}\r\nContent-Length: 0\r\n\r\n", "A".repeat(90 << 10))),
        begun("a certificate in a header", "Client-Cert: :AQID:\r\nContent-Length: 0\r\n\r\n"),
        begun("a forwarded client", "X-Forwarded-For: 127.0.0.1\r\nX-SSL-Client-Cert: %00\r\nContent-Length: 0\r\n\r\n"),
        begun("two hosts", "Host: other\r\nContent-Length: 0\r\n\r\n"),
        begun("bytes that are no text", &format!("Mdm-Signature: {}\r\nContent-Length: 0\r\n\r\n", "\u{fffd}".repeat(100))),
        begun(
            "an upgrade",
            "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 0\r\n\r\n",
        ),
    ]
}

fn targets() -> Vec<Framing> {
    let get = |name, target: &str| raw(name, format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
    let long = |count: usize| "A".repeat(count);
    vec![
        raw("another host", "PUT http://evil.example/mdm/checkin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
        raw("TRACE", "TRACE /mdm/checkin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        raw("CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"),
        raw("DELETE", "DELETE /mdm/checkin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
        raw("a method of 10,000 letters", format!("{} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", long(10_000))),
        get("check-in by GET", "/mdm/checkin"),
        get("commands by GET", "/mdm/connect"),
        get("a phase by GET", "/enroll/ota"),
        get("a body path with dots", "/mdm/../mdm//checkin"),
        get("a discovery of 20,000 letters", &format!("/.well-known/com.apple.remotemanagement?user-identifier={}", long(20_000))),
        get("a discovery for anybody", "/.well-known/com.apple.remotemanagement?user-identifier=%00%ff%27"),
        get("a discovery of a broken address", "/.well-known/com.apple.remotemanagement?%zz=%"),
        get("SCEP without an operation", "/scep"),
        get("SCEP of an unknown operation", "/scep?operation=Explode"),
        get("SCEP with two operations", "/scep?operation=PKIOperation&operation=GetCACert"),
        get("SCEP without a message", "/scep?operation=PKIOperation"),
        get("SCEP with rubbish", "/scep?operation=PKIOperation&message=%%%"),
        get("SCEP with a message of 60,000 letters", &format!("/scep?operation=PKIOperation&message={}", long(60_000))),
        get("SCEP with a message of 100,000 letters", &format!("/scep?operation=PKIOperation&message={}", long(100_000))),
        get("a target with a NUL", "/mdm\0checkin"),
    ]
}

fn other_languages() -> Vec<Framing> {
    vec![
        raw("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        raw("HTTP/0.9", "GET /scep\r\n\r\n"),
        raw("HTTP/9.9", "GET /scep HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n"),
        raw("TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], [0x41; 600].as_slice()].concat()),
        raw("lines of rubbish", "\u{1}\u{2}\u{3}\r\n".repeat(1000)),
        raw("a million empty lines", "\r\n".repeat(1_000_000)),
        raw("one line of two megabytes", "A".repeat(2 << 20)),
    ]
}

//! The server's TLS: a certificate of its own for a first try, or the administrator's, and the port for client certificates.

use std::path::Path;

use anyhow::Context;
use openssl::{
    pkey::PKey,
    ssl::{SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod, SslVerifyMode, SslVersion},
    x509::X509,
};

use crate::{
    config::{Config, Tls},
    domain::time::Timestamp,
    pki::ca,
    service::host_of,
};

/// Days before its end at which the server's own certificate is made anew.
const RENEWED_DAYS: u32 = 30;

/// OpenSSL's number for a certificate whose validity is over (`X509_V_ERR_CERT_HAS_EXPIRED`).
const CERT_HAS_EXPIRED: i32 = 10;

/// What the public port speaks; `None` for plain HTTP.
///
/// # Errors
/// A file cannot be read, or does not hold what it should.
pub fn public_acceptor(config: &Config, now: Timestamp) -> anyhow::Result<Option<SslAcceptorBuilder>> {
    match &config.tls {
        Tls::Off => Ok(None),
        Tls::Files { certificate, key } => {
            let mut builder = acceptor()?;
            builder
                .set_certificate_chain_file(certificate)
                .with_context(|| format!("tls-certificate: {} is not a PEM certificate chain", certificate.display()))?;
            builder
                .set_private_key_file(key, SslFiletype::PEM)
                .with_context(|| format!("tls-key: {} is not the PEM key of the certificate", key.display()))?;
            builder.check_private_key().context("tls-key does not belong to tls-certificate")?;
            Ok(Some(builder))
        }
        Tls::SelfSigned => own_certificate(config, now).map(Some),
    }
}

/// What the port for client certificates speaks: no connection without a certificate that the device CA has issued.
///
/// # Errors
/// As [`public_acceptor`].
pub fn device_acceptor(config: &Config, device_ca: &X509, now: Timestamp) -> anyhow::Result<SslAcceptorBuilder> {
    let mut builder = match public_acceptor(config, now)? {
        Some(builder) => builder,
        None => own_certificate(config, now)?,
    };
    let mut store = openssl::x509::store::X509StoreBuilder::new()?;
    store.add_cert(device_ca.clone())?;
    builder.set_verify_cert_store(store.build())?;
    builder.add_client_ca(device_ca)?;
    // An expired certificate is let through here: the service refuses it with an answer that the device understands.
    builder.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |is_valid, context| {
        is_valid || context.error().as_raw() == CERT_HAS_EXPIRED
    });
    builder.set_session_id_context(b"enlist-devices")?;
    Ok(builder)
}

fn acceptor() -> anyhow::Result<SslAcceptorBuilder> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    Ok(builder)
}

/// The certificate that the server makes for itself, kept in the data folder.
fn own_certificate(config: &Config, now: Timestamp) -> anyhow::Result<SslAcceptorBuilder> {
    let folder = config.data_dir.join("tls");
    let (certificate_path, key_path) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    let host = host_of(&config.public_url).trim_matches(['[', ']']);
    if !is_good(&certificate_path, host, now) {
        let mut hosts = vec![host];
        hosts.extend(["localhost", "127.0.0.1", "::1"].into_iter().filter(|other| *other != host));
        let (certificate, key) = ca::self_signed_server(&hosts, now)?.to_pem()?;
        std::fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        write_private(&key_path, &key)?;
        std::fs::write(&certificate_path, certificate).with_context(|| format!("{} cannot be written", certificate_path.display()))?;
    }
    let mut builder = acceptor()?;
    let certificate = X509::from_pem(&std::fs::read(&certificate_path)?)?;
    builder.set_certificate(&certificate)?;
    builder.set_private_key(PKey::private_key_from_pem(&std::fs::read(&key_path)?)?.as_ref())?;
    Ok(builder)
}

fn is_good(path: &Path, host: &str, now: Timestamp) -> bool {
    let Ok(certificate) = std::fs::read(path).map_err(anyhow::Error::from).and_then(|pem| Ok(X509::from_pem(&pem)?)) else { return false };
    let names_host = certificate.subject_alt_names().is_some_and(|names| {
        names
            .iter()
            .any(|name| name.dnsname() == Some(host) || name.ipaddress().is_some_and(|bytes| host.parse().is_ok_and(|ip| same(ip, bytes))))
    });
    let renew_at = openssl::asn1::Asn1Time::from_unix(now.plus_days(RENEWED_DAYS.into()).seconds());
    names_host && renew_at.is_ok_and(|renew_at| certificate.not_after() > renew_at.as_ref())
}

fn same(address: std::net::IpAddr, bytes: &[u8]) -> bool {
    match address {
        std::net::IpAddr::V4(address) => address.octets() == bytes,
        std::net::IpAddr::V6(address) => address.octets() == bytes,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(file.write_all(bytes)?)
}

//! What a doctor meets outside: certificates of every kind, doors that show them, and a mail server.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
};

use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::BigNum,
    hash::MessageDigest,
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslMethod},
    x509::{
        X509, X509Builder, X509NameBuilder,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

use crate::harness::actors::key;

/// A certificate with its key.
#[derive(Clone)]
pub struct Pair {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Pair {
    /// Writes both into files of this folder; gives their paths.
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, self.certificate.to_pem().unwrap()).unwrap();
        std::fs::write(&key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        (certificate, key)
    }
}

/// An authority; signed by the one above it, or by itself.
pub fn authority(name: &str, number: usize, above: Option<&Pair>) -> Pair {
    build(name, number, above, -10, 1000, true)
}

/// A certificate for this name, good from so many days until so many days from now.
pub fn leaf(name: &str, above: Option<&Pair>, from: i64, until: i64) -> Pair {
    build(name, 2, above, from, until, false)
}

fn build(name: &str, number: usize, above: Option<&Pair>, from: i64, until: i64, is_authority: bool) -> Pair {
    let key = key(number);
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let at = |days: i64| Asn1Time::from_unix(now + days * 86_400 + 3600).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_slice(uuid::Uuid::new_v4().as_bytes()).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(above.map_or(&*subject, |above| above.certificate.subject_name())).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&at(from)).unwrap();
    builder.set_not_after(&at(until)).unwrap();
    if is_authority {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(above.map_or(&key, |above| &above.key), MessageDigest::sha256()).unwrap();
    Pair { certificate: builder.build(), key }
}

/// A door that speaks TLS with this certificate and answers every request as a live server does. Gives its port.
pub fn tls_door(shown: &Pair, chain: &[&Pair]) -> u16 {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&shown.certificate).unwrap();
    builder.set_private_key(&shown.key).unwrap();
    for above in chain {
        builder.add_extra_chain_cert(above.certificate.clone()).unwrap();
    }
    let acceptor = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It goes with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(mut stream) = acceptor.accept(stream) {
                let mut asked = [0; 1000];
                if stream.read(&mut asked).is_ok_and(|length| length > 0) {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"));
                }
            }
        }
    });
    port
}

/// A mail server without encryption that takes no mail. Gives its port.
pub fn mail_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever was refused goes away in the middle of a word.
            drop(talk(&stream));
        }
    });
    port
}

fn talk(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.write_all(b"220 mail.example.org\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" => "250 mail.example.org\r\n",
            "NOOP" => "250 still here\r\n",
            "QUIT" => "221 bye\r\n",
            other => panic!("a doctor sends no mail: {other}"),
        };
        (&mut stream).write_all(answer.as_bytes())?;
    }
    Ok(())
}

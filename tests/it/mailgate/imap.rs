//! A mail client that speaks IMAP over TLS.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};

/// Longer than Dovecot keeps somebody waiting who gave a wrong password.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session of somebody who has signed in.
pub struct Imap {
    stream: BufReader<SslStream<TcpStream>>,
}

impl Imap {
    /// Signs in.
    ///
    /// # Errors
    /// What the server answered, where that was no.
    pub fn sign_in(port: u16, user: &str, password: &str) -> Result<Self, String> {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
        // Whom it speaks to is not what is tested here.
        connector.set_verify(SslVerifyMode::NONE);
        let stream = connector.build().connect("localhost", socket).unwrap();
        let mut imap = Self { stream: BufReader::new(stream) };
        assert!(imap.line().starts_with("* OK"), "a greeting comes first");
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let answer = imap.ask(&format!("LOGIN {} {}", quoted(user), quoted(password)));
        let last = answer.last().unwrap().clone();
        if last.starts_with("a OK") { Ok(imap) } else { Err(last) }
    }

    /// The text of the first mail of the inbox.
    pub fn first_mail(&mut self) -> String {
        assert!(self.ask("SELECT INBOX").last().unwrap().starts_with("a OK"));
        let answer = self.ask("FETCH 1 BODY[]");
        assert!(answer.last().unwrap().starts_with("a OK"), "{answer:?}");
        answer.join("\n")
    }

    /// Waits until the server ends the session.
    pub fn wait_until_ended(&mut self) {
        loop {
            let mut line = String::new();
            // Dovecot says BYE and closes the connection; a reset is as good an end.
            match self.stream.read_line(&mut line) {
                Ok(0) => return,
                Ok(_) if line.starts_with("* BYE") => return,
                Ok(_) => {}
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the session did not end");
                    return;
                }
            }
        }
    }

    /// Whether the session is still there.
    pub fn is_alive(&mut self) -> bool {
        let sent = self.stream.get_mut().write_all(b"a NOOP\r\n");
        let mut line = String::new();
        sent.is_ok() && self.stream.read_line(&mut line).is_ok() && line.starts_with("a OK")
    }

    fn ask(&mut self, command: &str) -> Vec<String> {
        self.stream.get_mut().write_all(format!("a {command}\r\n").as_bytes()).unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let is_last = line.starts_with("a ");
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.stream.read_line(&mut line).unwrap();
        assert_ne!(length, 0, "the server closed the connection");
        line.trim_end().to_owned()
    }
}

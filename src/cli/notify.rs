//! Tells systemd how the server is: one datagram for each word (`sd_notify`). Without systemd nothing is said.

use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

/// The line to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The line that the environment names, if it names one.
    #[must_use]
    pub fn from_environment() -> Self {
        let name = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
        let watchdog = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Self::new(&name, watchdog)
    }

    fn new(name: &str, watchdog: Option<Duration>) -> Self {
        // A name that begins with @ is one that no file stands for.
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(name),
        };
        let socket = match (name.is_empty(), address, UnixDatagram::unbound()) {
            (false, Ok(address), Ok(socket)) => Some((socket, address)),
            _ => None,
        };
        Self { socket, watchdog: watchdog.filter(|every| !every.is_zero()) }
    }

    /// The server answers requests.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=Serving");
    }

    /// The server was told to stop.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Finishing the requests that are under way");
    }

    /// Says again and again that the server is alive, if somebody wants to know, for as long as this is polled.
    pub async fn stay_alive(&self) {
        let Some(every) = self.watchdog else { return std::future::pending().await };
        let mut ticks = tokio::time::interval(every / 2);
        loop {
            ticks.tick().await;
            self.say("WATCHDOG=1");
        }
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(words.as_bytes(), address)
        {
            tracing::debug!(error = %error, "systemd could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_at_a_name_without_a_file() {
        let name = format!("enlist-test-{}", uuid::Uuid::new_v4());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::new(&format!("@{name}"), None).ready();
        let mut said = [0; 100];
        let length = socket.recv(&mut said).unwrap();
        assert_eq!(&said[..length], b"READY=1\nSTATUS=Serving");
    }

    #[test]
    fn without_a_name_nothing_is_said() {
        let notifier = Notifier::new("", None);
        assert!(notifier.socket.is_none());
        notifier.ready();
    }
}

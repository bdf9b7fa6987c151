//! HTTP written by hand, so that it can be wrong.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long an answer is waited for. Cutting off a silent client takes the server about ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server said.
#[derive(Debug)]
pub struct Said {
    /// The status; none where the connection was closed without one.
    pub status: Option<u16>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request of these parts, whose length is told truly.
pub fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Sends bytes, closes this side and reads until the other side closes.
pub async fn send(port: u16, bytes: &[u8]) -> Said {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
    let (mut reader, mut writer) = stream.into_split();
    let write = async {
        // A server that has heard enough closes; what it said before counts.
        drop(writer.write_all(bytes).await);
        drop(writer.flush().await);
    };
    let mut heard = Vec::new();
    let read = async {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = reader.read(&mut piece).await {
            heard.extend_from_slice(&piece[..count]);
            if is_whole(&heard) {
                break;
            }
        }
    };
    // Nobody waits for what is still to be written once the answer is there.
    let both = async {
        tokio::pin!(read);
        tokio::select! { () = &mut read => {} () = write => read.await }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("the server answers or closes");
    let start = heard.windows(4).position(|window| window == b"\r\n\r\n").map_or(heard.len(), |at| at + 4);
    let status = std::str::from_utf8(heard.get(9..12).unwrap_or_default()).ok().and_then(|text| text.parse().ok());
    Said { status, body: heard[start..].to_vec() }
}

/// Whether an answer is there with all of its body.
fn is_whole(heard: &[u8]) -> bool {
    let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&heard[..end]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).and_then(|value| value.trim().parse::<usize>().ok());
    length.is_some_and(|length| heard.len() >= end + 4 + length)
}

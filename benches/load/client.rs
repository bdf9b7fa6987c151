//! The smallest HTTP/1.1 client that can keep a server busy: requests are made beforehand and sent as they are, on connections
//! that stay open, each connection having one request under way.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// How long an answer is waited for before the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers are no longer than this, in bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// Writes a request with these header lines and this body.
    #[must_use]
    pub fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self([head.as_bytes(), body].concat())
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// What came of a load: how long it took, how long each request took, and the answers where they were kept.
#[derive(Debug, Default)]
pub struct Load {
    /// From the first request to the last answer.
    pub took: Duration,
    /// Each request.
    pub latencies: Vec<Duration>,
    /// For each conversation its answers, if they were kept.
    pub answers: Vec<Vec<Answer>>,
}

/// Where the server is, and how many connections are held to it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its port on this machine.
    pub port: u16,
    /// How many connections.
    pub connections: usize,
}

impl Target {
    /// Has all these conversations, each in order and on one connection, as many at a time as there are connections.
    ///
    /// # Errors
    /// The server hung up, or answered anything but success.
    pub async fn drive(self, conversations: &[Vec<&Request>], is_kept: bool) -> anyhow::Result<Load> {
        let mut lines: Vec<Box<dyn Line>> = Vec::new();
        for _ in 0..self.connections.min(conversations.len()) {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.context("the server takes no connection")?;
            stream.set_nodelay(true)?;
            lines.push(Box::new(stream));
        }
        drive_over(lines, conversations, is_kept).await
    }

    /// One request of its own.
    ///
    /// # Errors
    /// Those of [`Self::drive`].
    pub async fn ask(self, request: &Request) -> anyhow::Result<Vec<u8>> {
        let mut load = Self { connections: 1, ..self }.drive(&[vec![request]], true).await?;
        Ok(load.answers.pop().and_then(|mut answers| answers.pop()).unwrap_or_default().body)
    }
}

/// Has all these conversations on these connections, which are closed afterwards.
///
/// # Errors
/// Those of [`Target::drive`].
pub async fn drive_over(lines: Vec<Box<dyn Line>>, conversations: &[Vec<&Request>], is_kept: bool) -> anyhow::Result<Load> {
    let shared = Shared {
        conversations,
        next: Cell::new(0),
        latencies: RefCell::new(Vec::with_capacity(conversations.len().saturating_mul(2))),
        answers: RefCell::new(if is_kept { vec![Vec::new(); conversations.len()] } else { Vec::new() }),
    };
    let began = Instant::now();
    try_join_all(lines.into_iter().map(|line| shared.converse(line))).await?;
    Ok(Load { took: began.elapsed(), latencies: shared.latencies.into_inner(), answers: shared.answers.into_inner() })
}

/// A connection, with TLS or without.
pub trait Line: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Line for T {}

/// What the connections share.
struct Shared<'a> {
    conversations: &'a [Vec<&'a Request>],
    next: Cell<usize>,
    latencies: RefCell<Vec<Duration>>,
    answers: RefCell<Vec<Vec<Answer>>>,
}

impl Shared<'_> {
    /// Takes one conversation after the other until there are none.
    async fn converse(&self, mut stream: Box<dyn Line>) -> anyhow::Result<()> {
        let mut buffer = Vec::with_capacity(16 * 1024);
        loop {
            let place = self.next.replace(self.next.get().saturating_add(1));
            let Some(conversation) = self.conversations.get(place) else { return Ok(()) };
            for request in conversation {
                let began = Instant::now();
                stream.write_all(&request.0).await?;
                let answer = tokio::time::timeout(PATIENCE, read_answer(&mut stream, &mut buffer)).await.context("no answer came")??;
                self.latencies.borrow_mut().push(began.elapsed());
                if !(200..300).contains(&answer.status) {
                    bail!("the server answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
                }
                if let Some(kept) = self.answers.borrow_mut().get_mut(place) {
                    kept.push(answer);
                }
            }
        }
    }
}

/// Reads one answer; with one request under way nothing follows it.
async fn read_answer(stream: &mut Box<dyn Line>, buffer: &mut Vec<u8>) -> anyhow::Result<Answer> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server hung up");
        }
        if let Some(answer) = parse(buffer)? {
            return Ok(answer);
        }
        if buffer.len() > LONGEST_ANSWER {
            bail!("an answer is too long");
        }
    }
}

/// The answer, if all of it is there.
fn parse(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, rest) = bytes.split_at(end);
    let body = rest.get(4..).unwrap_or_default();
    let head = std::str::from_utf8(head).context("an answer's head is not text")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer has no status")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = if status == 204 { 0 } else { length.context("an answer does not say how long it is")? };
    Ok((body.len() >= length).then(|| Answer { status, body: body.to_vec() }))
}

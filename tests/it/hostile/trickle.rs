//! Clients that take their time: two hundred who send a byte a second, and somebody in a hurry.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Siege;

const SLOW: usize = 200;
/// When a slow client must have been cut off.
const END: Duration = Duration::from_secs(30);

/// Sends this beginning and then a byte a second; gives how long the server put up with it.
async fn trickle(port: u16, beginning: &'static str) -> Duration {
    let began = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let mut heard = [0; 1024];
    loop {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut heard)).await {
            // An answer is as good as an end: what counts is that nobody waits for this body any more.
            Ok(_) => return began.elapsed(),
            Err(_) if began.elapsed() > END => return began.elapsed(),
            Err(_) => drop(stream.write_all(b"A").await),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_hold_nobody_up() {
    let mut siege = Siege::new().await;
    let port = siege.installation.port();
    let beginnings = [
        "PUT /mdm/checkin HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-apple-aspen-mdm-checkin\r\nContent-Length: 100000\r\n\r\n",
        "PUT /mdm/connect HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-apple-aspen-mdm\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n",
        "POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
        "PUT /mdm/checkin HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    ];
    let slow: Vec<_> = (0..SLOW).map(|number| tokio::spawn(trickle(port, beginnings[number % beginnings.len()]))).collect();
    let mut times = Vec::new();
    while times.len() < 20 {
        let began = Instant::now();
        siege.phone.poll().await.unwrap();
        times.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times.sort();
    // The median: a machine that does much else may keep one of them waiting.
    assert!(times[times.len() / 2] < Duration::from_millis(500), "{times:?}");
    for client in slow {
        let held = client.await.unwrap();
        assert!(held < END, "a slow client was put up with for {held:?}");
    }
    assert!(siege.server.is_running());
    siege.phone.poll().await.unwrap();
}

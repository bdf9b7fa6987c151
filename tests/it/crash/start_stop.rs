//! Servers that are told to stop, and servers that meet.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{
    database::Database,
    every_backend,
    process::{Installation, free_port},
};

const IN_FLIGHT: usize = 50;

every_backend!(requests_in_flight_are_answered_when_the_server_is_told_to_stop);

async fn requests_in_flight_are_answered_when_the_server_is_told_to_stop(database: Database) {
    let installation = Installation::new(database);
    let mut server = installation.start().await;
    let mut phone = installation.api().phone("phone@example.org").await;
    phone.enroll().await.unwrap();
    let body = phone.idle_request().unwrap();
    let head = format!(
        "PUT /mdm/connect HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-apple-aspen-mdm\r\nMdm-Signature: {}\r\nContent-Length: {}\r\n\r\n",
        phone.sign(&body).unwrap(),
        body.len()
    );
    let (begin, rest) = body.split_at(body.len() / 2);
    let mut streams = Vec::new();
    for _ in 0..IN_FLIGHT {
        let mut stream = TcpStream::connect(("127.0.0.1", installation.port())).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(begin).await.unwrap();
        streams.push(stream);
    }
    // Every thread of the server has taken up its connections once it has answered somebody who came later.
    for _ in 0..8 {
        server.wait_until_ready().await;
    }
    server.terminate();
    let told = Instant::now();
    while TcpStream::connect(("127.0.0.1", installation.port())).await.is_ok() {
        assert!(told.elapsed() < Duration::from_secs(10), "new connections are still taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for mut stream in streams {
        stream.write_all(rest).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
    assert_eq!(server.wait().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(25), "stopping took {:?}", told.elapsed());

    let _again = installation.start().await;
    phone.poll().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_can_start_at_once_on_an_empty_postgresql() {
    let installation = Installation::bare(Database::empty_postgres());
    let ports = [installation.port(), free_port(), free_port()];
    let servers = ports.map(|port| installation.launch(port));
    for server in &servers {
        server.wait_until_ready().await;
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut authorities = Vec::new();
    for port in ports {
        let url = format!("http://127.0.0.1:{port}/pki/ca.pem");
        authorities.push(client.get(url).send().await.unwrap().text().await.unwrap());
    }
    assert!(authorities[0].contains("BEGIN CERTIFICATE"));
    assert!(authorities.iter().all(|one| *one == authorities[0]), "the servers are different authorities");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_a_sqlite_file_leaves_with_a_message() {
    let installation = Installation::new(Database::sqlite());
    let mut server = installation.start().await;
    let output = installation.command_on(free_port(), &["serve"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another server is running on the database"), "{said}");
    assert!(server.is_running());
    server.wait_until_ready().await;
}

//! What the server tells systemd, on a socket as systemd has it.

use std::{os::unix::net::UnixDatagram, process::Stdio, time::Duration};

use crate::harness::{database::Database, process::Installation};

fn hear(socket: &UnixDatagram) -> String {
    let mut said = [0; 200];
    let length = socket.recv(&mut said).expect("the server says something");
    String::from_utf8(said[..length].to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_when_the_server_is_ready_alive_and_about_to_stop() {
    let installation = Installation::new(Database::sqlite());
    let path = installation.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = installation.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();

    assert!(hear(&socket).starts_with("READY=1\n"));
    // Ready means that it answers now, not soon.
    let url = format!("http://127.0.0.1:{}/readyz", installation.port());
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for _ in 0..3 {
        assert_eq!(hear(&socket), "WATCHDOG=1");
    }
    assert!(std::process::Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap().success());
    let last = loop {
        let said = hear(&socket);
        if said != "WATCHDOG=1" {
            break said;
        }
    };
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    assert_eq!(tokio::task::spawn_blocking(move || server.wait().unwrap().code()).await.unwrap(), Some(0));
}

//! What strangers make up is refused before it costs anything that others wait for: the database's few connections, its transactions,
//! and the log.

use enlist::http::portal::limit::REQUESTS_PER_MINUTE;
use openssl::rand::rand_bytes;
use reqwest::Client;
use serde_json::json;

use super::{ask, client, server};
use crate::harness::{app::TestApp, database::Database, every_backend};

every_backend!(
    cookies_and_tickets_that_were_made_up_never_reach_the_database,
    spending_tickets_and_following_links_is_limited,
    a_mail_server_shows_its_key_before_its_question_is_read,
);

/// Something that looks like a secret of ours: 43 characters, new each time.
fn made_up() -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = [0; 32];
    rand_bytes(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Comes with a ticket to the very host of the server.
async fn call_back(app: &TestApp, client: &Client, ticket: &str) -> u16 {
    let address = format!("{}/.enlist/callback?ticket={ticket}&to=%2F", app.address());
    client.get(address).send().await.unwrap().status().as_u16()
}

async fn cookies_and_tickets_that_were_made_up_never_reach_the_database(db: Database) {
    let app = server(db).await;
    // Whoever asked these tables would fail, and then the gate does without the database for everybody.
    app.database.tamper("ALTER TABLE gate_cookies RENAME TO cookies_away");
    app.database.tamper("ALTER TABLE gate_tickets RENAME TO tickets_away");
    for _ in 0..5 {
        let cookie = format!("enlist-gate={}", made_up());
        let headers = [("x-forwarded-host", "app.example.com"), ("x-forwarded-proto", "http"), ("cookie", cookie.as_str())];
        let reply = ask(&app, "", &headers).await;
        assert_eq!((reply.status, reply.header("x-enlist-reason")), (401, "unenrolled"));
        assert_eq!(call_back(&app, &client(), &made_up()).await, 403);
    }
}

async fn spending_tickets_and_following_links_is_limited(db: Database) {
    let app = server(db).await;
    let client = client();
    for _ in 0..REQUESTS_PER_MINUTE {
        assert_eq!(call_back(&app, &client, "x").await, 403);
    }
    assert_eq!(call_back(&app, &client, "x").await, 429);
    for path in ["/l/x", "/l/x/go"] {
        assert_eq!(client.get(format!("{}{path}", app.address())).send().await.unwrap().status(), 429, "{path}");
    }
    // The gate itself is asked as often as there are requests.
    assert_eq!(ask(&app, "", &[]).await.status, 401);
    app.clock.advance_seconds(60);
    assert_eq!(call_back(&app, &client, "x").await, 403);
}

async fn a_mail_server_shows_its_key_before_its_question_is_read(db: Database) {
    let app = server(db).await;
    app.admin().post("/mail-access/keys", &json!({})).await.expect(201);
    let address = format!("{}/gate/v1/mail/dovecot?command=allow", app.address());
    for body in ["nonsense", "{}", ""] {
        let request = client().post(&address).bearer_auth("enlist_mail_forged").body(body);
        assert_eq!(request.send().await.unwrap().status(), 401, "{body:?}");
    }
    app.work().await;
}

//! Backups that go from one database to the other, and from an older schema to the present one.

use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::MigrationHarness;
use enlist::{
    pki::seal::SealKey,
    simulator::{browser::Surfer, mailbox::Mailbox, transport::Trust},
    store::migrate,
};
use reqwest::{Method, Url};

use super::{PASSPHRASE, back_up, empty_like, must_be_whole, restore, rows, said};
use crate::{
    browsers::files::arrived::arrived_in,
    harness::{database::Database, every_backend, process::Installation},
};

every_backend!(
    a_backup_moves_from_one_database_to_the_other,
    a_protected_file_moves_with_a_backup_and_is_released_there,
    a_backup_of_an_older_schema_is_brought_up_to_date,
);

async fn a_backup_moves_from_one_database_to_the_other(database: Database) {
    let source = Installation::new(database);
    let server = source.start().await;
    let mut phone = source.api().phone("ada@example.org").await;
    phone.enroll().await.unwrap();
    phone.poll().await.unwrap();
    let odd = serde_json::json!({ "email": "odd@example.org", "name": "Ünï \\x41 \"quoted\" 🙂 '' $1" });
    let user: serde_json::Value = serde_json::from_slice(&source.api().post("users", &odd).await.unwrap()).unwrap();
    let user = user["id"].as_str().unwrap();
    source.api().post(&format!("users/{user}/invitation"), &serde_json::json!({ "ownership": "company" })).await.unwrap();
    server.kill();
    let file = back_up(&source, "backup");

    let elsewhere = if source.database().is_postgres() { Database::empty_sqlite() } else { Database::empty_postgres() };
    let target = source.successor(elsewhere);
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    must_be_whole(&target.database().url());
    // What a restore changes on purpose; everything else is the same to the last byte.
    let changed = ["audit", "audit_head", "jobs", "mails"];
    let (before, after) = (rows(&source.database().url()), rows(&target.database().url()));
    assert!(before.len() > 10);
    for ((name, before), (same_name, after)) in before.iter().zip(&after) {
        assert_eq!(name, same_name);
        if !changed.contains(&name.as_str()) {
            assert_eq!(before, after, "{name}");
        }
    }
    let length = |rows: &[(String, Vec<serde_json::Value>)]| rows.iter().find(|(name, _)| name == "audit").unwrap().1.len();
    assert_eq!(length(&before) + 1, length(&after));

    let _server = target.start().await;
    assert!(phone.poll().await.unwrap().steps.is_empty(), "the phone has answered everything already");
}

async fn a_protected_file_moves_with_a_backup_and_is_released_there(database: Database) {
    let source = Installation::new(database);
    let server = source.start().await;
    source.api().create_user("ada@example.org").await;
    let content: Vec<u8> = (0..300_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let admin = source.admin();
    let made = admin.send(admin.request(Method::POST, "/links/files?name=plan.bin").body(content.clone())).await.expect(201);
    server.kill();
    let file = back_up(&source, "backup");

    let elsewhere = if source.database().is_postgres() { Database::empty_sqlite() } else { Database::empty_postgres() };
    let target = source.successor(elsewhere);
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    let kept = |of: &Installation| {
        let all = rows(&of.database().url());
        all.into_iter().filter(|(name, _)| name.starts_with("protected_")).collect::<Vec<_>>()
    };
    let before = kept(&source);
    assert_eq!(before.iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [5, 1, 1], "pieces, file, link");
    assert_eq!(before, kept(&target));

    let _server = target.start().await;
    let outbox = target.folder().join("outbox");
    let mailbox = Mailbox::new(&outbox, Duration::from_secs(30));
    let surfer = Surfer::numbered(0, &Trust::System, target.base(), mailbox, "ada@example.org").unwrap();
    let visited = surfer.visit(Url::parse(made["url"].as_str().unwrap()).unwrap()).await.unwrap();
    assert!(surfer.ask_for_file(&visited.page).await.unwrap().is_some(), "{}", visited.page.text);
    let began = Instant::now();
    while arrived_in(&outbox).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "no mail brings the file");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mails = arrived_in(&outbox);
    assert!(mails[0].bytes == content && mails[0].to == "ada@example.org" && mails[0].name == "plan.bin");
}

async fn a_backup_of_an_older_schema_is_brought_up_to_date(database: Database) {
    let source = Installation::bare(database);
    SealKey::load_or_create(&source.folder().join("secret.key")).unwrap();
    // The step that came last is undone: what is there now is an older database.
    if source.database().is_postgres() {
        PgConnection::establish(source.database().url_text()).unwrap().revert_last_migration(migrate::POSTGRES).unwrap();
    } else {
        let path = source.database().path().display().to_string();
        SqliteConnection::establish(&path).unwrap().revert_last_migration(migrate::SQLITE).unwrap();
    }
    source.database().tamper("INSERT INTO settings (key, value, updated_at) VALUES ('kept', '1', 5)");
    let file = back_up(&source, "backup");
    let target = Installation::bare(empty_like(source.database()));
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    let url = target.database().url();
    assert!(enlist::store::write_once::<_, enlist::store::Error>(&url, |tx| migrate::is_current(tx)).unwrap());
    let settings = rows(&url).into_iter().find(|(name, _)| name == "settings").unwrap().1;
    assert_eq!(settings, [serde_json::json!({ "key": "kept", "value": "1", "updated_at": 5 })]);
}

//! Problems of the database, the keys, the clock and the machine.

use std::{os::unix::fs::PermissionsExt, process::Command};

use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_migrations::MigrationHarness;
use enlist::{
    domain::time::{Clock, SystemClock},
    store::migrate,
};

use super::{Findings, Patient};
use crate::harness::{
    apns,
    database::Database,
    every_backend,
    postgres::{Cluster, Durability},
    process::{Installation, free_port},
};

every_backend!(
    a_database_that_is_not_there_or_not_migrated_is_found,
    keys_that_are_missing_open_to_all_or_foreign_are_found,
    certificates_of_the_server_that_end_are_found,
    a_push_certificate_that_ends_is_found,
    work_that_nobody_does_is_found
);

async fn a_database_that_is_not_there_or_not_migrated_is_found(database: Database) {
    let is_postgres = database.is_postgres();
    let patient = Patient::new(database);
    if is_postgres {
        PgConnection::establish(patient.database.url_text()).unwrap().revert_last_migration(migrate::POSTGRES).unwrap();
    } else {
        let path = patient.database.path().display().to_string();
        SqliteConnection::establish(&path).unwrap().revert_last_migration(migrate::SQLITE).unwrap();
    }
    patient.must_have("database", "lacks steps of migration", "start the server");
    patient.database.tamper("INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')");
    patient.must_have("database", "newer version", "install that version");

    let nowhere = if is_postgres { "postgres://nobody@127.0.0.1:1/none" } else { "sqlite:/nowhere/enlist.db" };
    let lost = patient.with("database-url", nowhere);
    let found = lost.examine();
    found.must_have("database", "cannot be reached", "database-url");
    for dependent in ["clock", "authorities", "jobs"] {
        assert!(found.of(dependent)["text"].as_str().unwrap().starts_with("not checked"), "{}", found.of(dependent));
    }
}

async fn keys_that_are_missing_open_to_all_or_foreign_are_found(database: Database) {
    let patient = Patient::new(database);
    let path = patient.folder.path().join("secret.key");
    assert_eq!(patient.examine().of("secret key")["state"], "ok");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    patient.must_have("secret key", "can be read by others", "chmod 600");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "cd".repeat(32)).unwrap();
    patient.must_have("secret key", "does not open the secrets", "backup");
    std::fs::write(&path, "changeme").unwrap();
    patient.must_have("secret key", "64 hexadecimal digits", "backup");
    std::fs::remove_file(&path).unwrap();
    patient.must_have("secret key", "cannot be read", "backup");
    assert!(!path.exists(), "looking must change nothing");
}

async fn certificates_of_the_server_that_end_are_found(database: Database) {
    let patient = Patient::new(database);
    assert_eq!(patient.examine().of("authorities")["state"], "ok");
    patient.database.tamper("UPDATE authorities SET not_after = 1000 WHERE kind = 'profile_signer'");
    patient.must_have("authorities", "profile_signer ends on 1970", "start the server");
    patient.database.tamper("UPDATE authorities SET not_after = created_at + 25920000000 WHERE kind = 'device_ca'");
    patient.database.tamper("UPDATE authorities SET not_after = created_at + 25920000000 WHERE kind = 'profile_signer'");
    patient.must_have("authorities", "the device CA ends on", "enroll again");
}

async fn a_push_certificate_that_ends_is_found(database: Database) {
    let patient = Patient::new(database);
    let without = patient.examine();
    assert_eq!(without.of("push")["state"], "note", "{}", without.report);
    for (days, state, text) in [(90, "ok", "is good for"), (5, "wrong", "The push certificate ends on")] {
        let now = SystemClock.now();
        let identity = apns::certificate_between(apns::TOPIC, now.plus_days(-1), now.plus_days(days));
        let file = patient.folder.path().join("push.pem");
        std::fs::write(&file, apns::pem(&identity)).unwrap();
        let imported = patient.command(&["apns", "import"]).arg(&file).output().unwrap();
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let found = patient.examine();
        assert_eq!(found.of("push")["state"], state, "{}", found.report);
        assert!(found.of("push")["text"].as_str().unwrap().contains(text), "{}", found.report);
    }
    patient.must_have("push", "Renew it", "enlist apns import");
}

async fn work_that_nobody_does_is_found(database: Database) {
    let is_postgres = database.is_postgres();
    let patient = Patient::new(database);
    let insert = |byte: &str, kind: &str, dead_at: &str| {
        let id = if is_postgres { format!("decode(repeat('{byte}', 16), 'hex')") } else { format!("unhex('{}')", byte.repeat(16)) };
        patient.database.tamper(&format!(
            "INSERT INTO jobs (id, kind, key, payload, run_at, attempts, lease_until, is_enqueued_again, last_error, dead_at, created_at) \
             VALUES ({id}, '{kind}', '{kind}{byte}', '{{}}', 1000, 1, NULL, FALSE, 'the mail server said no', {dead_at}, 1000)"
        ));
    };
    assert_eq!(patient.examine().of("jobs")["state"], "ok");
    insert("01", "mail", "NULL");
    patient.must_have("jobs", "due since 1970", "start the server");
    insert("02", "mail", "2000");
    patient.must_have("jobs", "1 job(s) were given up; the last one because: the mail server said no", "order again");
}

#[test]
fn postgresql_that_loses_what_it_acknowledged_is_found_and_a_careful_one_is_not() {
    // That of the tests is careless for the sake of speed.
    Patient::new(Database::postgres()).must_have("database", "fsync and full_page_writes and synchronous_commit off", "postgresql.conf");

    let cluster = Cluster::start(Durability::Full);
    let url = cluster.url("postgres");
    migrate::forward(&url.parse().unwrap()).unwrap();
    let careful = Patient::new(Database::sqlite()).with("database-url", url);
    let found = careful.examine();
    assert_eq!(found.of("database")["state"], "ok", "{}", found.of("database"));
}

#[test]
fn rows_that_point_nowhere_are_found() {
    let patient = Patient::new(Database::sqlite());
    patient.database.tamper("PRAGMA foreign_keys = OFF; INSERT INTO group_members (group_id, user_id) VALUES (x'01', x'02')");
    patient.must_have("database", "is damaged", "restore the last backup");
}

/// Looks with another idea of the time.
fn examine_at(patient: &Patient, shift: &str) -> Findings {
    let told = patient.command(&["doctor", "--json"]);
    let mut command = Command::new("faketime");
    command.env_clear().env("PATH", "/usr/bin:/bin").args(["-f", shift]).arg(told.get_program()).args(told.get_args());
    command.current_dir(patient.folder.path());
    Findings::read(command)
}

#[test]
fn a_clock_that_is_wrong_is_found() {
    let apart = Patient::new(Database::postgres());
    assert_eq!(apart.examine().of("clock")["state"], "ok");
    examine_at(&apart, "+300s").must_have("clock", "and the database says", "chrony");
    let back = Patient::new(Database::sqlite());
    examine_at(&back, "-2d").must_have("clock", "was written at", "set the clock right");
}

#[test]
fn a_disk_that_is_full_is_found() {
    // A file system on which nothing is ever free.
    let patient = Patient::new(Database::postgres());
    let key = patient.folder.path().join("secret.key").display().to_string();
    let patient = patient.with("data-dir", "/proc").with("secret-key-file", key);
    patient.must_have("disk", "only 0 MB are free", "make room");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_file_are_found() {
    let installation = Installation::new(Database::sqlite());
    let examine = || Findings::read(installation.command(&["doctor", "--json"]));
    assert_eq!(examine().of("instance")["state"], "note");
    let _first = installation.start().await;
    assert_eq!(examine().of("instance")["state"], "ok");
    std::fs::remove_file(format!("{}-server", installation.database().path().display())).unwrap();
    let _second = installation.start_on(free_port()).await;
    examine().must_have("instance", "2 servers run on this database", "stop all but one");
}

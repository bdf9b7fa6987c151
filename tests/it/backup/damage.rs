//! Files that must not be restored, and places into which nothing may be restored.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{PASSPHRASE, back_up, empty_like, restore, rows, said};
use crate::harness::{database::Database, every_backend, process::Installation};

const HEAD: usize = 60;
const CHUNK: usize = 64 * 1024 + 16;

every_backend!(
    a_damaged_or_foreign_file_is_refused_and_leaves_nothing_behind,
    a_place_that_is_in_use_is_left_as_it_is,
    a_backup_of_a_newer_schema_is_refused,
    a_restore_that_was_cut_off_is_completed_by_the_same_command,
    a_restore_that_dies_at_any_moment_can_be_repeated,
    a_backup_needs_the_right_key_and_a_good_passphrase
);

/// An installation with enough in it for several chunks.
fn filled(database: Database) -> Installation {
    let installation = Installation::new(database);
    let filler = "0123456789abcdef".repeat(15_000);
    installation.database().tamper(&format!("INSERT INTO settings (key, value, updated_at) VALUES ('filler', '\"{filler}\"', 0)"));
    installation
}

/// The files of a folder, without the lock that says that somebody looked.
fn left_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "damaged").collect()
}

async fn a_damaged_or_foreign_file_is_refused_and_leaves_nothing_behind(database: Database) {
    let source = filled(database);
    let whole = fs::read(back_up(&source, "backup")).unwrap();
    assert!(whole.len() > HEAD + 3 * CHUNK, "{}", whole.len());
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let (head, body) = whole.split_at(HEAD);
    let mut chunks: Vec<&[u8]> = body.chunks(CHUNK).collect();
    chunks.swap(0, 1);
    let reordered = [head, &chunks.concat()].concat();
    let left_out = [head, &body[CHUNK..]].concat();
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (whole.clone(), "another long passphrase", "the passphrase is not the one"),
        (flipped(HEAD + 10), PASSPHRASE, "is damaged or was changed: part 1"),
        (flipped(HEAD + CHUNK + 10), PASSPHRASE, "is damaged or was changed: part 2"),
        (flipped(whole.len() - 1), PASSPHRASE, "is damaged or was changed"),
        (flipped(30), PASSPHRASE, "the passphrase is not the one"),
        (reordered, PASSPHRASE, "is damaged or was changed: part 1"),
        (left_out, PASSPHRASE, "is damaged or was changed: part 1"),
        (whole[..HEAD + 2 * CHUNK].to_vec(), PASSPHRASE, "its end is missing"),
        (whole[..whole.len() - 3].to_vec(), PASSPHRASE, "is damaged or was changed"),
        (whole[..40].to_vec(), PASSPHRASE, "its end is missing"),
        (b"SQLite format 3\0 and so on".to_vec(), PASSPHRASE, "not a backup of enlist"),
        (Vec::new(), PASSPHRASE, "not a backup of enlist"),
    ];
    let target = Installation::bare(empty_like(source.database()));
    for (number, (bytes, passphrase, reason)) in cases.into_iter().enumerate() {
        let file = target.folder().join("damaged");
        fs::write(&file, bytes).unwrap();
        let output = restore(&target, &file, passphrase);
        assert_eq!(output.status.code(), Some(1), "{number}");
        assert!(said(&output).contains(reason) && said(&output).lines().count() == 1, "{number}: {}", said(&output));
        assert_eq!(left_in(target.folder()), Vec::<String>::new(), "{number}");
        if !target.database().is_postgres() {
            assert!(!target.database().path().exists(), "{number}");
        }
    }
    fs::write(target.folder().join("damaged"), &whole).unwrap();
    let output = restore(&target, &target.folder().join("damaged"), PASSPHRASE);
    assert!(output.status.success(), "the place must be as good as before: {}", said(&output));
}

async fn a_place_that_is_in_use_is_left_as_it_is(database: Database) {
    let source = Installation::new(database);
    let file = back_up(&source, "backup");
    let before = rows(&source.database().url());
    let output = restore(&source, &file, PASSPHRASE);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is in use already"), "{}", said(&output));
    assert_eq!(rows(&source.database().url()), before);

    // Somebody serves an empty database at the moment.
    let target = Installation::bare(empty_like(source.database()));
    let server = target.start().await;
    let output = restore(&target, &file, PASSPHRASE);
    assert_eq!(output.status.code(), Some(1));
    let reason = if target.database().is_postgres() { "other connection(s)" } else { "another server is running" };
    assert!(said(&output).contains(reason), "{}", said(&output));
    server.kill();

    // What that server has put there by itself does not count; its key is set aside.
    let old_key = fs::read_to_string(target.folder().join("secret.key")).unwrap();
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    let key = target.folder().join("secret.key");
    assert_eq!(fs::read_to_string(&key).unwrap(), fs::read_to_string(source.folder().join("secret.key")).unwrap());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(target.folder().join("secret.key.before-restore")).unwrap(), old_key);
    target.start().await;
}

async fn a_restore_that_was_cut_off_is_completed_by_the_same_command(database: Database) {
    let source = Installation::new(database);
    let (file, other) = (back_up(&source, "backup"), back_up(&source, "another"));
    let target = Installation::bare(empty_like(source.database()));
    assert!(restore(&target, &file, PASSPHRASE).status.success());
    let key = target.folder().join("secret.key");
    let right = fs::read_to_string(&key).unwrap();
    let before = rows(&target.database().url());
    // So it is left where the power fails after the commit: with no key, or with the one of the empty server before.
    for wrong in [None, Some("ab".repeat(32))] {
        fs::remove_file(&key).unwrap();
        if let Some(wrong) = &wrong {
            fs::write(&key, wrong).unwrap();
        }
        let refused = restore(&target, &other, PASSPHRASE);
        assert!(said(&refused).contains("is in use already"), "another backup is none of it: {}", said(&refused));
        assert_eq!(fs::read_to_string(&key).ok(), wrong, "what fails leaves the key as it was");
        let output = restore(&target, &file, PASSPHRASE);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(fs::read_to_string(&key).unwrap(), right);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(rows(&target.database().url()), before, "only the key was missing");
    }
    assert_eq!(fs::read_to_string(target.folder().join("secret.key.before-restore")).unwrap(), "ab".repeat(32));
    assert!(left_in(target.folder()).iter().all(|name| !name.contains(".half")));
    assert!(said(&restore(&target, &file, PASSPHRASE)).contains("is in use already"), "it is complete now");
    target.start().await;
}

async fn a_restore_that_dies_at_any_moment_can_be_repeated(database: Database) {
    use std::{
        process::Stdio,
        time::{Duration, Instant},
    };
    let source = filled(database);
    let file = back_up(&source, "backup");
    let passphrase = source.folder().join("passphrase");
    fs::write(&passphrase, PASSPHRASE).unwrap();
    let words = ["restore", file.to_str().unwrap(), "--passphrase-file", passphrase.to_str().unwrap()];
    let target = Installation::bare(empty_like(source.database()));
    let began = Instant::now();
    let whole = Installation::bare(empty_like(source.database()));
    assert!(restore(&whole, &file, PASSPHRASE).status.success());
    let took = began.elapsed();
    for death in 1..=6_u32 {
        let mut child = target.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(took * death / 7).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let key = target.folder().join("secret.key");
    loop {
        let output = restore(&target, &file, PASSPHRASE);
        if output.status.success() {
            break;
        }
        // One of them may have come to its end; and PostgreSQL notices a moment later that somebody is gone.
        let is_complete = said(&output).contains("is in use already") && key.exists();
        if is_complete {
            break;
        }
        assert!(said(&output).contains("other connection(s)") && Instant::now() < deadline, "{}", said(&output));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(fs::read_to_string(&key).unwrap(), fs::read_to_string(source.folder().join("secret.key")).unwrap());
    super::must_be_whole(&target.database().url());
    target.start().await;
}

/// So it is left where a restore is killed between two steps of migration; SQLite's is made in a file beside its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_killed_between_two_steps_is_repeated() {
    let source = filled(Database::postgres());
    let file = back_up(&source, "backup");
    let target = Installation::bare(empty_like(source.database()));
    let list = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
                run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";
    target.database().tamper(list);
    target.database().tamper("CREATE TABLE another_programs (id INT)");
    assert!(said(&restore(&target, &file, PASSPHRASE)).contains("tables of another program"));
    target.database().tamper("DROP TABLE another_programs");
    target.database().tamper(include_str!("../../../migrations/postgres/2026-11-22-010000_create_settings/up.sql"));
    target.database().tamper("INSERT INTO __diesel_schema_migrations (version) VALUES ('20261122010000')");
    let output = restore(&target, &file, PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    super::must_be_whole(&target.database().url());
}

async fn a_backup_of_a_newer_schema_is_refused(database: Database) {
    let source = Installation::new(database);
    source.database().tamper("INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')");
    let file = back_up(&source, "backup");
    let target = Installation::bare(empty_like(source.database()));
    let output = restore(&target, &file, PASSPHRASE);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("made by a newer version of enlist"), "{}", said(&output));
}

async fn a_backup_needs_the_right_key_and_a_good_passphrase(database: Database) {
    let source = Installation::new(database);
    let refuse = |name: &str, passphrase: &str, reason: &str| {
        let file = source.folder().join(name);
        let output = source.run(&["backup", file.to_str().unwrap(), "--passphrase-stdin"], passphrase);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(reason), "{}", said(&output));
    };
    refuse("backup", "short", "at least 12 characters");
    // A slip of the keyboard must not cost the file that was named by mistake.
    fs::write(source.folder().join("letter.txt"), "Dear Ada, ").unwrap();
    refuse("letter.txt", PASSPHRASE, "is there already and is not a backup");
    assert_eq!(fs::read_to_string(source.folder().join("letter.txt")).unwrap(), "Dear Ada, ");
    let key = source.folder().join("secret.key");
    let right = fs::read_to_string(&key).unwrap();
    fs::write(&key, "ab".repeat(32)).unwrap();
    refuse("backup", PASSPHRASE, "does not open the secrets");
    fs::remove_file(&key).unwrap();
    refuse("backup", PASSPHRASE, "cannot be read");
    assert!(!key.exists(), "a key was made up");
    assert!(!source.folder().join("backup").exists());
    let words = source.run(&["backup", "x"], "");
    assert_eq!(words.status.code(), Some(2), "{}", said(&words));

    fs::write(&key, &right).unwrap();
    let file = back_up(&source, "backup");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&file).unwrap();
    for secret in [right.as_bytes(), b"admin@example.org", b"Acme"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "something can be read in the file");
    }
    // A second one takes the place of the first, and nothing is left beside it.
    back_up(&source, "backup");
    assert!(left_in(source.folder()).iter().all(|name| !name.contains(".half")));
    let missing = Installation::bare(empty_like(source.database()));
    let output = missing.run(&["backup", "backup", "--passphrase-stdin"], PASSPHRASE);
    assert_eq!(output.status.code(), Some(1), "there is nothing to back up");
}

//! Restores a backup into an empty place. What happened since the backup is not known there, so nothing that was under way then is
//! simply done again: wipes and retirements wait for somebody's approval, and mails, pushes and orders are withdrawn.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    authorities,
    backup::{BackupError, EndRecord, Manifest, TableRecord, half_of, kind, read_record, sync_folder},
    rollout,
};
use crate::{
    domain::{audit::Actor, time::Timestamp},
    pki::{seal::SealKey, vault::OpeningReader},
    store::{
        self, Access, Conn, DatabaseUrl, Tx,
        audit::{self, Entry},
        dump::{self, Table},
        held, migrate,
        refill::{self, Content},
        timeline,
    },
};

/// Jobs that are right whenever they are done; all others are forgotten.
const HARMLESS: [&str; 2] = [rollout::JOB, "sweep"];
/// The name of the actor where the server itself did something because of a restore.
const CAUSE: &str = "restore";

/// What is to be restored, and where.
#[derive(Debug)]
pub struct RestoreOrder<'a> {
    /// The backup.
    pub file: &'a Path,
    /// What opens it.
    pub passphrase: &'a str,
    /// The database, which must be empty.
    pub database: &'a DatabaseUrl,
    /// Where the secret key goes.
    pub key_file: &'a Path,
    /// Who does it.
    pub actor: &'a Actor,
    /// When.
    pub now: Timestamp,
}

/// What became of what was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: Timestamp,
    /// Rows that were restored.
    pub rows: u64,
    /// Devices whose wipe or retirement is held.
    pub held: usize,
    /// Orders of administrators that were withdrawn.
    pub orders: usize,
    /// Mails that will not be sent.
    pub mails: usize,
}

type Reader = OpeningReader<BufReader<File>>;

/// Restores a backup. Where it fails, the place is as it was.
///
/// # Errors
/// The file cannot be used, or the place is not empty; the text says what and why.
pub fn restore(order: &RestoreOrder<'_>) -> Result<Restored, BackupError> {
    let file = File::open(order.file).map_err(BackupError::file(order.file, "opened"))?;
    let mut reader = OpeningReader::open(BufReader::new(file), order.passphrase).map_err(BackupError::vault(order.file))?;
    // The whole file is read before anything is changed: what was damaged is found now.
    let manifest = inspect(&mut reader).map_err(|error| named(order.file, error))?;
    reader.rewind().map_err(BackupError::vault(order.file))?;
    if let Some(step) = migrate::unknown_among(&manifest.schema) {
        return Err(BackupError::refused(format!(
            "the backup was made by a newer version of enlist ({}; step {step} is not known here); install that version or a newer one",
            manifest.version
        )));
    }
    match order.database {
        DatabaseUrl::Postgres(_) => {
            must_be_empty(order.database)?;
            fill(order, order.database, &mut reader, &manifest)
        }
        DatabaseUrl::Sqlite(path) => fill_file(order, Path::new(path), &mut reader, &manifest),
    }
}

/// SQLite's file is made beside its place and put there when it is complete.
fn fill_file(order: &RestoreOrder<'_>, path: &Path, reader: &mut Reader, manifest: &Manifest) -> Result<Restored, BackupError> {
    if path.exists() {
        must_be_empty(order.database)?;
    }
    let half = half_of(path);
    let filled = remove_database(&half)
        .and_then(|()| File::create_new(&half).map(drop).map_err(BackupError::file(&half, "made")))
        .and_then(|()| fill(order, &DatabaseUrl::Sqlite(half.display().to_string()), reader, manifest))
        .and_then(|restored| {
            File::open(&half).and_then(|file| file.sync_all()).map_err(BackupError::file(&half, "written"))?;
            // A log that was left beside the name would be taken for the new file's own.
            remove_database(path)?;
            std::fs::rename(&half, path).map_err(BackupError::file(path, "put in its place"))?;
            sync_folder(path)?;
            Ok(restored)
        });
    if filled.is_err() {
        drop(remove_database(&half));
    }
    filled
}

fn remove_database(path: &Path) -> Result<(), BackupError> {
    for end in ["", "-wal", "-shm"] {
        let name = PathBuf::from(format!("{}{end}", path.display()));
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(BackupError::file(&name, "removed")(error)),
            _ => {}
        }
    }
    Ok(())
}

fn must_be_empty(url: &DatabaseUrl) -> Result<(), BackupError> {
    let mut conn = Conn::open(url, Access::Read)?;
    match refill::content(&mut conn)? {
        Content::Nothing | Content::Fresh => {}
        Content::Used => {
            return Err(BackupError::refused(
                "the database is in use already; a backup is restored into an empty one only, so that nothing is lost",
            ));
        }
        Content::Foreign => {
            return Err(BackupError::refused("the database holds tables of another program; use one of its own for enlist"));
        }
    }
    let others = refill::others_connected(&mut conn)?;
    if others > 0 {
        return Err(BackupError::refused(format!(
            "{others} other connection(s) to the database are open; stop every server that uses it first"
        )));
    }
    Ok(())
}

/// Reads a file from its first record to its last; gives what it says of itself.
fn inspect(reader: &mut Reader) -> Result<Manifest, BackupError> {
    let mut found = None;
    walk(reader, |record| {
        if let Record::Manifest(manifest) = record {
            found = Some(manifest);
        }
        Ok(())
    })?;
    found.ok_or_else(|| BackupError::refused("the backup does not say what it is"))
}

enum Record {
    Manifest(Manifest),
    Table(TableRecord),
    Rows(String),
}

/// Gives every record to the closure, in order; gives the last one.
fn walk(reader: &mut Reader, mut each: impl FnMut(Record) -> Result<(), BackupError>) -> Result<EndRecord, BackupError> {
    loop {
        let (kind, content) = read_record(reader).map_err(|error| BackupError::refused(plain(&error)))?;
        match kind {
            kind::MANIFEST => each(Record::Manifest(parse(&content)?))?,
            kind::TABLE => each(Record::Table(parse(&content)?))?,
            kind::ROWS => each(Record::Rows(String::from_utf8(content).map_err(|error| BackupError::refused(error.to_string()))?))?,
            kind::END => {
                let end = parse(&content)?;
                let mut rest = [0];
                let more = reader.read(&mut rest).map_err(|error| BackupError::refused(plain(&error)))?;
                return if more == 0 { Ok(end) } else { Err(BackupError::refused("the backup goes on after its end")) };
            }
            _ => return Err(BackupError::refused("the backup has parts that this version of enlist does not know; use a newer one")),
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(content: &[u8]) -> Result<T, BackupError> {
    serde_json::from_slice(content).map_err(|error| BackupError::refused(format!("the backup cannot be read: {error}")))
}

/// What is wrong with the file, without the layers around it.
fn plain(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        "the file is not complete: its end is missing".into()
    } else {
        error.to_string()
    }
}

fn named(path: &Path, error: BackupError) -> BackupError {
    match error {
        BackupError::Refused(why) => BackupError::Refused(format!("{}: {why}", path.display())),
        other => other,
    }
}

fn fill(order: &RestoreOrder<'_>, url: &DatabaseUrl, reader: &mut Reader, manifest: &Manifest) -> Result<Restored, BackupError> {
    refill::refill(url, &manifest.schema, |tx| {
        let rows = load(tx, reader)?;
        refill::catch_up(tx)?;
        if !audit::verify(tx)?.is_intact {
            return Err(BackupError::refused("the audit log in the backup is not as it was written"));
        }
        let restored = settle(tx, order, manifest.made_at, rows)?;
        if !refill::is_sound(tx)? {
            return Err(BackupError::refused("the rows of the backup do not fit together"));
        }
        let keys = SealKey::from_hex(&manifest.secret_key).ok_or_else(|| BackupError::refused("the backup has no usable secret key"))?;
        if !authorities::open_under(&store::authorities::list(tx)?, &keys) {
            return Err(BackupError::refused("the secret key in the backup does not open the secrets in it"));
        }
        put_key(order.key_file, &keys)?;
        Ok(restored)
    })
}

fn load(tx: &mut Tx<'_>, reader: &mut Reader) -> Result<u64, BackupError> {
    let tables = dump::tables(tx)?;
    dump::clear(tx, &tables)?;
    let mut current: Option<(&Table, Vec<String>)> = None;
    let mut rows = 0_u64;
    let end = walk(reader, |record| {
        match record {
            Record::Manifest(_) => {}
            Record::Table(record) => {
                let found = tables.iter().find(|table| table.name == record.name);
                let table = found.ok_or_else(|| BackupError::refused(format!("there is no table {} here", record.name)))?;
                current = Some((table, record.columns));
            }
            Record::Rows(page) => {
                let (table, columns) = current.as_ref().ok_or_else(|| BackupError::refused("the backup has rows of no table"))?;
                let added = dump::import(tx, table, columns, &page)?;
                rows = rows.saturating_add(u64::try_from(added).unwrap_or_default());
            }
        }
        Ok(())
    })?;
    if rows == end.rows {
        Ok(rows)
    } else {
        Err(BackupError::refused(format!("the backup has {rows} rows and says that it has {}", end.rows)))
    }
}

/// Nothing that was under way is done again unasked.
fn settle(tx: &mut Tx<'_>, order: &RestoreOrder<'_>, made_at: Timestamp, rows: u64) -> Result<Restored, BackupError> {
    let now = order.now;
    let why = format!("the server was restored from a backup of {made_at}");
    let held = held::hold_endings(tx, &format!("held, because {why}: it may have been carried out since then; approve or cancel it"))?;
    for device in &held {
        let text = format!(
            "The server was restored from a backup of {made_at}. What was ordered before and not finished then, a wipe or a retirement, is held: it may have been carried out since. Approve it or cancel it."
        );
        timeline::record(tx, *device, now, "held_after_restore", text, CAUSE)?;
    }
    let orders = held::withdraw_orders(tx, &format!("withdrawn, because {why}; order it again if it is still wanted"), now)?;
    let mails = held::withdraw_mails(tx, &format!("not sent, because {why}"))?;
    held::withdraw_deliveries(tx, &format!("not sent, because {why}"))?;
    held::stop_imports(tx, &format!("not done, because {why}; import the list again"), now)?;
    held::forget_jobs(tx, &HARMLESS)?;
    let restored = Restored { made_at, rows, held: held.len(), orders, mails };
    let detail =
        json!({ "backup_made_at": made_at, "rows": rows, "held_devices": held, "withdrawn_orders": orders, "withdrawn_mails": mails });
    let entry = Entry { at: now, actor: order.actor, action: "server.restore", subject_kind: "server", subject: "database".into(), detail };
    audit::record(tx, &entry)?;
    Ok(restored)
}

/// Puts the key into its file. Another key that was there belongs to a database in which nothing was sealed for anybody yet; it is
/// set aside all the same.
fn put_key(path: &Path, keys: &SealKey) -> Result<(), BackupError> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim() == keys.to_hex() => return Ok(()),
        Ok(_) => {
            let aside = PathBuf::from(format!("{}.before-restore", path.display()));
            std::fs::rename(path, &aside).map_err(BackupError::file(path, "set aside"))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(BackupError::file(path, "read")(error)),
    }
    let half = half_of(path);
    // What a try that was cut off has left. Whatever else may be there, such as a link that somebody put there, is not followed.
    drop(std::fs::remove_file(&half));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half).and_then(|mut file| {
        file.write_all(keys.to_hex().as_bytes())?;
        file.sync_all()
    });
    written.map_err(BackupError::file(&half, "written"))?;
    std::fs::rename(&half, path).map_err(BackupError::file(path, "written"))?;
    sync_folder(path)
}

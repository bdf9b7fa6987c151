//! Restores a backup into an empty place. What happened since the backup is not known there, so nothing that was under way then is
//! simply done again: wipes and retirements wait for somebody's approval, and mails, pushes and orders are withdrawn.

use std::{
    fs::{File, OpenOptions},
    io::{BufReader, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    authorities,
    backup::{BackupError, EndRecord, Manifest, TableRecord, kind, read_record, sync_folder},
    rollout,
};
use crate::{
    domain::{audit::Actor, id::DeviceId, time::Timestamp},
    pki::{seal::SealKey, vault::OpeningReader},
    store::{
        self, Access, Conn, DatabaseUrl, Tx,
        audit::{self, Entry, Filter},
        dump::{self, Table},
        held, migrate,
        page::PageRequest,
        refill::{self, Content},
        timeline,
    },
};

/// Jobs that are right whenever they are done; all others are forgotten.
const HARMLESS: [&str; 2] = [rollout::JOB, "sweep"];
/// The name of the actor where the server itself did something because of a restore.
const CAUSE: &str = "restore";
/// What the audit log calls a restore.
const ACTION: &str = "server.restore";

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
    let keys = SealKey::from_hex(&manifest.secret_key).ok_or_else(|| BackupError::refused("the backup has no usable secret key"))?;
    if let Some(restored) = look(order, &manifest, &keys)? {
        stage_key(order.key_file, &keys)?;
        put_key(order.key_file, &keys)?;
        return Ok(restored);
    }
    // The key is written before the commit and gets its name after it: most of what can fail is over by then, and a try that fails
    // leaves the key that was there.
    stage_key(order.key_file, &keys)?;
    let filled = match order.database {
        DatabaseUrl::Postgres(_) => fill(order, order.database, &mut reader, &manifest, &keys),
        DatabaseUrl::Sqlite(path) => fill_file(order, Path::new(path), &mut reader, &manifest, &keys),
    };
    if filled.is_err() {
        drop(std::fs::remove_file(beside(order.key_file)));
    }
    let restored = filled?;
    put_key(order.key_file, &keys)?;
    Ok(restored)
}

/// Where a file is made before it gets its name: the same at every try, so that each removes what the one before has left.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.restored.half"))
}

/// Looks whether the place is empty. Gives what was restored where only the key is missing.
fn look(order: &RestoreOrder<'_>, manifest: &Manifest, keys: &SealKey) -> Result<Option<Restored>, BackupError> {
    if let DatabaseUrl::Sqlite(path) = order.database
        && !Path::new(path).exists()
    {
        return Ok(None);
    }
    let mut conn = Conn::open(order.database, Access::Read)?;
    match refill::content(&mut conn)? {
        Content::Nothing | Content::Fresh => {}
        Content::Used => {
            return without_key(&mut conn, order, manifest, keys)?.map(Some).ok_or_else(|| {
                BackupError::refused("the database is in use already; a backup is restored into an empty one only, so that nothing is lost")
            });
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
    Ok(None)
}

/// What was restored, where a restore of this very backup was cut off after the database was complete and before the key had its
/// name: then only the key is missing, and nobody can have worked with the database since.
fn without_key(conn: &mut Conn, order: &RestoreOrder<'_>, manifest: &Manifest, keys: &SealKey) -> Result<Option<Restored>, BackupError> {
    let kept = store::authorities::list(conn)?;
    let present = std::fs::read_to_string(order.key_file).ok().and_then(|text| SealKey::from_hex(text.trim()));
    if present.is_some_and(|present| authorities::open_under(&kept, &present)) || !authorities::open_under(&kept, keys) {
        return Ok(None);
    }
    let filter = Filter { action: Some(ACTION.into()), ..Filter::default() };
    let lines = audit::list(conn, &filter, PageRequest { after: None, limit: 1 })?;
    // A line of another version may have another form: then it is none of this restore.
    let detail = lines.items.first().and_then(|line| serde_json::from_str::<Detail>(&line.detail).ok());
    Ok(detail.filter(|detail| detail.backup_made_at == manifest.made_at).map(|detail| detail.restored()))
}

/// What the audit log says of a restore.
#[derive(Serialize, Deserialize)]
struct Detail {
    backup_made_at: Timestamp,
    rows: u64,
    held_devices: Vec<DeviceId>,
    withdrawn_orders: usize,
    withdrawn_mails: usize,
}

impl Detail {
    const fn restored(&self) -> Restored {
        Restored {
            made_at: self.backup_made_at,
            rows: self.rows,
            held: self.held_devices.len(),
            orders: self.withdrawn_orders,
            mails: self.withdrawn_mails,
        }
    }
}

/// SQLite's file is made beside its place and put there when it is complete.
fn fill_file(
    order: &RestoreOrder<'_>,
    path: &Path,
    reader: &mut Reader,
    manifest: &Manifest,
    keys: &SealKey,
) -> Result<Restored, BackupError> {
    let half = beside(path);
    let filled = remove_database(&half)
        .and_then(|()| File::create_new(&half).map(drop).map_err(BackupError::file(&half, "made")))
        .and_then(|()| fill(order, &DatabaseUrl::Sqlite(half.display().to_string()), reader, manifest, keys))
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

fn fill(
    order: &RestoreOrder<'_>,
    url: &DatabaseUrl,
    reader: &mut Reader,
    manifest: &Manifest,
    keys: &SealKey,
) -> Result<Restored, BackupError> {
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
        if !authorities::open_under(&store::authorities::list(tx)?, keys) {
            return Err(BackupError::refused("the secret key in the backup does not open the secrets in it"));
        }
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
    let detail = Detail { backup_made_at: made_at, rows, held_devices: held, withdrawn_orders: orders, withdrawn_mails: mails };
    let restored = detail.restored();
    let detail = json!(detail);
    let entry = Entry { at: now, actor: order.actor, action: ACTION, subject_kind: "server", subject: "database".into(), detail };
    audit::record(tx, &entry)?;
    Ok(restored)
}

/// Writes the key beside its place.
fn stage_key(path: &Path, keys: &SealKey) -> Result<(), BackupError> {
    let half = beside(path);
    // What a try that was cut off has left. Whatever else may be there, such as a link that somebody put there, is not followed.
    drop(std::fs::remove_file(&half));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half).and_then(|mut file| {
        file.write_all(keys.to_hex().as_bytes())?;
        file.sync_all()
    });
    written.map_err(BackupError::file(&half, "written"))
}

/// Gives the key that was written its place. Another key that was there belongs to a database in which nothing was sealed for
/// anybody yet; it is set aside all the same.
fn put_key(path: &Path, keys: &SealKey) -> Result<(), BackupError> {
    let late = |source| BackupError::KeyLeft { path: path.display().to_string(), source };
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim() == keys.to_hex() => return std::fs::remove_file(beside(path)).map_err(late),
        Ok(_) => std::fs::rename(path, format!("{}.before-restore", path.display())).map_err(late)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(late(error)),
    }
    std::fs::rename(beside(path), path).map_err(late)?;
    sync_folder(path)
}

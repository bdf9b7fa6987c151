//! Makes a backup: every row and the secret key, in one file that opens with a passphrase. The server goes on meanwhile: what is
//! read is one snapshot of the database, and nobody who writes waits for it.
//!
//! Inside the file are records: a byte for the kind, four for the length, the content. First the manifest, then for each table its
//! description and its rows, then the end with the number of rows. The form does not depend on the database, so a backup from
//! SQLite can be restored on PostgreSQL and the other way round.

use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::authorities;
use crate::{
    domain::time::Timestamp,
    pki::{
        seal::{SealError, SealKey},
        vault::{self, SealingWriter, VaultError},
    },
    store::{
        self, DatabaseUrl,
        dump::{self, Table},
        jobs, migrate,
        refill::{self, Content},
    },
};

/// The form of what is inside.
const FORM: u32 = 1;
/// Longest record that is read, in bytes.
const LONGEST: u32 = 256 * 1024 * 1024;

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file, or its passphrase.
    #[error("{path}")]
    Vault {
        /// The file.
        path: String,
        /// What is wrong.
        source: VaultError,
    },
    /// What is inside cannot be used.
    #[error("{0}")]
    Refused(String),
    /// The secret key.
    #[error("the secret key")]
    Key(#[from] SealError),
    /// A file.
    #[error("{path} cannot be {doing}")]
    File {
        /// Which one.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Everything was restored but the secret key, which could not be put into its place.
    #[error(
        "the database was restored, but its key could not be put into {path}; mend that and repeat the command, which then puts it there"
    )]
    KeyLeft {
        /// Where it belongs.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The database.
    #[error("the database")]
    Store(#[from] store::Error),
    /// Something else of the server.
    #[error(transparent)]
    Service(#[from] super::Error),
}

impl BackupError {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    pub(super) fn file(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, doing, source }
    }

    pub(super) fn vault(path: &Path) -> impl FnOnce(VaultError) -> Self {
        let path = path.display().to_string();
        move |source| Self::Vault { path, source }
    }
}

/// The kinds of records.
pub(super) mod kind {
    pub const MANIFEST: u8 = b'M';
    pub const TABLE: u8 = b'T';
    pub const ROWS: u8 = b'R';
    pub const END: u8 = b'E';
}

/// What a file says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of what follows.
    pub form: u32,
    /// The version that wrote it.
    pub version: String,
    /// When it was made: everything that was acknowledged before is in it.
    pub made_at: Timestamp,
    /// The steps of migration that its database had.
    pub schema: Vec<String>,
    /// The secret key, as its file holds it.
    pub secret_key: String,
}

/// Which table the rows that follow belong to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TableRecord {
    pub name: String,
    pub columns: Vec<String>,
}

/// What must have been read when the end is reached.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EndRecord {
    pub rows: u64,
}

/// What a backup holds, for people.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Everything that was acknowledged before this instant is in it.
    pub made_at: Timestamp,
    /// How many tables.
    pub tables: usize,
    /// How many rows in all of them.
    pub rows: u64,
    /// Users.
    pub users: u64,
    /// Devices.
    pub devices: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// What is to be backed up, and to where.
#[derive(Debug)]
pub struct BackupOrder<'a> {
    /// The database.
    pub database: &'a DatabaseUrl,
    /// The file with the secret key.
    pub key_file: &'a Path,
    /// The backup.
    pub file: &'a Path,
    /// What will open it.
    pub passphrase: &'a str,
}

/// Makes a backup. The file appears under its name when it is complete and on the disk; it takes the place of an earlier backup and
/// of nothing else.
///
/// # Errors
/// The database, the key or the file; the text says which and why.
pub fn make(order: &BackupOrder<'_>) -> Result<Summary, BackupError> {
    may_replace(order.file)?;
    let keys = SealKey::load(order.key_file)?;
    let half = half_of(order.file);
    let made = write_half(order, &keys, &half);
    if made.is_err() {
        // What is left of a failed try is of no use; it may not even be there.
        drop(std::fs::remove_file(&half));
    }
    made
}

fn write_half(order: &BackupOrder<'_>, keys: &SealKey, half: &Path) -> Result<Summary, BackupError> {
    // What a try that was cut off has left. Whatever else may be there, such as a link that somebody put there, is not followed.
    drop(std::fs::remove_file(half));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(half);
    let file = BufWriter::new(file.map_err(BackupError::file(half, "made"))?);
    let mut writer = SealingWriter::begin(file, order.passphrase).map_err(BackupError::vault(half))?;
    let mut summary = dump::snapshot(order.database, |conn| write_content(conn, keys, &mut writer, half))?;
    let file = writer.finish().map_err(BackupError::vault(half))?;
    let file = file.into_inner().map_err(|error| BackupError::file(half, "written")(error.into_error()))?;
    file.sync_all().map_err(BackupError::file(half, "written"))?;
    summary.bytes = file.metadata().map_err(BackupError::file(half, "read"))?.len();
    std::fs::rename(half, order.file).map_err(BackupError::file(order.file, "put in its place"))?;
    sync_folder(order.file)?;
    Ok(summary)
}

fn write_content(conn: &mut store::Conn, keys: &SealKey, writer: &mut impl Write, path: &Path) -> Result<Summary, BackupError> {
    let mut put = |kind: u8, content: &[u8]| write_record(writer, kind, content).map_err(|error| BackupError::vault(path)(error.into()));
    // Before the first table is looked at, which is when the snapshot begins.
    let made_at = jobs::database_now(conn)?;
    let tables = dump::tables(conn)?;
    if !matches!(refill::content(conn)?, Content::Used | Content::Fresh) {
        return Err(BackupError::refused("there is no database of enlist here yet, so there is nothing to back up"));
    }
    if !authorities::open_under(&store::authorities::list(conn)?, keys) {
        return Err(BackupError::refused(
            "the secret key does not open the secrets in the database, so a backup with it could not be used; name the right file as secret-key-file",
        ));
    }
    let manifest = Manifest {
        form: FORM,
        version: env!("CARGO_PKG_VERSION").into(),
        made_at,
        schema: migrate::steps(conn)?,
        secret_key: keys.to_hex(),
    };
    put(kind::MANIFEST, json(&manifest)?.as_bytes())?;
    let mut summary = Summary { made_at, tables: 0, rows: 0, users: 0, devices: 0, bytes: 0 };
    for table in tables.iter().filter(|table| dump::is_kept(table)) {
        write_table(conn, table, &mut put, &mut summary)?;
    }
    put(kind::END, json(&EndRecord { rows: summary.rows })?.as_bytes())?;
    Ok(summary)
}

fn write_table(
    conn: &mut store::Conn,
    table: &Table,
    put: &mut impl FnMut(u8, &[u8]) -> Result<(), BackupError>,
    summary: &mut Summary,
) -> Result<(), BackupError> {
    put(kind::TABLE, json(&TableRecord { name: table.name.clone(), columns: table.columns() })?.as_bytes())?;
    let mut rows = 0_u64;
    dump::export(conn, table, |page, count| {
        rows = rows.saturating_add(u64::try_from(count).unwrap_or_default());
        put(kind::ROWS, page.as_bytes())
    })?;
    summary.tables = summary.tables.saturating_add(1);
    summary.rows = summary.rows.saturating_add(rows);
    match table.name.as_str() {
        "users" => summary.users = rows,
        "devices" => summary.devices = rows,
        _ => {}
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, BackupError> {
    serde_json::to_string(value).map_err(|error| BackupError::refused(error.to_string()))
}

fn write_record(writer: &mut impl Write, kind: u8, content: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(content.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| std::io::Error::other("some rows are too long for a backup"))?;
    writer.write_all(&[kind])?;
    writer.write_all(&length.to_be_bytes())?;
    writer.write_all(content)
}

/// The next record of a file.
pub(super) fn read_record(reader: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    reader.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(std::io::Error::other("a record is too long"));
    }
    let mut content = Vec::new();
    reader.take(length.into()).read_to_end(&mut content)?;
    if u32::try_from(content.len()) == Ok(length) { Ok((kind, content)) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// A file that is there already is replaced only if it is a backup.
fn may_replace(path: &Path) -> Result<(), BackupError> {
    let mut first = [0; 8];
    match File::open(path).and_then(|mut file| file.read(&mut first)) {
        Ok(count) if count == 0 || vault::is_vault(&first) => Ok(()),
        Ok(_) => Err(BackupError::refused(format!("{} is there already and is not a backup; it was left as it is", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::file(path, "read")(error)),
    }
}

/// Where a file is written before it is complete: beside its place, so that putting it there is one step.
pub(super) fn half_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.half", std::process::id()))
}

/// Makes a new name in a folder last.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::file(folder, "written"))
}

//! Backups: made while the server works, damaged in every way, and restored in another place.

use std::{path::PathBuf, process::Output};

use enlist::store::{self, DatabaseUrl, Error, audit, dump};

use crate::harness::{database::Database, process::Installation};

mod after;
mod damage;
mod live;
mod travel;

const PASSPHRASE: &str = "correct horse battery staple";

/// Makes a backup; gives the file.
fn back_up(installation: &Installation, name: &str) -> PathBuf {
    let file = installation.folder().join(name);
    let output = installation.run(&["backup", file.to_str().unwrap(), "--passphrase-stdin"], PASSPHRASE);
    assert!(output.status.success(), "{}", said(&output));
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    file
}

/// Restores a backup, or tries to.
fn restore(installation: &Installation, file: &std::path::Path, passphrase: &str) -> Output {
    installation.run(&["restore", file.to_str().unwrap(), "--passphrase-stdin"], passphrase)
}

/// What a command printed as its error.
fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// An empty place of the same kind.
fn empty_like(database: &Database) -> Database {
    if database.is_postgres() { Database::empty_postgres() } else { Database::empty_sqlite() }
}

/// Every row of every table, as a backup would hold it.
fn rows(url: &DatabaseUrl) -> Vec<(String, Vec<serde_json::Value>)> {
    dump::snapshot::<_, Error>(url, |conn| {
        let mut all = Vec::new();
        for table in dump::tables(conn)?.iter().filter(|table| dump::is_kept(table)) {
            let mut rows: Vec<serde_json::Value> = Vec::new();
            dump::export(conn, table, |page, count| {
                let page: Vec<serde_json::Value> = serde_json::from_str(page).unwrap();
                assert_eq!(page.len(), count);
                rows.extend(page);
                Ok::<_, Error>(())
            })?;
            rows.sort_by_key(ToString::to_string);
            all.push((table.name.clone(), rows));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    })
    .unwrap()
}

/// The audit log and, on SQLite, every page and every reference are as they should be.
fn must_be_whole(url: &DatabaseUrl) {
    let found = store::write_once::<_, Error>(url, |tx| audit::verify(tx)).unwrap();
    assert_eq!(found.broken_at, None, "the audit log does not hold");
    assert!(store::write_once::<_, Error>(url, |tx| store::refill::is_sound(tx)).unwrap(), "the database is damaged");
    let kept_beside = store::write_once::<_, Error>(url, |tx| Ok((store::tallies::wrong(tx)?, store::finders::wrong(tx)?))).unwrap();
    assert_eq!(kept_beside, (0, 0), "what triggers keep was not restored");
}

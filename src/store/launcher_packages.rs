//! The launcher's Android package, in pieces. There is one that is offered, and perhaps one that is being uploaded.

use diesel::prelude::*;

use super::{
    Conn, Error, Tx,
    schema::{launcher_packages, launcher_pieces},
};
use crate::domain::{id::LauncherPackageId, time::Timestamp};

/// One package.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = launcher_packages, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct LauncherPackage {
    /// Its identifier.
    pub id: LauncherPackageId,
    /// What its file was called.
    pub file_name: String,
    /// The name of the package.
    pub package: String,
    /// Its version for people.
    pub version: Option<String>,
    /// How many bytes.
    pub length: i64,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// SHA-256 of the certificate that signed it.
    pub certificate_sha256: Option<Vec<u8>>,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When the upload began.
    pub created_at: Timestamp,
    /// When it was complete.
    pub completed_at: Option<Timestamp>,
}

/// The package that is offered.
///
/// # Errors
/// Those of the database.
pub fn current(conn: &mut Conn) -> Result<Option<LauncherPackage>, Error> {
    Ok(launcher_packages::table
        .filter(launcher_packages::completed_at.is_not_null())
        .order((launcher_packages::completed_at.desc(), launcher_packages::id.desc()))
        .select(LauncherPackage::as_select())
        .first(conn)
        .optional()?)
}

/// The package of this identifier, if it is complete.
///
/// # Errors
/// Those of the database.
pub fn find(conn: &mut Conn, id: LauncherPackageId) -> Result<Option<LauncherPackage>, Error> {
    Ok(launcher_packages::table
        .filter(launcher_packages::id.eq(id).and(launcher_packages::completed_at.is_not_null()))
        .select(LauncherPackage::as_select())
        .first(conn)
        .optional()?)
}

/// Begins an upload.
///
/// # Errors
/// Those of the database.
pub fn insert(tx: &mut Tx<'_>, package: &LauncherPackage) -> Result<(), Error> {
    diesel::insert_into(launcher_packages::table).values(package).execute(&mut **tx)?;
    Ok(())
}

/// Keeps a piece.
///
/// # Errors
/// Those of the database; [`Error::Conflict`] where the upload was given up meanwhile.
pub fn insert_piece(tx: &mut Tx<'_>, id: LauncherPackageId, position: i32, content: &[u8]) -> Result<(), Error> {
    let row = (launcher_pieces::package_id.eq(id), launcher_pieces::position.eq(position), launcher_pieces::content.eq(content));
    diesel::insert_into(launcher_pieces::table).values(row).execute(&mut **tx)?;
    Ok(())
}

/// One piece of a package.
///
/// # Errors
/// Those of the database.
pub fn piece(conn: &mut Conn, id: LauncherPackageId, position: i32) -> Result<Option<Vec<u8>>, Error> {
    Ok(launcher_pieces::table
        .filter(launcher_pieces::package_id.eq(id).and(launcher_pieces::position.eq(position)))
        .select(launcher_pieces::content)
        .first(conn)
        .optional()?)
}

/// Completes an upload and forgets every other package that is complete; says whether there was such an upload.
///
/// # Errors
/// Those of the database.
pub fn complete(tx: &mut Tx<'_>, package: &LauncherPackage) -> Result<bool, Error> {
    let changed = diesel::update(launcher_packages::table.filter(launcher_packages::id.eq(package.id))).set(package).execute(&mut **tx)?;
    if changed == 1 {
        let others = launcher_packages::id.ne(package.id).and(launcher_packages::completed_at.is_not_null());
        diesel::delete(launcher_packages::table.filter(others)).execute(&mut **tx)?;
    }
    Ok(changed == 1)
}

/// Forgets a package.
///
/// # Errors
/// Those of the database.
pub fn delete(tx: &mut Tx<'_>, id: LauncherPackageId) -> Result<bool, Error> {
    Ok(diesel::delete(launcher_packages::table.filter(launcher_packages::id.eq(id))).execute(&mut **tx)? == 1)
}

/// Forgets uploads that began before then and were broken off.
///
/// # Errors
/// Those of the database.
pub fn purge(tx: &mut Tx<'_>, before: Timestamp) -> Result<usize, Error> {
    let broken = launcher_packages::completed_at.is_null().and(launcher_packages::created_at.lt(before));
    Ok(diesel::delete(launcher_packages::table.filter(broken)).execute(&mut **tx)?)
}

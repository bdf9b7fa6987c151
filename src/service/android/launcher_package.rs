//! The launcher's package: uploaded by an administrator, kept in the database so that every server has it, and given to new devices.
//! It is not part of this program, because its name is its vendor's trademark.

use std::io;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::sha::Sha256;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::launcher_settings::Kept;
use crate::{
    android::{
        apk::{self, NotAnApk, Source},
        launcher::{provisioning::Checksum, signature},
    },
    domain::{audit::Actor, id::LauncherPackageId, time::Timestamp},
    service::{App, Error, Result, secrets},
    store::{
        Conn,
        audit::{self, Entry},
        enrollments::Stage,
        launcher_packages::{self, LauncherPackage},
        launchers,
    },
};

/// Longest package, in bytes.
pub const LONGEST: usize = 64 * 1024 * 1024;
/// Bytes of a piece.
const PIECE: usize = 64 * 1024;
/// Pieces that are written in one transaction.
const PIECES_AT_ONCE: usize = 16;
/// The end of its address.
pub const FILE: &str = "launcher.apk";

/// The launcher that new devices get.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LauncherPackageState {
    /// Identifier; another one with each upload.
    pub id: LauncherPackageId,
    /// What its file was called.
    pub file_name: String,
    /// Name of the package.
    pub package: String,
    /// Version, as the package says it.
    pub version: Option<String>,
    /// Length in bytes.
    pub length: i64,
    /// SHA-256 of the file, in base64url without padding.
    pub package_checksum: String,
    /// SHA-256 of the certificate that signed it, in the same form; none where the package has no signature of scheme v2 or v3.
    pub signature_checksum: Option<String>,
    /// Who uploaded it.
    pub uploaded_by: String,
    /// When.
    pub uploaded_at: Timestamp,
}

impl From<LauncherPackage> for LauncherPackageState {
    fn from(package: LauncherPackage) -> Self {
        Self {
            id: package.id,
            file_name: package.file_name,
            package: package.package,
            version: package.version,
            length: package.length,
            package_checksum: URL_SAFE_NO_PAD.encode(&package.sha256),
            signature_checksum: package.certificate_sha256.map(|hash| URL_SAFE_NO_PAD.encode(hash)),
            uploaded_by: package.uploaded_by,
            uploaded_at: package.completed_at.unwrap_or(package.created_at),
        }
    }
}

/// How a device knows the package: by who signed it, which stays the same with its next version, and where that cannot be told by
/// its bytes.
pub(super) fn checksum_of(package: &LauncherPackage) -> Checksum {
    let by_signer = package.certificate_sha256.clone().map(Checksum::Signature);
    by_signer.unwrap_or_else(|| Checksum::Package(package.sha256.clone()))
}

/// An upload that is under way.
pub struct LauncherUpload {
    package: LauncherPackage,
    hash: Sha256,
    /// What has come and is not written yet.
    held: Vec<u8>,
    position: i32,
}

/// How a download is allowed.
#[derive(Debug, Clone, Default)]
pub struct DownloadRight {
    /// The cookie that stands in the QR code.
    pub cookie: Option<String>,
    /// A launcher's signature.
    pub signature: Option<String>,
}

/// A package in its pieces.
struct Pieces<'a> {
    conn: &'a mut Conn,
    id: LauncherPackageId,
    length: u64,
}

impl Source for Pieces<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let (mut bytes, mut at) = (Vec::with_capacity(length.min(LONGEST)), usize::try_from(offset).map_err(io::Error::other)?);
        while bytes.len() < length {
            let position = i32::try_from(at / PIECE).map_err(io::Error::other)?;
            let piece = launcher_packages::piece(self.conn, self.id, position).map_err(io::Error::other)?;
            let piece = piece.ok_or(io::ErrorKind::UnexpectedEof)?;
            let rest = piece.get(at % PIECE..).filter(|rest| !rest.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            let taken = rest.get(..length.saturating_sub(bytes.len())).unwrap_or(rest);
            bytes.extend_from_slice(taken);
            at = at.saturating_add(taken.len());
        }
        Ok(bytes)
    }
}

impl App {
    /// Whether there is a launcher for new devices.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_launcher(&self) -> Result<bool> {
        Ok(self.launcher_package().await?.is_some())
    }

    /// The launcher that new devices get.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn launcher_package(&self) -> Result<Option<LauncherPackageState>> {
        Ok(self.read(launcher_packages::current).await?.map(Into::into))
    }

    /// Begins an upload. Nothing changes for devices before it is finished.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_launcher_upload(&self, actor: &Actor, file_name: &str) -> Result<LauncherUpload> {
        let now = self.now();
        let name: String = file_name.chars().filter(|character| !character.is_control()).take(120).collect();
        let package = LauncherPackage {
            id: LauncherPackageId::new(),
            file_name: if name.trim().is_empty() { FILE.into() } else { name },
            package: String::new(),
            version: None,
            length: 0,
            sha256: Vec::new(),
            certificate_sha256: None,
            uploaded_by: actor.name.clone(),
            created_at: now,
            completed_at: None,
        };
        let row = package.clone();
        self.write(move |tx| {
            launcher_packages::purge(tx, now.plus_seconds(-3600))?;
            Ok(launcher_packages::insert(tx, &row)?)
        })
        .await?;
        Ok(LauncherUpload { package, hash: Sha256::new(), held: Vec::new(), position: 0 })
    }

    /// Takes the next bytes of an upload.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it becomes too long; the upload is given up then.
    pub async fn continue_launcher_upload(&self, upload: &mut LauncherUpload, bytes: &[u8]) -> Result<()> {
        let length = upload.package.length.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        if usize::try_from(length).map_or(true, |length| length > LONGEST) {
            self.abandon_launcher_upload(upload).await?;
            return Err(Error::invalid("file", format!("is longer than the {} MiB that are taken", LONGEST / 1024 / 1024)));
        }
        upload.package.length = length;
        upload.hash.update(bytes);
        upload.held.extend_from_slice(bytes);
        if upload.held.len() >= PIECE.saturating_mul(PIECES_AT_ONCE) { self.keep_pieces(upload, false).await } else { Ok(()) }
    }

    /// Writes what is held in whole pieces, and at the end also what is less than one.
    async fn keep_pieces(&self, upload: &mut LauncherUpload, is_end: bool) -> Result<()> {
        let whole = upload.held.len() / PIECE * PIECE;
        let rest = if is_end { Vec::new() } else { upload.held.split_off(whole) };
        let held = std::mem::replace(&mut upload.held, rest);
        let (id, mut position) = (upload.package.id, upload.position);
        upload.position = self
            .write(move |tx| {
                for piece in held.chunks(PIECE) {
                    launcher_packages::insert_piece(tx, id, position, piece)?;
                    position = position.saturating_add(1);
                }
                Ok(position)
            })
            .await?;
        Ok(())
    }

    /// Ends an upload: if it is the right package it takes the place of the one before.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is not; the upload is given up then, and the package before stays.
    pub async fn finish_launcher_upload(&self, mut upload: LauncherUpload, actor: Actor) -> Result<LauncherPackageState> {
        self.keep_pieces(&mut upload, true).await?;
        match self.inspect(&upload.package).await {
            Ok(apk) => {
                let mut package = upload.package;
                package.version = apk.version_name.or_else(|| apk.version_code.map(|code| code.to_string()));
                package.package = apk.package;
                package.certificate_sha256 = apk.certificate_sha256;
                package.sha256 = upload.hash.finish().to_vec();
                self.put_launcher(package, actor).await
            }
            Err(error) => {
                self.abandon_launcher_upload(&upload).await?;
                Err(error)
            }
        }
    }

    async fn inspect(&self, package: &LauncherPackage) -> Result<apk::Apk> {
        let (id, length) = (package.id, u64::try_from(package.length).unwrap_or_default());
        self.read(move |conn| {
            let wanted = Kept::read(conn)?.package().to_owned();
            let apk = apk::read(&mut Pieces { conn, id, length }).map_err(|error| match error {
                NotAnApk::Source(source) if source.kind() == io::ErrorKind::Other => Error::internal("reading an upload", source),
                NotAnApk::Source(_) => Error::invalid("file", "is not an Android package: it ends too early"),
                form @ NotAnApk::Form(_) => Error::invalid("file", form.to_string().replacen("the file ", "", 1)),
            })?;
            if apk.package != wanted {
                let why = format!(
                    "is the package {} and not {wanted}; if that is right, change the component in the settings first",
                    apk.package
                );
                return Err(Error::invalid("file", why));
            }
            Ok(apk)
        })
        .await
    }

    async fn put_launcher(&self, mut package: LauncherPackage, actor: Actor) -> Result<LauncherPackageState> {
        let now = self.now();
        package.completed_at = Some(now);
        self.write(move |tx| {
            if !launcher_packages::complete(tx, &package)? {
                return Err(Error::Conflict("the upload took too long and was given up; try again".into()));
            }
            let state = LauncherPackageState::from(package);
            let detail = json!({
                "file_name": state.file_name, "package": state.package, "version": state.version, "length": state.length,
                "package_checksum": state.package_checksum, "signature_checksum": state.signature_checksum,
            });
            let (action, subject) = ("launcher.upload", state.id.to_string());
            audit::record(tx, &Entry { at: now, actor: &actor, action, subject_kind: "launcher", subject, detail })?;
            Ok(state)
        })
        .await
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn abandon_launcher_upload(&self, upload: &LauncherUpload) -> Result<()> {
        let id = upload.package.id;
        self.write(move |tx| Ok(launcher_packages::delete(tx, id).map(drop)?)).await
    }

    /// The package at an address below `/files/`, for whoever may have it: a new device by the cookie of its QR code, and a
    /// launcher by its signature.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for whoever may not have it.
    pub async fn launcher_download(&self, id: LauncherPackageId, right: DownloadRight) -> Result<LauncherPackageState> {
        let now = self.now();
        let (kept, package, by_cookie) = self
            .read(move |conn| {
                let holder =
                    right.cookie.as_deref().map(|cookie| launchers::by_cookie(conn, &secrets::hash(cookie))).transpose()?.flatten();
                let is_good = holder.is_some_and(|(launcher, enrollment)| now <= launcher.expires_at && enrollment.state != Stage::Ended);
                Ok::<_, Error>((Kept::read(conn)?, launcher_packages::find(conn, id)?, (is_good, right.signature)))
            })
            .await?;
        let (is_good, signature) = by_cookie;
        let is_signed = match signature {
            Some(given) => signature::is_of(&self.launcher_secret(&kept)?, &given, &signature::of_download(&format!("{id}/{FILE}"))),
            None => false,
        };
        package.filter(|_| is_good || is_signed).map(Into::into).ok_or(Error::NotFound("file"))
    }

    /// One piece of a package; none after the last one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn launcher_piece(&self, id: LauncherPackageId, position: i32) -> Result<Option<Vec<u8>>> {
        Ok(self.read(move |conn| launcher_packages::piece(conn, id, position)).await?)
    }
}

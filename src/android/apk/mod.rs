//! What an Android package says of itself: its name, its version, and the certificate that it is signed with. Only as much of the
//! file is read as that takes, so that it may be kept in pieces.
//!
//! Nothing is verified here. A device verifies the package itself; what is read tells an administrator what was uploaded, and a
//! device which certificate to expect.

mod archive;
mod bytes;
mod manifest;
mod signing;

use openssl::sha::sha256;

/// Where the bytes of a file are.
pub trait Source {
    /// How many there are.
    fn length(&self) -> u64;

    /// So many bytes from this place on.
    ///
    /// # Errors
    /// They cannot be read.
    fn read_at(&mut self, offset: u64, length: usize) -> std::io::Result<Vec<u8>>;
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apk {
    /// Its name, such as `com.hmdm.launcher`.
    pub package: String,
    /// Its version for people, where it has one.
    pub version_name: Option<String>,
    /// Its version for comparison.
    pub version_code: Option<u32>,
    /// SHA-256 of the certificate that signed it, where it carries a signature of APK Signature Scheme v2 or v3 by one signer.
    pub certificate_sha256: Option<Vec<u8>>,
}

/// Why a file is no Android package.
#[derive(Debug, thiserror::Error)]
pub enum NotAnApk {
    /// Its bytes cannot be read.
    #[error("the file cannot be read")]
    Source(#[from] std::io::Error),
    /// It has another form.
    #[error("the file is not an Android package: {0}")]
    Form(&'static str),
}

/// Reads what a package says of itself.
///
/// # Errors
/// It is no Android package.
pub fn read(source: &mut dyn Source) -> Result<Apk, NotAnApk> {
    let directory = archive::directory(source)?;
    let content = archive::content(source, &directory, "AndroidManifest.xml", manifest::LONGEST)?;
    let head = manifest::read(&content).ok_or(NotAnApk::Form("its manifest cannot be read"))?;
    let certificate = signing::certificate(source, directory.offset)?;
    Ok(Apk {
        package: head.package,
        version_name: head.version_name,
        version_code: head.version_code,
        certificate_sha256: certificate.map(|der| sha256(&der).to_vec()),
    })
}

#[cfg(test)]
mod tests;

//! A file that opens with a passphrase: AES-256-GCM in chunks, under a key that Argon2id makes of the passphrase. Nothing in it can
//! be changed, left out, moved or cut off without that being seen. What is inside is the caller's.
//!
//! The file begins with a head in the clear: a mark, a version, the cost of Argon2id, a salt, the beginning of all nonces, and a
//! value by which a wrong passphrase is told from a damaged file. Chunks follow, each with its tag. A nonce is its beginning, the
//! number of the chunk, and whether it is the last one; the head is authenticated with each chunk.

use std::io::{self, Read, Seek, SeekFrom, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use openssl::{
    error::ErrorStack,
    memcmp,
    rand::rand_bytes,
    symm::{Cipher, decrypt_aead, encrypt_aead},
};

const MARK: &[u8; 8] = b"ENLISTBK";
const VERSION: u8 = 1;
/// Bytes of a chunk before it is sealed.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const SALT: usize = 16;
const BEGINNING: usize = 7;
const CHECK: usize = 16;
/// Mark, version, three numbers, salt, beginning of the nonces, check.
const HEAD: usize = 8 + 1 + 12 + SALT + BEGINNING + CHECK;

/// What a guess at the passphrase costs: kilobytes, rounds, lanes.
const COST: Cost = Cost { kilobytes: 65_536, rounds: 3, lanes: 1 };
/// The most that a file may ask for: whoever writes a file must not decide how much memory its reader loses.
const MOST: Cost = Cost { kilobytes: 1_048_576, rounds: 16, lanes: 16 };

/// Why a file could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file is something else.
    #[error("the file is not a backup of enlist")]
    Other,
    /// The file was written by a later version.
    #[error("the file has a form (number {0}) that this version of enlist does not know; use the version that wrote it or a newer one")]
    Version(u8),
    /// The passphrase is not the one.
    #[error("the passphrase is not the one that the file was made with, or the beginning of the file was changed")]
    Passphrase,
    /// The end is missing.
    #[error("the file is not complete: its end is missing")]
    Truncated,
    /// Something in it is not as it was written.
    #[error("the file is damaged or was changed: part {0} is not as it was written")]
    Changed(u32),
    /// It cannot be any longer.
    #[error("the file would become too long")]
    TooLong,
    /// The key could not be made.
    #[error("the key could not be made of the passphrase: {0}")]
    Derive(argon2::Error),
    /// OpenSSL refused.
    #[error("sealing the file failed")]
    Crypto(#[from] ErrorStack),
    /// The file could not be read or written.
    #[error("the file could not be read or written: {0}")]
    Io(#[from] io::Error),
}

impl From<VaultError> for io::Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Io(error) => error,
            other => Self::other(other),
        }
    }
}

#[derive(Clone, Copy)]
struct Cost {
    kilobytes: u32,
    rounds: u32,
    lanes: u32,
}

/// The head of a file, and the key that belongs to it.
struct Lock {
    head: [u8; HEAD],
    key: [u8; 32],
    beginning: [u8; BEGINNING],
}

impl Lock {
    fn make(passphrase: &str) -> Result<Self, VaultError> {
        let (mut salt, mut beginning) = ([0; SALT], [0; BEGINNING]);
        rand_bytes(&mut salt)?;
        rand_bytes(&mut beginning)?;
        Self::derive(passphrase, COST, salt, beginning)
    }

    /// Reads the head of a file.
    fn read(mut file: impl Read, passphrase: &str) -> Result<Self, VaultError> {
        let mut head = [0; HEAD];
        let length = fill(&mut file, &mut head)?;
        let mut rest = head.get(..length).unwrap_or_default();
        if !rest.starts_with(MARK) {
            return Err(VaultError::Other);
        }
        let (_, version) = (take::<8>(&mut rest)?, take::<1>(&mut rest)?);
        if version != [VERSION] {
            return Err(VaultError::Version(version[0]));
        }
        let mut number = || Ok::<_, VaultError>(u32::from_be_bytes(take::<4>(&mut rest)?));
        let cost = Cost { kilobytes: number()?, rounds: number()?, lanes: number()? };
        let (salt, beginning, check) = (take(&mut rest)?, take(&mut rest)?, take::<CHECK>(&mut rest)?);
        if cost.kilobytes > MOST.kilobytes || cost.rounds > MOST.rounds || cost.lanes > MOST.lanes {
            return Err(VaultError::Passphrase);
        }
        let lock = Self::derive(passphrase, cost, salt, beginning)?;
        let expected = lock.head.get(HEAD - CHECK..).unwrap_or_default();
        if expected.len() == check.len() && memcmp::eq(expected, &check) { Ok(lock) } else { Err(VaultError::Passphrase) }
    }

    fn derive(passphrase: &str, cost: Cost, salt: [u8; SALT], beginning: [u8; BEGINNING]) -> Result<Self, VaultError> {
        let params = Params::new(cost.kilobytes, cost.rounds, cost.lanes, Some(32 + CHECK)).map_err(VaultError::Derive)?;
        let mut derived = [0; 32 + CHECK];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &salt, &mut derived)
            .map_err(VaultError::Derive)?;
        let (key, check) = derived.split_at(32);
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MARK);
        head.push(VERSION);
        for number in [cost.kilobytes, cost.rounds, cost.lanes] {
            head.extend_from_slice(&number.to_be_bytes());
        }
        head.extend_from_slice(&salt);
        head.extend_from_slice(&beginning);
        head.extend_from_slice(check);
        let head = head.try_into().map_err(|_| VaultError::Other)?;
        Ok(Self { head, key: key.try_into().map_err(|_| VaultError::Other)?, beginning })
    }

    fn nonce(&self, number: u32, is_last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        let parts = self.beginning.iter().copied().chain(number.to_be_bytes()).chain([u8::from(is_last)]);
        nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        nonce
    }

    fn open(&self, number: u32, is_last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        decrypt_aead(Cipher::aes_256_gcm(), &self.key, Some(&self.nonce(number, is_last)), &self.head, body, tag).ok()
    }
}

/// Whether a file begins like one of these.
#[must_use]
pub fn is_vault(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(MARK)
}

/// Takes bytes and writes them sealed. Without [`SealingWriter::finish`] the file has no end and will not open.
pub struct SealingWriter<W: Write> {
    file: W,
    lock: Lock,
    number: u32,
    waiting: Vec<u8>,
}

impl<W: Write> SealingWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// The key cannot be made, or the file cannot be written.
    pub fn begin(mut file: W, passphrase: &str) -> Result<Self, VaultError> {
        let lock = Lock::make(passphrase)?;
        file.write_all(&lock.head)?;
        Ok(Self { file, lock, number: 0, waiting: Vec::with_capacity(CHUNK) })
    }

    fn seal(&mut self, chunk: &[u8], is_last: bool) -> Result<(), VaultError> {
        let mut tag = [0; TAG];
        let nonce = self.lock.nonce(self.number, is_last);
        let sealed = encrypt_aead(Cipher::aes_256_gcm(), &self.lock.key, Some(&nonce), &self.lock.head, chunk, &mut tag)?;
        self.file.write_all(&sealed)?;
        self.file.write_all(&tag)?;
        self.number = self.number.checked_add(1).ok_or(VaultError::TooLong)?;
        Ok(())
    }

    /// Ends the file and gives it back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<W, VaultError> {
        let last = std::mem::take(&mut self.waiting);
        self.seal(&last, true)?;
        self.file.flush()?;
        Ok(self.file)
    }
}

impl<W: Write> Write for SealingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until more comes: it may be the last one.
        if self.waiting.len() == CHUNK {
            let chunk = std::mem::replace(&mut self.waiting, Vec::with_capacity(CHUNK));
            self.seal(&chunk, false)?;
        }
        let room = CHUNK.saturating_sub(self.waiting.len()).min(bytes.len());
        self.waiting.extend_from_slice(bytes.get(..room).unwrap_or_default());
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives the bytes of a sealed file, each only after its chunk was found to be as it was written.
pub struct OpeningReader<R: Read> {
    file: R,
    lock: Lock,
    number: u32,
    /// The chunk after this one, still sealed: whether there is one tells whether this one is the last.
    next: Vec<u8>,
    open: io::Cursor<Vec<u8>>,
    is_over: bool,
}

impl<R: Read> OpeningReader<R> {
    /// Opens a file.
    ///
    /// # Errors
    /// It is something else, or the passphrase is not the one.
    pub fn open(mut file: R, passphrase: &str) -> Result<Self, VaultError> {
        let lock = Lock::read(&mut file, passphrase)?;
        let next = chunk_of(&mut file)?;
        Ok(Self { file, lock, number: 0, next, open: io::Cursor::default(), is_over: false })
    }

    fn advance(&mut self) -> Result<(), VaultError> {
        let sealed = std::mem::take(&mut self.next);
        self.next = chunk_of(&mut self.file)?;
        let is_last = self.next.is_empty();
        let Some(opened) = self.lock.open(self.number, is_last, &sealed) else {
            // The right bytes in the wrong place: the file goes on after this chunk, and was cut off here.
            let is_cut = is_last && (sealed.is_empty() || self.lock.open(self.number, false, &sealed).is_some());
            return Err(if is_cut { VaultError::Truncated } else { VaultError::Changed(self.number.saturating_add(1)) });
        };
        self.open = io::Cursor::new(opened);
        self.is_over = is_last;
        self.number = self.number.checked_add(1).ok_or(VaultError::TooLong)?;
        Ok(())
    }
}

impl<R: Read + Seek> OpeningReader<R> {
    /// Goes back to the first byte.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rewind(&mut self) -> Result<(), VaultError> {
        self.file.seek(SeekFrom::Start(u64::try_from(HEAD).unwrap_or_default()))?;
        self.next = chunk_of(&mut self.file)?;
        (self.number, self.is_over, self.open) = (0, false, io::Cursor::default());
        Ok(())
    }
}

impl<R: Read> Read for OpeningReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.open.read(bytes)?;
            if count > 0 || bytes.is_empty() || self.is_over {
                return Ok(count);
            }
            self.advance()?;
        }
    }
}

/// The next sealed chunk; nothing at the end of the file.
fn chunk_of(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK + TAG];
    let length = fill(file, &mut chunk)?;
    chunk.truncate(length);
    Ok(chunk)
}

/// Reads as much as there is, and at most what fits.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => length = length.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], VaultError> {
    let (first, rest) = bytes.split_at_checked(N).ok_or(VaultError::Truncated)?;
    *bytes = rest;
    first.try_into().map_err(|_| VaultError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "a passphrase of some length";

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut writer = SealingWriter::begin(Vec::new(), PASSPHRASE).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    fn opened(file: &[u8]) -> Result<Vec<u8>, String> {
        let mut reader = OpeningReader::open(file, PASSPHRASE).map_err(|error| error.to_string())?;
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(|error| error.to_string())?;
        Ok(content)
    }

    #[test]
    fn what_was_sealed_opens_whatever_its_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let file = sealed(&content);
            assert_eq!(opened(&file).unwrap(), content, "{length}");
        }
    }

    #[test]
    fn a_file_that_was_changed_anywhere_does_not_open() {
        let content = vec![7; 2 * CHUNK + 100];
        let file = sealed(&content);
        let chunk = CHUNK + TAG;
        let says = |file: &[u8], part: &str| {
            let said = opened(file).unwrap_err();
            assert!(said.contains(part), "{said}");
        };
        for at in [40, HEAD, HEAD + chunk - 1, HEAD + chunk + 5, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            says(&changed, "damaged");
        }
        for at in [21, 25, HEAD - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            says(&changed, "passphrase");
        }
        let (head, body) = file.split_at(HEAD);
        let mut parts: Vec<&[u8]> = body.chunks(chunk).collect();
        parts.swap(0, 1);
        says(&[head, &parts.concat()].concat(), "damaged");
        says(&[head, body.get(..chunk).unwrap(), body.get(2 * chunk..).unwrap()].concat(), "damaged");
        // Cut off between two chunks, within one, and at the head.
        says(file.get(..HEAD + chunk).unwrap(), "its end is missing");
        says(file.get(..HEAD).unwrap(), "its end is missing");
        says(file.get(..HEAD + 10).unwrap(), "damaged");
        says(file.get(..20).unwrap(), "its end is missing");
        says(b"SQLite format 3", "not a backup");
        let mut longer = file.clone();
        longer.push(0);
        says(&longer, "damaged");
    }

    #[test]
    fn a_wrong_passphrase_and_a_later_form_are_named() {
        let mut file = sealed(b"content");
        let said = OpeningReader::open(file.as_slice(), "another passphrase").map(drop).unwrap_err().to_string();
        assert!(said.starts_with("the passphrase is not the one"), "{said}");
        file[8] = 2;
        assert!(opened(&file).unwrap_err().contains("form (number 2)"));
    }

    #[test]
    fn a_file_cannot_ask_for_more_memory_than_there_should_be() {
        let mut file = sealed(b"content");
        file[9] = 0xff;
        let said = opened(&file).unwrap_err();
        assert!(said.contains("passphrase"), "{said}");
    }

    #[test]
    fn a_file_can_be_read_twice() {
        let file = sealed(&vec![1; CHUNK + 3]);
        let mut reader = OpeningReader::open(io::Cursor::new(file), PASSPHRASE).unwrap();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        reader.read_to_end(&mut first).unwrap();
        reader.rewind().unwrap();
        reader.read_to_end(&mut second).unwrap();
        assert_eq!(first, second);
    }
}

//! Dovecot, the IMAP server: passwords that it can check by itself and name by a hash, and how its sessions are ended. Nothing here
//! knows the database; who may read mail is up to the services.

mod doveadm;
mod password;

pub use doveadm::{Doveadm, KickError, SetUpError};
pub use password::{Keys, Minted};

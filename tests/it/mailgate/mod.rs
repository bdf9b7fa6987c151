//! Mail by compliance: what the server says to Dovecot, and a real Dovecot with a real mail client before it.

mod dovecot;
mod imap;
mod outage;
mod server;
mod stage;
mod story;

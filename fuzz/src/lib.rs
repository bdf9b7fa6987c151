//! The layers of the product that read what strangers send, compiled for the fuzzer.

#![allow(missing_docs, unused, reason = "these are the product's own files; its build judges them")]

#[path = "../../src/apple/mod.rs"]
pub mod apple;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "../../src/pki/mod.rs"]
pub mod pki;

/// The registration authority that `seeds` made; requests among the seeds are sealed to it.
pub fn registration_authority() -> pki::Identity {
    let folder = std::env::var("ENLIST_FUZZ_SEEDS").expect("ENLIST_FUZZ_SEEDS names the folder of the seeds");
    let read = |name: &str| std::fs::read(format!("{folder}/{name}")).expect("the seeds were made");
    pki::Identity::from_pem(&read("ra.pem"), &read("ra.key")).expect("the seeds are whole")
}

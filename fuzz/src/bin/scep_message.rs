//! Feeds SCEP messages to the CA, and the same bytes to the reader of certificate requests.
#![no_main]

use std::sync::LazyLock;

use enlist_fuzz::{apple::scep, pki::{Identity, csr}, registration_authority};

static RA: LazyLock<Identity> = LazyLock::new(registration_authority);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let strength = scep::Strength { allow_sha1: true, allow_3des: true };
    drop(scep::open(data, &RA, strength));
    drop(csr::inspect(data));
});

//! What `GetCACaps` says (RFC 8894, section 3.5.2).

use super::Strength;

/// The capabilities, one on each line, without those that `strength` would refuse.
///
/// `SHA-384` is not in the standard. strongSwan 5.9.8 tests the wrong bits and says that AES is missing unless it is there.
/// `Renewal`, `AES`, `SHA-256` and `POSTPKIOperation` are what iOS insists on (it fails with 22006 otherwise).
#[must_use]
pub fn capabilities(strength: Strength) -> String {
    let all = [
        ("AES", true),
        ("SHA-256", true),
        ("SHA-384", true),
        ("SHA-512", true),
        ("DES3", strength.allow_3des),
        ("SHA-1", strength.allow_sha1),
        ("POSTPKIOperation", true),
        ("SCEPStandard", true),
        ("Renewal", true),
    ];
    all.iter().filter(|(_, offered)| *offered).fold(String::new(), |lines, (name, _)| lines + name + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_algorithms_are_offered_only_where_they_are_accepted() {
        assert!(!capabilities(Strength::default()).contains("DES3"));
        let all = capabilities(Strength { allow_sha1: true, allow_3des: true });
        assert_eq!(all, "AES\nSHA-256\nSHA-384\nSHA-512\nDES3\nSHA-1\nPOSTPKIOperation\nSCEPStandard\nRenewal\n");
    }
}

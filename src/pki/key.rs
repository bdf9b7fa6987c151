//! Which public keys of strangers are good enough to certify.

use openssl::{
    ec::EcKeyRef,
    nid::Nid,
    pkey::{HasPublic, Id, PKeyRef, Public},
};

/// Why a public key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither RSA nor a supported curve.
    #[error("the key is neither RSA nor on P-256 or P-384")]
    Kind,
    /// RSA outside 2048 to 8192 bits.
    #[error("the RSA key has {0} bits, 2048 to 8192 are accepted")]
    Size(u32),
    /// An even, tiny or huge exponent, or a modulus that cannot be one.
    #[error("the RSA key has an unusual exponent or modulus")]
    Unusual,
    /// The modulus has the mark of CVE-2017-15361.
    #[error("the RSA key was made by a generator with a known weakness")]
    Roca,
    /// The point is not on the curve.
    #[error("the EC key is not a point on its curve")]
    NotOnCurve,
    /// OpenSSL could not look at it.
    #[error("the key cannot be read")]
    Unreadable,
}

/// Accepts RSA of 2048 to 8192 bits with an odd exponent of 17 to 64 bits, and EC on P-256 or P-384.
pub fn check<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), KeyError> {
    match key.id() {
        Id::RSA => {
            let rsa = key.rsa().map_err(|_| KeyError::Unreadable)?;
            let bits = key.bits();
            if !(2048..=8192).contains(&bits) {
                return Err(KeyError::Size(bits));
            }
            if !rsa.e().is_odd() || !(17..=64).contains(&rsa.e().num_bits()) || !rsa.n().is_odd() {
                return Err(KeyError::Unusual);
            }
            if is_roca(rsa.n())? { Err(KeyError::Roca) } else { Ok(()) }
        }
        Id::EC => {
            // The generic key is narrowed by way of its encoding, as the accessor wants a public key.
            let der = key.public_key_to_der().map_err(|_| KeyError::Unreadable)?;
            let key = openssl::ec::EcKey::<Public>::public_key_from_der(&der).map_err(|_| KeyError::Unreadable)?;
            check_curve(&key)
        }
        _ => Err(KeyError::Kind),
    }
}

fn check_curve(key: &EcKeyRef<Public>) -> Result<(), KeyError> {
    if !matches!(key.group().curve_name(), Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1)) {
        return Err(KeyError::Kind);
    }
    key.check_key().map_err(|_| KeyError::NotOnCurve)
}

/// Moduli of CVE-2017-15361 are powers of 65537 modulo every small prime; of others, one in many millions is.
fn is_roca(modulus: &openssl::bn::BigNumRef) -> Result<bool, KeyError> {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131,
        137, 139, 149, 151, 157, 163, 167,
    ];
    for prime in PRIMES {
        let rest = modulus.mod_word(prime).map_err(|_| KeyError::Unreadable)?;
        let (mut power, mut found) = (1_u64, false);
        for _ in 0..prime {
            found |= power == rest;
            power = power.wrapping_mul(65_537).checked_rem(u64::from(prime)).unwrap_or_default();
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two public keys are the same key.
pub fn same<A: HasPublic, B: HasPublic>(a: &PKeyRef<A>, b: &PKeyRef<B>) -> bool {
    a.id() == b.id() && a.public_eq(b)
}

#[cfg(test)]
mod tests {
    use openssl::{
        bn::BigNum,
        ec::{EcGroup, EcKey},
        pkey::PKey,
        rsa::Rsa,
    };

    use super::*;

    fn rsa(n: BigNum, e: u32) -> PKey<Public> {
        PKey::from_rsa(Rsa::from_public_components(n, BigNum::from_u32(e).unwrap()).unwrap()).unwrap()
    }

    fn number(bits: i32) -> BigNum {
        let mut n = BigNum::new().unwrap();
        n.rand(bits, openssl::bn::MsbOption::ONE, true).unwrap();
        n
    }

    #[test]
    fn small_huge_and_odd_keys_are_refused() {
        assert_eq!(check(&rsa(number(1024), 65_537)), Err(KeyError::Size(1024)));
        assert_eq!(check(&rsa(number(16_384), 65_537)), Err(KeyError::Size(16_384)));
        assert_eq!(check(&rsa(number(2048), 1)), Err(KeyError::Unusual));
        assert_eq!(check(&rsa(number(2048), 65_536)), Err(KeyError::Unusual));
        let curve = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
        assert_eq!(check(&PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()), Err(KeyError::Kind));
        assert_eq!(check(&PKey::generate_ed25519().unwrap()), Err(KeyError::Kind));
    }

    #[test]
    fn ordinary_keys_are_accepted() {
        assert_eq!(check(&PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()), Ok(()));
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        assert_eq!(check(&PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()), Ok(()));
    }

    #[test]
    fn a_modulus_with_the_mark_of_the_weak_generator_is_refused() {
        // A power of 65537 is one modulo every prime.
        let mut modulus = BigNum::from_u32(65_537).unwrap();
        for _ in 0..127 {
            modulus = &modulus * &BigNum::from_u32(65_537).unwrap();
        }
        assert_eq!(check(&rsa(modulus, 65_537)), Err(KeyError::Roca));
    }
}

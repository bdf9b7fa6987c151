//! Which addresses of the network belong to everybody, and which to a machine or an organization itself. Whoever lets others name
//! the server that is called must not let them reach the latter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of IPv4 that are not the public internet (IANA's registry of special-purpose addresses).
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks within IPv6's public space that are not public all the same: benchmarks, Teredo, documentation, ORCHID, local NAT64.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

/// Whether an address belongs to the public internet: not to this machine, a private network, a link, a cloud's metadata service,
/// or a group of receivers.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let has = |network: Ipv4Addr, bits: u32| {
        let shift = 32_u32.saturating_sub(bits);
        network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
    };
    !SPECIAL_V4.iter().any(|(network, bits)| has(*network, *bits))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let has = |network: Ipv6Addr, bits: u32| {
        let shift = 128_u32.saturating_sub(bits);
        network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
    };
    if SPECIAL_V6.iter().any(|(network, bits)| has(*network, *bits)) {
        return false;
    }
    let [first, second, third, .., seventh, last] = address.segments();
    let of = |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    match (first, second) {
        // NAT64 and 6to4 carry an address of IPv4, which is the one that is reached.
        (0x64, 0xff9b) => of(seventh, last),
        (0x2002, _) => of(second, third),
        // Everything public is in 2000::/3.
        _ => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "193.0.0.1", "223.255.255.254", "2606:4700::1111", "2a00::1"] {
            assert!(public(address), "{address}");
        }
        for address in ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"] {
            assert!(public(address), "{address} carries a public one");
        }
    }

    #[test]
    fn addresses_of_machines_links_and_organizations_are_not() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!public(address), "{address}");
        }
        for address in
            ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1"]
        {
            assert!(!public(address), "{address} carries one that is not");
        }
    }
}

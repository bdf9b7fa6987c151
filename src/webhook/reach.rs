//! Which servers a webhook may reach. It is decided from the addresses that a name resolves to, and the connection goes to those very
//! addresses: a name that resolves to another one a moment later gains nothing.

use std::net::{IpAddr, SocketAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::domain::{networks::Networks, reach::is_public};

/// Which addresses may be reached.
#[derive(Debug, Clone)]
pub struct Reach {
    /// Private networks that may be.
    pub private: Networks,
    /// Whether the public internet may be.
    pub includes_public: bool,
}

/// An address that must not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The address is not public.
    #[error("{0} is a private address; the option webhook-allow-private names those that may be reached")]
    Private(IpAddr),
    /// The connection would not be encrypted.
    #[error("{0} may only be reached by https://; http:// is for networks that the option webhook-allow-private names")]
    Plain(IpAddr),
    /// Nobody is called so.
    #[error("the name {0} leads nowhere")]
    Unknown(String),
}

impl Reach {
    /// Whether this address may be reached.
    pub fn check(&self, address: IpAddr) -> Result<(), ReachError> {
        let address = address.to_canonical();
        if self.private.contain(address) || self.includes_public && is_public(address) {
            Ok(())
        } else if is_public(address) {
            Err(ReachError::Plain(address))
        } else {
            Err(ReachError::Private(address))
        }
    }

    /// Whether the address that a URL names may be reached. One that has a name is checked when it is resolved.
    pub fn check_literal(&self, url: &Url) -> Result<(), ReachError> {
        literal(url).map_or(Ok(()), |address| self.check(address))
    }

    /// The addresses among these that may be reached; if there are none, why not.
    fn admit(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, ReachError> {
        let mut admitted = Vec::new();
        let mut refusal = ReachError::Unknown(name.to_owned());
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => admitted.push(address),
                Err(why) => refusal = why,
            }
        }
        if admitted.is_empty() { Err(refusal) } else { Ok(admitted) }
    }
}

/// The address in a URL that has one instead of a name. The parser has brought all ways of writing one into one form.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names to addresses that may be reached.
impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = reach.admit(name.as_str(), found)?;
            let addresses: Addrs = Box::new(admitted.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(private: &str, includes_public: bool) -> Reach {
        Reach { private: private.parse().unwrap(), includes_public }
    }

    #[test]
    fn an_address_is_recognized_however_it_is_written() {
        let nowhere = reach("", true);
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
        ] {
            let refused = nowhere.check_literal(&Url::parse(url).unwrap());
            assert!(matches!(refused, Err(ReachError::Private(_))), "{url}: {refused:?}");
        }
        assert_eq!(nowhere.check_literal(&Url::parse("https://hooks.example.com/").unwrap()), Ok(()), "it has to be resolved first");
    }

    #[test]
    fn of_the_addresses_of_a_name_only_those_that_may_be_reached_are_used() {
        let addresses = ["127.0.0.1:0", "8.8.8.8:0", "10.0.0.5:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        let admitted = reach("", true).admit("x", addresses.into_iter()).unwrap();
        assert_eq!(admitted, [addresses[1]]);
        let admitted = reach("10.0.0.0/8", false).admit("x", addresses.into_iter()).unwrap();
        assert_eq!(admitted, [addresses[2]]);
        assert!(matches!(reach("", true).admit("x", addresses.into_iter().take(1)), Err(ReachError::Private(_))));
        assert!(matches!(reach("10.0.0.0/8", false).admit("x", addresses.into_iter().skip(1).take(1)), Err(ReachError::Plain(_))));
        assert!(matches!(reach("", true).admit("x", std::iter::empty()), Err(ReachError::Unknown(_))));
    }
}

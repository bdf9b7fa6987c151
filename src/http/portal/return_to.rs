//! Where a person wanted to go before they were asked who they are. Only addresses of this very server are kept, so that nobody
//! can be led elsewhere by way of it.

use url::Url;

/// Longest address that is kept.
const LONGEST: usize = 1000;

/// The path and query of an address that lies on this server; nothing for any other.
///
/// * `public_url`: how the world calls this server.
/// * `wanted`: an address without its host, or a whole one.
#[must_use]
pub fn own_address(public_url: &str, wanted: &str) -> Option<String> {
    if wanted.len() > LONGEST || wanted.chars().any(|letter| letter.is_control() || letter == '\\') {
        return None;
    }
    let own = Url::parse(public_url).ok()?;
    let is_whole = wanted.starts_with("https://") || wanted.starts_with("http://");
    if !is_whole && (!wanted.starts_with('/') || wanted.starts_with("//")) {
        return None;
    }
    let found = own.join(wanted).ok()?;
    if found.origin() != own.origin() || !found.username().is_empty() || found.password().is_some() {
        return None;
    }
    let query = found.query().map(|query| format!("?{query}")).unwrap_or_default();
    // A path that begins with two slashes would be read as another host.
    (!found.path().starts_with("//")).then(|| format!("{}{query}", found.path()))
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn only_addresses_of_this_server_are_kept() {
        let own = |wanted: &str| own_address("https://enroll.example.com", wanted);
        assert_eq!(own("/l/abc?x=1").as_deref(), Some("/l/abc?x=1"));
        assert_eq!(own("https://enroll.example.com/devices").as_deref(), Some("/devices"));
        for foreign in [
            "",
            "devices",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "/\t/evil.example",
            "/.//evil.example/",
            "https://evil.example/",
            "https://enroll.example.com.evil.example/",
            "https://enroll.example.com@evil.example/",
            "https://somebody@enroll.example.com/",
            "http://enroll.example.com/",
            "https://enroll.example.com:444/",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            assert_eq!(own(foreign), None, "{foreign}");
        }
        assert_eq!(own(&format!("/{}", "x".repeat(1000))), None);
    }
}

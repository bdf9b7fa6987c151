//! Applications behind the gate, as addresses name them: which host a browser may be led to, and where on it.

use url::Url;

/// The path on this server that leads an enrolled browser to an application, and enrolls another one first.
pub const ENTER: &str = "/gate/v1/enter";
/// The path of every protected host that its proxy hands on to this server, where a browser is given its cookie.
pub const CALLBACK: &str = "/.enlist/callback";
/// Seconds for which a browser can spend the ticket that it was given.
pub const TICKET_SECONDS: i64 = 60;
/// Most hosts that can be named.
pub const MOST_HOSTS: usize = 1000;

/// Where on a protected application somebody wanted to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `https`, or `http` where that is used for this server as well.
    pub scheme: String,
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
    /// Path and query.
    pub path: String,
}

impl Destination {
    /// Reads a whole address; nothing where it is none, or is one that could be read in two ways.
    ///
    /// * `is_secure`: only `https` will do.
    #[must_use]
    pub fn parse(text: &str, is_secure: bool) -> Option<Self> {
        if text.chars().any(|letter| letter.is_control() || letter == '\\') {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let is_scheme = url.scheme() == "https" || (url.scheme() == "http" && !is_secure);
        if !is_scheme || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = path_within(&format!("{}{query}", url.path()))?.to_owned();
        Some(Self { scheme: url.scheme().to_owned(), host: format!("{}{port}", url.host_str()?), path })
    }

    /// The whole address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}://{}{}", self.scheme, self.host, self.path)
    }

    /// Where the proxy of the application hands the browser on to this server, with a ticket.
    #[must_use]
    pub fn callback(&self, ticket: &str) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("ticket", ticket).append_pair("to", &self.path).finish();
        format!("{}://{}{CALLBACK}?{query}", self.scheme, self.host)
    }
}

/// A path with its query, if it leads nowhere but to the same host: it begins with one slash, and browsers neither take it for the
/// name of another host nor leave anything of it out.
#[must_use]
pub fn path_within(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (is_plain && text.starts_with('/') && !text.starts_with("//")).then_some(text)
}

/// A host as a request names it, the way that it is compared: in lower case, and without the port that goes without saying.
#[must_use]
pub fn normal_host(text: &str, scheme: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let port = if scheme == "http" { ":80" } else { ":443" };
    text.strip_suffix(port).map_or_else(|| text.clone(), str::to_owned)
}

/// Whether a text names exactly one host: in lower case, with a port only where that is not the one of HTTPS.
#[must_use]
pub fn is_host(text: &str) -> bool {
    // A star is a letter of no host, and whoever writes one means more than one host.
    let is_one = !text.contains('*');
    is_one && Destination::parse(&format!("https://{text}/"), true).is_some_and(|found| found.host == text && found.path == "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_one_that_can_be_misread_is_refused() {
        let read = |text: &str| Destination::parse(text, true).map(|found| (found.host, found.path));
        let pair = |host: &str, path: &str| Some((host.to_owned(), path.to_owned()));
        assert_eq!(read("https://App.example.com:443/a b?c=d#e"), pair("app.example.com", "/a%20b?c=d"));
        assert_eq!(read("https://app.example.com:8443"), pair("app.example.com:8443", "/"));
        for wrong in [
            "",
            "/path",
            "//app.example.com/",
            "http://app.example.com/",
            "javascript:alert(1)",
            "https://somebody@app.example.com/",
            "https://app.example.com//evil.example/",
            "https://app.example.com\\@evil.example/",
            "https://app.example.com/\t/evil.example",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(Destination::parse("http://app.example.com/", false).is_some());
    }

    #[test]
    fn a_browser_comes_back_with_its_ticket_to_the_same_host() {
        let to = Destination::parse("https://app.example.com/a?b=c&d=%2F", true).unwrap();
        assert_eq!(to.callback("T-1"), "https://app.example.com/.enlist/callback?ticket=T-1&to=%2Fa%3Fb%3Dc%26d%3D%252F");
        assert_eq!(to.address(), "https://app.example.com/a?b=c&d=%2F");
    }

    #[test]
    fn a_path_leads_to_no_other_host() {
        assert_eq!(path_within("/a?b=//c"), Some("/a?b=//c"));
        for wrong in ["", "a", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example/", "/é"] {
            assert_eq!(path_within(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_host_is_named_exactly() {
        for host in ["app.example.com", "localhost", "localhost:8443", "192.0.2.1", "[2001:db8::1]:8443", "xn--caf-dma.example"] {
            assert!(is_host(host), "{host}");
        }
        for wrong in
            ["", "App.example.com", "app.example.com:443", "https://app.example.com", "app.example.com/", "a@b", "a b", "*.example.com"]
        {
            assert!(!is_host(wrong), "{wrong}");
        }
        assert_eq!(normal_host("App.Example.com:443", "https"), "app.example.com");
        assert_eq!(normal_host("app.example.com:80", "https"), "app.example.com:80");
        assert_eq!(normal_host("localhost:80", "http"), "localhost");
    }
}

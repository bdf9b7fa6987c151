//! The request that the proxy asks about, as the proxy describes it.

use actix_web::{HttpRequest, http::uri::Authority};

use super::ADDRESS;
use crate::{
    domain::destination::normal_host,
    http::client::{Ambiguous, is_from_trusted_proxy},
};

/// Header lines of which a proxy sets one. A second one came from somebody else.
const SINGLE: [&str; 7] = [
    "x-forwarded-method",
    "x-forwarded-uri",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
];

/// The request that the proxy asks about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Original {
    /// The proxy wants a redirect, and a person would see where it leads.
    pub should_redirect: bool,
    /// Whoever asked reads pages.
    pub reads_pages: bool,
    /// A person opens a page, as far as the proxy says.
    pub is_visit: bool,
    /// Where it was sent.
    pub place: Place,
    /// Path and query.
    pub address: String,
}

/// The application that a request was sent to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// `https` or `http`.
    pub scheme: String,
    /// The host, with its port where that is not the scheme's own.
    pub host: String,
}

impl Place {
    /// Reads it from what a trusted proxy says, or from the request itself.
    ///
    /// * `scheme`: the one that is meant where nobody names any.
    ///
    /// # Errors
    /// A line of a trusted proxy comes twice, or cannot be read.
    pub fn read(request: &HttpRequest, scheme: &str) -> Result<Self, Ambiguous> {
        let is_believed = is_believed(request)?;
        let line = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let forwarded = |name: &str| if is_believed { line(name) } else { None };
        let whole = forwarded("x-original-url").and_then(|url| url.split_once("://"));
        let told = forwarded("x-forwarded-proto").or(whole.map(|(scheme, _)| scheme)).unwrap_or(scheme);
        let scheme = if told.eq_ignore_ascii_case("http") { "http" } else { "https" };
        let of_whole = whole.and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
        let own = || line("host").or_else(|| request.uri().authority().map(Authority::as_str));
        let host = forwarded("x-forwarded-host").or(of_whole).or_else(own).unwrap_or_default();
        Ok(Self { scheme: scheme.to_owned(), host: normal_host(host, scheme) })
    }
}

/// Whether what the lines say is believed.
///
/// # Errors
/// It is, and one of them comes twice, or holds something else than ASCII: read as if it was not there, it would switch off what is
/// asked of it, while the application behind the proxy takes it for what it says.
fn is_believed(request: &HttpRequest) -> Result<bool, Ambiguous> {
    let is_single = |name: &str| {
        let mut lines = request.headers().get_all(name);
        lines.next().is_none_or(|line| line.to_str().is_ok()) && lines.next().is_none()
    };
    let is_trusted = is_from_trusted_proxy(request);
    if is_trusted && !SINGLE.into_iter().all(is_single) { Err(Ambiguous) } else { Ok(is_trusted) }
}

impl Original {
    /// Reads what the proxy says.
    ///
    /// * `scheme`: the one that is meant where the proxy names none.
    ///
    /// # Errors
    /// A line comes twice or cannot be read, or the address is one that the proxy and the application behind it might read differently.
    pub fn read(request: &HttpRequest, scheme: &str) -> Result<Self, Ambiguous> {
        let is_believed = is_believed(request)?;
        let line = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let forwarded = |names: [&str; 2]| if is_believed { names.into_iter().find_map(line) } else { None };
        let method = forwarded(["x-forwarded-method", "x-original-method"]).unwrap_or_else(|| request.method().as_str());
        let whole = request.uri().path_and_query().map_or("", |path| path.as_str());
        let own = whole.strip_prefix(ADDRESS).unwrap_or_default();
        let told = forwarded(["x-forwarded-uri", "x-original-uri"]);
        let address = told.or_else(|| forwarded(["x-original-url", "x-original-url"]).map(path_of)).unwrap_or(own);
        if !is_plain(own) || !is_plain(address) {
            return Err(Ambiguous);
        }
        let reads_pages = line("accept").is_some_and(|accepted| accepted.contains("text/html"));
        // Older browsers do not say; what is no navigation does not ask for pages there.
        let is_navigation = line("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        let is_document = line("sec-fetch-dest").is_none_or(|destination| destination == "document");
        let is_look = method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("HEAD");
        let is_wanted =
            url::form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, value)| name == "mode" && value == "redirect");
        let is_visit = is_look && reads_pages && is_navigation && is_document;
        let (place, address) = (Place::read(request, scheme)?, address.to_owned());
        Ok(Self { should_redirect: is_wanted && is_visit, reads_pages, is_visit, place, address })
    }
}

/// The path of a whole address.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

/// Whether a path means the same to everybody: nothing that steps up, and no slash, dot, percent sign or control character in
/// disguise.
fn is_plain(address: &str) -> bool {
    const DISGUISED: [&str; 4] = ["%2f", "%5c", "%2e", "%25"];
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let has_step = path.split('/').any(|part| part == "." || part == ".." || part.starts_with("..;") || part.starts_with(".;"));
    let has_control =
        path.contains('\\') || path.chars().any(char::is_control) || path.contains("%0") || path.contains("%1") || path.contains("%7f");
    !has_step && !has_control && !path.starts_with("//") && !DISGUISED.iter().any(|sign| path.contains(sign))
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest, web};

    use super::*;
    use crate::domain::networks::Networks;

    fn read(peer: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Original, Ambiguous> {
        let mut request = TestRequest::default()
            .uri(uri)
            .peer_addr(format!("{peer}:1").parse().unwrap())
            .app_data(web::Data::new("10.0.0.0/8".parse::<Networks>().unwrap()));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        Original::read(&request.to_http_request(), "https")
    }

    #[test]
    fn addresses_that_can_be_read_in_two_ways_are_refused_wherever_the_proxy_puts_them() {
        for path in ["/a/../b", "/a/./b", "/a%2Fb", "/a%2e%2e/b", "/a%5cb", "/a%00", "/a%252fb", "//evil/", "/a/..;/b", "/%0d%0a"] {
            for name in ["x-forwarded-uri", "x-original-uri"] {
                assert_eq!(read("10.0.0.1", ADDRESS, &[(name, path)]), Err(Ambiguous), "{path}");
            }
            assert_eq!(read("10.0.0.1", ADDRESS, &[("x-original-url", &format!("https://app.example{path}"))]), Err(Ambiguous), "{path}");
            assert_eq!(read("10.0.0.1", &format!("{ADDRESS}{path}"), &[]), Err(Ambiguous), "{path}");
        }
        for path in ["/", "/a/b.c?x=%2F..%2F", "/a%20b", "/caf%C3%A9", "/...", "/a;b=c", ""] {
            assert!(read("10.0.0.1", ADDRESS, &[("x-forwarded-uri", path)]).is_ok(), "{path}");
        }
        // Nobody else describes requests.
        assert!(read("192.0.2.1", ADDRESS, &[("x-forwarded-uri", "/a/../b")]).is_ok());
    }

    #[test]
    fn a_line_that_comes_twice_is_refused() {
        for name in SINGLE {
            assert_eq!(read("10.0.0.1", ADDRESS, &[(name, "/a"), (name, "/a")]), Err(Ambiguous), "{name}");
            assert!(read("192.0.2.1", ADDRESS, &[(name, "/a"), (name, "/a")]).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_refused() {
        let with = |peer: &str, name: &str| {
            let request = TestRequest::default()
                .uri(ADDRESS)
                .peer_addr(format!("{peer}:1").parse().unwrap())
                .app_data(web::Data::new("10.0.0.0/8".parse::<Networks>().unwrap()))
                .append_header((name, HeaderValue::from_bytes(b"/a/../\xe9").unwrap()))
                .to_http_request();
            (Original::read(&request, "https"), Place::read(&request, "https"))
        };
        for name in SINGLE {
            assert_eq!(with("10.0.0.1", name), (Err(Ambiguous), Err(Ambiguous)), "{name}");
            // Nobody else describes requests.
            let (original, place) = with("192.0.2.1", name);
            assert!(original.is_ok() && place.is_ok(), "{name}");
        }
    }

    #[test]
    fn only_somebody_who_opens_a_page_is_sent_elsewhere_and_only_if_the_proxy_wants_it() {
        let page = ("accept", "text/html,*/*");
        let redirects =
            |mode: &str, headers: &[(&str, &str)]| read("10.0.0.1", &format!("{ADDRESS}{mode}"), headers).unwrap().should_redirect;
        assert!(redirects("?mode=redirect", &[page]));
        assert!(redirects("?mode=redirect", &[page, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]));
        assert!(!redirects("", &[page]));
        assert!(!redirects("?mode=redirect", &[("accept", "application/json")]));
        assert!(!redirects("?mode=redirect", &[page, ("sec-fetch-mode", "cors")]));
        assert!(!redirects("?mode=redirect", &[page, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]));
        assert!(!redirects("?mode=redirect", &[page, ("x-forwarded-method", "POST")]));
    }

    #[test]
    fn the_host_is_what_a_trusted_proxy_says_or_the_request_itself() {
        let place = |peer: &str, headers: &[(&str, &str)]| {
            let place = read(peer, ADDRESS, &[headers, &[("host", "own.example:443")]].concat()).unwrap().place;
            format!("{}://{}", place.scheme, place.host)
        };
        let told = [("x-forwarded-host", "App.example:8443"), ("x-forwarded-proto", "https")];
        assert_eq!(place("10.0.0.1", &told), "https://app.example:8443");
        assert_eq!(place("192.0.2.1", &told), "https://own.example");
        assert_eq!(place("10.0.0.1", &[("x-original-url", "http://app.example:80/a?b")]), "http://app.example");
        assert_eq!(place("10.0.0.1", &[]), "https://own.example");
        assert_eq!(read("10.0.0.1", &format!("{ADDRESS}/a?b=c"), &[]).unwrap().address, "/a?b=c");
    }
}

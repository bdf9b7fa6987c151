//! The cookies by which this server knows a browser again: what they are called, how they are read, and what protects them.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    http::header,
};

/// The whole name of a cookie. The `__Host-` prefix lets nobody but this very host set it; browsers accept it over HTTPS only.
fn full_name(name: &str, is_https: bool) -> String {
    if is_https { format!("__Host-{name}") } else { name.to_owned() }
}

/// The value of a cookie. One that is empty is none, and so is one that comes twice: only one of them can be ours.
///
/// The name is compared as it stands in the header. Browsers guard the prefix as it is written: they let a neighbouring host set
/// `__%48ost-…`, or the name behind a space of Unicode, and decoding or trimming would make ours of it.
#[must_use]
pub fn read(request: &HttpRequest, name: &str, is_https: bool) -> Option<String> {
    let name = full_name(name, is_https);
    let pairs = request.headers().get_all(header::COOKIE).flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let value = values.next()?;
    if value.is_empty() || values.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok().map(str::to_owned)
}

/// The cookie that a browser is given: for this host and all its paths, out of reach of scripts and of requests from other sites.
///
/// * `seconds`: for how long it is kept; with none it is taken away.
#[must_use]
pub fn make(name: &str, value: String, seconds: i64, is_https: bool) -> Cookie<'static> {
    Cookie::build(full_name(name, is_https), value)
        .path("/")
        .http_only(true)
        .secure(is_https)
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    fn value(lines: &[&[u8]], is_https: bool) -> Option<String> {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header((header::COOKIE, HeaderValue::from_bytes(line).unwrap()));
        }
        read(&request.to_http_request(), "mine", is_https)
    }

    #[test]
    fn a_cookie_is_read_under_its_very_name() {
        assert_eq!(value(&[b"theme=dark;  __Host-mine=a%2Fb=c ;x"], true).as_deref(), Some("a%2Fb=c"), "and not decoded");
        assert_eq!(value(&[b"x=\xff", b"mine=a"], false).as_deref(), Some("a"), "whatever stands beside it");
        for other in ["mine=a", "__%48ost-mine=a", "__host-mine=a", "\u{2003}__Host-mine=a", "\u{a0}__Host-mine=a", "__Host-mine =a"] {
            assert_eq!(value(&[other.as_bytes()], true), None, "{other:?}");
        }
        for other in ["__Host-mine=a", "m%69ne=a", "mine", "mine=", "mine2=a", "mi ne=a"] {
            assert_eq!(value(&[other.as_bytes()], false), None, "{other:?}");
        }
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        assert_eq!(value(&[b"__Host-mine=a; __Host-mine=b"], true), None);
        assert_eq!(value(&[b"__Host-mine=a", b"__Host-mine=a"], true), None);
        assert_eq!(value(&[b"__Host-mine=a; __%48ost-mine=b"], true).as_deref(), Some("a"), "what is called otherwise does not count");
    }

    #[test]
    fn a_cookie_is_given_hardened() {
        let given = make("mine", "a".into(), 60, true).to_string();
        for part in ["__Host-mine=a", "HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=60"] {
            assert!(given.contains(part), "{part}: {given}");
        }
        let plain = make("mine", "a".into(), 60, false).to_string();
        assert!(plain.starts_with("mine=a;") && !plain.contains("Secure"), "{plain}");
    }
}

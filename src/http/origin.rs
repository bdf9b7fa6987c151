//! Whether a form comes from one of our own pages, as far as the browser says.

use actix_web::dev::ServiceRequest;

/// Whether a form was sent by one of our own pages, as far as the browser says.
///
/// Because our pages ask for no referrer, browsers write `Origin: null` on our own forms (Fetch, "append a request `Origin`
/// header"), so that word alone condemns nothing. What remains is `Sec-Fetch-Site`, and for browsers without it the cookie,
/// which is not sent along with forms of other sites (`SameSite=Lax`).
#[must_use]
pub fn is_own(request: &ServiceRequest, public_url: &str) -> bool {
    let value = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_origin_ours = value("origin").is_none_or(|origin| origin == "null" || origin.eq_ignore_ascii_case(origin_of(public_url)));
    let is_site_ours = value("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    is_origin_ours && is_site_ours
}

/// Scheme, host and port of an address, as browsers write an origin.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start.saturating_add(at));
    let origin = url.get(..end).unwrap_or(url);
    let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    origin.strip_suffix(default_port).unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn forms_of_other_sites_are_recognized() {
        let own = |headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::post(), |request, header| request.insert_header(*header)).to_srv_request();
            is_own(&request, "https://mdm.example.com")
        };
        assert!(own(&[]));
        assert!(own(&[("Origin", "https://mdm.example.com"), ("Sec-Fetch-Site", "same-origin")]));
        assert!(own(&[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")]));
        assert!(!own(&[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]));
        assert!(!own(&[("Sec-Fetch-Site", "same-site")]));
        for foreign in
            ["https://evil.example", "http://mdm.example.com", "https://mdm.example.com.evil.example", "https://mdm.example.com:444"]
        {
            assert!(!own(&[("Origin", foreign)]), "{foreign}");
        }
    }

    #[test]
    fn an_origin_has_no_path_and_no_default_port() {
        assert_eq!(origin_of("https://mdm.example.com/base"), "https://mdm.example.com");
        assert_eq!(origin_of("https://mdm.example.com:443"), "https://mdm.example.com");
        assert_eq!(origin_of("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}

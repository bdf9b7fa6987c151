//! Stands around every route of the portal: refuses forms of other sites, turns errors into pages, and adds the headers that
//! every answer carries.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};

use super::problem::Problem;
use crate::{http::page, service::App};

/// The middleware.
///
/// # Errors
/// Those of the service behind it that are not answers.
pub async fn guard(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let public_url = request.app_data::<web::Data<App>>().map(|app| app.public_url().to_owned()).unwrap_or_default();
    let is_https = public_url.starts_with("https://");
    if *request.method() == Method::POST && !is_own(&request, &public_url) {
        let page = Problem::foreign().page(request.request(), is_https);
        return Ok(request.into_response(page));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if (status.is_client_error() || status.is_server_error()) && !is_page {
        let explained = response.response().error().and_then(|error| error.as_error::<Problem>());
        let page = match explained {
            Some(problem) => problem.page(response.request(), is_https),
            None => Problem::of_status(status).page(response.request(), is_https),
        };
        let allow = response.headers().get(header::ALLOW).cloned();
        response = response.into_response(page);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    page::harden(response.headers_mut(), is_https);
    Ok(response)
}

/// Whether a form was sent by one of our own pages, as far as the browser says.
///
/// Because our pages ask for no referrer, browsers write `Origin: null` on our own forms (Fetch, "append a request `Origin`
/// header"), so that word alone condemns nothing. What remains is `Sec-Fetch-Site`, and for browsers without it the cookie,
/// which is not sent along with forms of other sites (`SameSite=Lax`).
fn is_own(request: &ServiceRequest, public_url: &str) -> bool {
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

//! Pages: what every HTML answer has in common, which is its frame, its templates and the headers that guard it. What a
//! page says is left to the handlers.

use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};
use handlebars::{Handlebars, TemplateError};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::domain::hex::hex;

/// Nothing is loaded but our own stylesheet and images, and no script at all.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                                       base-uri 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "src/http/templates/"]
struct Templates;

#[derive(RustEmbed)]
#[folder = "src/http/assets/"]
struct Assets;

static REGISTRY: LazyLock<Result<Handlebars<'static>, Box<TemplateError>>> = LazyLock::new(compile);

/// Changes with every change of an asset, so that assets can be kept by browsers for as long as they like.
static ASSETS_VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut all = Vec::new();
    for name in Assets::iter() {
        all.extend(Assets::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
    }
    hex(openssl::sha::sha256(&all).split_at(6).0)
});

fn compile() -> Result<Handlebars<'static>, Box<TemplateError>> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    for file in Templates::iter() {
        let source = Templates::get(&file).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default();
        registry.register_template_string(file.trim_end_matches(".hbs"), source).map_err(Box::new)?;
    }
    Ok(registry)
}

/// One entry of the list that shows how far a walk of several pages has come.
#[derive(Debug, Clone, Serialize)]
pub struct Stop {
    /// What is done here.
    pub name: &'static str,
    /// It lies behind.
    pub is_done: bool,
    /// It is being done.
    pub is_current: bool,
}

/// What is around the content of a page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Frame {
    /// Heading and title.
    pub title: String,
    /// Whose server this is.
    pub organization: String,
    /// The page looks again after so many seconds.
    pub refresh_seconds: Option<u32>,
    /// What is told to programs that walk the pages (`data-enlist` of the main element).
    pub mark: Option<&'static str>,
    /// The page says that something did not work.
    pub has_error: bool,
    /// How far the walk has come; empty for pages that are no part of it.
    pub stops: Vec<Stop>,
}

#[derive(Serialize)]
struct Sheet<'a, F, V> {
    frame: &'a F,
    assets: &'a str,
    view: &'a V,
}

/// Renders a page with everything that belongs around it.
///
/// * `template`: its path under `templates`, without the ending.
/// * `frame`, `view`: what the template shows; the template sees them under these names.
/// * `is_https`: whether the world reaches the server by HTTPS, which browsers are then told to insist on.
///
/// A page that cannot be rendered is a 500 without details; the reason is logged.
#[must_use]
pub fn render<F: Serialize, V: Serialize>(status: StatusCode, template: &str, frame: &F, view: &V, is_https: bool) -> HttpResponse {
    let sheet = Sheet { frame, assets: &ASSETS_VERSION, view };
    let rendered = REGISTRY
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|registry| registry.render(template, &sheet).map_err(|error| error.to_string()));
    let mut response = match rendered {
        Ok(html) => HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html),
        Err(error) => {
            tracing::error!(template, error, "a page could not be rendered");
            HttpResponse::InternalServerError()
                .content_type("text/plain; charset=utf-8")
                .body("This page is broken. Please try again later.")
        }
    };
    harden(response.headers_mut(), is_https);
    response
}

/// Adds the headers that every answer to a browser carries; those that are there already stay.
pub fn harden(headers: &mut HeaderMap, is_https: bool) {
    let fixed: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let secure = is_https.then_some((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    for (name, value) in fixed.into_iter().chain(secure) {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// `GET` and `HEAD /assets/{name}`: stylesheet and images.
pub async fn get_asset(name: web::Path<String>) -> HttpResponse {
    let Some(file) = Assets::get(&name) else { return HttpResponse::NotFound().finish() };
    let kind = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    };
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(file.data.into_owned())
}

/// Routes the stylesheet and the images.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/assets/{name}").route(web::get().to(get_asset)).route(web::head().to(get_asset)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles() {
        let registry = compile().unwrap();
        assert!(registry.has_template("portal/_layout"));
    }

    #[test]
    fn a_page_that_lacks_a_value_is_an_error_without_details() {
        let response = render(StatusCode::OK, "portal/code", &Frame::default(), &serde_json::json!({}), true);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn plain_http_is_never_told_to_insist_on_https() {
        let (mut plain, mut secure) = (HeaderMap::new(), HeaderMap::new());
        harden(&mut plain, false);
        harden(&mut secure, true);
        assert!(!plain.contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert_eq!(secure.get(header::STRICT_TRANSPORT_SECURITY).unwrap(), "max-age=31536000");
        assert_eq!(secure.get(header::CACHE_CONTROL).unwrap(), "no-store");
    }
}

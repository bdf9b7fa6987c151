//! The gate's answer in the words of HTTP, and what a person reads who is not let in.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde_json::json;

use super::original::Original;
use crate::{
    domain::{
        access::{Decision, Question},
        destination::ENTER,
    },
    service::gate::{Answer, Why},
};

const USER: HeaderName = HeaderName::from_static("x-enlist-user");
const DEVICE: HeaderName = HeaderName::from_static("x-enlist-device");
const COMPLIANCE: HeaderName = HeaderName::from_static("x-enlist-compliance");
const ASSURANCE: HeaderName = HeaderName::from_static("x-enlist-assurance");
const DECISION: HeaderName = HeaderName::from_static("x-enlist-decision");
const REASON: HeaderName = HeaderName::from_static("x-enlist-reason");

/// The word for a request that can be read in two ways.
const AMBIGUOUS: &str = "ambiguous_request";

/// The answer to a proxy.
///
/// * `pass`: by which whoever has the device is shown what is wrong with it.
pub fn answer(answer: &Answer, public_url: &str, original: &Original, pass: Option<&str>) -> HttpResponse {
    if answer.decision == Decision::Allow {
        return allowed(answer);
    }
    // Known and not allowed, or not known.
    let is_known = answer.holder.is_some() || answer.why == Why::Outage;
    let status = if is_known { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    let page = page_about(answer, public_url, original, pass);
    let refusal = Refusal { status, decision: answer.decision, reason: answer.why.as_str(), page };
    refusal.answer(original)
}

/// The answer to a request that can be read in two ways.
pub fn ambiguous(public_url: &str) -> HttpResponse {
    let page = help_page(public_url, AMBIGUOUS, None);
    let refusal = Refusal { status: StatusCode::FORBIDDEN, decision: Decision::Block, reason: AMBIGUOUS, page };
    refusal.answer(&Original::default())
}

fn allowed(answer: &Answer) -> HttpResponse {
    let mut response = builder(StatusCode::OK);
    // All four are always there, so that a proxy that copies them never leaves in place what a client claims.
    let (user, device, compliance, assurance) = match &answer.holder {
        Some(standing) => {
            let holder = &standing.holder;
            let device = holder.device.map(|id| id.to_string()).unwrap_or_default();
            (holder.email.as_str(), device, holder.compliance.as_str(), standing.assurance.as_str())
        }
        None => ("", String::new(), "unknown", "none"),
    };
    response.insert_header((USER, HeaderValue::from_bytes(user.as_bytes()).unwrap_or(HeaderValue::from_static(""))));
    response.insert_header((DEVICE, device)).insert_header((COMPLIANCE, compliance)).insert_header((ASSURANCE, assurance));
    response.finish()
}

struct Refusal {
    status: StatusCode,
    decision: Decision,
    reason: &'static str,
    page: String,
}

impl Refusal {
    fn answer(&self, original: &Original) -> HttpResponse {
        let status = if original.should_redirect { StatusCode::FOUND } else { self.status };
        let mut response = builder(status);
        response.insert_header((DECISION, self.decision.as_str())).insert_header((REASON, self.reason));
        response.insert_header((header::LOCATION, self.page.as_str()));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2: one is never without it. Browsers do not know the word, so that none asks for a password.
            response.insert_header((header::WWW_AUTHENTICATE, "Enlist"));
        }
        let text = text_of(self.reason);
        if original.reads_pages {
            let address = handlebars::html_escape(&self.page);
            return response.content_type("text/html; charset=utf-8").body(format!(
                "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
                 <title>No access from this device</title></head><body><h1>No access from this device</h1><p>{text}</p>\
                 <p><a href=\"{address}\">What you can do</a></p></body></html>"
            ));
        }
        let body = json!({
            "title": "No access from this device", "status": self.status.as_u16(), "detail": text,
            "decision": self.decision, "reason": self.reason, "help": self.page,
        });
        response.content_type("application/problem+json").body(body.to_string())
    }
}

fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// Where somebody can read what to do.
fn page_about(answer: &Answer, public_url: &str, original: &Original, pass: Option<&str>) -> String {
    if answer.holder.is_none() && answer.why == Why::Rule(Question::Unenrolled) {
        if answer.may_enter && original.is_visit {
            let place = &original.place;
            return enter_address(public_url, &format!("{}://{}{}", place.scheme, place.host, original.address));
        }
        return format!("{public_url}/");
    }
    help_page(public_url, answer.why.as_str(), pass)
}

/// Where an enrolled browser is given what it needs to come in at an address, and another one is enrolled first.
#[must_use]
pub fn enter_address(public_url: &str, to: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    format!("{public_url}{ENTER}?{query}")
}

fn help_page(public_url: &str, reason: &str, pass: Option<&str>) -> String {
    let device = pass.map(|pass| format!("&device={pass}")).unwrap_or_default();
    format!("{public_url}/enroll/help/access?reason={reason}{device}")
}

/// Why somebody is not let in, in a sentence or two for them.
#[must_use]
pub fn text_of(reason: &str) -> &'static str {
    match reason {
        "user_disabled" => "Your account does not take part any more. Ask your administrator if you think that this is wrong.",
        "device_gone" => "This device was let go or wiped, so it has no access any more. Enroll it again to use it.",
        "exception" => "Your administrator has decided that this device has no access for some time. Ask them why.",
        "device_rule" => {
            "Your organization does not let devices or programs of this kind in. Use another device, or ask your administrator."
        }
        "unenrolled" => "This device is not enrolled. Enroll it, which takes a few minutes, and try again.",
        "unsupported" => "Devices of this kind cannot be managed, and your organization does not let them in. Use another device.",
        "unknown_compliance" => {
            "Too little is known about this device yet. Keep it switched on and online for a few minutes, and try again."
        }
        "noncompliant" => "This device does not keep to your organization's policy. Its page says what is wrong and what to do.",
        "unknown_certificate" | "revoked_certificate" | "replaced_certificate" => {
            "The certificate of this device does not count any more. Enroll the device again."
        }
        "expired_certificate" => "The certificate of this device has expired, or its clock is wrong. Check its date, or enroll it again.",
        "outage" => "It cannot be checked at the moment whether this device may come in. Try again in a minute.",
        AMBIGUOUS => "The request was written in a way that is not accepted. Use the ordinary address of the page.",
        _ => "This device may not come in. Ask your administrator.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_text_for_everything_that_keeps_somebody_out() {
        let certificates =
            [Why::UnknownCertificate, Why::RevokedCertificate, Why::ExpiredCertificate, Why::ReplacedCertificate, Why::Outage];
        let lets_in = [Question::ExcludedGroup, Question::ReportedOnly, Question::NothingAgainst];
        let rules = Question::ALL.iter().filter(|question| !lets_in.contains(question)).map(|question| Why::Rule(*question));
        for why in rules.chain(certificates) {
            assert_ne!(text_of(why.as_str()), text_of(""), "{}", why.as_str());
        }
        assert_ne!(text_of(AMBIGUOUS), text_of(""));
    }
}

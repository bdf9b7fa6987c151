//! What went wrong, as a page for the person who looks at it: the one table from the services' errors to status codes, and the
//! one place of portal and console that logs them.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use crate::{
    http::{
        layer::trace::RequestId,
        page::{self, Frame},
        prose::{chain, sentence},
    },
    service,
};

/// Seconds after which a person may try again when a neighbour of the server does not answer.
const OUTAGE_SECONDS: u64 = 2;

/// A page that explains why something was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    text: String,
    /// Where to go instead of the beginning.
    link: Option<&'static Link>,
    /// The browser is sent there, and no page is shown.
    send_to: Option<String>,
    retry_after_seconds: Option<u64>,
    source: Option<Box<service::Error>>,
}

/// What the pages of one door have in common when something went wrong.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The template.
    pub template: &'static str,
    /// What stands above the page.
    pub heading: &'static str,
    /// Where people begin.
    pub start: Link,
}

/// Where to go from a page that explains a problem.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Link {
    /// The address, without host.
    pub address: &'static str,
    /// What it says.
    pub text: &'static str,
}

static TO_COOKIES: Link = Link { address: "/enroll/help/cookies", text: "How to allow cookies" };

impl Problem {
    /// A problem with its heading and one or two sentences on what to do.
    pub fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, title, text: text.into(), link: None, send_to: None, retry_after_seconds: None, source: None }
    }

    /// The browser did not bring back the cookie that the page before gave it.
    #[must_use]
    pub fn cookies() -> Self {
        let text = "Your browser did not keep the cookie that this page needs to recognize you on the next page. \
                    Allow cookies for this site, leave private browsing if you use it, and start again.";
        Self { link: Some(&TO_COOKIES), ..Self::new(StatusCode::BAD_REQUEST, "Cookies are blocked", text) }
    }

    /// The browser has to go elsewhere first, such as to the sign-in.
    #[must_use]
    pub fn send_to(address: impl Into<String>) -> Self {
        Self { send_to: Some(address.into()), ..Self::new(StatusCode::SEE_OTHER, "Moved", "") }
    }

    /// A form was sent by a page of another site.
    #[must_use]
    pub fn foreign() -> Self {
        let text = "This form was not sent by a page of this site, so nothing was done. Go back to the site and start again.";
        Self::new(StatusCode::FORBIDDEN, "This was refused", text)
    }

    /// A form does not come from a page of the session that sends it.
    #[must_use]
    pub fn stale() -> Self {
        let text = "The page that you came from belongs to another session, or was open for too long, so nothing was done. \
                    Open it again and repeat what you did.";
        Self::new(StatusCode::FORBIDDEN, "This was refused", text)
    }

    /// Too many requests came from one network address.
    #[must_use]
    pub fn too_many(seconds: u64) -> Self {
        let text = "Too many requests came from your network just now. Wait a minute, then try again.";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "Please wait a moment", text);
        Self { retry_after_seconds: Some(seconds), ..problem }
    }

    /// What stands for an error status that carries no explanation.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(
                status,
                "There is nothing here",
                "This address does not exist, or not any more. If it came by mail, check that the whole address was copied.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(status, "This does not work", "The page cannot be used in this way."),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, "That was too much", "What was sent is too long to be an answer to this page.")
            }
            _ if status.is_client_error() => {
                Self::new(status, "This could not be understood", "Something was missing in what your browser sent. Go back and try again.")
            }
            _ => Self::new(
                status,
                "Something went wrong",
                "This is not your fault. Try again in a few minutes, and tell your help desk if it stays.",
            ),
        }
    }

    fn log(&self) {
        if let Some(error) = &self.source {
            let cause = chain(error);
            match self.status {
                status if status.is_server_error() => tracing::error!(cause, "a page could not be made"),
                _ => tracing::debug!(cause, "a page was refused"),
            }
        }
    }

    /// The page itself.
    #[must_use]
    pub fn page(&self, request: &HttpRequest, door: Door, is_https: bool) -> HttpResponse {
        #[derive(Serialize)]
        struct View<'a> {
            text: &'a str,
            link: Link,
            request_id: Option<String>,
        }
        self.log();
        if let Some(address) = &self.send_to {
            return HttpResponse::SeeOther().insert_header((header::LOCATION, address.as_str())).finish();
        }
        let frame = Frame { title: self.title.into(), organization: door.heading.into(), has_error: true, ..Frame::default() };
        let request_id = RequestId::of(request).filter(|_| self.status.is_server_error());
        let view = View { text: &self.text, link: self.link.copied().unwrap_or(door.start), request_id };
        let mut response = page::render(self.status, door.template, &frame, &view, is_https);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

impl From<service::Error> for Problem {
    fn from(error: service::Error) -> Self {
        use service::Error;
        let (mut problem, retry) = match &error {
            Error::NotFound(_) => (Self::of_status(StatusCode::NOT_FOUND), None),
            Error::Ended => (Self::new(StatusCode::FORBIDDEN, "This is not possible", sentence("the enrollment has ended")), None),
            Error::Denied(why) => (Self::new(StatusCode::FORBIDDEN, "This is not possible", sentence(why)), None),
            Error::Invalid { why, .. } => (Self::new(StatusCode::BAD_REQUEST, "Please check what you typed", sentence(why)), None),
            Error::Conflict(why) => (Self::new(StatusCode::CONFLICT, "This is not possible any more", sentence(why)), None),
            Error::TooMany { why, retry_after_seconds } => {
                (Self::new(StatusCode::TOO_MANY_REQUESTS, "Please wait a moment", sentence(why)), Some(*retry_after_seconds))
            }
            Error::Unavailable(..) => (
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment", "Try again in a few seconds."),
                Some(OUTAGE_SECONDS),
            ),
            Error::Internal { .. } => (Self::of_status(StatusCode::INTERNAL_SERVER_ERROR), None),
        };
        problem.retry_after_seconds = retry;
        problem.source = Some(Box::new(error));
        problem
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Only the status: the guard around every route makes the page, because it knows the request.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_no_cause_reaches_the_page() {
        use service::Error;
        let store = crate::store::Error::Unavailable("postgres://secret".into());
        let table: [(Error, u16, Option<u64>); 7] = [
            (Error::NotFound("visit"), 404, None),
            (Error::Denied("no".into()), 403, None),
            (Error::invalid("email", "is empty"), 400, None),
            (Error::Conflict("gone".into()), 409, None),
            (Error::TooMany { why: "slow down".into(), retry_after_seconds: 9 }, 429, Some(9)),
            (Error::Unavailable("the database", store), 503, Some(2)),
            (Error::internal("reading", "secret"), 500, None),
        ];
        for (error, status, retry) in table {
            let problem = Problem::from(error);
            assert_eq!(problem.status.as_u16(), status);
            assert_eq!(problem.retry_after_seconds, retry);
            assert!(!problem.text.contains("secret"));
        }
    }
}

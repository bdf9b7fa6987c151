//! The holder of an API token. A handler that takes a [`Caller`] cannot be reached without one.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};

use crate::{
    domain::{
        audit::Actor,
        user::{Permission, Role},
    },
    http::{api::error::ApiError, layer::refusals},
    service::{App, Error},
};

/// Who calls, and what they may do.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// Refuses a caller who may not do this. The first line of every handler.
    ///
    /// # Errors
    /// [`Error::Denied`] with the role that is missing it.
    pub fn must(&self, permission: Permission) -> Result<(), ApiError> {
        if self.role.may(permission) {
            return Ok(());
        }
        Err(Error::Denied(format!("the role {} may not do this", self.role)).into())
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer_token(request);
        let app = request.app_data::<web::Data<App>>().cloned();
        let request = request.clone();
        Box::pin(async move {
            let (Some(token), Some(app)) = (token, app) else { return Err(ApiError::Unauthenticated) };
            let (actor, role) = app.holder_of(&token).await?.ok_or(ApiError::Unauthenticated)?;
            refusals::know(&request, &actor);
            Ok(Self { actor, role })
        })
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750).
#[must_use]
pub fn bearer_token(request: &HttpRequest) -> Option<String> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty() && token.len() <= 256)
}

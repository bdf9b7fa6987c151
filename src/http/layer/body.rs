//! Bodies that are too long are refused before they are read; bodies that trickle are cut off.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    Error, HttpMessage, HttpResponse, ResponseError,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::header,
    middleware::Next,
    web::Bytes,
};
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::http::{
    api::error::ApiError,
    gate,
    limits::{BODY_RATE, BODY_SECONDS, body_limit},
};

/// Puts a limit on length and time around the body of a request.
///
/// # Errors
/// Those of the handler.
pub async fn limit_body<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<actix_web::body::EitherBody<B>>, Error> {
    // Proxies hand on the head of a request whose body goes elsewhere.
    if request.path().starts_with(gate::ADDRESS) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        let answer = HttpResponse::UnsupportedMediaType().finish();
        return Ok(request.into_response(answer).map_into_right_body());
    }
    let limit = body_limit(request.path());
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        let mut answer = if request.path().starts_with("/api/") || request.path().starts_with("/android/") {
            ApiError::TooLong.error_response()
        } else {
            HttpResponse::PayloadTooLarge().finish()
        };
        // What is not read cannot be skipped either: the connection ends here.
        answer.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        return Ok(request.into_response(answer).map_into_right_body());
    }
    let has_body = announced.is_some_and(|length| length > 0) || request.headers().contains_key(header::TRANSFER_ENCODING);
    if has_body {
        let payload = request.take_payload();
        let limited: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(Limited::new(payload, limit));
        request.set_payload(Payload::Stream { payload: limited });
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// A body with a limit on its length and a lowest rate.
struct Limited {
    payload: Payload,
    left: usize,
    received: u64,
    began: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl Limited {
    fn new(payload: Payload, limit: usize) -> Self {
        let patience = Duration::from_secs(BODY_SECONDS);
        Self { payload, left: limit, received: 0, began: Instant::now(), deadline: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl Stream for Limited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.payload).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                let Some(left) = self.left.checked_sub(bytes.len()) else { return Poll::Ready(Some(Err(PayloadError::Overflow))) };
                self.left = left;
                self.received = self.received.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                let patience = Duration::from_secs(BODY_SECONDS.saturating_add(self.received / BODY_RATE));
                let deadline = self.began + patience;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Pending => match Future::poll(self.deadline.as_mut(), context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(PayloadError::Incomplete(Some(std::io::ErrorKind::TimedOut.into()))))),
                Poll::Pending => Poll::Pending,
            },
            ready @ Poll::Ready(_) => ready,
        }
    }
}

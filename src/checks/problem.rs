//! What is answered where there is no answer (RFC 9457).

use super::access::CheckVerb;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckProblem {
    /// Nobody knows who asks.
    #[error("{0}")]
    Unauthenticated(String),
    /// Whoever asks may not.
    #[error("{}", forbidden(*.0))]
    Forbidden(CheckVerb),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// It is there, and something else can be done with it.
    #[error("that cannot be done with it: docs/checks.md lists what can be asked for")]
    WrongMethod,
    /// It cannot be done with what there is.
    #[error("{0}")]
    Conflict(String),
    /// The request is not of a kind that is read.
    #[error("{0}")]
    WrongType(String),
    /// The request is too large.
    #[error("{0}")]
    TooLarge(String),
    /// Whoever asks has too much under way.
    #[error("{0}")]
    TooMuch(String),
    /// The operator runs without what that takes.
    #[error("{0}")]
    NotSetUp(String),
    /// It cannot be answered now.
    #[error("{0}")]
    Unavailable(String),
}

fn forbidden(verb: CheckVerb) -> &'static str {
    match verb {
        CheckVerb::Check => {
            "you may not check this organization's entitlements: that takes the verb check on organizations.entitlements.dev, \
             or a service account of a namespace that it is served in"
        }
        CheckVerb::Report => {
            "you may not report what this organization uses: that takes the verb report on organizations.entitlements.dev, \
             which no workload of an organization has"
        }
    }
}

/// What is wrong, as RFC 9457 tells it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails {
    /// What kind of problem it is: `about:blank`, that of the status.
    #[serde(rename = "type")]
    type_: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
}

/// When it can be tried again: in a second.
pub const SOON: HeaderValue = HeaderValue::from_static("1");

impl CheckProblem {
    /// The type of the body of such an answer.
    pub const MEDIA_TYPE: &str = "application/problem+json";

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::WrongType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMuch(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSetUp(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for CheckProblem {
    fn into_response(self) -> Response {
        let status = self.status();
        let details = ProblemDetails {
            type_: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, Self::MEDIA_TYPE)], body).into_response();
        if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
            response.headers_mut().insert(header::RETRY_AFTER, SOON);
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

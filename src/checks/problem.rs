//! What is answered where there is no answer (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckProblem {
    /// Nobody knows who asks.
    #[error("{0}")]
    Unauthenticated(String),
    /// Whoever asks may not.
    #[error(
        "you may not {0} this organization's entitlements: that takes the verb {0} on organizations.entitlements.dev, \
         or a service account of a namespace that it is served in"
    )]
    Forbidden(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// It is there, and something else can be done with it.
    #[error("that cannot be done with it: docs/checks.md lists what can be asked for")]
    WrongMethod,
    /// It cannot be answered now.
    #[error("{0}")]
    Unavailable(String),
}

/// The body of such an answer.
#[derive(Debug, Serialize)]
struct ProblemDetails {
    /// What kind of problem: that of the status.
    #[serde(rename = "type")]
    type_: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
}

impl CheckProblem {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
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
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

//! The `OpenFeature` Remote Evaluation Protocol 0.3: the flags of flags.json, by their names, as they are now.

use super::{
    access::CheckVerb,
    asked_by::AskedBy,
    openapi::{FlagProblems, flag_value},
    problem::{CheckProblem, SOON},
    routes::CheckSurroundings,
    stated::{UNREADABLE_PATH, no_parameters},
};
use crate::{
    core::{calendar::Instant, percent::percent_decode},
    evaluation::check::{flag_now, flags_now, handles},
    render::flags::FlagValue,
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, RETRY_AFTER},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;

/// Whoever keeps an answer asks each time whether it still holds.
const KEPT: HeaderValue = HeaderValue::from_static("private, no-cache");
/// The name of the value of what is not held.
const NOT_HELD: &str = "not-held";

/// Where flags are evaluated.
const EVALUATIONS: &str = "/ofrep/v1/evaluate/flags";

const NO_PARAMETERS: &str =
    "flags have no parameters in their URL: they are of now, and the context says of which organization";

/// For whom flags are evaluated.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EvaluationRequest {
    /// For whom.
    context: EvaluationContext,
}

/// Of the context, only who it is for counts: what an organization is entitled to depends on nothing else.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EvaluationContext {
    /// The organization's name. The workload of an organization need not say it: it always gets its own organization's flags.
    #[schema(nullable = false, value_type = Option<String>)]
    targeting_key: Option<Value>,
}

/// A flag's value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagEvaluation {
    /// The flag's name.
    key: String,
    /// `TARGETING_MATCH` where it is held, `STATIC` where it is not.
    reason: EvaluationReason,
    /// The name of the value; `not-held` where it is not held.
    variant: String,
    /// A boolean, a number, or an object; false, 0, or an empty object where it is not held.
    #[schema(schema_with = flag_value)]
    value: Value,
}

/// Why a flag has its value.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum EvaluationReason {
    /// It is held, and what begins and ends does so by time: that is a rule.
    TargetingMatch,
    /// It is not held.
    Static,
}

/// All flags.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkEvaluation {
    /// Each flag.
    flags: Vec<FlagEvaluation>,
}

/// What is wrong with an evaluation.
#[derive(Debug)]
pub struct EvaluationFailure {
    key: Option<String>,
    why: FailureKind,
}

#[derive(Debug)]
enum FailureKind {
    /// The request cannot be understood.
    Request(EvaluationErrorCode, String),
    /// There is no such flag.
    Unknown,
    /// It cannot be told now, or not to whoever asks.
    Problem(CheckProblem),
}

/// Why a flag is not evaluated, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum EvaluationErrorCode {
    /// The body cannot be read.
    ParseError,
    /// It is not said for which organization.
    TargetingKeyMissing,
    /// There is no such organization.
    InvalidContext,
    /// There is no such flag.
    FlagNotFound,
    /// It cannot be told now.
    General,
}

/// Why a flag is not evaluated.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EvaluationFailure)]
struct FailureBody {
    /// The flag's name, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key: Option<String>,
    /// Why, for programs.
    error_code: EvaluationErrorCode,
    /// What is wrong, and what to do.
    error_details: String,
}

/// Evaluates one flag
///
/// What is known and not held is answered with 200 and false, 0, or an empty object, so that the default in the code does not take its
/// place.
#[utoipa::path(
    post,
    path = "/ofrep/v1/evaluate/flags/{key}",
    operation_id = "evaluateFlag",
    tag = "OpenFeature",
    params(("key" = String, Path, description = "The flag's name, as in flags.json.")),
    request_body = EvaluationRequest,
    responses(
        (status = 200, description = "The value.", body = FlagEvaluation),
        (status = 400, description = "It is not said for which organization, or cannot be understood.", body = FailureBody),
        (status = 404, description = "No definition has that flag.", body = FailureBody),
        (status = 503, description = "It cannot be told now: try again.", body = FailureBody),
        FlagProblems,
    ),
)]
pub async fn flag(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    key: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, EvaluationFailure> {
    let Path(key) = key.map_err(|_| {
        let why = FailureKind::Request(EvaluationErrorCode::ParseError, UNREADABLE_PATH.to_owned());
        EvaluationFailure { key: Some(String::new()), why }
    })?;
    let fail = |why| EvaluationFailure { key: Some(key.clone()), why };
    let organization = admitted(&surroundings, &asked_by, query.as_deref(), body).await.map_err(fail)?;
    let offers = surroundings.desk.knowledge().offers();
    let known = offers.clone().unwrap_or_default();
    for handle in handles(&key) {
        let decision = surroundings.desk.decision_alone(&organization, &handle.into()).await;
        let decision = decision.map_err(|problem| fail(problem.into()))?;
        if let Some(value) = flag_now(&decision, &known, handle, &key) {
            return Ok(([(CACHE_CONTROL, KEPT)], Json(evaluation(key.clone(), value))).into_response());
        }
    }
    Err(fail(offers.map_or_else(not_read_through, |_| FailureKind::Unknown)))
}

/// A definition that is not known yet may have the flag.
fn not_read_through() -> FailureKind {
    FailureKind::Problem(CheckProblem::Unavailable("not every definition has been read yet: try again".to_owned()))
}

/// Evaluates all flags
///
/// Send the `ETag` of the last answer as `If-None-Match`: as long as nothing has changed, the answer is 304, without a body.
#[utoipa::path(
    post,
    path = "/ofrep/v1/evaluate/flags",
    operation_id = "evaluateFlagsBulk",
    tag = "OpenFeature",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer.")),
    request_body = EvaluationRequest,
    responses(
        (
            status = 200,
            description = "The value of each flag.",
            body = BulkEvaluation,
            headers(("ETag" = String, description = "Of these flags, and of the next moment at which one of them changes.")),
        ),
        (status = 304, description = "Nothing has changed."),
        (status = 400, description = "It is not said for which organization, or cannot be understood.", body = FailureBody),
        (status = 503, description = "It cannot be told now: try again.", body = FailureBody),
        FlagProblems,
    ),
)]
pub async fn flags(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, EvaluationFailure> {
    let fail = |why| EvaluationFailure { key: None, why };
    let organization = admitted(&surroundings, &asked_by, query.as_deref(), body).await.map_err(fail)?;
    let decision = surroundings.desk.decision(&organization).await.map_err(|problem| fail(problem.into()))?;
    let flags = flags_now(&decision, &decision.offers).into_iter().map(|(key, value)| evaluation(key, value)).collect();
    let body = serde_json::to_vec(&BulkEvaluation { flags }).unwrap_or_default();
    let tag = entity_tag(&body, decision.next);
    let kept = headers.get_all(IF_NONE_MATCH).iter().filter_map(|kept| kept.to_str().ok());
    let is_same = kept.flat_map(|kept| kept.split(',')).any(|kept| matches(kept, &tag));
    let tag = HeaderValue::from_str(&tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let headers = [(CACHE_CONTROL, KEPT), (ETAG, tag)];
    if is_same {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, [(http::header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The organization that is asked for, by somebody who may.
async fn admitted(
    surroundings: &CheckSurroundings,
    asked_by: &AskedBy,
    query: Option<&str>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Arc<str>, FailureKind> {
    let organization = match asked_by.tenant() {
        // A workload asks for its own organization, whatever it says.
        Some(tenant) => Arc::clone(tenant),
        None => targeted(body)?,
    };
    let admitted = surroundings.doorkeeper.admit(asked_by, &organization, CheckVerb::Check).await;
    admitted.map_err(FailureKind::Problem)?;
    no_parameters(query, NO_PARAMETERS).map_err(FailureKind::Problem)?;
    Ok(organization)
}

impl From<CheckProblem> for FailureKind {
    fn from(problem: CheckProblem) -> Self {
        match problem {
            CheckProblem::NotFound(why) => Self::Request(EvaluationErrorCode::InvalidContext, why),
            other => Self::Problem(other),
        }
    }
}

/// The organization that the context names.
fn targeted(body: Result<Bytes, BytesRejection>) -> Result<Arc<str>, FailureKind> {
    let body =
        body.map_err(|rejection| FailureKind::Request(EvaluationErrorCode::ParseError, rejection.body_text()))?;
    let request: EvaluationRequest = serde_json::from_slice(&body).map_err(|error| {
        FailureKind::Request(EvaluationErrorCode::ParseError, format!("the body is {{\"context\": …}}: {error}"))
    })?;
    match request.context.targeting_key {
        None | Some(Value::Null) => Err(FailureKind::Request(
            EvaluationErrorCode::TargetingKeyMissing,
            "context.targetingKey is the organization's name".to_owned(),
        )),
        Some(Value::String(name)) if !name.is_empty() => Ok(name.into()),
        Some(_) => Err(FailureKind::Request(
            EvaluationErrorCode::InvalidContext,
            "context.targetingKey is the organization's name, a text that is not empty".to_owned(),
        )),
    }
}

fn evaluation(key: String, value: FlagValue) -> FlagEvaluation {
    match value.is_held {
        true => {
            FlagEvaluation { key, reason: EvaluationReason::TargetingMatch, variant: value.variant, value: value.value }
        }
        false => {
            FlagEvaluation { key, reason: EvaluationReason::Static, variant: NOT_HELD.to_owned(), value: value.value }
        }
    }
}

/// Whoever has the same flags, and is told the same time of their next change, has nothing new to learn.
fn entity_tag(body: &[u8], next: Option<Instant>) -> String {
    let next = next.map(|next| next.timestamp().to_be_bytes());
    let hash = Sha256::new().chain_update(body).chain_update(next.unwrap_or_default()).finalize();
    format!("\"{}\"", hex::encode(hash))
}

/// Whether a tag of `If-None-Match` is that one; it is compared weakly (RFC 9110).
fn matches(kept: &str, tag: &str) -> bool {
    let kept = kept.trim();
    kept == "*" || kept.strip_prefix("W/").unwrap_or(kept) == tag
}

/// A problem with a request, in the words of what was asked for.
pub fn refused(path: &str, problem: CheckProblem) -> Response {
    let Some(evaluation) = path.strip_prefix(EVALUATIONS) else { return problem.into_response() };
    let key = evaluation.strip_prefix('/').map(|key| percent_decode(key).unwrap_or_default());
    EvaluationFailure { key, why: FailureKind::Problem(problem) }.into_response()
}

impl IntoResponse for EvaluationFailure {
    fn into_response(self) -> Response {
        let Self { key, why } = self;
        let (status, error_code, error_details) = match why {
            FailureKind::Request(code, details) => (StatusCode::BAD_REQUEST, code, details),
            FailureKind::Unknown => {
                let details = format!("there is no flag {}", key.as_deref().unwrap_or_default());
                (StatusCode::NOT_FOUND, EvaluationErrorCode::FlagNotFound, details)
            }
            FailureKind::Problem(problem) if matches!(problem.status().as_u16(), 401 | 403) => {
                return problem.into_response();
            }
            FailureKind::Problem(problem) => (problem.status(), EvaluationErrorCode::General, problem.to_string()),
        };
        let retry = (status == StatusCode::SERVICE_UNAVAILABLE).then_some([(RETRY_AFTER, SOON)]);
        (status, retry, Json(FailureBody { key, error_code, error_details })).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::{EvaluationErrorCode, entity_tag, matches, refused, targeted};
    use crate::{
        checks::problem::{CheckProblem, SOON},
        core::calendar::parse_instant,
    };
    use axum::body::{Bytes, to_bytes};
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case(r#"{"context": {"targetingKey": "acme", "plan": "free"}}"#, Ok("acme"))]
    #[case(r#"{"context": {}}"#, Err(EvaluationErrorCode::TargetingKeyMissing))]
    #[case(r#"{"context": {"targetingKey": null}}"#, Err(EvaluationErrorCode::TargetingKeyMissing))]
    #[case(r#"{"context": {"targetingKey": ""}}"#, Err(EvaluationErrorCode::InvalidContext))]
    #[case(r#"{"context": {"targetingKey": 7}}"#, Err(EvaluationErrorCode::InvalidContext))]
    #[case("{}", Err(EvaluationErrorCode::ParseError))]
    #[case("", Err(EvaluationErrorCode::ParseError))]
    #[case("\u{0}", Err(EvaluationErrorCode::ParseError))]
    fn the_context_names_the_organization(#[case] body: &str, #[case] expected: Result<&str, EvaluationErrorCode>) {
        let found = targeted(Ok(Bytes::copy_from_slice(body.as_bytes())));
        let found = found.map_err(|why| match why {
            super::FailureKind::Request(code, _) => code,
            other => panic!("{other:?}"),
        });
        assert_eq!(found.as_deref().map_err(|code| *code), expected);
    }

    #[rstest]
    #[case("/ofrep/v1/evaluate/flags/a%2Fb", json!({"key": "a/b", "errorCode": "GENERAL", "errorDetails": "why"}))]
    #[case("/ofrep/v1/evaluate/flags", json!({"errorCode": "GENERAL", "errorDetails": "why"}))]
    #[case("/v1/events", json!({"type": "about:blank", "title": "Service Unavailable", "status": 503, "detail": "why"}))]
    #[tokio::test]
    async fn a_problem_is_told_in_the_form_of_what_was_asked_for(#[case] path: &str, #[case] expected: Value) {
        let response = refused(path, CheckProblem::Unavailable("why".to_owned()));
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &SOON));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn a_tag_changes_with_the_flags_and_with_when_they_change() {
        let at = |text: &str| Some(parse_instant(text).unwrap());
        let tag = entity_tag(b"{}", at("2027-01-01T00:00:00Z"));
        assert_eq!(tag, entity_tag(b"{}", at("2027-01-01T00:00:00Z")));
        for other in [
            entity_tag(b"[]", at("2027-01-01T00:00:00Z")),
            entity_tag(b"{}", at("2027-01-02T00:00:00Z")),
            entity_tag(b"{}", None),
        ] {
            assert_ne!(tag, other);
        }
        assert!(matches(&tag, &tag) && matches(&format!(" W/{tag}"), &tag) && matches("*", &tag));
        assert!(!matches("\"other\"", &tag) && !matches("", &tag));
    }
}

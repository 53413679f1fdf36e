//! Uses over HTTP: put, read and taken back by their keys.

use super::{
    access::CheckVerb,
    asked_by::AskedBy,
    counting::{KeptUse, UseAddress},
    desk::CheckDesk,
    openapi::{
        CountingProblems, InOrganization, OfEntitlement, TakeBackProblems, UnderKey, UseProblems, stated_amount,
    },
    problem::{CheckProblem, ProblemDetails},
    routes::CheckSurroundings,
    stated::{Addressed, check_channel, no_parameters, read_amount, read_moment, read_object},
};
use crate::{
    core::{amount::Amount, calendar::format_instant, usage::report::check_key},
    evaluation::{
        check::CheckAnswer,
        uses::{UseChange, UsePut, UseVerdict},
    },
    metering::UseAnswer,
};
use axum::{
    Json,
    extract::{RawQuery, State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::time::Instant as Moment;
use utoipa::ToSchema;

/// What a key is to come to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StatedUse)]
pub struct UseBody {
    /// How much: a number, or its digits in quotes.
    #[schema(schema_with = stated_amount)]
    amount: Box<RawValue>,
    /// By which channel, where the definition has channels.
    channel: Option<String>,
    /// When it was used; absent: as it was, or now.
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Whether it is counted in any case, as it has been served already.
    #[serde(default)]
    always: bool,
}

/// What a key comes to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Use)]
pub struct UseTold {
    /// Your name for it.
    key: String,
    /// What it comes to.
    #[schema(value_type = Amount)]
    amount: String,
    /// By which channel; null where none was named.
    #[schema(required = true)]
    channel: Option<String>,
    /// When it was used.
    #[schema(format = DateTime)]
    at: String,
    /// As of when that was said.
    #[schema(format = DateTime)]
    as_of: String,
}

const NO_PARAMETERS: &str = "a use has no parameters in its URL: the body says how much is used, and when";

type UsePath = Addressed<(Arc<str>, Arc<str>, String)>;

/// Counts a use if it is allowed
///
/// The same again changes nothing, so send it again after a timeout. Another amount under the same key is a correction: the difference
/// is asked for, and less is always allowed.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}",
    operation_id = "putUse",
    tag = "Uses",
    params(InOrganization, OfEntitlement, UnderKey),
    request_body(content = UseBody, example = json!({"amount": 1})),
    responses(
        (status = 200, description = "It is counted, and on the disk.", body = CheckAnswer),
        (
            status = 409,
            description = "It is not allowed, and nothing is counted: the decision. Or it cannot be counted: a problem.",
            content((CheckAnswer = "application/json"), (ProblemDetails = "application/problem+json")),
        ),
        CountingProblems,
    ),
)]
pub async fn put_use(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Addressed(path): UsePath,
    RawQuery(query): RawQuery,
    body: Result<Json<Box<RawValue>>, JsonRejection>,
) -> Result<Response, CheckProblem> {
    let address = address(&surroundings, &asked_by, path, query, CheckVerb::Report).await?;
    let Json(body) = body.map_err(|rejection| unreadable(&rejection))?;
    let body: UseBody = read_object(&body).map_err(|error| not_a_use(&error))?;
    let _under_way = surroundings.desk.begin(&address.user)?;
    let change = UseChange::Put(body.read()?);
    let counted = surroundings.desk.count(&address, change, Moment::now()).await?;
    Ok(told(&surroundings.desk, &counted))
}

/// What is kept of a use
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}",
    operation_id = "getUse",
    tag = "Uses",
    params(InOrganization, OfEntitlement, UnderKey),
    responses((status = 200, description = "What it comes to.", body = UseTold), UseProblems),
)]
pub async fn get_use(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Addressed(path): UsePath,
    RawQuery(query): RawQuery,
) -> Result<Json<UseTold>, CheckProblem> {
    let address = address(&surroundings, &asked_by, path, query, CheckVerb::Check).await?;
    let kept = surroundings.desk.kept_use(&address).await?;
    Ok(Json(UseTold::of(address.key, &kept)))
}

/// Takes a use back
///
/// The same key begins anew afterwards.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}",
    operation_id = "deleteUse",
    tag = "Uses",
    params(InOrganization, OfEntitlement, UnderKey),
    responses((status = 200, description = "It is taken back: what is left now.", body = CheckAnswer), TakeBackProblems),
)]
pub async fn delete_use(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Addressed(path): UsePath,
    RawQuery(query): RawQuery,
) -> Result<Response, CheckProblem> {
    let address = address(&surroundings, &asked_by, path, query, CheckVerb::Report).await?;
    let _under_way = surroundings.desk.begin(&address.user)?;
    let counted = surroundings.desk.count(&address, UseChange::TakeBack, Moment::now()).await?;
    Ok(told(&surroundings.desk, &counted))
}

async fn address(
    surroundings: &CheckSurroundings,
    asked_by: &AskedBy,
    (organization, entitlement, key): (Arc<str>, Arc<str>, String),
    query: Option<String>,
    verb: CheckVerb,
) -> Result<UseAddress, CheckProblem> {
    surroundings.doorkeeper.admit(asked_by, &organization, verb).await?;
    no_parameters(query.as_deref(), NO_PARAMETERS)?;
    check_key(&key).map_err(|error| CheckProblem::Invalid(error.to_string()))?;
    Ok(UseAddress { organization, entitlement, user: Arc::clone(asked_by.user()), key })
}

impl UseBody {
    fn read(self) -> Result<UsePut, CheckProblem> {
        Ok(UsePut {
            amount: read_amount(&self.amount)?,
            channel: self.channel.map(check_channel).transpose()?,
            at: self.at.as_deref().map(|at| read_moment("at", at)).transpose()?,
            as_of: None,
            always: self.always,
        })
    }
}

impl UseTold {
    fn of(key: String, kept: &KeptUse) -> Self {
        Self {
            key,
            amount: kept.amount.normalize().to_string(),
            channel: kept.channel.as_deref().map(str::to_owned),
            at: format_instant(kept.at),
            as_of: format_instant(kept.as_of),
        }
    }
}

/// 200 where it is counted, or was; 409 where it is not.
fn told(desk: &CheckDesk, counted: &UseAnswer) -> Response {
    let status = if counted.verdict == UseVerdict::Denied { StatusCode::CONFLICT } else { StatusCode::OK };
    (status, Json(desk.answer(counted))).into_response()
}

/// Why a body cannot be read.
fn unreadable(rejection: &JsonRejection) -> CheckProblem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => CheckProblem::TooLarge("a request has at most 1 MiB".to_owned()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            CheckProblem::WrongType("send JSON, with the header Content-Type: application/json".to_owned())
        }
        _ => not_a_use(&rejection.body_text()),
    }
}

fn not_a_use(why: &str) -> CheckProblem {
    CheckProblem::Invalid(format!("{why}: there is amount, channel, at and always, such as {{\"amount\": 1}}"))
}

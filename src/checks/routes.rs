//! What is asked for by which address.

use super::{
    access::CheckVerb,
    asked_by::{AskedBy, Doorkeeper, identified},
    bodies::BodyRoom,
    desk::{CheckDesk, Wanted},
    events, ofrep,
    openapi::{CheckApi, CheckProblems, InOrganization, ListProblems, OfEntitlement},
    operations::{ApiOperations, counted},
    problem::{CheckProblem, ProblemDetails},
    stated::{Addressed, check_channel, check_parameters, no_parameters, read_moment_of_url},
    uses,
};
use crate::{
    core::usage::allowance::read_asked_amount,
    evaluation::check::{CheckAnswer, EntitlementList},
};
use axum::{
    Json, Router,
    extract::{Query, RawQuery, State, rejection::QueryRejection},
    middleware::from_fn_with_state,
    response::IntoResponse,
};
use http::StatusCode;
use rust_decimal::Decimal;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What answering takes.
pub struct CheckSurroundings {
    /// Who may what.
    pub doorkeeper: Doorkeeper,
    /// Where what they send has room.
    pub bodies: BodyRoom,
    /// What is answered.
    pub desk: CheckDesk,
}

/// All that there is.
pub fn router(surroundings: Arc<CheckSurroundings>) -> Router {
    let (router, description) = calls().split_for_parts();
    let operations = ApiOperations::of(&description, surroundings.desk.knowledge().metrics().api().clone());
    let router = router.fallback(nothing_here).method_not_allowed_fallback(wrong_method);
    let router = router.with_state(Arc::clone(&surroundings)).layer(from_fn_with_state(surroundings, identified));
    router.layer(from_fn_with_state(Arc::new(operations), counted))
}

/// What all that is described as.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    calls().into_openapi()
}

fn calls() -> OpenApiRouter<Arc<CheckSurroundings>> {
    OpenApiRouter::with_openapi(CheckApi::openapi())
        .routes(routes!(entitlements))
        .routes(routes!(entitlement))
        .routes(routes!(uses::get_use, uses::put_use, uses::delete_use))
        .routes(routes!(events::events))
        .routes(routes!(ofrep::flag))
        .routes(routes!(ofrep::flags))
}

const NO_PARAMETERS: &str = "the list has no parameters in its URL: it is of now, and GET .../entitlements/{entitlement} tells of one at another moment";

/// The parameters of a check.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CheckParameters {
    /// How much more: a number above 0, such as 5 or 0.25.
    #[param(nullable = false, default = "1", pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?$")]
    amount: Option<String>,
    /// By which channel, where the definition has channels.
    #[param(nullable = false)]
    channel: Option<String>,
    /// At another moment than now.
    #[param(nullable = false, format = DateTime)]
    at: Option<String>,
    /// Whether a no tells the add-ons and plans that would help.
    #[serde(default)]
    options: bool,
    /// Whether a no has the status 403, for proxies that let a request pass by the status alone.
    #[serde(default)]
    status: bool,
}

/// What an organization holds
///
/// The entries of its summary, with their use in numbers.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/entitlements",
    operation_id = "listEntitlements",
    tag = "Checks",
    params(InOrganization),
    responses((status = 200, description = "All that it holds.", body = EntitlementList), ListProblems),
)]
async fn entitlements(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Addressed(organization): Addressed<Arc<str>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, CheckProblem> {
    surroundings.doorkeeper.admit(&asked_by, &organization, CheckVerb::Check).await?;
    no_parameters(query.as_deref(), NO_PARAMETERS)?;
    surroundings.desk.list(&organization).await.map(Json)
}

/// May so much more of it be used?
///
/// A no is an answer too: its status is 200, and `allowed` is false; with `status=true` it is 403. Nothing is counted.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/entitlements/{entitlement}",
    operation_id = "checkEntitlement",
    tag = "Checks",
    params(InOrganization, OfEntitlement, CheckParameters),
    responses(
        (status = 200, description = "The answer: yes or no, and why.", body = CheckAnswer),
        (
            status = 403,
            description = "You may not, whether there is such an organization or not: a problem. Or, with `status=true`, the answer is \
                no.",
            content((CheckAnswer = "application/json"), (ProblemDetails = "application/problem+json")),
        ),
        CheckProblems,
    ),
)]
async fn entitlement(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Addressed((organization, entitlement)): Addressed<(Arc<str>, Arc<str>)>,
    RawQuery(query): RawQuery,
    parameters: Result<Query<CheckParameters>, QueryRejection>,
) -> Result<impl IntoResponse, CheckProblem> {
    surroundings.doorkeeper.admit(&asked_by, &organization, CheckVerb::Check).await?;
    check_parameters(query.as_deref())?;
    let Query(parameters) = parameters.map_err(|rejection| {
        CheckProblem::Invalid(format!(
            "{}: there is amount, channel, at, options=true, and status=true",
            rejection.body_text()
        ))
    })?;
    let wanted = Wanted {
        entitlement,
        amount: parameters.amount.as_deref().map_or(Ok(Decimal::ONE), amount)?,
        channel: parameters.channel.map(check_channel).transpose()?,
        at: parameters.at.as_deref().map(|at| read_moment_of_url("at", at)).transpose()?,
        with_options: parameters.options,
    };
    let answer = surroundings.desk.check(&organization, &wanted).await?;
    let is_refused = parameters.status && !answer.allowed;
    let status = if is_refused { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((status, Json(answer)))
}

fn amount(text: &str) -> Result<Decimal, CheckProblem> {
    read_asked_amount(text).map_err(|advice| CheckProblem::Invalid(format!("amount: {advice}")))
}

async fn nothing_here() -> CheckProblem {
    CheckProblem::NotFound("nothing is here: docs/checks.md lists what can be asked for".to_owned())
}

async fn wrong_method() -> CheckProblem {
    CheckProblem::WrongMethod
}

//! What is asked for by which address.

use super::{
    access::CheckVerb,
    asked_by::{AskedBy, Doorkeeper},
    desk::{CheckDesk, Wanted},
    events, ofrep,
    problem::CheckProblem,
    stated::read_moment,
    uses,
};
use crate::core::amount::Amount;
use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    response::IntoResponse,
    routing::{get, post},
};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::sync::Arc;

/// What answering takes.
pub struct CheckSurroundings {
    /// Who may what.
    pub doorkeeper: Doorkeeper,
    /// What is answered.
    pub desk: CheckDesk,
}

/// All that there is.
pub fn router(surroundings: Arc<CheckSurroundings>) -> Router {
    Router::new()
        .route("/v1/organizations/{organization}/entitlements", get(entitlements))
        .route("/v1/organizations/{organization}/entitlements/{entitlement}", get(entitlement))
        .route(
            "/v1/organizations/{organization}/entitlements/{entitlement}/uses/{key}",
            get(uses::get_use).put(uses::put_use).delete(uses::delete_use),
        )
        .route("/v1/events", post(events::events))
        .route("/ofrep/v1/evaluate/flags/{key}", post(ofrep::flag))
        .route("/ofrep/v1/evaluate/flags", post(ofrep::flags))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .with_state(surroundings)
}

/// The parameters of a check.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckParameters {
    amount: Option<String>,
    channel: Option<String>,
    at: Option<String>,
    #[serde(default)]
    options: bool,
}

async fn entitlements(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Path(organization): Path<Arc<str>>,
) -> Result<impl IntoResponse, CheckProblem> {
    surroundings.doorkeeper.admit(&asked_by, &organization, CheckVerb::Check).await?;
    surroundings.desk.list(&organization).await.map(Json)
}

async fn entitlement(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    Path((organization, entitlement)): Path<(Arc<str>, Arc<str>)>,
    parameters: Result<Query<CheckParameters>, QueryRejection>,
) -> Result<impl IntoResponse, CheckProblem> {
    surroundings.doorkeeper.admit(&asked_by, &organization, CheckVerb::Check).await?;
    let Query(parameters) = parameters.map_err(|rejection| {
        CheckProblem::Invalid(format!("{}: there is amount, channel, at, and options=true", rejection.body_text()))
    })?;
    let wanted = Wanted {
        entitlement,
        amount: parameters.amount.as_deref().map_or(Ok(Decimal::ONE), amount)?,
        channel: parameters.channel,
        at: parameters.at.as_deref().map(|at| read_moment("at", at)).transpose()?,
        with_options: parameters.options,
    };
    surroundings.desk.check(&organization, &wanted).await.map(Json)
}

/// An amount that is asked for: more than nothing.
fn amount(text: &str) -> Result<Decimal, CheckProblem> {
    match Amount::parse(text) {
        Ok(Amount::Limited(amount)) if amount > Decimal::ZERO => Ok(amount),
        Ok(_) => Err(CheckProblem::Invalid("amount: write a number above 0, such as 1 or 0.25".to_owned())),
        Err(error) => Err(CheckProblem::Invalid(format!("amount: {error}"))),
    }
}

async fn nothing_here(_: AskedBy) -> CheckProblem {
    CheckProblem::NotFound("nothing is here: docs/checks.md lists what can be asked for".to_owned())
}

async fn wrong_method(_: AskedBy) -> CheckProblem {
    CheckProblem::WrongMethod
}

//! What callers write: names in the address, amounts, moments, channels.

use super::problem::CheckProblem;
use crate::{
    api::amount::AmountField,
    core::{
        calendar::{Instant, parse_exact_instant, parse_instant},
        name::is_dns_label,
        usage::report,
    },
};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// What is said of a path that is no text.
pub(super) const UNREADABLE_PATH: &str = "it cannot be read: write paths and parameters in UTF-8, percent-encoded";

/// The names in an address.
pub(super) struct Addressed<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Addressed<T> {
    type Rejection = CheckProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, CheckProblem> {
        let names = Path::from_request_parts(parts, state).await;
        names.map(|Path(names)| Self(names)).map_err(|_| CheckProblem::Invalid(UNREADABLE_PATH.to_owned()))
    }
}

/// An amount that is used: a JSON number, or its digits in quotes.
pub(super) fn read_amount(amount: &Value) -> Result<Decimal, CheckProblem> {
    let field = match amount {
        Value::Number(number) => {
            number.as_i64().map_or_else(|| AmountField::Text(number.to_string()), AmountField::Whole)
        }
        Value::String(text) => AmountField::Text(text.clone()),
        _ => return Err(CheckProblem::Invalid("amount: write a number, such as 1 or \"0.25\"".to_owned())),
    };
    report::read_amount(&field).map_err(|error| CheckProblem::Invalid(error.to_string()))
}

/// An RFC 3339 time.
pub(super) fn read_moment(field: &str, text: &str) -> Result<Instant, CheckProblem> {
    parse_instant(text).map_err(|error| CheckProblem::Invalid(format!("{field}: {error}")))
}

/// The same with its fraction.
pub(super) fn read_exact_moment(field: &str, text: &str) -> Result<Instant, CheckProblem> {
    parse_exact_instant(text).map_err(|error| CheckProblem::Invalid(format!("{field}: {error}")))
}

/// A channel's name; whether anybody knows it is another question.
pub(super) fn check_channel(channel: String) -> Result<Arc<str>, CheckProblem> {
    if is_dns_label(&channel) {
        return Ok(channel.into());
    }
    Err(CheckProblem::Invalid(
        "channel: a channel's name has 1 to 63 lowercase letters, digits and hyphens: leave it out where there is none"
            .to_owned(),
    ))
}

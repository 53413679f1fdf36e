//! What callers write: names in the address, amounts, moments, channels.

use super::problem::CheckProblem;
use crate::{
    api::amount::AmountField,
    core::{
        amount::written_out,
        calendar::{Instant, parse_exact_instant, parse_instant},
        name::is_dns_label,
        percent::percent_decode,
        usage::report,
    },
};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
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

/// That the parameters are text, of which anything else would be made otherwise.
pub(super) fn check_parameters(query: Option<&str>) -> Result<(), CheckProblem> {
    let is_text = query.is_none_or(|query| percent_decode(query).is_some());
    if is_text { Ok(()) } else { Err(CheckProblem::Invalid(UNREADABLE_PATH.to_owned())) }
}

/// That there are no parameters, where any would not be looked at.
pub(super) fn no_parameters(query: Option<&str>, why: &str) -> Result<(), CheckProblem> {
    if query.is_some_and(|query| !query.is_empty()) { Err(CheckProblem::Invalid(why.to_owned())) } else { Ok(()) }
}

/// What an object in JSON says. A list is none, though its items could be taken for the fields in their order.
pub(super) fn read_object<T: DeserializeOwned>(json: &RawValue) -> Result<T, String> {
    if !json.get().starts_with('{') {
        return Err("a JSON object is expected".to_owned());
    }
    serde_json::from_str(json.get()).map_err(|error| error.to_string())
}

/// An amount that is used: a JSON number, digit by digit, or its digits in quotes.
pub(super) fn read_amount(amount: &RawValue) -> Result<Decimal, CheckProblem> {
    let text = match amount.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(amount.get()).unwrap_or_default(),
        Some(b'-' | b'0'..=b'9') => written_out(amount.get()).unwrap_or_else(|| amount.get().to_owned()),
        _ => return Err(CheckProblem::Invalid("amount: write a number, such as 1 or \"0.25\"".to_owned())),
    };
    report::read_amount(&AmountField::Text(text)).map_err(|error| CheckProblem::Invalid(error.to_string()))
}

/// An RFC 3339 time.
pub(super) fn read_moment(field: &str, text: &str) -> Result<Instant, CheckProblem> {
    parse_instant(text).map_err(|error| CheckProblem::Invalid(format!("{field}: {error}")))
}

/// The same of a URL's parameter, in which the plus of an offset is a space where nobody has written it as `%2B`.
pub(super) fn read_moment_of_url(field: &str, text: &str) -> Result<Instant, CheckProblem> {
    match text.rsplit_once(' ') {
        Some((time, offset)) if offset.len() == "02:00".len() => read_moment(field, &format!("{time}+{offset}")),
        _ => read_moment(field, text),
    }
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

#[cfg(test)]
mod tests {
    use super::{check_parameters, read_amount, read_moment_of_url, read_object};
    use crate::core::calendar::parse_instant;
    use rstest::rstest;
    use serde_json::value::RawValue;

    fn read(json: &str) -> Result<String, String> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        read_amount(&raw).map(|amount| amount.normalize().to_string()).map_err(|problem| problem.to_string())
    }

    #[rstest]
    #[case("1", "1")]
    #[case("0", "0")]
    #[case("0.25", "0.25")]
    #[case("0.000001", "0.000001")]
    #[case("0.000000001", "0.000000001")]
    #[case("123456789012345.123456789", "123456789012345.123456789")]
    #[case("999999999999999", "999999999999999")]
    #[case("1e3", "1000")]
    #[case("1E-3", "0.001")]
    #[case("1.25e+1", "12.5")]
    #[case("1e-9", "0.000000001")]
    #[case("12.50000000000000", "12.5")]
    #[case(r#""0.000001""#, "0.000001")]
    #[case(r#""123456789012345.123456789""#, "123456789012345.123456789")]
    #[case(r#""\u0031""#, "1")]
    fn amounts_are_taken_as_they_are_written(#[case] json: &str, #[case] expected: &str) {
        assert_eq!(read(json), Ok(expected.to_owned()));
    }

    #[rstest]
    #[case("2027-08-01T00:00:00 00:00", true)]
    #[case("2027-08-01T00:00:00+00:00", true)]
    #[case("2027-08-01T00:00:00Z", true)]
    #[case("2027-08-01 00:00", false)]
    #[case("2027-08-01 00:00:00Z", false)]
    #[case("2027-08-01T00:00:00 0000", false)]
    fn a_plus_of_a_url_may_be_a_space(#[case] text: &str, #[case] is_read: bool) {
        let expected = is_read.then(|| parse_instant("2027-08-01T00:00:00Z").unwrap());
        assert_eq!(read_moment_of_url("at", text).ok(), expected);
    }

    #[test]
    fn a_number_of_any_length_is_answered() {
        for digits in [255, 256, 257, 65_535, 65_536, 900_000] {
            let told = read(&"1".repeat(digits)).unwrap_err();
            assert!(told.contains("write a whole number of at most 15 digits") && told.len() < 300, "{told}");
            assert!(read(&format!("0.{}", "1".repeat(digits))).is_err());
            assert!(read(&format!("1e{}", "1".repeat(digits))).is_err());
        }
    }

    #[rstest]
    #[case("-1", "cannot be read: write a whole number of at most 15 digits")]
    #[case("1000000000000000", "cannot be read: write a whole number of at most 15 digits")]
    #[case("0.0000000001", "at most 9 digits behind the point")]
    #[case("1e15", "cannot be read: write a whole number of at most 15 digits")]
    #[case("1e-10", "at most 9 digits behind the point")]
    #[case("1e999999999999999999999", "cannot be read: write a whole number of at most 15 digits")]
    #[case("1e-9223372036854775808", "cannot be read: write a whole number of at most 15 digits")]
    #[case(r#""1e3""#, "cannot be read: write a whole number of at most 15 digits")]
    #[case(r#""Unlimited""#, "cannot be read: write a whole number of at most 15 digits")]
    #[case("true", "amount: write a number, such as 1 or \"0.25\"")]
    #[case("null", "amount: write a number, such as 1 or \"0.25\"")]
    #[case("[1]", "amount: write a number, such as 1 or \"0.25\"")]
    fn what_is_no_amount_is_told_what_to_write(#[case] json: &str, #[case] expected: &str) {
        let told = read(json).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }

    #[rstest]
    #[case("[]")]
    #[case("[1]")]
    #[case("1")]
    #[case("null")]
    fn what_is_no_object_is_told_so(#[case] json: &str) {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        assert_eq!(read_object::<Vec<u8>>(&raw), Err("a JSON object is expected".to_owned()));
    }

    #[rstest]
    #[case(None, true)]
    #[case(Some("amount=1&channel=phone"), true)]
    #[case(Some("channel=%c3%bc"), true)]
    #[case(Some("channel=%ff"), false)]
    #[case(Some("channel=%c3"), false)]
    fn parameters_are_text(#[case] query: Option<&str>, #[case] expected: bool) {
        assert_eq!(check_parameters(query).is_ok(), expected);
    }
}

//! An equal grant that was made just now: the line may have been typed twice.

use super::desk::There;
use crate::{
    api::REASON,
    cli::moment::relative,
    core::calendar::{Instant, Tz, parse_instant},
    offline::{EntitlementKind, Subject},
};
use chrono::TimeDelta;
use serde_json::Value;

/// What was made longer ago is hardly forgotten.
const RECENT: TimeDelta = TimeDelta::hours(1);
/// What makes two grants the same.
const COMPARED: [&str; 9] =
    ["organization", "definition", "start", "end", "amount", "facets", "secretFacets", "renews", "priority"];

/// Says which grant was just made that is the same as `manifest`.
pub fn just_made(there: &There, manifest: &Value) -> Option<String> {
    let now = there.when.first(Tz::UTC);
    let documents = there.manifests.documents.iter();
    let made =
        documents.filter_map(|(subject, document)| Some((subject, age(subject, &document.value, manifest, now)?)));
    let (subject, age) = made.min_by_key(|(_, age)| *age)?;
    let (namespace, name) = (subject.namespace.as_deref()?, &subject.name);
    Some(format!(
        "an equal one, {namespace}/{name}, was made {}: is one more meant?",
        relative(now - age, now, Tz::UTC)
    ))
}

/// How long ago an object was made, where it is the same and that was not long ago.
fn age(subject: &Subject, object: &Value, manifest: &Value, now: Instant) -> Option<TimeDelta> {
    let spec = |value: &Value, field: &str| value["spec"][field].clone();
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let reason = format!("/metadata/annotations/{}", REASON.replace('/', "~1"));
    let is_equal = subject.kind == EntitlementKind::EntitlementInstance
        && COMPARED.iter().all(|field| is_same(&spec(object, field), &spec(manifest, field)))
        && text(object, &reason) == text(manifest, &reason)
        && text(object, "/spec/state").as_deref() != Some("Cancelled");
    let made = text(object, "/metadata/creationTimestamp").filter(|_| is_equal)?;
    let age = now - parse_instant(&made).ok()?;
    (age >= TimeDelta::zero() && age < RECENT).then_some(age)
}

/// An API server fills in what is empty or 0.
fn is_same(one: &Value, other: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(_) | Value::String(_) => false,
    };
    one == other || (is_nothing(one) && is_nothing(other))
}

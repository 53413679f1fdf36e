//! Usage as `CloudEvents` 1.0, one or a batch: what has happened is counted in any case.

use super::{
    access::CheckVerb,
    asked_by::AskedBy,
    counting::UseAddress,
    openapi::{CountingProblems, stated_amount},
    problem::{CheckProblem, ProblemDetails},
    routes::CheckSurroundings,
    stated::{check_channel, no_parameters, read_amount, read_exact_moment, read_object},
};
use crate::{
    core::{calendar::Instant, usage::report::check_key},
    evaluation::uses::{UseChange, UsePut, UseVerdict},
    metering::UseAnswer,
};
use axum::{
    Json,
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::time::Instant as Moment;
use utoipa::ToSchema;

/// The type of an event that says what was used.
const TYPE: &str = "dev.entitlements.usage.v1";
const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
/// The most events of a batch.
const MOST: usize = 1000;
/// How many of a batch are under way at once.
const TOGETHER: usize = 256;
const NO_PARAMETERS: &str = "events have no parameters in their URL: all that counts is in the body";

/// A `CloudEvent`, of which only what counts is read: extensions may stand beside it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct UsageEvent {
    /// 1.0
    #[schema(pattern = r"^1\.0$")]
    specversion: String,
    /// With the source, what tells this event from all others.
    #[schema(min_length = 1)]
    id: String,
    /// Where it comes from.
    #[schema(min_length = 1)]
    source: String,
    /// `dev.entitlements.usage.v1`
    #[serde(rename = "type")]
    #[schema(pattern = r"^dev\.entitlements\.usage\.v1$")]
    type_: String,
    /// The organization's name.
    #[schema(required = true, nullable = false, min_length = 1)]
    subject: Option<String>,
    /// When it happened; absent: when it arrives. Of one key, the latest counts.
    #[schema(nullable = false, format = DateTime)]
    time: Option<String>,
    /// What was used.
    #[schema(required = true, nullable = false, value_type = Option<UsageEventData>)]
    data: Option<Box<RawValue>>,
}

/// What an event says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventData)]
struct UsageEventData {
    /// The entitlement, by its definition's name.
    definition: String,
    /// How much: a number, or its digits in quotes.
    #[schema(schema_with = stated_amount)]
    amount: Box<RawValue>,
    /// By which channel, where the definition has channels.
    channel: Option<String>,
    /// What later events correct by the same key; absent: this event counts for itself.
    #[schema(min_length = 1, max_length = 128)]
    key: Option<String>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventResult {
    /// The event's id; null where it has none.
    #[schema(required = true)]
    id: Option<String>,
    /// The event's source; null where it has none.
    #[schema(required = true)]
    source: Option<String>,
    /// What an answer to it alone would have as its status: 200 where it is kept. Send again those of 429 and 503.
    #[schema(minimum = 200, maximum = 599)]
    status: u16,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// What is answered to one event, or to a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum EventAnswer {
    /// To one event.
    One(EventResult),
    /// To a batch, in its order.
    Batch(Vec<EventResult>),
}

/// An event that can be counted.
struct ReadEvent {
    organization: Arc<str>,
    definition: Arc<str>,
    key: String,
    put: UsePut,
}

/// Counts what events say
///
/// One `CloudEvent` in structured mode, or a batch of at most 1,000. What has happened is counted in any case, and once, however often it
/// is sent.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "sendEvents",
    tag = "Uses",
    request_body(content(
        (UsageEvent = "application/cloudevents+json", example = json!({
            "specversion": "1.0", "type": "dev.entitlements.usage.v1", "source": "/telephony", "id": "call-77-ended",
            "subject": "acme", "time": "2027-07-21T10:02:00Z",
            "data": {"definition": "support-hours", "amount": 0.25, "channel": "phone", "key": "call-77"}
        })),
        (Vec<UsageEvent> = "application/cloudevents-batch+json"),
    )),
    responses(
        (
            status = 200,
            description = "Of one event: it is kept, and on the disk. Of a batch: what became of each event, in their order.",
            body = EventAnswer,
        ),
        (
            status = 409,
            description = "It cannot be counted: it is not metered, Prometheus counts it, its period is closed, or its channel is not covered.",
            body = ProblemDetails,
            content_type = "application/problem+json",
        ),
        CountingProblems,
    ),
)]
pub async fn events(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<EventAnswer>, CheckProblem> {
    let asked = Moment::now();
    no_parameters(query.as_deref(), NO_PARAMETERS)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            CheckProblem::TooLarge("a request has at most 1 MiB: send a part of it".to_owned())
        }
        _ => CheckProblem::Invalid(rejection.body_text()),
    })?;
    let _under_way = surroundings.desk.begin(asked_by.user())?;
    match media_type(&headers).as_deref() {
        Some(ONE) => {
            let event: Box<RawValue> = parse(&body)?;
            let counted = take(&surroundings, &asked_by, &event, asked).await?;
            Ok(Json(EventAnswer::One(EventResult::of(&event, Ok(counted)))))
        }
        Some(BATCH) => {
            let events: Vec<Box<RawValue>> = parse(&body)?;
            if events.len() > MOST {
                return Err(CheckProblem::TooLarge(format!("a batch has at most {MOST} events: send a part of it")));
            }
            let taken = stream::iter(events).map(|event| {
                let (surroundings, asked_by) = (&surroundings, &asked_by);
                async move {
                    let counted = take(surroundings, asked_by, &event, asked).await;
                    EventResult::of(&event, counted)
                }
            });
            let results: Vec<EventResult> = taken.buffered(TOGETHER).collect().await;
            Ok(Json(EventAnswer::Batch(results)))
        }
        _ => Err(CheckProblem::WrongType(format!(
            "send a CloudEvent in structured mode, with the header Content-Type: {ONE}, or a batch of them with {BATCH}"
        ))),
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    said.split(';').next().map(|media| media.trim().to_ascii_lowercase())
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, CheckProblem> {
    serde_json::from_slice(body).map_err(|error| CheckProblem::Invalid(format!("the body is not that JSON: {error}")))
}

async fn take(
    surroundings: &CheckSurroundings,
    asked_by: &AskedBy,
    event: &RawValue,
    asked: Moment,
) -> Result<UseAnswer, CheckProblem> {
    let event: UsageEvent =
        read_object(event).map_err(|error| CheckProblem::Invalid(format!("it is no CloudEvent: {error}")))?;
    let ReadEvent { organization, definition: entitlement, key, put } = event.read()?;
    surroundings.doorkeeper.admit(asked_by, &organization, CheckVerb::Report).await?;
    let address = UseAddress { organization, entitlement, user: Arc::clone(asked_by.user()), key };
    let counted = surroundings.desk.count(&address, UseChange::Put(put), asked).await?;
    if counted.verdict == UseVerdict::Denied {
        let channels = "its channel is not covered: the definition's usage.channels lists those that are";
        return Err(CheckProblem::Conflict(channels.to_owned()));
    }
    Ok(counted)
}

impl UsageEvent {
    fn read(self) -> Result<ReadEvent, CheckProblem> {
        let invalid = |what: &str| CheckProblem::Invalid(what.to_owned());
        if self.specversion != "1.0" {
            return Err(invalid("specversion: only 1.0 is read"));
        }
        if self.type_ != TYPE {
            return Err(CheckProblem::Invalid(format!("type: only {TYPE} is read")));
        }
        if self.id.is_empty() || self.source.is_empty() {
            return Err(invalid("id, source: both are needed, and tell the event from all others"));
        }
        let organization = self.subject.as_deref().filter(|subject| !subject.is_empty());
        let organization = organization.ok_or_else(|| invalid("subject: write the organization's name"))?.into();
        let time = self.time.as_deref().map(|time| read_exact_moment("time", time)).transpose()?;
        let data =
            self.data.as_ref().ok_or_else(|| invalid("data: write {\"definition\": …, \"amount\": …} as JSON"))?;
        let data: UsageEventData = read_object(data).map_err(|error| {
            CheckProblem::Invalid(format!("data: {error}: there is definition, amount, channel and key"))
        })?;
        let key = data.key.unwrap_or_else(|| key_of(&self.source, &self.id));
        check_key(&key).map_err(|error| CheckProblem::Invalid(format!("data.key: {error}")))?;
        let put = put(time, &data.amount, data.channel)?;
        Ok(ReadEvent { organization, definition: data.definition.into(), key, put })
    }
}

fn put(time: Option<Instant>, amount: &RawValue, channel: Option<String>) -> Result<UsePut, CheckProblem> {
    let channel = channel.map(check_channel).transpose()?;
    Ok(UsePut { amount: read_amount(amount)?, channel, at: None, as_of: time, always: true })
}

/// A source and an id tell an event from all others; the length keeps two such pairs from being one text.
fn key_of(source: &str, id: &str) -> String {
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX).to_be_bytes();
    hex::encode(Sha256::new().chain_update(length).chain_update(source).chain_update(id).finalize())
}

impl EventResult {
    fn of(event: &RawValue, counted: Result<UseAnswer, CheckProblem>) -> Self {
        let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
        let text = |field: &str| event.get(field).and_then(Value::as_str).map(str::to_owned);
        let (status, detail) = match counted {
            Ok(counted) => (StatusCode::OK, note(&counted)),
            Err(problem) => (problem.status(), Some(problem.to_string())),
        };
        Self { id: text("id"), source: text("source"), status: status.as_u16(), detail }
    }
}

/// What there is to say of what is kept.
fn note(counted: &UseAnswer) -> Option<String> {
    match counted.verdict {
        UseVerdict::Older => Some("more is known already, as of a later time: it changes nothing".to_owned()),
        UseVerdict::Count(_) if counted.is_unentitled => {
            Some("nothing was held then: it is kept, and counts once a grant comes to cover that time".to_owned())
        }
        UseVerdict::Count(_) | UseVerdict::Same | UseVerdict::Denied => None,
    }
}

//! Usage as `CloudEvents` 1.0, one or a batch: what has happened is counted in any case.

use super::{
    access::CheckVerb,
    asked_by::AskedBy,
    counting::UseAddress,
    problem::CheckProblem,
    routes::CheckSurroundings,
    stated::{check_channel, read_amount, read_moment},
};
use crate::{
    core::{calendar::Instant, usage::report::check_key},
    evaluation::uses::{UseChange, UsePut, UseVerdict},
    metering::UseAnswer,
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The type of an event that says what was used.
const TYPE: &str = "dev.entitlements.usage.v1";
const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
/// The most events of a batch.
const MOST: usize = 1000;
/// How many of a batch are under way at once.
const TOGETHER: usize = 256;

/// An event, of which only what counts is read: extensions may stand beside it.
#[derive(Debug, Deserialize)]
struct UsageEvent {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    type_: String,
    subject: Option<String>,
    time: Option<String>,
    data: Option<Value>,
}

/// What an event says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageEventData {
    definition: String,
    amount: Value,
    channel: Option<String>,
    key: Option<String>,
}

/// What became of an event.
#[derive(Debug, Serialize)]
pub struct EventResult {
    /// The event's id; null where it has none.
    id: Option<String>,
    /// The event's source; null where it has none.
    source: Option<String>,
    /// As of a request: 200 where it is kept.
    status: u16,
    /// What there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// An event that can be counted.
struct ReadEvent {
    organization: Arc<str>,
    definition: Arc<str>,
    key: String,
    put: UsePut,
}

/// Counts what events say.
pub async fn events(
    State(surroundings): State<Arc<CheckSurroundings>>,
    asked_by: AskedBy,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, CheckProblem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            CheckProblem::TooLarge("a request has at most 1 MiB: send a part of it".to_owned())
        }
        _ => CheckProblem::Invalid(rejection.body_text()),
    })?;
    let _under_way = surroundings.desk.begin(asked_by.user())?;
    match media_type(&headers).as_deref() {
        Some(ONE) => {
            let event = parse(&body)?;
            let counted = take(&surroundings, &asked_by, &event).await?;
            Ok(Json(EventResult::of(&event, Ok(counted))).into_response())
        }
        Some(BATCH) => {
            let events: Vec<Value> = parse(&body)?;
            if events.len() > MOST {
                return Err(CheckProblem::TooLarge(format!("a batch has at most {MOST} events: send a part of it")));
            }
            let taken = stream::iter(events).map(|event| {
                let (surroundings, asked_by) = (&surroundings, &asked_by);
                async move {
                    let counted = take(surroundings, asked_by, &event).await;
                    EventResult::of(&event, counted)
                }
            });
            let results: Vec<EventResult> = taken.buffered(TOGETHER).collect().await;
            Ok(Json(results).into_response())
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

async fn take(surroundings: &CheckSurroundings, asked_by: &AskedBy, event: &Value) -> Result<UseAnswer, CheckProblem> {
    let event = UsageEvent::deserialize(event)
        .map_err(|error| CheckProblem::Invalid(format!("it is no CloudEvent: {error}")))?;
    let ReadEvent { organization, definition: entitlement, key, put } = event.read()?;
    surroundings.doorkeeper.admit(asked_by, &organization, CheckVerb::Report).await?;
    let address = UseAddress { organization, entitlement, user: Arc::clone(asked_by.user()), key };
    let counted = surroundings.desk.count(&address, UseChange::Put(put)).await?;
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
        let time = self.time.as_deref().map(|time| read_moment("time", time)).transpose()?;
        let data =
            self.data.as_ref().ok_or_else(|| invalid("data: write {\"definition\": …, \"amount\": …} as JSON"))?;
        let data = UsageEventData::deserialize(data).map_err(|error| {
            CheckProblem::Invalid(format!("data: {error}: there is definition, amount, channel and key"))
        })?;
        let key = data.key.unwrap_or_else(|| key_of(&self.source, &self.id));
        check_key(&key).map_err(|error| CheckProblem::Invalid(format!("data.key: {error}")))?;
        let put = put(time, &data.amount, data.channel)?;
        Ok(ReadEvent { organization, definition: data.definition.into(), key, put })
    }
}

fn put(time: Option<Instant>, amount: &Value, channel: Option<String>) -> Result<UsePut, CheckProblem> {
    let channel = channel.map(check_channel).transpose()?;
    Ok(UsePut { amount: read_amount(amount)?, channel, at: None, as_of: time, always: true })
}

/// A source and an id tell an event from all others; the length keeps two such pairs from being one text.
fn key_of(source: &str, id: &str) -> String {
    let length = u64::try_from(source.len()).unwrap_or(u64::MAX).to_be_bytes();
    hex::encode(Sha256::new().chain_update(length).chain_update(source).chain_update(id).finalize())
}

impl EventResult {
    fn of(event: &Value, counted: Result<UseAnswer, CheckProblem>) -> Self {
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

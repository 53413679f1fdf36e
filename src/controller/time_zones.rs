//! Says which time zone data is used, and whose next moments newer data moves.

use super::{
    clock, context::ControllerContext, failure::RequestRefusal, output::FIELD_MANAGER, world::OrganizationView,
};
use crate::{
    api::Condition,
    core::reason::ReasonCode,
    evaluation::{Evaluation, conditions::Conditions, moments::Moments},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// The operator's own object, in its own namespace.
const NAME: &str = "entitlement-operator";
/// What the object is known by as the operator's.
const LABEL: (&str, &str) = ("app.kubernetes.io/name", "entitlement-operator");
const CONDITIONS: &str = "conditions";
const RELEASE: &str = "timeZones";
const TYPE: &str = "TimeZoneData";

/// The longest that one request takes.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long after a failure it is tried again, the first time and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_mins(1);
/// Grants that a log line names.
const MOST_NAMED: usize = 10;

/// Which time zone data is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZoneReport {
    /// The release that is used, such as `2026f`.
    pub release: String,
    /// Whether the data that was asked for could be used.
    pub is_as_asked: bool,
    /// One word that programs can match on.
    pub reason: ReasonCode,
    /// A sentence.
    pub message: String,
}

/// Tells once, of each organization, which of its grants' moments have been moved by newer data.
#[derive(Default)]
pub struct Moves {
    /// The releases before and now; absent where they are the same.
    releases: Mutex<Option<(String, String)>>,
    told: Mutex<HashSet<Arc<str>>>,
}

impl Moves {
    /// Tells which moments lie elsewhere than the statuses say, when an organization is evaluated for the first time.
    pub fn tell(&self, name: &Arc<str>, view: &OrganizationView, evaluation: &Evaluation) {
        let releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((before, now)) = releases else { return };
        if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(name)) {
            return;
        }
        let moved: Vec<String> = moved(view, evaluation);
        if moved.is_empty() {
            return;
        }
        let named: Vec<&str> = moved.iter().take(MOST_NAMED).map(String::as_str).collect();
        tracing::warn!(
            organization = %name,
            before,
            now,
            grants = moved.len(),
            moved = named.join("; "),
            "newer time zone data moves what comes for the organization"
        );
    }
}

fn moved(view: &OrganizationView, evaluation: &Evaluation) -> Vec<String> {
    let now = clock::now();
    let moved = evaluation.decision.sources().filter_map(|decided| {
        let moved = view.facts.get(&decided.id())?.moments?.moved(&Moments::of(&decided), now);
        (!moved.is_empty()).then(|| format!("{}: {}", decided.id(), moved.join(", ")))
    });
    moved.collect()
}

/// What the operator's object holds.
struct ReportedTimeZones {
    release: String,
    conditions: Vec<Condition>,
}

fn api(context: &ControllerContext) -> Api<ConfigMap> {
    Api::namespaced(context.gate.client(), &context.options.namespace)
}

/// Finds out which data was used before. Where that cannot be told, other data was.
pub async fn compare(context: &ControllerContext) {
    let Some(report) = &context.options.time_zones else { return };
    let said = timeout(TIME_LIMIT, read(context)).await.ok().and_then(Result::ok).flatten();
    let before = said.map_or_else(|| "unknown".to_owned(), |said| said.release);
    if before != report.release {
        let mut releases = context.moves.releases.lock().unwrap_or_else(PoisonError::into_inner);
        *releases = Some((before, report.release.clone()));
    }
}

/// Says which data is used. It never ends, as no part of the controller does.
pub async fn say(context: Arc<ControllerContext>) {
    if let Some(report) = context.options.time_zones.as_ref().filter(|_| !context.options.read_only) {
        let mut pause = FIRST_PAUSE;
        let leadership = context.candidacy.leadership();
        loop {
            leadership.awaited().await;
            let written = timeout(TIME_LIMIT, write(&context, report)).await.unwrap_or_else(|_| Err(too_slow()));
            let Err(problem) = written else { break };
            if context.candidacy.leads() {
                let namespace = &context.options.namespace;
                tracing::warn!("the time zone data could not be told in the ConfigMap {namespace}/{NAME}: {problem}");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
    future::pending::<()>().await;
}

fn too_slow() -> String {
    format!("it took longer than {} s", TIME_LIMIT.as_secs())
}

async fn read(context: &ControllerContext) -> Result<Option<ReportedTimeZones>, String> {
    let _pass = context.gate.enter_to_read().await;
    let api: Api<ConfigMap> = Api::namespaced(context.gate.reader(), &context.options.namespace);
    let found = api.get_opt(NAME).await.map_err(|error| RequestRefusal::of(&error).to_string())?;
    let Some(object) = found else { return Ok(None) };
    let labels = object.metadata.labels.unwrap_or_default();
    if labels.get(LABEL.0).is_none_or(|name| name != LABEL.1) {
        return Err(format!("it is somebody else's: its label {} is not {}", LABEL.0, LABEL.1));
    }
    let data = object.data.unwrap_or_default();
    let conditions = data.get(CONDITIONS).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Ok(Some(ReportedTimeZones { release: data.get(RELEASE).cloned().unwrap_or_default(), conditions }))
}

async fn write(context: &ControllerContext, report: &TimeZoneReport) -> Result<(), String> {
    let said = read(context).await?;
    let before = said.as_ref().map(|said| said.conditions.as_slice()).unwrap_or_default();
    let after = conditions(before, report);
    if said.as_ref().is_some_and(|said| said.conditions == after && said.release == report.release) {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&after).map_err(|error| error.to_string())?;
    let data = BTreeMap::from([(CONDITIONS.to_owned(), text), (RELEASE.to_owned(), report.release.clone())]);
    let _pass = context.gate.enter().await;
    let written = if said.is_some() {
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        api(context).patch(NAME, &parameters, &Patch::Merge(json!({ "data": data }))).await
    } else {
        let labels = BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]);
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let object = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        api(context).create(&parameters, &object).await
    };
    written.map(drop).map_err(|error| RequestRefusal::of(&error).to_string())
}

/// The object's conditions with that of the time zone data; others are left as they are.
fn conditions(before: &[Condition], report: &TimeZoneReport) -> Vec<Condition> {
    let others = before.iter().filter(|condition| condition.type_ != TYPE).cloned();
    let mut own = Conditions::unversioned(before, clock::now());
    own.set(TYPE, report.is_as_asked, report.reason, report.message.as_str());
    others.chain(own.into_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::{ReasonCode, TimeZoneReport, say};
    use crate::controller::{context::ControllerContext, leadership::LeadershipState};
    use kube::{Client, client::Body};
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };
    use tokio::time::timeout;

    /// More would be an attempt after the other without a pause, to which the test's clock would never come to an end.
    const MOST: usize = 100;

    #[tokio::test(start_paused = true)]
    async fn while_the_lease_has_run_out_it_is_not_tried_without_a_pause() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let refuse = move |_: http::Request<Body>| {
            let is_too_much = count.fetch_add(1, Ordering::SeqCst) >= MOST;
            async move {
                if is_too_much {
                    return std::future::pending().await;
                }
                Err::<http::Response<Body>, _>(io::Error::from(io::ErrorKind::ConnectionRefused))
            }
        };
        let mut context = ControllerContext::read_by(Client::new(tower::service_fn(refuse), "default"));
        context.options.time_zones = Some(TimeZoneReport {
            release: "2026a".to_owned(),
            is_as_asked: true,
            reason: ReasonCode::Valid,
            message: String::new(),
        });
        // It holds no lease, and does not know that it works no more.
        context.candidacy.stand(LeadershipState::Leads(1));
        let said = timeout(Duration::from_secs(10), say(Arc::new(context))).await;
        assert!(said.is_err());
        let asked = asked.load(Ordering::SeqCst);
        assert!((2..MOST).contains(&asked), "{asked}");
    }
}

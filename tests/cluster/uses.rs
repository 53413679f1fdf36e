//! Uses that are put, read and taken back by the API, and events: counted if they are allowed, once, and by nobody who may not.

use crate::{
    asker::{API, Asker, allow},
    harness::{DEADLINE, ORGANIZATION},
    plane::Process,
    usage::support::Desk,
    wait::eventually,
};
use chrono::{TimeDelta, Utc};
use entitlement_operator::{installation::OPERATOR_NAMESPACE, store::PersistentStore};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, time::Duration};

const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// A service that counts for the client, and one of the client's own.
struct Counting {
    service: Asker,
    tenant: Asker,
    one: String,
}

impl Counting {
    async fn of(desk: &Desk, api: std::net::SocketAddr) -> Self {
        let name = &desk.cluster.name;
        let account = ("kube-system", "service");
        for verb in ["check", "report"] {
            allow(&desk.cluster, verb, account).await;
        }
        Self {
            service: Asker::of(desk, api, account, "entitlements.dev"),
            tenant: Asker::of(desk, api, (name, "default"), "entitlements.dev"),
            one: format!("/v1/organizations/{name}/entitlements/{name}"),
        }
    }

    /// `200 Allowed 9`: the status, the reason, and what is left.
    fn told(&self, method: &str, key: &str, body: &str) -> String {
        let (status, _, answer) = self.service.says(method, &format!("{}/uses/{key}", self.one), body);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{status} {} {}", text(&answer["reason"]), text(&answer["usage"]["remaining"]))
    }

    fn put(&self, key: &str, amount: &str) -> String {
        self.told("PUT", key, &json!({ "amount": amount }).to_string())
    }

    /// Waits until that is answered: who has just started, or was alone for long, counts once the cluster has answered.
    fn until_it_counts(&self, key: &str, amount: &str, expected: &str) {
        eventually(DEADLINE, "uses are counted", || {
            let told = self.put(key, amount);
            if told == expected { Ok(()) } else { Err(told) }
        });
    }
}

fn event(organization: &str, id: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/desk", "type": "dev.entitlements.usage.v1",
        "subject": organization, "data": data,
    })
}

fn numbers_are_taken_as_they_are_written(counting: &Counting, name: &str) {
    for (written, kept) in
        [("0.000001", "0.000001"), ("123456789012.123456789", "123456789012.123456789"), ("1E-3", "0.001")]
    {
        let use_ = format!(r#"{{"amount": {written}, "always": true}}"#);
        let told = counting.told("PUT", "exact", &use_);
        assert!(told.starts_with("200 "), "{told}");
        let event = event(name, written, json!({"definition": name, "amount": "$", "key": "event"}));
        let event = event.to_string().replace("\"$\"", written);
        let (status, _, result) = counting.service.sends("POST", "/v1/events", EVENT, &event);
        assert_eq!(status, 200, "{result}");
        let (_, _, results) = counting.service.sends("POST", "/v1/events", BATCH, &format!("[{event}]"));
        assert_eq!(results[0]["status"], 200, "{results}");
        for key in ["exact", "event"] {
            let (_, told) = counting.service.gets(&format!("{}/uses/{key}", counting.one));
            assert_eq!(told["amount"], *kept, "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_are_counted_once_if_they_are_allowed() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let name = desk.cluster.name.clone();
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");

    // Ten cases; the eleventh is not allowed; one given back is another's.
    counting.until_it_counts("case-1", "1", "200 Allowed 9");
    assert_eq!(counting.put("case-1", "1"), "200 Allowed 9");
    for case in 2..=10 {
        assert_eq!(counting.put(&format!("case-{case}"), "1"), format!("200 Allowed {}", 10 - case));
    }
    assert_eq!(counting.put("case-11", "1"), "409 Exhausted 0");
    assert_eq!(counting.told("DELETE", "case-3", ""), "200 Allowed 1");
    assert_eq!(counting.told("DELETE", "case-3", ""), "200 Allowed 1");
    assert_eq!(counting.told("DELETE", "case-12", ""), "404 null null");
    assert_eq!(counting.put("case-11", "0.25"), "200 Allowed 0.75");
    let (status, kept) = counting.service.gets(&format!("{}/uses/case-11", counting.one));
    assert_eq!((status, &kept["key"], &kept["amount"]), (200, &json!("case-11"), &json!("0.25")), "{kept}");
    assert_eq!(counting.service.gets(&format!("{}/uses/case-3", counting.one)).0, 404);
    // What is said in any case is counted, and said to be beyond.
    assert_eq!(counting.told("PUT", "case-12", r#"{"amount": 3, "always": true}"#), "200 Exhausted 0");
    let (_, answer) = counting.service.gets(&counting.one);
    assert_eq!((&answer["usage"]["used"], &answer["usage"]["overage"]), (&json!("10"), &json!("2.25")), "{answer}");
    // The controller sees it without anybody telling it.
    desk.state("Exceeded", false).await;

    // Events are counted in any case, each once.
    let send =
        |media_type: &str, body: &Value| counting.service.sends("POST", "/v1/events", media_type, &body.to_string());
    let counted = event(&name, "1", json!({"definition": name, "amount": "0.5"}));
    for _ in 0..2 {
        let (status, _, result) = send(EVENT, &counted);
        assert_eq!((status, result), (200, json!({"id": "1", "source": "/desk", "status": 200})));
    }
    let batch = json!([
        counted,
        event(&name, "2", json!({"definition": name, "amount": 1, "key": "case-11"})),
        event("other", "3", json!({"definition": name, "amount": 1})),
        event(&name, "4", json!({"definition": "seets", "amount": 1})),
        event(&name, "5", json!({"definition": name, "amount": -1})),
        {"id": "6"},
    ]);
    let (status, _, results) = send(BATCH, &batch);
    let statuses: Vec<_> =
        results.as_array().unwrap().iter().map(|one| (one["id"].clone(), one["status"].clone())).collect();
    let expected = [("1", 200), ("2", 200), ("3", 403), ("4", 404), ("5", 400), ("6", 400)];
    assert_eq!(
        (status, statuses),
        (200, expected.map(|(id, status)| (json!(id), json!(status))).to_vec()),
        "{results}"
    );
    // What is said of a key last counts, in whichever order it comes.
    let second = (Utc::now() - TimeDelta::seconds(10)).format("%Y-%m-%dT%H:%M:%S");
    for (id, fraction, amount) in [("7", "5", "0.1"), ("8", "900001", "0.3"), ("9", "9", "0.2")] {
        let mut said = event(&name, id, json!({"definition": name, "amount": amount, "key": "call-7"}));
        said["time"] = json!(format!("{second}.{fraction}Z"));
        assert_eq!(send(EVENT, &said).0, 200);
    }
    let (_, answer) = counting.service.gets(&counting.one);
    assert_eq!((&answer["usage"]["used"], &answer["usage"]["overage"]), (&json!("10"), &json!("3.8")), "{answer}");

    numbers_are_taken_as_they_are_written(&counting, &name);

    // A client's workload reads, and counts nothing.
    let uses = format!("{}/uses/case-1", counting.one);
    assert_eq!(counting.tenant.gets(&counting.one).0, 200);
    for (method, body) in [("PUT", r#"{"amount": 1}"#), ("DELETE", "")] {
        let (status, _, body) = counting.tenant.says(method, &uses, body);
        assert_eq!(status, 403, "{body}");
    }
    let (status, _, body) = counting.tenant.sends("POST", "/v1/events", EVENT, &counted.to_string());
    assert_eq!(status, 403, "{body}");

    // What cannot be understood is told so.
    for (body, status, said) in [
        ("", 400, "such as {\"amount\": 1}"),
        ("{}", 400, "missing field `amount`"),
        ("[]", 400, "a JSON object is expected: there is amount, channel, at and always"),
        (r#"{"amount": -1}"#, 400, "cannot be read: write a whole number of at most 15 digits"),
        (r#"{"amount": "1000000000000000"}"#, 400, "cannot be read: write a whole number of at most 15 digits"),
        (r#"{"amount": 1, "channel": "a b"}"#, 400, "channel: a channel's name has 1 to 63"),
        (r#"{"amount": 1, "at": "2100-01-01T00:00:00Z"}"#, 400, "lies more than 5 minutes ahead: send it then"),
        (r#"{"amount": 1, "much": 1}"#, 400, "unknown field `much`"),
    ] {
        let (found, _, problem) = counting.service.says("PUT", &uses, body);
        assert_eq!(found, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{body}: {problem}");
    }
    let (status, _, problem) =
        counting.service.says("PUT", &format!("{}/uses/{}", counting.one, "k".repeat(129)), r#"{"amount": 1}"#);
    assert_eq!(
        (status, &problem["detail"]),
        (400, &json!("a key has 1 to 128 printable ASCII characters: give it another"))
    );
    let (status, _, problem) = counting.service.says("POST", "/v1/events", "{}");
    assert_eq!(status, 415, "{problem}");
}

/// A plan of ten of what `$` defines, and a subscription to it.
async fn subscribe(desk: &Desk) {
    let (cluster, name) = (&desk.cluster, &desk.cluster.name);
    cluster.apply(ORGANIZATION).await;
    desk.define(name, json!({"mode": "Consumed", "period": "P1Y"})).await;
    let object = |kind: &str, metadata: Value, spec: Value| json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
    let groups = json!([{"name": "all", "entitlements": [{"definition": name, "amount": 10}]}]);
    let plan = json!({"product": name, "groups": groups});
    cluster.create(object("EntitlementPlan", json!({ "name": name }), plan)).await.unwrap();
    let subscription = json!({"organization": name, "plan": name, "start": "2026-01-01"});
    let metadata = json!({"name": name, "namespace": "entitlements"});
    cluster.create(object("EntitlementSubscription", metadata, subscription)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_takes_nothing_that_was_used_before_and_nothing_goes_with_it() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    subscribe(&desk).await;
    let counting = Counting::of(&desk, operator.api()).await;
    let left = |amount: &str| {
        let amount = amount.to_owned();
        move |status: u16, body: &Value| status == 200 && body["usage"]["remaining"] == amount.as_str()
    };
    counting.service.until(&counting.one, left("10"));
    counting.until_it_counts("calls", "9", "200 Allowed 1");
    let add =
        |amount: u32| json!({"spec": {"add": [{"name": "more", "definition": desk.cluster.name, "amount": amount}]}});
    let edit = |patch: Value| desk.cluster.merge("EntitlementSubscription", "entitlements", "$", patch);
    edit(add(5)).await.unwrap();
    counting.service.until(&counting.one, left("6"));
    assert_eq!(counting.put("more-calls", "7"), "409 Exhausted 6");
    edit(json!({"spec": {"add": []}})).await.unwrap();
    let answer = counting.service.until(&counting.one, left("1"));
    assert_eq!((&answer["usage"]["used"], &answer["usage"]["allotted"]), (&json!("9"), &json!("10")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    counting.until_it_counts("a", "4", "200 Allowed 6");
    operator.kill();
    let operator = desk.operator_with(&API);
    let again = Counting { service: Asker { api: operator.api(), token: counting.service.token }, ..counting };
    let left = again.service.until(&again.one, |status, body| status == 200 && body["usage"]["state"] != "Unknown");
    assert_eq!(left["usage"]["remaining"], "6", "{left}");
    again.until_it_counts("a", "4", "200 Allowed 6");
    assert_eq!(again.put("b", "6.5"), "409 Exhausted 6");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_while_nobody_looked_is_noted_before_a_use_counts() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    desk.suspend(true).await;
    counting.until_it_counts("a", "1", "409 Suspended null");
    operator.kill();
    let resumed = json!({"spec": {"suspended": false}});
    desk.cluster.merge("EntitlementInstance", "entitlements", "$", resumed).await.unwrap();
    // It answers before it may lead, and the leader alone notes what has changed.
    let operator = desk.operator_with(&API);
    let again = Counting { service: Asker { api: operator.api(), token: counting.service.token }, ..counting };
    again.until_it_counts("a", "1", "200 Allowed 9");
    for (key, left) in [("b", 8), ("c", 7), ("d", 6)] {
        assert_eq!(again.put(key, "1"), format!("200 Allowed {left}"));
    }
    let counted = Utc::now();
    while Utc::now() - counted < TimeDelta::seconds(3) {
        let (status, answer) = again.service.gets(&again.one);
        assert_eq!((status, &answer["usage"]["used"]), (200, &json!("4")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_right_before_the_end_is_noted() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    counting.until_it_counts("a", "1", "200 Allowed 9");
    for (key, left) in [("b", 8), ("c", 7), ("d", 6)] {
        assert_eq!(counting.put(key, "1"), format!("200 Allowed {left}"));
    }
    tokio::task::block_in_place(|| operator.stop());
    let address = format!("sqlite://{}", desk.place().join("store.db").display());
    let store = PersistentStore::open(&address.parse().unwrap()).await.unwrap();
    let written = store.identity().await.unwrap();
    let note = desk.cluster.get("ConfigMap", OPERATOR_NAMESPACE, "entitlement-operator-store").await.unwrap();
    let expected = json!({"store": written.id, "commits": written.commits.to_string()});
    assert_eq!(note["data"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_what_was_read_last_is_answered() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    counting.until_it_counts("a", "8", "200 Allowed 2");
    let gone = GoneStore::of(&desk);
    eventually(DEADLINE, "uses are refused", || {
        let (status, _, body) = counting.service.says("PUT", &format!("{}/uses/b", counting.one), r#"{"amount": 1}"#);
        let is_it = status == 503 && body["detail"].as_str().unwrap().starts_with("the store does not answer now");
        if is_it { Ok(()) } else { Err(format!("{status} {body}")) }
    });
    for (amount, expected) in [("2", json!(["Allowed", true, "2"])), ("2.5", json!(["Exhausted", false, "2"]))] {
        let (status, answer) = counting.service.gets(&format!("{}?amount={amount}", counting.one));
        let said = json!([answer["reason"], answer["allowed"], answer["usage"]["remaining"]]);
        assert_eq!((status, said), (200, expected), "{answer}");
        assert_eq!(answer["usage"]["stale"], true, "{answer}");
    }
    gone.put_back();
    counting.until_it_counts("b", "2", "200 Allowed 0");
    assert_eq!(counting.service.gets(&counting.one).1["usage"]["stale"], Value::Null);
}

/// A store whose file is not in its place.
struct GoneStore {
    store: PathBuf,
    away: PathBuf,
}

impl GoneStore {
    fn of(desk: &Desk) -> Self {
        let gone = Self { store: desk.place().join("store.db"), away: desk.place().join("away") };
        fs::rename(&gone.store, &gone.away).unwrap();
        // A folder is in the way, so that no store is made there.
        fs::create_dir(&gone.store).unwrap();
        gone
    }

    fn put_back(self) {
        fs::remove_dir(&self.store).unwrap();
        fs::rename(&self.away, &self.store).unwrap();
    }
}

/// What is reported is read by the controller, and the API has not asked for it yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_asked_for_before_is_known_while_the_store_is_away() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell_metered(json!({"mode": "Consumed", "period": "P1Y", "onUnknown": "Deny"}), "2026-01-01").await;
    let counting = Counting::of(&desk, operator.api()).await;
    desk.report(4).await;
    desk.counted(4).await;
    let _gone = GoneStore::of(&desk);
    let answer = counting.service.until(&counting.one, |status, _| status == 200);
    let said = json!([answer["reason"], answer["usage"]["remaining"], answer["usage"]["stale"]]);
    assert_eq!(said, json!(["Allowed", "6", true]), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_nothing_is_counted() {
    let desk = Desk::start().await;
    let operator = desk.stage.operator(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["state"] == "Unknown");
    let (status, _, problem) = counting.service.says("PUT", &format!("{}/uses/a", counting.one), r#"{"amount": 1}"#);
    assert_eq!(status, 501, "{problem}");
    assert_eq!(counting.service.sends("POST", "/v1/events", EVENT, "{}").0, 501);
}

/// A confirmation lasts a minute, and the last one may have come just before.
const UNCONFIRMED: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_counted_by_what_nobody_has_confirmed_for_a_minute() {
    let mut desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    desk.sell().await;
    let counting = Counting::of(&desk, operator.api()).await;
    counting.service.until(&counting.one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    counting.until_it_counts("a", "1", "200 Allowed 9");
    assert_eq!(counting.tenant.gets(&counting.one).0, 200);
    desk.stage.plane.stop(Process::ApiServer).unwrap_or_else(|error| panic!("{error}"));
    let uses = format!("{}/uses/a", counting.one);
    eventually(UNCONFIRMED, "uses are refused", || {
        let (status, _, body) = counting.service.says("PUT", &uses, r#"{"amount": "1"}"#);
        let is_it = status == 503 && body["detail"].as_str().unwrap().starts_with("nothing can be counted now");
        if is_it { Ok(()) } else { Err(format!("{status} {body}")) }
    });
    // Whoever was known may read still.
    let (status, answer) = counting.tenant.gets(&counting.one);
    assert_eq!((status, &answer["usage"]["remaining"]), (200, &json!("9")), "{answer}");
    desk.stage.plane.start_process(Process::ApiServer).unwrap_or_else(|error| panic!("{error}"));
    counting.until_it_counts("a", "2", "200 Allowed 8");
}

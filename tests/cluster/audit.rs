//! What an operator asked of the API server, from the API server's audit log.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// How long no write comes at rest.
const REST: Duration = Duration::from_secs(3);
/// Far more than it takes to come to rest.
const DEADLINE: Duration = Duration::from_mins(2);

/// All requests of operators, in the order in which they were answered.
pub fn requests(audit_log: &Path) -> Vec<Value> {
    let log = fs::read_to_string(audit_log).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_of_operator =
        |line: &Value| line["userAgent"].as_str().is_some_and(|agent| agent.starts_with("entitlement-operator"));
    lines.filter(|line| line["stage"] == "ResponseComplete" && is_of_operator(line)).collect()
}

/// A request, as far as rights go.
#[derive(Debug)]
pub struct Request {
    /// Who made it.
    pub user: String,
    /// The verb, the group and the resource.
    pub right: String,
    /// Of the answer.
    pub code: i64,
    /// The namespace; empty for the whole cluster.
    pub namespace: String,
}

/// All requests of operators about objects.
pub fn of_operator(audit_log: &Path) -> Vec<Request> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let about_objects = requests(audit_log).into_iter().filter(|line| line["objectRef"].is_object());
    let all = about_objects.map(|line| {
        let object = &line["objectRef"];
        let part = object["subresource"].as_str().map(|part| format!("/{part}")).unwrap_or_default();
        Request {
            user: text(&line["user"]["username"]),
            right: format!("{} {}/{}{part}", text(&line["verb"]), text(&object["apiGroup"]), text(&object["resource"])),
            code: line["responseStatus"]["code"].as_i64().unwrap_or_default(),
            namespace: text(&object["namespace"]),
        }
    });
    all.collect()
}

/// Those that change something, as verb and address. Who one is, and what one may do, is asked by creating what is stored nowhere.
/// Renewals of the operator's own Lease are left out, and nothing else: they go on at rest.
pub fn writes(audit_log: &Path) -> Vec<String> {
    let is_question = |line: &Value| {
        line["objectRef"]["resource"].as_str().is_some_and(|resource| resource.starts_with("selfsubject"))
    };
    let is_renewal = |line: &Value| {
        let object = &line["objectRef"];
        line["verb"] == "update"
            && [&object["apiGroup"], &object["resource"], &object["name"]]
                == ["coordination.k8s.io", "leases", "entitlement-operator"]
    };
    let is_write = |line: &Value| {
        !is_question(line)
            && !is_renewal(line)
            && ["create", "update", "patch", "delete"].contains(&line["verb"].as_str().unwrap_or_default())
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = requests(audit_log).into_iter().filter(is_write);
    all.map(|line| format!("{} {}", text(&line["verb"]), text(&line["requestURI"]))).collect()
}

/// A status of an organization that operators wrote, with another usage than the one before.
#[derive(Debug)]
pub struct UsageWrite {
    /// When it came to the API server.
    pub at: DateTime<Utc>,
    /// Its `usage`.
    pub usage: Value,
}

/// How often operators wrote an organization's status, whatever for, and those of it that were because of usage.
pub fn usage_writes(audit_log: &Path, organization: &str) -> (usize, Vec<UsageWrite>) {
    let uri = format!("/organizations/{organization}/status");
    let mut before = json!([]);
    let (mut all, mut changes) = (0, Vec::new());
    for line in requests(audit_log) {
        let is_it = line["requestURI"].as_str().is_some_and(|asked| asked.split('?').next().unwrap().ends_with(&uri));
        if !is_it || line["verb"] != "patch" || line["responseStatus"]["code"] != 200 {
            continue;
        }
        all += 1;
        let operations = line["requestObject"].as_array().unwrap();
        let status = operations.iter().find(|operation| operation["path"] == "/status").unwrap();
        let usage = status["value"].get("usage").cloned().unwrap_or_else(|| json!([]));
        if usage != before {
            before = usage.clone();
            changes.push(UsageWrite { at: line["requestReceivedTimestamp"].as_str().unwrap().parse().unwrap(), usage });
        }
    }
    (all, changes)
}

/// Those, once they are checked to be ten seconds apart, and to say another state each.
pub fn paced_usage_writes(audit_log: &Path, organization: &str) -> (usize, Vec<UsageWrite>) {
    let (all, changes) = usage_writes(audit_log, organization);
    for pair in changes.windows(2) {
        assert!(pair[1].at - pair[0].at >= TimeDelta::seconds(10), "{changes:#?}");
        assert_ne!(pair[0].usage[0]["state"], pair[1].usage[0]["state"], "{changes:#?}");
    }
    (all, changes)
}

/// Waits until no write has come for three seconds, and returns how many there are.
pub async fn at_rest(audit_log: &Path) -> usize {
    let started = Instant::now();
    let mut before = writes(audit_log).len();
    let mut since = Instant::now();
    while since.elapsed() < REST {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = writes(audit_log).len();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        assert!(started.elapsed() < DEADLINE, "the operator goes on writing: {:#?}", writes(audit_log));
    }
    before
}

//! What the log says of grants: a line for each transition, in words and as JSON, and no flood of them.

use crate::{
    harness::{Cluster, FEATURE, ORGANIZATION, Operator, Stage, grant, seconds_from_now},
    wait::eventually,
};
use regex::Regex;
use serde_json::{Value, json};
use std::{sync::LazyLock, time::Duration};

const DEADLINE: Duration = Duration::from_mins(1);
static MOMENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?)?").unwrap());

/// A grant is accepted, suspended, resumed, and cancelled; another waits, is in force, and ends; a third is refused.
async fn story(cluster: &Cluster) {
    let name = cluster.name.clone();
    cluster.apply(ORGANIZATION).await;
    cluster.apply(FEATURE).await;
    let change = |spec: Value| async move {
        cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": spec})).await.unwrap();
    };
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let second = format!("{name}-second");
    cluster.create(grant(&second, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$-second", "Rejected").await;
    cluster.delete("EntitlementInstance", "entitlements", "$-second").await;
    change(json!({"suspended": true})).await;
    cluster.phase("$", "Suspended").await;
    change(json!({"suspended": false})).await;
    cluster.phase("$", "Active").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    cluster.phase("$", "Suspended").await;
    cluster.merge("Organization", "", "$", json!({"spec": {"suspended": false}})).await.unwrap();
    cluster.phase("$", "Active").await;
    change(json!({"state": "Cancelled"})).await;
    cluster.phase("$", "Cancelled").await;
    let timed = format!("{name}-timed");
    let term = json!({"start": seconds_from_now(6), "end": seconds_from_now(14)});
    cluster.create(grant(&timed, &name, &name, term)).await.unwrap();
    cluster.phase("$-timed", "Expired").await;
}

/// The lines about grants of the test, without what differs each time.
fn transitions(log: &str, name: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| line.contains("entitlement_operator::transitions"));
    let of_test = lines.filter(|line| line.contains(&format!("entitlements/{name}")));
    of_test.map(|line| MOMENT.replace_all(line, "T").replace(name, "acme")).collect()
}

/// The lines that the page on the configuration shows in a language, without the moments.
fn documented(language: &str) -> Vec<String> {
    let page = include_str!("../../docs/configuration.md");
    let block = page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|line| MOMENT.replace_all(line, "T").into_owned()).collect()
}

fn until_told(operator: &Operator, name: &str, count: usize) -> Vec<String> {
    eventually(DEADLINE, "all is told", || {
        let log = operator.log();
        let told = transitions(&log, name);
        if told.len() >= count { Ok(told) } else { Err(log) }
    })
}

/// Each with the instance's name, the phases, the reason, and why.
const STORY: [[&str; 5]; 9] = [
    ["acme", "None", "Active", "Accepted", "it is accepted, and in force for good"],
    ["acme-second", "None", "Rejected", "Duplicate", "DUPLICATE"],
    ["acme", "Active", "Suspended", "Suspended", "by its own spec.suspended"],
    ["acme", "Suspended", "Active", "Resumed", "it is suspended no more, and in force for good"],
    ["acme", "Active", "Suspended", "Suspended", "by spec.suspended of organization acme"],
    ["acme", "Suspended", "Active", "Resumed", "it is suspended no more, and in force for good"],
    ["acme", "Active", "Cancelled", "Cancelled", "its spec.state is Cancelled"],
    ["acme-timed", "None", "Waiting", "Accepted", "it is accepted, and starts at T"],
    ["acme-timed", "Waiting", "Active", "Started", "its start has come: it is in force until T"],
];

#[tokio::test(flavor = "multi_thread")]
async fn every_transition_is_one_line_with_its_reason() {
    let stage = tokio::task::block_in_place(Stage::start);
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    story(&cluster).await;
    let told = tokio::task::block_in_place(|| until_told(&operator, &cluster.name, 10));
    let ends = ["acme-timed", "Active", "Expired", "Ended", "its end has come"];
    let expected: Vec<String> = STORY
        .iter()
        .chain([&ends])
        .map(|[instance, from, to, reason, why]| {
            format!("T  INFO entitlement_operator::transitions: transition organization=\"acme\" instance=\"entitlements/{instance}\" definition=\"acme\" from=\"{from}\" to=\"{to}\" reason=\"{reason}\" why=\"{why}\"")
        })
        .collect();
    let duplicate = Regex::new(r#"(reason="Duplicate" why=")[^"]*""#).unwrap();
    let told: Vec<String> = told.iter().map(|line| duplicate.replace(line, r#"${1}DUPLICATE""#).into_owned()).collect();
    assert_eq!(told, expected);
    let page = documented("text");
    assert!(page.len() == 2 && page.iter().all(|line| expected.contains(line)), "{page:#?}");
    tokio::task::block_in_place(|| operator.stop());

    // The same for machines.
    let operator = stage.operator_that_logs("info", &["--log-format=json"]);
    let cluster = stage.cluster().await;
    story(&cluster).await;
    let told = tokio::task::block_in_place(|| until_told(&operator, &cluster.name, 10));
    let expected: Vec<Value> = STORY
        .iter()
        .chain([&ends])
        .map(|[instance, from, to, reason, why]| {
            json!({"timestamp": "T", "level": "INFO", "target": "entitlement_operator::transitions", "message": "transition",
                "organization": "acme", "instance": format!("entitlements/{instance}"), "definition": "acme",
                "from": from, "to": to, "reason": reason, "why": why})
        })
        .collect();
    let told: Vec<Value> = told
        .iter()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if line["reason"] == "Duplicate" {
                line["why"] = json!("DUPLICATE");
            }
            line
        })
        .collect();
    assert_eq!(told, expected);
    let page: Vec<Value> = documented("json").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(page.len() == 1 && expected.contains(&page[0]), "{page:#?}");

    // Very many at once are some lines, and a count of the others; a start tells of none of them again.
    let drafts = 150;
    for number in 0..drafts {
        let name = format!("{}-draft-{number}", cluster.name);
        cluster.create(grant(&name, &cluster.name, &cluster.name, json!({"state": "Draft"}))).await.unwrap();
    }
    let counts = |log: &str| {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let about = lines.filter(|line| line["target"] == "entitlement_operator::transitions");
        let about: Vec<Value> =
            about.filter(|line| line.to_string().contains("Draft") || line["count"].is_u64()).collect();
        let told = about.iter().filter(|line| line["to"] == "Draft").count();
        let summed: u64 = about.iter().filter_map(|line| line["count"].as_u64()).sum();
        (told as u64, summed)
    };
    tokio::task::block_in_place(|| {
        eventually(DEADLINE, "all are told or counted", || {
            let (told, summed) = counts(&operator.log());
            if told + summed == drafts { Ok(()) } else { Err(format!("{told} {summed}")) }
        });
    });
    tokio::task::block_in_place(|| operator.stop());
    let operator = stage.operator_that_logs("info", &[]);
    let ready = |log: &str| log.contains("ready: cluster");
    tokio::task::block_in_place(|| {
        eventually(DEADLINE, "it is ready", || if ready(&operator.log()) { Ok(()) } else { Err(operator.log()) });
    });
    cluster.operator_has_acted().await;
    let log = operator.log();
    assert!(log.lines().count() < 12, "{log}");
    tokio::task::block_in_place(|| drop((operator, stage)));
}

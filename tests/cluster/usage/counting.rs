//! Reports count, once, over restarts.

use super::support::Desk;
use crate::{audit, harness::DEADLINE};
use chrono::{SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What is said of thresholds that were reached.
async fn thresholds(desk: &Desk) -> Vec<String> {
    let events = desk.cluster.list("Event", "default").await;
    let reached = events
        .iter()
        .filter(|event| event["reason"] == "ThresholdReached" && event["regarding"]["name"] == *desk.cluster.name);
    let mut notes: Vec<String> = reached.map(|event| event["note"].as_str().unwrap().to_owned()).collect();
    notes.sort();
    notes
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_cases_are_used_up_and_given_back_and_survive_a_kill() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.state("Ok", true).await;
    desk.cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;

    desk.report(10).await;
    desk.state("Exhausted", false).await;
    desk.counted(10).await;
    let thresholds = async || thresholds(&desk).await;
    let name = &desk.cluster.name;
    let both = [format!("{name}: 100% of 10 is used"), format!("{name}: 80% of 10 is used")];
    assert_eq!(thresholds().await, both);

    operator.kill();
    let before = audit::at_rest(desk.audit_log()).await;
    let operator = desk.operator();
    desk.cluster.operator_has_acted().await;
    let writes = audit::at_rest(desk.audit_log()).await;
    desk.state("Exhausted", false).await;
    desk.counted(10).await;
    assert_eq!(thresholds().await, both);
    let all = audit::writes(desk.audit_log());
    let of_status = |write: &&String| write.contains("entitlementusages") || write.contains("organizations");
    assert_eq!(all[before..writes].iter().filter(of_status).collect::<Vec<_>>(), Vec::<&String>::new());

    desk.report(9).await;
    desk.counted(9).await;
    desk.state("Warning", true).await;
    desk.report(0).await;
    desk.state("Ok", true).await;
    drop(operator);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_made_again_with_another_mode_says_so_until_it_is_as_it_was() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    let (cluster, name) = (&desk.cluster, &desk.cluster.name);
    cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    let make_again = async |usage: Value| {
        cluster.delete("EntitlementDefinition", "", "$").await;
        desk.define(name, usage).await;
    };
    // Nothing is counted yet, so a mistake can be mended like that.
    make_again(json!({"mode": "Held"})).await;
    cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    let as_it_was = json!({"mode": "Consumed", "period": "P1Y"});
    make_again(as_it_was.clone()).await;
    cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    desk.report(3).await;
    desk.counted(3).await;

    make_again(json!({"mode": "Held"})).await;
    cluster.condition("EntitlementDefinition", "$", "Metered", "False", "MeteredOtherwise").await;
    let is_noted = |seen: &Value| seen["status"]["metered"]["mode"] == "Consumed";
    cluster.until("EntitlementDefinition", "", "$", "is noted as it was", is_noted).await;
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"usage": null}})).await.unwrap();
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"usage": {"mode": "Held"}}})).await.unwrap_err();
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"usage": as_it_was}})).await.unwrap();
    cluster.condition("EntitlementDefinition", "$", "Metered", "True", "Metered").await;
    desk.counted(3).await;
    drop(operator);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_that_changes_no_state_is_written_to_its_report_alone() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(1).await;
    desk.counted(1).await;
    desk.state("Ok", true).await;
    let before = audit::at_rest(desk.audit_log()).await;
    desk.report(3).await;
    desk.counted(3).await;
    audit::at_rest(desk.audit_log()).await;
    let all = audit::writes(desk.audit_log());
    let is_of_report = |write: &String| write.contains("/entitlementusages/");
    let others: Vec<&String> = all[before..].iter().filter(|write| !is_of_report(write)).collect();
    assert_eq!(others, Vec::<&String>::new());
    desk.cluster.delete("EntitlementUsage", "entitlements", "$").await;
    desk.cluster.until("EntitlementUsage", "entitlements", "$", "is gone", Value::is_null).await;
    desk.report(10).await;
    desk.state("Exhausted", false).await;
}

/// Each day of a month something is used, day by day: 80% on the 23rd, and more than there is on the 29th.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_uses_is_written_to_reports_and_where_a_state_changes() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.state("Ok", true).await;
    let before = audit::at_rest(desk.audit_log()).await;
    let (statuses, of_usage) = audit::usage_writes(desk.audit_log(), &desk.cluster.name);
    for days in 1..=30 {
        let day =
            |day: usize| json!({"key": format!("DAY-{day}"), "at": format!("2026-06-{day:02}"), "amount": "0.35"});
        desk.report_all((1..=days).map(day).collect()).await;
        desk.counted(days).await;
    }
    desk.state("Exceeded", false).await;
    audit::at_rest(desk.audit_log()).await;
    let all = audit::writes(desk.audit_log());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for write in &all[before..] {
        let kinds = ["/entitlementusages/", "/organizations/", "/configmaps/", "/events"];
        let kind = kinds.into_iter().find(|kind| write.contains(kind)).unwrap_or(write);
        *counts.entry(kind).or_default() += 1;
    }
    // Thresholds are told by events, as above.
    counts.remove("/events");
    // Where the month is over within 10 seconds, the state in between is not written. Nothing else is.
    let organizations = counts.remove("/organizations/").unwrap_or_default();
    assert!((1..=2).contains(&organizations), "{organizations}");
    let (all_statuses, all_of_usage) = audit::paced_usage_writes(desk.audit_log(), &desk.cluster.name);
    assert_eq!(
        (all_statuses - statuses, all_of_usage.len() - of_usage.len()),
        (organizations, organizations),
        "{all_of_usage:#?}"
    );
    // Of each state of the report its status says what counts; the client's ConfigMap says each state of the meter.
    assert_eq!(counts, BTreeMap::from([("/entitlementusages/", 30), ("/configmaps/", 2)]));
}

/// Used up and given back as fast as it is counted, and by an operator that takes over at once from one that was ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_changes_again_and_again_is_written_to_its_organization_every_ten_seconds() {
    let desk = Desk::start().await;
    let operator = desk.operator();
    desk.sell().await;
    desk.state("Ok", true).await;
    let changes = async |until: usize| {
        let started = Instant::now();
        loop {
            for (cases, state) in [(10, "Exhausted"), (0, "Ok")] {
                desk.report(cases).await;
                desk.counted(cases).await;
                desk.told_to_the_client(state, state == "Ok").await;
            }
            let (_, written) = audit::paced_usage_writes(desk.audit_log(), &desk.cluster.name);
            if written.len() >= until {
                return written.len();
            }
            assert!(started.elapsed() < DEADLINE, "{written:#?}");
        }
    };
    let written = changes(3).await;
    tokio::task::block_in_place(|| operator.stop());
    let _operator = desk.operator();
    changes(written + 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_below_what_is_used_already_counts_at_once_and_is_said_once() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(6).await;
    desk.counted(6).await;
    desk.state("Ok", true).await;
    let half = [format!("{}: 50% of 10 is used", desk.cluster.name)];
    for (thresholds, state) in [(json!([50]), "Warning"), (json!([70]), "Ok"), (json!([50, 70]), "Warning")] {
        let patch = json!({"spec": {"usage": {"thresholds": thresholds}}});
        desk.cluster.merge("EntitlementDefinition", "", "$", patch).await.unwrap();
        desk.state(state, true).await;
    }
    desk.cluster.operator_has_acted().await;
    assert_eq!(thresholds(&desk).await, half);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_while_the_client_was_suspended_does_not_count() {
    let desk = Desk::start().await;
    let _operator = desk.operator();
    desk.sell().await;
    desk.report(1).await;
    desk.counted(1).await;
    desk.suspend(true).await;
    // A whole second within, as uses have no fractions.
    let within = Utc::now().trunc_subsecs(0) + TimeDelta::seconds(1);
    while Utc::now() < within + TimeDelta::seconds(1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.suspend(false).await;
    let register = |key: &str, at: &str, amount: u32| json!({"key": key, "at": at, "amount": amount});
    let at = within.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    desk.report_all(vec![register("BEFORE", "2026-06-01", 9), register("WITHIN", &at, 1)]).await;
    desk.counted(1).await;
    desk.state("Warning", true).await;
    let report = desk.cluster.object("EntitlementUsage", "entitlements", "$").await;
    let refused = report["status"]["refused"].as_array().unwrap();
    assert_eq!(refused.iter().map(|one| &one["key"]).collect::<Vec<_>>(), ["WITHIN"]);
}

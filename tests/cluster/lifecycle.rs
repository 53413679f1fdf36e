//! Renewal, uniqueness, grace, amendments, notices: in seconds, on a real API server.

use crate::harness::{Cluster, Stage, cluster, condition, grant, seconds_from_now};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Watches a ConfigMap from now on, looking as often as can be, until `until`; returns the UIDs and resource versions that
/// it had, and how often it was not there.
async fn observe(cluster: &Cluster, name: &str, until: &str) -> (Vec<String>, Vec<String>, usize) {
    let (mut uids, mut versions, mut absent) = (Vec::new(), Vec::new(), 0);
    while seconds_from_now(0).as_str() <= until {
        match cluster.get("ConfigMap", "$", name).await {
            Some(seen) => {
                uids.push(seen["metadata"]["uid"].as_str().unwrap().to_owned());
                versions.push(seen["metadata"]["resourceVersion"].as_str().unwrap().to_owned());
            }
            None => absent += 1,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    uids.dedup();
    versions.dedup();
    (uids, versions, absent)
}

#[tokio::test]
async fn a_renewal_follows_without_a_gap_and_without_a_new_object() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let end = seconds_from_now(10);
    cluster.create(grant(&name, &name, &name, json!({"end": end}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let renewal = format!("{name}-again");
    cluster.create(grant(&renewal, &name, &name, json!({"renews": name}))).await.unwrap();
    let waiting = cluster.phase(&renewal, "Waiting").await;
    assert_eq!(waiting["status"]["start"], end);
    assert_eq!(waiting["status"]["accepted"]["follows"], end);
    assert_eq!(waiting["status"]["accepted"]["chain"]["name"], name);
    cluster
        .until("EntitlementInstance", "entitlements", "$", "is renewed", |seen| seen["status"]["renewedBy"] == renewal)
        .await;

    let (uids, _, absent) = observe(&cluster, "$", &seconds_from_now(12)).await;
    assert_eq!((uids.len(), absent), (1, 0), "the object was made anew, or was away: {uids:?}, {absent}");
    cluster.phase("$", "Expired").await;
    cluster.phase(&renewal, "Active").await;
    let instance =
        cluster.get("ConfigMap", "$", "$").await.unwrap()["metadata"]["annotations"]["entitlements.dev/instance"]
            .clone();
    assert_eq!(instance, format!("entitlements/{renewal}"));
}

#[tokio::test]
async fn grace_keeps_the_configuration_and_a_renewal_ends_it() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"gracePeriod": "PT1H"}})).await.unwrap();
    cluster.until("EntitlementDefinition", "", "$", "is seen", crate::harness::is_current).await;
    let end = seconds_from_now(2);
    cluster.create(grant(&name, &name, &name, json!({"end": end}))).await.unwrap();
    let grace = cluster.phase("$", "Grace").await;
    assert_eq!(condition(&grace, "Entitled")["status"], "True");
    assert_eq!(grace["status"]["accepted"]["gracePeriod"], "PT1H");
    let before = cluster.object("ConfigMap", "$", "$").await;
    let renewal = format!("{name}-again");
    let spec = json!({"renews": name, "end": "2100-01-01"});
    cluster.create(grant(&renewal, &name, &name, spec)).await.unwrap();
    // The renewal takes up the end of what it renews, so it is in force from then on.
    let active = cluster.phase(&renewal, "Active").await;
    assert_eq!(active["status"]["start"], end);
    cluster.phase("$", "Expired").await;
    let after = cluster.object("ConfigMap", "$", "$").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
}

/// Waits until every grant of an organization is settled with one of them Active and so many refused as duplicates;
/// returns the name of the Active one.
async fn only_holder(cluster: &Cluster, organization: &str, duplicates: usize) -> String {
    let started = Instant::now();
    loop {
        let all = cluster.list("EntitlementInstance", "entitlements").await;
        let own: Vec<&Value> = all.iter().filter(|one| one["spec"]["organization"] == organization).collect();
        let is_settled = own.iter().all(|one| crate::harness::is_current(one));
        let active: Vec<&&Value> = own.iter().filter(|one| one["status"]["phase"] == "Active").collect();
        let refused = own.iter().filter(|one| condition(one, "Accepted")["reason"] == "Duplicate").count();
        if is_settled && active.len() == 1 && refused == duplicates {
            return active[0]["metadata"]["name"].as_str().unwrap().to_owned();
        }
        assert!(
            started.elapsed() < crate::harness::DEADLINE,
            "not settled: {} Active, {refused} duplicates",
            active.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn of_ten_created_at_once_one_is_accepted_and_the_next_when_it_is_cancelled() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let grants = (0..10).map(|number| cluster.create(grant(&format!("{name}-{number}"), &name, &name, json!({}))));
    for made in futures::future::join_all(grants).await {
        made.unwrap();
    }
    let first = only_holder(&cluster, &name, 9).await;
    cluster
        .merge("EntitlementInstance", "entitlements", &first, json!({"spec": {"state": "Cancelled"}}))
        .await
        .unwrap();
    let second = only_holder(&cluster, &name, 8).await;
    assert_ne!(first, second);
    cluster
        .until("ConfigMap", "$", "$", "passed on", |seen| {
            seen["metadata"]["annotations"]["entitlements.dev/instance"] == format!("entitlements/{second}")
        })
        .await;
}

#[tokio::test]
async fn the_runner_up_comes_up_at_the_second_at_which_the_winner_ends() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let end = seconds_from_now(12);
    cluster.create(grant(&name, &name, &name, json!({"end": end}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let second = format!("{name}-second");
    cluster.create(grant(&second, &name, &name, json!({"end": "2100-01-01"}))).await.unwrap();
    let refused = cluster.condition("EntitlementInstance", &second, "Accepted", "False", "Duplicate").await;
    assert!(refused["message"].as_str().unwrap().contains(&format!("entitlements/{name}")), "{refused}");
    let seen = cluster.phase(&second, "Rejected").await;
    assert_eq!(seen["status"]["nextTransition"], json!({"at": end, "phase": "Active"}));
    let (_, _, absent) = observe(&cluster, "$", &seconds_from_now(14)).await;
    assert_eq!(absent, 0, "there was a moment without the object");
    cluster.phase(&second, "Active").await;
    cluster.phase("$", "Expired").await;
}

#[tokio::test]
async fn an_amendment_extends_an_end_without_a_rewrite() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let end = seconds_from_now(10);
    cluster.create(grant(&name, &name, &name, json!({"end": end}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let effective = seconds_from_now(6);
    let amendment = json!({"name": "longer", "effective": effective, "end": "2100-01-01"});
    cluster
        .merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"amendments": [amendment]}}))
        .await
        .unwrap();
    let (uids, versions, absent) = observe(&cluster, "$", &seconds_from_now(12)).await;
    assert_eq!((uids.len(), versions.len(), absent), (1, 1, 0), "rewritten or withdrawn");
    let seen = cluster.phase("$", "Active").await;
    assert_eq!(seen["status"]["end"], "2100-01-02T00:00:00Z");
    assert_eq!(seen["status"]["amendments"], json!([{"name": "longer", "state": "Effective"}]));
}

#[tokio::test]
async fn an_amendment_dated_back_brings_an_ended_grant_back_and_a_wrong_one_says_why() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let end = seconds_from_now(2);
    cluster.create(grant(&name, &name, &name, json!({"start": "2020-01-01", "end": end}))).await.unwrap();
    cluster.phase("$", "Expired").await;
    cluster.gone("ConfigMap", "$", "$").await;
    let late = json!({"name": "late", "effective": seconds_from_now(0), "end": "2100-01-01"});
    let patch = json!({"spec": {"amendments": [late]}});
    cluster.merge("EntitlementInstance", "entitlements", "$", patch).await.unwrap();
    let ignored = cluster
        .until("EntitlementInstance", "entitlements", "$", "ignores it", |seen| {
            seen["status"]["amendments"][0]["state"] == "Ignored"
        })
        .await;
    let message = ignored["status"]["amendments"][0]["message"].as_str().unwrap();
    assert!(message.contains("renew the grant instead"), "{message}");
    let back = json!({"name": "back", "effective": "2020-01-02", "end": "2100-01-01"});
    cluster
        .merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"amendments": [late, back]}}))
        .await
        .unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    cluster.phase("$", "Active").await;
}

#[tokio::test]
async fn a_catalogue_edit_reaches_later_grants_only() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"term": "P1Y"}})).await.unwrap();
    cluster.until("EntitlementDefinition", "", "$", "is seen", crate::harness::is_current).await;
    cluster.create(grant(&name, &name, &name, json!({"start": "2096-02-29"}))).await.unwrap();
    let before = cluster.phase("$", "Waiting").await;
    assert_eq!(before["status"]["end"], "2097-02-28T00:00:00Z");
    cluster.merge("EntitlementDefinition", "", "$", json!({"spec": {"term": "P1D"}})).await.unwrap();
    cluster.merge("Organization", "", "$", json!({"spec": {"timeZone": "Asia/Tokyo"}})).await.unwrap();
    cluster.until("EntitlementDefinition", "", "$", "is seen", crate::harness::is_current).await;
    cluster.until("Organization", "", "$", "is seen", crate::harness::is_current).await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"priority": 1}})).await.unwrap();
    let after = cluster.phase("$", "Waiting").await;
    assert_eq!(
        (&after["status"]["start"], &after["status"]["end"]),
        (&before["status"]["start"], &before["status"]["end"])
    );
    assert_eq!(after["status"]["accepted"], before["status"]["accepted"]);
    // Through a Draft it is accepted anew, and takes what the catalogue and the calendar say now.
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Draft"}})).await.unwrap();
    cluster.phase("$", "Draft").await;
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"state": "Active"}})).await.unwrap();
    let anew = cluster.phase("$", "Waiting").await;
    assert_eq!(anew["status"]["start"], "2096-02-28T15:00:00Z");
    assert_eq!(anew["status"]["end"], "2096-02-29T15:00:00Z");
}

#[tokio::test]
async fn a_notice_is_given_once_and_not_where_a_renewal_is_accepted() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let notices = json!({"spec": {"renewalNotices": ["P2D", "PT1H"]}});
    cluster.merge("EntitlementDefinition", "", "$", notices).await.unwrap();
    cluster.until("EntitlementDefinition", "", "$", "is seen", crate::harness::is_current).await;
    let end = seconds_from_now(3602);
    cluster.create(grant(&name, &name, &name, json!({"start": "2020-01-01", "end": end}))).await.unwrap();
    // P2D was missed and is given; PT1H comes two seconds later.
    let seen = cluster
        .until("EntitlementInstance", "entitlements", "$", "has both notices", |seen| {
            seen["status"]["notices"].as_array().is_some_and(|notices| notices.len() == 2)
        })
        .await;
    assert_eq!(seen["status"]["notices"][0]["before"], "P2D");
    assert_eq!(
        seen["status"]["notices"][1],
        json!({"before": "PT1H", "end": end, "at": seen["status"]["notices"][1]["at"]})
    );
    cluster.event("$", "RenewalDue").await;
    let due: Vec<(String, String)> =
        cluster.events("$").await.into_iter().filter(|(reason, _)| reason == "RenewalDue").collect();
    assert!(due.iter().all(|(_, note)| note.contains(&format!("ends at {end}, and nothing renews it"))), "{due:?}");
}

#[tokio::test]
async fn what_others_write_into_a_status_decides_nothing() {
    let cluster = cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({"start": "2020-01-01"}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
    let before = cluster.phase("$", "Active").await;
    let delivered = cluster.get("ConfigMap", "$", "$").await.unwrap();
    let nonsense = json!({
        "observedGeneration": 99, "phase": "Expired", "end": "2020-01-02T00:00:00Z", "facets": {"no-such": {"facet": 1}},
        "accepted": {"timeZone": "Mars/Olympus", "chain": {"name": "x", "uid": "x", "since": "soon", "day": 99}},
    });
    for status in [json!(null), nonsense] {
        let patch = kube::api::Patch::Merge(json!({"status": status}));
        let api = cluster.api("EntitlementInstance", "entitlements");
        api.patch_status(&name, &kube::api::PatchParams::default(), &patch).await.unwrap();
        let after = cluster
            .until("EntitlementInstance", "entitlements", "$", "says again what is so", |seen| {
                seen["status"]["phase"] == "Active" && seen["status"]["accepted"] == before["status"]["accepted"]
            })
            .await;
        assert_eq!(after["status"]["end"], before["status"]["end"]);
        assert_eq!(cluster.get("ConfigMap", "$", "$").await.unwrap(), delivered);
    }
}

#[tokio::test]
async fn what_a_restart_finds_over_an_end_a_grace_a_renewal_and_an_amendment_is_done_once() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator(&[]);
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster
        .apply(
            r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-lots}
spec:
  type: Quantity
  unit: seats
  amount: 5
  allowMultiple: true
  outputs: [{name: config, kind: ConfigMap, items: [{key: amount, template: "{{ instance.amount }}"}]}]
"#,
        )
        .await;
    let lots = format!("{name}-lots");
    for (grace, length) in [("short", "PT1S"), ("long", "P1D")] {
        let definition =
            crate::harness::FEATURE.replace("metadata: {name: $}", &format!("metadata: {{name: $-{grace}}}"));
        cluster.apply(&definition.replace("type: Feature", &format!("type: Feature\n  gracePeriod: {length}"))).await;
    }
    let end = seconds_from_now(20);
    for grace in ["short", "long"] {
        cluster.create(grant(grace, &name, &format!("{name}-{grace}"), json!({"end": end}))).await.unwrap();
        cluster.phase(grace, "Active").await;
    }
    cluster.create(grant("ends", &name, &lots, json!({"end": end}))).await.unwrap();
    cluster.create(grant("renewed", &name, &name, json!({"end": end}))).await.unwrap();
    cluster.phase("renewed", "Active").await;
    cluster.create(grant("renewal", &name, &name, json!({"renews": "renewed", "end": "2100-01-01"}))).await.unwrap();
    let amendment = json!({"name": "more", "effective": end, "amount": 7});
    cluster.create(grant("amended", &name, &lots, json!({"amendments": [amendment]}))).await.unwrap();
    cluster.phase("renewal", "Waiting").await;
    cluster.phase("amended", "Active").await;
    let before = cluster.object("ConfigMap", "$", "$").await;
    tokio::task::spawn_blocking(move || operator.kill()).await.unwrap();
    while seconds_from_now(-2) < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let operator = stage.operator(&[]);
    cluster.phase("ends", "Expired").await;
    cluster.phase("renewed", "Expired").await;
    cluster.phase("short", "Expired").await;
    cluster.phase("long", "Grace").await;
    cluster.gone("ConfigMap", "$", "$-short").await;
    cluster.object("ConfigMap", "$", "$-long").await;
    cluster.phase("renewal", "Active").await;
    cluster.gone("ConfigMap", "$", "$-lots-ends").await;
    cluster.until("ConfigMap", "$", "$-lots-amended", "is amended", |seen| seen["data"]["amount"] == "7").await;
    let after = cluster.object("ConfigMap", "$", "$").await;
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    cluster.event("renewal", "Activated").await;
    cluster.event("long", "GraceStarted").await;
    for grant in ["ends", "renewed", "short"] {
        cluster.event(grant, "Expired").await;
        let expired = cluster.events(grant).await.into_iter().filter(|(reason, _)| reason == "Expired").count();
        assert_eq!(expired, 1, "{grant}");
    }
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

//! A good grant among a thousand bad ones, each bad in one of the ways that there are.

use crate::harness::{Cluster, ORGANIZATION, Stage, alone_among_the_heavy, condition, grant};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{
    ops::Range,
    time::{Duration, Instant},
};

const BAD: usize = 1000;

const DEFINITIONS: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  allowMultiple: true
  facets:
    - name: f
      schema:
        type: object
        properties:
          many: {type: integer, default: 1, maximum: 9999}
          text: {type: string, default: a}
          password: {type: string, writeOnly: true}
  outputs:
    - name: config
      kind: ConfigMap
      items:
        - {key: loop, template: "{% for i in range(facets.f.many) %}{% for j in range(facets.f.many) %}{% endfor %}{% endfor %}"}
        - {key: half, template: "{% for i in range(10) %}{{ facets.f.text }}{% endfor %}"}
        - {key: other-half, template: "{% for i in range(10) %}{{ facets.f.text }}{% endfor %}"}
    - name: credentials
      kind: Secret
      items: [{key: password, template: "{{ facets.f.password | default('') }}"}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-good}
spec:
  type: Feature
  allowMultiple: true
  outputs: [{name: config, kind: ConfigMap, items: [{key: who, template: "{{ organization.displayName }}"}]}]
"#;

/// What is bad about a grant, and the reason of `Ready`.
fn bad(cluster: &Cluster, index: usize) -> (Value, &'static str) {
    let secret = json!([{"facet": "f", "field": "password", "secretKeyRef": {"name": "nowhere", "key": "password"}}]);
    match index % 8 {
        0 => (json!({"facets": {"f": {"many": 100_000}}}), "FacetsInvalid"),
        1 => (json!({"facets": {"f": {"many": 9999}}}), "RenderFailed"),
        2 => (json!({"facets": {"f": {"text": "x".repeat(60_000)}}}), "TooLarge"),
        3 => (json!({"secretFacets": secret}), "SecretNotFound"),
        4 => (json!({"end": "2020-01-01"}), "InvalidTerm"),
        5 => (json!({"renews": format!("{}-nothing", cluster.name)}), "RenewalInvalid"),
        6 => (json!({"amount": 3}), "InvalidAmount"),
        _ => (json!({"facets": {"g": {}}}), "FacetsInvalid"),
    }
}

/// How long it takes until grants with these numbers, made one after the other, have arrived.
async fn good(cluster: &Cluster, numbers: Range<usize>) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in numbers {
        let name = format!("{}-good-{number}", cluster.name);
        let created = Instant::now();
        let definition = format!("{}-good", cluster.name);
        cluster.create(grant(&name, &cluster.name, &definition, json!({}))).await.unwrap();
        cluster.object("ConfigMap", "$", &format!("{0}-good-{0}-good-{number}", cluster.name)).await;
        times.push(created.elapsed());
    }
    times.sort_unstable();
    times
}

#[tokio::test]
async fn a_thousand_bad_grants_do_not_delay_a_good_one() {
    let _alone = alone_among_the_heavy().await;
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let operator = stage.operator_that_logs("info", &[]);
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATION).await;
    cluster.apply(DEFINITIONS).await;
    // The operator has to be ready first.
    good(&cluster, 0..1).await;
    let alone = good(&cluster, 1..6).await[2];
    let make = async |index: usize| {
        let (spec, reason) = bad(&cluster, index);
        let name = format!("{}-bad-{index}", cluster.name);
        cluster.create(grant(&name, &cluster.name, &cluster.name, spec)).await.unwrap();
        (name, reason)
    };
    let started = Instant::now();
    let all_bad = async {
        let all: Vec<_> = stream::iter(0..BAD).map(&make).buffer_unordered(32).collect().await;
        for (name, reason) in all {
            let is_told = |seen: &Value| condition(seen, "Ready")["reason"] == *reason;
            cluster.until("EntitlementInstance", "entitlements", &name, reason, is_told).await;
        }
        started.elapsed()
    };
    let (all_told, amid) = tokio::join!(all_bad, good(&cluster, 6..16));
    let slowest = amid[amid.len() - 1];
    assert!(
        slowest < all_told,
        "one waited {slowest:?} while the bad ones came, of which all were told in {all_told:?}"
    );
    let among = good(&cluster, 16..27).await[5];
    assert!(among < alone + Duration::from_secs(2), "{among:?} among {BAD} bad ones, {alone:?} without them");
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

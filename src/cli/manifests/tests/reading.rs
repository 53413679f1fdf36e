//! From texts to an inventory.

use super::{findings, options, read, read_text};
use crate::offline::{EntitlementKind, Subject};

fn organization(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}{more}}}\nspec: {{namespaces: [ns]}}\n"
    )
}

fn instance(metadata: &str) -> String {
    format!(
        "---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{{metadata}}}\nspec: {{organization: o, definition: d}}\n"
    )
}

#[test]
fn objects_lie_where_kubectl_puts_them() {
    let text =
        instance("name: a") + &instance("name: b, namespace: grants") + &organization("o", ", namespace: ignored");
    let manifests = read_text(&text);
    assert_eq!(findings(&manifests), Vec::<String>::new());
    let subjects: Vec<String> = manifests.documents.keys().map(ToString::to_string).collect();
    assert_eq!(subjects, ["Organization o", "EntitlementInstance default/a", "EntitlementInstance grants/b"]);
    let organization = Subject { kind: EntitlementKind::Organization, namespace: None, name: "o".into() };
    assert_eq!(manifests.documents[&organization].value["metadata"], serde_json::json!({"name": "o"}));
}

#[test]
fn other_kinds_are_counted() {
    let manifests = read_text(
        "{apiVersion: v1, kind: Namespace}\n---\n{apiVersion: apps/v1, kind: Deployment}\n---\n{apiVersion: v1, kind: Namespace}\n",
    );
    let ignored: Vec<(&str, u64)> = manifests.ignored.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(ignored, [("Deployment", 1), ("Namespace", 2)]);
    assert_eq!(findings(&manifests), Vec::<String>::new());
}

#[test]
fn what_is_refused_takes_no_part() {
    let text =
        organization("o", "") + &organization("A", "") + "---\napiVersion: entitlements.dev/v2\nkind: Organization\n";
    let manifests = read_text(&text);
    assert_eq!(manifests.documents.len(), 1);
    assert_eq!(
        findings(&manifests),
        [
            "-:9:18: Organization A: Invalid: metadata.name: \"A\" does not match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9…",
            "-:13:7: Organization without a name: UnknownKind: there is no version entitlements.dev/v2: write entitlements.dev/v1alpha1",
        ]
    );
}

#[test]
fn two_of_a_name_cannot_be_read() {
    let secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: s}}\n";
    let manifests =
        read_text(&(organization("o", "") + secret + &organization("o", "") + secret + &instance("name: o")));
    assert_eq!(
        findings(&manifests),
        [
            "-:11:18: Organization o: Twice: it is there twice, also in -:4:18: remove or rename one of the two",
            "-:14:49: Secret default/s: Twice: it is there twice, also in -:7:49: remove or rename one of the two",
        ]
    );
}

#[test]
fn what_is_no_object_is_ignored_in_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, "replicas: 1\n").unwrap();
    let read = |path: &std::path::Path| read(&[path.to_owned()], &mut std::io::empty(), &options()).unwrap();
    let found = read(folder.path());
    assert_eq!(
        found.ignored.into_iter().collect::<Vec<_>>(),
        [("document that is no object of Kubernetes".to_owned(), 1)]
    );
    assert!(found.findings.is_empty());
    let problem = format!("{}:1:1: it is no object of Kubernetes: apiVersion or kind is missing", file.display());
    assert_eq!(findings(&read(&file)), [problem]);
}

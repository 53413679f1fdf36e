//! The admission webhook, as kubectl's users meet it.

use crate::{
    documentation,
    harness::{Cluster, DEADLINE, FEATURE, Operator, Stage, grant, seconds_from_now},
    wait::eventually,
};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    sync::LazyLock,
    thread,
};

pub const REGISTRATION: [&str; 2] = ["validatingwebhookconfiguration", "entitlement-operator"];
pub const SECRET: [&str; 3] = ["secret", "entitlement-operator-webhook", "--namespace=entitlement-operator"];

/// With an operator and its webhook. It ends with the test program.
static SHARED: LazyLock<Stage> = LazyLock::new(|| {
    let stage = Stage::start();
    let port = free_port();
    start(&stage, port, port, &[]).leave_running();
    serving(&stage);
    stage
});

pub async fn shared() -> (&'static Stage, Cluster) {
    let stage = tokio::task::spawn_blocking(|| &*SHARED).await.unwrap();
    (stage, stage.cluster().await)
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An operator that listens on one port, and is called on another.
pub fn start(stage: &Stage, listens: u16, called: u16, more: &[&str]) -> Operator {
    let address = format!("--webhook-address=127.0.0.1:{listens}");
    let url = format!("--webhook-url=https://127.0.0.1:{called}");
    stage.operator(&[&[address.as_str(), url.as_str()], more].concat())
}

/// What kubectl says on both its outputs, and whether it was content.
pub fn kubectl(stage: &Stage, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = stage.plane.kubectl();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn apply(stage: &Stage, input: &str) -> (bool, String) {
    kubectl(stage, &["apply", "--filename=-"], input)
}

#[track_caller]
pub fn applied(stage: &Stage, input: &str) -> String {
    let (is_content, said) = apply(stage, input);
    assert!(is_content, "{said}");
    said
}

#[track_caller]
pub fn refused(stage: &Stage, arguments: &[&str], input: &str) -> String {
    let (is_content, said) = kubectl(stage, arguments, input);
    assert!(!is_content, "it should have been refused: {said}");
    let (_, said) =
        said.split_once(r#"admission webhook "validate.entitlements.dev" denied the request: "#).expect(&said);
    said.trim().to_owned()
}

const NONSENSE: &str = "{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementInstance, metadata: {name: nonsense, namespace: entitlements}, spec: {organization: nobody, definition: nothing}}";

/// Waits until the webhook is asked and answers.
pub fn serving(stage: &Stage) {
    eventually(DEADLINE, "the webhook refuses nonsense", || {
        let (is_content, said) = kubectl(stage, &["apply", "--dry-run=server", "--filename=-"], NONSENSE);
        if !is_content && said.contains("denied the request: OrganizationNotFound") { Ok(()) } else { Err(said) }
    });
}

/// Its own stage, with one operator.
fn own() -> (Stage, Operator, u16) {
    let stage = Stage::start();
    let port = free_port();
    let operator = start(&stage, port, port, &[]);
    serving(&stage);
    (stage, operator, port)
}

pub fn get(stage: &Stage, what: &[&str]) -> Value {
    serde_json::from_str(&stage.kubectl(&[&["get", "--output=json"], what].concat())).unwrap()
}

/// No Service leads to an operator outside the cluster: its registration names a URL instead.
pub fn by_url(stage: &Stage, port: u16) {
    let config = json!({"url": format!("https://127.0.0.1:{port}")});
    let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig", "value": config}]).to_string();
    stage.kubectl(&["patch", REGISTRATION[0], REGISTRATION[1], "--type=json", "--patch", &patch]);
}

fn instance(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementInstance, metadata: {{name: {name}, namespace: entitlements}}, spec: {{{spec}}}}}"
    )
}

#[test]
fn the_documentation() {
    documentation::follow(&SHARED, "docs/webhook.md");
}

#[test]
fn what_a_catalogue_edit_does_to_running_grants() {
    documentation::follow(&SHARED, "docs/catalogue-edits.md");
}

#[test]
fn more_for_a_while() {
    documentation::follow(&SHARED, "docs/more-for-a-while.md");
}

const ALL: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: $}
---
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec: {schema: {type: object, properties: {size: {type: integer, default: 1}}}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec: {type: Feature, facets: [{name: f, definition: $}]}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {namespaces: [$]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $, namespace: entitlements}
spec: {organization: $, definition: $, end: '2198-12-31', facets: {f: {size: 2}}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $-again, namespace: entitlements}
spec: {organization: $, definition: $, renews: $, facets: {f: {size: 2}}}
";

#[tokio::test]
async fn what_belongs_together_is_applied_together() {
    let (stage, cluster) = shared().await;
    let names: Vec<String> = (0..10).map(|number| format!("{}-{number}", cluster.name)).collect();
    let all: Vec<String> = names.iter().map(|name| ALL.replace('$', name)).collect();
    let said = applied(stage, &all.join("---"));
    assert!(!said.contains("Warning"), "{said}");
    for name in &names {
        cluster.phase(name, "Active").await;
        cluster.phase(&format!("{name}-again"), "Waiting").await;
    }
}

#[tokio::test]
async fn what_is_sent_at_once_is_no_obstacle_to_each_other() {
    let (_, cluster) = shared().await;
    let name = &cluster.name;
    let all = serde_saphyr::from_multiple::<Value>(&ALL.replace('$', name)).unwrap();
    // Each of these needs those behind it.
    let requests = all.into_iter().take(5).rev().map(|object| cluster.create(object));
    for made in futures::future::join_all(requests).await {
        made.unwrap();
    }
    cluster.phase("$", "Active").await;
}

/// A definition with a facet, and one whose facet definition will go.
const CATALOGUE: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-open}
spec: {type: Feature, facets: [{name: f, schema: {type: object, properties: {size: {type: integer}}}}]}
---
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec: {schema: {type: object}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-broken}
spec: {type: Feature, facets: [{name: f, definition: $}]}
";

#[tokio::test]
async fn what_the_controller_would_reject_is_refused_at_apply() {
    let (stage, cluster) = shared().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    cluster.apply(CATALOGUE).await;
    cluster.condition("EntitlementDefinition", "$-broken", "Ready", "True", "Valid").await;
    stage.kubectl(&["delete", "facet", &name]);
    cluster.condition("EntitlementDefinition", "$-broken", "Ready", "False", "FacetNotFound").await;
    let definition =
        "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: $-x}\nspec: ";
    let template =
        r#"{type: Feature, outputs: [{name: o, kind: ConfigMap, items: [{key: k, template: "{{ a b }}"}]}]}"#;
    let refusals = [
        (instance("$-a", "organization: $, definition: $"), "Duplicate: organization $ holds $ already by entitlements/$: "),
        (instance("$-a", "organization: nobody, definition: $"), "OrganizationNotFound: there is no organization nobody: "),
        (instance("$-a", "organization: $, definition: nothing"), "DefinitionNotFound: there is no definition nothing: "),
        (instance("$-a", "organization: $, definition: $, amount: 3"), "InvalidAmount: $ is a Feature, which is on or off: "),
        (instance("$-a", "organization: $, definition: $, start: '2027-02-30'"), "InvalidTerm: "),
        (instance("$-a", "organization: $, definition: $, renews: nothing"), "RenewalInvalid: there is no instance nothing "),
        (instance("$-a", "organization: $, definition: $-open, facets: {f: {size: big}}"), "FacetsInvalid: "),
        (instance("$-a", "organization: $, definition: $-open, facets: {g: {}}"), "FacetsInvalid: "),
        (instance("$-a", "organization: $, definition: $-open").replace("namespace: entitlements", "namespace: $"), "NamespaceNotAllowed: "),
        (instance("$-a", "organization: $, definition: $-broken"), "DefinitionNotReady: "),
        (format!("{definition}{template}"), "InvalidTemplate: output o, k: "),
        (format!("{definition}{{type: Feature, facets: [{{name: f, definition: nothing}}]}}"), "FacetNotFound: facet f: "),
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: FacetDefinition, metadata: {name: $}, spec: {schema: {type: string}}}".to_owned(),
            "InvalidSchema: ",
        ),
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $-x}, spec: {namespaces: [$]}}".to_owned(),
            "NamespaceTaken: namespace $ belongs to the older organization $: ",
        ),
        (
            "{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $-x}, spec: {namespaces: [$-x], timeZone: Mars/Olympus}}".to_owned(),
            "InvalidTimeZone: ",
        ),
    ];
    thread::scope(|scope| {
        for (manifest, reason) in
            refusals.map(|(manifest, reason)| (manifest.replace('$', &name), reason.replace('$', &name)))
        {
            scope.spawn(move || {
                let said = refused(stage, &["apply", "--filename=-"], &manifest);
                assert!(said.starts_with(&reason), "{manifest}: {said}");
            });
        }
    });
}

#[tokio::test]
async fn kubectl_shows_the_warnings() {
    let (stage, cluster) = shared().await;
    let name = cluster.name.clone();
    let organization = "{apiVersion: entitlements.dev/v1alpha1, kind: Organization, metadata: {name: $}, spec: {namespaces: [$-none]}}";
    let said = applied(stage, &organization.replace('$', &name));
    assert!(said.contains(&format!("Warning: namespace {name}-none does not exist or is terminating: ")), "{said}");
    cluster.apply(FEATURE).await;
    let manifest =
        instance("$", "organization: $, definition: $, start: '2020-01-01', end: '2020-12-31'").replace('$', &name);
    let said = applied(stage, &manifest);
    assert!(said.contains("Warning: it ended at 2021-01-01T00:00:00Z already, so nothing is delivered"), "{said}");
    let preset = "{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementDefinition, metadata: {name: $-x}, spec: {type: Feature, \
        facets: [{name: f, schema: {type: object, properties: {a: {type: integer}, b: {type: integer}}}, values: {b: 1}}], \
        outputs: [{name: o, kind: ConfigMap, items: [{key: k, template: '{{ facets.f.a }}'}]}]}}";
    let said = applied(stage, &preset.replace('$', &name));
    assert!(said.contains("Warning: facets.f.b is preset, and no output shows it: only the summary does"), "{said}");
}

#[tokio::test]
async fn a_dry_run_is_judged_and_leaves_nothing() {
    let (stage, cluster) = shared().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let dry = ["apply", "--dry-run=server", "--filename=-"];
    let good = instance("$", "organization: $, definition: $").replace('$', &name);
    let (is_content, said) = kubectl(stage, &dry, &good);
    assert!(is_content, "{said}");
    let bad = instance("$", "organization: $, definition: $, amount: 1").replace('$', &name);
    assert!(refused(stage, &dry, &bad).starts_with("InvalidAmount: "));
    assert_eq!(cluster.get("EntitlementInstance", "entitlements", "$").await, None);
    // Nothing of it was remembered either.
    applied(stage, &good);
    cluster.phase("$", "Active").await;
}

#[tokio::test]
async fn what_live_grants_depend_on_is_not_deleted() {
    let (stage, cluster) = shared().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let facet = "{apiVersion: entitlements.dev/v1alpha1, kind: FacetDefinition, metadata: {name: $}, spec: {schema: {type: object}}}";
    applied(stage, &facet.replace('$', &name));
    cluster
        .merge("EntitlementDefinition", "", "$", json!({"spec": {"facets": [{"name": "f", "definition": name}]}}))
        .await
        .unwrap();
    cluster.create(grant(&name, &name, &name, json!({"end": seconds_from_now(3600)}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let renewal = format!("{name}-again");
    cluster.create(grant(&renewal, &name, &name, json!({"renews": name}))).await.unwrap();
    cluster.phase(&renewal, "Waiting").await;
    for (kind, message) in [
        ("edef", format!("InUse: definition {name} is still held, by 2 grants, such as entitlements/{name}")),
        (
            "facet",
            format!("InUse: facet definition {name} is used by the definition {name}, of which there are grants"),
        ),
        ("ent", format!("InUse: entitlements/{name} is renewed by entitlements/{renewal}, which counts from ")),
    ] {
        let said = refused(stage, &["delete", kind, &name, "--namespace=entitlements"], "");
        assert!(said.starts_with(&message), "{said}");
    }
    for instance in [renewal.as_str(), name.as_str()] {
        stage.kubectl(&["delete", "ent", instance, "--namespace=entitlements"]);
    }
    stage.kubectl(&["delete", "edef", &name]);
    stage.kubectl(&["delete", "facet", &name]);
}

#[tokio::test]
async fn a_namespace_goes_with_its_grants() {
    let (stage, cluster) = shared().await;
    let name = cluster.name.clone();
    let sales = format!("{name}-sales");
    stage.kubectl(&["create", "namespace", &sales]);
    cluster.feature().await;
    cluster.merge("Organization", "", "$", json!({"spec": {"assignableFrom": [sales]}})).await.unwrap();
    for (instance, spec) in [("first", json!({"end": seconds_from_now(3600)})), ("again", json!({"renews": "first"}))] {
        let mut object = grant(instance, &name, &name, spec);
        object["metadata"]["namespace"] = json!(sales);
        cluster.create(object).await.unwrap();
        let what = "is accepted";
        cluster
            .until("EntitlementInstance", &sales, instance, what, |seen| !seen["status"]["accepted"].is_null())
            .await;
    }
    assert!(refused(stage, &["delete", "ent", "first", "--namespace", &sales], "").starts_with("InUse: "));
    stage.kubectl(&["delete", "namespace", &sales, "--timeout=60s"]);
}

#[tokio::test]
async fn without_the_operator_everything_passes_and_is_settled_later_in_the_same_words() {
    let (stage, operator, port) = tokio::task::spawn_blocking(own).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    let nobody = instance("nobody", "organization: nobody, definition: nothing");
    let said = refused(&stage, &["apply", "--filename=-"], &nobody);
    let certificate = (get(&stage, &SECRET), get(&stage, &REGISTRATION));
    operator.stop();
    assert!(!applied(&stage, &nobody).contains("Warning"));
    // Two that exclude each other, at the same instant.
    let twin = |instance: &str| {
        let mut twin = grant(instance, &name, &name, json!({}));
        twin["metadata"]["annotations"] = json!({"entitlements.dev/granted-at": "2026-01-01T00:00:00Z"});
        cluster.create(twin)
    };
    let (one, other) = futures::join!(twin("one"), twin("other"));
    let uid = |made: Result<Value, String>| made.unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let (winner, loser) = if uid(one) < uid(other) { ("one", "other") } else { ("other", "one") };

    let restarted = start(&stage, port, port, &[]);
    let accepted =
        cluster.condition("EntitlementInstance", "nobody", "Accepted", "False", "OrganizationNotFound").await;
    assert_eq!(said, format!("OrganizationNotFound: {}", accepted["message"].as_str().unwrap()));
    cluster.phase(winner, "Active").await;
    let duplicate = cluster.condition("EntitlementInstance", loser, "Accepted", "False", "Duplicate").await;
    serving(&stage);
    // It has its certificate from before.
    assert_eq!((get(&stage, &SECRET), get(&stage, &REGISTRATION)), certificate);
    let third = instance("third", "organization: $, definition: $").replace('$', &name);
    assert_eq!(
        refused(&stage, &["apply", "--filename=-"], &third),
        format!("Duplicate: {}", duplicate["message"].as_str().unwrap())
    );
    // Tools that apply everything in any order can be let through.
    let manifest = instance("early", "organization: $, definition: later").replace('$', &name);
    assert!(refused(&stage, &["apply", "--filename=-"], &manifest).starts_with("DefinitionNotFound: "));
    restarted.stop();
    let _operator = start(&stage, port, port, &["--webhook-allow-missing"]);
    let warning = "Warning: DefinitionNotFound: there is no definition later: ";
    eventually(DEADLINE, "what is missing is warned of", || {
        let said = kubectl(&stage, &["apply", "--dry-run=server", "--filename=-"], &manifest).1;
        if said.contains(warning) { Ok(()) } else { Err(said) }
    });
    assert!(refused(&stage, &["apply", "--filename=-"], &third).starts_with("Duplicate: "));
    // What is refused already is not kept from anything else.
    stage.kubectl(&["label", "ent", "nobody", "--namespace=entitlements", "team=red"]);
    stage.kubectl(&["delete", "ent", "nobody", loser, "--namespace=entitlements"]);
}

/// A plan is judged by what it names, and kept as long as another one includes it.
#[tokio::test]
async fn plans_are_judged_by_what_they_name_and_by_who_names_them() {
    let (stage, cluster) = shared().await;
    let name = &cluster.name;
    let plan = |which: &str, spec: Value| {
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementPlan",
            "metadata": {"name": format!("{name}-{which}")}, "spec": spec,
        })
        .to_string()
    };
    let gives = |entitlement: Value| json!({"groups": [{"name": "base", "entitlements": [entitlement]}]});
    let definition = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": name},
        "spec": {"type": "Feature"},
    });
    applied(stage, &definition.to_string());
    let apply = ["apply", "--filename=-"];
    let said = refused(stage, &apply, &plan("pro", json!({"includes": [format!("{name}-basic")]})));
    let expected = format!("IncludeNotFound: there is no plan {name}-basic: make it, or take it out of includes");
    assert_eq!(said, expected);
    let said = refused(stage, &apply, &plan("basic", gives(json!({"definition": name, "amount": 1}))));
    assert_eq!(said, format!("InvalidAmount: {name}: it is a Feature, which is on or off: remove amount"));
    applied(stage, &plan("basic", gives(json!({"definition": name}))));
    applied(stage, &plan("pro", json!({"includes": [format!("{name}-basic")]})));
    let basic = format!("{name}-basic");
    let said = refused(stage, &["delete", "eplan", &basic], "");
    assert_eq!(
        said,
        format!("InUse: plan {basic} is included by the plan {name}-pro: take it out of what includes it first")
    );
    let said = refused(stage, &apply, &plan("basic", json!({"includes": [format!("{name}-pro")]})));
    assert!(said.starts_with(&format!("IncludeCycle: {basic} includes {name}-pro, which includes {basic}")), "{said}");
    let (is_content, said) = kubectl(stage, &["delete", "edef", name], "");
    let warning = format!("Warning: this breaks 2 plans, such as {basic}: DefinitionNotFound: ");
    assert!(is_content && said.contains(&warning), "{said}");
    stage.kubectl(&["delete", "eplan", &format!("{name}-pro"), &basic]);
}

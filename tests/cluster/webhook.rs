//! The admission webhook, as kubectl's users meet it.

use crate::{
    harness::{Cluster, DEADLINE, FEATURE, ORGANIZATION, Operator, Stage, grant, seconds_from_now},
    wait::eventually,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Stdio,
    sync::{Arc, LazyLock},
};

const REGISTRATION: [&str; 2] = ["validatingwebhookconfiguration", "entitlement-operator"];
const SECRET: [&str; 3] = ["secret", "entitlement-operator-webhook", "--namespace=entitlement-operator"];

/// With an operator and its webhook. It ends with the test program.
static SHARED: LazyLock<Stage> = LazyLock::new(|| {
    let stage = Stage::start();
    let port = free_port();
    start(&stage, port, port, &[]).leave_running();
    serving(&stage);
    stage
});

async fn shared() -> (&'static Stage, Cluster) {
    let stage = tokio::task::spawn_blocking(|| &*SHARED).await.unwrap();
    (stage, stage.cluster().await)
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An operator that listens on one port, and is called on another.
fn start(stage: &Stage, listens: u16, called: u16, more: &[&str]) -> Operator {
    let address = format!("--webhook-address=127.0.0.1:{listens}");
    let url = format!("--webhook-url=https://127.0.0.1:{called}");
    stage.operator(&[&[address.as_str(), url.as_str()], more].concat())
}

/// What kubectl says on both its outputs, and whether it was content.
fn kubectl(stage: &Stage, arguments: &[&str], input: &str) -> (bool, String) {
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
fn applied(stage: &Stage, input: &str) -> String {
    let (is_content, said) = apply(stage, input);
    assert!(is_content, "{said}");
    said
}

#[track_caller]
fn refused(stage: &Stage, arguments: &[&str], input: &str) -> String {
    let (is_content, said) = kubectl(stage, arguments, input);
    assert!(!is_content, "it should have been refused: {said}");
    let (_, said) =
        said.split_once(r#"admission webhook "validate.entitlements.dev" denied the request: "#).expect(&said);
    said.trim().to_owned()
}

const NONSENSE: &str = "{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementInstance, metadata: {name: nonsense, namespace: entitlements}, spec: {organization: nobody, definition: nothing}}";

/// Waits until the webhook is asked and answers.
fn serving(stage: &Stage) {
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

fn get(stage: &Stage, what: &[&str]) -> Value {
    serde_json::from_str(&stage.kubectl(&[&["get", "--output=json"], what].concat())).unwrap()
}

fn instance(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: entitlements.dev/v1alpha1, kind: EntitlementInstance, metadata: {{name: {name}, namespace: entitlements}}, spec: {{{spec}}}}}"
    )
}

#[tokio::test]
async fn what_belongs_together_is_applied_together() {
    let (stage, cluster) = shared().await;
    let name = &cluster.name;
    let all = format!("{ORGANIZATION}\n---\n{FEATURE}\n---\n{}", instance("$", "organization: $, definition: $"))
        .replace('$', name);
    let said = applied(stage, &all);
    assert!(!said.contains("Warning"), "{said}");
    cluster.phase("$", "Active").await;
}

#[tokio::test]
async fn what_the_controller_would_reject_is_refused_at_apply() {
    let (stage, cluster) = shared().await;
    cluster.feature().await;
    let name = cluster.name.clone();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let definition =
        "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: $-x}\nspec: ";
    let template =
        r#"{type: Feature, outputs: [{name: o, kind: ConfigMap, items: [{key: k, template: "{{ a b }}"}]}]}"#;
    for (manifest, reason) in [
        (instance("$-a", "organization: $, definition: $"), "Duplicate: organization $ holds $ already by entitlements/$: "),
        (instance("$-a", "organization: nobody, definition: $"), "OrganizationNotFound: there is no organization nobody: "),
        (instance("$-a", "organization: $, definition: nothing"), "DefinitionNotFound: there is no definition nothing: "),
        (instance("$-a", "organization: $, definition: $, amount: 3"), "InvalidAmount: $ is a Feature, which is on or off: "),
        (instance("$-a", "organization: $, definition: $, start: '2027-02-30'"), "InvalidTerm: "),
        (instance("$-a", "organization: $, definition: $, renews: nothing"), "RenewalInvalid: there is no instance nothing "),
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
    ] {
        let said = refused(stage, &["apply", "--filename=-"], &manifest.replace('$', &name));
        assert!(said.starts_with(&reason.replace('$', &name)), "{manifest}: {said}");
    }
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
async fn without_the_operator_everything_passes_and_is_refused_later_in_the_same_words() {
    let (stage, operator, port) = tokio::task::spawn_blocking(own).await.unwrap();
    let cluster = stage.cluster().await;
    let name = cluster.name.clone();
    let manifest = instance(&name, "organization: nobody, definition: nothing");
    let said = refused(&stage, &["apply", "--filename=-"], &manifest);
    operator.stop();
    assert!(!applied(&stage, &manifest).contains("Warning"));

    let _operator = start(&stage, port, port, &[]);
    let accepted = cluster.condition("EntitlementInstance", "$", "Accepted", "False", "OrganizationNotFound").await;
    assert_eq!(said, format!("OrganizationNotFound: {}", accepted["message"].as_str().unwrap()));
    // What is refused already is not kept from anything else.
    serving(&stage);
    stage.kubectl(&["label", "ent", &name, "--namespace=entitlements", "team=red"]);
    stage.kubectl(&["delete", "ent", &name, "--namespace=entitlements"]);
}

/// The certificate that is served on a port, which an authority of the bundle must have signed.
fn served(port: u16, bundle: &[u8]) -> Result<Vec<u8>, String> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle) {
        roots.add(authority.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    Stream::new(&mut connection, &mut socket).flush().map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| error.to_string())?;
    }
    Ok(connection.peer_certificates().unwrap()[0].to_vec())
}

fn bundle(registration: &Value) -> Vec<u8> {
    let text = registration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    STANDARD.decode(text).unwrap()
}

#[test]
fn replicas_share_one_certificate() {
    let stage = Stage::start();
    let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let _operators: Vec<Operator> = ports.iter().map(|port| start(&stage, *port, ports[0], &[])).collect();
    serving(&stage);
    let authorities = bundle(&get(&stage, &REGISTRATION));
    let certificates: Vec<Vec<u8>> =
        ports.iter().map(|port| eventually(DEADLINE, "a replica serves", || served(*port, &authorities))).collect();
    assert!(certificates.windows(2).all(|pair| pair[0] == pair[1]));
    let secret = get(&stage, &SECRET);
    assert_eq!(secret["type"], "kubernetes.io/tls");
    assert_eq!(secret["data"]["ca.crt"], STANDARD.encode(&authorities));
    assert_eq!(CertificateDer::pem_slice_iter(&authorities).count(), 1);
}

#[test]
fn a_restart_finds_the_certificate_again() {
    let (stage, operator, port) = own();
    let before = (get(&stage, &SECRET), get(&stage, &REGISTRATION));
    operator.kill();
    let _operator = start(&stage, port, port, &[]);
    serving(&stage);
    assert_eq!((get(&stage, &SECRET), get(&stage, &REGISTRATION)), before);
}

#[test]
fn what_is_damaged_is_mended() {
    let (stage, _operator, port) = own();
    let before = bundle(&get(&stage, &REGISTRATION));
    stage.kubectl(
        &[&["patch"], &SECRET[..], &["--type=merge", r#"--patch={"data": {"tls.crt": "Z2FyYmFnZQ=="}}"#]].concat(),
    );
    let after = eventually(DEADLINE, "there is another certificate", || {
        let secret = get(&stage, &SECRET);
        let authorities = STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap();
        if authorities == before { Err("the one before".to_owned()) } else { Ok(authorities) }
    });
    // The authority that others may still be trusted by stays.
    assert!(after.ends_with(&before));
    eventually(DEADLINE, "the new one is served", || served(port, after.strip_suffix(&before[..]).unwrap()));
    assert_eq!(bundle(&get(&stage, &REGISTRATION)), after);
    serving(&stage);

    let drift = r#"--patch=[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}]"#;
    stage.kubectl(&[&["patch"], &REGISTRATION[..], &["--type=json", drift]].concat());
    eventually(DEADLINE, "the authorities are back", || {
        let found = bundle(&get(&stage, &REGISTRATION));
        if found == after { Ok(()) } else { Err(format!("{} bytes", found.len())) }
    });
    serving(&stage);
}

#[test]
fn an_installed_registration_is_filled_in_and_otherwise_left_as_it_is() {
    let stage = Stage::start();
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}/validate");
    let installed = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "mine", "labels": {"app": "chart"}},
        "webhooks": [{
            "name": "validate.entitlements.dev",
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url},
            "failurePolicy": "Ignore",
            "sideEffects": "None",
            "timeoutSeconds": 2,
            "rules": [{
                "apiGroups": ["entitlements.dev"], "apiVersions": ["v1alpha1"],
                "operations": ["CREATE"], "resources": ["entitlementinstances"],
            }],
        }],
    });
    applied(&stage, &installed.to_string());
    let before = get(&stage, &["validatingwebhookconfiguration", "mine"]);
    let _operator = start(&stage, port, port, &["--webhook-register=false", "--webhook-configuration=mine"]);
    serving(&stage);
    let mut after = get(&stage, &["validatingwebhookconfiguration", "mine"]);
    assert!(!bundle(&after).is_empty());
    after["webhooks"][0]["clientConfig"].as_object_mut().unwrap().remove("caBundle");
    assert_eq!(after["webhooks"], before["webhooks"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    let (_, missing) = kubectl(&stage, &[&["get"], &REGISTRATION[..]].concat(), "");
    assert!(missing.contains("NotFound"), "{missing}");
}

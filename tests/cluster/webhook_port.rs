//! What whoever reaches the webhook's port can do: nothing that harms, and nothing that tells of others.

use crate::{
    harness::{DEADLINE, Operator, Stage, grant},
    plane::PlaneOptions,
    wait::eventually,
    webhook::{REGISTRATION, applied, free_port, get, kubectl, serving, start},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A connection to a port, by someone with a certificate or without one.
fn connect(stage: &Stage, port: u16, certificate: Option<&(String, String)>) -> Result<Connection, String> {
    let bundle = get(stage, &REGISTRATION)["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap().to_owned();
    connect_with(&STANDARD.decode(bundle).unwrap(), port, certificate)
}

fn connect_with(bundle: &[u8], port: u16, certificate: Option<&(String, String)>) -> Result<Connection, String> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle) {
        roots.add(authority.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match certificate {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    Ok(StreamOwned::new(connection, socket))
}

/// The status and the body of the answer to a review.
fn post(mut connection: Connection, path: &str, body: &[u8]) -> Result<(u16, String), String> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: webhook\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let sent = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
    let mut answer = Vec::new();
    // Who is not listened to any more may be told why nevertheless.
    let read = connection.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Err(format!("{sent:?} {read:?} {answer}")) };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, body.to_owned()))
}

fn review(plural: &str, operation: &str, object: &Value, old_object: &Value) -> Vec<u8> {
    let one = if object.is_null() { old_object } else { object };
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u",
            "kind": {"group": "entitlements.dev", "version": "v1alpha1", "kind": one["kind"]},
            "resource": {"group": "entitlements.dev", "version": "v1alpha1", "resource": plural},
            "name": one["metadata"]["name"],
            "namespace": one["metadata"]["namespace"],
            "operation": operation,
            "userInfo": {},
            "object": object,
            "oldObject": old_object,
        },
    })
    .to_string()
    .into_bytes()
}

/// A stage with an operator and its webhook's port.
fn own(files: u32) -> (Stage, Operator, u16) {
    let stage = Stage::start();
    let port = free_port();
    let address = format!("--webhook-address=127.0.0.1:{port}");
    let operator = stage.operator_with_files(files, &[&address, &format!("--webhook-url=https://127.0.0.1:{port}")]);
    serving(&stage);
    (stage, operator, port)
}

const PROTECTED: &str = "
apiVersion: v1
kind: Secret
metadata: {name: $, namespace: entitlements}
stringData: {password: correct horse bat}
---
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec: {schema: {type: object, properties: {password: {type: string, writeOnly: true}, size: {type: integer, default: 77}}}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-protected}
spec:
  type: Feature
  facets: [{name: db, definition: $}]
  outputs: [{name: o, kind: Secret, items: [{key: env, format: Env}]}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: $-protected, namespace: entitlements}
spec:
  organization: $
  definition: $-protected
  secretFacets: [{facet: db, field: password, secretKeyRef: {name: $, key: password}}]
";

fn facet(name: &str, password: &Value) -> Value {
    let mut field = json!({"type": "string", "writeOnly": true});
    field.as_object_mut().unwrap().extend(password.as_object().unwrap().clone());
    let schema =
        json!({"type": "object", "properties": {"password": field, "size": {"type": "integer", "default": 77}}});
    json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "FacetDefinition",
        "metadata": {"name": name}, "spec": {"schema": schema},
    })
}

/// Pairs of which the first would be right for the value and the second would not.
fn guesses() -> [[Value; 2]; 3] {
    [
        [json!({"pattern": "^c"}), json!({"pattern": "^d"})],
        [json!({"minLength": 17}), json!({"minLength": 18})],
        [json!({"maxLength": 17}), json!({"maxLength": 16})],
    ]
}

#[tokio::test]
async fn whoever_reaches_the_port_learns_nothing() {
    let (stage, _operator, port) = tokio::task::spawn_blocking(|| own(1024)).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.feature().await;
    cluster.apply(PROTECTED).await;
    cluster.object("Secret", "$", &format!("{}-protected", cluster.name)).await;
    let name = cluster.name.clone();
    let ask = |plural: &str, operation: &str, object: &Value, old_object: &Value| {
        let body = review(plural, operation, object, old_object);
        post(connect(&stage, port, None).unwrap(), "/validate", &body).unwrap()
    };

    // No value of a secret field, neither by the port ...
    let before = facet(&name, &json!({}));
    let before_definition = cluster.get("EntitlementDefinition", "", "$-protected").await.unwrap();
    for [right, wrong] in guesses() {
        let asked = |guess: &Value| ask("facetdefinitions", "UPDATE", &facet(&name, guess), &before);
        assert_eq!(asked(&right), asked(&wrong).clone(), "{right}");
        let inline = |guess: &Value| {
            let mut definition = before_definition.clone();
            let schema = facet(&name, guess)["spec"]["schema"].take();
            definition["spec"]["facets"] = json!([{"name": "db", "schema": schema}]);
            ask("entitlementdefinitions", "UPDATE", &definition, &before_definition)
        };
        assert_eq!(inline(&right), inline(&wrong), "{right}");
        // ... nor by a dry run of whoever edits the catalogue.
        let dry = |guess: &Value| {
            kubectl(&stage, &["apply", "--dry-run=server", "--filename=-"], &facet(&name, guess).to_string())
        };
        let (one, other) = (dry(&right), dry(&wrong));
        let hide = |said: &str| said.replace("^d", "^c").replace(": 18", ": 17").replace(": 16", ": 17");
        assert_eq!((one.0, hide(&one.1)), (other.0, hide(&other.1)), "{right}");
    }

    // Nor anything of others: who holds what, which names there are, what is stated.
    let instance = |spec: Value| grant("mine", &name, &name, spec);
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.phase("$", "Active").await;
    let organization = |spec: Value| json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "mine"}, "spec": spec});
    let stored = cluster.get("Organization", "", "$").await.unwrap();
    let mut bad = facet(&name, &json!({}));
    bad["spec"]["schema"]["properties"]["size"] = json!({"type": "string"});
    let mut nobody = instance(json!({}));
    nobody["spec"]["organization"] = json!("nobody");
    for (plural, operation, object, old_object) in [
        ("entitlementinstances", "CREATE", instance(json!({})), Value::Null),
        ("entitlementinstances", "CREATE", nobody, Value::Null),
        (
            "entitlementinstances",
            "DELETE",
            Value::Null,
            cluster.get("EntitlementInstance", "entitlements", "$").await.unwrap(),
        ),
        ("organizations", "CREATE", organization(json!({"namespaces": [name]})), Value::Null),
        ("organizations", "DELETE", Value::Null, stored),
        ("entitlementdefinitions", "DELETE", Value::Null, before_definition.clone()),
        ("facetdefinitions", "UPDATE", bad, before.clone()),
        ("facetdefinitions", "DELETE", Value::Null, before.clone()),
    ] {
        let (status, said) = ask(plural, operation, &object, &old_object);
        let response = serde_json::from_str::<Value>(&said).unwrap()["response"].take();
        assert_eq!((status, &response["allowed"]), (200, &json!(true)), "{plural} {operation}: {said}");
        let warnings = response["warnings"].as_array().unwrap();
        assert!(warnings.len() == 1 && said.contains("by itself alone"), "{plural} {operation}: {said}");
    }
    // Whoever guesses at the path that the API server comes by is not listened to.
    let body = review("organizations", "CREATE", &organization(json!({"namespaces": ["a"]})), &Value::Null);
    let guessed = post(connect(&stage, port, None).unwrap(), "/validate/0123456789abcdef0123456789abcdef", &body);
    assert_eq!(guessed.unwrap().0, 404);
    // Users of the API server are told what helps them.
    let (is_content, said) = kubectl(&stage, &["apply", "--filename=-"], &instance(json!({})).to_string());
    assert!(!is_content && said.contains(&format!("holds {name} already by entitlements/{name}")), "{said}");
}

/// The most memory that a process has had, in MiB.
fn most_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() >> 10
}

fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[tokio::test]
async fn idle_and_slow_connections_hold_up_nobody() {
    let (stage, operator, port) = tokio::task::spawn_blocking(|| own(512)).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let process = operator.process();
    let idle: Vec<TcpStream> = (0..2000).map(|_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()).collect();
    let begun = Instant::now();
    // Heads and bodies that do not come to their end, a byte now and then.
    let slow = [
        "POST /validate HTTP/1.1\r\nHost: w\r\nX: ",
        "POST /validate HTTP/1.1\r\nHost: w\r\nContent-Length: 3000000\r\n\r\n",
    ];
    let slow: Vec<_> = (0..20)
        .map(|number| {
            let mut connection = connect(&stage, port, None).unwrap();
            let head = slow[number % slow.len()];
            thread::spawn(move || {
                let mut drip = || connection.write_all(head.as_bytes());
                let mut result = drip();
                connection.sock.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                while result.is_ok() && begun.elapsed() < DEADLINE {
                    let mut byte = [0];
                    result = match connection.read(&mut byte) {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => connection.write_all(b" "),
                        Ok(1..) => Ok(()),
                        Ok(0) => break,
                        Err(error) => Err(error),
                    };
                }
                begun.elapsed()
            })
        })
        .collect();
    let late = cluster.lateness("short").await;
    assert!(late < Duration::from_secs(5), "{late:?}");
    serving(&stage);
    let open = files(process);
    assert!(open < 400, "{open} files");
    for thread in slow {
        let cut_off = thread.join().unwrap();
        assert!(cut_off < Duration::from_secs(30), "{cut_off:?}");
    }
    drop(idle);
    serving(&stage);
}

#[tokio::test]
async fn large_reviews_take_a_bounded_amount_of_memory() {
    let (stage, operator, port) = tokio::task::spawn_blocking(|| own(1024)).await.unwrap();
    let cluster = stage.cluster().await;
    cluster.feature().await;
    let process = operator.process();
    let before = most_memory(process);
    let url = get(&stage, &REGISTRATION)["webhooks"][0]["clientConfig"]["url"].as_str().unwrap().to_owned();
    let secret_path = url.split_once(&format!("{port}")).unwrap().1.to_owned();
    // Text, and what takes a hundred times its length as values; by anybody, and by the API server.
    let text = facet("large", &json!({"description": "x".repeat(1_450_000)}));
    let mut values = facet("large", &json!({}));
    values["spec"]["schema"]["enum"] = json!(vec![json!({"": 0}); 160_000]);
    let bodies = [&text, &values].map(|object| review("facetdefinitions", "UPDATE", object, object));
    thread::scope(|scope| {
        for number in 0..150 {
            let (stage, body) = (&stage, &bodies[number / 2 % 2]);
            let path = if number % 2 == 0 { "/validate" } else { &secret_path };
            scope.spawn(move || {
                // What is too much is told so, or not listened to.
                if let Ok((status, said)) = post(connect(stage, port, None).unwrap(), path, body) {
                    assert!([200, 408, 413, 503].contains(&status), "{status} {said}");
                }
            });
        }
    });
    let after = most_memory(process);
    assert!(after < before + 300, "{before} MiB, then {after} MiB");
    serving(&stage);
    let late = cluster.lateness("short").await;
    assert!(late < Duration::from_secs(5), "{late:?}");
}

/// A certificate for a client, with its key, and its authority's.
fn client() -> ((String, String), String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = CertificateParams::new(Vec::new()).unwrap();
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &authority).unwrap();
    ((certificate.pem(), key.serialize_pem()), authority.pem())
}

/// As docs/security.md has it.
#[test]
fn the_api_server_can_be_made_to_show_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ((certificate, key), authority) = client();
    let user = json!({"client-certificate": file("crt", &certificate), "client-key": file("key", &key)});
    let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "users": [{"name": "127.0.0.1:*", "user": user}]});
    let kubeconfig = kubeconfig.to_string().replace("127.0.0.1:*", "*");
    let admission = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{
            "name": "ValidatingAdmissionWebhook",
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "WebhookAdmissionConfiguration",
                "kubeConfigFile": file("kubeconfig", &kubeconfig),
            },
        }],
    });
    let admission = Some(file("admission", &admission.to_string()).into());
    let stage = Stage::start_with(PlaneOptions { admission, ..PlaneOptions::default() });
    let port = free_port();
    let _operator = start(&stage, port, port, &["--webhook-client-ca", &file("ca", &authority)]);
    serving(&stage);
    let body =
        review("organizations", "DELETE", &Value::Null, &json!({"kind": "Organization", "metadata": {"name": "a"}}));
    let ask = |certificate: Option<&(String, String)>| post(connect(&stage, port, certificate)?, "/validate", &body);
    for stranger in [None, Some(client().0)] {
        let refused = ask(stranger.as_ref());
        assert!(refused.is_err(), "{refused:?}");
    }
    let known = eventually(DEADLINE, "whoever shows the certificate is answered", || {
        ask(Some(&(certificate.clone(), key.clone())))
    });
    assert_eq!(known.0, 200, "{}", known.1);
    assert!(!known.1.contains("by itself alone"), "{}", known.1);
    assert!(applied(&stage, "{apiVersion: v1, kind: Namespace, metadata: {name: some}}").contains("created"));
}

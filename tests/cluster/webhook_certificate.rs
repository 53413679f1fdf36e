//! The webhook's certificate, and the registration that tells the API server of it.

use crate::{
    harness::{DEADLINE, Operator, Stage},
    wait::eventually,
    webhook::{REGISTRATION, SECRET, applied, free_port, get, kubectl, serving, start},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A connection to a port that serves for a host with a certificate that one of these authorities has signed.
pub fn secured(
    port: u16,
    host: &str,
    authorities: &[CertificateDer<'_>],
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone().into_owned()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, socket);
    stream.flush().map_err(|error| error.to_string())?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
    }
    Ok(stream)
}

/// The certificate that is served on a port, for a host, which one of these authorities must have signed.
pub fn served(port: u16, host: &str, authorities: &[CertificateDer<'_>]) -> Result<Vec<u8>, String> {
    let stream = secured(port, host, authorities)?;
    Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
}

fn bundle(registration: &Value) -> Vec<u8> {
    let text = registration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    STANDARD.decode(text).unwrap()
}

/// The Secret with a certificate that is valid for so many days, as though the operator had made it.
pub fn secret(days: u64) -> (Value, Vec<u8>) {
    let now = SystemTime::now();
    let params = |hosts: Vec<String>| {
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_before = (now - Duration::from_hours(24)).into();
        params.not_after = (now + Duration::from_hours(24 * days)).into();
        params
    };
    let mut authority = params(Vec::new());
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = params(vec!["127.0.0.1".to_owned()]);
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &authority).unwrap();
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET[1],
            "namespace": "entitlement-operator",
            "annotations": {"entitlements.dev/webhook-host": "127.0.0.1"},
        },
        "type": "kubernetes.io/tls",
        "stringData": {"ca.crt": authority.pem(), "tls.crt": certificate.pem(), "tls.key": key.serialize_pem()},
    });
    (secret, authority.der().to_vec())
}

fn authorities(stage: &Stage) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(&bundle(&get(stage, &REGISTRATION))).map(Result::unwrap).collect()
}

/// The one certificate that is served on all ports, by one of these authorities.
fn shared_certificate(ports: &[u16], authorities: &[CertificateDer<'_>]) -> Vec<u8> {
    let all =
        ports.iter().map(|port| eventually(DEADLINE, "a replica serves", || served(*port, "127.0.0.1", authorities)));
    let all: BTreeSet<Vec<u8>> = all.collect();
    assert_eq!(all.len(), 1, "certificates that are served");
    all.into_iter().next().unwrap()
}

#[test]
fn replicas_share_one_certificate_and_its_successor() {
    let stage = Stage::start();
    let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let _operators: Vec<Operator> = ports.iter().map(|port| start(&stage, *port, ports[0], &[])).collect();
    serving(&stage);
    let first = authorities(&stage);
    assert_eq!(first.len(), 1);
    shared_certificate(&ports, &first);
    assert_eq!(get(&stage, &SECRET)["type"], "kubernetes.io/tls");

    // Another one, which has less than a third of its time left.
    let (due, authority) = secret(10);
    applied(&stage, &due.to_string());
    let both = eventually(DEADLINE, "there is a successor", || {
        let found = authorities(&stage);
        let is_next = found.len() == 2 && found[1].to_vec() == authority;
        if is_next { Ok(found) } else { Err(format!("{} authorities", found.len())) }
    });
    shared_certificate(&ports, &both[..1]);
    // It stays so.
    assert_eq!(authorities(&stage), both);
    assert_eq!(get(&stage, &SECRET)["data"]["ca.crt"], STANDARD.encode(bundle(&get(&stage, &REGISTRATION))));
    serving(&stage);
}

#[test]
fn what_is_broken_is_mended() {
    let stage = Stage::start();
    let (mut broken, _) = secret(90);
    broken["stringData"]["tls.crt"] = json!("garbage");
    broken["immutable"] = json!(true);
    applied(&stage, &broken.to_string());
    let port = free_port();
    let _operator = start(&stage, port, port, &[]);
    serving(&stage);
    let made = get(&stage, &SECRET);
    assert_eq!(made["immutable"], Value::Null);
    let before = authorities(&stage);

    let garbage = r#"--patch={"data": {"tls.key": "Z2FyYmFnZQ=="}}"#;
    stage.kubectl(&[&["patch"], &SECRET[..], &["--type=merge", garbage]].concat());
    let after = eventually(DEADLINE, "there is another certificate", || {
        let found = authorities(&stage);
        // The authority that others may still be trusted by stays.
        if found.len() == 2 && found[1..] == before { Ok(found) } else { Err(format!("{} authorities", found.len())) }
    });
    eventually(DEADLINE, "the new one is served", || served(port, "127.0.0.1", &after[..1]));

    let drift = r#"--patch=[{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}, {"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]"#;
    let whole = get(&stage, &REGISTRATION)["webhooks"].clone();
    stage.kubectl(&[&["patch"], &REGISTRATION[..], &["--type=json", drift]].concat());
    eventually(DEADLINE, "the registration is put back", || {
        let found = get(&stage, &REGISTRATION)["webhooks"].clone();
        if found == whole { Ok(()) } else { Err(found) }
    });
    serving(&stage);
}

#[test]
fn an_installed_registration_is_filled_in_and_a_service_has_one_of_its_own() {
    let stage = Stage::start();
    let port = free_port();
    let webhook = |name: &str, url: &str| {
        json!({
            "name": name,
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": url},
            "failurePolicy": "Ignore",
            "sideEffects": "None",
            "timeoutSeconds": 2,
            "rules": [{
                "apiGroups": ["entitlements.dev"], "apiVersions": ["v1alpha1"],
                "operations": ["CREATE"], "resources": ["entitlementinstances"],
            }],
        })
    };
    let installed = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "mine", "labels": {"app": "chart"}},
        "webhooks": [
            webhook("other.example.com", "https://127.0.0.1:1/"),
            webhook("validate.entitlements.dev", &format!("https://127.0.0.1:{port}/validate")),
        ],
    });
    applied(&stage, &installed.to_string());
    let mine = ["validatingwebhookconfiguration", "mine"];
    let before = get(&stage, &mine);
    let operator = start(&stage, port, port, &["--webhook-register=false", "--webhook-configuration=mine"]);
    serving(&stage);
    let mut after = get(&stage, &mine);
    let config = after["webhooks"][1]["clientConfig"].take();
    assert_eq!(config["caBundle"], get(&stage, &SECRET)["data"]["ca.crt"]);
    // The path is one that nobody else knows.
    let url = config["url"].as_str().unwrap();
    let secret = url.strip_prefix(&format!("https://127.0.0.1:{port}/validate/")).expect(url);
    assert!(secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{url}");
    after["webhooks"][1]["clientConfig"] = before["webhooks"][1]["clientConfig"].clone();
    assert_eq!(after["webhooks"], before["webhooks"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    let (_, missing) = kubectl(&stage, &[&["get"], &REGISTRATION[..]].concat(), "");
    assert!(missing.contains("NotFound"), "{missing}");

    // By a Service now, so with a certificate for another host.
    operator.stop();
    let address = format!("--webhook-address=127.0.0.1:{port}");
    let _operator = stage.operator(&["--webhook-service=hook", &address]);
    eventually(DEADLINE, "it serves for the Service", || {
        let secret = get(&stage, &SECRET);
        let authority = STANDARD.decode(secret["data"]["ca.crt"].as_str().unwrap()).unwrap();
        let authority = CertificateDer::from_pem_slice(&authority).unwrap();
        served(port, "hook.entitlement-operator.svc", &[authority])
    });
    let registration = eventually(DEADLINE, "it is registered", || {
        let (_, found) = kubectl(&stage, &[&["get", "--output=json"], &REGISTRATION[..]].concat(), "");
        serde_json::from_str::<Value>(&found).map_err(|_| found)
    });
    let config = &registration["webhooks"][0]["clientConfig"];
    let path = config["service"]["path"].clone();
    // It goes with the key.
    assert!(path.as_str().unwrap().starts_with("/validate/") && !url.ends_with(path.as_str().unwrap()), "{path}");
    assert_eq!(
        *config,
        json!({
            "caBundle": get(&stage, &SECRET)["data"]["ca.crt"],
            "service": {"name": "hook", "namespace": "entitlement-operator", "path": path, "port": 443},
        })
    );
}

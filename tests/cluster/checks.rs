//! The API that a service asks before it serves: who may ask for what, and what is answered.

use crate::{
    asker::{API, Asker, allow},
    described::DESCRIPTION,
    endpoints::ask,
    harness::{DEADLINE, Operator, Stage, is_current},
    usage::support::Desk,
    wait::eventually,
    webhook::{applied, get},
    webhook_certificate::{secret, secured, served},
};
use chrono::Utc;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    os::unix::fs::symlink,
    path::Path,
    slice::from_ref,
};

fn what_cannot_be_understood_is_told_so(tenant: &Asker, all: &str, one: &str) {
    for (query, said) in [
        ("amount=0", "amount: write a number above 0, such as 1 or 0.25"),
        ("at=yesterday", "at: "),
        ("amount=Unlimited", "amount: write a number above 0"),
        ("much=1", "there is amount, channel, at, options=true, and status=true"),
        ("channel=%ff", "write paths and parameters in UTF-8, percent-encoded"),
    ] {
        let (status, body) = tenant.gets(&format!("{one}?{query}"));
        assert_eq!(status, 400, "{body}");
        assert!(body["detail"].as_str().unwrap().contains(said), "{body}");
    }
    let (status, body) = tenant.gets(&format!("{all}?at=2027-01-01T00:00:00Z"));
    assert_eq!(status, 400, "{body}");
    let (status, _, body) = tenant.says("POST", "/ofrep/v1/evaluate/flags?at=2027-01-01T00:00:00Z", "{}");
    assert_eq!((status, &body["errorCode"]), (400, &json!("GENERAL")), "{body}");
    let (status, body) = tenant.gets(&format!("{all}/seets"));
    assert_eq!(status, 404, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_is_told_what_is_held_and_left() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    let api = operator.api();
    desk.sell().await;
    desk.report(4).await;
    desk.counted(4).await;
    let name = desk.cluster.name.clone();
    allow(&desk.cluster, "check", ("kube-system", "backend")).await;
    let all = format!("/v1/organizations/{name}/entitlements");
    let one = format!("{all}/{name}");

    let tenant = Asker::of(&desk, api, (&name, "default"), "entitlements.dev");
    let answer = tenant.until(&one, |status, body| status == 200 && body["usage"]["used"] == "4");
    let at = answer["at"].clone();
    assert_eq!(
        answer,
        json!({
            "organization": name, "entitlement": name, "entitled": true, "allowed": true, "reason": "Allowed",
            "type": "Quantity", "unit": "cases", "amount": "10", "validFrom": "2026-01-01T00:00:00Z", "validUntil": null,
            "facets": {},
            "usage": {
                "allotted": "10", "used": "4", "remaining": "6", "overage": "0", "excess": "0",
                "resetsAt": "2027-01-01T00:00:00Z", "state": "Ok",
            },
            "at": at,
        })
    );
    let allowed = |amount: &str| {
        let (status, answer) = tenant.gets(&format!("{one}?amount={amount}"));
        assert_eq!(status, 200, "{answer}");
        (answer["allowed"].clone(), answer["reason"].clone())
    };
    assert_eq!(allowed("6"), (json!(true), json!("Allowed")));
    assert_eq!(allowed("6.5"), (json!(false), json!("Exhausted")));
    // Whoever goes by the status alone gets the same.
    for (asked, expected) in
        [("amount=6&status=true", 200), ("amount=6.5&status=true", 403), ("amount=6.5&status=false", 200)]
    {
        let (status, answer) = tenant.gets(&format!("{one}?{asked}"));
        assert_eq!(
            (status, answer["allowed"] == true),
            (expected, asked.starts_with("amount=6&")),
            "{asked}: {answer}"
        );
    }
    let (status, list) = tenant.gets(&all);
    assert_eq!((status, &list["entitlements"][&name]["usage"]["remaining"]), (200, &json!("6")), "{list}");

    // Whoever has the verb, and nobody else; nothing is said of what there is.
    let backend = Asker::of(&desk, api, ("kube-system", "backend"), "entitlements.dev");
    backend.until(&one, |status, body| status == 200 && body["allowed"] == true);
    for asker in [&tenant, &backend] {
        for stranger in ["other", "default"] {
            let (status, body) = asker.gets(&format!("/v1/organizations/{stranger}/entitlements/{name}"));
            assert_eq!((status, &body["title"]), (403, &json!("Forbidden")), "{body}");
        }
    }
    let nobody = Asker::of(&desk, api, ("kube-system", "nobody"), "entitlements.dev");
    assert_eq!(nobody.gets(&one).0, 403);
    // A namespace that is listed, and not served, makes nobody the client's.
    let listed = json!({"spec": {"namespaces": [name, "kube-system"]}});
    desk.cluster.merge("Organization", "", "$", listed).await.unwrap();
    desk.cluster.until("Organization", "", "$", "is seen", is_current).await;
    assert_eq!(nobody.gets(&one).0, 403);
    assert_eq!(backend.gets(&one).0, 200);
    let elsewhere = Asker::of(&desk, api, (&name, "default"), "https://kubernetes.default.svc");
    let forged = Asker { api, token: format!("{}x", tenant.token) };
    let without = Asker { api, token: String::new() };
    for (asker, said) in [
        (&elsewhere, "this token does not count: it has to be for the audience entitlements.dev"),
        (&forged, "this token does not count"),
        (&without, "a token for the audience entitlements.dev is needed"),
    ] {
        let (status, head, body) = asker.says("GET", &one, "");
        assert_eq!((status, &body["status"]), (401, &json!(401)), "{body}");
        assert!(body["detail"].as_str().unwrap().starts_with(said), "{body}");
        assert!(head.to_lowercase().contains("www-authenticate: bearer"), "{head}");
    }

    what_cannot_be_understood_is_told_so(&tenant, &all, &one);

    // The same as flags.
    let flag = |key: &str, body: &str| tenant.says("POST", &format!("/ofrep/v1/evaluate/flags/{key}"), body);
    let (status, _, value) = flag(&name, "{}");
    assert_eq!((status, value), (200, json!({"key": name, "reason": "TARGETING_MATCH", "variant": "10", "value": 10})),);
    let (status, _, value) = flag("seets", "");
    assert_eq!((status, &value["errorCode"]), (404, &json!("FLAG_NOT_FOUND")));
    let (status, head, flags) = tenant.says("POST", "/ofrep/v1/evaluate/flags", "");
    assert_eq!((status, flags["flags"].as_array().unwrap().len()), (200, 2), "{flags}");
    assert!(head.contains("cache-control: private, no-cache"), "{head}");
    let (status, _, body) = backend.says("POST", "/ofrep/v1/evaluate/flags", r#"{"context": {}}"#);
    assert_eq!((status, &body["errorCode"]), (400, &json!("TARGETING_KEY_MISSING")));
    let context = json!({"context": {"targetingKey": name}}).to_string();
    assert_eq!(backend.says("POST", "/ofrep/v1/evaluate/flags", &context).0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_described_and_nothing_else() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    let nobody = Asker::of(&desk, operator.api(), ("kube-system", "default"), "entitlements.dev");
    let served = |method: &str, path: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n");
        let request = format!("{head}Authorization: Bearer {}\r\nContent-Length: 0\r\n\r\n", nobody.token);
        let (status, _, body) = ask(nobody.api, &request).unwrap();
        assert!(body.contains("\"status\":") || body.contains("\"errorCode\":"), "{method} {path}: {body}");
        status
    };
    let calls = DESCRIPTION.calls();
    let methods = |path: &str| calls.get(path).cloned().unwrap_or_default();
    for path in calls.keys() {
        let asked = path.replace(['{', '}'], "");
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
            let is_served = ![404, 405].contains(&served(method, &asked));
            assert_eq!(is_served, methods(path).contains(method), "{method} {path}");
        }
        for beside in [format!("{asked}/"), format!("{asked}/more"), asked.rsplit_once('/').unwrap().0.to_owned()] {
            assert!(DESCRIPTION.path(&beside).is_some() || served("GET", &beside) == 404, "{beside}");
        }
    }
    // A name that is no text is told so, as anything else that cannot be understood.
    for (method, path) in [
        ("GET", "/v1/organizations/%ff/entitlements"),
        ("PUT", "/v1/organizations/a/entitlements/b/uses/%ff"),
        ("POST", "/ofrep/v1/evaluate/flags/%ff"),
    ] {
        assert_eq!(nobody.says(method, path, "").0, 400);
    }
}

/// The ConfigMap that tells everyone whom to trust, and the Secret of the certificate.
const AUTHORITY: [&str; 3] = ["configmap", "entitlement-operator-ca", "--namespace=entitlement-operator"];
const SECRET: [&str; 3] = ["secret", "entitlement-operator-api", "--namespace=entitlement-operator"];
const SERVICE: &str = "entitlement-operator-api.entitlement-operator.svc";

/// What the ConfigMap tells, in PEM.
pub fn authority(stage: &Stage) -> String {
    eventually(DEADLINE, "the authority is told", || {
        let told = stage.plane.run_kubectl(&[&["get"], &AUTHORITY[..], &["--output=json"]].concat());
        let told: Value = serde_json::from_str(&told.map_err(|error| error.to_string())?).unwrap();
        told["data"]["ca.crt"].as_str().map(str::to_owned).ok_or(told.to_string())
    })
}

fn authorities(stage: &Stage) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(authority(stage).as_bytes()).map(Result::unwrap).collect()
}

/// The one certificate that all replicas serve with for these hosts, and that is not the one before.
fn shared(replicas: &[SocketAddr], authorities: &[CertificateDer<'_>], before: &[u8]) -> Vec<u8> {
    let hosts = ["localhost", SERVICE, &format!("{SERVICE}.cluster.local")];
    eventually(DEADLINE, "all replicas serve with one certificate", || {
        let of = |replica: &SocketAddr| hosts.map(|host| served(replica.port(), host, authorities));
        let all: Result<Vec<Vec<u8>>, String> = replicas.iter().flat_map(of).collect();
        let all = all?;
        let is_one = all.iter().all(|one| *one == all[0]) && all[0] != before;
        if is_one { Ok(all[0].clone()) } else { Err(format!("{} certificates, or an old one", all.len())) }
    })
}

/// An organization whose summary is to tell of the authority.
fn ask_for_the_authority(stage: &Stage) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lumen"}});
    let organization = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "lumen"},
        "spec": {"namespaces": ["lumen"], "summary": {"ca": true}},
    });
    let items = json!({"apiVersion": "v1", "kind": "List", "items": [namespace, organization]});
    applied(stage, &items.to_string());
}

/// The summary tells of the authority that everyone is told of.
fn until_summarized(stage: &Stage) {
    let authority = |place: &[&str]| {
        let read = stage.plane.run_kubectl(&[&["get"], place, &["--output=json"]].concat());
        let read: Value = serde_json::from_str(&read.map_err(|error| error.to_string())?).unwrap();
        read["data"]["ca.crt"].as_str().map(str::to_owned).ok_or(read.to_string())
    };
    eventually(DEADLINE, "the summary tells of the authority", || {
        let told = authority(&["configmap", "entitlements", "--namespace=lumen"])?;
        let own = authority(&AUTHORITY)?;
        if told == own { Ok(()) } else { Err(format!("{told}\n{own}")) }
    });
}

/// In how many days the certificate ends that the metrics tell of.
fn days_of_the_certificate(operator: &Operator) -> i64 {
    let metrics = "GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n";
    let (_, _, page) = ask(operator.endpoint(), metrics).unwrap();
    let told = page.lines().find_map(|line| line.strip_prefix("entitlement_api_certificate_expiry_timestamp_seconds "));
    (told.unwrap().parse::<i64>().unwrap() - Utc::now().timestamp()) / 86400
}

#[test]
fn replicas_serve_with_one_certificate_whose_authority_is_told_once() {
    let stage = Stage::start();
    let api = ["--api-address=127.0.0.1:0"];
    let operators = [stage.operator(&api), stage.operator(&api)];
    let replicas = operators.each_ref().map(Operator::api);
    let told = authorities(&stage);
    assert_eq!(told.len(), 1);
    ask_for_the_authority(&stage);
    until_summarized(&stage);
    let first = shared(&replicas, &told, &[]);
    served(replicas[0].port(), "kubernetes.default.svc", &told).unwrap_err();
    for operator in &operators {
        let days = days_of_the_certificate(operator);
        assert!((89..=90).contains(&days), "{days}");
    }

    // Whoever trusts that authority asks, and is known by a token.
    let token = stage.kubectl(&["create", "token", "default", "--namespace=default", "--audience=entitlements.dev"]);
    for (token, status) in [(token.trim(), "403"), ("none", "401")] {
        let mut stream = secured(replicas[1].port(), SERVICE, &told).unwrap();
        let request = format!(
            "GET /v1/organizations/acme/entitlements HTTP/1.1\r\nHost: {SERVICE}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split_whitespace().nth(1), Some(status), "{answer}");
    }

    // What is renewed is trusted by whoever read the ConfigMap before, and the other replica follows.
    let garbage = r#"--patch={"data": {"tls.key": "Z2FyYmFnZQ=="}}"#;
    stage.kubectl(&[&["patch"], &SECRET[..], &["--type=merge", garbage]].concat());
    let second = shared(&replicas, &told, &first);
    assert_eq!(authorities(&stage), told);

    // It is told again to whoever asks later.
    stage.kubectl(&[&["delete"], &AUTHORITY[..]].concat());
    assert_eq!(authorities(&stage), told);
    // A new Secret has a new authority.
    stage.kubectl(&[&["delete"], &SECRET[..]].concat());
    let told = eventually(DEADLINE, "another authority is told", || {
        let now = authorities(&stage);
        if now == told { Err("the same") } else { Ok(now) }
    });
    shared(&replicas, &told, &second);
    until_summarized(&stage);
    assert_eq!(
        get(&stage, &SECRET)["metadata"]["annotations"]["entitlements.dev/api-hosts"].as_str().unwrap(),
        format!("{SERVICE},{SERVICE}.cluster.local,localhost")
    );
}

/// Puts a certificate for 127.0.0.1 where `current` leads, as the kubelet does with a Secret that is mounted: all files at once. Its
/// authority.
fn mount(folder: &Path, name: &str) -> CertificateDer<'static> {
    let (secret, authority) = secret(90);
    fs::create_dir(folder.join(name)).unwrap();
    for file in ["tls.crt", "tls.key"] {
        fs::write(folder.join(name).join(file), secret["stringData"][file].as_str().unwrap()).unwrap();
    }
    symlink(name, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("current")).unwrap();
    authority.into()
}

#[test]
fn who_is_given_a_certificate_serves_with_it_and_with_the_next_and_makes_none() {
    let stage = Stage::start();
    let folder = tempfile::tempdir().unwrap();
    let first = mount(folder.path(), "first");
    let given = format!("--api-certificate={}", folder.path().join("current").display());
    let operator = stage.operator(&["--api-address=127.0.0.1:0", &given]);
    let port = operator.api().port();
    eventually(DEADLINE, "it serves with what it is given", || served(port, "127.0.0.1", from_ref(&first)).map(drop));
    let second = mount(folder.path(), "second");
    eventually(DEADLINE, "it serves with the next", || served(port, "127.0.0.1", from_ref(&second)).map(drop));
    served(port, "127.0.0.1", &[first]).unwrap_err();
    for place in [AUTHORITY, SECRET] {
        let there = stage.kubectl(&[&["get"], &place[..], &["--ignore-not-found", "--output=name"]].concat());
        assert_eq!(there, "");
    }
}

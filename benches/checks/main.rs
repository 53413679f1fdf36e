//! What the API for checks takes: how long an answer is waited for, how many there are a second, and the processor's time for each.
//! `make bench` prints it. With FLAGD, the path of a flagd, its OFREP endpoint is asked the same beside it.
//!
//! Uses are counted beside clients of the same database that do without the API:
//! - the same commits row by row: the same rows in the same tables, as many uses in each commit as the operator made of them, by one
//!   client that has the machine to itself, and a statement for each row that is read or written;
//! - the same commits without the API: the same, by the operator's own statements of many rows;
//! - a row for each use in a commit of its own, by as many clients as there were writers: what a service does that keeps its own books.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    reason = "it measures and prints, and ends where that fails"
)]

mod load;
mod plain;
#[path = "../../tests/control-plane/plane.rs"]
mod plane;
#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../tests/store/server.rs"]
mod server;

use load::{Load, Rate, Served};
use plane::{Plane, PlaneOptions};
use serde_json::json;
use server::Server;
use std::{cell::Cell, env, fs, path::Path};

/// What the organization holds.
const ENTITLEMENTS: usize = 20;
/// How many ask at once for decisions.
const ASKING: [usize; 3] = [1, 4, 16];
/// How many put uses at once.
const WRITERS: [usize; 3] = [1, 8, 64];
/// How many events a batch has.
const BATCHES: [usize; 2] = [100, 1000];
/// How many send batches at once: one is read while another is written.
const SENDERS: usize = 2;
const JSON: &str = "application/json";

fn request(method: &str, path: &str, token: &str, media: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {token}\r\nContent-Type: {media}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An organization that holds some, half of them metered.
fn objects() -> String {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "entitlement-operator"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "entitlements"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}}),
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "acme"},
            "spec": {"namespaces": ["acme"], "timeZone": "Europe/Berlin"},
        }),
    ];
    for number in 0..ENTITLEMENTS {
        let name = format!("seats-{number}");
        let mut spec = json!({"type": "Quantity", "unit": "seats", "amount": 1_000_000_000});
        if number % 2 == 1 {
            spec["usage"] = json!({"mode": "Consumed", "period": "P1M"});
        }
        objects.push(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": name}, "spec": spec,
        }));
        objects.push(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": name, "namespace": "entitlements"},
            "spec": {"organization": "acme", "definition": name, "start": "2026-01-01"},
        }));
    }
    let account = json!({"kind": "ServiceAccount", "namespace": "default", "name": "default"});
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "counter"},
        "rules": [{"apiGroups": ["entitlements.dev"], "resources": ["organizations"], "verbs": ["check", "report"]}],
    }));
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "counter"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "counter"}, "subjects": [account],
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

const ONE: &str = "/v1/organizations/acme/entitlements";
const FLAG: &str = "/ofrep/v1/evaluate/flags/seats-0";
const CONTEXT: &str = r#"{"context":{"targetingKey":"acme"}}"#;

/// The definition whose use one of many is.
fn metered(number: usize) -> String {
    format!("seats-{}", number % (ENTITLEMENTS / 2) * 2 + 1)
}

fn main() {
    let plane = Plane::start(PlaneOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    plane.run_kubectl(&["apply", "--filename", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]).unwrap();
    plane.run_kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    let file = folder.path().join("objects.json");
    fs::write(&file, objects()).unwrap();
    plane.run_kubectl(&["apply", "--filename", file.to_str().unwrap()]).unwrap();
    let token = ["create", "token", "default", "--audience", "entitlements.dev", "--duration", "1h"];
    let token = plane.run_kubectl(&token).unwrap();
    let token = token.trim();
    println!(
        "{:<48} {:>5} {:>9} {:>8} {:>8} {:>8} {:>8}",
        "", "conns", "/s", "p50 ms", "p99 ms", "CPU us", "client us"
    );
    let only_uses = env::args().any(|argument| argument == "uses");
    let sqlite = format!("sqlite://{}", folder.path().join("store.db").display());
    if !only_uses {
        decide(&plane, &sqlite, token, folder.path());
    }
    count(&plane, &sqlite, token, "SQLite");
    let server = Server::start_durable();
    count(&plane, &server.address("postgres"), token, "PostgreSQL");
}

fn decision(of: &str, token: &str) -> String {
    request("GET", &format!("{ONE}/{of}"), token, JSON, "")
}

/// Asks whether something may be used.
fn decide(plane: &Plane, store: &str, token: &str, folder: &Path) {
    let operator = Served::operator(plane, store);
    let flag = || request("POST", FLAG, token, JSON, CONTEXT);
    for of in ["seats-0", "seats-1"] {
        operator.until(&decision(of, token), r#""allowed":true"#);
    }
    let ask = |served: &Served, what: &str, connections: usize, request: &dyn Fn() -> String| {
        served.measure(&Load { what, connections, each: 1 }, request);
    };
    for connections in ASKING {
        ask(&operator, "a decision, not metered", connections, &|| decision("seats-0", token));
        ask(&operator, "a decision, metered", connections, &|| decision("seats-1", token));
        ask(&operator, "an OFREP flag", connections, &flag);
    }
    drop(operator);
    if let Ok(program) = env::var("FLAGD") {
        let flagd = Served::flagd(&program, folder);
        flagd.until(&flag(), "seats-0");
        for connections in ASKING {
            ask(&flagd, "an OFREP flag of flagd", connections, &flag);
        }
    }
}

/// Says what was used, and has the same kept without the operator.
fn count(plane: &Plane, address: &str, token: &str, database: &str) {
    let operator = Served::operator(plane, address);
    operator.until(&decision("seats-1", token), r#""allowed":true"#);
    let next = Cell::new(0);
    let number = || next.replace(next.get() + 1);
    let put = || {
        let number = number();
        let path = format!("{ONE}/{}/uses/use-{number}", metered(number));
        request("PUT", &path, token, JSON, r#"{"amount":1}"#)
    };
    let batch = |size: usize| {
        let events: Vec<_> = (0..size).map(|_| event(number())).collect();
        request("POST", "/v1/events", token, "application/cloudevents-batch+json", &json!(events).to_string())
    };
    // The first one that counts waits for the operator to trust what it knows.
    operator.until(&put(), r#""allowed":true"#);
    let one = format!("a use, on {database}");
    let many = BATCHES.map(|size| (size, format!("a use in events by the {size}, on {database}")));
    let uses = WRITERS.map(|connections| Load { what: &one, connections, each: 1 });
    let events = many.iter().map(|(each, what)| Load { what, connections: SENDERS, each: *each });
    let mut measured = Vec::new();
    for load in uses.into_iter().chain(events) {
        let before = plain::commits(address);
        let rate =
            if load.each == 1 { operator.measure(&load, put) } else { operator.measure(&load, || batch(load.each)) };
        measured.push((load, rate, plain::commits(address) - before));
    }
    drop(operator);
    for (load, rate, commits) in measured {
        beside(&load, rate, commits, address);
    }
}

/// What others reach who do the same without the operator, which had so many commits for it.
fn beside(load: &Load, rate: Rate, commits: u64, address: &str) {
    let each = rate.all / f64::from(u32::try_from(commits).unwrap());
    println!("{}, by {}: {:.0} a second, {each:.1} a commit", load.what, load.connections, rate.per_second);
    let compare = |other: Rate| {
        println!("{:<48} {:>5} {:>9.2}", "  the operator beside that", "", rate.per_second / other.per_second);
    };
    compare(plain::row_by_row(address, each));
    compare(plain::same_commits(address, each));
    if load.each == 1 {
        compare(plain::own_rows(address, load.connections));
    }
}

fn event(number: usize) -> serde_json::Value {
    json!({
        "specversion": "1.0", "type": "dev.entitlements.usage.v1", "source": "/bench", "id": number.to_string(),
        "subject": "acme", "data": {"definition": metered(number), "amount": 1, "key": format!("use-{number}")},
    })
}

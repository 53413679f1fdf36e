//! What an operator tells machines: the page by `promtool` and by a Prometheus that scrapes it, with the chart's rules and every query
//! of the dashboards; and the traces that a collector gets.

use crate::{
    approval_policies::asked_by,
    asker::{API, Asker},
    endpoints::ask,
    harness::{DEADLINE, Operator, Stage, grant, seconds_from_now},
    leaks::{Search, plant},
    prometheus_server::{PACKAGE, PrometheusServer},
    tables,
    wait::{eventually, until_approvals_count},
    webhook::{applied, free_port, serving, start},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as AttributeValue},
    trace::v1::{Span, status::StatusCode},
};
use prost::Message;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

/// What the examples have: clients that hold things, one of them with a secret value.
const EXAMPLES: [&str; 4] = ["00-namespaces.yaml", "10-catalogue.yaml", "20-organizations.yaml", "30-grants.yaml"];
const SECRET: &str = "correct horse battery staple";

/// Makes grants for all kinds of state, before any webhook can refuse one. The last one names an organization from where it may
/// not.
fn make_all_kinds_of_state(stage: &Stage) {
    plant(SECRET.as_bytes());
    for example in EXAMPLES {
        let file = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
        applied(stage, &fs::read_to_string(file).unwrap());
    }
    let mut barred = grant("barred", "acme", "premium-support", json!({}));
    barred["metadata"]["namespace"] = "globex".into();
    let grants = [
        grant("conflicting", "acme", "extra", json!({})),
        grant("soon", "globex", "extra", json!({"start": seconds_from_now(3600), "end": seconds_from_now(86400 * 3)})),
        barred,
        grant("cases", "acme", "cases", json!({})),
    ];
    let extra = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": "extra"},
        "spec": {
            "type": "Feature", "allowMultiple": true, "overrides": {"approvals": 0},
            "outputs": [{"name": "config", "kind": "ConfigMap", "objectName": "extra", "items": [{"key": "a", "template": "b"}]}],
        },
    });
    let cases = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": "cases"},
        "spec": {"type": "Quantity", "unit": "cases", "amount": 10, "usage": {"mode": "Consumed"}},
    });
    let calls = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": "calls"},
        "spec": {
            "type": "Quantity", "unit": "calls", "amount": 10,
            "usage": {"mode": "Consumed", "prometheus": {"query": "sum by (organization) (increase(calls_total[$bucket]))"}},
        },
    });
    let taken =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra", "namespace": "acme-prod"}});
    let asked = asked_by("admin", "asked", json!({"organization": "acme", "definition": "extra"}));
    let items: Vec<Value> = [taken, extra, cases, calls, asked].into_iter().chain(grants).collect();
    applied(stage, &json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string());
}

/// Waits until an operator has brought all of them where they belong, and one more.
fn until_all_is_decided(stage: &Stage) {
    // One that is accepted, begins, and ends while the operator looks on.
    let spec = json!({"start": seconds_from_now(10), "end": seconds_from_now(18)});
    applied(stage, &grant("brief", "globex", "extra", spec).to_string());
    for (name, phase) in [("brief", "Expired"), ("soon", "Waiting"), ("acme-backup", "Active")] {
        let phase = format!("--for=jsonpath={{.status.phase}}={phase}");
        stage.kubectl(&["wait", &phase, "ent", name, "--namespace=entitlements", "--timeout=60s"]);
    }
    stage.kubectl(&[
        "wait",
        "--for=jsonpath={.status.phase}=Rejected",
        "ent/barred",
        "--namespace=globex",
        "--timeout=60s",
    ]);
}

/// Counts a use twice by the API, and asks for what is not there.
fn until_the_api_has_counted(stage: &Stage, operator: &Operator) {
    let role = ["create", "clusterrole", "counts", "--verb=report", "--resource=organizations.entitlements.dev"];
    stage.kubectl(&role);
    let account = "--serviceaccount=kube-system:default";
    stage.kubectl(&["create", "clusterrolebinding", "counts", "--clusterrole=counts", account]);
    let token =
        stage.kubectl(&["create", "token", "default", "--namespace=kube-system", "--audience=entitlements.dev"]);
    let service = Asker { api: operator.api(), token: token.trim().to_owned() };
    let case = "/v1/organizations/acme/entitlements/cases/uses/CASE-1";
    let puts = |amount: u32| service.says("PUT", case, &json!({ "amount": amount }).to_string());
    eventually(DEADLINE, "a use is counted", || match puts(1) {
        (200, ..) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!((puts(1).0, puts(11).0, service.gets("/elsewhere").0), (200, 409, 404));
    for (name, label) in [
        ("entitlement_api_uses_total", ("result", "counted")),
        ("entitlement_api_uses_total", ("result", "duplicate")),
        ("entitlement_api_uses_total", ("result", "refused")),
        ("entitlement_api_requests_total", ("operation", "none")),
        ("entitlement_api_reviews_total", ("resource", "tokenreviews")),
    ] {
        until_told(operator, name, Some(label), 1.0);
    }
    until_told(operator, "entitlement_api_serving", None, 1.0);
}

/// How many grants there are in each phase, as the API server has them.
fn phases(stage: &Stage) -> BTreeMap<String, f64> {
    let all: Value =
        serde_json::from_str(&stage.kubectl(&["get", "ent", "--all-namespaces", "--output=json"])).unwrap();
    let mut phases = BTreeMap::from(["Undecided", "Draft", "Cancelled", "Grace"].map(|phase| (phase.to_owned(), 0.0)));
    for grant in all["items"].as_array().unwrap() {
        *phases.entry(grant["status"]["phase"].as_str().unwrap().to_owned()).or_default() += 1.0;
    }
    phases
}

/// One sample of a page: the name, the labels, and the value.
fn samples(page: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let label = regex::Regex::new(r#"([a-z_]+)="((?:[^"\\]|\\.)*)""#).unwrap();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = label.captures_iter(labels).map(|found| (found[1].to_owned(), found[2].to_owned()));
        (name.to_owned(), labels.collect(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// The value of the series of that name with that label.
fn value(page: &str, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
    let is_it = |labels: &BTreeMap<String, String>| {
        label.is_none_or(|(key, expected)| labels.get(key).map(String::as_str) == Some(expected))
    };
    samples(page).into_iter().find(|(found, labels, _)| found == name && is_it(labels)).map(|(_, _, value)| value)
}

fn until_told(operator: &Operator, name: &str, label: Option<(&str, &str)>, expected: f64) {
    eventually(DEADLINE, &format!("{name} {label:?} is {expected}"), || {
        let (_, _, page) = operator.asked("/metrics");
        let told = value(&page, name, label);
        if told == Some(expected) { Ok(()) } else { Err(format!("{told:?}")) }
    });
}

/// What `promtool check metrics` has to say of a page: nothing.
fn check_page(page: &str) {
    let tool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut tool = tool.unwrap_or_else(|error| panic!("promtool {PACKAGE}: {error}"));
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "promtool check metrics: {said}\n{page}");
}

/// What is served is what the document has, with its types and its labels.
fn compare_with_the_document(page: &str) {
    let mut documented = tables::documented();
    // The API is asked without TLS here, so it has no certificate.
    documented.remove("entitlement_api_certificate_expiry_timestamp_seconds").unwrap();
    let types: BTreeMap<&str, &str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert_eq!(
        types.keys().copied().collect::<Vec<_>>(),
        documented.keys().map(String::as_str).collect::<Vec<_>>(),
        "served (left) and in docs/monitoring.md (right)"
    );
    for (name, (kind, labels)) in &documented {
        assert_eq!(types[name.as_str()], kind, "{name}");
        let is_of = |sample: &str| {
            sample == name
                || (kind == "histogram"
                    && ["bucket", "count", "sum"].iter().any(|end| sample == format!("{name}_{end}")))
        };
        let of_metric = samples(page).into_iter().filter(|(sample, ..)| is_of(sample));
        let served: BTreeSet<String> =
            of_metric.flat_map(|(_, labels, _)| labels.into_keys()).filter(|label| label != "le").collect();
        assert_eq!(&served, labels, "the labels of {name}");
    }
}

#[test]
fn a_page_tells_what_there_is_and_prometheus_reads_it() {
    let stage = Stage::start();
    let port = free_port();
    make_all_kinds_of_state(&stage);
    let folder = tempfile::tempdir().unwrap();
    let store = format!("--store=sqlite://{}", folder.path().join("store.db").display());
    // Nobody listens there.
    let prometheus = format!("--prometheus-url=http://127.0.0.1:{}", free_port());
    let arguments = [&["--metrics-per-instance", &store, &prometheus], &API[..]].concat();
    let operator = start(&stage, port, port, &arguments);
    operator.until_well("/readyz");
    serving(&stage);
    until_all_is_decided(&stage);
    let phases = phases(&stage);
    assert_eq!((phases["Expired"], phases["Rejected"]), (1.0, 1.0), "{phases:?}");
    for (phase, grants) in &phases {
        until_told(&operator, "entitlement_instances", Some(("phase", phase)), *grants);
    }
    until_told(&operator, "entitlement_refusals", Some(("reason", "NamespaceNotAllowed")), 1.0);
    // It was asked for before the policies that protect approvals had been there for a minute.
    until_told(&operator, "entitlement_refusals", Some(("reason", "ApprovalsUnprotected")), 1.0);
    until_told(&operator, "entitlement_overrides", Some(("phase", "Rejected")), 1.0);
    until_told(&operator, "entitlement_override_oldest_request_age_seconds", None, 0.0);
    until_told(&operator, "entitlement_outputs", Some(("state", "conflict")), 1.0);
    until_told(&operator, "entitlement_instances_overdue", None, 0.0);
    until_told(&operator, "entitlement_store_up", None, 1.0);
    until_told(&operator, "entitlement_prometheus_up", Some(("definition", "calls")), 0.0);
    until_told(&operator, "entitlement_usage_state", Some(("state", "Ok")), 1.0);
    until_told(&operator, "entitlement_organizations", None, 2.0);
    until_told(&operator, "leader_election_master_status", None, 1.0);
    until_the_api_has_counted(&stage, &operator);
    let (_, head, page) = operator.asked("/metrics");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    check_page(&page);
    compare_with_the_document(&page);
    Search::of_all_planted().check("/metrics", page.as_bytes());
    // One was accepted in time, began, and ended.
    assert_eq!(value(&page, "entitlement_transition_lag_seconds_count", None), Some(2.0));
    assert!(value(&page, "entitlement_transition_lag_seconds_sum", None).unwrap() < 20.0);
    for resource in ["organizations", "entitlementinstances", "configmaps", "secrets"] {
        let seen = value(&page, "entitlement_watch_last_activity_timestamp_seconds", Some(("resource", resource)));
        let now = f64::from(u32::try_from(chrono::Utc::now().timestamp()).unwrap());
        assert!((now - seen.unwrap()).abs() < 120.0, "{resource}");
    }
    let ends = samples(&page).into_iter().filter(|(name, ..)| name == "entitlement_instance_end_timestamp_seconds");
    let names: BTreeSet<String> = ends.map(|(_, labels, _)| labels["name"].clone()).collect();
    assert!(names.contains("soon") && !names.contains("brief") && !names.contains("conflicting"), "{names:?}");
    let certificate = value(&page, "entitlement_webhook_certificate_expiry_timestamp_seconds", None).unwrap();
    let days = (certificate - f64::from(u32::try_from(chrono::Utc::now().timestamp()).unwrap())) / 86400.0;
    assert!((89.9..=90.0).contains(&days), "{days}");
    let open = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    let (_, head, page) = ask(operator.endpoint(), open).unwrap();
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(page.ends_with("\n# EOF\n"), "{page}");

    prometheus_runs_every_query(&stage, &operator, phases["Waiting"]);
}

/// A Prometheus that scrapes an operator, with the chart's rules.
fn prometheus_of(target: SocketAddr) -> PrometheusServer {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/entitlement-operator/files/rules.yaml");
    let config = json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [rules],
        "scrape_configs": [{
            "job_name": "entitlement-operator",
            "static_configs": [{"targets": [target.to_string()], "labels": {"namespace": "entitlement-operator"}}],
        }],
    });
    PrometheusServer::start(&config, None, &[])
}

fn prometheus_runs_every_query(stage: &Stage, operator: &Operator, waiting: f64) {
    until_approvals_count(&|arguments| stage.kubectl(arguments));
    let granted = asked_by("admin", "granted", json!({"organization": "acme", "definition": "extra"}));
    applied(stage, &granted.to_string());
    let prometheus = prometheus_of(operator.endpoint());
    let queries = tables::queries();
    assert!(queries.len() > 30, "{}", queries.len());
    // Rates take two scrapes between which the operator has something to do.
    let stirred = json!({"metadata": {"annotations": {"stirred": seconds_from_now(0)}}}).to_string();
    stage.kubectl(&["patch", "org", "acme", "--type=merge", "--patch", &stirred]);
    for (panel, query) in queries {
        let query = query.replace("$__rate_interval", "1m").replace("$namespace", ".*").replace("$job", ".*");
        assert!(!query.contains('$'), "{query}");
        eventually(DEADLINE, &format!("{panel}: {query} returns data"), || match prometheus.query(&query) {
            Ok(found) if !found.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    let rules = eventually(DEADLINE, "every rule is evaluated", || {
        let groups = prometheus.get("/api/v1/rules")?;
        let all =
            groups["groups"].as_array().into_iter().flatten().filter_map(|group| group["rules"].as_array().cloned());
        let rules: Vec<Value> = all.flatten().collect();
        let is_through = !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok");
        if is_through { Ok(rules) } else { Err(groups.to_string()) }
    });
    // Nothing but the conflict, the override that was asked for too early, and the Prometheus that is not there is wrong, and none has
    // lasted long enough.
    let raised = rules.iter().filter(|rule| rule["type"] == "alerting" && rule["state"] != "inactive");
    let raised: Vec<&Value> = raised.map(|rule| &rule["name"]).collect();
    let expected =
        ["EntitlementDeliveriesFailing", "EntitlementApprovalsUnprotected", "EntitlementPrometheusNotAnswering"];
    assert_eq!(raised, expected);
    let recorded = prometheus.query("namespace_job_phase:entitlement_instances:sum{phase=\"Waiting\"}").unwrap();
    assert_eq!(recorded[0]["value"][1], waiting.to_string());
}

/// The head of a request, and its body.
type ExportRequest = (String, Vec<u8>);

/// A collector of traces. It keeps what it gets, and each request as it came.
#[derive(Clone, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<ExportRequest>>>,
}

impl Collector {
    fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let collector = Self::default();
        let kept = collector.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                thread::spawn(move || kept.answer(stream));
            }
        });
        (collector, address)
    }

    fn answer(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let before = head.len();
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
                let line = head[before..].trim().to_lowercase();
                if let Some(bytes) = line.strip_prefix("content-length: ") {
                    length = bytes.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            self.requests.lock().unwrap().push((head, body));
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// All spans so far.
    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let batches = requests.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        let of_resource = batches.flat_map(|batch| batch.resource_spans);
        of_resource.flat_map(|of| of.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?.value.as_ref()?;
    Some(match found {
        AttributeValue::StringValue(text) => text.clone(),
        AttributeValue::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

#[test]
fn a_collector_gets_a_span_for_each_reconcile_and_its_requests() {
    let stage = Stage::start();
    let (collector, address) = Collector::start();
    make_all_kinds_of_state(&stage);
    // Sent at once, rather than after five seconds.
    let operator = stage.operator_in(
        &[("OTEL_BSP_SCHEDULE_DELAY", "200"), ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=billing")],
        &[&format!("--otlp-endpoint=http://{address}")],
    );
    until_all_is_decided(&stage);
    let spans = eventually(DEADLINE, "a reconcile of acme that wrote something is told", || {
        let spans = collector.spans();
        let is_it = |span: &Span| {
            span.name == "reconcile"
                && attribute(&span.attributes, "organization").as_deref() == Some("acme")
                && attribute(&span.attributes, "objects.written").is_some_and(|written| written != "0")
        };
        let found = spans.iter().find(|span| is_it(span)).cloned();
        found.map(|span| (span, spans.clone())).ok_or_else(|| format!("{} spans", spans.len()))
    });
    let (reconcile, spans) = spans;
    assert_eq!(attribute(&reconcile.attributes, "controller").as_deref(), Some("organization"));
    assert_eq!(attribute(&reconcile.attributes, "item").as_deref(), Some("organization acme"));
    assert!(attribute(&reconcile.attributes, "result").is_some());
    let inner: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id == reconcile.span_id).collect();
    let is_write = |span: &&&Span| ["POST", "PATCH"].contains(&span.name.as_str());
    let write = inner.iter().find(is_write).unwrap_or_else(|| panic!("{inner:#?}"));
    assert_eq!(write.trace_id, reconcile.trace_id);
    assert!(attribute(&write.attributes, "url.path").unwrap().starts_with("/api"), "{write:?}");
    assert!(attribute(&write.attributes, "http.response.status_code").unwrap().starts_with("20"), "{write:?}");
    // Nothing but spans of ours, without what is sent, lines of the log, or secret values.
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let known = BTreeSet::from(["reconcile", "GET", "POST", "PATCH", "PUT", "DELETE"]);
    assert!(names.is_subset(&known), "{names:?}");
    assert!(spans.iter().all(|span| span.events.is_empty()));
    assert!(spans.iter().all(|span| !attribute(&span.attributes, "url.path").unwrap_or_default().contains('?')));
    let failed =
        spans.iter().filter(|span| span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32));
    assert!(failed.clone().all(|span| span.name != "reconcile"), "{:#?}", failed.collect::<Vec<_>>());
    operator.stop();
    let requests = collector.requests.lock().unwrap();
    for (head, body) in requests.iter() {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("x-team: billing"), "{head}");
        Search::of_all_planted().check("a trace", body);
    }
    let first = ExportTraceServiceRequest::decode(requests[0].1.as_slice()).unwrap();
    let resource = first.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(attribute(&resource.attributes, "service.name").as_deref(), Some("entitlement-operator"));
    assert_eq!(attribute(&resource.attributes, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_collector_that_is_away_or_silent_harms_nothing() {
    let stage = Stage::start();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let away = free_port();
    for (index, port) in [silent.local_addr().unwrap().port(), away].into_iter().enumerate() {
        let environment = [("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "500")];
        let operator = stage.operator_in(&environment, &[&format!("--otlp-endpoint=http://127.0.0.1:{port}")]);
        let name = format!("client-{index}");
        let organization = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": name},
            "spec": {"namespaces": [name]},
        });
        stage.kubectl(&["create", "namespace", &name]);
        applied(&stage, &organization.to_string());
        stage.kubectl(&["wait", "--for=condition=Ready", "org", &name, "--timeout=60s"]);
        let told = "traces cannot be sent, and are dropped until they can";
        eventually(DEADLINE, told, || {
            let log = operator.log();
            if log.contains(told) { Ok(()) } else { Err(log) }
        });
        assert_eq!(operator.until_well("/healthz"), "ok\n");
        let log = operator.log();
        assert_eq!(log.matches(told).count(), 1, "{log}");
        operator.stop();
    }
}

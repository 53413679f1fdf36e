//! The rules, the dashboards, and docs/monitoring.md: what Prometheus' own `promtool` says of the rules, and that all three tell of the
//! same alerts and metrics. `tests/cluster/monitoring.rs` compares them with what an operator serves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "they fail a test")]

use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[path = "monitoring/tables.rs"]
mod tables;

const FILES: &str = "charts/entitlement-operator/files";

fn path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap()
}

fn rules() -> Vec<Value> {
    let groups = yaml(&format!("{FILES}/rules.yaml"));
    groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// The alerts, by their names.
fn alerts() -> BTreeMap<String, Value> {
    let named = |rule: Value| Some((rule["alert"].as_str()?.to_owned(), rule));
    rules().into_iter().filter_map(named).collect()
}

/// The metrics that an expression of `PromQL` asks for, a histogram under its own name.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let strings = Regex::new(r#""[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)"#).unwrap();
    let expression = strings.replace_all(expression, " ");
    let name = Regex::new(r"[a-z][a-z0-9_:]*_[a-z0-9_:]+").unwrap();
    let functions = ["histogram_quantile"];
    let found = name.find_iter(&expression).map(|found| found.as_str()).filter(|name| !functions.contains(name));
    found.map(|name| name.strip_suffix("_bucket").unwrap_or(name).to_owned()).collect()
}

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(path("tests/monitoring")).output();
    let output = output.expect("promtool is missing: install Debian's package prometheus (.ci/packages.sh --install)");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

#[test]
fn prometheus_accepts_the_rules() {
    let said = promtool(&[
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        path(&format!("{FILES}/rules.yaml")).to_str().unwrap(),
    ]);
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn every_alert_fires_when_it_should_and_not_otherwise() {
    promtool(&["test", "rules", "rules.test.yaml"]);
    let (mut firing, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for test in yaml("tests/monitoring/rules.test.yaml")["tests"].as_array().unwrap() {
        for case in test["alert_rule_test"].as_array().unwrap() {
            let is_quiet = case["exp_alerts"].as_array().unwrap().is_empty();
            let cases = if is_quiet { &mut quiet } else { &mut firing };
            cases.insert(case["alertname"].as_str().unwrap().to_owned());
        }
    }
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!((&firing, &quiet), (&alerts, &alerts), "each alert has cases of both kinds");
}

#[test]
fn every_alert_says_how_grave_it_is_and_has_its_place_in_the_document() {
    let document = read("docs/monitoring.md");
    let headings: BTreeMap<&str, &str> = document
        .split("\n### ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .map(|(heading, text)| (heading, text.trim_start()))
        .collect();
    let alerts = alerts();
    assert_eq!(headings.keys().copied().collect::<Vec<_>>(), alerts.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, alert) in &alerts {
        let severity = alert["labels"]["severity"].as_str().unwrap();
        let expected = match severity {
            "critical" => "*Critical.*",
            "warning" => "*Warning.*",
            "info" => "*Info.*",
            other => panic!("{name}: {other}"),
        };
        assert!(headings[name.as_str()].starts_with(expected), "{name} is {severity}");
        let annotations = &alert["annotations"];
        for text in ["summary", "description"] {
            assert!(annotations[text].as_str().is_some_and(|text| text.len() > 20), "{name} has a {text}");
        }
        assert_eq!(annotations["runbook"], format!("docs/monitoring.md#{}", name.to_lowercase()));
    }
}

#[test]
fn rules_and_dashboards_ask_for_metrics_that_the_document_has() {
    let documented = tables::documented();
    let recorded: BTreeSet<String> =
        rules().iter().filter_map(|rule| Some(rule["record"].as_str()?.to_owned())).collect();
    let mut asked: BTreeSet<String> =
        rules().iter().flat_map(|rule| metrics_in(rule["expr"].as_str().unwrap())).collect();
    for (name, query) in tables::queries() {
        let metrics = metrics_in(&query);
        assert!(!metrics.is_empty(), "{name}: {query}");
        asked.extend(metrics);
    }
    let unknown: Vec<&String> =
        asked.iter().filter(|name| !documented.contains_key(*name) && !recorded.contains(*name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_dashboard_is_one_that_grafana_reads() {
    for (name, dashboard) in tables::dashboards() {
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["type"], "datasource", "{name}");
        assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36), "{name}");
        assert!(dashboard["uid"].is_string() && dashboard["title"].is_string() && dashboard["id"].is_null(), "{name}");
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}: no two panels have one id");
        let rows = panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap());
        let rows: Vec<&str> = rows.collect();
        assert!(rows[0].starts_with("Business") && rows[1].starts_with("Machine"), "{rows:?}");
        let mut taken = BTreeSet::new();
        for panel in panels {
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
            for (row, column) in (place("y")..place("y") + place("h"))
                .flat_map(|y| (place("x")..place("x") + place("w")).map(move |x| (y, x)))
            {
                assert!(taken.insert((row, column)), "{} lies over another", panel["title"]);
            }
            if panel["type"] == "row" {
                continue;
            }
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
        }
    }
}

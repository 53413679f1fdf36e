//! What docs/monitoring.md says of metrics, and what the dashboards ask for.

use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The name, the type, and the labels of each metric in the tables of the document.
pub fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/monitoring.md")).unwrap();
    let code = Regex::new("`([^`]+)`").unwrap();
    let quoted = |cell: &str| code.captures_iter(cell).map(|found| found[1].to_owned()).collect::<BTreeSet<String>>();
    let mut metrics = BTreeMap::new();
    for line in document.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[names, kind, labels, _] = cells.as_slice() else { continue };
        if !["counter", "gauge", "histogram"].contains(&kind) {
            continue;
        }
        for name in quoted(names) {
            let before = metrics.insert(name, (kind.to_owned(), quoted(labels)));
            assert!(before.is_none(), "{line}");
        }
    }
    metrics
}

/// The dashboards, by the names of their files.
pub fn dashboards() -> BTreeMap<String, Value> {
    let folder = Path::new(ROOT).join("charts/entitlement-operator/files/dashboards");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: &Path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read(&path))).collect()
}

/// Every query of the dashboards, with what it is for.
pub fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{name}: {}", panel["title"].as_str().unwrap());
                queries.push((place, target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    queries
}

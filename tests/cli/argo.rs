//! The health checks of `examples/gitops/argocd`: one source, and what is made of it.

use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gitops/argocd");
/// An `OverrideDecision` has no status.
const KINDS: [&str; 8] = [
    "FacetDefinition",
    "EntitlementDefinition",
    "EntitlementPlan",
    "Organization",
    "EntitlementInstance",
    "EntitlementSubscription",
    "EntitlementOverride",
    "EntitlementUsage",
];

const CONFIG_MAP: &str = "\
# The health checks of health/, as they are added to Argo CD's configuration:
#   kubectl patch configmap argocd-cm --namespace argocd --patch-file argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/part-of: argocd
data:
";
const VALUES: &str = "\
# The health checks of health/, as values of the Helm chart argo-cd.
configs:
  cm:
";

/// The key of each kind in Argo CD's configuration, and its health check.
fn checks() -> BTreeMap<String, String> {
    let read = |kind: &str| {
        let name = format!("entitlements.dev_{kind}");
        let script = fs::read_to_string(format!("{EXAMPLE}/health/{name}.lua")).unwrap();
        (format!("resource.customizations.health.{name}"), script)
    };
    KINDS.into_iter().map(read).collect()
}

fn made(head: &str, indent: &str) -> String {
    let mut text = head.to_owned();
    for (key, script) in checks() {
        let _ = writeln!(text, "{indent}{key}: |");
        for line in script.lines() {
            let _ = writeln!(text, "{}", format!("{indent}  {line}").trim_end());
        }
    }
    text
}

fn assert_made(name: &str, expected: &str) -> Value {
    let path = Path::new(EXAMPLE).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is not what health/ gives: run UPDATE_GOLDEN=1 cargo test --test cli argo");
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn the_health_checks_of_argo_cd_have_one_source() {
    let files = fs::read_dir(format!("{EXAMPLE}/health")).unwrap().count();
    assert_eq!(files, KINDS.len(), "each kind has a health check");
    let config_map = assert_made("argocd-cm.yaml", &made(CONFIG_MAP, "  "));
    let values = assert_made("values.yaml", &made(VALUES, "    "));
    let expected = serde_json::to_value(checks()).unwrap();
    assert_eq!(config_map["data"], expected);
    assert_eq!(values["configs"]["cm"], expected);
}

//! Names in tenants' namespaces that somebody else keeps, and would fight for.

use crate::api::entitlement_definition::OutputKind;

/// ConfigMaps that a controller keeps in every namespace, with who does.
const CONFIG_MAPS: [(&str, &str); 4] = [
    ("kube-root-ca.crt", "Kubernetes"),
    ("openshift-service-ca.crt", "OpenShift"),
    ("istio-ca-root-cert", "Istio"),
    ("istio-ca-crl", "Istio"),
];

/// How the names of Secrets begin that a program keeps in every namespace, with which does.
const SECRETS: [(&str, &str); 2] = [("sh.helm.release.v1.", "Helm"), ("bootstrap-token-", "Kubernetes")];

/// Who keeps an object of that kind and name in namespaces, so that an output must not have it.
#[must_use]
pub fn keeper(kind: OutputKind, name: &str) -> Option<&'static str> {
    match kind {
        OutputKind::ConfigMap => CONFIG_MAPS.iter().find(|(reserved, _)| *reserved == name).map(|(_, keeper)| *keeper),
        OutputKind::Secret => SECRETS.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, keeper)| *keeper),
    }
}

#[cfg(test)]
mod tests {
    use super::keeper;
    use crate::api::entitlement_definition::OutputKind;
    use rstest::rstest;

    #[rstest]
    #[case(OutputKind::ConfigMap, "kube-root-ca.crt", Some("Kubernetes"))]
    #[case(OutputKind::ConfigMap, "openshift-service-ca.crt", Some("OpenShift"))]
    #[case(OutputKind::ConfigMap, "istio-ca-root-cert", Some("Istio"))]
    #[case(OutputKind::Secret, "sh.helm.release.v1.app.v1", Some("Helm"))]
    #[case(OutputKind::Secret, "kube-root-ca.crt", None)]
    #[case(OutputKind::ConfigMap, "kube-root-ca.crt.mine", None)]
    #[case(OutputKind::ConfigMap, "entitlements", None)]
    fn names_that_others_keep_are_known(#[case] kind: OutputKind, #[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(keeper(kind, name), expected);
    }
}

//! Everything that a cluster needs, in the order in which it is applied.

use super::{
    NAME, OPERATOR_NAMESPACE, availability, network, registration,
    rights::{ApiCertificate, Duties, Webhook, rights},
    roles, workload,
};
use crate::{
    api::ASSIGNMENT_NAMESPACE,
    api::crd,
    core::{approval::ApprovalGuard, namespace::is_set_apart, served::ServedNamespaces},
};
use k8s_openapi::{Metadata, Resource, api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Serialize;
use serde_json::{Value, json};

/// The Pod Security Standard that the operator's pod keeps to.
const POD_SECURITY: [&str; 3] = ["enforce", "audit", "warn"];

/// How the operator is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    namespace: String,
    image: String,
    webhook: bool,
    api: bool,
    served: ServedNamespaces,
    read_only: bool,
}

/// It cannot be installed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operator needs a namespace of its own, and {0} is not: leave --namespace out, or name one that is")]
pub struct InvalidInstallation(String);

impl Installation {
    /// In that namespace, from that image, with the webhook or without.
    ///
    /// # Errors
    /// The namespace is not one of the operator's own.
    pub fn new(namespace: &str, image: &str, webhook: bool) -> Result<Self, InvalidInstallation> {
        if is_set_apart(namespace) || namespace == "default" {
            return Err(InvalidInstallation(namespace.to_owned()));
        }
        let (namespace, image) = (namespace.to_owned(), image.to_owned());
        Ok(Self { namespace, image, webhook, api: false, served: ServedNamespaces::default(), read_only: false })
    }

    /// The same that answers checks, if that is wanted.
    #[must_use]
    pub fn answering_checks(self, api: bool) -> Self {
        Self { api, ..self }
    }

    /// The same, restricted to namespaces, or to reading.
    #[must_use]
    pub fn restricted(self, served: ServedNamespaces, read_only: bool) -> Self {
        Self { served, read_only, ..self }
    }

    /// What the operator does.
    fn duties(&self) -> Duties {
        // The installation makes the registration, so that what removes the one removes the other.
        let webhook = self.webhook.then(|| Webhook { configuration: cluster_name(&self.namespace), registers: false });
        let checks = self.api.then_some(ApiCertificate::Own);
        Duties { webhook, checks, served: self.served.clone(), read_only: self.read_only }
    }

    /// Namespaces first, then the kinds with the policies that protect approvals, then who may do what, then who does it.
    ///
    /// # Errors
    /// When an object has no JSON, which plain data always has.
    pub fn objects(&self) -> Result<Vec<Value>, serde_json::Error> {
        let namespace = self.namespace.as_str();
        let name = cluster_name(namespace);
        let duties = self.duties();
        let rights = rights(&duties);
        let mut objects = vec![json(&own_namespace(namespace))?, of_grants()?];
        for crd in crd::all() {
            objects.push(json(&crd)?);
        }
        objects.extend(ApprovalGuard::all().map(ApprovalGuard::object));
        objects.push(json(&workload::account(namespace))?);
        let (role, binding) = roles::everywhere(&rights, &name, namespace);
        objects.extend([json(&role)?, json(&binding)?]);
        let (role, binding) = roles::at_home(&rights, namespace);
        objects.extend([json(&role)?, json(&binding)?]);
        for (role, binding) in roles::within(&rights, &name, namespace) {
            objects.extend([json(&role)?, json(&binding)?]);
        }
        for role in roles::people() {
            objects.push(json(&role)?);
        }
        objects.push(json(&roles::service_desk_at_home(namespace))?);
        objects.push(json(&availability::priority_level(&name))?);
        objects.push(json(&availability::flow(&name, namespace))?);
        objects.push(json(&availability::flow_of_leases(&name, namespace))?);
        objects.push(json(&network::policy(namespace, &duties))?);
        objects.push(json(&network::metrics(namespace))?);
        if self.webhook {
            objects.push(json(&network::webhook(namespace))?);
        }
        if self.api {
            objects.push(json(&network::api(namespace))?);
        }
        objects.push(json(&availability::disruption_budget(namespace))?);
        objects.push(json(&workload::deployment(namespace, &self.image, &duties))?);
        if self.webhook {
            objects.push(json(&registration::configuration(&name, namespace))?);
        }
        Ok(objects)
    }
}

/// The name of the installation's objects that have no namespace, and belong to it alone.
#[must_use]
pub fn cluster_name(namespace: &str) -> String {
    if namespace == OPERATOR_NAMESPACE { NAME.to_owned() } else { format!("{NAME}-{namespace}") }
}

/// The operator's own namespace.
#[must_use]
pub fn own_namespace(name: &str) -> Namespace {
    let mut metadata = roles::metadata(None, name);
    let labels = metadata.labels.get_or_insert_default();
    for mode in POD_SECURITY {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
    }
    Namespace { metadata, ..Namespace::default() }
}

/// Where grants are made. Other tools may have more to say of it.
fn of_grants() -> Result<Value, serde_json::Error> {
    let metadata = ObjectMeta { name: Some(ASSIGNMENT_NAMESPACE.to_owned()), ..ObjectMeta::default() };
    json(&Namespace { metadata, ..Namespace::default() })
}

/// As it is applied: nobody says what a status is.
fn json<K: Resource + Metadata + Serialize>(object: &K) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(object)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    debug_assert_eq!(value["kind"], json!(K::KIND));
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{Installation, ServedNamespaces};
    use rstest::rstest;
    use serde_json::Value;

    fn names(installation: &Installation) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let objects = installation.objects().unwrap();
        objects
            .iter()
            .map(|object| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"])))
            .collect()
    }

    #[test]
    fn everything_is_there_in_its_order() {
        assert_eq!(
            names(&Installation::new("entitlement-operator", "an/image:1", true).unwrap()),
            [
                "Namespace entitlement-operator",
                "Namespace entitlements",
                "CustomResourceDefinition organizations.entitlements.dev",
                "CustomResourceDefinition facetdefinitions.entitlements.dev",
                "CustomResourceDefinition entitlementdefinitions.entitlements.dev",
                "CustomResourceDefinition entitlementplans.entitlements.dev",
                "CustomResourceDefinition entitlementinstances.entitlements.dev",
                "CustomResourceDefinition entitlementsubscriptions.entitlements.dev",
                "CustomResourceDefinition entitlementoverrides.entitlements.dev",
                "CustomResourceDefinition overridedecisions.entitlements.dev",
                "CustomResourceDefinition entitlementusages.entitlements.dev",
                "ValidatingAdmissionPolicy override-requests.entitlements.dev",
                "ValidatingAdmissionPolicy override-decisions.entitlements.dev",
                "ValidatingAdmissionPolicy override-records.entitlements.dev",
                "ValidatingAdmissionPolicyBinding override-requests.entitlements.dev",
                "ValidatingAdmissionPolicyBinding override-decisions.entitlements.dev",
                "ValidatingAdmissionPolicyBinding override-records.entitlements.dev",
                "ServiceAccount entitlement-operator",
                "ClusterRole entitlement-operator",
                "ClusterRoleBinding entitlement-operator",
                "Role entitlement-operator",
                "RoleBinding entitlement-operator",
                "ClusterRole entitlements-view",
                "ClusterRole entitlements-catalogue-author",
                "ClusterRole entitlements-grant-author",
                "ClusterRole entitlements-service-desk",
                "ClusterRole entitlements-requester",
                "ClusterRole entitlements-approver",
                "ClusterRole entitlements-reporter",
                "ClusterRole entitlements-checker",
                "ClusterRole entitlements-counter",
                "ClusterRole entitlements-restorer",
                "Role entitlements-service-desk",
                "PriorityLevelConfiguration entitlement-operator",
                "FlowSchema entitlement-operator",
                "FlowSchema entitlement-operator-leases",
                "NetworkPolicy entitlement-operator",
                "Service entitlement-operator-metrics",
                "Service entitlement-operator",
                "PodDisruptionBudget entitlement-operator",
                "Deployment entitlement-operator",
                "ValidatingWebhookConfiguration entitlement-operator",
            ]
        );
    }

    #[test]
    fn two_installations_share_no_rights() {
        let first = Installation::new("entitlement-operator", "an/image:1", false).unwrap().objects().unwrap();
        let second = Installation::new("billing", "an/image:1", false).unwrap();
        let shared: Vec<String> = second
            .objects()
            .unwrap()
            .iter()
            .filter(|object| first.contains(object))
            .map(|object| {
                format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
            })
            .collect();
        assert!(shared.iter().all(|one| !one.ends_with(" entitlement-operator")), "{shared:?}");
        assert!(names(&second).contains(&"ClusterRoleBinding entitlement-operator-billing".to_owned()));
    }

    fn restricted(namespaces: &[&str], secrets: &[&str], read_only: bool) -> Installation {
        let served = ServedNamespaces::new(namespaces, secrets, "entitlement-operator").unwrap();
        Installation::new("entitlement-operator", "an/image:1", false).unwrap().restricted(served, read_only)
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// The namespaces with a Role, and the operator's arguments.
    fn roles_and_arguments(installation: &Installation) -> (Vec<String>, Vec<String>) {
        let objects = installation.objects().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let roles = objects
            .iter()
            .filter(|object| object["kind"] == "Role" && object["metadata"]["name"] != "entitlements-service-desk");
        let roles = roles.map(|role| text(&role["metadata"]["namespace"])).collect();
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        (roles, container["args"].as_array().unwrap().iter().map(text).collect())
    }

    #[rstest]
    #[case::everywhere(&[], &[], false, &["entitlement-operator"], &[])]
    #[case::secrets(&[], &["b", "a"], false, &["entitlement-operator", "a", "b"], &["--secret-namespaces=a,b"])]
    #[case::all(&["b", "a"], &[], false, &["entitlement-operator", "a", "b"], &["--namespaces=a,b"])]
    #[case::both(
        &["b", "a"], &["a"], true, &["entitlement-operator", "a", "b"],
        &["--namespaces=a,b", "--secret-namespaces=a", "--read-only"]
    )]
    fn restrictions_are_roles_and_arguments(
        #[case] namespaces: &[&str],
        #[case] secrets: &[&str],
        #[case] read_only: bool,
        #[case] roles: &[&str],
        #[case] arguments: &[&str],
    ) {
        let (found, said) = roles_and_arguments(&restricted(namespaces, secrets, read_only));
        assert_eq!((found.as_slice(), &said[3..]), (strings(roles).as_slice(), strings(arguments).as_slice()));
    }

    #[rstest]
    #[case("entitlements")]
    #[case("kube-system")]
    #[case("default")]
    fn the_namespace_is_the_operators_own(#[case] namespace: &str) {
        let error = Installation::new(namespace, "an/image:1", false).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the operator needs a namespace of its own, and {namespace} is not: leave --namespace out, or name one that is"
            )
        );
    }
}

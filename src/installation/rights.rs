//! What the operator asks of the API server, and why: the one list.

use super::{NAME, WEBHOOK_SECRET};
use crate::api::{ASSIGNMENT_NAMESPACE, GROUP, crd};

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightScope {
    /// In all namespaces, or of what has none.
    Cluster,
    /// In the operator's own namespace.
    Own,
}

/// What goes without a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the operator waits for it.
    Work,
    /// What clients are entitled to is delivered, but something beside it is not done.
    Comfort,
}

/// A right that the operator needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRight {
    /// Where.
    pub place: RightScope,
    /// The API group; empty for the core's.
    pub group: &'static str,
    /// The resource in the plural, perhaps with a subresource.
    pub resource: &'static str,
    /// What is done with it.
    pub verbs: &'static [&'static str],
    /// The only objects that it is done with; none: all.
    pub names: Vec<String>,
    /// What for.
    pub why: &'static str,
    /// What goes without.
    pub need: Need,
}

/// How the webhook is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The name of its ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Whether the operator makes that.
    pub registers: bool,
}

const ALL: &[&str] = &[];
const EVENTS: &str = "events.k8s.io";
const COORDINATION: &str = "coordination.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const REGISTRATION: &str = "validatingwebhookconfigurations";

/// All rights that the operator needs, with its webhook or without.
#[must_use]
pub fn rights(webhook: Option<&Webhook>) -> Vec<AccessRight> {
    let mut rights = work();
    rights.extend(comfort());
    rights.extend(webhook.into_iter().flat_map(for_webhook));
    rights
}

fn right(
    place: RightScope,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> AccessRight {
    let names = ALL.iter().map(ToString::to_string).collect();
    AccessRight { place, group, resource, verbs, names, why: "", need: Need::Work }
}

impl AccessRight {
    fn to(self, why: &'static str) -> Self {
        Self { why, ..self }
    }

    fn only(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), ..self }
    }

    fn comforting(self) -> Self {
        Self { need: Need::Comfort, ..self }
    }
}

/// What there is no work without. What is done in the operator's own namespace with ConfigMaps and Secrets is covered by what
/// is done with them everywhere.
fn work() -> Vec<AccessRight> {
    use RightScope::{Cluster, Own};
    const WATCH: &[&str] = &["list", "watch"];
    const STATUS: &str = "to say on each what came of it";
    vec![
        right(Cluster, GROUP, "organizations", WATCH).to("to know the clients"),
        right(Cluster, GROUP, "facetdefinitions", WATCH).to("to know the catalogue"),
        right(Cluster, GROUP, "entitlementdefinitions", WATCH).to("to know the catalogue"),
        right(Cluster, GROUP, "entitlementinstances", &["get", "list", "watch"]).to("to know the grants"),
        right(Cluster, GROUP, "organizations/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "facetdefinitions/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "entitlementdefinitions/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "entitlementinstances/status", &["patch"]).to(STATUS),
        right(Cluster, "", "namespaces", WATCH).to("to know which namespaces there are"),
        right(Cluster, "", "namespaces", &["patch"])
            .only([ASSIGNMENT_NAMESPACE])
            .to("to mark there that it works on the cluster, so that no second one does"),
        right(Cluster, "", "configmaps", &["get", "list", "watch", "create", "patch", "delete"])
            .to("to deliver outputs, put them right, and withdraw them"),
        right(Cluster, "", "secrets", &["get", "list", "watch", "create", "patch", "delete"])
            .to("the same, and to read the Secrets that grants name"),
        right(Own, "apps", "controllerrevisions", &["list", "watch", "create", "patch", "delete"])
            .to("to keep the last valid states of the catalogue"),
        // What is to be created has no name yet, as far as rights go.
        right(Own, COORDINATION, "leases", &["create"]).to("to make the Lease by which replicas choose who works"),
        right(Own, COORDINATION, "leases", &["get", "watch", "update"])
            .only([NAME])
            .to("to hold that Lease, and to see at once when it is free"),
    ]
}

fn comfort() -> Vec<AccessRight> {
    let kinds = crd::all().into_iter().filter_map(|crd| crd.metadata.name);
    vec![
        right(RightScope::Cluster, EVENTS, "events", &["create"]).to("to tell of what happens").comforting(),
        right(RightScope::Cluster, "apiextensions.k8s.io", "customresourcedefinitions", &["get"])
            .only(kinds)
            .to("to see whether they are those of this version")
            .comforting(),
    ]
}

/// What the webhook takes besides. It is comfort as a whole.
fn for_webhook(webhook: &Webhook) -> Vec<AccessRight> {
    const NAMED: &str = "to look up what a refused request names";
    let get = |resource| right(RightScope::Cluster, GROUP, resource, &["get"]).to(NAMED);
    let mut rights = vec![
        get("organizations"),
        get("facetdefinitions"),
        get("entitlementdefinitions"),
        right(RightScope::Own, "", "secrets", &["update"])
            .only([WEBHOOK_SECRET])
            .to("to renew the webhook's certificate"),
        right(RightScope::Cluster, ADMISSION, REGISTRATION, &["list", "watch", "update"])
            .only([webhook.configuration.as_str()])
            .to("to keep the webhook's registration"),
    ];
    if webhook.registers {
        rights.push(
            right(RightScope::Cluster, ADMISSION, REGISTRATION, &["create"]).to("to make the webhook's registration"),
        );
    }
    rights.into_iter().map(AccessRight::comforting).collect()
}

#[cfg(test)]
mod tests {
    use super::{Webhook, rights};

    fn all() -> Vec<super::AccessRight> {
        rights(Some(&Webhook { configuration: "entitlement-operator".to_owned(), registers: true }))
    }

    #[test]
    fn nothing_is_granted_wholesale() {
        for right in all() {
            let parts = right.verbs.iter().chain([&right.group, &right.resource]);
            assert!(parts.into_iter().all(|part| !part.contains('*')), "{right:?}");
            assert!(right.why.starts_with("to ") || right.why.starts_with("the same"), "{right:?}");
        }
    }

    #[test]
    fn no_right_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for right in all() {
            for verb in right.verbs {
                assert!(seen.insert((right.group, right.resource, *verb)), "{verb} {right:?}");
            }
        }
    }

    #[test]
    fn the_webhook_takes_more() {
        let without = rights(None).len();
        let given = Webhook { configuration: "a".to_owned(), registers: false };
        assert_eq!(rights(Some(&given)).len(), without + 5);
        assert_eq!(all().len(), without + 6);
    }
}

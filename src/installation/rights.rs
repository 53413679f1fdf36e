//! What the operator asks of the API server, and why: the one list.

use super::{API_SECRET, AUTHORITY_CONFIG_MAP, NAME, STORE_NOTE, WEBHOOK_SECRET};
use crate::{
    api::{ASSIGNMENT_NAMESPACE, GROUP, crd},
    core::served::{NamespaceSet, ServedNamespaces},
};
use std::{collections::BTreeSet, sync::Arc};

/// Where a right is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightScope {
    /// In all namespaces, or of what has none.
    Cluster,
    /// In the operator's own namespace.
    Own,
    /// In each of these namespaces.
    Within(BTreeSet<Arc<str>>),
}

impl RightScope {
    fn of(namespaces: &NamespaceSet) -> Self {
        namespaces.names().map_or(Self::Cluster, |names| Self::Within(names.clone()))
    }
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
    pub verbs: Vec<&'static str>,
    /// The only objects that it is done with; none: all.
    pub names: Vec<String>,
    /// What for.
    pub why: &'static str,
    /// What goes without.
    pub need: Need,
}

/// What the operator does, as far as it takes rights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    /// It serves a webhook.
    pub webhook: Option<Webhook>,
    /// It answers checks, with such a certificate.
    pub checks: Option<ApiCertificate>,
    /// Where it works.
    pub served: ServedNamespaces,
    /// It only reads.
    pub read_only: bool,
}

impl Duties {
    /// The flags by which the operator, and what `manifests` prints for it, are restricted so.
    #[must_use]
    pub fn restrictions(&self) -> Vec<String> {
        let flag = |name: &str, namespaces: &NamespaceSet| {
            let names: Vec<&str> = namespaces.names()?.iter().map(AsRef::as_ref).collect();
            Some(format!("--{name}={}", names.join(",")))
        };
        let secrets = Some(self.served.secrets()).filter(|secrets| *secrets != self.served.all());
        let namespaces = flag("namespaces", self.served.all());
        let secrets = secrets.and_then(|secrets| flag("secret-namespaces", secrets));
        namespaces.into_iter().chain(secrets).chain(self.read_only.then(|| "--read-only".to_owned())).collect()
    }

    /// The same as the end of a command line; empty where there is no restriction.
    #[must_use]
    pub fn restrictions_appended(&self) -> String {
        self.restrictions().into_iter().flat_map(|flag| [" ".to_owned(), flag]).collect()
    }
}

/// Whose the certificate is that checks are answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiCertificate {
    /// The operator makes it, and keeps it.
    Own,
    /// Somebody else's, or there is none.
    Given,
}

/// How the webhook is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The name of its ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Whether the operator makes that.
    pub registers: bool,
}

const EVENTS: &str = "events.k8s.io";
const COORDINATION: &str = "coordination.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const REGISTRATION: &str = "validatingwebhookconfigurations";
const PROTECTED: &str = "to see that nobody can ask for exceptions, or approve them, in another's name";

/// What changes nothing.
const READING: [&str; 3] = ["get", "list", "watch"];

/// All rights that the operator needs for what it does.
#[must_use]
pub fn rights(duties: &Duties) -> Vec<AccessRight> {
    let mut rights = work(&duties.served);
    rights.extend(at_home(duties));
    rights.extend(comfort());
    rights.extend(duties.webhook.iter().flat_map(for_webhook));
    if duties.read_only {
        // It takes the work from nobody.
        rights.retain(|right| right.group != COORDINATION);
        for right in &mut rights {
            right.verbs.retain(|verb| READING.contains(verb));
        }
        rights.retain(|right| !right.verbs.is_empty());
    }
    // Reviews change nothing, though they are made.
    rights.extend(duties.checks.into_iter().flat_map(for_checks));
    rights
}

fn right(
    place: RightScope,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
) -> AccessRight {
    AccessRight { place, group, resource, verbs: verbs.to_vec(), names: Vec::new(), why: "", need: Need::Work }
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

/// What there is no work without.
fn work(served: &ServedNamespaces) -> Vec<AccessRight> {
    use RightScope::{Cluster, Own};
    const WATCH: &[&str] = &["list", "watch"];
    const OUTPUTS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
    const STATUS: &str = "to say on each what came of it";
    let served_by_all = || RightScope::of(served.all());
    vec![
        right(Cluster, GROUP, "organizations", WATCH).to("to know the clients"),
        right(Cluster, GROUP, "facetdefinitions", WATCH).to("to know the catalogue"),
        right(Cluster, GROUP, "entitlementdefinitions", WATCH).to("to know the catalogue"),
        right(Cluster, GROUP, "entitlementplans", WATCH).to("to know the catalogue"),
        right(served_by_all(), GROUP, "entitlementinstances", &["get", "list", "watch"]).to("to know the grants"),
        right(served_by_all(), GROUP, "entitlementsubscriptions", &["get", "list", "watch"]).to("to know the grants"),
        right(served_by_all(), GROUP, "entitlementoverrides", &["get", "list", "watch"]).to("to know the grants"),
        right(served_by_all(), GROUP, "overridedecisions", WATCH).to("to know what was decided of overrides"),
        right(served_by_all(), GROUP, "entitlementusages", &["get", "list", "watch"]).to("to know what was used"),
        right(Cluster, GROUP, "organizations/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "facetdefinitions/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "entitlementdefinitions/status", &["patch"]).to(STATUS),
        right(Cluster, GROUP, "entitlementplans/status", &["patch"]).to(STATUS),
        right(served_by_all(), GROUP, "entitlementinstances/status", &["patch"]).to(STATUS),
        right(served_by_all(), GROUP, "entitlementsubscriptions/status", &["patch"]).to(STATUS),
        right(served_by_all(), GROUP, "entitlementoverrides/status", &["patch"]).to(STATUS),
        right(served_by_all(), GROUP, "entitlementusages/status", &["patch"]).to(STATUS),
        right(served_by_all(), GROUP, "entitlementoverrides", &["record"]).to("to say what was decided of overrides"),
        right(Cluster, "", "namespaces", WATCH).to("to know which namespaces there are"),
        right(Cluster, "", "namespaces", &["patch"])
            .only([ASSIGNMENT_NAMESPACE])
            .to("to mark there that it works on the cluster, so that no second one does"),
        right(served_by_all(), "", "configmaps", OUTPUTS).to("to deliver outputs, put them right, and withdraw them"),
        right(RightScope::of(served.secrets()), "", "secrets", OUTPUTS)
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

/// What is done with ConfigMaps and Secrets in the operator's own namespace, where that is not covered by what is done with them
/// everywhere.
fn at_home(duties: &Duties) -> Vec<AccessRight> {
    const SAID: &str = "to say which time zone data is used, and to note which store is";
    const AUTHORITY: &str = "to tell by which authority the certificate of the API for checks is trusted";
    const CERTIFICATE: &str = "to keep the certificates that it makes";
    let own = |resource, verbs| right(RightScope::Own, "", resource, verbs);
    let makes_one_for_checks = duties.checks == Some(ApiCertificate::Own);
    let mut rights = Vec::new();
    if duties.served.all().names().is_some() {
        rights.push(own("configmaps", &["get", "patch"]).only([NAME, STORE_NOTE]).to(SAID));
        rights.push(own("configmaps", &["create"]).to(SAID));
        if makes_one_for_checks {
            rights.push(own("configmaps", &["list", "watch", "patch"]).only([AUTHORITY_CONFIG_MAP]).to(AUTHORITY));
        }
    }
    let webhook = duties.webhook.is_some().then_some(WEBHOOK_SECRET);
    let names: Vec<&str> = webhook.into_iter().chain(makes_one_for_checks.then_some(API_SECRET)).collect();
    if duties.served.secrets().names().is_some() && !names.is_empty() {
        rights.push(own("secrets", &["get", "list", "watch", "delete"]).only(names).to(CERTIFICATE));
        rights.push(own("secrets", &["create"]).to(CERTIFICATE));
    }
    rights.into_iter().map(AccessRight::comforting).collect()
}

fn comfort() -> Vec<AccessRight> {
    let kinds = crd::all().into_iter().filter_map(|crd| crd.metadata.name);
    vec![
        right(RightScope::Cluster, EVENTS, "events", &["create"]).to("to tell of what happens").comforting(),
        right(RightScope::Cluster, "apiextensions.k8s.io", "customresourcedefinitions", &["get"])
            .only(kinds)
            .to("to see whether they are those of this version")
            .comforting(),
        right(RightScope::Cluster, ADMISSION, "validatingadmissionpolicies", &["list", "watch"])
            .to(PROTECTED)
            .comforting(),
        right(RightScope::Cluster, ADMISSION, "validatingadmissionpolicybindings", &["list", "watch"])
            .to(PROTECTED)
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
        get("entitlementplans"),
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

/// What answering checks takes besides. It is comfort as a whole.
fn for_checks(certificate: ApiCertificate) -> Vec<AccessRight> {
    let review = |group, resource| right(RightScope::Cluster, group, resource, &["create"]);
    let mut rights = vec![
        review("authentication.k8s.io", "tokenreviews").to("to know who asks the API for checks"),
        review("authorization.k8s.io", "subjectaccessreviews").to("to know what they may ask it"),
    ];
    if certificate == ApiCertificate::Own {
        rights.push(
            right(RightScope::Own, "", "secrets", &["update"])
                .only([API_SECRET])
                .to("to renew the certificate of the API for checks"),
        );
    }
    rights.into_iter().map(AccessRight::comforting).collect()
}

#[cfg(test)]
mod tests {
    use super::{AccessRight, ApiCertificate, Duties, RightScope, ServedNamespaces, Webhook, rights};

    fn webhook(registers: bool) -> Webhook {
        Webhook { configuration: "entitlement-operator".to_owned(), registers }
    }

    fn all() -> Vec<AccessRight> {
        rights(&Duties { webhook: Some(webhook(true)), ..Duties::default() })
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
            for verb in &right.verbs {
                assert!(seen.insert((right.group, right.resource, *verb)), "{verb} {right:?}");
            }
        }
    }

    #[test]
    fn the_webhook_takes_more() {
        let without = rights(&Duties::default()).len();
        assert_eq!(rights(&Duties { webhook: Some(webhook(false)), ..Duties::default() }).len(), without + 6);
        assert_eq!(all().len(), without + 7);
    }

    #[test]
    fn answering_checks_takes_more() {
        let count = |checks| rights(&Duties { checks, ..Duties::default() }).len();
        let (without, given, own) = (count(None), count(Some(ApiCertificate::Given)), count(Some(ApiCertificate::Own)));
        assert_eq!((given, own), (without + 2, without + 3));
    }

    #[test]
    fn where_it_is_restricted_it_keeps_its_own_certificates_by_name() {
        let served = ServedNamespaces::new(&["a"], &[], "operator").unwrap();
        let duties =
            Duties { webhook: Some(webhook(false)), checks: Some(ApiCertificate::Own), served, ..Duties::default() };
        let named = |resource: &str| -> Vec<(String, Vec<&str>)> {
            let rights = rights(&duties);
            let own = rights.into_iter().filter(|right| right.place == RightScope::Own && right.resource == resource);
            own.map(|right| (right.names.join(" "), right.verbs)).collect()
        };
        assert_eq!(
            named("secrets"),
            [
                (
                    "entitlement-operator-webhook entitlement-operator-api".to_owned(),
                    vec!["get", "list", "watch", "delete"]
                ),
                (String::new(), vec!["create"]),
                ("entitlement-operator-webhook".to_owned(), vec!["update"]),
                ("entitlement-operator-api".to_owned(), vec!["update"]),
            ]
        );
        assert_eq!(named("configmaps").last().unwrap().0, "entitlement-operator-ca");
    }

    /// The resources with a right in each of some namespaces, which these are.
    fn within(rights: &[AccessRight]) -> Vec<(&str, Vec<&str>)> {
        let places = rights.iter().filter_map(|right| match &right.place {
            RightScope::Within(names) => Some((right.resource, names.iter().map(AsRef::as_ref).collect())),
            RightScope::Cluster | RightScope::Own => None,
        });
        places.collect()
    }

    fn of(rights: &[AccessRight], place: &RightScope, resource: &str) -> Vec<&'static str> {
        let its = rights.iter().filter(|right| right.place == *place && right.resource == resource);
        its.flat_map(|right| right.verbs.clone()).collect()
    }

    #[test]
    fn secrets_are_only_where_they_are_served() {
        let served = ServedNamespaces::new(&[], &["b", "a"], "operator").unwrap();
        let rights = rights(&Duties { webhook: Some(webhook(true)), served, ..Duties::default() });
        assert_eq!(within(&rights), [("secrets", vec!["a", "b"])]);
        assert_eq!(of(&rights, &RightScope::Cluster, "secrets"), Vec::<&str>::new());
        assert_eq!(
            of(&rights, &RightScope::Own, "secrets"),
            ["get", "list", "watch", "delete", "create", "update"],
            "of the webhook's certificate"
        );
        assert_eq!(of(&rights, &RightScope::Own, "configmaps"), Vec::<&str>::new(), "it has them everywhere");
    }

    #[test]
    fn all_that_has_a_namespace_is_only_in_those_that_are_served() {
        let served = ServedNamespaces::new(&["a", "b"], &["b"], "operator").unwrap();
        let rights = rights(&Duties { served, ..Duties::default() });
        let both = vec!["a", "b"];
        assert_eq!(
            within(&rights),
            [
                ("entitlementinstances", both.clone()),
                ("entitlementsubscriptions", both.clone()),
                ("entitlementoverrides", both.clone()),
                ("overridedecisions", both.clone()),
                ("entitlementusages", both.clone()),
                ("entitlementinstances/status", both.clone()),
                ("entitlementsubscriptions/status", both.clone()),
                ("entitlementoverrides/status", both.clone()),
                ("entitlementusages/status", both.clone()),
                ("entitlementoverrides", both.clone()),
                ("configmaps", both),
                ("secrets", vec!["b"])
            ]
        );
        assert_eq!(of(&rights, &RightScope::Own, "configmaps"), ["get", "patch", "create"]);
        assert_eq!(of(&rights, &RightScope::Own, "secrets"), Vec::<&str>::new(), "there is no webhook");
    }

    #[test]
    fn who_only_reads_has_no_right_to_write() {
        let served = ServedNamespaces::new(&["a"], &[], "operator").unwrap();
        for served in [ServedNamespaces::default(), served] {
            let rights = rights(&Duties { served, read_only: true, ..Duties::default() });
            let verbs: std::collections::BTreeSet<&str> = rights.iter().flat_map(|right| right.verbs.clone()).collect();
            assert_eq!(verbs, ["get", "list", "watch"].into());
            let of_who_works = ["events", "leases"];
            assert!(rights.iter().all(|right| !right.verbs.is_empty() && !of_who_works.contains(&right.resource)));
        }
    }
}

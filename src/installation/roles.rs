//! The roles of the operator, made from the list of its rights, and those for people.

use super::{
    APP, NAME,
    rights::{AccessRight, RightScope},
};
use crate::api::{ASSIGNMENT_NAMESPACE, GROUP};
use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const RBAC: &str = "rbac.authorization.k8s.io";
/// Kubernetes adds the rules of what is labelled so to its role `view`, and those of `view` to `edit` and `admin`.
const AGGREGATE_TO_VIEW: (&str, &str) = ("rbac.authorization.k8s.io/aggregate-to-view", "true");

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete"];
const CATALOGUE: &[&str] = &["facetdefinitions", "entitlementdefinitions", "entitlementplans"];
const GRANTS: &[&str] = &["entitlementinstances", "entitlementsubscriptions"];
/// Exceptions, and the decisions on them.
const OVERRIDES: &[&str] = &["entitlementoverrides", "overridedecisions"];
const KINDS: &[&str] = &[
    "organizations",
    "facetdefinitions",
    "entitlementdefinitions",
    "entitlementplans",
    "entitlementinstances",
    "entitlementsubscriptions",
    "entitlementoverrides",
    "overridedecisions",
    "entitlementusages",
];

/// Metadata of an object of the installation.
pub fn metadata(namespace: Option<&str>, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        labels: Some(BTreeMap::from([(APP.0.to_owned(), APP.1.to_owned())])),
        ..ObjectMeta::default()
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// The rules that give rights: one for all resources of a group that the same is done with.
fn rules<'a>(rights: impl Iterator<Item = &'a AccessRight>) -> Vec<PolicyRule> {
    let mut rules: Vec<PolicyRule> = Vec::new();
    for right in rights {
        let names = (!right.names.is_empty()).then(|| right.names.clone());
        let (groups, verbs) = (Some(texts(&[right.group])), texts(&right.verbs));
        let same =
            |rule: &&mut PolicyRule| rule.api_groups == groups && rule.verbs == verbs && rule.resource_names == names;
        if let Some(rule) = rules.iter_mut().find(same) {
            rule.resources.get_or_insert_default().push(right.resource.to_owned());
            continue;
        }
        rules.push(PolicyRule {
            api_groups: groups,
            resources: Some(texts(&[right.resource])),
            resource_names: names,
            verbs,
            ..PolicyRule::default()
        });
    }
    rules
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: RBAC.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn account(namespace: &str) -> Vec<Subject> {
    vec![Subject {
        kind: "ServiceAccount".to_owned(),
        name: NAME.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    }]
}

/// What the operator may do everywhere. Two operators in two namespaces must not take each other's rights, so the names of
/// what has no namespace differ.
pub fn everywhere(rights: &[AccessRight], name: &str, namespace: &str) -> (ClusterRole, ClusterRoleBinding) {
    let role = ClusterRole {
        metadata: metadata(None, name),
        rules: Some(rules(rights.iter().filter(|right| right.place == RightScope::Cluster))),
        ..ClusterRole::default()
    };
    let binding = ClusterRoleBinding {
        metadata: metadata(None, name),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(account(namespace)),
    };
    (role, binding)
}

/// What the operator may do in its own namespace.
pub fn at_home(rights: &[AccessRight], namespace: &str) -> (Role, RoleBinding) {
    in_namespace(rights.iter().filter(|right| right.place == RightScope::Own), namespace, NAME, namespace)
}

/// What the operator may do in each of the namespaces that it is restricted to. They are named as what it may do everywhere is.
pub fn within(rights: &[AccessRight], name: &str, namespace: &str) -> Vec<(Role, RoleBinding)> {
    let names = |right: &AccessRight| match &right.place {
        RightScope::Within(names) => names.clone(),
        RightScope::Cluster | RightScope::Own => BTreeSet::new(),
    };
    let all: BTreeSet<Arc<str>> = rights.iter().flat_map(names).collect();
    let role_of = |place: &Arc<str>| {
        let its =
            rights.iter().filter(|right| matches!(&right.place, RightScope::Within(names) if names.contains(place)));
        in_namespace(its, place, name, namespace)
    };
    all.iter().map(role_of).collect()
}

/// A role in the namespace `place` for the operator of another.
fn in_namespace<'a>(
    rights: impl Iterator<Item = &'a AccessRight>,
    place: &str,
    name: &str,
    namespace: &str,
) -> (Role, RoleBinding) {
    let role = Role { metadata: metadata(Some(place), name), rules: Some(rules(rights)) };
    let binding = RoleBinding {
        metadata: metadata(Some(place), name),
        role_ref: role_ref("Role", name),
        subjects: Some(account(namespace)),
    };
    (role, binding)
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(texts(&[group])),
        resources: Some(texts(resources)),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

fn for_people(name: &str, description: &str, rules: Vec<PolicyRule>) -> ClusterRole {
    let mut metadata = metadata(None, name);
    metadata.annotations = Some(BTreeMap::from([("kubernetes.io/description".to_owned(), description.to_owned())]));
    ClusterRole { metadata, rules: Some(rules), ..ClusterRole::default() }
}

/// Roles for people, which nobody has until they are bound, but for reading, which goes with Kubernetes' own role `view`, and so
/// with `edit` and `admin`. None of these writes: tenants have them in their namespaces, and must not grant themselves anything.
pub fn people() -> Vec<ClusterRole> {
    let mut view = for_people(
        "entitlements-view",
        "Reads all kinds of entitlements.dev. Part of the role view, and with it of edit and admin; none of them writes.",
        vec![rule(GROUP, KINDS, READ)],
    );
    view.metadata.labels.get_or_insert_default().insert(AGGREGATE_TO_VIEW.0.to_owned(), AGGREGATE_TO_VIEW.1.to_owned());
    vec![
        view,
        for_people(
            "entitlements-catalogue-author",
            "Writes the catalogue, which decides what every client gets of every grant. Bind it in the whole cluster.",
            vec![rule(GROUP, CATALOGUE, WRITE)],
        ),
        for_people(
            "entitlements-grant-author",
            &format!(
                "Makes, changes and ends grants. Bind it in the namespaces of grants, such as {ASSIGNMENT_NAMESPACE}."
            ),
            vec![rule(GROUP, GRANTS, WRITE)],
        ),
        for_people(
            "entitlements-service-desk",
            "Reads what the command reads, but for Secrets. Bind it in the whole cluster.",
            vec![rule(GROUP, KINDS, READ), rule("", &["namespaces"], READ)],
        ),
        for_people(
            "entitlements-requester",
            &format!(
                "Asks for exceptions in their own name, and cancels them. Bind it in the namespaces of grants, such as {ASSIGNMENT_NAMESPACE}."
            ),
            vec![rule(GROUP, OVERRIDES, READ), rule(GROUP, &["entitlementoverrides"], &["create", "update", "patch"])],
        ),
        for_people(
            "entitlements-approver",
            "Decides on exceptions that others ask for, of every definition. Bind it in the whole cluster, and only to people.",
            vec![
                rule(GROUP, OVERRIDES, READ),
                rule(GROUP, &["overridedecisions"], &["create"]),
                rule(GROUP, &["entitlementdefinitions"], &["get", "list", "watch", "approve"]),
                // What it is about, and in which time zone it ends.
                rule(GROUP, &["organizations"], READ),
            ],
        ),
        for_people(
            "entitlements-reporter",
            &format!(
                "Reports what clients have used. Bind it in the namespaces from which organizations let it be reported, such as {ASSIGNMENT_NAMESPACE}."
            ),
            vec![rule(GROUP, &["entitlementusages"], WRITE)],
        ),
        for_people(
            "entitlements-checker",
            "Asks the API for checks about organizations: a backend, a portal. Bind it in the whole cluster, or make one by name.",
            vec![rule(GROUP, &["organizations"], &["check"])],
        ),
        for_people(
            "entitlements-counter",
            "Asks the API for checks, and counts uses by it: a service that serves many organizations. Bind it in the whole cluster, or \
             make one by name; never to an organization's own workloads.",
            vec![rule(GROUP, &["organizations"], &["check", "report"])],
        ),
        for_people(
            "entitlements-restorer",
            &format!(
                "Restores exceptions of others with what was decided on them, and could make them up. Bind it in the namespaces of \
                 grants, such as {ASSIGNMENT_NAMESPACE}, for as long as a restore takes."
            ),
            vec![
                rule(GROUP, OVERRIDES, READ),
                rule(GROUP, &["entitlementoverrides"], &["create", "update", "patch", "restore", "record"]),
                rule(GROUP, &["entitlementoverrides/status"], &["get", "update", "patch"]),
            ],
        ),
    ]
}

/// What the command reads in the operator's own namespace: the last valid states of the catalogue.
pub fn service_desk_at_home(namespace: &str) -> Role {
    Role {
        metadata: metadata(Some(namespace), "entitlements-service-desk"),
        rules: Some(vec![rule("apps", &["controllerrevisions"], READ)]),
    }
}

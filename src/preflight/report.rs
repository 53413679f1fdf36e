//! What is missing, as one text with the commands that mend it: pure.

use super::{
    kinds::KindFlaw,
    version::{KubernetesVersion, OLDEST},
};
use crate::{
    connection::Cause,
    controller::leadership,
    installation::{AccessRight, Duties, NAME, Need, OPERATOR_NAMESPACE, RightScope, cluster_name},
};
use std::{collections::BTreeSet, fmt::Write, sync::Arc};

/// Fields that are named.
const MOST_FIELDS: usize = 3;
/// Namespaces that are named.
const MOST_NAMESPACES: usize = 5;

/// How the operator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// What the cluster is called.
    pub cluster: String,
    /// The operator's own namespace.
    pub namespace: String,
    /// What it does.
    pub duties: Duties,
    /// Whom the API server takes the operator for, where it says that.
    pub user: Option<String>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreflightProblem {
    /// The API server cannot be asked.
    Server(Cause),
    /// The cluster's version of Kubernetes is no longer supported.
    Outdated(KubernetesVersion),
    /// A CustomResourceDefinition.
    Kind(String, KindFlaw),
    /// A namespace does not exist.
    Namespace(String),
    /// A namespace is being deleted.
    Terminating(String),
    /// Some of the verbs of a right.
    Right(AccessRight, Vec<&'static str>),
}

impl PreflightProblem {
    /// Whether the operator waits for it.
    fn blocks(&self) -> bool {
        match self {
            // What is missing in one namespace keeps nobody else waiting.
            Self::Right(right, _) => right.need == Need::Work && !matches!(right.place, RightScope::Within(_)),
            Self::Kind(_, flaw) => *flaw != KindFlaw::Differs,
            Self::Outdated(_) => false,
            Self::Server(_) | Self::Namespace(_) | Self::Terminating(_) => true,
        }
    }
}

/// All that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightReport {
    /// How the operator runs.
    pub setup: Setup,
    /// In the order in which it is mended.
    pub problems: Vec<PreflightProblem>,
    /// The namespace of another operator that works on the cluster.
    pub leader: Option<String>,
}

impl PreflightReport {
    /// Whether the operator waits.
    pub fn blocks(&self) -> bool {
        self.problems.iter().any(PreflightProblem::blocks)
    }

    /// Everything, each with the command that mends it.
    pub fn text(&self) -> String {
        let mut text = match (self.blocks(), self.problems.as_slice()) {
            (true, [PreflightProblem::Server(_)]) => "the operator waits for the API server:".to_owned(),
            (true, _) => "the operator waits until this is mended:".to_owned(),
            (false, _) => "the operator works, but for this:".to_owned(),
        };
        let mut problems = self.problems.iter().peekable();
        while let Some(problem) = problems.next() {
            let _ = write!(text, "\n- {}", self.sentence(problem));
            let commands = self.commands(problem);
            // Those that are mended alike are mended once.
            if problems.peek().is_none_or(|next| self.commands(next) != commands) {
                for command in commands {
                    let _ = write!(text, "\n    {command}");
                }
            }
        }
        if let Some(leader) = &self.leader {
            let _ = write!(text, "\n- {}", leadership::words(leader, &self.setup.namespace));
        }
        text
    }

    /// What is still missing, in one line.
    pub fn reminder(&self) -> String {
        let blocking: Vec<&PreflightProblem> = self.problems.iter().filter(|problem| problem.blocks()).collect();
        if let [PreflightProblem::Server(_)] = blocking.as_slice() {
            return format!("the operator waits still: {}", self.sentence(blocking[0]));
        }
        let count = |is: fn(&PreflightProblem) -> bool, what: &str| {
            let count = blocking.iter().filter(|problem| is(problem)).count();
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {what}{plural}"))
        };
        let counts = [
            count(|problem| matches!(problem, PreflightProblem::Kind(..)), "CustomResourceDefinition"),
            count(
                |problem| matches!(problem, PreflightProblem::Namespace(_) | PreflightProblem::Terminating(_)),
                "namespace",
            ),
            count(|problem| matches!(problem, PreflightProblem::Right(..)), "right"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        format!("the operator waits still, for what is listed above: {}", counts.join(", "))
    }

    fn sentence(&self, problem: &PreflightProblem) -> String {
        match problem {
            PreflightProblem::Server(cause) => {
                format!("the API server at {} cannot be asked: {cause}", self.setup.cluster)
            }
            PreflightProblem::Outdated(version) => {
                format!(
                    "Kubernetes {version} is older than {OLDEST}, the oldest that the operator is made for: upgrade the cluster"
                )
            }
            PreflightProblem::Kind(name, flaw) => format!("the CustomResourceDefinition {name} {}", of_flaw(flaw)),
            PreflightProblem::Namespace(name) => format!("the namespace {name} does not exist: {}", self.purpose(name)),
            PreflightProblem::Terminating(name) => {
                format!("the namespace {name} is being deleted, and has to be made anew: {}", self.purpose(name))
            }
            PreflightProblem::Right(right, verbs) => self.of_right(right, verbs),
        }
    }

    fn purpose(&self, namespace: &str) -> &'static str {
        if namespace == self.setup.namespace {
            "the operator keeps its own things there"
        } else {
            "grants are made there"
        }
    }

    fn of_right(&self, right: &AccessRight, verbs: &[&str]) -> String {
        let group = if right.group.is_empty() { String::new() } else { format!(".{}", right.group) };
        let (resource, part) = right.resource.split_once('/').map_or((right.resource, ""), |(of, part)| (of, part));
        let part = if part.is_empty() { String::new() } else { format!("/{part}") };
        let names = if right.names.is_empty() { String::new() } else { format!(" {}", right.names.join(", ")) };
        let place = match &right.place {
            RightScope::Cluster => String::new(),
            RightScope::Own => format!(" in namespace {}", self.setup.namespace),
            RightScope::Within(names) => in_namespaces(names),
        };
        format!("no right to {} {resource}{group}{part}{names}{place} ({})", verbs.join(", "), right.why)
    }

    fn commands(&self, problem: &PreflightProblem) -> Vec<String> {
        match problem {
            PreflightProblem::Server(Cause::Unauthorized | Cause::NoCredentials(_)) => {
                vec!["kubectl auth whoami    # log in again, or name another user's context with --context or KUBECONFIG".to_owned()]
            }
            PreflightProblem::Server(_) => {
                vec!["kubectl cluster-info    # or name another cluster with --context or KUBECONFIG".to_owned()]
            }
            PreflightProblem::Outdated(_) => Vec::new(),
            PreflightProblem::Kind(..) => vec!["entitlement-operator crds | kubectl apply -f -".to_owned()],
            PreflightProblem::Namespace(name) | PreflightProblem::Terminating(name) => {
                vec![format!("kubectl create namespace {name}")]
            }
            PreflightProblem::Right(..) => self.grant(),
        }
    }

    /// Gives all rights at once, to whom the operator runs as.
    fn grant(&self) -> Vec<String> {
        let Setup { namespace, duties, user, .. } = &self.setup;
        let own = format!("system:serviceaccount:{namespace}:{NAME}");
        let of_namespace =
            if namespace == OPERATOR_NAMESPACE { String::new() } else { format!(" --namespace {namespace}") };
        let with_webhook = if duties.webhook.is_some() { " --webhook" } else { "" };
        let restricted = duties.restrictions_appended();
        let manifests =
            format!("entitlement-operator manifests{of_namespace}{with_webhook}{restricted} | kubectl apply -f -");
        let Some(user) = user.as_ref().filter(|user| **user != own) else { return vec![manifests] };
        let subject = user
            .strip_prefix("system:serviceaccount:")
            .map_or_else(|| format!("--user {}", quoted(user)), |account| format!("--serviceaccount {account}"));
        let roles = cluster_name(namespace);
        let mut commands = vec![
            manifests,
            format!("kubectl create clusterrolebinding {roles}-too --clusterrole {roles} {subject}"),
            format!("kubectl create rolebinding {NAME}-too --role {NAME} {subject} --namespace {namespace}"),
        ];
        commands.extend(duties.served.named().iter().map(|place| {
            format!("kubectl create rolebinding {roles}-too --role {roles} {subject} --namespace {place}")
        }));
        commands
    }
}

fn in_namespaces(names: &BTreeSet<Arc<str>>) -> String {
    let shown: Vec<&str> = names.iter().take(MOST_NAMESPACES).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(MOST_NAMESPACES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!(" in namespace{plural} {}{more}", shown.join(", "))
}

fn of_flaw(flaw: &KindFlaw) -> String {
    match flaw {
        KindFlaw::Absent => "is not installed".to_owned(),
        KindFlaw::NotServed(why) => format!("is not served: {why}"),
        KindFlaw::Differs => "has other rules, defaults or columns than this version's".to_owned(),
        KindFlaw::Lacks(fields) => {
            let named = fields.iter().take(MOST_FIELDS).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = fields.len().saturating_sub(MOST_FIELDS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("is older than the operator: it lacks {named}{more}")
        }
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "@%+=:,./-_".contains(character);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::{PreflightProblem, PreflightReport, Setup, quoted};
    use crate::{
        connection::Cause,
        core::served::ServedNamespaces,
        installation::{AccessRight, Duties, RightScope, Webhook, rights},
        preflight::{kinds::KindFlaw, version::KubernetesVersion},
    };

    fn report(user: Option<&str>, problems: Vec<PreflightProblem>) -> PreflightReport {
        let setup = Setup {
            cluster: "https://192.0.2.1:6443".to_owned(),
            namespace: "entitlement-operator".to_owned(),
            duties: Duties::default(),
            user: user.map(str::to_owned),
        };
        PreflightReport { setup, problems, leader: None }
    }

    fn webhook() -> Webhook {
        Webhook { configuration: "entitlement-operator".to_owned(), registers: true }
    }

    fn right(resource: &str) -> AccessRight {
        rights(&Duties { webhook: Some(webhook()), ..Duties::default() })
            .into_iter()
            .find(|right| right.resource == resource)
            .unwrap()
    }

    fn kind(plural: &str, flaw: KindFlaw) -> PreflightProblem {
        PreflightProblem::Kind(format!("{plural}.entitlements.dev"), flaw)
    }

    #[test]
    fn all_that_is_missing_is_one_list_with_what_mends_it() {
        let lacks = ["spec.rollout", "status.amount", "status.a", "status.b", "status.c"].map(str::to_owned).to_vec();
        let found = report(
            Some("system:serviceaccount:entitlement-operator:entitlement-operator"),
            vec![
                kind("organizations", KindFlaw::Absent),
                kind("facetdefinitions", KindFlaw::NotServed("it has no version v1alpha1".to_owned())),
                kind("entitlementdefinitions", KindFlaw::Lacks(lacks)),
                PreflightProblem::Namespace("entitlement-operator".to_owned()),
                PreflightProblem::Terminating("entitlements".to_owned()),
                PreflightProblem::Right(right("secrets"), vec!["list", "watch"]),
                PreflightProblem::Right(right("organizations/status"), vec!["patch"]),
                PreflightProblem::Right(right("controllerrevisions"), vec!["delete"]),
            ],
        );
        let expected = "\
the operator waits until this is mended:
- the CustomResourceDefinition organizations.entitlements.dev is not installed
- the CustomResourceDefinition facetdefinitions.entitlements.dev is not served: it has no version v1alpha1
- the CustomResourceDefinition entitlementdefinitions.entitlements.dev is older than the operator: it lacks spec.rollout, status.amount, status.a and 2 more
    entitlement-operator crds | kubectl apply -f -
- the namespace entitlement-operator does not exist: the operator keeps its own things there
    kubectl create namespace entitlement-operator
- the namespace entitlements is being deleted, and has to be made anew: grants are made there
    kubectl create namespace entitlements
- no right to list, watch secrets (the same, and to read the Secrets that grants name)
- no right to patch organizations.entitlements.dev/status (to say on each what came of it)
- no right to delete controllerrevisions.apps in namespace entitlement-operator (to keep the last valid states of the catalogue)
    entitlement-operator manifests | kubectl apply -f -";
        assert_eq!(found.text(), expected);
        assert_eq!(
            found.reminder(),
            "the operator waits still, for what is listed above: 3 CustomResourceDefinitions, 2 namespaces, 3 rights"
        );
        assert!(found.blocks());
    }

    #[test]
    fn others_than_the_service_account_are_bound() {
        let missing = || vec![PreflightProblem::Right(right("namespaces"), vec!["watch"])];
        let mut found = report(Some("ann o'hara"), missing());
        found.setup.namespace = "billing".to_owned();
        found.setup.duties.webhook = Some(webhook());
        found.leader = Some("entitlement-operator".to_owned());
        let expected = r"the operator waits until this is mended:
- no right to watch namespaces (to know which namespaces there are)
    entitlement-operator manifests --namespace billing --webhook | kubectl apply -f -
    kubectl create clusterrolebinding entitlement-operator-billing-too --clusterrole entitlement-operator-billing --user 'ann o'\''hara'
    kubectl create rolebinding entitlement-operator-too --role entitlement-operator --user 'ann o'\''hara' --namespace billing
- the operator of namespace entitlement-operator works on this cluster: that of billing changes nothing, and takes over when the other has gone";
        assert_eq!(found.text(), expected);
        let account = report(Some("system:serviceaccount:ci:runner"), missing());
        assert!(account.text().contains(" --serviceaccount ci:runner\n"), "{}", account.text());
        assert_eq!(quoted("oidc:ann@example.org"), "oidc:ann@example.org");
    }

    #[test]
    fn what_is_missing_in_some_namespaces_keeps_no_other_waiting() {
        let names = ["f", "e", "d", "c", "b", "a"];
        let place = |count: usize| RightScope::Within(names[..count].iter().map(|&name| name.into()).collect());
        let missing = |count: usize| AccessRight { place: place(count), ..right("secrets") };
        let mut found = report(
            Some("ann"),
            vec![
                PreflightProblem::Right(missing(1), vec!["patch"]),
                PreflightProblem::Right(missing(6), vec!["list", "watch"]),
            ],
        );
        found.setup.duties.served = ServedNamespaces::new(&[], &["f", "a"], "operator").unwrap();
        let expected = "\
the operator works, but for this:
- no right to patch secrets in namespace f (the same, and to read the Secrets that grants name)
- no right to list, watch secrets in namespaces a, b, c, d, e and 1 more (the same, and to read the Secrets that grants name)
    entitlement-operator manifests --secret-namespaces=a,f | kubectl apply -f -
    kubectl create clusterrolebinding entitlement-operator-too --clusterrole entitlement-operator --user ann
    kubectl create rolebinding entitlement-operator-too --role entitlement-operator --user ann --namespace entitlement-operator
    kubectl create rolebinding entitlement-operator-too --role entitlement-operator --user ann --namespace a
    kubectl create rolebinding entitlement-operator-too --role entitlement-operator --user ann --namespace f";
        assert_eq!(found.text(), expected);
        assert!(!found.blocks());
        found.setup.duties.served = ServedNamespaces::new(&["f", "a"], &["a"], "operator").unwrap();
        found.setup.duties.read_only = true;
        assert!(
            found
                .text()
                .contains("manifests --namespaces=a,f --secret-namespaces=a --read-only | kubectl apply -f -\n"),
            "{}",
            found.text()
        );
    }

    #[test]
    fn without_an_api_server_nothing_else_is_said() {
        let found = report(None, vec![PreflightProblem::Server(Cause::Refused)]);
        let expected = "\
the operator waits for the API server:
- the API server at https://192.0.2.1:6443 cannot be asked: nothing listens there (connection refused)
    kubectl cluster-info    # or name another cluster with --context or KUBECONFIG";
        assert_eq!(found.text(), expected);
        assert_eq!(
            found.reminder(),
            "the operator waits still: the API server at https://192.0.2.1:6443 cannot be asked: nothing listens there (connection refused)"
        );
    }

    #[test]
    fn who_is_not_let_in_is_told_to_log_in_again() {
        for cause in [Cause::Unauthorized, Cause::NoCredentials("gone".to_owned())] {
            let said = report(None, vec![PreflightProblem::Server(cause)]).text();
            let mended = "    kubectl auth whoami    # log in again, or name another user's context with --context or KUBECONFIG";
            assert!(said.ends_with(mended), "{said}");
        }
    }

    #[test]
    fn for_what_is_beside_the_work_nobody_waits() {
        let found = report(
            None,
            vec![
                PreflightProblem::Outdated(KubernetesVersion { major: 1, minor: 31 }),
                kind("organizations", KindFlaw::Differs),
                PreflightProblem::Right(right("events"), vec!["create"]),
                PreflightProblem::Right(right("customresourcedefinitions"), vec!["get"]),
            ],
        );
        let expected = "\
the operator works, but for this:
- Kubernetes 1.31 is older than 1.33, the oldest that the operator is made for: upgrade the cluster
- the CustomResourceDefinition organizations.entitlements.dev has other rules, defaults or columns than this version's
    entitlement-operator crds | kubectl apply -f -
- no right to create events.events.k8s.io (to tell of what happens)
- no right to get customresourcedefinitions.apiextensions.k8s.io organizations.entitlements.dev, facetdefinitions.entitlements.dev, entitlementdefinitions.entitlements.dev, entitlementplans.entitlements.dev, entitlementinstances.entitlements.dev, entitlementsubscriptions.entitlements.dev, entitlementoverrides.entitlements.dev, overridedecisions.entitlements.dev, entitlementusages.entitlements.dev (to see whether they are those of this version)
    entitlement-operator manifests | kubectl apply -f -";
        assert_eq!(found.text(), expected);
        assert!(!found.blocks());
    }
}

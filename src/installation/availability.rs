//! What keeps the operator at work: how many pods may be down at once, and its share of the API server.

use super::{NAME, roles::metadata, workload::selector};
use k8s_openapi::{
    api::{
        flowcontrol::v1::{
            FlowSchema, FlowSchemaSpec, LimitResponse, LimitedPriorityLevelConfiguration, NonResourcePolicyRule,
            PolicyRulesWithSubjects, PriorityLevelConfiguration, PriorityLevelConfigurationReference,
            PriorityLevelConfigurationSpec, QueuingConfiguration, ResourcePolicyRule, ServiceAccountSubject, Subject,
        },
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

/// Of 245 in all that Kubernetes' own levels have.
const SHARES: i32 = 20;
/// Before Kubernetes' own schema of service accounts (9000), and behind those of the control plane.
const PRECEDENCE: i32 = 1001;
/// The level that leaders renew their leases in, which every API server has.
const LEADER_ELECTION: &str = "leader-election";

/// Evictions leave a pod at work, and none that is not ready keeps a node from being drained.
pub fn disruption_budget(namespace: &str) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(Some(namespace), NAME),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector { match_labels: Some(selector()), ..LabelSelector::default() }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}

/// The operator's requests wait for each other, and neither for those of others, nor others for them.
pub fn priority_level(name: &str) -> PriorityLevelConfiguration {
    let queuing = QueuingConfiguration { queues: Some(16), hand_size: Some(4), queue_length_limit: Some(50) };
    let limited = LimitedPriorityLevelConfiguration {
        nominal_concurrency_shares: Some(SHARES),
        lendable_percent: Some(50),
        limit_response: Some(LimitResponse { type_: "Queue".to_owned(), queuing: Some(queuing) }),
        ..LimitedPriorityLevelConfiguration::default()
    };
    PriorityLevelConfiguration {
        metadata: metadata(None, name),
        spec: Some(PriorityLevelConfigurationSpec {
            type_: "Limited".to_owned(),
            limited: Some(limited),
            exempt: None,
        }),
        ..PriorityLevelConfiguration::default()
    }
}

/// Which requests are in that level: all of the operator.
pub fn flow(name: &str, namespace: &str) -> FlowSchema {
    let all = || vec!["*".to_owned()];
    let rules = PolicyRulesWithSubjects {
        subjects: account(namespace),
        resource_rules: Some(vec![ResourcePolicyRule {
            api_groups: all(),
            resources: all(),
            verbs: all(),
            cluster_scope: Some(true),
            namespaces: Some(all()),
        }]),
        non_resource_rules: Some(vec![NonResourcePolicyRule { non_resource_urls: all(), verbs: all() }]),
    };
    schema(name, name, PRECEDENCE, rules)
}

/// Its own work does not keep a leader from saying that it is there.
pub fn flow_of_leases(name: &str, namespace: &str) -> FlowSchema {
    let rules = PolicyRulesWithSubjects {
        subjects: account(namespace),
        resource_rules: Some(vec![ResourcePolicyRule {
            api_groups: vec!["coordination.k8s.io".to_owned()],
            resources: vec!["leases".to_owned()],
            verbs: vec!["*".to_owned()],
            cluster_scope: None,
            namespaces: Some(vec![namespace.to_owned()]),
        }]),
        non_resource_rules: None,
    };
    schema(&format!("{name}-leases"), LEADER_ELECTION, PRECEDENCE - 1, rules)
}

fn account(namespace: &str) -> Vec<Subject> {
    vec![Subject {
        kind: "ServiceAccount".to_owned(),
        service_account: Some(ServiceAccountSubject { name: NAME.to_owned(), namespace: namespace.to_owned() }),
        ..Subject::default()
    }]
}

fn schema(name: &str, level: &str, precedence: i32, rules: PolicyRulesWithSubjects) -> FlowSchema {
    FlowSchema {
        metadata: metadata(None, name),
        spec: Some(FlowSchemaSpec {
            matching_precedence: Some(precedence),
            priority_level_configuration: PriorityLevelConfigurationReference { name: level.to_owned() },
            rules: Some(vec![rules]),
            ..FlowSchemaSpec::default()
        }),
        ..FlowSchema::default()
    }
}

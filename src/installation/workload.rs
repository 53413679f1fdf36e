//! The Deployment, and its account.

use super::{
    API_PORT, APP, HTTP_PORT, NAME, WEBHOOK_PORT,
    network::{API, HTTP, WEBHOOK},
    rights::Duties,
    roles::metadata,
};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector,
            PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
            ServiceAccount, TopologySpreadConstraint,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity, apis::meta::v1::LabelSelector, apis::meta::v1::ObjectMeta, util::intstr::IntOrString,
    },
};
use std::collections::BTreeMap;

/// Nobody, as images without a shell have it.
const USER: i64 = 65_532;
/// One works, the others watch and take over.
const REPLICAS: i32 = 2;
/// Where pods are not to be together, if it can be.
const SPREAD: [&str; 2] = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"];

/// What the operator's pods are known by.
pub fn selector() -> BTreeMap<String, String> {
    BTreeMap::from([(APP.0.to_owned(), APP.1.to_owned())])
}

/// Its token goes into the operator's pod alone.
pub fn account(namespace: &str) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(Some(namespace), NAME),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// The operator itself. A new pod is ready as a standby before an old one ends, and the old one hands over as it ends.
pub fn deployment(namespace: &str, image: &str, duties: &Duties) -> Deployment {
    let scraped = [("prometheus.io/port", HTTP_PORT.to_string()), ("prometheus.io/scrape", true.to_string())];
    let annotations = scraped.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(selector()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(container(namespace, image, duties))),
    };
    let rolling_update =
        RollingUpdateDeployment { max_surge: Some(IntOrString::Int(1)), max_unavailable: Some(IntOrString::Int(0)) };
    Deployment {
        metadata: metadata(Some(namespace), NAME),
        spec: Some(DeploymentSpec {
            replicas: Some(REPLICAS),
            selector: LabelSelector { match_labels: Some(selector()), ..LabelSelector::default() },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(rolling_update),
            }),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn spread(topology: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        topology_key: topology.to_owned(),
        max_skew: 1,
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector { match_labels: Some(selector()), ..LabelSelector::default() }),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

fn pod(container: Container) -> PodSpec {
    PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        node_selector: Some(BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())])),
        topology_spread_constraints: Some(SPREAD.map(spread).into()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container],
        ..PodSpec::default()
    }
}

/// Machines read its log. What is not said is the operator's own default.
fn arguments(namespace: &str, duties: &Duties) -> Vec<String> {
    let mut arguments = vec!["run".to_owned(), format!("--namespace={namespace}"), "--log-format=json".to_owned()];
    if let Some(webhook) = &duties.webhook {
        arguments.push(format!("--webhook-service={NAME}"));
        arguments.push(format!("--webhook-configuration={}", webhook.configuration));
        arguments.push(format!("--webhook-register={}", webhook.registers));
    }
    if duties.checks.is_some() {
        arguments.push(format!("--api-address=0.0.0.0:{API_PORT}"));
    }
    arguments.extend(duties.restrictions());
    arguments
}

/// The name by which a pod leads.
fn own_name() -> EnvVar {
    let field = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: "metadata.name".to_owned() };
    let value_from = Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() });
    EnvVar { name: "POD_NAME".to_owned(), value: None, value_from }
}

/// The C library keeps memory apart for each of up to eight threads for each core. Few threads need much here, and a wave of grants
/// leaves a fifth less behind so.
fn allocator() -> EnvVar {
    EnvVar { name: "MALLOC_ARENA_MAX".to_owned(), value: Some("2".to_owned()), value_from: None }
}

fn port(name: &str, number: u16) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, every: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(HTTP.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(every),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn container(namespace: &str, image: &str, duties: &Duties) -> Container {
    let mut ports = vec![port(HTTP, HTTP_PORT)];
    ports.extend(duties.webhook.as_ref().map(|_| port(WEBHOOK, WEBHOOK_PORT)));
    ports.extend(duties.checks.map(|_| port(API, API_PORT)));
    Container {
        name: "operator".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(arguments(namespace, duties)),
        env: Some(vec![own_name(), allocator()]),
        ports: Some(ports),
        liveness_probe: Some(probe("/healthz", 10, 6)),
        readiness_probe: Some(probe("/readyz", 5, 3)),
        resources: Some(resources()),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// Each grant takes some kilobytes. Thinking is bounded by itself, so there is no limit of the processor, which would hold up what
/// is due at a second.
fn resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| {
        Some(pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect())
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "50m"), ("memory", "128Mi")]),
        limits: quantities(&[("memory", "1Gi")]),
        ..ResourceRequirements::default()
    }
}

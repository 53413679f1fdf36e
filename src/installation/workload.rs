//! The Deployment, and the Service that leads to its webhook.

use super::{APP, NAME, WEBHOOK_PORT, roles::metadata};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy},
        core::v1::{
            Capabilities, Container, ContainerPort, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
            ResourceRequirements, SeccompProfile, SecurityContext, Service, ServiceAccount, ServicePort, ServiceSpec,
            TCPSocketAction,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity, apis::meta::v1::LabelSelector, apis::meta::v1::ObjectMeta, util::intstr::IntOrString,
    },
};
use std::collections::BTreeMap;

/// Nobody, as images without a shell have it.
const USER: i64 = 65_532;
/// The port's name.
const PORT: &str = "webhook";
/// The one port by which API servers reach webhooks.
const HTTPS: i32 = 443;

fn selector() -> BTreeMap<String, String> {
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

/// The Service by which the API server reaches the webhook.
pub fn service(namespace: &str) -> Service {
    let port = ServicePort {
        name: Some(PORT.to_owned()),
        port: HTTPS,
        target_port: Some(IntOrString::String(PORT.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: metadata(Some(namespace), NAME),
        spec: Some(ServiceSpec { selector: Some(selector()), ports: Some(vec![port]), ..ServiceSpec::default() }),
        ..Service::default()
    }
}

/// The operator itself, as one pod: a second one of the same namespace would do the same again.
pub fn deployment(namespace: &str, image: &str, webhook: bool, restrictions: Vec<String>) -> Deployment {
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(selector()), ..ObjectMeta::default() }),
        spec: Some(pod(container(namespace, image, webhook, restrictions))),
    };
    Deployment {
        metadata: metadata(Some(namespace), NAME),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            selector: LabelSelector { match_labels: Some(selector()), ..LabelSelector::default() },
            strategy: Some(DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None }),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(container: Container) -> PodSpec {
    PodSpec {
        service_account_name: Some(NAME.to_owned()),
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        node_selector: Some(BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())])),
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

fn container(namespace: &str, image: &str, webhook: bool, restrictions: Vec<String>) -> Container {
    let mut args = vec!["run".to_owned(), format!("--namespace={namespace}")];
    if webhook {
        args.push(format!("--webhook-service={NAME}"));
    }
    args.extend(restrictions);
    let port = ContainerPort {
        name: Some(PORT.to_owned()),
        container_port: WEBHOOK_PORT.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    // It listens once it has a certificate. Without the webhook there is no port to look at.
    let listens = Probe {
        tcp_socket: Some(TCPSocketAction { port: IntOrString::String(PORT.to_owned()), host: None }),
        period_seconds: Some(10),
        ..Probe::default()
    };
    Container {
        name: "operator".to_owned(),
        image: Some(image.to_owned()),
        args: Some(args),
        ports: webhook.then(|| vec![port]),
        readiness_probe: webhook.then_some(listens),
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

//! The Services that lead to the operator's pods, and who may reach them.

use super::{
    API_PORT, API_SERVICE, HTTP_PORT, NAME, WEBHOOK_PORT, rights::Duties, roles::metadata, workload::selector,
};
use k8s_openapi::{
    api::{
        core::v1::{Service, ServicePort, ServiceSpec},
        networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

/// The name of the port of metrics and probes.
pub const HTTP: &str = "http";
/// The name of the webhook's port.
pub const WEBHOOK: &str = "webhook";
/// The name of the port of the API for checks.
pub const API: &str = "api";
/// The one port by which API servers reach webhooks, and that of an address without one.
pub const HTTPS: i32 = 443;
const TCP: &str = "TCP";
/// Which of the Services is scraped.
const COMPONENT: &str = "app.kubernetes.io/component";

fn service(namespace: &str, name: &str, port: i32, target: &str) -> Service {
    let port = ServicePort {
        name: Some(target.to_owned()),
        port,
        target_port: Some(IntOrString::String(target.to_owned())),
        protocol: Some(TCP.to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: metadata(Some(namespace), name),
        spec: Some(ServiceSpec { selector: Some(selector()), ports: Some(vec![port]), ..ServiceSpec::default() }),
        ..Service::default()
    }
}

/// The Service by which metrics are read.
pub fn metrics(namespace: &str) -> Service {
    let mut service = service(namespace, &format!("{NAME}-metrics"), HTTP_PORT.into(), HTTP);
    service.metadata.labels.get_or_insert_default().insert(COMPONENT.to_owned(), "metrics".to_owned());
    service
}

/// The Service by which the API server reaches the webhook.
pub fn webhook(namespace: &str) -> Service {
    service(namespace, NAME, HTTPS, WEBHOOK)
}

/// The Service by which checks are asked for: a port that nobody has to name.
pub fn api(namespace: &str) -> Service {
    service(namespace, API_SERVICE, HTTPS, API)
}

/// Nothing but the operator's ports is reached. From where, nobody knows in advance: no peer describes an API server.
pub fn policy(namespace: &str, duties: &Duties) -> NetworkPolicy {
    let reached = |port: u16| NetworkPolicyIngressRule {
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::Int(port.into())),
            protocol: Some(TCP.to_owned()),
            ..NetworkPolicyPort::default()
        }]),
        ..NetworkPolicyIngressRule::default()
    };
    let webhook = duties.webhook.as_ref().map(|_| WEBHOOK_PORT);
    let ports = [HTTP_PORT].into_iter().chain(webhook).chain(duties.checks.map(|_| API_PORT));
    NetworkPolicy {
        metadata: metadata(Some(namespace), NAME),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector { match_labels: Some(selector()), ..LabelSelector::default() }),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(ports.map(reached).collect()),
            ..NetworkPolicySpec::default()
        }),
    }
}

//! The ValidatingWebhookConfiguration by which the API server knows the webhook, whoever makes it.

use super::{NAME, WEBHOOK_NAME, network::HTTPS, roles::metadata};
use crate::api::{GROUP, VERSION};
use k8s_openapi::{
    api::admissionregistration::v1::{
        RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

/// The API server waits no longer, and goes on without an answer.
pub const WEBHOOK_TIMEOUT_SECONDS: i32 = 3;

/// The webhook with every field that the API server would fill in, so that it stores exactly what we want. It is comfort: the
/// controller refuses the same by itself, so that without an answer all goes on.
#[must_use]
pub fn validating_webhook(client_config: WebhookClientConfig) -> ValidatingWebhook {
    ValidatingWebhook {
        name: WEBHOOK_NAME.to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        client_config,
        failure_policy: Some("Ignore".to_owned()),
        match_conditions: None,
        match_policy: Some("Equivalent".to_owned()),
        namespace_selector: Some(LabelSelector::default()),
        object_selector: Some(LabelSelector::default()),
        rules: Some(vec![rule()]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(WEBHOOK_TIMEOUT_SECONDS),
    }
}

/// Not of their statuses, which are the operator's own.
fn rule() -> RuleWithOperations {
    let texts = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect());
    RuleWithOperations {
        api_groups: texts(&[GROUP]),
        api_versions: texts(&[VERSION]),
        operations: texts(&["CREATE", "UPDATE", "DELETE"]),
        resources: texts(&[
            "entitlementdefinitions",
            "entitlementinstances",
            "entitlementoverrides",
            "entitlementplans",
            "entitlementsubscriptions",
            "entitlementusages",
            "facetdefinitions",
            "organizations",
            "overridedecisions",
        ]),
        scope: Some("*".to_owned()),
    }
}

/// As it is installed. The operator fills in the `caBundle` and the path, which are not said here: whoever applies this again
/// takes them from nobody.
pub fn configuration(name: &str, namespace: &str) -> ValidatingWebhookConfiguration {
    let service =
        ServiceReference { name: NAME.to_owned(), namespace: namespace.to_owned(), path: None, port: Some(HTTPS) };
    let client_config = WebhookClientConfig { service: Some(service), ..WebhookClientConfig::default() };
    ValidatingWebhookConfiguration {
        metadata: metadata(None, name),
        webhooks: Some(vec![validating_webhook(client_config)]),
    }
}

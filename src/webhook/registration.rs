//! The ValidatingWebhookConfiguration by which the API server knows the webhook.

use super::{
    options::{Options, Reachability},
    pass::Pass,
};
pub use crate::installation::{WEBHOOK_NAME as NAME, WEBHOOK_TIMEOUT_SECONDS as TIMEOUT_SECONDS};
use crate::{
    evaluation::object::{MANAGED_BY, MANAGER},
    installation::validating_webhook,
};
use http::Uri;
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::api::ObjectMeta;
use std::collections::BTreeMap;

/// What is to be done about the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistrationPlan {
    /// It is as it should be.
    Keep,
    /// The webhook is not in it, and is not to be put there.
    Absent,
    /// It is to be made.
    Create(Box<ValidatingWebhookConfiguration>),
    /// It is to be replaced, if it is still in the state that was seen.
    Replace(Box<ValidatingWebhookConfiguration>),
}

/// What is to be done, so that the API server trusts these authorities (PEM), and comes by that path.
#[must_use]
pub fn plan(
    present: Option<&ValidatingWebhookConfiguration>,
    options: &Options,
    authorities: &[u8],
    pass: &Pass,
) -> RegistrationPlan {
    let whole = || whole(options, authorities, pass);
    let Some(present) = present else {
        return if options.registers { RegistrationPlan::Create(Box::new(whole())) } else { RegistrationPlan::Absent };
    };
    let mut wanted = present.clone();
    let webhooks = wanted.webhooks.get_or_insert_default();
    let own = webhooks.iter_mut().find(|webhook| webhook.name == NAME);
    match (own, options.registers) {
        (Some(own), true) => *own = webhook(options, authorities, pass),
        (Some(own), false) => fill_in(&mut own.client_config, authorities, pass),
        (None, true) => webhooks.push(webhook(options, authorities, pass)),
        (None, false) => return RegistrationPlan::Absent,
    }
    if wanted == *present { RegistrationPlan::Keep } else { RegistrationPlan::Replace(Box::new(wanted)) }
}

/// Whether the API server trusts just these authorities (PEM), if it asks the webhook at all.
#[must_use]
pub fn trusts(present: Option<&ValidatingWebhookConfiguration>, authorities: &[u8]) -> bool {
    let webhooks = present.into_iter().flat_map(|present| present.webhooks.iter().flatten());
    let mut own = webhooks.filter(|webhook| webhook.name == NAME);
    own.all(|own| own.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == authorities))
}

/// A registration that somebody else has installed says how the webhook is reached. Only what changes with the certificate is filled in.
fn fill_in(config: &mut WebhookClientConfig, authorities: &[u8], pass: &Pass) {
    config.ca_bundle = Some(ByteString(authorities.to_vec()));
    if let Some(service) = &mut config.service {
        service.path = Some(pass.path().to_owned());
    }
    if let Some(url) = &mut config.url
        && let Ok(uri) = url.parse::<Uri>()
        && let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority())
    {
        *url = format!("{scheme}://{authority}{}", pass.path());
    }
}

fn whole(options: &Options, authorities: &[u8], pass: &Pass) -> ValidatingWebhookConfiguration {
    let labels = BTreeMap::from([(MANAGED_BY.to_owned(), MANAGER.to_owned())]);
    let metadata =
        ObjectMeta { name: Some(options.configuration.clone()), labels: Some(labels), ..ObjectMeta::default() };
    ValidatingWebhookConfiguration { metadata, webhooks: Some(vec![webhook(options, authorities, pass)]) }
}

fn webhook(options: &Options, authorities: &[u8], pass: &Pass) -> ValidatingWebhook {
    let ca_bundle = Some(ByteString(authorities.to_vec()));
    validating_webhook(WebhookClientConfig { ca_bundle, ..client_config(options, pass) })
}

fn client_config(options: &Options, pass: &Pass) -> WebhookClientConfig {
    let path = pass.path();
    match &options.reach {
        Reachability::Url(url) => {
            WebhookClientConfig { url: Some(format!("{url}{path}")), ..WebhookClientConfig::default() }
        }
        Reachability::Service(name) => WebhookClientConfig {
            service: Some(ServiceReference {
                name: name.clone(),
                namespace: options.namespace.clone(),
                path: Some(path.to_owned()),
                port: Some(443),
            }),
            ..WebhookClientConfig::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{RegistrationPlan, plan, trusts};
    use crate::{
        core::secret::Secret,
        server::certificate::Certificate,
        webhook::{
            options::{Options, Reachability},
            pass::Pass,
        },
    };
    use serde_json::{Value, json};

    const PATH: &str = "/validate/cfb1d45ec3e92012077465d1ec563e66";

    fn pass() -> Pass {
        let key = Secret::new(b"one".to_vec());
        Pass::of(&Certificate { chain: Vec::new(), key, authorities: Vec::new() })
    }

    fn service() -> Options {
        Options::new(Reachability::Service("hook".to_owned()), "operator")
    }

    fn url() -> Options {
        Options::new(Reachability::Url("https://127.0.0.1:9443".parse().unwrap()), "operator")
    }

    /// One that does not register itself.
    fn guest() -> Options {
        Options { registers: false, ..url() }
    }

    fn created(options: &Options) -> Value {
        match plan(None, options, b"authority", &pass()) {
            RegistrationPlan::Create(made) => serde_json::to_value(made).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn replaced(present: Value, options: &Options) -> Value {
        let RegistrationPlan::Replace(wanted) =
            plan(Some(&serde_json::from_value(present).unwrap()), options, b"authority", &pass())
        else {
            panic!()
        };
        assert_eq!(plan(Some(&wanted), options, b"authority", &pass()), RegistrationPlan::Keep);
        serde_json::to_value(wanted).unwrap()
    }

    #[test]
    fn is_made_where_that_is_asked_for() {
        assert_eq!(plan(None, &guest(), b"authority", &pass()), RegistrationPlan::Absent);
        let made = created(&url());
        assert_eq!(
            made["metadata"],
            json!({"name": "entitlement-operator", "labels": {"app.kubernetes.io/managed-by": "entitlement-operator"}})
        );
        assert_eq!(
            made["webhooks"],
            json!([{
                "name": "validate.entitlements.dev",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"caBundle": "YXV0aG9yaXR5", "url": format!("https://127.0.0.1:9443{PATH}")},
                "failurePolicy": "Ignore",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "rules": [{
                    "apiGroups": ["entitlements.dev"],
                    "apiVersions": ["v1alpha1"],
                    "operations": ["CREATE", "UPDATE", "DELETE"],
                    "resources": [
                        "entitlementdefinitions", "entitlementinstances", "entitlementoverrides", "entitlementplans",
                        "entitlementsubscriptions", "entitlementusages", "facetdefinitions", "organizations",
                        "overridedecisions",
                    ],
                    "scope": "*",
                }],
                "sideEffects": "None",
                "timeoutSeconds": 3,
            }])
        );
        assert_eq!(
            created(&service())["webhooks"][0]["clientConfig"],
            json!({"caBundle": "YXV0aG9yaXR5", "service": {"name": "hook", "namespace": "operator", "path": PATH, "port": 443}})
        );
    }

    /// As someone else has installed it, with a webhook of theirs beside it.
    fn installed() -> Value {
        let mut installed = created(&url());
        installed["metadata"]["resourceVersion"] = json!("7");
        installed["webhooks"][0]["timeoutSeconds"] = json!(1);
        installed["webhooks"][0]["clientConfig"] =
            json!({"caBundle": "c3RhbGU=", "url": "https://127.0.0.1:9443/validate"});
        let mut other = installed["webhooks"][0].clone();
        other["name"] = json!("other.example");
        installed["webhooks"].as_array_mut().unwrap().push(other);
        installed
    }

    #[test]
    fn one_that_is_there_gets_the_authorities_and_the_path_and_keeps_the_rest() {
        let mut expected = installed();
        expected["webhooks"][0]["clientConfig"] =
            json!({"caBundle": "YXV0aG9yaXR5", "url": format!("https://127.0.0.1:9443{PATH}")});
        assert_eq!(replaced(installed(), &guest()), expected);
        let mut by_service = installed();
        by_service["webhooks"][0]["clientConfig"] =
            json!({"service": {"name": "mine", "namespace": "theirs", "port": 8443}});
        let filled_in = replaced(by_service, &guest())["webhooks"][0]["clientConfig"].take();
        let service = json!({"name": "mine", "namespace": "theirs", "port": 8443, "path": PATH});
        assert_eq!(filled_in, json!({"caBundle": "YXV0aG9yaXR5", "service": service}));
    }

    #[test]
    fn other_authorities_are_not_trusted() {
        let mut present = installed();
        let trusted = |present: &Value, authorities: &[u8]| {
            trusts(Some(&serde_json::from_value(present.clone()).unwrap()), authorities)
        };
        assert!(trusted(&present, b"stale") && !trusted(&present, b"authority"));
        present["webhooks"][0]["clientConfig"]["caBundle"].take();
        assert!(!trusted(&present, b"stale"));
        // Nothing is asked.
        present["webhooks"].as_array_mut().unwrap().remove(0);
        assert!(trusted(&present, b"authority") && trusts(None, b"authority"));
    }

    #[test]
    fn its_own_webhook_is_put_back_as_a_whole() {
        let mut expected = installed();
        expected["webhooks"][0] = created(&url())["webhooks"][0].clone();
        assert_eq!(replaced(installed(), &url()), expected);
    }

    #[test]
    fn the_webhooks_of_others_are_left_alone() {
        let mut others = installed();
        others["webhooks"].as_array_mut().unwrap().remove(0);
        let present = serde_json::from_value(others.clone()).unwrap();
        assert_eq!(plan(Some(&present), &guest(), b"authority", &pass()), RegistrationPlan::Absent);
        let mut expected = others.clone();
        expected["webhooks"].as_array_mut().unwrap().push(created(&url())["webhooks"][0].clone());
        assert_eq!(replaced(others, &url()), expected);
    }
}

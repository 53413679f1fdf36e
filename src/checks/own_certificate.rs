//! The certificate that the operator makes for the API, and the ConfigMap that tells everyone of its authority.

use crate::{
    certificates::{
        Again, AuthorityKeeping, AuthorityTeller, CertificateKeeper, CertificateSecret, Known, ToldObject, look_after,
    },
    connection::Cause,
    controller::{Knowledge, Leadership},
    core::authority::ApiAuthority,
    evaluation::object::MANAGER,
    installation::{API_SECRET, API_SERVICE, AUTHORITY_CONFIG_MAP, NAME},
    server::certificate::{Certificate, CertificateHolder},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::watcher,
};
use rustls::ServerConfig;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// Where the authorities' certificates (PEM) are in the ConfigMap, as in a Secret of type `kubernetes.io/tls`.
const KEY: &str = "ca.crt";
/// What the ConfigMap is known by as the operator's.
const LABEL: (&str, &str) = ("app.kubernetes.io/name", NAME);

/// What a request to the API may be addressed to, inside the cluster and by a port that is forwarded.
fn hosts(namespace: &str) -> Vec<String> {
    let service = format!("{API_SERVICE}.{namespace}.svc");
    vec![service.clone(), format!("{service}.cluster.local"), "localhost".to_owned()]
}

fn kept(namespace: &str) -> CertificateSecret {
    CertificateSecret {
        name: API_SECRET,
        namespace: namespace.to_owned(),
        annotation: "entitlements.dev/api-hosts",
        user: "the API",
        holder: CertificateHolder { name: "entitlement-operator API", hosts: hosts(namespace) },
        // Many trust it, and most of them read the ConfigMap once.
        authority: AuthorityKeeping::Kept,
    }
}

/// Keeps both.
pub struct OwnCertificate {
    secret: CertificateKeeper,
    /// Behind the fence of whoever writes.
    writable: Api<ConfigMap>,
    leadership: Leadership,
    told: ToldObject<ConfigMap>,
    served: Option<Certificate>,
    certificates: watch::Sender<Option<Arc<ServerConfig>>>,
    knowledge: Knowledge,
}

impl OwnCertificate {
    /// Certificates are handed to that channel.
    pub fn new(
        client: Client,
        namespace: &str,
        certificates: watch::Sender<Option<Arc<ServerConfig>>>,
        knowledge: &Knowledge,
    ) -> Self {
        Self {
            secret: CertificateKeeper::new(client.clone(), kept(namespace), knowledge.clone()),
            told: ToldObject::new(Api::namespaced(client, namespace), AUTHORITY_CONFIG_MAP),
            writable: Api::namespaced(knowledge.writer(), namespace),
            leadership: knowledge.leadership(),
            served: None,
            certificates,
            knowledge: knowledge.clone(),
        }
    }

    /// Keeps both for ever, while this operator works on the cluster or stands by.
    pub async fn run(self) {
        let leadership = self.leadership.clone();
        look_after(self, leadership).await;
    }

    async fn keep(&mut self) -> Result<(), Again> {
        let Some(certificate) = self.secret.certificate().await? else { return Ok(()) };
        // Whoever trusts the authority already is not kept waiting for the others.
        let published = self.publish(&certificate).await;
        if self.served.as_ref() == Some(&certificate) {
            return published;
        }
        match certificate.server_config(None) {
            Ok(config) => {
                self.certificates.send_replace(Some(config));
                let metrics = self.knowledge.metrics();
                metrics.api().answers(true);
                if let Some(end) = certificate.ends() {
                    metrics.api().certificate_ends(end.timestamp());
                }
                self.served = Some(certificate);
                self.secret.is_well();
                tracing::info!("the API has a certificate");
            }
            Err(error) => self.secret.say("the API's certificate cannot be used", &error),
        }
        published
    }

    /// Tells everyone whom to trust.
    async fn publish(&mut self, certificate: &Certificate) -> Result<(), Again> {
        let Known::Seen(present) = &self.told.seen else { return Ok(()) };
        if !self.leadership.leads() {
            return Ok(());
        }
        let authorities = String::from_utf8_lossy(&certificate.authorities).into_owned();
        let written = match present {
            Some(present) if is_told(present, &authorities) => return Ok(()),
            Some(present) if !is_own(present) => {
                self.secret.say(
                    &format!("the ConfigMap {AUTHORITY_CONFIG_MAP} is somebody else's"),
                    &format!(
                        "its label {} is not {}: rename it, so that the API's authority has room",
                        LABEL.0, LABEL.1
                    ),
                );
                return Ok(());
            }
            _ if self.told.is_fresh() => return Err(Again),
            Some(_) => {
                let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
                let patch = Patch::Merge(json!({"data": {KEY: authorities}}));
                self.writable.patch(AUTHORITY_CONFIG_MAP, &params, &patch).await
            }
            None => {
                let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                self.writable.create(&params, &config_map(authorities)).await
            }
        };
        self.told.write(written, &mut self.secret)?;
        self.knowledge.learn_authority(authority(&self.told.seen));
        tracing::info!(config_map = AUTHORITY_CONFIG_MAP, "the authority of the API's certificate is told");
        Ok(())
    }
}

impl AuthorityTeller for OwnCertificate {
    type Object = ConfigMap;

    fn secret(&mut self) -> &mut CertificateKeeper {
        &mut self.secret
    }

    fn told(&self) -> &ToldObject<ConfigMap> {
        &self.told
    }

    fn see(&mut self, told: Result<Option<ConfigMap>, watcher::Error>) {
        let is_refused = told.as_ref().err().map(is_forbidden);
        self.told.see(told, &self.secret);
        match (authority(&self.told.seen), is_refused) {
            (seen, None) => self.knowledge.learn_authority(seen),
            // Who may not see whether there is one keeps no summary waiting for it.
            (ApiAuthority::Untold, Some(true)) => self.knowledge.learn_authority(ApiAuthority::Absent),
            (_, Some(_)) => {}
        }
    }

    async fn step(&mut self) -> Result<(), Again> {
        self.keep().await
    }
}

/// What the ConfigMap tells.
fn authority(told: &Known<ConfigMap>) -> ApiAuthority {
    let Known::Seen(seen) = told else { return ApiAuthority::Untold };
    let data = seen.as_ref().filter(|seen| is_own(seen)).and_then(|seen| seen.data.as_ref());
    data.and_then(|data| data.get(KEY)).map_or(ApiAuthority::Absent, |known| ApiAuthority::Known(known.as_str().into()))
}

fn is_forbidden(error: &watcher::Error) -> bool {
    matches!(Cause::of_watch(error), Cause::Forbidden(_))
}

fn is_told(present: &ConfigMap, authorities: &str) -> bool {
    present.data.as_ref().and_then(|data| data.get(KEY)).is_some_and(|told| told == authorities)
}

fn is_own(present: &ConfigMap) -> bool {
    present.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL.0)).is_some_and(|name| name == LABEL.1)
}

fn config_map(authorities: String) -> ConfigMap {
    let labels = BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]);
    let metadata =
        ObjectMeta { name: Some(AUTHORITY_CONFIG_MAP.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
    ConfigMap { metadata, data: Some(BTreeMap::from([(KEY.to_owned(), authorities)])), ..ConfigMap::default() }
}

#[cfg(test)]
mod tests {
    use super::{ApiAuthority, ConfigMap, Known, ObjectMeta, authority, config_map, hosts, is_own, is_told};

    #[test]
    fn it_is_for_the_service_and_for_a_port_that_is_forwarded() {
        assert_eq!(
            hosts("billing"),
            ["entitlement-operator-api.billing.svc", "entitlement-operator-api.billing.svc.cluster.local", "localhost"]
        );
    }

    #[test]
    fn the_config_map_of_another_is_not_taken_for_its_own() {
        let made = config_map("one".to_owned());
        assert!(is_own(&made) && is_told(&made, "one") && !is_told(&made, "two"));
        let of_another = ConfigMap { metadata: ObjectMeta::default(), ..made.clone() };
        assert!(!is_own(&of_another));
        assert_eq!(authority(&Known::Seen(Some(made))), ApiAuthority::Known("one".into()));
        for (told, expected) in [
            (Known::Nothing, ApiAuthority::Untold),
            (Known::Seen(None), ApiAuthority::Absent),
            (Known::Seen(Some(of_another)), ApiAuthority::Absent),
        ] {
            assert_eq!(authority(&told), expected);
        }
    }
}

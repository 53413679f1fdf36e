//! Keeps the Secret and the registration as they should be, and hands the certificate to the server.
//!
//! It publishes the authorities before the server uses a certificate of theirs, so the API server trusts it from the first.
//!
//! Only the replica that works writes. The others serve with what the Secret holds.

use super::{
    options::Options,
    pass::{Pass, Passes},
    registration::{self, RegistrationPlan, TIMEOUT_SECONDS},
};
use crate::{
    certificates::{Again, AuthorityTeller, CertificateKeeper, Known, ToldObject, look_after},
    controller::{Knowledge, Leadership, clock},
    evaluation::object::MANAGER,
    server::certificate::Certificate,
};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{Api, Client, api::PostParams, runtime::watcher};
use rustls::ServerConfig;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time};

/// How long the API server may take to hear of new authorities: as long as a review may take.
const HEARSAY: Duration = Duration::from_secs(TIMEOUT_SECONDS.unsigned_abs() as u64);

/// Keeps both.
pub struct Keeper {
    secret: CertificateKeeper,
    /// Behind the fence of whoever writes.
    writable_registrations: Api<ValidatingWebhookConfiguration>,
    leadership: Leadership,
    options: Options,
    registration: ToldObject<ValidatingWebhookConfiguration>,
    served: Option<Certificate>,
    passes: Passes,
    certificates: watch::Sender<Option<Arc<ServerConfig>>>,
    knowledge: Knowledge,
}

impl Keeper {
    /// Certificates are handed to that channel, and the path that goes with one is known before the API server is told of it.
    pub fn new(
        client: Client,
        options: Options,
        passes: Passes,
        certificates: watch::Sender<Option<Arc<ServerConfig>>>,
        knowledge: Knowledge,
    ) -> Self {
        Self {
            secret: CertificateKeeper::new(client.clone(), options.certificate(), knowledge.clone()),
            registration: ToldObject::new(Api::all(client), &options.configuration),
            writable_registrations: Api::all(knowledge.writer()),
            leadership: knowledge.leadership(),
            options,
            served: None,
            passes,
            certificates,
            knowledge,
        }
    }

    /// Keeps both for ever, while this operator works on the cluster or stands by.
    pub async fn run(self) {
        let leadership = self.leadership.clone();
        look_after(self, leadership).await;
    }

    async fn keep(&mut self) -> Result<(), Again> {
        let Some(certificate) = self.secret.certificate().await? else { return Ok(()) };
        let published = self.publish(&certificate).await;
        if self.served.as_ref() == Some(&certificate) {
            return published;
        }
        // What is served is trusted still, and goes on until the new one is.
        if self.served.is_some() {
            published?;
            time::sleep(HEARSAY).await;
        }
        match certificate.server_config(self.options.client_authorities.as_ref()) {
            Ok(config) => {
                self.certificates.send_replace(Some(config));
                if let Some(end) = certificate.valid_until(&self.options.host(), clock::now()) {
                    self.knowledge.metrics().certificate_ends(end.timestamp());
                }
                self.served = Some(certificate);
                self.secret.is_well();
                tracing::info!(host = self.options.host(), "the webhook has a certificate");
            }
            Err(error) => self.secret.say("the webhook's certificate cannot be used", &error),
        }
        published
    }

    /// Makes the API server trust the certificate's authorities.
    async fn publish(&mut self, certificate: &Certificate) -> Result<(), Again> {
        let pass = Pass::of(certificate);
        self.passes.admit(&pass);
        let Known::Seen(present) = &self.registration.seen else { return Ok(()) };
        if !self.leadership.leads() {
            // Whoever works makes it known, and may go before it has.
            return if registration::trusts(present.as_ref(), &certificate.authorities) { Ok(()) } else { Err(Again) };
        }
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let name = self.options.configuration.clone();
        let written = match registration::plan(present.as_ref(), &self.options, &certificate.authorities, &pass) {
            RegistrationPlan::Keep => return Ok(()),
            RegistrationPlan::Absent => {
                self.secret.say(
                    "nothing calls the webhook",
                    &format!(
                        "there is no ValidatingWebhookConfiguration {name} with a webhook {}: install it, or let the operator make it by --webhook-register=true",
                        registration::NAME
                    ),
                );
                return Ok(());
            }
            RegistrationPlan::Create(_) | RegistrationPlan::Replace(_) if self.registration.is_fresh() => {
                return Err(Again);
            }
            RegistrationPlan::Create(made) => self.writable_registrations.create(&params, &made).await,
            RegistrationPlan::Replace(changed) => self.writable_registrations.replace(&name, &params, &changed).await,
        };
        self.registration.write(written, &mut self.secret)?;
        tracing::info!(configuration = name, "the API server knows the webhook's authority");
        Ok(())
    }
}

impl AuthorityTeller for Keeper {
    type Object = ValidatingWebhookConfiguration;

    fn secret(&mut self) -> &mut CertificateKeeper {
        &mut self.secret
    }

    fn told(&self) -> &ToldObject<ValidatingWebhookConfiguration> {
        &self.registration
    }

    fn see(&mut self, told: Result<Option<ValidatingWebhookConfiguration>, watcher::Error>) {
        self.registration.see(told, &self.secret);
    }

    async fn step(&mut self) -> Result<(), Again> {
        self.keep().await
    }
}

#[cfg(test)]
mod tests;

//! Keeps the Secret and the registration as they should be, and hands the certificate to the server.
//!
//! It publishes the authorities before the server uses a certificate of theirs, so the API server trusts it from the first.
//!
//! Only the replica that works writes. The others serve with what the Secret holds.

use super::{
    options::Options,
    pass::{Pass, Passes},
    registration::{self, RegistrationPlan, TIMEOUT_SECONDS},
    storage::{self, Draft, SecretPlan},
};
use crate::{
    connection::{Cause, WATCH_SECONDS},
    controller::{Knowledge, Leadership, LeadershipPart, backoff::patiently, clock},
    evaluation::object::MANAGER,
    server::certificate::Certificate,
};
use futures::{Stream, StreamExt, future};
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret};
use kube::{
    Api, Client, Error, Resource,
    api::{DeleteParams, PostParams, Preconditions},
    runtime::watcher::{self, Event},
};
use rustls::ServerConfig;
use serde::de::DeserializeOwned;
use std::{
    fmt::{Debug, Display},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time};

/// The wall clock may jump, and is looked at again after this time at the latest.
const LOOK_INTERVAL: Duration = Duration::from_mins(5);
/// After a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Two operators that are set up differently would otherwise take turns as fast as they can.
const WRITE_INTERVAL: Duration = Duration::from_secs(2);
/// How long the API server may take to hear of new authorities: as long as a review may take.
const HEARSAY: Duration = Duration::from_secs(TIMEOUT_SECONDS.unsigned_abs() as u64);

/// What is known of an object.
#[derive(Debug)]
enum Known<K> {
    /// Nobody has said anything yet.
    Nothing,
    /// It is absent, or as it was seen last.
    Seen(Option<K>),
}

impl<K: Resource> Known<K> {
    /// The watch may be behind what was read or written meanwhile.
    fn see(&mut self, seen: Option<K>) {
        let version =
            |object: &K| object.meta().resource_version.as_deref().and_then(|version| version.parse::<u64>().ok());
        if let (Self::Seen(Some(known)), Some(seen)) = (&*self, &seen)
            && known.meta().uid == seen.meta().uid
            && version(seen) < version(known)
        {
            return;
        }
        *self = Self::Seen(seen);
    }
}

/// One object, whenever it has changed; None while it is absent.
fn follow<K>(api: Api<K>, name: &str) -> impl Stream<Item = Result<Option<K>, watcher::Error>> + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    let events = patiently(watcher::watcher(api, config));
    let seen = events.scan(false, |is_listed, event| {
        if let Ok(Event::Init | Event::InitApply(_)) = &event {
            *is_listed = matches!(event, Ok(Event::InitApply(_)));
        }
        let seen = match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Ok(Event::InitDone) if !*is_listed => Some(Ok(None)),
            Ok(Event::Init | Event::InitDone) => None,
            Err(error) => Some(Err(error)),
        };
        future::ready(Some(seen))
    });
    seen.filter_map(future::ready)
}

/// Keeps both.
pub struct Keeper {
    secrets: Api<Secret>,
    registrations: Api<ValidatingWebhookConfiguration>,
    /// The same, behind the fence of whoever writes.
    writable_secrets: Api<Secret>,
    writable_registrations: Api<ValidatingWebhookConfiguration>,
    leadership: Leadership,
    options: Options,
    secret: Known<Secret>,
    registration: Known<ValidatingWebhookConfiguration>,
    issued: Option<time::Instant>,
    registered: Option<time::Instant>,
    served: Option<Certificate>,
    passes: Passes,
    certificates: watch::Sender<Option<Arc<ServerConfig>>>,
    knowledge: Knowledge,
    said: Option<String>,
}

/// It did not work out, and is to be tried again.
#[derive(Clone, Copy)]
struct Again;

impl Keeper {
    /// Certificates are handed to that channel, and the path that goes with one is known before the API server is told of it.
    pub fn new(
        client: Client,
        options: Options,
        passes: Passes,
        certificates: watch::Sender<Option<Arc<ServerConfig>>>,
        knowledge: Knowledge,
    ) -> Self {
        let writer = knowledge.writer();
        Self {
            secrets: Api::namespaced(client.clone(), &options.namespace),
            registrations: Api::all(client),
            writable_secrets: Api::namespaced(writer.clone(), &options.namespace),
            writable_registrations: Api::all(writer),
            leadership: knowledge.leadership(),
            options,
            secret: Known::Nothing,
            registration: Known::Nothing,
            issued: None,
            registered: None,
            served: None,
            passes,
            certificates,
            knowledge,
            said: None,
        }
    }

    /// Keeps both for ever, while this operator works on the cluster or stands by.
    pub async fn run(mut self) {
        let mut leadership = self.leadership.clone();
        let watched = [
            format!("the Secret {}", storage::NAME),
            format!("the ValidatingWebhookConfiguration {}", self.options.configuration),
        ];
        let mut secrets = pin!(follow(self.secrets.clone(), storage::NAME));
        let mut registrations = pin!(follow(self.registrations.clone(), &self.options.configuration));
        let mut wait = LOOK_INTERVAL;
        loop {
            leadership.takes_part().await;
            tokio::select! {
                Some(seen) = secrets.next() => {
                    if let Some(seen) = self.heard(&watched[0], seen) {
                        self.secret.see(seen);
                    }
                }
                Some(seen) = registrations.next() => {
                    if let Some(seen) = self.heard(&watched[1], seen) {
                        self.registration.see(seen);
                    }
                }
                () = leadership.changed() => {}
                () = time::sleep(wait) => {}
            }
            if leadership.part().is_none() {
                continue;
            }
            wait = if self.step().await.is_ok() { LOOK_INTERVAL } else { RETRY_INTERVAL };
        }
    }

    /// What is told of a watch; None where it has failed.
    fn heard<T>(&self, what: &str, told: Result<T, watcher::Error>) -> Option<T> {
        match &told {
            Ok(_) => self.knowledge.watches(what),
            Err(error) => self.knowledge.cannot_watch(what, error),
        }
        told.ok()
    }

    async fn step(&mut self) -> Result<(), Again> {
        let Some(certificate) = self.certificate().await? else { return Ok(()) };
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
                self.said = None;
                tracing::info!(host = self.options.host(), "the webhook has a certificate");
            }
            Err(error) => self.say("the webhook's certificate cannot be used", &error),
        }
        published
    }

    /// What is to be served.
    async fn certificate(&mut self) -> Result<Option<Certificate>, Again> {
        let Known::Seen(present) = &self.secret else { return Ok(None) };
        let planned = storage::plan(present.as_ref(), &self.options.namespace, &self.options.host(), clock::now());
        match planned {
            Ok(SecretPlan::Use(certificate)) => Ok(Some(certificate)),
            Ok(SecretPlan::Write(draft)) if self.leadership.part() == Some(LeadershipPart::StandsBy) => {
                Ok(draft.present)
            }
            Ok(SecretPlan::Write(draft)) => self.write(*draft).await,
            Ok(SecretPlan::Leave(unusable)) => {
                let problem =
                    format!("{unusable}; it was not made by the operator, so renew it, or delete it to have one made");
                self.say(&format!("the Secret {} is of no use", storage::NAME), &problem);
                Ok(None)
            }
            Err(error) => {
                self.say("the webhook does not serve", &error);
                Ok(None)
            }
        }
    }

    async fn write(&mut self, draft: Draft) -> Result<Option<Certificate>, Again> {
        if is_recent(self.issued) {
            return draft.present.map(Some).ok_or(Again);
        }
        tracing::info!(secret = storage::NAME, reason = %draft.why, "a certificate is made for the webhook");
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = match &draft.secret.metadata.resource_version {
            None => self.writable_secrets.create(&params, &draft.secret).await,
            Some(_) => self.writable_secrets.replace(storage::NAME, &params, &draft.secret).await,
        };
        match written {
            Ok(written) => {
                self.issued = Some(time::Instant::now());
                self.secret = Known::Seen(Some(written));
            }
            // Another replica was faster, and its certificate serves as well.
            Err(Error::Api(status)) if status.is_conflict() || status.is_already_exists() || status.is_not_found() => {
                self.reread().await?;
            }
            Err(Error::Api(status)) if status.is_invalid() => self.discard(&draft, &status.message).await?,
            Err(error) => {
                self.say(&format!("the Secret {} cannot be written", storage::NAME), &Cause::of(&error));
                return draft.present.map(Some).ok_or(Again);
            }
        }
        let Known::Seen(Some(secret)) = &self.secret else { return Err(Again) };
        match storage::plan(Some(secret), &self.options.namespace, &self.options.host(), clock::now()) {
            Ok(SecretPlan::Use(certificate)) => Ok(Some(certificate)),
            _ => Err(Again),
        }
    }

    async fn reread(&mut self) -> Result<(), Again> {
        match self.secrets.get_opt(storage::NAME).await {
            Ok(seen) => {
                self.secret = Known::Seen(seen);
                Ok(())
            }
            Err(error) => {
                self.say(&format!("the Secret {} cannot be read", storage::NAME), &Cause::of(&error));
                Err(Again)
            }
        }
    }

    /// One that cannot be changed, such as an immutable one, makes room for another.
    async fn discard(&mut self, draft: &Draft, problem: &str) -> Result<(), Again> {
        tracing::warn!(secret = storage::NAME, problem, "the Secret cannot be changed: it is made anew");
        let metadata = &draft.secret.metadata;
        let preconditions =
            Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        if let Err(error) = self.writable_secrets.delete(storage::NAME, &params).await {
            self.say(&format!("the Secret {} cannot be deleted", storage::NAME), &Cause::of(&error));
        }
        self.reread().await
    }

    /// Makes the API server trust the certificate's authorities.
    async fn publish(&mut self, certificate: &Certificate) -> Result<(), Again> {
        let pass = Pass::of(certificate);
        self.passes.admit(&pass);
        let Known::Seen(present) = &self.registration else { return Ok(()) };
        if !self.leadership.leads() {
            // Whoever works makes it known, and may go before it has.
            return if registration::trusts(present.as_ref(), &certificate.authorities) { Ok(()) } else { Err(Again) };
        }
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let name = self.options.configuration.clone();
        let written = match registration::plan(present.as_ref(), &self.options, &certificate.authorities, &pass) {
            RegistrationPlan::Keep => return Ok(()),
            RegistrationPlan::Absent => {
                self.say(
                    "nothing calls the webhook",
                    &format!(
                        "there is no ValidatingWebhookConfiguration {name} with a webhook {}: install it, or let the operator make it by --webhook-register=true",
                        registration::NAME
                    ),
                );
                return Ok(());
            }
            RegistrationPlan::Create(_) | RegistrationPlan::Replace(_) if is_recent(self.registered) => {
                return Err(Again);
            }
            RegistrationPlan::Create(made) => self.writable_registrations.create(&params, &made).await,
            RegistrationPlan::Replace(changed) => self.writable_registrations.replace(&name, &params, &changed).await,
        };
        match written {
            Ok(written) => {
                tracing::info!(configuration = name, "the API server knows the webhook's authority");
                self.registration = Known::Seen(Some(written));
                self.registered = Some(time::Instant::now());
                Ok(())
            }
            Err(error) => {
                if !is_overtaken(&error) {
                    let what = format!("the ValidatingWebhookConfiguration {name} cannot be written");
                    self.say(&what, &Cause::of(&error));
                }
                Err(Again)
            }
        }
    }

    /// Not again and again.
    fn say(&mut self, what: &str, problem: &impl Display) {
        let said = format!("{what}: {problem}");
        if self.said.as_ref() != Some(&said) {
            tracing::warn!("{said}");
            self.said = Some(said);
        }
    }
}

fn is_recent(write: Option<time::Instant>) -> bool {
    write.is_some_and(|write| write.elapsed() < WRITE_INTERVAL)
}

/// Its news are under way.
fn is_overtaken(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.is_conflict() || status.is_already_exists() || status.is_not_found())
}

#[cfg(test)]
mod tests;

//! Keeps the Secret of a certificate as it should be.
//!
//! Only the replica that works writes. The others serve with what the Secret holds.

use super::{
    sight::{Known, follow},
    storage::{CertificateSecret, Draft, SecretPlan},
};
use crate::{
    connection::Cause,
    controller::{Knowledge, Leadership, LeadershipPart, clock},
    evaluation::object::MANAGER,
    server::certificate::Certificate,
};
use futures::Stream;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Error,
    api::{DeleteParams, PostParams, Preconditions},
    runtime::watcher,
};
use std::{fmt::Display, time::Duration};
use tokio::time;

/// After a failure.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Two operators that are set up differently would otherwise take turns as fast as they can.
const WRITE_INTERVAL: Duration = Duration::from_secs(2);

/// Keeps it.
pub struct CertificateKeeper {
    kept: CertificateSecret,
    secrets: Api<Secret>,
    /// The same, behind the fence of whoever writes.
    writable: Api<Secret>,
    leadership: Leadership,
    secret: Known<Secret>,
    issued: Option<time::Instant>,
    knowledge: Knowledge,
    said: Option<String>,
}

/// It did not work out, and is to be tried again.
#[derive(Clone, Copy)]
pub struct Again;

impl CertificateKeeper {
    /// Of a Secret that nothing is known of yet.
    #[must_use]
    pub fn new(client: Client, kept: CertificateSecret, knowledge: Knowledge) -> Self {
        Self {
            secrets: Api::namespaced(client, &kept.namespace),
            writable: Api::namespaced(knowledge.writer(), &kept.namespace),
            leadership: knowledge.leadership(),
            kept,
            secret: Known::Nothing,
            issued: None,
            knowledge,
            said: None,
        }
    }

    /// The same that writes by that client, and is told by that who works.
    #[cfg(test)]
    #[must_use]
    pub fn writing(self, client: Client, leadership: Leadership) -> Self {
        Self { writable: Api::namespaced(client, &self.kept.namespace), leadership, ..self }
    }

    /// What it keeps.
    #[must_use]
    pub fn kept(&self) -> &CertificateSecret {
        &self.kept
    }

    /// The Secret, whenever it has changed.
    pub fn follow(&self) -> impl Stream<Item = Result<Option<Secret>, watcher::Error>> + use<> {
        follow(self.secrets.clone(), self.kept.name)
    }

    /// Takes in what was told of it.
    pub fn see(&mut self, told: Result<Option<Secret>, watcher::Error>) {
        if let Some(seen) = self.heard(&format!("the Secret {}", self.kept.name), told) {
            self.secret.see(seen);
        }
    }

    /// What is told of a watch; None where it has failed.
    pub fn heard<T>(&self, what: &str, told: Result<T, watcher::Error>) -> Option<T> {
        match &told {
            Ok(_) => self.knowledge.watches(what),
            Err(error) => self.knowledge.cannot_watch(what, error),
        }
        told.ok()
    }

    /// What is to be served; None while there is nothing.
    ///
    /// # Errors
    /// Where it is to be looked again soon.
    pub async fn certificate(&mut self) -> Result<Option<Certificate>, Again> {
        let Known::Seen(present) = &self.secret else { return Ok(None) };
        match self.kept.plan(present.as_ref(), clock::now()) {
            Ok(SecretPlan::Use(certificate)) => Ok(Some(certificate)),
            Ok(SecretPlan::Write(draft)) if self.leadership.part() == Some(LeadershipPart::StandsBy) => {
                Ok(draft.present)
            }
            Ok(SecretPlan::Write(draft)) => self.write(*draft).await,
            Ok(SecretPlan::Leave(unusable)) => {
                let problem =
                    format!("{unusable}; it was not made by the operator, so renew it, or delete it to have one made");
                self.say(&format!("the Secret {} is of no use", self.kept.name), &problem);
                Ok(None)
            }
            Err(error) => {
                self.say(&format!("{} does not serve", self.kept.user), &error);
                Ok(None)
            }
        }
    }

    async fn write(&mut self, draft: Draft) -> Result<Option<Certificate>, Again> {
        if is_recent(self.issued) {
            return draft.present.map(Some).ok_or(Again);
        }
        let name = self.kept.name;
        tracing::info!(secret = name, reason = %draft.why, "a certificate is made for {}", self.kept.user);
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = match &draft.secret.metadata.resource_version {
            None => self.writable.create(&params, &draft.secret).await,
            Some(_) => self.writable.replace(name, &params, &draft.secret).await,
        };
        match written {
            Ok(written) => {
                self.issued = Some(time::Instant::now());
                self.secret = Known::Seen(Some(written));
            }
            // Another replica was faster, and its certificate serves as well.
            Err(error) if is_overtaken(&error) => self.reread().await?,
            Err(Error::Api(status)) if status.is_invalid() => self.discard(&draft, &status.message).await?,
            Err(error) => {
                self.say(&format!("the Secret {name} cannot be written"), &Cause::of(&error));
                return draft.present.map(Some).ok_or(Again);
            }
        }
        let Known::Seen(Some(secret)) = &self.secret else { return Err(Again) };
        match self.kept.plan(Some(secret), clock::now()) {
            Ok(SecretPlan::Use(certificate)) => Ok(Some(certificate)),
            _ => Err(Again),
        }
    }

    async fn reread(&mut self) -> Result<(), Again> {
        match self.secrets.get_opt(self.kept.name).await {
            Ok(seen) => {
                self.secret = Known::Seen(seen);
                Ok(())
            }
            Err(error) => {
                self.say(&format!("the Secret {} cannot be read", self.kept.name), &Cause::of(&error));
                Err(Again)
            }
        }
    }

    /// One that cannot be changed, such as an immutable one, makes room for another.
    async fn discard(&mut self, draft: &Draft, problem: &str) -> Result<(), Again> {
        let name = self.kept.name;
        tracing::warn!(secret = name, problem, "the Secret cannot be changed: it is made anew");
        let metadata = &draft.secret.metadata;
        let preconditions =
            Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        if let Err(error) = self.writable.delete(name, &params).await {
            self.say(&format!("the Secret {name} cannot be deleted"), &Cause::of(&error));
        }
        self.reread().await
    }

    /// Not again and again.
    pub fn say(&mut self, what: &str, problem: &impl Display) {
        let said = format!("{what}: {problem}");
        if self.said.as_ref() != Some(&said) {
            tracing::warn!("{said}");
            self.said = Some(said);
        }
    }

    /// All is well: what is wrong next is said again.
    pub fn is_well(&mut self) {
        self.said = None;
    }
}

/// Whether something was written a moment ago.
#[must_use]
pub fn is_recent(write: Option<time::Instant>) -> bool {
    write.is_some_and(|write| write.elapsed() < WRITE_INTERVAL)
}

/// Whether another was faster, whose news are under way.
#[must_use]
pub fn is_overtaken(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.is_conflict() || status.is_already_exists() || status.is_not_found())
}

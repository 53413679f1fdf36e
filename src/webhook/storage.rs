//! The Secret that keeps the certificate, so that all replicas have the same.

#[cfg(test)]
mod tests;

use crate::{
    core::{calendar::Instant, secret},
    installation::WEBHOOK_SECRET,
    server::certificate::{CannotIssue, Certificate, Unusable},
};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;
use std::collections::BTreeMap;

/// The Secret's name.
pub const NAME: &str = WEBHOOK_SECRET;
/// Annotation on a Secret that the operator made: the host that the certificate is for. Others, such as one that a
/// certificate manager keeps, are used as they are and never changed.
const HOST: &str = "entitlements.dev/webhook-host";

const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

/// What is to be done about the Secret.
#[derive(Debug)]
pub enum SecretPlan {
    /// Nothing: this serves.
    Use(Certificate),
    /// The Secret is to be made or, with its resourceVersion, replaced.
    Write(Box<Draft>),
    /// It is of no use, and not the operator's to change.
    Leave(Unusable),
}

/// A Secret that is to be written.
#[derive(Debug)]
pub struct Draft {
    /// The whole object.
    pub secret: Secret,
    /// What serves until then, where there is such.
    pub present: Option<Certificate>,
    /// Why it is written, for the log.
    pub why: Why,
}

/// Why a certificate is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// There is none.
    #[error("there is none yet")]
    Absent,
    /// The one that is there will end.
    #[error("the present one is past two thirds of its time")]
    Due,
    /// The one that is there is of no use.
    #[error("the present one is of no use: {0}")]
    Unusable(Unusable),
}

/// What is to be done about the Secret, so that there is a certificate for the host.
///
/// # Errors
/// Where no certificate can be made for it.
pub fn plan(present: Option<&Secret>, namespace: &str, host: &str, now: Instant) -> Result<SecretPlan, CannotIssue> {
    let Some(secret) = present else { return draft(None, None, Why::Absent, namespace, host, now) };
    let certificate = read(secret);
    let is_own = secret.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(HOST));
    match certificate.check(host, now) {
        Ok(()) if is_own && certificate.is_due(host, now) => {
            draft(present, Some(certificate), Why::Due, namespace, host, now)
        }
        Ok(()) => Ok(SecretPlan::Use(certificate)),
        Err(unusable) if is_own => draft(present, None, Why::Unusable(unusable), namespace, host, now),
        Err(unusable) => Ok(SecretPlan::Leave(unusable)),
    }
}

fn draft(
    replaced: Option<&Secret>,
    present: Option<Certificate>,
    why: Why,
    namespace: &str,
    host: &str,
    now: Instant,
) -> Result<SecretPlan, CannotIssue> {
    let in_use = replaced.and_then(|secret| secret.data.as_ref()?.get(AUTHORITIES));
    let certificate = Certificate::issue(host, in_use.map(|pem| pem.0.as_slice()), now)?;
    let before = replaced.map(|secret| secret.metadata.clone()).unwrap_or_default();
    let metadata = ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: Some(namespace.to_owned()),
        annotations: Some(BTreeMap::from([(HOST.to_owned(), host.to_owned())])),
        labels: before.labels,
        resource_version: before.resource_version,
        uid: before.uid,
        ..ObjectMeta::default()
    };
    let secret = Secret {
        metadata,
        data: Some(data(&certificate)),
        // What has another type cannot be given this one.
        type_: replaced.map_or_else(|| Some("kubernetes.io/tls".to_owned()), |secret| secret.type_.clone()),
        ..Secret::default()
    };
    Ok(SecretPlan::Write(Box::new(Draft { secret, present, why })))
}

fn data(certificate: &Certificate) -> BTreeMap<String, ByteString> {
    BTreeMap::from([
        (CHAIN.to_owned(), ByteString(certificate.chain.clone())),
        (KEY.to_owned(), ByteString(certificate.key.expose_secret().clone())),
        (AUTHORITIES.to_owned(), ByteString(certificate.authorities.clone())),
    ])
}

fn read(secret: &Secret) -> Certificate {
    let part = |key: &str| {
        secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone()).unwrap_or_default()
    };
    Certificate { chain: part(CHAIN), key: secret::Secret::new(part(KEY)), authorities: part(AUTHORITIES) }
}

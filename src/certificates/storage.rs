//! The Secret that keeps the certificate, so that all replicas have the same.

#[cfg(test)]
mod tests;

use crate::{
    core::{
        calendar::{Instant, format_instant, parse_instant},
        secret,
    },
    server::certificate::{
        AUTHORITY_LIFETIME, Authority, CannotIssue, Certificate, CertificateHolder, LIFETIME, Unusable,
    },
};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;
use std::collections::BTreeMap;

const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
/// Annotation: until when an authority that is kept is valid. Whether it is at a moment is not checked with what it signed: many take
/// whom they trust for valid, and others do not.
const AUTHORITY_UNTIL: &str = "entitlements.dev/authority-until";

/// A Secret that keeps a certificate, and what it is for.
#[derive(Clone, Debug)]
pub struct CertificateSecret {
    /// The Secret's name.
    pub name: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Annotation on a Secret that the operator made: the hosts that the certificate is for. Others, such as one that a
    /// certificate manager keeps, are used as they are and never changed.
    pub annotation: &'static str,
    /// Who serves with it, as the log says.
    pub user: &'static str,
    /// Whom the certificate is for.
    pub holder: CertificateHolder,
    /// What becomes of the key of the authority that signs it.
    pub authority: AuthorityKeeping,
}

/// What becomes of an authority's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityKeeping {
    /// It is thrown away as soon as it has signed: for who is told of each new authority at once.
    Forgotten,
    /// It signs the next certificate too: for who is told of an authority once.
    Kept,
}

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

impl CertificateSecret {
    /// What is to be done about the Secret, so that there is a certificate for its hosts.
    ///
    /// # Errors
    /// Where no certificate can be made for them.
    pub fn plan(&self, present: Option<&Secret>, now: Instant) -> Result<SecretPlan, CannotIssue> {
        let Some(secret) = present else { return self.draft(None, None, Why::Absent, now) };
        let certificate = read(secret);
        let annotations = secret.metadata.annotations.as_ref();
        let is_own = annotations.is_some_and(|annotations| annotations.contains_key(self.annotation));
        match self.check(&certificate, now) {
            Ok(()) if is_own && self.holder.hosts.iter().any(|host| certificate.is_due(host, now)) => {
                self.draft(present, Some(certificate), Why::Due, now)
            }
            Ok(()) => Ok(SecretPlan::Use(certificate)),
            Err(unusable) if is_own => self.draft(present, None, Why::Unusable(unusable), now),
            Err(unusable) => Ok(SecretPlan::Leave(unusable)),
        }
    }

    /// For each of its hosts.
    fn check(&self, certificate: &Certificate, now: Instant) -> Result<(), Unusable> {
        self.holder.hosts.iter().try_for_each(|host| certificate.check(host, now))
    }

    fn draft(
        &self,
        replaced: Option<&Secret>,
        present: Option<Certificate>,
        why: Why,
        now: Instant,
    ) -> Result<SecretPlan, CannotIssue> {
        let (certificate, authority) = self.issue(replaced, now)?;
        let before = replaced.map(|secret| secret.metadata.clone()).unwrap_or_default();
        let mut data = data(&certificate);
        let mut annotations = BTreeMap::from([(self.annotation.to_owned(), self.holder.hosts.join(","))]);
        if let Some(KeptAuthority { key, until }) = authority {
            data.insert(AUTHORITY_KEY.to_owned(), ByteString(key.expose_secret().clone()));
            annotations.insert(AUTHORITY_UNTIL.to_owned(), format_instant(until));
        }
        let metadata = ObjectMeta {
            name: Some(self.name.to_owned()),
            namespace: Some(self.namespace.clone()),
            annotations: Some(annotations),
            labels: before.labels,
            resource_version: before.resource_version,
            uid: before.uid,
            ..ObjectMeta::default()
        };
        let secret = Secret {
            metadata,
            data: Some(data),
            // What has another type cannot be given this one.
            type_: replaced.map_or_else(|| Some("kubernetes.io/tls".to_owned()), |secret| secret.type_.clone()),
            ..Secret::default()
        };
        Ok(SecretPlan::Write(Box::new(Draft { secret, present, why })))
    }

    /// A new certificate, with its authority where that is kept.
    fn issue(
        &self,
        replaced: Option<&Secret>,
        now: Instant,
    ) -> Result<(Certificate, Option<KeptAuthority>), CannotIssue> {
        let in_use = replaced.and_then(|secret| part(secret, AUTHORITIES));
        if self.authority == AuthorityKeeping::Forgotten {
            return Ok((Certificate::issue(&self.holder, in_use.as_deref(), now)?, None));
        }
        if let Some((authority, until)) =
            replaced.and_then(kept_authority).filter(|(_, until)| now + LIFETIME <= *until)
        {
            let certificate = authority.sign(&self.holder, now)?;
            // One that is of no use, or for other hosts, signs no more.
            if self.check(&certificate, now).is_ok() {
                return Ok((certificate, Some(KeptAuthority { key: authority.into_key(), until })));
            }
        }
        let authority = Authority::lasting(&self.holder, now)?;
        let certificate = authority.sign(&self.holder, now)?.trusting(in_use.as_deref());
        let until = now + AUTHORITY_LIFETIME;
        Ok((certificate, Some(KeptAuthority { key: authority.into_key(), until })))
    }
}

/// The key of an authority, and until when that is valid.
struct KeptAuthority {
    key: secret::Secret<Vec<u8>>,
    until: Instant,
}

/// The authority that a Secret keeps.
fn kept_authority(secret: &Secret) -> Option<(Authority, Instant)> {
    let until = secret.metadata.annotations.as_ref()?.get(AUTHORITY_UNTIL)?;
    let authority = Authority::read(part(secret, AUTHORITIES)?, part(secret, AUTHORITY_KEY)?).ok()?;
    Some((authority, parse_instant(until).ok()?))
}

fn data(certificate: &Certificate) -> BTreeMap<String, ByteString> {
    BTreeMap::from([
        (CHAIN.to_owned(), ByteString(certificate.chain.clone())),
        (KEY.to_owned(), ByteString(certificate.key.expose_secret().clone())),
        (AUTHORITIES.to_owned(), ByteString(certificate.authorities.clone())),
    ])
}

fn part(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    secret.data.as_ref()?.get(key).map(|bytes| bytes.0.clone())
}

fn read(secret: &Secret) -> Certificate {
    let part = |key: &str| part(secret, key).unwrap_or_default();
    Certificate { chain: part(CHAIN), key: secret::Secret::new(part(KEY)), authorities: part(AUTHORITIES) }
}

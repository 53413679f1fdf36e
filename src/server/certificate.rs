//! A certificate, and the authority by which the API server trusts it.
//!
//! A certificate that only the API server has to trust has an authority of its own, whose key is thrown away as soon as it has
//! signed: nobody, whatever they can read of the cluster, can make another that it would trust. What others have to trust is signed
//! by an authority that lasts, and that can sign for no other hosts.

use crate::core::{calendar::Instant, secret::Secret};
use chrono::{DateTime, TimeDelta};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::{
    CertificateError, RootCertStore, ServerConfig,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{fmt::Display, sync::Arc, time::Duration};

/// How long a certificate is valid.
pub const LIFETIME: Duration = Duration::from_hours(90 * 24);
/// How long an authority that lasts is valid.
pub const AUTHORITY_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);
/// It is replaced when it is valid for less than this: after two thirds of its lifetime.
pub const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);
/// How far ahead it is looked for the end of a certificate, in seconds.
const DECADES: i64 = 1 << 31;
/// Clocks differ: it is valid from a while ago.
const BACKDATED: Duration = Duration::from_hours(1);

/// A certificate, its key, and the authorities that may have signed those in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// PEM: the certificate, and those between it and its authority.
    pub chain: Vec<u8>,
    /// PEM: the private key.
    pub key: Secret<Vec<u8>>,
    /// PEM: the authorities, the newest first.
    pub authorities: Vec<u8>,
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateHolder {
    /// What it is called in the certificate.
    pub name: &'static str,
    /// The hosts: names, or IP addresses.
    pub hosts: Vec<String>,
}

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority {
    /// PEM: its certificate, the first of them.
    certificate: Vec<u8>,
    key: Secret<Vec<u8>>,
}

/// The authorities, one of which must have signed a client's certificate.
#[derive(Clone, Debug)]
pub struct ClientAuthorities(Arc<dyn ClientCertVerifier>);

impl ClientAuthorities {
    /// Reads the authorities' certificates (PEM).
    ///
    /// # Errors
    /// Where there are none, or one cannot be used.
    pub fn read(pem: &[u8]) -> Result<Self, Unusable> {
        let part = "the authorities of clients";
        let mut roots = RootCertStore::empty();
        for authority in read_all(pem, part)? {
            roots.add(authority).map_err(|error| invalid(part, &error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        verifier.map(Self).map_err(|error| invalid(part, &error))
    }
}

/// Why a certificate cannot be used. It holds nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no certificate at all.
    #[error("{part} cannot be read")]
    Unreadable {
        /// What of it.
        part: &'static str,
    },
    /// It cannot be used for what it is meant for.
    #[error("{0}")]
    Invalid(String),
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a certificate for {hosts} cannot be made: {problem}")]
pub struct CannotIssue {
    hosts: String,
    problem: rcgen::Error,
}

impl Certificate {
    /// Makes a certificate by an authority that signs no other. Of the authorities that are in use the newest stays trusted, as
    /// others may serve its certificate a little longer.
    ///
    /// # Errors
    /// Where a host is no name that a certificate can have.
    pub fn issue(holder: &CertificateHolder, in_use: Option<&[u8]>, now: Instant) -> Result<Self, CannotIssue> {
        Ok(Authority::of_one(holder, now)?.sign(holder, now)?.trusting(in_use))
    }

    /// The same that trusts the newest of those authorities (PEM) too.
    #[must_use]
    pub fn trusting(mut self, in_use: Option<&[u8]>) -> Self {
        let previous = in_use.and_then(|pem| CertificateDer::from_pem_slice(pem).ok());
        self.authorities.extend(previous.map(|authority| to_pem(&authority)).unwrap_or_default().into_bytes());
        self
    }

    /// Whether the API server would accept it for that host at that moment.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, host: &str, now: Instant) -> Result<(), Unusable> {
        let (chain, _) = self.parts()?;
        let mut roots = RootCertStore::empty();
        for authority in read_all(&self.authorities, "ca.crt")? {
            roots.add(authority).map_err(|error| invalid("ca.crt", &error))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let verifier = verifier.map_err(|error| invalid("ca.crt", &error))?;
        let name = ServerName::try_from(host).map_err(|error| invalid("the host", &error))?;
        let (leaf, between) = chain.split_first().ok_or(Unusable::Unreadable { part: "tls.crt" })?;
        verifier.verify_server_cert(leaf, between, &name, &[], at(now)).map_err(|error| invalid("tls.crt", &error))?;
        self.server_config(None).map(drop)
    }

    /// Whether it is time to replace it.
    #[must_use]
    pub fn is_due(&self, host: &str, now: Instant) -> bool {
        self.check(host, now + RENEW_BEFORE).is_err()
    }

    /// The last second at which the API server would accept it for that host, as far as this lies within some decades. What the
    /// certificates say is not read: what counts is whether all of them together are accepted.
    #[must_use]
    pub fn valid_until(&self, host: &str, now: Instant) -> Option<Instant> {
        let is_valid = |seconds: i64| self.check(host, now + TimeDelta::seconds(seconds)).is_ok();
        if !is_valid(0) {
            return None;
        }
        let (mut valid, mut invalid) = (0, DECADES);
        while invalid - valid > 1 {
            let between = valid + (invalid - valid) / 2;
            if is_valid(between) { valid = between } else { invalid = between }
        }
        Some(now + TimeDelta::seconds(valid))
    }

    /// The last second of the certificate itself, or of one between it and its authority that ends earlier; whoever has signed it. None
    /// where they cannot be read.
    #[must_use]
    pub fn ends(&self) -> Option<Instant> {
        read_all(&self.chain, "tls.crt").ok()?.iter().map(end_of).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// What it takes to serve with it, to everyone or to clients of certain authorities.
    ///
    /// # Errors
    /// Where it cannot be read, or its key belongs to another.
    pub fn server_config(&self, clients: Option<&ClientAuthorities>) -> Result<Arc<ServerConfig>, Unusable> {
        let (chain, key) = self.parts()?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| invalid("TLS", &error))?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(&clients.0)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| invalid("tls.key", &error))?;
        // One connection for each request under way, as the API server spreads these over the replicas.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn parts(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Unusable> {
        let chain = read_all(&self.chain, "tls.crt")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret());
        Ok((chain, key.map_err(|_| Unusable::Unreadable { part: "tls.key" })?))
    }
}

impl Authority {
    /// One that is there: its certificate is the first of these (PEM), beside its key (PEM).
    ///
    /// # Errors
    /// Where that is no key.
    pub fn read(certificate: Vec<u8>, key: Vec<u8>) -> Result<Self, Unusable> {
        let authority = Self { certificate, key: Secret::new(key) };
        authority.key_pair().map_err(|_| Unusable::Unreadable { part: "ca.key" })?;
        Ok(authority)
    }

    /// One that lasts for years, and can sign for those hosts alone.
    ///
    /// # Errors
    /// Where a host is no name that a certificate can have.
    pub fn lasting(holder: &CertificateHolder, now: Instant) -> Result<Self, CannotIssue> {
        let permitted_subtrees = holder.hosts.iter().cloned().map(GeneralSubtree::DnsName).collect();
        let constraints = NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() };
        Self::make(holder, Some(constraints), AUTHORITY_LIFETIME, now)
    }

    /// One that lasts as long as what it signs.
    fn of_one(holder: &CertificateHolder, now: Instant) -> Result<Self, CannotIssue> {
        Self::make(holder, None, LIFETIME, now)
    }

    fn make(
        holder: &CertificateHolder,
        constraints: Option<NameConstraints>,
        lifetime: Duration,
        now: Instant,
    ) -> Result<Self, CannotIssue> {
        let make = || {
            let mut params = authority_params(holder, lifetime, now)?;
            params.name_constraints = constraints;
            let key = KeyPair::generate()?;
            Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) = make().map_err(|problem| cannot_issue(holder, problem))?;
        Ok(Self { certificate: certificate.into_bytes(), key: Secret::new(key.into_bytes()) })
    }

    /// A certificate of its own, by which that authority is trusted.
    ///
    /// # Errors
    /// Where a host is no name that a certificate can have.
    pub fn sign(&self, holder: &CertificateHolder, now: Instant) -> Result<Certificate, CannotIssue> {
        let sign = || {
            let mut leaf = params(holder.hosts.clone(), holder.name, LIFETIME, now)?;
            leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            leaf.use_authority_key_identifier_extension = true;
            let issuer = Issuer::new(authority_params(holder, LIFETIME, now)?, self.key_pair()?);
            let key = KeyPair::generate()?;
            Ok((leaf.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
        };
        let (chain, key) = sign().map_err(|problem| cannot_issue(holder, problem))?;
        let (chain, key) = (chain.into_bytes(), Secret::new(key.into_bytes()));
        Ok(Certificate { chain, key, authorities: self.certificate.clone() })
    }

    /// Its key, to be kept.
    #[must_use]
    pub fn into_key(self) -> Secret<Vec<u8>> {
        self.key
    }

    fn key_pair(&self) -> Result<KeyPair, rcgen::Error> {
        let pem = std::str::from_utf8(self.key.expose_secret()).unwrap_or_default();
        KeyPair::from_pem(pem)
    }
}

fn cannot_issue(holder: &CertificateHolder, problem: rcgen::Error) -> CannotIssue {
    CannotIssue { hosts: holder.hosts.join(", "), problem }
}

/// What an authority is known by, from one certificate to the next.
fn authority_params(
    holder: &CertificateHolder,
    lifetime: Duration,
    now: Instant,
) -> Result<CertificateParams, rcgen::Error> {
    let mut authority = params(Vec::new(), &format!("{} authority", holder.name), lifetime, now)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(authority)
}

fn params(hosts: Vec<String>, name: &str, lifetime: Duration, now: Instant) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    // In whole seconds, as certificates have it.
    let now = date_time_ymd(1970, 1, 1) + seconds(now);
    params.not_before = now - BACKDATED;
    params.not_after = now + lifetime;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn seconds(moment: Instant) -> Duration {
    Duration::from_secs(u64::try_from(moment.timestamp()).unwrap_or(0))
}

fn at(moment: Instant) -> UnixTime {
    UnixTime::since_unix_epoch(seconds(moment))
}

/// The last second of a certificate, as the verifier says it of one that has ended.
fn end_of(certificate: &CertificateDer<'static>) -> Option<Instant> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let late = UnixTime::since_unix_epoch(Duration::from_secs(u64::from(u32::MAX) << 8));
    match verifier.verify_server_cert(certificate, &[], &name, &[], late).err()? {
        rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            DateTime::from_timestamp(i64::try_from(not_after.as_secs()).ok()?, 0)
        }
        _ => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read_all(pem: &[u8], part: &'static str) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(Unusable::Unreadable { part })
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(certificate);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn invalid(part: &str, problem: &impl Display) -> Unusable {
    Unusable::Invalid(format!("{part}: {problem}"))
}

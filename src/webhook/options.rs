//! Where the webhook listens, and how the API server reaches it.

use crate::{
    certificates::{AuthorityKeeping, CertificateSecret},
    installation::{self, WEBHOOK_PORT, WEBHOOK_SECRET},
    server::certificate::{CertificateHolder, ClientAuthorities},
};
use http::Uri;
use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// The path that reviews are sent to.
pub const PATH: &str = "/validate";

/// How the webhook is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub address: SocketAddr,
    /// How the API server reaches it.
    pub reach: Reachability,
    /// The operator's own namespace, in which the certificate is kept.
    pub namespace: String,
    /// The name of the ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Whether it makes that configuration where it is absent, and keeps its own webhook in it as it should be. Else it only
    /// fills in the `caBundle` and the path.
    pub registers: bool,
    /// Who has to have signed the certificate of whoever asks; without, anybody may ask.
    pub client_authorities: Option<ClientAuthorities>,
    /// Whether what names something that does not exist is warned of rather than refused.
    pub allows_missing: bool,
}

impl Options {
    /// Everywhere on port 9443, registered by itself.
    #[must_use]
    pub fn new(reach: Reachability, namespace: &str) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, WEBHOOK_PORT)),
            registers: true,
            reach,
            namespace: namespace.to_owned(),
            configuration: installation::NAME.to_owned(),
            client_authorities: None,
            allows_missing: false,
        }
    }

    /// What its registration takes rights for.
    #[must_use]
    pub fn rights(&self) -> installation::Webhook {
        installation::Webhook { configuration: self.configuration.clone(), registers: self.registers }
    }

    /// How its certificate is kept.
    #[must_use]
    pub fn certificate(&self) -> CertificateSecret {
        CertificateSecret {
            name: WEBHOOK_SECRET,
            namespace: self.namespace.clone(),
            annotation: "entitlements.dev/webhook-host",
            user: "the webhook",
            holder: CertificateHolder { name: "entitlement-operator webhook", hosts: vec![self.host()] },
            authority: AuthorityKeeping::Forgotten,
        }
    }

    /// The host that the API server expects in the certificate.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.reach {
            Reachability::Service(name) => format!("{name}.{}.svc", self.namespace),
            Reachability::Url(url) => url.host.clone(),
        }
    }
}

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// Through port 443 of a Service of that name in the operator's namespace.
    Service(String),
    /// Through a URL, for an operator that runs outside the cluster.
    Url(BaseUrl),
}

/// An `https` URL without path, such as `https://192.0.2.1:9443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What was given is no URL that an API server can call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no URL that the API server can call: it begins with https:// and has a host and perhaps a port, such as https://192.0.2.1:9443"
)]
pub struct InvalidUrl(String);

impl FromStr for BaseUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(invalid)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !is_bare || authority.host().is_empty() {
            return Err(invalid());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { text: format!("https://{authority}"), host })
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseUrl, Options, Reachability};

    #[test]
    fn reads_urls_that_an_api_server_can_call() {
        for (text, url, host) in [
            ("https://127.0.0.1:9443", "https://127.0.0.1:9443", "127.0.0.1"),
            ("https://operator.example/", "https://operator.example", "operator.example"),
            ("https://[::1]:9443", "https://[::1]:9443", "::1"),
        ] {
            let reach = Reachability::Url(text.parse::<BaseUrl>().unwrap());
            let Reachability::Url(read) = &reach else { panic!() };
            assert_eq!(read.to_string(), url);
            assert_eq!(Options::new(reach, "operator").host(), host);
        }
        for text in [
            "",
            "127.0.0.1:9443",
            "http://127.0.0.1",
            "https://",
            "https://a@b",
            "https://a/b",
            "https://a?b",
            "https://a b",
        ] {
            let error = text.parse::<BaseUrl>().unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("{text:?} is no URL that the API server can call")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_service_is_known_by_its_name_in_the_cluster() {
        let options = Options::new(Reachability::Service("webhook".to_owned()), "operator");
        assert_eq!(options.host(), "webhook.operator.svc");
        assert_eq!(options.address.to_string(), "0.0.0.0:9443");
    }
}

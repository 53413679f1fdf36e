//! Where Prometheus is, and as whom it is asked.

use http::{
    HeaderName, HeaderValue, Uri,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where Prometheus is, and as whom it is asked.
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// Where it is.
    pub url: PrometheusUrl,
    /// A file with the bearer token, or with the password of `user`. It is read for each request, so it may change.
    pub token_file: Option<PathBuf>,
    /// Who asks by basic authentication.
    pub user: Option<String>,
    /// A file with the certificates (PEM) of the authorities that are trusted; those of the machine without it.
    pub certificate_authority: Option<PathBuf>,
    /// A file with headers that each request has, one a line, such as `X-Scope-OrgID: shop`. It is read for each request, too.
    pub header_file: Option<PathBuf>,
    /// How long an answer may take, to its end.
    pub deadline: Duration,
}

/// The URL under which Prometheus has `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusUrl(Uri);

/// What was given is no URL of Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrometheusUrl {
    /// It is none of HTTP.
    #[error("it is no URL of a Prometheus: write one such as http://prometheus.monitoring:9090")]
    NoUrl,
    /// It has credentials, which everybody would see who sees the flags.
    #[error(
        "a URL is no place for a password: name a file that has it with --prometheus-token-file, and the user with --prometheus-user"
    )]
    Credentials,
}

/// Why Prometheus cannot be asked at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusablePrometheus {
    /// A file is of no use.
    #[error("{flag}: {} is of no use: {problem}", path.display())]
    File {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong, without anything that stands in it.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error(
        "--prometheus-url: no secure connection can be made: {0}: give the authority's certificate with --prometheus-certificate-authority"
    )]
    Tls(String),
}

const HEADER_FLAG: &str = "--prometheus-header-file";
/// What says how a request is sent, which is not for anybody else to say.
const OWN_HEADERS: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];
const TOKEN_FLAG: &str = "--prometheus-token-file";
const AUTHORITY_FLAG: &str = "--prometheus-certificate-authority";

impl FromStr for PrometheusUrl {
    type Err = InvalidPrometheusUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| InvalidPrometheusUrl::NoUrl)?;
        let authority = uri.authority().ok_or(InvalidPrometheusUrl::NoUrl)?;
        if authority.as_str().contains('@') {
            return Err(InvalidPrometheusUrl::Credentials);
        }
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_http || authority.host().is_empty() || uri.query().is_some() || text.contains('#') {
            return Err(InvalidPrometheusUrl::NoUrl);
        }
        Ok(Self(uri))
    }
}

impl PrometheusUrl {
    /// The address of something below it.
    pub(super) fn at(&self, path: &str) -> Result<Uri, http::Error> {
        let below = self.0.path().trim_end_matches('/');
        let mut parts = self.0.clone().into_parts();
        parts.path_and_query = Some(format!("{below}{path}").parse()?);
        Ok(Uri::from_parts(parts)?)
    }

    /// Itself.
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Whether connections are secured.
    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl PrometheusOptions {
    /// Whoever is at that place is asked, without credentials.
    #[must_use]
    pub fn at(url: PrometheusUrl) -> Self {
        Self { url, token_file: None, user: None, certificate_authority: None, header_file: None, deadline: DEADLINE }
    }

    /// What says who asks, if anything does.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, UnusablePrometheus> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let unusable = |problem: String| UnusablePrometheus::File { flag: TOKEN_FLAG, path: path.clone(), problem };
        let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(unusable("it is empty".to_owned()));
        }
        let value = match &self.user {
            Some(user) => format!("Basic {}", base64(&format!("{user}:{secret}"))),
            None => format!("Bearer {secret}"),
        };
        let mut header = HeaderValue::try_from(value)
            .map_err(|_| unusable("it holds more than one line with a token".to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    /// The headers that each request has beside.
    pub(super) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, UnusablePrometheus> {
        let Some(path) = &self.header_file else { return Ok(Vec::new()) };
        let unusable = |problem: String| UnusablePrometheus::File { flag: HEADER_FLAG, path: path.clone(), problem };
        let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
        let headers = lines.map(|(line, number)| {
            header(line).ok_or_else(|| {
                unusable(format!("line {number} is no header that may be added: write one such as X-Scope-OrgID: shop"))
            })
        });
        headers.collect()
    }

    /// The authorities that are trusted, if it is said.
    pub(super) fn authorities(&self) -> Result<Option<Vec<Vec<u8>>>, UnusablePrometheus> {
        self.certificate_authority.as_deref().map(authorities).transpose()
    }
}

/// A line as a header, whose value may be a secret.
fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let mut value: HeaderValue = value.trim().parse().ok()?;
    value.set_sensitive(true);
    (!OWN_HEADERS.contains(&name)).then_some((name, value))
}

fn authorities(path: &Path) -> Result<Vec<Vec<u8>>, UnusablePrometheus> {
    let unusable = |problem: String| UnusablePrometheus::File { flag: AUTHORITY_FLAG, path: path.to_owned(), problem };
    let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let read: Result<Vec<CertificateDer>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = read.ok().filter(|certificates| !certificates.is_empty());
    let certificates = certificates.ok_or_else(|| {
        unusable("give a file with the certificate (PEM) of the authority that signs that of Prometheus".to_owned())
    })?;
    Ok(certificates.into_iter().map(|certificate| certificate.to_vec()).collect())
}

fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

//! Why a request to the API server failed, in plain words, and never in a library's.

use crate::core::excerpt::first_characters;
use kube::{Error, core::Status, runtime::watcher};
use std::{error, io};

/// Longer words of others are cut.
const MAX_CHARS: usize = 512;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Cause {
    /// Nobody is there.
    #[error("nothing listens there (connection refused)")]
    Refused,
    /// The name leads nowhere.
    #[error("its host name is not known (DNS)")]
    UnknownHost,
    /// No way leads there.
    #[error("no way leads there from here (no route)")]
    NoRoute,
    /// Nothing comes.
    #[error("it does not answer in time")]
    Silent,
    /// The connection ended.
    #[error("the connection broke off")]
    BrokenOff,
    /// TLS comes to no end.
    #[error("{0} (TLS)")]
    Tls(&'static str),
    /// The credentials are not accepted.
    #[error("it does not accept the credentials (401)")]
    Unauthorized,
    /// There are none.
    #[error("the credentials cannot be had: {0}")]
    NoCredentials(String),
    /// The rights do not reach that far; in the API server's words.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Any other refusal, in the API server's words.
    #[error("{0}")]
    Answered(String),
    /// An answer that is none of an API server's.
    #[error("its answer cannot be read: is it an API server?")]
    Unreadable,
    /// A request that was not sent.
    #[error("the request cannot be made: {0}")]
    Unsent(String),
}

impl Cause {
    /// Reads the error of a request.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Api(status) => Self::of_status(status),
            Error::Auth(_) => Self::NoCredentials(own_words(error)),
            Error::SerdeError(_) | Error::FromUtf8(_) | Error::LinesCodecMaxLineLengthExceeded => Self::Unreadable,
            Error::BuildRequest(_) | Error::HttpError(_) => Self::Unsent(own_words(error)),
            _ => found(error).unwrap_or_else(|| Self::Unsent(own_words(error))),
        }
    }

    /// What happened to a request of any client, where its errors say so.
    #[must_use]
    pub fn found_in(error: &(dyn error::Error + 'static)) -> Option<Self> {
        found(error)
    }

    /// Reads the error of a watch.
    #[must_use]
    pub fn of_watch(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::of(error),
            watcher::Error::WatchError(status) => Self::of_status(status),
            watcher::Error::NoResourceVersion => Self::Unreadable,
        }
    }

    fn of_status(status: &Status) -> Self {
        let said = cut(&status.message);
        match status.code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden(said),
            404 => Self::NotFound(said),
            _ if said.is_empty() => Self::Answered(format!("it answered with {}", status.code)),
            _ => Self::Answered(said),
        }
    }

    /// Whether the API server cannot be reached at all, whatever is asked.
    #[must_use]
    pub fn is_of_the_server(&self) -> bool {
        !matches!(self, Self::Forbidden(_) | Self::NotFound(_) | Self::Answered(_) | Self::Unsent(_))
    }
}

/// The first error of a chain that says what happened.
fn found(error: &(dyn error::Error + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(cause) = one(error) {
            return Some(cause);
        }
        next = error.source();
    }
    None
}

fn one(error: &(dyn error::Error + 'static)) -> Option<Cause> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // What it wraps is not its source.
        let wrapped = error.get_ref().and_then(|wrapped| found(wrapped));
        return wrapped.or_else(|| of_io(error));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(Cause::Tls(of_tls(error)));
    }
    if error.is::<tower::timeout::error::Elapsed>() {
        return Some(Cause::Silent);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        // What lies below may say more.
        let below = error::Error::source(error).and_then(found);
        return below.or_else(|| of_hyper(error));
    }
    // Only its text tells it.
    error.to_string().starts_with("dns error").then_some(Cause::UnknownHost)
}

fn of_io(error: &io::Error) -> Option<Cause> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Some(Cause::NoRoute)
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Some(Cause::Silent),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Some(Cause::BrokenOff),
        _ => None,
    }
}

fn of_hyper(error: &hyper::Error) -> Option<Cause> {
    if error.is_timeout() {
        return Some(Cause::Silent);
    }
    if error.is_parse() {
        return Some(Cause::Unreadable);
    }
    let is_end =
        error.is_incomplete_message() || error.is_canceled() || error.is_closed() || error.is_body_write_aborted();
    is_end.then_some(Cause::BrokenOff)
}

fn of_tls(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            UnknownIssuer => "its certificate is signed by an authority that is not trusted here",
            Expired | ExpiredContext { .. } => "its certificate has expired",
            NotValidYet | NotValidYetContext { .. } => "its certificate is not valid yet: compare the clocks",
            NotValidForName | NotValidForNameContext { .. } => "its certificate is for another name",
            _ => "its certificate is not valid",
        },
        rustls::Error::InvalidMessage(_) => "it does not speak TLS: is it https?",
        rustls::Error::AlertReceived(_) => "it ended the handshake: does it accept the client's certificate?",
        _ => "no secure connection comes about",
    }
}

/// What an error says of itself, in one short line.
fn own_words(error: &Error) -> String {
    let mut last: &dyn error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    cut(&last.to_string())
}

/// One line, not too long, and nothing that steers a terminal.
fn cut(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    first_characters(&words.join(" ").replace(char::is_control, ""), MAX_CHARS).to_owned()
}

#[cfg(test)]
mod tests {
    use super::Cause;
    use crate::connection::client;
    use axum::{Json, Router, http::StatusCode};
    use k8s_openapi::api::core::v1::Namespace;
    use kube::{Api, Config};
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use serde_json::json;
    use std::{net::Ipv4Addr, sync::Arc, time::Duration};
    use tokio::{io::AsyncReadExt, net::TcpListener};
    use tokio_rustls::TlsAcceptor;

    /// What listing namespaces comes to at that address.
    async fn at(url: &str) -> Cause {
        let client = client(Config::new(url.parse().unwrap())).unwrap();
        let (api, parameters) = (Api::<Namespace>::all(client), kube::api::ListParams::default());
        let listed = tokio::time::timeout(Duration::from_secs(20), api.list(&parameters)).await.unwrap();
        Cause::of(&listed.unwrap_err())
    }

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address.to_string())
    }

    async fn answering(code: u16, body: &'static str) -> String {
        let (listener, address) = listening().await;
        let answer = move || async move { (StatusCode::from_u16(code).unwrap(), body) };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_in_plain_words() {
        let (listener, address) = listening().await;
        drop(listener);
        assert_eq!(at(&format!("http://{address}")).await.to_string(), "nothing listens there (connection refused)");
        assert_eq!(at("https://nowhere.invalid").await.to_string(), "its host name is not known (DNS)");
    }

    #[tokio::test]
    async fn a_connection_that_ends_and_one_that_is_not_tls_are_told() {
        let (listener, address) = listening().await;
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let _ = connection.read(&mut [0; 512]).await;
            }
        });
        assert_eq!(at(&format!("http://{address}")).await, Cause::BrokenOff);
        let plain = answering(200, "").await;
        let said = at(&plain.replace("http:", "https:")).await;
        assert_eq!(said.to_string(), "it does not speak TLS: is it https? (TLS)");
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_trusted_is_told() {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listening().await;
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let _ = acceptor.accept(connection).await;
            }
        });
        let said = at(&format!("https://{address}")).await;
        assert_eq!(said.to_string(), "its certificate is signed by an authority that is not trusted here (TLS)");
    }

    #[tokio::test]
    async fn answers_are_told_apart() {
        assert_eq!(at(&answering(200, "<html>").await).await, Cause::Unreadable);
        let (listener, address) = listening().await;
        let answer = |uri: axum::http::Uri| async move {
            let code: u16 = if uri.path().contains("namespaces") { 403 } else { 404 };
            let body = json!({"kind": "Status", "code": code, "message": "you may\nnot", "reason": "Forbidden"});
            (StatusCode::from_u16(code).unwrap(), Json(body))
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        assert_eq!(at(&format!("http://{address}")).await, Cause::Forbidden("you may not".to_owned()));
        let unknown = at(&answering(401, "").await).await;
        assert_eq!(unknown.to_string(), "it does not accept the credentials (401)");
        assert!(unknown.is_of_the_server());
        assert_eq!(at(&answering(500, "").await).await.to_string(), "it answered with 500");
    }
}

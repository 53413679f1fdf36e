//! HTTPS: one path, by which reviews come.

use super::{
    judge::{Judge, NoAnswer},
    options::PATH,
    registration::TIMEOUT_SECONDS,
    review,
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use axum_server::{
    Handle,
    tls_rustls::{RustlsConfig, from_tcp_rustls},
};
use rustls::ServerConfig;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time};

/// An object of at most 1.5 MiB, before and after, as the API server stores it.
const MAX_BODY: usize = 3 << 20;
/// How long a client may take to say what it wants.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a request may take to arrive: as long as the API server waits for the answer.
const REQUEST: Duration = Duration::from_secs(TIMEOUT_SECONDS.unsigned_abs() as u64);
/// How long a connection may be idle. The API server, which closes its own after 90 seconds, is to be the first.
const IDLE: Duration = Duration::from_mins(2);
/// How long what has been asked may take when the operator ends.
const DRAIN: Duration = Duration::from_secs(3);
/// After which it is tried again to listen.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Serves from the first certificate on, always with the newest, until `shutdown` is ready.
pub async fn run(
    address: SocketAddr,
    mut certificates: watch::Receiver<Option<Arc<ServerConfig>>>,
    judge: Judge,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let first = tokio::select! {
        () = &mut shutdown => return,
        first = certificates.wait_for(Option::is_some) => first.ok().and_then(|config| config.clone()),
    };
    let Some(first) = first else { return };
    let config = RustlsConfig::from_config(first);
    let handle = Handle::new();
    let mut serving = pin!(listen(address, config.clone(), handle.clone(), router(judge)));
    tokio::select! {
        () = &mut serving => {}
        () = reload(certificates, config) => {}
        () = shutdown => {
            handle.graceful_shutdown(Some(DRAIN));
            // What listens again after a failure does not hear of it.
            let _ = time::timeout(DRAIN, serving).await;
        }
    }
}

async fn listen(address: SocketAddr, config: RustlsConfig, handle: Handle<SocketAddr>, router: Router) {
    loop {
        match serve(address, config.clone(), handle.clone(), router.clone()).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(
                    %address, %error,
                    "the webhook cannot listen, and tries again: give another address, or end what listens there"
                );
                time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

async fn serve(
    address: SocketAddr,
    config: RustlsConfig,
    handle: Handle<SocketAddr>,
    router: Router,
) -> io::Result<()> {
    let server = from_tcp_rustls(TcpListener::bind(address)?, config)?;
    tracing::info!(%address, "the webhook serves");
    let mut server = server.handle(handle).http1_only().first_request_timeout(FIRST_REQUEST);
    server.http_builder().http1().header_read_timeout(IDLE);
    server.serve(router.into_make_service()).await
}

/// Ends only if certificates do.
async fn reload(mut certificates: watch::Receiver<Option<Arc<ServerConfig>>>, config: RustlsConfig) {
    while certificates.changed().await.is_ok() {
        if let Some(newer) = certificates.borrow_and_update().clone() {
            config.reload_from_config(newer);
        }
    }
}

fn router(judge: Judge) -> Router {
    Router::new().route(PATH, post(respond)).with_state(judge)
}

async fn respond(State(judge): State<Judge>, body: Body) -> Response {
    let body = match time::timeout(REQUEST, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let request = match review::read(&body) {
        Ok(request) => Arc::new(request),
        Err(problem) => return (StatusCode::BAD_REQUEST, Json(review::broken(&problem))).into_response(),
    };
    match judge.judge(&request).await {
        Ok(verdict) => Json(review::answer(&request, &verdict)).into_response(),
        Err(none) => {
            tracing::warn!(kind = request.kind.kind, namespace = request.namespace, name = request.name, problem = %none, "a review was not answered");
            (status(none), none.to_string()).into_response()
        }
    }
}

fn status(none: NoAnswer) -> StatusCode {
    match none {
        NoAnswer::NotReady | NoAnswer::Busy => StatusCode::SERVICE_UNAVAILABLE,
        NoAnswer::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::{Judge, MAX_BODY, respond};
    use crate::controller::{Controller, Options};
    use axum::{
        body::{Body, to_bytes},
        extract::State,
        http::StatusCode,
    };
    use kube::{Client, Config};
    use serde_json::{Value, json};

    /// Of a controller that has not listed anything yet.
    fn judge() -> Judge {
        let client = Client::try_from(Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        Judge::new(client.clone(), Controller::new(client, Options::default()).knowledge(), false)
    }

    async fn asked(body: &str) -> (StatusCode, String) {
        let response = respond(State(judge()), Body::from(body.to_owned())).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn nothing_is_judged_before_the_cluster_is_known() {
        let question = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": {"group": "entitlements.dev", "version": "v1alpha1", "kind": "Organization"},
                "resource": {"group": "entitlements.dev", "version": "v1alpha1", "resource": "organizations"},
                "name": "acme",
                "operation": "DELETE",
                "userInfo": {},
                "object": null,
                "oldObject": null,
            },
        });
        let (status, said) = asked(&question.to_string()).await;
        assert_eq!(
            (status, said.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "the operator does not know the cluster yet")
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_read() {
        let (status, _) = asked(&" ".repeat(MAX_BODY + 1)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_arrive_is_not_waited_for() {
        let never = futures::stream::pending::<Result<String, std::io::Error>>();
        let response = respond(State(judge()), Body::from_stream(never)).await;
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn what_is_no_question_is_answered_with_a_no() {
        let (status, said) = asked("nonsense").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["response"]["allowed"], false);
    }
}

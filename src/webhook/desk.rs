//! A request, from its first line to the answer.

use super::{
    budget::ReviewBudget,
    judge::{AdmissionJudge, Caller, NoAnswer},
    options::PATH,
    pass::Passes,
    registration::TIMEOUT_SECONDS,
    review::{self, NoReview},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use serde::Serialize;
use std::{pin::pin, time::Duration};
use tokio::time;

/// An object of at most 1.5 MiB, before and after, as the API server stores it, and what it says around it.
const MAX_BODY: usize = (3 << 20) + (64 << 10);
/// How long a request may take to arrive: as long as the API server waits for the answer.
const REQUEST: Duration = Duration::from_secs(TIMEOUT_SECONDS.unsigned_abs() as u64);

/// What the API server may have under way: some hundred of usual size, or ten of the largest.
const REVIEWS: usize = 128;
const BYTES: usize = 10 * MAX_BODY;
/// How long one of its reviews waits for others, before any of it is read.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same for anybody else, who is not waited for.
const REVIEWS_OF_OTHERS: usize = 4;
const BYTES_OF_OTHERS: usize = 2 * MAX_BODY;

/// Answers requests.
#[derive(Clone)]
pub struct Responder {
    judge: AdmissionJudge,
    passes: Passes,
    demands_certificate: bool,
    budget: ReviewBudget,
    budget_of_others: ReviewBudget,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("nothing is here")]
    NotFound,
    #[error("reviews are posted")]
    NotPosted,
    #[error("too much is under way")]
    Busy,
    #[error("more than {MAX_BODY} bytes")]
    TooLong,
    #[error("it did not arrive in time")]
    TooSlow,
    #[error("it broke off")]
    BrokenOff,
    #[error(transparent)]
    NoReview(#[from] NoReview),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl Responder {
    /// Whoever comes by one of these paths is the API server; where certificates are demanded, everyone is who has come this far.
    pub fn new(judge: AdmissionJudge, passes: Passes, demands_certificate: bool) -> Self {
        Self {
            judge,
            passes,
            demands_certificate,
            budget: ReviewBudget::new(REVIEWS, BYTES, PATIENCE),
            budget_of_others: ReviewBudget::new(REVIEWS_OF_OTHERS, BYTES_OF_OTHERS, Duration::ZERO),
        }
    }

    /// The answer to a request. `stay` asks whether the connection, which is the API server's, may be used again; that of
    /// anybody else is closed.
    pub async fn respond<B>(&self, request: Request<B>, stay: impl FnOnce() -> bool) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
    {
        let caller = self.caller(request.uri().path());
        let stays = caller == Some(Caller::ApiServer) && stay();
        let mut response = match self.answer(request, caller).await {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(unanswered) => unanswered.response(),
        };
        if !stays {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn caller(&self, path: &str) -> Option<Caller> {
        if self.passes.has(path) || (self.demands_certificate && path == PATH) {
            return Some(Caller::ApiServer);
        }
        (path == PATH).then_some(Caller::Anybody)
    }

    async fn answer<B>(&self, request: Request<B>, caller: Option<Caller>) -> Result<impl Serialize, Unanswered>
    where
        B: Body<Data = Bytes>,
    {
        let caller = caller.ok_or(Unanswered::NotFound)?;
        if request.method() != Method::POST {
            return Err(Unanswered::NotPosted);
        }
        let length = request.body().size_hint().upper().and_then(|length| usize::try_from(length).ok());
        if length.is_some_and(|length| length > MAX_BODY) {
            return Err(Unanswered::TooLong);
        }
        let budget = match caller {
            Caller::ApiServer => &self.budget,
            Caller::Anybody => &self.budget_of_others,
        };
        let _share = budget.share(length.unwrap_or(MAX_BODY)).await.ok_or(Unanswered::Busy)?;
        let body =
            time::timeout(REQUEST, read(request.into_body(), length)).await.map_err(|_| Unanswered::TooSlow)??;
        let question = review::read(body)?;
        let verdict = self.judge.judge(&question, caller).await;
        let verdict = verdict.inspect_err(|none| {
            let (kind, namespace, name) = (&question.kind, &question.namespace, &question.name);
            self.judge.metrics().reviewed(none.metric_label());
            tracing::warn!(kind, namespace, name, problem = %none, "a review was not answered");
        })?;
        self.judge.metrics().reviewed(if verdict.refused.is_some() { "refused" } else { "allowed" });
        Ok(review::answer(&question, &verdict))
    }
}

async fn read<B: Body<Data = Bytes>>(body: B, length: Option<usize>) -> Result<Bytes, Unanswered> {
    let mut body = pin!(body);
    let mut whole = Vec::with_capacity(length.unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame.map_err(|_| Unanswered::BrokenOff)?.into_data() else { continue };
        if whole.len() + frame.len() > MAX_BODY {
            return Err(Unanswered::TooLong);
        }
        whole.extend_from_slice(&frame);
    }
    Ok(whole.into())
}

impl Unanswered {
    fn response(self) -> Response<Full<Bytes>> {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotPosted => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong | Self::NoReview(NoReview::TooMuch) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff => StatusCode::BAD_REQUEST,
            Self::NoReview(problem) => return json(StatusCode::BAD_REQUEST, &review::broken(problem)),
            Self::Busy | Self::NoAnswer(NoAnswer::NotReady | NoAnswer::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoAnswer(NoAnswer::Broken) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = Response::new(Full::from(self.to_string()));
        *response.status_mut() = status;
        if matches!(self, Self::NotPosted) {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

fn json(status: StatusCode, answer: &impl Serialize) -> Response<Full<Bytes>> {
    let Ok(body) = serde_json::to_vec(answer) else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::{AdmissionJudge, MAX_BODY, Passes, Responder};
    use crate::{
        connection::FencedClients,
        controller::{Controller, ControllerOptions},
        core::secret::Secret,
        server::certificate::Certificate,
        webhook::pass::Pass,
    };
    use futures::stream;
    use http::{Request, StatusCode};
    use http_body_util::{BodyExt, Full, StreamBody};
    use hyper::body::{Body, Bytes, Frame};
    use kube::{Client, Config};
    use rstest::rstest;
    use serde_json::{Value, json};
    use std::convert::Infallible;

    fn pass() -> Pass {
        Pass::of(&Certificate { chain: Vec::new(), key: Secret::new(b"one".to_vec()), authorities: Vec::new() })
    }

    /// The desk of a controller that has not listed anything yet.
    fn desk(demands_certificate: bool) -> Responder {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = Client::try_from(config.clone()).unwrap();
        let controller = Controller::new(client.clone(), FencedClients::new(config), ControllerOptions::default());
        let judge = AdmissionJudge::new(client, controller.knowledge(), false);
        let passes = Passes::default();
        passes.admit(&pass());
        Responder::new(judge, passes, demands_certificate)
    }

    /// The status, what is said, and whether the connection stays.
    async fn asked<B: Body<Data = Bytes>>(desk: &Responder, path: &str, body: B) -> (StatusCode, String, bool) {
        let response = desk.respond(Request::post(path).body(body).unwrap(), || true).await;
        let (status, stays) = (response.status(), !response.headers().contains_key("connection"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap(), stays)
    }

    fn text(body: impl Into<Bytes>) -> Full<Bytes> {
        Full::new(body.into())
    }

    fn question(plural: &str, kind: &str, spec: &Value) -> String {
        let object =
            json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "kind": {"group": "entitlements.dev", "version": "v1alpha1", "kind": kind},
                "resource": {"group": "entitlements.dev", "version": "v1alpha1", "resource": plural},
                "name": "a",
                "operation": "CREATE",
                "userInfo": {},
                "object": object,
                "oldObject": null,
            },
        })
        .to_string()
    }

    #[tokio::test]
    async fn nothing_is_judged_before_the_cluster_is_known() {
        let question = question("organizations", "Organization", &json!({"namespaces": ["a"]}));
        let said = asked(&desk(false), pass().path(), text(question)).await;
        let expected = (StatusCode::SERVICE_UNAVAILABLE, "the operator does not know the cluster yet".to_owned(), true);
        assert_eq!(said, expected);
    }

    /// Requests that nobody can judge without having seen the cluster get no refusal.
    #[rstest]
    #[case::instance("entitlementinstances", "EntitlementInstance", json!({"organization": "nobody", "definition": "nothing"}), None)]
    #[case::organization("organizations", "Organization", json!({"namespaces": ["taken"], "timeZone": "Mars/Olympus"}), None)]
    #[case::naming("entitlementdefinitions", "EntitlementDefinition", json!({"type": "Feature", "facets": [{"name": "f", "definition": "nothing"}]}), None)]
    #[case::unreadable("entitlementdefinitions", "EntitlementDefinition", json!({}), None)]
    #[case::facet("facetdefinitions", "FacetDefinition", json!({"schema": {"type": "string"}}), Some("InvalidSchema"))]
    #[case::definition("entitlementdefinitions", "EntitlementDefinition", json!({"type": "Feature", "term": "P0D"}), Some("InvalidDuration"))]
    #[tokio::test]
    async fn anybody_is_told_of_what_they_sent_alone(
        #[case] plural: &str,
        #[case] kind: &str,
        #[case] spec: Value,
        #[case] refused: Option<&str>,
    ) {
        let (status, said, stays) = asked(&desk(false), "/validate", text(question(plural, kind, &spec))).await;
        let response: Value = serde_json::from_str::<Value>(&said).unwrap()["response"].take();
        assert_eq!((status, stays), (StatusCode::OK, false));
        assert_eq!(response["status"]["reason"].as_str(), refused, "{said}");
        let warnings = response["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("by itself alone")), "{said}");
    }

    #[tokio::test]
    async fn whoever_has_shown_a_certificate_is_the_api_server() {
        let question = question("organizations", "Organization", &json!({"namespaces": ["a"]}));
        let (status, _, stays) = asked(&desk(true), "/validate", text(question)).await;
        assert_eq!((status, stays), (StatusCode::SERVICE_UNAVAILABLE, true));
    }

    #[rstest]
    #[case("/")]
    #[case("/validate/")]
    #[case("/validate/00000000000000000000000000000000")]
    #[tokio::test]
    async fn nothing_is_read_of_what_comes_elsewhere(#[case] path: &str) {
        let never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let (status, _, stays) = asked(&desk(false), path, never).await;
        assert_eq!((status, stays), (StatusCode::NOT_FOUND, false));
    }

    #[tokio::test]
    async fn what_is_not_posted_is_no_review() {
        let request = Request::get("/validate").body(text("")).unwrap();
        let response = desk(false).respond(request, || true).await;
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_read() {
        let desk = desk(false);
        let long = text(" ".repeat(MAX_BODY + 1));
        assert_eq!(asked(&desk, "/validate", long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        // Nor what does not say how long it is.
        let part = || Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; 1 << 20])));
        let endless = StreamBody::new(stream::iter(std::iter::repeat_with(part)));
        assert_eq!(asked(&desk, "/validate", endless).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        let many = question("organizations", "Organization", &json!(vec![json!({}); 200_000]));
        assert_eq!(asked(&desk, "/validate", text(many)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_arrive_is_not_waited_for() {
        let never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(asked(&desk(false), pass().path(), never).await.0, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_at_once_are_told_so_and_those_of_others_count_apart() {
        let desk = desk(false);
        let never = || StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let waiting = futures::future::join(asked(&desk, "/validate", never()), asked(&desk, "/validate", never()));
        let more = async {
            let (status, said, _) = asked(&desk, "/validate", text("{}")).await;
            assert_eq!((status, said.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "too much is under way"));
            let (status, _, _) = asked(&desk, pass().path(), text("{}")).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
        };
        let (waited, ()) = futures::join!(waiting, more);
        assert_eq!((waited.0.0, waited.1.0), (StatusCode::REQUEST_TIMEOUT, StatusCode::REQUEST_TIMEOUT));
        assert_eq!(asked(&desk, "/validate", text("{}")).await.0, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn what_is_no_question_is_answered_with_a_no() {
        let (status, said, _) = asked(&desk(false), "/validate", text("nonsense")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["response"]["allowed"], false);
    }
}

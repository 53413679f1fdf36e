//! The source against servers that answer as they like. `tests/prometheus.rs` has a real one.

use super::{InvalidPrometheusUrl, PrometheusLook, PrometheusOptions, PrometheusSource, PrometheusUrl, UsageQuestion};
use crate::core::{
    calendar::Instant,
    usage::{buckets::BucketProgress, rules::UsageRules},
};
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rstest::rstest;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;

/// A request: the path, the head, and the form.
type Asked = (String, HeaderMap, BTreeMap<String, String>);

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => (u8::from_str_radix(std::str::from_utf8(&others[..2]).unwrap(), 16).unwrap(), &others[2..]),
            _ => (*first, others),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap()
}

/// A server that answers each request by a function; and what it was asked.
async fn serving(
    answer: impl Fn(&BTreeMap<String, String>) -> Response + Clone + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let handler = move |uri: Uri, head: HeaderMap, body: Bytes| async move {
        let body = String::from_utf8(body.to_vec()).unwrap();
        let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
        let form: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        heard.lock().unwrap().push((uri.path().to_owned(), head, form.clone()));
        answer(&form)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    (url, asked)
}

fn json(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

/// One of a call in each bucket that is asked for.
fn one_each(form: &BTreeMap<String, String>) -> Response {
    let number = |name: &str| form.get(name).map(|value| value.parse::<i64>().unwrap());
    let (Some(start), Some(end), Some(step)) = (number("start"), number("end"), number("step")) else {
        let at = number("time").unwrap_or(0);
        let result = json!([{"metric": {"organization": "acme"}, "value": [at, "1"]}]);
        return json(&json!({"status": "success", "data": {"resultType": "vector", "result": result}}));
    };
    let moments = (0..=(end - start) / step).map(|number| json!([start + number * step, "1"]));
    let result = json!([{"metric": {"organization": "acme"}, "values": moments.collect::<Vec<_>>()}]);
    json(&json!({"status": "success", "data": {"resultType": "matrix", "result": result}}))
}

fn rules(mode: &str) -> UsageRules {
    let prometheus =
        json!({"query": "sum by (organization) (increase(calls_total{path=\"/a b\"}[$bucket]))", "bucket": "PT1M"});
    UsageRules::read(&serde_json::from_value(json!({"mode": mode, "prometheus": prometheus})).unwrap()).unwrap()
}

fn options(url: &str) -> PrometheusOptions {
    PrometheusOptions { deadline: Duration::from_secs(20), ..PrometheusOptions::at(url.parse().unwrap()) }
}

fn in_whole_minutes(minutes: i64) -> Instant {
    let now = Utc::now().timestamp();
    DateTime::from_timestamp_secs(now - now % 60 + minutes * 60).unwrap()
}

async fn look(options: &PrometheusOptions, known: Option<&BucketProgress>, minutes: i64) -> PrometheusLook {
    look_of(options, "Consumed", known, minutes, Utc::now()).await
}

async fn look_of(
    options: &PrometheusOptions,
    mode: &str,
    known: Option<&BucketProgress>,
    minutes: i64,
    now: Instant,
) -> PrometheusLook {
    let source = PrometheusSource::new(options).unwrap();
    let organizations: BTreeSet<Arc<str>> = [Arc::from("acme")].into();
    let (rules, since) = (rules(mode), in_whole_minutes(-minutes));
    source.look(&UsageQuestion { rules: &rules, known, organizations: &organizations, since, now }).await
}

fn said(look: &PrometheusLook) -> Vec<String> {
    look.problems.iter().map(ToString::to_string).collect()
}

/// It says so, and changes nothing.
#[track_caller]
fn assert_nothing_but(look: &PrometheusLook, problem: &str) {
    assert_eq!(said(look), [problem]);
    assert_eq!((look.registers.len(), &look.progress, look.heard), (0, &None, None));
}

#[tokio::test]
async fn what_is_asked_for_is_a_form_with_the_length_of_the_bucket_in_the_query() {
    let (url, asked) = serving(one_each).await;
    let look = look(&options(&format!("{url}/prefix/")), None, 3).await;
    assert_eq!((look.registers["acme"].len(), said(&look)), (3, vec![]));
    let asked = asked.lock().unwrap();
    let (path, head, form) = &asked[0];
    assert_eq!((asked.len(), path.as_str()), (1, "/prefix/api/v1/query_range"));
    assert_eq!(head["content-type"], "application/x-www-form-urlencoded");
    assert!(head.get("authorization").is_none());
    assert_eq!(form["query"], "sum by (organization) (increase(calls_total{path=\"/a b\"}[1m]))");
    assert_eq!((form["step"].as_str(), form["timeout"].as_str()), ("60", "20000ms"));
}

#[tokio::test]
async fn a_look_after_another_asks_for_the_last_two_again_and_one_bucket_is_no_range() {
    let (url, asked) = serving(one_each).await;
    let first = look(&options(&url), None, 5).await;
    let again = look(&options(&url), first.progress.as_ref(), 5).await;
    // A minute may have ended in between.
    assert!([2, 3].contains(&again.registers["acme"].len()), "{again:?}");
    assert!(again.heard > first.heard);
    look(&options(&url), None, 1).await;
    let present = look_of(&options(&url), "Held", None, 1, Utc::now()).await;
    assert_eq!((present.registers["acme"].len(), present.progress), (1, None));
    let asked = asked.lock().unwrap();
    let [.., (one, _, form), (held, _, of_held)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((one.as_str(), form.contains_key("time")), ("/api/v1/query", true));
    assert_eq!((held.as_str(), of_held.contains_key("time")), ("/api/v1/query", false));
}

#[tokio::test]
async fn a_long_time_is_asked_for_newest_first_and_a_failure_leaves_the_rest_for_the_next_look() {
    let fails = Arc::new(Mutex::new(true));
    let is_failing = Arc::clone(&fails);
    let oldest = in_whole_minutes(-2_500).timestamp() + 60;
    let (url, asked) = serving(move |form| {
        let is_oldest = form.get("start").is_some_and(|start| start.parse::<i64>().unwrap() < oldest + 120);
        if is_oldest && *is_failing.lock().unwrap() {
            return (StatusCode::SERVICE_UNAVAILABLE, "not now").into_response();
        }
        one_each(form)
    })
    .await;
    let first = look(&options(&url), None, 2_500).await;
    assert_eq!(
        (first.registers["acme"].len(), said(&first)),
        (2_000, vec!["Prometheus cannot be asked: it answered with 503".to_owned()])
    );
    assert!(first.heard.is_some() && first.progress.as_ref().unwrap().is_behind());
    *fails.lock().unwrap() = false;
    let second = look(&options(&url), first.progress.as_ref(), 2_500).await;
    let requests = asked.lock().unwrap().len();
    assert!([502, 503].contains(&second.registers["acme"].len()), "{}", second.registers["acme"].len());
    assert_eq!((said(&second), requests, second.progress.unwrap().is_behind()), (vec![], 5, false));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_parts() {
    let (url, asked) = serving(|form| {
        let points = form.get("step").map_or(1, |step| {
            let number = |name: &str| form[name].parse::<i64>().unwrap();
            (number("end") - number("start")) / step.parse::<i64>().unwrap() + 1
        });
        if points > 20 {
            return "x".repeat((16 << 20) + 1).into_response();
        }
        if points > 10 {
            let error = "query processing would load too many samples into memory in query execution";
            let body = json!({"status": "error", "errorType": "execution", "error": error});
            return (StatusCode::UNPROCESSABLE_ENTITY, body.to_string()).into_response();
        }
        one_each(form)
    })
    .await;
    let look = look(&options(&url), None, 40).await;
    assert_eq!((look.registers["acme"].len(), said(&look)), (40, vec![]));
    assert_eq!(asked.lock().unwrap().len(), 7);
    let (url, _) = serving(|_| "x".repeat((16 << 20) + 1).into_response()).await;
    let problem = "the answer for a single moment is larger than 16 MiB: aggregate in usage.prometheus.query, as with sum by (organization)";
    assert_nothing_but(&super::tests::look(&options(&url), None, 4).await, problem);
}

#[rstest]
#[case::unauthorized(
    401,
    "",
    "Prometheus cannot be asked: it does not accept the credentials (401): look at --prometheus-token-file, --prometheus-user, and --prometheus-header-file"
)]
#[case::nothing_there(
    404,
    "404 page not found",
    "Prometheus cannot be asked: its API is not there (404): give with --prometheus-url the URL below which there is /api/v1"
)]
#[case::elsewhere(302, "", "Prometheus cannot be asked: it leads elsewhere (302): give that URL with --prometheus-url")]
#[case::gateway(502, "<html>", "Prometheus cannot be asked: it answered with 502")]
#[case::another_program(200, "<html>", "the answer cannot be read: is it a Prometheus?")]
#[case::failed(
    503,
    r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
    "Prometheus could not answer the query: query timed out"
)]
#[tokio::test]
async fn an_answer_that_is_none_is_told(#[case] code: u16, #[case] body: &'static str, #[case] expected: &str) {
    let (url, _) = serving(move |_| (StatusCode::from_u16(code).unwrap(), body).into_response()).await;
    assert_nothing_but(&look(&options(&url), None, 3).await, expected);
}

#[tokio::test]
async fn nobody_there_silence_and_half_an_answer_are_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let quick = PrometheusOptions { deadline: Duration::from_millis(300), ..options(&url) };
    let silent = "Prometheus cannot be asked: it does not answer in time";
    assert_nothing_but(&look(&quick, None, 3).await, silent);
    drop(listener);
    let nobody = "Prometheus cannot be asked: nothing listens there (connection refused)";
    assert_nothing_but(&look(&options(&url), None, 3).await, nobody);
    let (half, broken) = (half_answering(false).await, half_answering(true).await);
    let quick = PrometheusOptions { deadline: Duration::from_millis(300), ..options(&half) };
    assert_nothing_but(&look(&quick, None, 3).await, silent);
    assert_nothing_but(&look(&options(&broken), None, 3).await, "Prometheus cannot be asked: the connection broke off");
}

/// A server that answers the first half.
async fn half_answering(breaks_off: bool) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 4096]).await;
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
            open.extend((!breaks_off).then_some(connection));
        }
    });
    url
}

#[rstest]
#[case(None, "Bearer hunter2")]
#[case(Some("me"), "Basic bWU6aHVudGVyMg==")]
#[tokio::test]
async fn a_token_is_read_for_each_request_and_never_told(#[case] user: Option<&str>, #[case] expected: &str) {
    let (url, asked) = serving(|_| StatusCode::UNAUTHORIZED.into_response()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "hunter2\n").unwrap();
    let options = PrometheusOptions { token_file: Some(file.clone()), user: user.map(str::to_owned), ..options(&url) };
    let refused = look(&options, None, 3).await;
    assert_eq!(asked.lock().unwrap()[0].1["authorization"], expected);
    let source = PrometheusSource::new(&options).unwrap();
    assert!(!format!("{refused:?} {source:?} {}", said(&refused)[0]).contains("hunter2"));
    fs::remove_file(&file).unwrap();
    let organizations = BTreeSet::new();
    let (rules, now) = (rules("Consumed"), Utc::now());
    let question = UsageQuestion { rules: &rules, known: None, organizations: &organizations, since: now, now };
    let expected = format!(
        "Prometheus cannot be asked: --prometheus-token-file: {} is of no use: No such file or directory (os error 2)",
        file.display()
    );
    assert_nothing_but(&source.look(&question).await, &expected);
}

#[rstest]
#[case(-90, "behind", 2..=3)]
#[case(90, "ahead of", 4..=5)]
#[tokio::test]
async fn clocks_that_are_apart_are_told_and_buckets_count_that_have_ended_by_both(
    #[case] seconds: i64,
    #[case] side: &str,
    #[case] counted: std::ops::RangeInclusive<usize>,
) {
    let (url, _) = serving(move |form| {
        let date = (Utc::now() + TimeDelta::seconds(seconds)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut answer = one_each(form);
        answer.headers_mut().insert("date", date.parse().unwrap());
        answer
    })
    .await;
    let look = look(&options(&url), None, 4).await;
    assert!(counted.contains(&look.registers["acme"].len()), "{look:?}");
    let told = said(&look);
    assert!(
        told.len() == 1 && told[0].starts_with("the clock of Prometheus is ") && told[0].contains(side),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_certificate_is_checked_by_the_authority_that_is_named() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let _ = connection.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| folder.path().join(name));
    fs::write(&own, cert.pem()).unwrap();
    let stranger = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(&other, stranger.cert.pem()).unwrap();
    let trusting = |file| PrometheusOptions { certificate_authority: Some(file), ..options(&url) };
    let refused = look(&trusting(other), None, 3).await;
    assert!(said(&refused)[0].ends_with("(TLS)"), "{refused:?}");
    let answered = look(&trusting(own), None, 3).await;
    assert!(said(&answered)[0].contains("(404)"), "{answered:?}");
}

#[rstest]
#[case("http://prometheus:9090", Ok("http://prometheus:9090/api/v1/query"))]
#[case("https://a/", Ok("https://a/api/v1/query"))]
#[case("http://[::1]:1/select/0/prometheus/", Ok("http://[::1]:1/select/0/prometheus/api/v1/query"))]
#[case("http://me:hunter2@a", Err(InvalidPrometheusUrl::Credentials))]
#[case("prometheus:9090", Err(InvalidPrometheusUrl::NoUrl))]
#[case("/api", Err(InvalidPrometheusUrl::NoUrl))]
#[case("ftp://a", Err(InvalidPrometheusUrl::NoUrl))]
#[case("http://a?b", Err(InvalidPrometheusUrl::NoUrl))]
#[case("http://a/#b", Err(InvalidPrometheusUrl::NoUrl))]
#[case("", Err(InvalidPrometheusUrl::NoUrl))]
fn where_it_is(#[case] text: &str, #[case] expected: Result<&str, InvalidPrometheusUrl>) {
    let read = text.parse::<PrometheusUrl>().map(|url| url.at("/api/v1/query").unwrap().to_string());
    assert_eq!(read, expected.map(str::to_owned));
}

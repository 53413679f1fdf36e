//! Whoever attacks the API is refused, and others are served meanwhile.

use crate::{
    asker::{API, Asker, allow},
    endpoints::ask,
    harness::{DEADLINE, Operator, alone_among_the_heavy, is_current},
    usage::support::Desk,
    wait::eventually,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const BATCH: &str = "application/cloudevents-batch+json";
/// More than a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than anybody else may wait meanwhile.
const BEARABLE: Duration = Duration::from_secs(5);

/// A client, another one, and a service that may count for the first.
struct Scene {
    desk: Desk,
    tenant: Asker,
    service: Asker,
    one: String,
    /// The other client's.
    other: String,
}

impl Scene {
    async fn of(desk: Desk, api: SocketAddr) -> Self {
        let name = desk.cluster.name.clone();
        let other = format!("{name}-other");
        let organization = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": other}, "spec": {"namespaces": [other]},
        });
        desk.cluster.create(organization).await.unwrap();
        desk.cluster.until("Organization", "", "$-other", "is seen", is_current).await;
        let account = ("kube-system", "service");
        for verb in ["check", "report"] {
            allow(&desk.cluster, verb, account).await;
        }
        let tenant = Asker::of(&desk, api, (&name, "default"), "entitlements.dev");
        let service = Asker::of(&desk, api, account, "entitlements.dev");
        let one = format!("/v1/organizations/{name}/entitlements/{name}");
        service.until(&one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
        tenant.until(&one, |status, _| status == 200);
        Self { other: format!("/v1/organizations/{other}/entitlements"), desk, tenant, service, one }
    }

    /// Others are served.
    fn is_served(&self) {
        let (status, answer) = self.tenant.gets(&self.one);
        assert_eq!((status, &answer["organization"]), (200, &json!(self.desk.cluster.name)), "{answer}");
    }
}

/// What is answered to bytes, if anything is.
fn sent(api: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(api).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused early may be cut off in the middle.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

/// A token whose claims are others, signed as before or not at all.
fn forged(token: &str, header: Option<Value>, change: impl Fn(&mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    change(&mut claims);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    match header {
        Some(header) => format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(header.to_string())),
        None => format!("{}.{claims}.{}", parts[0], parts[2]),
    }
}

/// A figure of the metrics: the sum of all lines that begin so.
fn figure(page: &str, beginning: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// The bytes of memory that the operator has, on a page that was made after the last request: it makes two a second at most.
fn memory(scene: &Scene, operator: &Operator) -> f64 {
    let checks = |page: &str| figure(page, "entitlement_api_requests_total{operation=\"checkEntitlement\"");
    let before = checks(&operator.asked("/metrics").2);
    scene.is_served();
    eventually(DEADLINE, "the page tells the last request", || {
        let (_, _, page) = operator.asked("/metrics");
        if checks(&page) > before { Ok(figure(&page, "process_resident_memory_bytes ")) } else { Err(page) }
    })
}

/// Large bodies of a client's that never come to an end. Little of them is held, and others send theirs meanwhile.
fn large_bodies(scene: &Scene, operator: &Operator, api: SocketAddr, batch: &str) {
    let before = memory(scene, operator);
    let part = format!(
        "POST /v1/events HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {}\r\nContent-Type: {BATCH}\r\n\
         Content-Length: 1048576\r\n\r\n[{}",
        scene.tenant.token,
        " ".repeat(1_000_000)
    );
    let senders: Vec<JoinHandle<_>> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(api).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            let part = part.clone();
            thread::spawn(move || stream.write_all(part.as_bytes()).map(|()| stream))
        })
        .collect();
    let streams: Vec<_> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    let asked = Instant::now();
    let (status, _, answer) = scene.service.sends("POST", "/v1/events", BATCH, batch);
    assert_eq!(status, 200, "{answer}");
    assert!(asked.elapsed() < BEARABLE, "{:?}", asked.elapsed());
    let more = memory(scene, operator) - before;
    assert!(more < 64e6, "{more} bytes more");
    drop(streams);
}

/// More connections than one may keep. All that is asked is answered, and others keep theirs.
fn many_connections(scene: &Scene, api: SocketAddr) {
    let keeps = |asker: &Asker| {
        let mut stream = TcpStream::connect(api).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("GET {} HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {}\r\n\r\n", scene.one, asker.token);
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        (!head.contains("\r\nconnection: close\r\n")).then_some(stream)
    };
    let kept: Vec<TcpStream> = (0..300).filter_map(|_| keeps(&scene.service)).collect();
    assert_eq!(kept.len(), 256);
    assert!(keeps(&scene.tenant).is_some());
}

/// How often the API server was asked whose a token is.
fn reviews(operator: &Operator) -> f64 {
    figure(&operator.asked("/metrics").2, "entitlement_api_reviews_total{resource=\"tokenreviews\"")
}

/// Tokens that nobody has signed, each another. The API server is asked for none that cannot count, and others are served while it is
/// asked for those that could.
fn many_tokens(scene: &Scene, operator: &Operator, api: SocketAddr) {
    let (one, token) = (&scene.one, &scene.tenant.token);
    let asks = |token: String| {
        let (status, ..) = Asker { api, token }.says("GET", one, "");
        status
    };
    let before = reviews(operator);
    for number in 0..100 {
        let elsewhere = |claims: &mut Value| claims["aud"] = json!([number.to_string()]);
        let over = |claims: &mut Value| claims["exp"] = json!(number);
        for token in [forged(token, None, elsewhere), forged(token, None, over)] {
            assert_eq!(asks(token), 401);
        }
    }
    // Those who are served are asked for again after a minute.
    let asked = reviews(operator) - before;
    assert!(asked < 10.0, "{asked} reviews");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (is_over, asks) = (&is_over, &asks);
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let other = |claims: &mut Value| claims["jti"] = json!(format!("{thread}-{number}"));
                    // One that says nothing of itself is shown to the API server too.
                    for token in [forged(token, None, other), format!("opaque-{thread}-{number}")] {
                        let status = asks(token);
                        assert!([401, 503].contains(&status), "{status}");
                    }
                }
            });
        }
        for _ in 0..100 {
            scene.is_served();
        }
        let newcomer = Asker::of(&scene.desk, api, (&scene.desk.cluster.name, "newcomer"), "entitlements.dev");
        newcomer.until(one, |status, _| status == 200);
        is_over.store(true, Ordering::Relaxed);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attacks_is_refused_and_others_are_served() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    let api = operator.api();
    desk.sell().await;
    let scene = Scene::of(desk, api).await;
    let Scene { tenant, service, one, other, .. } = &scene;
    let token = &tenant.token;

    // Tokens that nobody has signed, or that say something else than was signed.
    let none = json!({"alg": "none", "typ": "JWT"});
    let longer = |claims: &mut Value| claims["exp"] = json!(4_102_444_800_u64);
    let admin = |claims: &mut Value| claims["sub"] = json!("system:serviceaccount:kube-system:service");
    let over = |claims: &mut Value| claims["exp"] = json!(1);
    for token in [
        forged(token, None, longer),
        forged(token, Some(none.clone()), admin),
        forged(token, None, admin),
        forged(token, None, over),
        "a".repeat(20_000),
        "\u{7f}".to_owned(),
        format!("{token},{token}"),
    ] {
        let (status, ..) = Asker { api, token }.says("GET", one, "");
        assert!([400, 401, 431].contains(&status), "{status}");
    }

    // Paths that lead elsewhere, for whoever takes them apart otherwise. Nothing of another client is ever told.
    let name = &scene.desk.cluster.name;
    for path in [
        other.clone(),
        format!("/v1/organizations/{name}/../{name}-other/entitlements"),
        format!("/v1/organizations/{name}%2f..%2f{name}-other/entitlements"),
        format!("/v1/organizations/{name}-other%00/entitlements"),
        format!("/v1/organizations/{name}%2D{}/entitlements", "other"),
        format!("//v1/organizations/{name}-other/entitlements"),
        format!("/v1/organizations/{name};{name}-other/entitlements"),
        format!("/v1/organizations/{}/entitlements", "x".repeat(4000)),
        "/v1/organizations//entitlements".to_owned(),
        "/v1/organizations/%ff%fe/entitlements".to_owned(),
        format!("http://127.0.0.1{other}"),
        "/v1/organizations/*/entitlements".to_owned(),
    ] {
        let (status, body) = tenant.gets(&path);
        assert!([400, 403, 404].contains(&status), "{path}: {status} {body}");
        assert_eq!(body["status"], status, "{path}: {body}");
    }

    // Headers by which others are told who asks.
    let headers = format!(
        "X-Forwarded-User: admin\r\nImpersonate-User: system:admin\r\nImpersonate-Group: system:masters\r\n\
         X-Remote-User: admin\r\nX-Original-URL: {one}\r\nX-HTTP-Method-Override: PUT\r\n"
    );
    let request = |authorization: &str, more: &str| {
        format!("GET {other} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n{authorization}{more}\r\n")
    };
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(ask(api, &request(&bearer, &headers)).unwrap().0, 403);
    assert_eq!(ask(api, &request("", &headers)).unwrap().0, 401);
    let two = format!("{bearer}Authorization: Bearer {}\r\n", service.token);
    assert_eq!(ask(api, &request(&two, "")).unwrap().0, 401);
    assert_eq!(ask(api, &request("Authorization: Basic YWRtaW46YWRtaW4=\r\n", "")).unwrap().0, 401);

    // What is no HTTP, or two requests for whoever reads it otherwise.
    let huge = format!("{bearer}X-Huge: {}\r\n", "x".repeat(1 << 20));
    let many = "X-Many: 1\r\n".repeat(2000);
    let both = format!("{bearer}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
    let lengths = format!("{bearer}Content-Length: 5\r\nContent-Length: 6\r\n");
    for bytes in [
        request(&huge, ""),
        request(&many, ""),
        request(&lengths, ""),
        format!("{}0\r\n\r\nGET {other} HTTP/1.1\r\n\r\n", request(&both, "")),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned(),
    ] {
        let answer = sent(api, bytes.as_bytes());
        assert!(!answer.contains(" 200 "), "{}: {answer}", bytes.chars().take(80).collect::<String>());
        scene.is_served();
    }

    // Bodies that never come to an end, from more connections than one may have.
    let slow: Vec<TcpStream> = (0..300)
        .filter_map(|number| {
            let mut stream = TcpStream::connect(api).ok()?;
            let token = if number % 2 == 0 { token } else { "none" };
            let head = format!(
                "PUT {one}/uses/slow HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
            );
            stream.write_all(head.as_bytes()).ok()?;
            Some(stream)
        })
        .collect();
    scene.is_served();
    drop(slow);

    many_tokens(&scene, &operator, api);

    // A use says in its body how much it is.
    for method in ["PUT", "GET", "DELETE"] {
        let (status, _, body) = service.says(method, &format!("{one}/uses/parameters?amount=5"), r#"{"amount": 0}"#);
        let said = "a use has no parameters in its URL: the body says how much is used, and when";
        assert_eq!((status, &body["detail"]), (400, &json!(said)), "{method}");
    }

    // More than a request may have.
    let event = |id: usize| {
        json!({
            "specversion": "1.0", "id": id.to_string(), "source": "/attack", "type": "dev.entitlements.usage.v1", "subject": name,
            "data": {"definition": name, "amount": 0},
        })
    };
    let batch = |events: usize| Value::Array((0..events).map(event).collect()).to_string();
    let (status, _, body) = service.sends("POST", "/v1/events?amount=5", BATCH, &batch(1));
    let said = "events have no parameters in their URL: all that counts is in the body";
    assert_eq!((status, &body["detail"]), (400, &json!(said)));
    let (status, _, body) = service.sends("POST", "/v1/events", BATCH, &batch(1001));
    assert_eq!((status, &body["detail"]), (413, &json!("a batch has at most 1000 events: send a part of it")));
    let (status, _, body) = service.sends("POST", "/v1/events", BATCH, &batch(20_000));
    assert_eq!(status, 413, "{body}");
    let deep = "[".repeat(200_000);
    assert_eq!(service.sends("POST", "/v1/events", BATCH, &deep).0, 400);
    large_bodies(&scene, &operator, api, &batch(1000));
    many_connections(&scene, api);
    let (status, _, results) = service.sends("POST", "/v1/events", BATCH, &batch(1000));
    assert_eq!(status, 200, "{results}");
    let statuses: Vec<u64> = results.as_array().unwrap().iter().filter_map(|one| one["status"].as_u64()).collect();
    assert_eq!(statuses, vec![200; 1000]);
    scene.is_served();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_keys_are_counted_and_others_are_served_meanwhile() {
    let _alone = alone_among_the_heavy().await;
    let desk = Desk::start().await;
    let operator = desk.operator_with(&API);
    let api = operator.api();
    desk.sell().await;
    let scene = Scene::of(desk, api).await;
    let Scene { service, one, .. } = &scene;
    let name = &scene.desk.cluster.name;
    let event = |key: usize| {
        json!({
            "specversion": "1.0", "id": key.to_string(), "source": "/many", "type": "dev.entitlements.usage.v1", "subject": name,
            "data": {"definition": name, "amount": 0.00001, "key": format!("key-{key}")},
        })
    };
    let batches =
        (0..100).map(|batch| Value::Array((batch * 1000..(batch + 1) * 1000).map(event).collect()).to_string());
    let batches = Mutex::new(batches.collect::<Vec<_>>());
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let sender = || {
                while let Some(batch) = { batches.lock().unwrap().pop() } {
                    let (status, _, results) = service.sends("POST", "/v1/events", BATCH, &batch);
                    let refused = results.as_array().unwrap().iter().find(|result| result["status"] != 200);
                    assert_eq!((status, refused), (200, None));
                }
            };
            let senders = [scope.spawn(sender), scope.spawn(sender)];
            while !senders.iter().all(thread::ScopedJoinHandle::is_finished) {
                let begun = Instant::now();
                scene.is_served();
                assert!(begun.elapsed() < BEARABLE, "{:?}", begun.elapsed());
            }
        });
    });
    let usage = &service.gets(one).1["usage"];
    assert_eq!((&usage["used"], &usage["remaining"]), (&json!("1"), &json!("9")));
    let (status, _, kept) = service.says("GET", &format!("{one}/uses/key-99999"), "");
    assert_eq!((status, &kept["amount"]), (200, &json!("0.00001")));
}

//! What the API for checks takes: how long an answer is waited for, how many there are a second, and the processor's time for each.
//! `make bench` prints it. With FLAGD, the path of a flagd, its OFREP endpoint is asked the same beside it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    reason = "it measures and prints, and ends where that fails"
)]

#[path = "../tests/control-plane/plane.rs"]
mod plane;
#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../tests/store/server.rs"]
mod server;

use entitlement_operator::{
    core::usage::register::RegisterId,
    store::{
        PersistentStore,
        meter::{MeterId, MeterWrite, RegisterWrite},
    },
};
use plane::{Plane, PlaneOptions};
use rust_decimal::Decimal;
use serde_json::json;
use server::Server;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, any::install_default_drivers};
use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const MEASURED: Duration = Duration::from_secs(8);
const DEADLINE: Duration = Duration::from_mins(2);
/// What the organization holds.
const ENTITLEMENTS: usize = 20;
/// How many uses are put at once.
const WRITERS: usize = 64;

/// A server, until it is dropped.
struct Served {
    child: Child,
    api: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn operator(plane: &Plane, store: &str) -> Self {
        let api = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
            .args(["run", "--store", store, "--api-insecure", "--api-address", &api.to_string()])
            .env("KUBECONFIG", plane.kubeconfig())
            .env("ENTITLEMENT_OPERATOR_HTTP_ADDRESS", "127.0.0.1:0")
            .env("RUST_LOG", "error")
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::null())
            .spawn();
        Self { child: child.unwrap(), api }
    }

    fn flagd(program: &str, folder: &Path) -> Self {
        let flags = json!({"flags": {"seats-0": {
            "state": "ENABLED", "variants": {"10": 10, "0": 0}, "defaultVariant": "0",
            "targeting": {"if": [{"<": [{"var": "$flagd.timestamp"}, 1_767_225_600]}, "0", "10"]},
        }}});
        let file = folder.join("flags.json");
        fs::write(&file, flags.to_string()).unwrap();
        let [api, others @ ..] = [free_address(), free_address(), free_address(), free_address()];
        let ports = ["--port", "--management-port", "--sync-port"];
        let ports = ports.iter().zip(others).map(|(flag, address)| format!("{flag}={}", address.port()));
        let child = Command::new(program)
            .args(["start", "--uri", &format!("file:{}", file.display()), &format!("--ofrep-port={}", api.port())])
            .args(ports)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self { child: child.unwrap(), api }
    }

    /// What it has had of a processor.
    fn processor(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Waits until a request is answered so.
    fn until(&self, request: &str, wanted: &str) {
        let begun = Instant::now();
        loop {
            let answer = TcpStream::connect(self.api).ok().map(|stream| Connection::of(stream).ask(request));
            if answer.as_ref().is_some_and(|(status, body)| *status == 200 && body.contains(wanted)) {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "{request}: {answer:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks by so many connections for a while, and prints how that went.
    fn measure(&self, what: &str, connections: usize, request: impl Fn(usize) -> String + Sync) -> Rate {
        let (is_over, number) = (AtomicBool::new(false), AtomicUsize::new(0));
        let client = || {
            let mut connection = Connection::of(TcpStream::connect(self.api).unwrap());
            let mut took = Vec::new();
            while !is_over.load(Relaxed) {
                let request = request(number.fetch_add(1, Relaxed));
                let begun = Instant::now();
                let (status, body) = connection.ask(&request);
                took.push(begun.elapsed());
                assert_eq!(status, 200, "{body}");
            }
            took
        };
        let (begun, before) = (Instant::now(), self.processor());
        let mut took: Vec<Duration> = thread::scope(|scope| {
            let clients: Vec<_> = (0..connections).map(|_| scope.spawn(client)).collect();
            thread::sleep(MEASURED);
            is_over.store(true, Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let (elapsed, processor) = (begun.elapsed(), self.processor().checked_sub(before).unwrap());
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        let all = f64::from(u32::try_from(took.len()).unwrap());
        let rate = all / elapsed.as_secs_f64();
        let each = processor.as_secs_f64() * 1e6 / all;
        println!("{what:<44} {connections:>6} {rate:>9.0} {:>8.2} {:>8.2} {each:>8.0}", at(50), at(99));
        Rate { answers: took.len(), per_second: rate }
    }
}

/// How many were answered.
struct Rate {
    answers: usize,
    per_second: f64,
}

/// A connection that stays.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, request: &str) -> (u16, String) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some((_, said)) = line.to_ascii_lowercase().split_once("content-length:") {
                length = said.trim().parse().unwrap();
            } else if line == "\r\n" || line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: operator\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// An organization that holds some, half of them metered.
fn objects() -> String {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "entitlement-operator"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "entitlements"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme"}}),
        json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "acme"},
            "spec": {"namespaces": ["acme"], "timeZone": "Europe/Berlin"},
        }),
    ];
    for number in 0..ENTITLEMENTS {
        let name = format!("seats-{number}");
        let mut spec = json!({"type": "Quantity", "unit": "seats", "amount": 1_000_000_000});
        if number % 2 == 1 {
            spec["usage"] = json!({"mode": "Consumed", "period": "P1M"});
        }
        objects.push(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": name}, "spec": spec,
        }));
        objects.push(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": name, "namespace": "entitlements"},
            "spec": {"organization": "acme", "definition": name, "start": "2026-01-01"},
        }));
    }
    let account = json!({"kind": "ServiceAccount", "namespace": "default", "name": "default"});
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "counter"},
        "rules": [{"apiGroups": ["entitlements.dev"], "resources": ["organizations"], "verbs": ["check", "report"]}],
    }));
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "counter"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "counter"}, "subjects": [account],
    }));
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

const ONE: &str = "/v1/organizations/acme/entitlements";
const FLAG: &str = "/ofrep/v1/evaluate/flags/seats-0";
const CONTEXT: &str = r#"{"context":{"targetingKey":"acme"}}"#;

fn main() {
    let plane = Plane::start(PlaneOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    plane.run_kubectl(&["apply", "--filename", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]).unwrap();
    plane.run_kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    let file = folder.path().join("objects.json");
    fs::write(&file, objects()).unwrap();
    plane.run_kubectl(&["apply", "--filename", file.to_str().unwrap()]).unwrap();
    let token = ["create", "token", "default", "--audience", "entitlements.dev", "--duration", "1h"];
    let token = plane.run_kubectl(&token).unwrap();
    let token = token.trim();
    println!("{:<44} {:>6} {:>9} {:>8} {:>8} {:>8}", "", "conns", "/s", "p50 ms", "p99 ms", "CPU us");

    let sqlite = format!("sqlite://{}", folder.path().join("store.db").display());
    let operator = Served::operator(&plane, &sqlite);
    let decision = |of: &str| request("GET", &format!("{ONE}/{of}"), token, "");
    for of in ["seats-0", "seats-1"] {
        operator.until(&decision(of), r#""allowed":true"#);
    }
    let flag = |_| request("POST", FLAG, token, CONTEXT);
    for connections in [1, 4, 16] {
        operator.measure("a decision, not metered", connections, |_| decision("seats-0"));
        operator.measure("a decision, metered", connections, |_| decision("seats-1"));
        operator.measure("an OFREP flag", connections, flag);
    }
    if let Ok(program) = env::var("FLAGD") {
        let flagd = Served::flagd(&program, folder.path());
        flagd.until(&flag(0), "seats-0");
        for connections in [1, 4, 16] {
            flagd.measure("an OFREP flag of flagd", connections, flag);
        }
    }
    count(&operator, &sqlite, token, "SQLite");
    drop(operator);
    let server = Server::start();
    let postgres = server.address("postgres");
    let operator = Served::operator(&plane, &postgres);
    operator.until(&decision("seats-1"), r#""allowed":true"#);
    count(&operator, &postgres, token, "PostgreSQL");
}

/// Puts uses, and does the same commits without the operator.
fn count(operator: &Served, address: &str, token: &str, database: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let commits = || {
        let address = address.parse().unwrap();
        runtime.block_on(async { PersistentStore::open(&address).await.unwrap().identity().await.unwrap().commits })
    };
    let put = |number: usize| {
        request("PUT", &format!("{ONE}/seats-{}/uses/use-{number}", number % 10 * 2 + 1), token, r#"{"amount":1}"#)
    };
    let before = commits();
    let rate = operator.measure(&format!("a use, on {database}"), WRITERS, put);
    let each = (rate.answers / usize::try_from(commits() - before).unwrap()).max(1);
    let plain = runtime.block_on(plainly(address, each));
    println!("{:<44} {:>6} {plain:>9.0}", format!("a row alone, {each} a commit"), 1);
    let same = runtime.block_on(same_commits(address, each));
    println!("{:<44} {:>6} {same:>9.0}", format!("the same rows, {each} uses a commit, no API"), 1);
    println!("{:<44} {:>6} {:>9.2}", "the API beside that", "", rate.per_second / same);
}

/// How many uses a second are kept by whoever does nothing but these commits: the same rows, of the same meters, so many in each.
async fn same_commits(address: &str, each: usize) -> f64 {
    let store = PersistentStore::open(&address.parse().unwrap()).await.unwrap();
    let epoch = i64::MAX;
    let (begun, mut kept) = (Instant::now(), 0);
    while begun.elapsed() < MEASURED {
        let mut writes: Vec<MeterWrite> = Vec::new();
        for number in kept..kept + each {
            let definition = format!("seats-{}", number % 10 * 2 + 1);
            let now = chrono::Utc::now();
            let register = RegisterWrite {
                id: RegisterId { origin: "bench".into(), key: format!("use-{number}").into() },
                at: Some(now),
                channel: None,
                amount: Decimal::ONE,
                as_of: now,
                deleted: false,
            };
            match writes.iter_mut().find(|write| *write.meter.definition == *definition) {
                Some(write) => write.registers.push(register),
                None => writes.push(MeterWrite {
                    meter: MeterId { organization: "plain".into(), definition: definition.into() },
                    registers: vec![register],
                    memory: None,
                }),
            }
        }
        store.write(epoch, &writes, &[]).await.unwrap();
        kept += each;
    }
    f64::from(u32::try_from(kept).unwrap()) / begun.elapsed().as_secs_f64()
}

/// How many rows a second a plain client keeps with so many in each commit.
async fn plainly(address: &str, each: usize) -> f64 {
    install_default_drivers();
    let mut connection = AnyConnection::connect(address).await.unwrap();
    if address.starts_with("sqlite") {
        sqlx::raw_sql("PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL").execute(&mut connection).await.unwrap();
    }
    let table =
        "CREATE TABLE plain (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount TEXT NOT NULL, at BIGINT NOT NULL)";
    sqlx::raw_sql(table).execute(&mut connection).await.unwrap();
    let (begun, mut kept) = (Instant::now(), 0_i64);
    while begun.elapsed() < MEASURED {
        let mut transaction = connection.begin().await.unwrap();
        for _ in 0..each {
            kept += 1;
            let row = sqlx::query(AssertSqlSafe("INSERT INTO plain (id, name, amount, at) VALUES ($1, $2, '1', 0)"));
            row.bind(kept).bind(format!("use-{kept}")).execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    f64::from(u32::try_from(kept).unwrap()) / begun.elapsed().as_secs_f64()
}

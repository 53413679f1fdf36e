//! The gateways of `examples/checks`: a real nginx and a real Envoy, which ask the API before they let a request through.

use crate::{
    clients::{SECURE_API, Workload, service},
    harness::{DEADLINE, FEATURE, Operator, grant},
    usage::support::Desk,
    wait::eventually,
    webhook::free_port,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checks");
const API_HOST: &str = "entitlement-operator-api.entitlement-operator.svc";

/// What stands behind a gateway: it answers `served`, and keeps the first line of each request.
struct Backend {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::default());
        let kept: Arc<Mutex<Vec<String>>> = Arc::clone(&seen);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let Some(first) = lines.collect::<Vec<_>>().into_iter().next() else { continue };
                kept.lock().unwrap().push(first);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nserved");
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// A gateway with the files of an example, whose names and places are those of the test. It ends with the test, and all that it
/// started.
struct Gateway {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", child.id())]).status();
        let _ = child.wait();
    }
}

impl Gateway {
    /// Its files, with a token that nobody knows.
    fn new(example: &str, workload: &Workload, backend: &Backend, names: &[(&str, &str)]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let api = workload.url.rsplit(':').next().unwrap();
        let here = folder.path().display();
        let places = [
            ("/tmp/", format!("{here}/")),
            ("/etc/nginx/", format!("{here}/")),
            ("/etc/envoy/", format!("{here}/")),
            ("/var/run/entitlements", format!("{here}/api")),
            (&format!("{API_HOST}:443"), format!("127.0.0.1:{api}")),
            (&format!("address: {API_HOST}, port_value: 443"), format!("address: 127.0.0.1, port_value: {api}")),
            ("listen 8080", format!("listen 127.0.0.1:{port}")),
            ("address: 0.0.0.0, port_value: 8080", format!("address: 127.0.0.1, port_value: {port}")),
            ("127.0.0.1:8081", format!("127.0.0.1:{}", backend.port)),
            ("port_value: 8081", format!("port_value: {}", backend.port)),
            // So that a new token is seen at once.
            ("sleep 60", "sleep 0.2".to_owned()),
            // How soon a busy machine answers is not what is tested.
            ("timeout 1s", "timeout 30s".to_owned()),
            ("timeout 2s", "timeout 30s".to_owned()),
            ("timeout: 1s", "timeout: 30s".to_owned()),
            ("timeout: 2s", "timeout: 30s".to_owned()),
        ];
        let places = places.iter().map(|(from, to)| (*from, to.as_str()));
        let all: Vec<_> = places.chain(names.iter().copied()).collect();
        for file in fs::read_dir(Path::new(EXAMPLES).join(example)).unwrap().map(|file| file.unwrap().path()) {
            let text = fs::read_to_string(&file).unwrap();
            let text = all.iter().fold(text, |text, (from, to)| text.replace(from, to));
            fs::write(folder.path().join(file.file_name().unwrap()), text).unwrap();
        }
        let gateway = Self { child: None, port, folder };
        gateway.mount("none", &fs::read_to_string(workload.file("ca.crt")).unwrap());
        gateway
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The volume with the token and the authority, as the kubelet writes it, and writes it again.
    fn mount(&self, token: &str, authority: &str) {
        let volume = self.file("api");
        let generation = format!("..{}", fs::read_dir(&volume).map_or(0, Iterator::count));
        fs::create_dir_all(volume.join(&generation)).unwrap();
        for (name, text) in [("token", token), ("ca.crt", authority)] {
            fs::write(volume.join(&generation).join(name), text).unwrap();
            let _ = symlink(format!("..data/{name}"), volume.join(name));
        }
        symlink(&generation, volume.join("..next")).unwrap();
        fs::rename(volume.join("..next"), volume.join("..data")).unwrap();
    }

    fn start(&mut self, mut command: Command) {
        let log = fs::File::create(self.file("log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.child = Some(command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}")));
    }

    /// The processes of nginx that serve.
    fn workers(&self) -> BTreeSet<String> {
        let master = fs::read_to_string(self.file("nginx.pid")).unwrap();
        let master = master.trim();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        let is_worker = |child: &&str| {
            fs::read_to_string(format!("/proc/{child}/cmdline")).is_ok_and(|line| line.starts_with("nginx: worker"))
        };
        children.split_whitespace().filter(is_worker).map(str::to_owned).collect()
    }

    /// What a client gets: the status and the body.
    fn told(&self, method: &str, path: &str, key: &str) -> (u16, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--request", method, "--write-out", "\n%{http_code}", "--header"]);
        let output =
            curl.args([&format!("X-Api-Key: {key}"), &format!("http://127.0.0.1:{}{path}", self.port)]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn until(&self, path: &str, key: &str, status: u16) {
        eventually(DEADLINE, &format!("{path} gets {status}"), || {
            let told = self.told("GET", path, key);
            let log = || fs::read_to_string(self.file("log")).unwrap();
            if told.0 == status { Ok(()) } else { Err(format!("{told:?}\n{}", log())) }
        });
    }
}

fn served() -> (u16, String) {
    (200, "served".to_owned())
}

/// A client with ten calls and a Feature, and the operator.
async fn client(desk: &Desk) -> (Operator, String) {
    let operator = desk.operator_with(&SECURE_API);
    desk.sell().await;
    let video = format!("{}-video", desk.cluster.name);
    desk.cluster.apply(&FEATURE.replace('$', &video)).await;
    desk.cluster.create(grant(&video, &desk.cluster.name, &video, json!({}))).await.unwrap();
    desk.cluster.phase(&video, "Active").await;
    (operator, video)
}

async fn suspend(desk: &Desk, video: &str, suspended: bool) {
    let spec = json!({"spec": {"suspended": suspended}});
    desk.cluster.merge("EntitlementInstance", "entitlements", video, spec).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_serves_what_may_be_used_and_counts_it() {
    let desk = Desk::start().await;
    let (operator, video) = client(&desk).await;
    let name = desk.cluster.name.clone();
    let asks = service(&desk, operator.api().port()).await;
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    asks.until(&one, |status, body| status == 200 && body["usage"]["state"] == "Ok");
    let backend = Backend::start();
    let names = [("4k-streaming", video.as_str()), ("api-calls", &name), (" acme;", &format!(" {name};"))];
    let mut gateway = Gateway::new("nginx", &asks, &backend, &names);
    let mut start = Command::new("sh");
    start.arg(gateway.file("start.sh")).env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
    gateway.start(start);

    // A token that nobody knows is nginx's matter, and not the client's. It is given a new one.
    gateway.until("/4k/film", "key-of-acme", 500);
    assert_eq!(backend.seen(), Vec::<String>::new());
    let without_token = gateway.workers();
    gateway.mount(&asks.token, &fs::read_to_string(asks.file("ca.crt")).unwrap());
    gateway.until("/4k/film", "key-of-acme", 200);
    // Those that have the former token serve beside the others for a moment.
    eventually(DEADLINE, "only those with the new token serve", || {
        let workers = gateway.workers();
        if workers.is_disjoint(&without_token) { Ok(()) } else { Err(format!("{workers:?}")) }
    });
    assert_eq!(gateway.told("POST", "/4k/film?part=2", "key-of-acme"), served());
    assert_eq!(gateway.told("GET", "/4k/film", "").0, 403);
    assert_eq!(gateway.told("GET", &format!("/entitlements/may-use/{video}"), "key-of-acme").0, 404);
    assert_eq!(backend.seen().last().unwrap(), "POST /4k/film?part=2 HTTP/1.0");
    suspend(&desk, &video, true).await;
    gateway.until("/4k/film", "key-of-acme", 403);
    backend.seen();

    // Ten calls, and no more; who has just started counts once the cluster has answered.
    gateway.until("/api/call", "key-of-acme", 200);
    for _ in 2..=10 {
        assert_eq!(gateway.told("GET", "/api/call", "key-of-acme"), served());
    }
    for _ in 0..2 {
        assert_eq!(gateway.told("GET", "/api/call", "key-of-acme").0, 403);
    }
    assert_eq!(gateway.told("GET", "/api/call", "").0, 403);
    assert_eq!(backend.seen(), vec!["GET /api/call HTTP/1.0"; 10]);
    assert_eq!(asks.curl(&one, &[]).1["usage"]["used"], "10");

    // Without an answer, nothing is served.
    operator.kill();
    for path in ["/4k/film", "/api/call"] {
        assert_eq!(gateway.told("GET", path, "key-of-acme").0, 500, "{path}");
    }
    assert_eq!(backend.seen(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_serves_what_may_be_used() {
    let desk = Desk::start().await;
    let (operator, video) = client(&desk).await;
    let name = desk.cluster.name.clone();
    let tenant = Workload::of(&desk, operator.api().port(), (&name, "default"));
    tenant.until(&format!("/v1/organizations/{name}/entitlements/{video}"), |status, body| {
        status == 200 && body["allowed"] == true
    });
    let backend = Backend::start();
    let names = [("4k-streaming", video.as_str()), ("organizations/acme/", &format!("organizations/{name}/"))];
    let mut gateway = Gateway::new("envoy", &tenant, &backend, &names);
    let mut envoy = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/python/bin/envoy"));
    envoy.arg("--config-path").arg(gateway.file("envoy.yaml"));
    envoy.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    gateway.start(envoy);

    gateway.until("/film", "", 401);
    assert_eq!(backend.seen(), Vec::<String>::new());
    gateway.mount(&tenant.token, &fs::read_to_string(tenant.file("ca.crt")).unwrap());
    gateway.until("/film", "", 200);
    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(gateway.told(method, "/film?amount=1&options=true", ""), served());
        assert_eq!(backend.seen().last().unwrap(), &format!("{method} /film?amount=1&options=true HTTP/1.1"));
    }
    suspend(&desk, &video, true).await;
    gateway.until("/film", "", 403);
    // The client learns why.
    let (_, body) = gateway.told("GET", "/film", "");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&answer["allowed"], &answer["reason"]), (&json!(false), &json!("Suspended")));
    suspend(&desk, &video, false).await;
    gateway.until("/film", "", 200);
    backend.seen();

    operator.kill();
    gateway.until("/film", "", 503);
    assert_eq!(backend.seen(), Vec::<String>::new());
}

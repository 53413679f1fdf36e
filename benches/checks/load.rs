//! Who is asked, and who asks: one thread for all connections, as it has the processors together with whom it asks.

use super::plane::Plane;
use futures::future::join_all;
use serde_json::json;
use std::{
    cell::Cell,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::timeout,
};

pub const MEASURED: Duration = Duration::from_secs(8);
const DEADLINE: Duration = Duration::from_mins(2);

/// A server, until it is dropped.
pub struct Served {
    child: Child,
    api: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many of something there were a second.
#[derive(Clone, Copy)]
pub struct Rate {
    pub all: f64,
    pub per_second: f64,
}

/// Requests that are measured, and what is said of them.
pub struct Load<'a> {
    pub what: &'a str,
    /// How many ask at once, each by a connection that stays.
    pub connections: usize,
    /// How many things one request is for.
    pub each: usize,
}

impl Served {
    pub fn operator(plane: &Plane, store: &str) -> Self {
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

    pub fn flagd(program: &str, folder: &Path) -> Self {
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

    /// Waits until a request is answered so.
    pub fn until(&self, request: &str, wanted: &str) {
        let begun = Instant::now();
        let ask = async || {
            let mut connection = Connection::to(self.api).await.ok()?;
            let (status, body) = timeout(DEADLINE, connection.ask(request)).await.unwrap();
            Some((status, body.to_owned()))
        };
        loop {
            let answer = runtime().block_on(ask());
            if answer.as_ref().is_some_and(|(status, body)| *status == 200 && body.contains(wanted)) {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "{request}: {answer:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks for a while, and prints how that went.
    pub fn measure(&self, load: &Load, request: impl Fn() -> String) -> Rate {
        let took = Cell::new(Vec::new());
        let (before, own_before) = (processor(self.child.id()), processor(process::id()));
        let begun = Instant::now();
        let client = async || {
            let mut connection = Connection::to(self.api).await.unwrap();
            while begun.elapsed() < MEASURED {
                let request = request();
                let asked = Instant::now();
                let (status, body) = connection.ask(&request).await;
                assert_eq!(status, 200, "{body}");
                // Of a batch, each is answered by itself.
                let kept = if load.each == 1 { 1 } else { body.matches(r#""status":200"#).count() };
                assert_eq!(kept, load.each, "{body}");
                let mut all = took.take();
                all.push(asked.elapsed());
                took.set(all);
            }
        };
        let ask_all = async { timeout(MEASURED + DEADLINE, join_all((0..load.connections).map(|_| client()))).await };
        runtime().block_on(ask_all).unwrap();
        let elapsed = begun.elapsed();
        let mut took = took.take();
        took.sort_unstable();
        let all = count(took.len() * load.each);
        let used = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() * 1e6 / all;
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        let rate = Rate { all, per_second: all / elapsed.as_secs_f64() };
        println!(
            "{:<48} {:>5} {:>9.0} {:>8.2} {:>8.2} {:>8.0} {:>8.0}",
            load.what,
            load.connections,
            rate.per_second,
            at(50),
            at(99),
            used(processor(self.child.id()), before),
            used(processor(process::id()), own_before),
        );
        rate
    }
}

/// What a process has had of the processors.
pub fn processor(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

pub fn count(all: usize) -> f64 {
    f64::from(u32::try_from(all).unwrap())
}

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A connection that stays.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn to(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(16 << 10) })
    }

    /// The status and the body. An answer that says no length has none.
    async fn ask(&mut self, request: &str) -> (u16, &str) {
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.answer.clear();
        let (head, length) = loop {
            assert_ne!(self.stream.read_buf(&mut self.answer).await.unwrap(), 0, "the connection was closed");
            if let Some(head) = self.answer.windows(4).position(|end| end == b"\r\n\r\n") {
                break (head + 4, length(&self.answer[..head]));
            }
        };
        while self.answer.len() < head + length {
            assert_ne!(self.stream.read_buf(&mut self.answer).await.unwrap(), 0, "the connection was closed");
        }
        let status = str::from_utf8(&self.answer[9..12]).unwrap().parse().unwrap();
        (status, str::from_utf8(&self.answer[head..]).unwrap())
    }
}

fn length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length:";
    let lines = head.split(|byte| *byte == b'\n');
    let said = lines.filter(|line| line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME));
    said.map(|line| str::from_utf8(&line[NAME.len()..]).unwrap().trim().parse().unwrap()).next().unwrap_or(0)
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

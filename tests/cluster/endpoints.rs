//! `/metrics`, `/healthz` and `/readyz` of a running operator.

use crate::{
    harness::{DEADLINE, Operator, Stage},
    plane::{PlaneOptions, Process},
    wait::eventually,
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

impl Operator {
    /// Where it serves metrics and health, once its log says so.
    pub fn endpoint(&self) -> SocketAddr {
        let said = "metrics and health are served";
        let find = |log: &str| {
            let line = log.lines().find(|line| line.contains(said))?;
            line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
        };
        eventually(DEADLINE, "the operator says where it serves metrics", || {
            let log = self.log();
            find(&log).ok_or(log)
        })
    }

    /// What it answers: the status, the headers, and the body.
    pub fn asked(&self, path: &str) -> (u16, String, String) {
        ask(self.endpoint(), &format!("GET {path} HTTP/1.1\r\nHost: operator\r\n\r\n")).unwrap()
    }

    /// Waits for the answer 200 from a path.
    pub fn until_well(&self, path: &str) -> String {
        eventually(DEADLINE, path, || {
            let (status, _, body) = self.asked(path);
            if status == 200 { Ok(body) } else { Err(body) }
        })
    }
}

/// What a server answers to a request, or None if it does not.
pub fn ask(address: SocketAddr, request: &str) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), body.to_owned()))
}

#[test]
fn it_lives_before_it_is_ready_and_both_outlast_the_api_server() {
    let mut stage = Stage::bare(PlaneOptions::default());
    // Without its kinds, it waits.
    let operator = stage.operator(&[]);
    assert_eq!(operator.until_well("/healthz"), "ok\n");
    let (status, head, body) = operator.asked("/readyz");
    assert_eq!(
        (status, body.as_str()),
        (503, "not ready: what the operator needs in the cluster is being checked; its log says what is missing\n")
    );
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    let (status, _, page) = operator.asked("/metrics");
    assert!(status == 200 && page.contains("\nentitlement_build_info{version=\""), "{page}");
    stage.install();
    assert_eq!(operator.until_well("/readyz"), "ready\n");
    stage.plane.stop(Process::ApiServer).unwrap_or_else(|error| panic!("{error}"));
    eventually(DEADLINE, "the outage is told", || {
        let log = operator.log();
        if log.contains("cannot be asked") { Ok(()) } else { Err(log) }
    });
    for (path, expected) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let (status, _, body) = operator.asked(path);
        assert_eq!((status, body.as_str()), (200, expected));
    }
}

#[test]
fn an_address_that_is_in_use_is_refused_at_once() {
    let stage = Stage::bare(PlaneOptions::default());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
        .args(["run", &format!("--http-address={address}"), "--log-filter=off"])
        .env("KUBECONFIG", stage.plane.kubeconfig())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "entitlement-operator: --http-address: nothing can listen at {address}: Address already in use (os error 98): stop the program that listens there, give another address, or switch it off with --http-address=off\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn slow_and_hostile_clients_hold_up_nobody() {
    let stage = Stage::start();
    let operator = stage.operator_with_files(512, &[]);
    let address = operator.endpoint();
    // Far more than there are places, each of which says nothing, or begins a request and never ends it.
    let silent: Vec<TcpStream> = (0..100)
        .filter_map(|number| {
            let mut stream = TcpStream::connect(address).ok()?;
            if number % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").ok()?;
            }
            Some(stream)
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(operator.until_well("/healthz"), "ok\n");
    }
    drop(silent);
    // A header that is too large is refused, and what is no request is closed.
    let large = format!("GET /healthz HTTP/1.1\r\nX-Large: {}\r\n\r\n", "a".repeat(1 << 20));
    assert!(ask(address, &large).is_none_or(|(status, ..)| status == 431));
    assert!(ask(address, "\u{1}\u{2}\r\n\r\n").is_none_or(|(status, ..)| status == 400));
    let (status, _, _) = ask(address, "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(status, 405);
    // One that says nothing has to go by itself.
    let mut idle = TcpStream::connect(address).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(operator.until_well("/readyz"), "ready\n");
}

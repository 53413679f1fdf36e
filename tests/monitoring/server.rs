//! A real Prometheus for tests: Debian's.

use serde_json::Value;
use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// What to do where one of its programs is missing.
pub const PACKAGE: &str = "is missing: install Debian's package prometheus (.ci/packages.sh --install)";

/// A Prometheus, which ends when it is dropped.
pub struct PrometheusServer {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for PrometheusServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl PrometheusServer {
    /// Starts one with a configuration, with what is in a folder already, if one is given.
    pub fn start(config: &Value, folder: Option<tempfile::TempDir>, flags: &[&str]) -> Self {
        let folder = folder.unwrap_or_else(|| tempfile::tempdir().unwrap());
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        Self { child: spawn(folder.path(), address, flags), address, folder }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps what it knows.
    pub fn data(folder: &Path) -> PathBuf {
        folder.join("data")
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, where it was and with what it knew.
    pub fn start_again(&mut self, flags: &[&str]) {
        self.stop();
        self.child = spawn(self.folder.path(), self.address, flags);
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What its API has at a path.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        let body = self.ask(path).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] == "success" { Ok(answer["data"].clone()) } else { Err(body) }
    }

    /// What a query yields now.
    pub fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let encoded = query.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let data = self.get(&format!("/api/v1/query?query={encoded}"))?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    fn ask(&self, path: &str) -> io::Result<String> {
        let patience = Duration::from_secs(10);
        let mut stream = TcpStream::connect_timeout(&self.address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}

fn spawn(folder: &Path, address: SocketAddr, flags: &[&str]) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new("prometheus")
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", PrometheusServer::data(folder).display()))
        .arg(format!("--web.listen-address={address}"))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("prometheus {PACKAGE}: {error}"))
}

//! A service of tests that says what was used of it, for Prometheus to scrape.

use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread,
};

/// A service that says what was used of it.
pub struct Service {
    page: Arc<Mutex<String>>,
    address: SocketAddr,
}

impl Service {
    /// One that says that.
    pub fn start(page: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, page) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(page.to_owned())));
        let shown = Arc::clone(&page);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let page = shown.lock().unwrap().clone();
                let head = format!("Content-Type: text/plain; version=0.0.4\r\nContent-Length: {}", page.len());
                let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{page}");
            }
        });
        Self { page, address }
    }

    /// What it says from now on.
    pub fn says(&self, page: &str) {
        page.clone_into(&mut self.page.lock().unwrap());
    }

    /// How a Prometheus is set up that scrapes it.
    pub fn scraped(&self) -> Value {
        json!({
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
            "scrape_configs": [{"job_name": "service", "static_configs": [{"targets": [self.address.to_string()]}]}],
        })
    }
}

//! Somebody who asks the API, by HTTP as it is.

use crate::{
    described::{self, Answer},
    endpoints::ask,
    harness::{Cluster, DEADLINE, Operator},
    usage::support::Desk,
    wait::eventually,
};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// An operator that answers checks, without TLS.
pub const API: [&str; 2] = ["--api-address=127.0.0.1:0", "--api-insecure"];

impl Operator {
    /// Where it answers checks, once its log says so.
    pub fn api(&self) -> SocketAddr {
        let find = |log: &str| {
            let line = log.lines().find(|line| line.contains("checks are answered"))?;
            line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok()
        };
        eventually(DEADLINE, "the operator says where it answers checks", || {
            let log = self.log();
            find(&log).ok_or(log)
        })
    }
}

/// Somebody who asks.
pub struct Asker {
    pub api: SocketAddr,
    pub token: String,
}

impl Asker {
    /// A service account of a namespace, with a token for that audience.
    pub fn of(desk: &Desk, api: SocketAddr, account: (&str, &str), audience: &str) -> Self {
        let (namespace, name) = account;
        let kubectl = |arguments: &[&str]| desk.stage.kubectl(arguments);
        let there = kubectl(&["get", "serviceaccounts", "-n", namespace, "-o", "name"]);
        if !there.lines().any(|line| line == format!("serviceaccount/{name}")) {
            kubectl(&["create", "serviceaccount", name, "-n", namespace]);
        }
        let token = kubectl(&["create", "token", name, "-n", namespace, "--audience", audience]).trim().to_owned();
        Self { api, token }
    }

    pub fn says(&self, method: &str, path: &str, body: &str) -> (u16, String, Value) {
        self.sends(method, path, "application/json", body)
    }

    /// The same with a body of that type.
    pub fn sends(&self, method: &str, path: &str, media_type: &str, body: &str) -> (u16, String, Value) {
        self.sends_with(method, path, &format!("Content-Type: {media_type}\r\n"), body)
    }

    /// The same with more headers, each with its end of line.
    pub fn sends_with(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Value) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let (status, head, body) = ask(self.api, &request).unwrap();
        let answer = Answer { status, head: &head, body: &body };
        assert_eq!(described::problems(method, path, answer), Vec::<String>::new());
        (status, head, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub fn gets(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.says("GET", path, "");
        (status, body)
    }

    /// Waits until this is answered, as the operator sees what was made a moment later.
    pub fn until(&self, path: &str, wanted: impl Fn(u16, &Value) -> bool) -> Value {
        eventually(DEADLINE, path, || {
            let (status, body) = self.gets(path);
            if wanted(status, &body) { Ok(body) } else { Err(format!("{status} {body}")) }
        })
    }
}

/// Whoever holds that may see, or count, what organization `$` is entitled to.
pub async fn allow(cluster: &Cluster, verb: &str, account: (&str, &str)) {
    let api_group = "rbac.authorization.k8s.io";
    let name = format!("{}-{verb}", cluster.name);
    let role = json!({
        "apiVersion": format!("{api_group}/v1"), "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{
            "apiGroups": ["entitlements.dev"], "resources": ["organizations"], "resourceNames": [cluster.name], "verbs": [verb],
        }],
    });
    let binding = json!({
        "apiVersion": format!("{api_group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.0, "name": account.1}],
    });
    cluster.create(role).await.unwrap();
    cluster.create(binding).await.unwrap();
}

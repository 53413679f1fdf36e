//! Connections that are half open: nothing comes through any more, and nobody says so.

use crate::{
    harness::{Cluster, FEATURE, ORGANIZATION, Stage, grant},
    webhook::{SECRET, free_port},
};
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Within this time after all has gone silent everything is seen again.
const LIMIT: Duration = Duration::from_mins(2);

const ACCOUNT: &str = r"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $-account}
spec:
  type: Feature
  facets: [{name: account, schema: {type: object, properties: {password: {type: string, writeOnly: true}}}}]
  outputs: [{name: account, kind: Secret, objectName: $-account, items: [{format: Keys}]}]
";

/// Stands between an operator and the API server.
struct Proxy {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// How many connections, from the first on, are silent.
    silent: watch::Sender<usize>,
}

impl Proxy {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (silent, told) = watch::channel(0);
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let mut told = told.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => return,
                        _ = told.wait_for(|silent| number <= *silent) => {}
                    }
                    // Both ends stay open, and hear nothing of each other.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { address, accepted, silent }
    }

    /// All connections that there are go silent; those that come afterwards do not.
    fn silence(&self) {
        self.silent.send_replace(self.accepted.load(Ordering::SeqCst));
    }
}

/// Where a kubeconfig says that the API server is, and the same kubeconfig with another place.
fn redirected(kubeconfig: &str, to: SocketAddr) -> (SocketAddr, String) {
    let mut parsed: Value = serde_json::from_str(kubeconfig).unwrap();
    let server = parsed["clusters"][0]["cluster"]["server"].as_str().unwrap();
    let from = server.strip_prefix("https://").unwrap().parse().unwrap();
    parsed["clusters"][0]["cluster"]["server"] = json!(format!("https://{to}"));
    (from, parsed.to_string())
}

fn account(password: &str) -> Value {
    json!({"stringData": {"password": password}})
}

#[tokio::test]
async fn whatever_goes_silent_is_noticed_within_minutes() {
    let stage = tokio::task::spawn_blocking(Stage::start).await.unwrap();
    let kubeconfig = fs::read_to_string(stage.plane.kubeconfig()).unwrap();
    let (server, _) = redirected(&kubeconfig, SocketAddr::from(([127, 0, 0, 1], 1)));
    let proxy = Proxy::to(server).await;
    let path = stage.plane.folder().join("kubeconfig-of-the-proxy");
    fs::write(&path, redirected(&kubeconfig, proxy.address).1).unwrap();
    let port = free_port();
    let operator = stage.operator(&[
        &format!("--kubeconfig={}", path.display()),
        &format!("--webhook-address=127.0.0.1:{port}"),
        &format!("--webhook-url=https://127.0.0.1:{port}"),
    ]);
    let cluster = stage.cluster().await;
    for yaml in [ORGANIZATION, FEATURE, ACCOUNT] {
        cluster.apply(yaml).await;
    }
    let name = cluster.name.clone();
    let mut secret = account("planted-before-the-silence");
    secret["apiVersion"] = json!("v1");
    secret["kind"] = json!("Secret");
    secret["metadata"] = json!({"name": name, "namespace": "entitlements"});
    cluster.create(secret).await.unwrap();
    let source = json!({"facet": "account", "field": "password", "secretKeyRef": {"name": name, "key": "password"}});
    let definition = format!("{name}-account");
    cluster.create(grant(&definition, &name, &definition, json!({"secretFacets": [source]}))).await.unwrap();
    let delivered = cluster.object("Secret", "$", "$-account").await;
    cluster.object("Secret", "entitlement-operator", SECRET[1]).await;

    proxy.silence();
    let started = Instant::now();
    cluster.create(grant(&name, &name, &name, json!({}))).await.unwrap();
    cluster.merge("Secret", "entitlements", "$", account("planted-after-the-silence")).await.unwrap();
    cluster.delete("Secret", "entitlement-operator", SECRET[1]).await;
    until(&cluster, started, "ConfigMap", "$", &name, |seen| !seen.is_null()).await;
    until(&cluster, started, "Secret", "$", &definition, |seen| seen["data"] != delivered["data"] && !seen.is_null())
        .await;
    until(&cluster, started, "Secret", "entitlement-operator", SECRET[1], |seen| !seen.is_null()).await;
    // Events are told again, too.
    cluster.merge("EntitlementInstance", "entitlements", "$", json!({"spec": {"suspended": true}})).await.unwrap();
    cluster.event("$", "Suspended").await;
    tokio::task::spawn_blocking(move || drop((operator, stage))).await.unwrap();
}

async fn until(
    cluster: &Cluster,
    started: Instant,
    kind: &str,
    namespace: &str,
    name: &str,
    is: impl Fn(&Value) -> bool,
) {
    loop {
        let seen = cluster.get(kind, namespace, name).await.unwrap_or(Value::Null);
        if is(&seen) {
            return;
        }
        assert!(started.elapsed() < LIMIT, "{kind} {namespace}/{name} is not as it should be within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

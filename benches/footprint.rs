//! What grants take of the operator's memory with a real API server: `make bench` prints it. GRANTS tells how many, 10,000 if not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "it measures and prints, and ends where that fails"
)]

#[path = "../tests/fleet.rs"]
mod fleet;
#[path = "../tests/control-plane/plane.rs"]
mod plane;

use futures::{StreamExt, stream};
use kube::{
    Client, Config,
    api::{Api, ApiResource, DynamicObject, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::GroupVersionKind,
};
use plane::{Plane, PlaneOptions};
use serde_json::{Value, json};
use std::{
    env, fs,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How many objects are being made at once.
const CLIENTS: usize = 32;
/// The operator is at rest once it takes next to nothing of a processor for so long.
const REST: Duration = Duration::from_secs(8);
/// Hundredths of a second of a processor, within that time.
const NEXT_TO_NOTHING: u64 = 25;

/// An operator, until it is dropped.
struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Operator {
    fn start(plane: &Plane) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
            .arg("run")
            .env("KUBECONFIG", plane.kubeconfig())
            .env("ENTITLEMENT_OPERATOR_HTTP_ADDRESS", "127.0.0.1:0")
            .env("RUST_LOG", "warn")
            // As in the installation.
            .env("MALLOC_ARENA_MAX", env::var("MALLOC_ARENA_MAX").as_deref().unwrap_or("2"))
            .stdin(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).unwrap()
    }

    /// What it has had of a processor, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = self.file("stat");
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    fn rest(&self) {
        loop {
            let before = self.ticks();
            sleep(REST);
            if self.ticks() - before < NEXT_TO_NOTHING {
                return;
            }
        }
    }

    /// A figure in MiB.
    fn mebibytes(&self, figure: &str) -> f64 {
        let status = self.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim_matches(|one: char| !one.is_ascii_digit()).parse::<f64>().unwrap() / 1024.0
    }

    /// Prints a row, and returns what is its own.
    fn print(&self, what: &str, over: Option<(f64, usize)>) -> f64 {
        let [resident, anonymous, peak] = ["VmRSS:", "RssAnon:", "VmHWM:"].map(|figure| self.mebibytes(figure));
        let per_grant = over.map_or(String::new(), |(empty, grants)| {
            let grants = f64::from(u32::try_from(grants).unwrap());
            format!("{:.0}", (anonymous - empty) * 1024.0 * 1024.0 / grants)
        });
        println!("{what:<32} {resident:>8.1} {anonymous:>8.1} {peak:>8.1} {per_grant:>16}");
        anonymous
    }
}

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |name: &str| object[name].as_str().unwrap();
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let plural = format!("{}s", text("kind").to_lowercase());
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, text("kind")), &plural);
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn create(client: &Client, object: Value) {
    let api = api(client, &object);
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

async fn create_all(client: &Client, objects: impl Iterator<Item = Value>) {
    stream::iter(objects.map(|object| create(client, object))).buffer_unordered(CLIENTS).collect::<()>().await;
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

async fn until_all_are_in_force(client: &Client, grants: usize) {
    let api = api(client, &fleet::definition());
    loop {
        let definition = api.get(fleet::DEFINITION).await.unwrap();
        if definition.data["status"]["instances"]["active"] == grants {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let grants: usize = env::var("GRANTS").map_or(10_000, |grants| grants.parse().unwrap());
    let organizations = grants.div_ceil(fleet::GRANTS_EACH);
    let plane = Plane::start(PlaneOptions::default()).unwrap();
    plane.run_kubectl(&["apply", "--filename", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]).unwrap();
    plane.run_kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]).unwrap();
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    create_all(&client, ["entitlement-operator", fleet::SOURCES].map(namespace).into_iter()).await;
    let operator = Operator::start(&plane);
    create(&client, fleet::definition()).await;
    operator.rest();
    println!("{:<32} {:>8} {:>8} {:>8} {:>16}", "", "RSS MiB", "RssAnon", "peak RSS", "bytes per grant");
    let empty = operator.print("no grants", None);
    create_all(&client, (0..organizations).map(|index| namespace(&fleet::organization_name(index)))).await;
    create_all(&client, (0..organizations).map(fleet::organization)).await;
    operator.rest();
    let begun = Instant::now();
    // In the order in which a fleet grows: one grant for each organization, then the next.
    let grant = |number: usize| {
        let organization = number % organizations;
        let index = organization * fleet::GRANTS_EACH + number / organizations;
        fleet::grant(index, &fleet::organization_name(organization))
    };
    create_all(&client, (0..grants).map(grant)).await;
    until_all_are_in_force(&client, grants).await;
    let took = begun.elapsed();
    operator.rest();
    operator.print(&format!("{grants} grants"), Some((empty, grants)));
    drop(operator);
    let operator = Operator::start(&plane);
    sleep(REST);
    operator.rest();
    operator.print(&format!("{grants} grants, after a restart"), Some((empty, grants)));
    println!("All were created, delivered and told within {:.0} s.", took.as_secs_f64());
}

//! Several replicas of one operator: one works, and when it is stopped, killed or frozen, the next one does.

use crate::{
    harness::{Cluster, FEATURE, ORGANIZATION, Operator, Stage, grant},
    plane::PlaneOptions,
    wait::eventually,
    webhook::{free_port, serving},
};
use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::block_in_place,
};

const DEADLINE: Duration = Duration::from_mins(2);
/// As short as it may be on a machine that other tests keep busy.
const LEASE: Duration = Duration::from_secs(2);
/// How often the one that works goes, in one way or another.
const GOES: usize = 100;
/// How many grants come, change and end at a time.
const CLIENTS: usize = 6;
const PAUSE: Duration = Duration::from_millis(150);

/// A replica, which the audit log knows by a user of its own.
struct Replica {
    name: String,
    operator: Operator,
}

impl Replica {
    fn start(stage: &Stage, more: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("replica-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (user, identity) = (format!("--as={name}"), format!("--identity={name}"));
        let lease = format!("--lease-duration={}s", LEASE.as_secs());
        // Whoever may impersonate anybody gives it that user.
        let kubeconfig = format!("--kubeconfig={}", stage.plane.kubeconfig().display());
        let arguments = [&kubeconfig, &user, "--as-group=system:masters", &identity, lease.as_str()];
        let operator = stage.operator_that_logs("info", &[arguments.as_slice(), more].concat());
        Self { name, operator }
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.operator.process()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }
}

fn stage() -> Stage {
    Stage::start_with(PlaneOptions { audit: true, ..PlaneOptions::default() })
}

fn lease(stage: &Stage) -> Value {
    let found =
        stage.plane.run_kubectl(&["get", "lease", "entitlement-operator", "-n", "entitlement-operator", "-o=json"]);
    found.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

/// The name of the replica that holds the lease.
fn holder(stage: &Stage) -> Option<String> {
    let lease = lease(stage);
    let holder = lease["spec"]["holderIdentity"].as_str()?;
    holder.rsplit_once('_').map(|(name, _)| name.to_owned())
}

fn until_held(stage: &Stage, is: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        match holder(stage) {
            Some(holder) if is(&holder) => return holder,
            other => assert!(started.elapsed() < DEADLINE, "the lease is held by {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn until_logged(replica: &Replica, text: &str) {
    eventually(DEADLINE, text, || {
        let log = replica.operator.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    });
}

async fn entitle(cluster: &Cluster) {
    for yaml in [ORGANIZATION, FEATURE] {
        cluster.apply(yaml).await;
    }
    cluster.create(grant(&cluster.name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    cluster.object("ConfigMap", "$", "$").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_stands_by_takes_over_at_once_when_the_other_is_stopped() {
    let stage = block_in_place(stage);
    let first = block_in_place(|| Replica::start(&stage, &[]));
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    block_in_place(|| {
        assert_eq!(until_held(&stage, |_| true), first.name);
        let second = Replica::start(&stage, &[]);
        until_logged(&second, "holds the lease: this replica stands by, and takes over when the other has gone");
        let before = lease(&stage)["spec"].clone();
        assert_eq!((&before["leaseDurationSeconds"], &before["leaseTransitions"]), (&json!(2), &json!(0)));
        assert!(before["renewTime"].as_str() >= before["acquireTime"].as_str(), "{before}");
        let shown =
            stage.kubectl(&["get", "lease", "entitlement-operator", "-n", "entitlement-operator", "--no-headers"]);
        assert!(shown.split_whitespace().nth(1).unwrap().starts_with(&format!("{}_", first.name)), "{shown}");

        first.operator.stop();
        assert_eq!(until_held(&stage, |holder| !holder.is_empty()), second.name);
        // The audit log may be behind.
        let wait = eventually(DEADLINE, "the lease was taken", || {
            let writes_of_lease = writes_of_lease(&requests_of_replicas(stage.plane.audit_log().unwrap()));
            successions(&writes_of_lease, std::slice::from_ref(&first.name)).pop().ok_or("not yet")
        });
        assert!(wait < LEASE, "it took {wait:?}");
        assert_eq!(lease(&stage)["spec"]["leaseTransitions"], 1);
        until_logged(&second, "this replica holds the lease: it is the one that works");
        eventually(DEADLINE, "it works", || second.operator.log().contains("ready: cluster").then_some(()).ok_or(""));
        drop(second);
    });
    block_in_place(|| drop(stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_starts_where_the_lease_was_deleted_waits_until_the_one_before_has_stopped() {
    let stage = block_in_place(stage);
    let log = stage.plane.audit_log().unwrap().to_owned();
    let first = block_in_place(|| Replica::start(&stage, &[]));
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    let second = block_in_place(|| {
        assert_eq!(until_held(&stage, |_| true), first.name);
        // It may write still for all that anybody knows.
        first.signal(Signal::STOP);
        stage.kubectl(&["delete", "lease", "entitlement-operator", "-n", "entitlement-operator"]);
        let second = Replica::start(&stage, &[]);
        assert_eq!(until_held(&stage, |_| true), second.name);
        second
    });
    cluster.delete("ConfigMap", "$", "$").await;
    cluster.object("ConfigMap", "$", "$").await;
    let requests = requests_of_replicas(&log);
    let its = |is: &dyn Fn(&str, &str) -> bool| {
        let found = requests.iter().find(|(_, user, line)| {
            let (verb, resource) = (line["verb"].as_str().unwrap(), line["objectRef"]["resource"].as_str());
            *user == second.name && is(verb, resource.unwrap_or_default())
        });
        moment(&found.expect("it has done nothing of that kind").0)
    };
    // It counts from when it has found none, however long making one takes.
    let looked = its(&|verb, resource| (verb, resource) == ("get", "leases"));
    let wrote =
        its(&|verb, resource| ["create", "patch"].contains(&verb) && ["configmaps", "events"].contains(&resource));
    let waited = (wrote - looked).to_std().unwrap();
    assert!(waited >= LEASE, "it waited for {waited:?}");
    first.signal(Signal::CONT);
    block_in_place(|| drop((first, second, stage)));
}

/// Leads to the one port or the other. When that changes, connections end.
async fn switch(listener: TcpListener, to: watch::Receiver<u16>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut to = to.clone();
        tokio::spawn(async move {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *to.borrow_and_update()));
            let Ok(mut server) = TcpStream::connect(address).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = to.changed() => {}
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_stands_by_answers_the_webhook_too() {
    let stage = block_in_place(stage);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("--webhook-url=https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let ports = [free_port(), free_port()];
    let (to, told) = watch::channel(ports[0]);
    let switching = tokio::spawn(switch(listener, told));
    let start = |port: u16| Replica::start(&stage, &[&url, &format!("--webhook-address=127.0.0.1:{port}")]);
    let first = block_in_place(|| start(ports[0]));
    block_in_place(|| serving(&stage));
    let cluster = stage.cluster().await;
    entitle(&cluster).await;
    let second = block_in_place(|| start(ports[1]));
    block_in_place(|| until_logged(&second, "the webhook has a certificate"));
    // The second grant of the definition to the organization is one too many.
    let refused = || async {
        let twice = grant(&format!("{}-twice", cluster.name), &cluster.name, &cluster.name, json!({}));
        cluster.create(twice).await.expect_err("it was let pass")
    };
    assert!(refused().await.contains("validate.entitlements.dev"));
    to.send_replace(ports[1]);
    assert!(refused().await.contains("validate.entitlements.dev"));
    block_in_place(|| {
        switching.abort();
        drop((first, second, stage));
    });
}

/// What was done to one grant, and has to be told of it: once each, in that order.
const TOLD: [&str; 5] = ["Accepted", "Activated", "Suspended", "Activated", "Cancelled"];

async fn until(cluster: &Cluster, what: &str, is: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is().await {
        assert!(started.elapsed() < DEADLINE, "{}: {what}", cluster.name);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes a grant, changes it, and ends it, each once the operator has said that it has done the one before.
async fn one_grant(cluster: &Cluster, name: &str) {
    cluster.create(grant(name, &cluster.name, &cluster.name, json!({}))).await.unwrap();
    let phase = async |phase: &str| {
        until(cluster, &format!("{name} is {phase}"), async || {
            let seen = cluster.get("EntitlementInstance", "entitlements", name).await.unwrap_or(Value::Null);
            seen["status"]["phase"] == phase
        })
        .await;
    };
    let is_delivered = async |expected: bool| {
        let config = format!("config-{name}");
        until(cluster, &format!("{config}: {expected}"), async || {
            cluster.get("ConfigMap", "$", &config).await.is_some() == expected
        })
        .await;
    };
    let change = async |change: Value| {
        cluster.merge("EntitlementInstance", "entitlements", name, json!({"spec": change})).await.unwrap();
    };
    phase("Active").await;
    is_delivered(true).await;
    change(json!({"suspended": true})).await;
    phase("Suspended").await;
    is_delivered(false).await;
    change(json!({"suspended": false})).await;
    phase("Active").await;
    is_delivered(true).await;
    change(json!({"state": "Cancelled"})).await;
    phase("Cancelled").await;
    is_delivered(false).await;
}

const MANY: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  allowMultiple: true
  outputs:
    - name: config
      kind: ConfigMap
      objectName: "config-{{ instance.name }}"
      items: [{key: who, template: "{{ organization.displayName }}"}]
"#;

/// The one that works goes, and comes back. Returns who was stopped, not killed or frozen.
fn go(stage: &Stage, replicas: &mut Vec<Replica>, round: usize) -> Option<String> {
    let leader = until_held(stage, |holder| replicas.iter().any(|replica| replica.name == holder));
    let at = replicas.iter().position(|replica| replica.name == leader).unwrap();
    let is_next = |holder: &str| holder != leader && !holder.is_empty();
    match round % 5 {
        0 | 2 => {
            replicas.remove(at).operator.kill();
            replicas.push(Replica::start(stage, &[]));
            until_held(stage, is_next);
        }
        1 | 3 => {
            replicas[at].signal(Signal::STOP);
            until_held(stage, is_next);
            replicas[at].signal(Signal::CONT);
        }
        _ => {
            replicas.remove(at).operator.stop();
            until_held(stage, is_next);
            replicas.push(Replica::start(stage, &[]));
            return Some(leader);
        }
    }
    None
}

fn moment(came: &str) -> chrono::DateTime<chrono::FixedOffset> {
    chrono::DateTime::parse_from_rfc3339(came).unwrap()
}

/// The requests of replicas that were taken, as the moment at which they came, the replica, and the rest.
fn requests_of_replicas(audit_log: &Path) -> Vec<(String, String, Value)> {
    let log = fs::read_to_string(audit_log).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of = lines.filter(|line| line["stage"] == "ResponseComplete").filter_map(|line| {
        let user = line["impersonatedUser"]["username"].as_str()?.to_owned();
        let came = line["requestReceivedTimestamp"].as_str()?.to_owned();
        (user.starts_with("replica-")).then_some((came, user, line))
    });
    let mut all: Vec<_> = of.collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// The writes of the Lease that were taken: when they came, and whose they are.
fn writes_of_lease(requests: &[(String, String, Value)]) -> Vec<(String, String)> {
    let is_taken = |line: &Value| line["responseStatus"]["code"].as_i64().is_some_and(|code| code < 300);
    let taken = requests
        .iter()
        .filter(|(_, _, line)| is_write(line) && line["objectRef"]["resource"] == "leases" && is_taken(line));
    taken.map(|(came, user, _)| (came.clone(), user.clone())).collect()
}

fn is_write(line: &Value) -> bool {
    ["create", "update", "patch", "delete"].contains(&line["verb"].as_str().unwrap_or_default())
}

/// Who wrote, one after the other, and who held the lease meanwhile.
fn check_turns(requests: &[(String, String, Value)], writes_of_lease: &[(String, String)]) {
    let mut writers: Vec<(String, &str)> = Vec::new();
    for (came, user, line) in requests.iter().filter(|(_, _, line)| is_write(line)) {
        let resource = line["objectRef"]["resource"].as_str().unwrap_or_default();
        let is_other = resource != "leases" && !resource.starts_with("selfsubject");
        if is_other && writers.last().is_none_or(|(_, last)| last != user) {
            writers.push((format!("{came} {} {}", line["verb"], line["requestURI"]), user));
        }
    }
    let mut tenures: Vec<&str> = writes_of_lease.iter().map(|(_, user)| user.as_str()).collect();
    tenures.dedup();
    // Each time of writing is within a tenure of its own, in their order.
    let mut left = tenures.iter();
    for (index, (first, writer)) in writers.iter().enumerate() {
        let around = &writers[index.saturating_sub(2)..(index + 2).min(writers.len())];
        assert!(left.any(|holder| holder == writer), "{writer} writes out of turn: {first}; {around:#?}");
    }
}

/// How long after the last word of those who were stopped another one took the Lease, the shortest first. How long the
/// test takes to see it does not count.
fn successions(writes_of_lease: &[(String, String)], stopped: &[String]) -> Vec<Duration> {
    let waits = stopped.iter().filter_map(|name| {
        let last = writes_of_lease.iter().rposition(|(_, user)| user == name)?;
        let (gone, taken) = (&writes_of_lease[last].0, &writes_of_lease.get(last + 1)?.0);
        Some((moment(taken) - moment(gone)).to_std().unwrap())
    });
    let mut waits: Vec<Duration> = waits.collect();
    waits.sort();
    waits
}

/// Every transition is told once.
async fn check_events(cluster: &Cluster, grants: &[String]) {
    let mut told: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for event in cluster.list("Event", "entitlements").await {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (at, reason) = (text(&event["eventTime"]), text(&event["reason"]));
        told.entry(text(&event["regarding"]["name"])).or_default().push((at, reason));
    }
    for grant in grants {
        let mut told = told.remove(grant).unwrap_or_default();
        // What the former one has withdrawn may look like somebody else's doing for a moment, which is no transition.
        told.retain(|(_, reason)| reason != "PutBack");
        told.sort();
        let reasons: Vec<&str> = told.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(reasons, TOLD, "{grant}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_killed_stopped_or_frozen_a_hundred_times_one_works_and_all_is_done_once() {
    let stage = Arc::new(block_in_place(stage));
    let log = stage.plane.audit_log().unwrap().to_owned();
    let mut replicas: Vec<Replica> = block_in_place(|| (0..3).map(|_| Replica::start(&stage, &[])).collect());
    let cluster = stage.cluster().await;
    for yaml in [ORGANIZATION, MANY] {
        cluster.apply(yaml).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let clients = (0..CLIENTS).map(async |client| {
        let mut made = Vec::new();
        while !is_over.load(Ordering::SeqCst) {
            let name = format!("{}-{client}-{}", cluster.name, made.len());
            one_grant(&cluster, &name).await;
            made.push(name);
        }
        made
    });
    let (on, over, begun) = (Arc::clone(&stage), Arc::clone(&is_over), Instant::now());
    let goes = tokio::task::spawn_blocking(move || {
        let stopped: Vec<String> = (0..GOES).filter_map(|round| go(&on, &mut replicas, round)).collect();
        over.store(true, Ordering::SeqCst);
        (replicas, stopped)
    });
    let (grants, gone) = tokio::join!(join_all(clients), goes);
    let (grants, (replicas, stopped)) = (grants.concat(), gone.unwrap());
    let requests = requests_of_replicas(&log);
    let writes_of_lease = writes_of_lease(&requests);
    check_turns(&requests, &writes_of_lease);
    // Who went before it had heard that it holds the lease has no answer in the log, and is counted in the Lease.
    let turns = block_in_place(|| lease(&stage)["spec"]["leaseTransitions"].as_u64().unwrap());
    let waits = successions(&writes_of_lease, &stopped);
    eprintln!("{GOES} times in {:?}: {turns} turns, {} grants, waits {waits:?}", begun.elapsed(), grants.len());
    assert!(turns >= GOES as u64, "{turns}");
    assert!(grants.len() >= GOES / 2, "{}", grants.len());
    check_events(&cluster, &grants).await;
    assert!(waits.get(stopped.len() / 2).is_some_and(|median| *median < LEASE), "{waits:?} of {stopped:?}");
    block_in_place(|| drop((replicas, cluster, stage)));
}

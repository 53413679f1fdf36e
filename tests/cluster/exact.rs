//! Nothing that was acknowledged is lost or counted twice, whoever is killed meanwhile.

use crate::{
    asker::{API, Asker, allow},
    endpoints::ask,
    harness::Operator,
    store_server::Server,
    usage::support::Desk,
};
use entitlement_operator::kill_points::KillPoint;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        RwLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

/// Ten are held, and each use is a thousandth.
const ALLOWED: usize = 10_000;
const ASKED: usize = 10_400;
const AMOUNT: &str = "0.001";
const CLIENTS: usize = 24;
/// How many are asked for between two kills.
const STEP: usize = 1000;
/// After how many uses, or commits, an operator dies at a point.
const PASSES: u32 = 12;
/// Far more than all of it takes.
const DEADLINE: Duration = Duration::from_mins(8);

/// Replicas that come and go, and what their clients were told.
struct Run {
    replicas: Vec<RwLock<SocketAddr>>,
    token: String,
    one: String,
    next: AtomicUsize,
    /// How many may be asked for by now.
    limit: AtomicUsize,
    counted: AtomicUsize,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    begun: Instant,
}

impl Run {
    /// Puts a use until there is an answer: whether it is counted.
    fn put(&self, key: usize, first: usize) -> bool {
        for attempt in first.. {
            assert!(self.begun.elapsed() < DEADLINE, "use {key} is not answered");
            let replica = *self.replicas[attempt % self.replicas.len()].read().unwrap();
            let body = json!({ "amount": AMOUNT }).to_string();
            let request = format!(
                "PUT {}/uses/use-{key} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.one,
                self.token,
                body.len()
            );
            match ask(replica, &request) {
                Some((200, ..)) => return true,
                Some((409, _, body)) => {
                    let answer: Value = serde_json::from_str(&body).unwrap();
                    assert_eq!(answer["reason"], "Exhausted", "{answer}");
                    return false;
                }
                Some((503 | 429, ..)) | None => {
                    self.unanswered.fetch_add(1, SeqCst);
                    // Nobody is there for a moment.
                    thread::sleep(Duration::from_millis(10));
                }
                Some((status, _, body)) => panic!("{status}: {body}"),
            }
        }
        unreachable!()
    }

    fn client(&self, number: usize) {
        loop {
            let key = self.next.fetch_add(1, SeqCst);
            if key >= ASKED {
                return;
            }
            while key >= self.limit.load(SeqCst) {
                assert!(self.begun.elapsed() < DEADLINE, "use {key} is never asked for");
                thread::sleep(Duration::from_millis(5));
            }
            let is_counted = self.put(key, number);
            let count = if is_counted { &self.counted } else { &self.refused };
            count.fetch_add(1, SeqCst);
            if key.is_multiple_of(7) {
                // Whoever did not hear the answer asks once more, and somebody else.
                assert_eq!(self.put(key, number + 1), is_counted, "use {key}");
            }
        }
    }

    /// Waits until an operator has died of itself.
    fn until_dead(&self, api: SocketAddr) {
        while TcpStream::connect(api).is_ok() {
            assert!(self.begun.elapsed() < DEADLINE, "it lives on");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until so many were answered.
    fn until(&self, answers: usize) {
        while self.counted.load(SeqCst) + self.refused.load(SeqCst) < answers {
            assert!(self.begun.elapsed() < DEADLINE, "{} answers", self.counted.load(SeqCst));
            thread::sleep(Duration::from_millis(5));
        }
    }
}

async fn counts_exactly(desk: &Desk, store: &str, replicas: usize, mut outage: impl FnMut() + Send) {
    let arguments = [&[store][..], &API].concat();
    let start = || desk.stage.operator(&arguments);
    let start_to_die = |at: KillPoint| {
        let passes = format!("'{}={PASSES}*off->return'", at.name());
        desk.stage.operator_in(&[("FAILPOINTS", &passes)], &arguments)
    };
    let mut operators: Vec<Operator> = (0..replicas).map(|_| start()).collect();
    desk.sell().await;
    let name = &desk.cluster.name;
    let account = ("kube-system", "service");
    for verb in ["check", "report"] {
        allow(&desk.cluster, verb, account).await;
    }
    let service = Asker::of(desk, operators[0].api(), account, "entitlements.dev");
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    for operator in &operators {
        let asker = Asker { api: operator.api(), token: service.token.clone() };
        asker.until(&one, |status, body| status == 200 && body["usage"]["remaining"] == "10");
    }
    let run = Run {
        replicas: operators.iter().map(|operator| RwLock::new(operator.api())).collect(),
        token: service.token.clone(),
        one: one.clone(),
        next: AtomicUsize::new(0),
        limit: AtomicUsize::new(STEP),
        counted: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        unanswered: AtomicUsize::new(0),
        begun: Instant::now(),
    };
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let run = &run;
            for number in 0..CLIENTS {
                scope.spawn(move || run.client(number));
            }
            let begin = |operators: &mut Vec<Operator>, victim: usize, operator: Operator| {
                *run.replicas[victim].write().unwrap() = operator.api();
                operators.insert(victim, operator);
            };
            for (kill, point) in (1..).zip(KillPoint::ALL) {
                run.until(kill * STEP - STEP / 2);
                let victim = kill % replicas;
                operators.remove(victim).kill();
                if kill == 4 {
                    outage();
                }
                let doomed = start_to_die(point);
                let api = doomed.api();
                begin(&mut operators, victim, doomed);
                run.limit.fetch_add(STEP, SeqCst);
                run.until_dead(api);
                operators.remove(victim).kill();
                begin(&mut operators, victim, start());
            }
            run.limit.store(ASKED, SeqCst);
        });
    });
    assert!(run.unanswered.load(SeqCst) > 0, "nobody was killed before an answer");
    assert_eq!((run.counted.load(SeqCst), run.refused.load(SeqCst)), (ALLOWED, ASKED - ALLOWED));
    for operator in &operators {
        let asker = Asker { api: operator.api(), token: service.token.clone() };
        let told = asker.until(&one, |status, body| status == 200 && body["usage"]["state"] != "Unknown");
        let usage = &told["usage"];
        assert_eq!((&usage["used"], &usage["remaining"], &usage["overage"]), (&json!("10"), &json!("0"), &json!("0")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_uses_on_sqlite() {
    let desk = Desk::start().await;
    std::fs::create_dir_all(desk.place()).unwrap();
    let store = format!("--store=sqlite://{}", desk.place().join("store.db").display());
    counts_exactly(&desk, &store, 1, || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_uses_at_two_replicas_on_postgresql() {
    let desk = Desk::start().await;
    let mut server = tokio::task::block_in_place(Server::start);
    let store = format!("--store={}", server.address("postgres"));
    counts_exactly(&desk, &store, 2, || {
        server.stop();
        server.start_again();
    })
    .await;
}

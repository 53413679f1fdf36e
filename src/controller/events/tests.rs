//! What is told, in which order, and who waits for it.

use super::{Announcement, Announcer, LIMIT, Metrics, PendingEvent, Publisher, channel, reference, transition};
use crate::{
    api::Organization,
    connection::{BootTime, Fence},
    controller::{
        announcements,
        gate::Gate,
        leadership::{Candidacy, Leadership, LeaseHold, OthersTurn, Tenure},
    },
    metrics::{Exposition, Gauges},
};
use http_body_util::BodyExt;
use k8s_openapi::api::events::v1;
use kube::{Client, Config, client::Body};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::{Instant, sleep},
};

fn ends() -> (Arc<Gate>, Announcer, Publisher) {
    counted_ends(&Metrics::default())
}

fn counted_ends(metrics: &Metrics) -> (Arc<Gate>, Announcer, Publisher) {
    let client = Client::try_from(Config::new(http::Uri::from_static("http://127.0.0.1:9"))).unwrap();
    let gate = Arc::new(Gate::new(client, 1, Candidacy::default().holds(), Leadership::for_good()));
    let (announcer, publisher) = channel(Arc::clone(&gate), metrics);
    (gate, announcer, publisher)
}

#[tokio::test]
async fn what_the_next_one_tells_was_not_dropped() {
    let metrics = Metrics::default();
    let (_, announcer, mut publisher) = counted_ends(&metrics);
    // This one holds no lease.
    let notice = announcements::of_namespace_made_anew("one");
    announcer.tell_first(&reference::<Organization>(None, "acme", "uid"), &"before", vec![notice]).await;
    assert!(publisher.waiting.try_recv().is_err());
    let page = metrics.page(&Gauges::default(), Exposition::Text);
    assert!(page.contains("\nentitlement_events_dropped_total 0\n"), "{page}");
}

/// An API server that hears of reasons, and answers to each by a permit, with that status.
fn server(status: u16) -> (Client, Arc<Mutex<Vec<String>>>, Arc<Semaphore>) {
    let (heard, permits) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Semaphore::new(0)));
    let (hearing, answering) = (Arc::clone(&heard), Arc::clone(&permits));
    let answer = move |request: http::Request<Body>| {
        let (heard, permits) = (Arc::clone(&hearing), Arc::clone(&answering));
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let event: v1::Event = serde_json::from_slice(&body).unwrap();
            heard.lock().unwrap().extend(event.reason);
            permits.acquire().await.unwrap().forget();
            let body = if status < 300 { body.to_vec() } else { b"overloaded".to_vec() };
            Ok::<_, Infallible>(http::Response::builder().status(status).body(Body::from(body)).unwrap())
        }
    };
    (Client::new(tower::service_fn(answer), "default"), heard, permits)
}

/// The ends of who works by that client, which it has to keep.
fn working_ends(client: &Client) -> (watch::Sender<LeaseHold>, Announcer, Publisher) {
    let (fence, now) = (Arc::new(Fence::until(BootTime::MAX)), Instant::now());
    let tenure = Tenure::new(1, fence, client.clone(), OthersTurn { number: 1, ended: now }, now);
    let (hold, holds) = watch::channel(LeaseHold::Held(Arc::new(tenure)));
    let gate = Arc::new(Gate::new(client.clone(), 8, holds, Leadership::for_good()));
    let (announcer, publisher) = channel(gate, &Metrics::default());
    (hold, announcer, publisher)
}

fn notices(reasons: &[&str]) -> Vec<Announcement> {
    let notice = |reason: &&str| Announcement {
        is_warning: false,
        reason: (*reason).to_owned(),
        action: "Transition",
        note: String::new(),
    };
    reasons.iter().map(notice).collect()
}

#[tokio::test(start_paused = true)]
async fn what_comes_later_is_not_told_before_what_came_first_is_stored() {
    let (client, heard, permits) = server(201);
    let (_hold, announcer, _publisher) = working_ends(&client);
    let telling = tokio::spawn(async move {
        let about = reference::<Organization>(None, "acme", "uid");
        announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated"])).await;
    });
    // Whoever is killed here leaves no Activated that is older than Accepted.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*heard.lock().unwrap(), ["Accepted"]);
    permits.add_permits(2);
    telling.await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Accepted", "Activated"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_events_holds_a_status_up_once() {
    let (client, heard, permits) = server(503);
    permits.add_permits(Semaphore::MAX_PERMITS);
    let (_hold, announcer, mut publisher) = working_ends(&client);
    let about = reference::<Organization>(None, "acme", "uid");
    announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated"])).await;
    assert!(!heard.lock().unwrap().contains(&"Activated".to_owned()));
    let waiting: Vec<_> = std::iter::from_fn(|| publisher.waiting.try_recv().ok()).collect();
    assert_eq!(waiting.iter().map(|event| event.notice.reason.as_str()).collect::<Vec<_>>(), ["Accepted", "Activated"]);
    assert!(waiting[0].stamp < waiting[1].stamp);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_holds_a_status_up_for_no_longer_than_one_event_may_take() {
    let (client, heard, permits) = server(201);
    let (_hold, announcer, mut publisher) = working_ends(&client);
    let slow = tokio::spawn(async move {
        loop {
            sleep(LIMIT * 2 / 5).await;
            permits.add_permits(1);
        }
    });
    let (about, begun) = (reference::<Organization>(None, "acme", "uid"), Instant::now());
    announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated", "Conflict", "Invalid"])).await;
    assert!(begun.elapsed() <= LIMIT + Duration::from_millis(1), "{:?}", begun.elapsed());
    assert_eq!(*heard.lock().unwrap(), ["Accepted", "Activated", "Conflict"]);
    let waiting = std::iter::from_fn(|| publisher.waiting.try_recv().ok());
    assert_eq!(waiting.map(|event| event.notice.reason).collect::<Vec<_>>(), ["Conflict", "Invalid"]);
    slow.abort();
}

#[tokio::test(start_paused = true)]
async fn while_the_server_takes_no_events_no_other_status_waits_for_it() {
    let (client, heard, permits) = server(201);
    let (_hold, announcer, publisher) = working_ends(&client);
    let tell = async |name: &str, reason: &str| {
        let (about, begun) = (reference::<Organization>(None, name, name), Instant::now());
        announcer.tell_first(&about, &"before", notices(&[reason])).await;
        begun.elapsed()
    };
    assert!(tell("acme", "Accepted").await >= LIMIT);
    assert_eq!(tell("globex", "Activated").await, Duration::ZERO);
    assert_eq!(*heard.lock().unwrap(), ["Accepted"]);
    // It takes one again, and all that was put off.
    permits.add_permits(Semaphore::MAX_PERMITS);
    let (_close, closing) = oneshot::channel();
    let publishing = tokio::spawn(publisher.run(closing));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(*heard.lock().unwrap(), ["Accepted", "Accepted", "Activated"]);
    assert!(tell("initech", "Suspended").await < LIMIT);
    assert_eq!(heard.lock().unwrap().last().unwrap(), "Suspended");
    publishing.abort();
}

#[tokio::test]
async fn a_note_keeps_to_the_limit() {
    let (gate, ..) = ends();
    let note = |text: String| {
        let notice = announcements::of_namespace_made_anew(&text);
        let about = reference::<Organization>(None, "acme", "uid");
        PendingEvent { about, notice, stamp: 1, id: 1 }.event(&gate).1.note.unwrap()
    };
    assert!(note("a".to_owned()).starts_with("namespace a "));
    assert!(note("x".repeat(1025)).ends_with("xxx…"));
    assert_eq!((note("x".repeat(1025)).len(), note("ü".repeat(600)).len()), (1024, 1023));
}

#[tokio::test]
async fn a_burst_is_kept_whole_in_order_and_under_names_of_its_own() {
    let (_, announcer, mut publisher) = ends();
    for number in 0..60_000 {
        let about = reference::<Organization>(None, "acme", "uid");
        announcer.announce(about, announcements::of_namespace_made_anew(&number.to_string()));
    }
    let (mut names, mut last) = (BTreeSet::new(), 0);
    for number in 0..60_000 {
        let PendingEvent { notice, stamp, id, .. } = publisher.waiting.try_recv().unwrap();
        assert!(notice.note.starts_with(&format!("namespace {number} ")), "{}", notice.note);
        assert!(stamp > last, "{stamp} is not after {last}");
        last = stamp;
        names.insert(id);
    }
    assert_eq!(names.len(), 60_000);
}

#[test]
fn a_transition_has_one_name_and_another_one_has_another() {
    let notice = |reason: &str, action, note: &str| Announcement {
        is_warning: false,
        reason: reason.to_owned(),
        action,
        note: note.to_owned(),
    };
    let of = |uid, from: &[u8], notice: &Announcement| {
        transition(&reference::<Organization>(None, "acme", uid), from, notice)
    };
    let suspended = notice("Suspended", "Transition", "the configuration is withdrawn");
    let name = of("uid", b"active since ten", &suspended);
    // For good: the next process has to find it again.
    assert_eq!(name, NAME_OF_SUSPENSION, "{name:#x}");
    assert_eq!(of("uid", b"active since ten", &notice("Suspended", "Transition", "in other words")), name);
    for (uid, from, notice) in [
        ("another", b"active since ten".as_slice(), &suspended),
        ("uid", b"active since two", &suspended),
        ("uid", b"active since ten", &notice("Expired", "Transition", "")),
    ] {
        assert_ne!(of(uid, from, notice), name);
    }
    let [one, other] = ["in 90 days", "in 30 days"].map(|note| of("uid", b"", &notice("RenewalDue", "Remind", note)));
    assert_ne!(one, other);
}

const NAME_OF_SUSPENSION: u64 = 0xf1c0_ca75_c3a3_4f3e;

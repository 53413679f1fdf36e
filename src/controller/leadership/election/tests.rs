//! Who gives a Lease up, and when.

use super::{
    Api, BootTime, Duration, Election, Instant, Lease, LeaseHold, LeaseSpec, NAME, clear, moment, now, record, timeout,
};
use crate::controller::{context::ControllerContext, leadership::LeadershipState};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::time::advance;

/// An API server that has one Lease, or none. It may take a write and never answer.
#[derive(Clone, Default)]
struct LeaseServer {
    stored: Arc<Mutex<Option<Value>>>,
    is_mute: Arc<AtomicBool>,
}

impl LeaseServer {
    fn client(&self) -> Client {
        let server = self.clone();
        Client::new(tower::service_fn(move |request| server.clone().answer(request)), "default")
    }

    async fn answer(self, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
        let is_read = request.method() == http::Method::GET;
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let found = if is_read { self.stored.lock().unwrap().clone() } else { self.store(&body) };
        let code = if is_read { 404 } else { 409 };
        let reason = if is_read { "NotFound" } else { "Conflict" };
        let refusal = || (code, json!({"kind": "Status", "code": code, "message": "", "reason": reason}));
        let (code, answer) = found.map_or_else(refusal, |lease| (200, lease));
        if !is_read && self.is_mute.load(Ordering::SeqCst) {
            return future::pending().await;
        }
        Ok(http::Response::builder().status(code).body(Body::from(answer.to_string().into_bytes())).unwrap())
    }

    /// As it is stored then; None where it has changed since it was read.
    fn store(&self, body: &[u8]) -> Option<Value> {
        let mut stored = self.stored.lock().unwrap();
        let mut lease: Value = serde_json::from_slice(body).unwrap();
        let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
        let known = stored.as_ref().map_or(Value::Null, version);
        if version(&lease) != known {
            return None;
        }
        let known = known.as_str().and_then(|known| known.parse::<u64>().ok()).unwrap_or(0);
        lease["metadata"]["resourceVersion"] = (known + 1).to_string().into();
        *stored = Some(lease.clone());
        Some(lease)
    }

    fn lease(&self) -> Lease {
        serde_json::from_value(self.stored.lock().unwrap().clone().unwrap()).unwrap()
    }

    fn is_given_up(&self) -> bool {
        record(&self.lease()).is_given_up
    }
}

/// A replica that has looked for the Lease, and is to write it next.
async fn electing<'a>(context: &'a ControllerContext, server: &LeaseServer) -> Election<'a> {
    let mut election = Election::new(context);
    election.api = Api::namespaced(server.client(), "operator");
    election.read().await;
    election
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_made_anew_is_given_up_once_whoever_worked_before_has_stopped() {
    for (standing, waits, is_given_up) in [
        (LeadershipState::StandsBy, 0, false),
        (LeadershipState::StandsBy, 14, false),
        (LeadershipState::StandsBy, 16, true),
        // Nobody has worked before.
        (LeadershipState::Leads(1), 0, true),
    ] {
        let (context, server) = (ControllerContext::unconnected(), LeaseServer::default());
        let mut election = electing(&context, &server).await;
        election.write().await;
        election.publish(moment());
        assert_eq!(server.lease().metadata.name.as_deref(), Some(NAME));
        context.candidacy.stand(standing.clone());
        advance(Duration::from_secs(waits)).await;
        election.give_up().await;
        assert_eq!(server.is_given_up(), is_given_up, "{standing:?} {waits}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_before_it_hears_that_it_holds_the_lease_gives_it_up() {
    let (context, server) = (ControllerContext::unconnected(), LeaseServer::default());
    let mut given_up = LeaseSpec::default();
    clear(&mut given_up);
    let stored = Lease { spec: Some(given_up), ..Lease::default() };
    let mut stored = serde_json::to_value(stored).unwrap();
    stored["metadata"]["resourceVersion"] = "7".into();
    *server.stored.lock().unwrap() = Some(stored);
    let mut election = electing(&context, &server).await;
    server.is_mute.store(true, Ordering::SeqCst);
    assert!(timeout(Duration::from_secs(1), election.write()).await.is_err());
    server.is_mute.store(false, Ordering::SeqCst);
    assert_eq!(record(&server.lease()).holder, election.candidate.identity());
    election.give_up().await;
    assert!(server.is_given_up());
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_while_this_one_waited_for_them_may_be_news_still() {
    let (context, server) = (ControllerContext::unconnected(), LeaseServer::default());
    let mut election = electing(&context, &server).await;
    election.undisputed = Instant::now() + Duration::from_mins(1);
    election.begin(BootTime::MAX);
    let LeaseHold::Held(tenure) = context.candidacy.holds().borrow().clone() else { panic!("it holds no lease") };
    advance(Duration::from_mins(2) - Duration::from_secs(1)).await;
    assert!(tenure.is_behind());
    advance(Duration::from_secs(1)).await;
    assert!(!tenure.is_behind());
}

#[test]
fn only_its_holder_gives_a_lease_up() {
    let held = LeaseSpec {
        holder_identity: Some("one".to_owned()),
        lease_duration_seconds: Some(1),
        acquire_time: now(),
        renew_time: now(),
        ..LeaseSpec::default()
    };
    let is_given_up = |spec: &LeaseSpec| record(&Lease { spec: Some(spec.clone()), ..Lease::default() }).is_given_up;
    assert!(!is_given_up(&held));
    // By an administrator, from a lease of one second.
    for holder in [None, Some(String::new())] {
        assert!(!is_given_up(&LeaseSpec { holder_identity: holder, ..held.clone() }));
    }
    assert!(!is_given_up(&LeaseSpec::default()));
    let mut given_up = held;
    clear(&mut given_up);
    assert!(is_given_up(&given_up));
}

//! The watches: each on its own and retried for ever, so that one that fails holds up no other.

use super::{
    backoff::patiently,
    context::ControllerContext,
    outages::MENDED_AFTER,
    world::{World, kinds::WatchedKind},
};
use crate::{
    connection::{Cause, LONGEST_WATCH_SECONDS, WATCH_SECONDS},
    evaluation::object::{MANAGED_BY, MANAGER},
};
use futures::{StreamExt, future::join_all};
use kube::{
    Resource,
    runtime::watcher::{self, Config, Event},
};
use std::{borrow::Cow, pin::pin, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Objects in a page of a list, where the API server can't stream it.
const PAGE_SIZE: u32 = 500;
/// How long a right has to be missing before it counts: an API server that has just started does not know all roles yet.
const DOUBT: Duration = Duration::from_secs(5);

/// Watches a kind for ever, once what it needs is known, and hands each event to the index: in all namespaces at once, or in each
/// that is served by itself, so that what is wrong with one harms no other.
pub async fn follow<K: WatchedKind>(context: &ControllerContext) {
    context.knows(&K::needs()).await;
    match K::within(&context.options.served).names() {
        None => follow_in::<K>(context, None).await,
        Some(names) => drop(join_all(names.iter().map(|namespace| follow_in::<K>(context, Some(namespace)))).await),
    }
}

async fn follow_in<K: WatchedKind>(context: &ControllerContext, within: Option<&Arc<str>>) {
    let client = context.gate.reader();
    let api = match within {
        None => K::api(client, &context.options.namespace),
        Some(namespace) => K::api_within(client, namespace),
    };
    let selector = K::IS_LABELLED.then(|| format!("{MANAGED_BY}={MANAGER}"));
    let kind = what_is_watched::<K>(within);
    let (metrics, resource) = (&context.options.metrics, K::Object::plural(&()));
    metrics.expect_watch(&resource);
    let mut streams = true;
    let mut patience = Patience::default();
    let mut right = MissingRight::default();
    loop {
        let config = Config { label_selector: selector.clone(), page_size: Some(PAGE_SIZE), ..Config::default() };
        let config = if streams { config.streaming_lists() } else { config }.timeout(patience.seconds);
        let mut events = pin!(patiently(watcher::watcher(api.clone(), config)));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if streams && patience.ends_with(&event) {
                        break;
                    }
                    if !matches!(event, Event::Init) {
                        metrics.watch_lives(&resource);
                        right = MissingRight::default();
                    }
                    // A list begins with `Init` before anyone has been asked.
                    if !matches!(event, Event::Init) && context.outages.works(&kind) {
                        context.queue.retry_failed();
                    }
                    K::tell(context, &event);
                    let news = K::read(event);
                    context.world(|world| match within {
                        None => world.hear::<K>(news),
                        Some(namespace) => world.hear_within::<K>(namespace, news),
                    });
                }
                Err(error) if streams && cannot_stream(&error) => {
                    tracing::debug!(%kind, "the API server does not stream lists: the operator asks for pages");
                    streams = false;
                    break;
                }
                Err(error) if is_routine(&error) => tracing::debug!(%kind, %error, "a watch starts over"),
                Err(error) => {
                    let cause = Cause::of_watch(&error);
                    let is_forbidden = matches!(cause, Cause::Forbidden(_));
                    let is_refused = is_forbidden || matches!(cause, Cause::NotFound(_));
                    let is_answered = !cause.is_of_the_server();
                    context.outages.failed(&kind, cause);
                    if K::IS_DISPENSABLE && is_answered {
                        if right.is_refused() && context.world(|world| world.do_without::<K>(is_refused)) {
                            // As below.
                            break;
                        }
                        continue;
                    }
                    let Some(namespace) = within.filter(|_| is_forbidden) else { continue };
                    let is_missing = right.is_refused();
                    let is_lost = |world: &mut World| {
                        // Who begins does not keep others waiting.
                        (is_missing || !world.knows_within::<K>(namespace)) && world.may_not_list::<K>(namespace)
                    };
                    if context.world(is_lost) {
                        // Nothing says that a watch goes on, and a list does.
                        break;
                    }
                }
            }
        }
    }
}

/// In the words of the log. The Secrets that grants name are watched by themselves.
fn what_is_watched<K: WatchedKind>(within: Option<&Arc<str>>) -> Cow<'static, str> {
    let kind = K::Object::kind(&());
    match within {
        None => kind,
        Some(namespace) if K::IS_LABELLED => format!("{kind} outputs in {namespace}").into(),
        Some(namespace) => format!("{kind} in {namespace}").into(),
    }
}

/// A right that seems to be missing: since when, and when that was seen last.
#[derive(Default)]
struct MissingRight(Option<(Instant, Instant)>);

impl MissingRight {
    /// It is refused once more. Whether it is surely missing by now.
    fn is_refused(&mut self) -> bool {
        let now = Instant::now();
        let since = self.0.filter(|(_, last)| now.duration_since(*last) < MENDED_AFTER).map_or(now, |(since, _)| since);
        self.0 = Some((since, now));
        now.duration_since(since) >= DOUBT
    }
}

/// How long one request may watch. It streams the list first, which may take longer where there is much; so whenever the time
/// was too short for that, it is given more.
struct Patience {
    seconds: u32,
    is_listing: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self { seconds: WATCH_SECONDS, is_listing: false }
    }
}

impl Patience {
    /// Whether the watch has to begin anew with more time.
    fn ends_with<K>(&mut self, event: &Event<K>) -> bool {
        let was_cut_off = self.is_listing && matches!(event, Event::Init) && self.seconds < LONGEST_WATCH_SECONDS;
        self.is_listing = match event {
            Event::Init => !was_cut_off,
            Event::InitDone => false,
            _ => self.is_listing,
        };
        if was_cut_off {
            self.seconds = self.seconds.saturating_mul(3).min(LONGEST_WATCH_SECONDS);
        }
        was_cut_off
    }
}

/// An API server without the feature refuses the request as invalid.
fn cannot_stream(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if matches!(status.code, 400 | 422))
}

/// History that the API server no longer has (410) is fetched anew, as it must be from time to time.
pub(super) fn is_routine(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchError(status) if status.code == 410)
}

#[cfg(test)]
mod tests {
    use super::{Patience, follow_in};
    use crate::{
        controller::{context::ControllerContext, world::World},
        core::{approval::PolicyPart, served::ServedNamespaces},
        evaluation::Limits,
    };
    use k8s_openapi::api::{admissionregistration::v1::ValidatingAdmissionPolicy, core::v1::ConfigMap};
    use kube::{Client, client::Body, runtime::watcher::Event};
    use serde_json::json;
    use std::{
        convert::Infallible,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };
    use tokio::time::{sleep, timeout};

    /// An API server that does not stream lists, and whose watches last 30 seconds each.
    #[derive(Clone, Default)]
    struct Server {
        /// How many requests it refuses from now on.
        refuses: Arc<AtomicUsize>,
        lists: Arc<AtomicUsize>,
    }

    impl Server {
        fn client(&self) -> Client {
            let server = self.clone();
            Client::new(tower::service_fn(move |request| server.clone().answer(request)), "default")
        }

        async fn answer(self, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
            let query = request.uri().query().unwrap_or_default();
            let status =
                |code: u16| (code, json!({"kind": "Status", "code": code, "message": "", "reason": ""}).to_string());
            let refuses = |left: usize| left.checked_sub(1);
            let (code, body) = if query.contains("sendInitialEvents=true") {
                status(400)
            } else if self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuses).is_ok() {
                status(403)
            } else if query.contains("watch=true") {
                sleep(Duration::from_secs(30)).await;
                (200, String::new())
            } else {
                self.lists.fetch_add(1, Ordering::SeqCst);
                (200, json!({"metadata": {"resourceVersion": "5"}, "items": []}).to_string())
            };
            Ok(http::Response::builder().status(code).body(Body::from(body.into_bytes())).unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_right_is_missed_once_it_has_been_missing_for_a_while() {
        let server = Server::default();
        let context = ControllerContext::read_by(server.client());
        let restriction = ServedNamespaces::new(&["one"], &[], "operator").unwrap();
        context.world(|world| *world = World::new("operator", Limits::DEFAULT).serving(&restriction));
        let is_known = || context.world(|world| world.knows_within::<ConfigMap>("one"));
        let lists = || server.lists.load(Ordering::SeqCst);
        let namespace = "one".into();
        let mut following = pin!(follow_in::<ConfigMap>(&context, Some(&namespace)));
        let mut passes = async || assert!(timeout(Duration::from_mins(1), &mut following).await.is_err());
        passes().await;
        assert_eq!((lists(), is_known()), (1, true));
        // Whoever has just started refuses all.
        for _ in 0..3 {
            server.refuses.store(2, Ordering::SeqCst);
            passes().await;
            assert_eq!((server.refuses.load(Ordering::SeqCst), lists(), is_known()), (0, 1, true));
        }
        server.refuses.store(1000, Ordering::SeqCst);
        passes().await;
        assert!(!is_known());
        server.refuses.store(0, Ordering::SeqCst);
        passes().await;
        assert_eq!((lists(), is_known()), (2, true));
    }

    /// Whether nobody waits for the policies any more, and whether they are known.
    fn policies(context: &ControllerContext) -> (bool, bool) {
        context.world(|world| {
            let is_awaited = world.unlisted().iter().any(|resource| resource == "validatingadmissionpolicies");
            (!is_awaited, world.knows_guards(PolicyPart::Policy))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_operator_can_do_without_keeps_it_waiting_for_seconds_only() {
        let server = Server::default();
        let context = ControllerContext::read_by(server.client());
        let lists = || server.lists.load(Ordering::SeqCst);
        let mut following = pin!(follow_in::<ValidatingAdmissionPolicy>(&context, None));
        let mut passes = async |time| assert!(timeout(time, &mut following).await.is_err());
        server.refuses.store(1000, Ordering::SeqCst);
        passes(Duration::from_secs(2)).await;
        assert_eq!(policies(&context), (false, false), "who has just started refuses all");
        passes(Duration::from_mins(1)).await;
        assert_eq!(policies(&context), (true, false));
        server.refuses.store(0, Ordering::SeqCst);
        passes(Duration::from_mins(1)).await;
        assert_eq!((lists(), policies(&context)), (1, (true, true)));
        server.refuses.store(2, Ordering::SeqCst);
        passes(Duration::from_mins(1)).await;
        assert_eq!((lists(), policies(&context)), (1, (true, true)), "a moment's refusal is none");
        server.refuses.store(1000, Ordering::SeqCst);
        passes(Duration::from_mins(1)).await;
        assert_eq!(policies(&context), (true, false), "what is no longer seen no longer counts");
        server.refuses.store(0, Ordering::SeqCst);
        passes(Duration::from_mins(1)).await;
        assert_eq!((lists(), policies(&context)), (2, (true, true)));
    }

    #[test]
    fn a_list_that_is_cut_off_gets_more_time_and_a_watch_that_ends_does_not() {
        let mut patience = Patience::default();
        for event in [Event::Init, Event::InitApply(1), Event::InitDone, Event::Apply(2), Event::Delete(2)] {
            assert!(!patience.ends_with(&event));
        }
        assert_eq!(patience.seconds, 30);
        let mut given = Vec::new();
        for _ in 0..4 {
            for event in [Event::Init, Event::InitApply(1), Event::Init] {
                if patience.ends_with(&event) {
                    given.push(patience.seconds);
                }
            }
        }
        // The longest is not exceeded, and nothing is begun anew for nothing.
        assert_eq!(given, [90, 270, 290]);
        assert!(!patience.ends_with(&Event::<u8>::InitDone));
    }
}

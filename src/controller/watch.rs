//! The watches: each on its own and retried for ever, so that one that fails holds up no other.

use super::{backoff::patiently, context::ControllerContext, world::kinds::WatchedKind};
use crate::{
    connection::{Cause, LONGEST_WATCH_SECONDS, WATCH_SECONDS},
    evaluation::object::{MANAGED_BY, MANAGER},
};
use futures::{StreamExt, future::join_all};
use kube::{
    Resource,
    runtime::watcher::{self, Config, Event},
};
use std::{borrow::Cow, pin::pin, sync::Arc};

/// Objects in a page of a list, where the API server can't stream it.
const PAGE_SIZE: u32 = 500;

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
                    context.outages.failed(&kind, cause);
                    let namespace = within.filter(|_| is_forbidden);
                    if namespace.is_some_and(|namespace| context.world(|world| world.may_not_list::<K>(namespace))) {
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
    use super::Patience;
    use kube::runtime::watcher::Event;

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

//! One object, as it is seen and as it changes.

use crate::{connection::WATCH_SECONDS, controller::backoff::patiently};
use futures::{Stream, StreamExt, future};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What is known of an object.
#[derive(Debug)]
pub enum Known<K> {
    /// Nobody has said anything yet.
    Nothing,
    /// It is absent, or as it was seen last.
    Seen(Option<K>),
}

impl<K: Resource> Known<K> {
    /// The watch may be behind what was read or written meanwhile.
    pub fn see(&mut self, seen: Option<K>) {
        let version =
            |object: &K| object.meta().resource_version.as_deref().and_then(|version| version.parse::<u64>().ok());
        if let (Self::Seen(Some(known)), Some(seen)) = (&*self, &seen)
            && known.meta().uid == seen.meta().uid
            && version(seen) < version(known)
        {
            return;
        }
        *self = Self::Seen(seen);
    }
}

/// One object, whenever it has changed; None while it is absent.
pub fn follow<K>(api: Api<K>, name: &str) -> impl Stream<Item = Result<Option<K>, watcher::Error>> + use<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}")).timeout(WATCH_SECONDS);
    let events = patiently(watcher::watcher(api, config));
    let seen = events.scan(false, |is_listed, event| {
        if let Ok(Event::Init | Event::InitApply(_)) = &event {
            *is_listed = matches!(event, Ok(Event::InitApply(_)));
        }
        let seen = match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => Some(Ok(Some(object))),
            Ok(Event::Delete(_)) => Some(Ok(None)),
            Ok(Event::InitDone) if !*is_listed => Some(Ok(None)),
            Ok(Event::Init | Event::InitDone) => None,
            Err(error) => Some(Err(error)),
        };
        future::ready(Some(seen))
    });
    seen.filter_map(future::ready)
}

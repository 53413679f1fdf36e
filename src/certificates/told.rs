//! The object by which others are told whom to trust, and looking after it together with the Secret of the certificate.

use super::{
    LOOK_INTERVAL,
    keeper::{Again, CertificateKeeper, RETRY_INTERVAL, is_overtaken, is_recent},
    sight::{Known, follow},
};
use crate::{connection::Cause, controller::Leadership};
use futures::{Stream, StreamExt};
use kube::{Api, Error, Resource, runtime::watcher};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, pin::pin};
use tokio::time;

/// An object by which others are told whom to trust.
pub struct ToldObject<K> {
    watched: Api<K>,
    name: String,
    /// Its kind and its name, as the log has them.
    what: String,
    /// As it is known.
    pub seen: Known<K>,
    written: Option<time::Instant>,
}

impl<K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static> ToldObject<K> {
    /// That of a name, of which nothing is known yet.
    #[must_use]
    pub fn new(watched: Api<K>, name: &str) -> Self {
        let what = format!("the {} {name}", K::kind(&()));
        Self { watched, name: name.to_owned(), what, seen: Known::Nothing, written: None }
    }

    fn follow(&self) -> impl Stream<Item = Result<Option<K>, watcher::Error>> + use<K> {
        follow(self.watched.clone(), &self.name)
    }

    /// Takes in what was told of it.
    pub fn see(&mut self, told: Result<Option<K>, watcher::Error>, secret: &CertificateKeeper) {
        if let Some(seen) = secret.heard(&self.what, told) {
            self.seen.see(seen);
        }
    }

    /// Whether it was written a moment ago.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        is_recent(self.written)
    }

    /// Takes in what came of writing it.
    ///
    /// # Errors
    /// Where it is to be tried again soon.
    pub fn write(&mut self, written: Result<K, Error>, secret: &mut CertificateKeeper) -> Result<(), Again> {
        match written {
            Ok(written) => {
                self.seen = Known::Seen(Some(written));
                self.written = Some(time::Instant::now());
                Ok(())
            }
            Err(error) => {
                if !is_overtaken(&error) {
                    secret.say(&format!("{} cannot be written", self.what), &Cause::of(&error));
                }
                Err(Again)
            }
        }
    }
}

/// Whoever keeps a certificate, and tells others whom to trust.
pub trait AuthorityTeller: Send {
    /// By what they are told.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static;

    /// The Secret of the certificate.
    fn secret(&mut self) -> &mut CertificateKeeper;

    /// By what others are told.
    fn told(&self) -> &ToldObject<Self::Object>;

    /// Takes in what was told of that.
    fn see(&mut self, told: Result<Option<Self::Object>, watcher::Error>);

    /// Does what is to be done now.
    ///
    /// # Errors
    /// Where it is to be looked again soon.
    fn step(&mut self) -> impl Future<Output = Result<(), Again>> + Send;
}

/// Looks after both for ever, while this operator works on the cluster or stands by.
pub async fn look_after(mut teller: impl AuthorityTeller, mut leadership: Leadership) {
    let mut secrets = pin!(teller.secret().follow());
    let mut objects = pin!(teller.told().follow());
    let mut wait = LOOK_INTERVAL;
    loop {
        leadership.takes_part().await;
        tokio::select! {
            Some(told) = secrets.next() => teller.secret().see(told),
            Some(told) = objects.next() => teller.see(told),
            () = leadership.changed() => {}
            () = time::sleep(wait) => {}
        }
        if leadership.part().is_none() {
            continue;
        }
        wait = if teller.step().await.is_ok() { LOOK_INTERVAL } else { RETRY_INTERVAL };
    }
}

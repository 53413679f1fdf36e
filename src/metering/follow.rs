//! Notices what others have written: the API counts on every replica, and tells nobody.

use super::{
    MeteringNews,
    clerk::{Clerk, PAGE},
    held::HeldMeter,
};
use crate::store::{
    CatchUp, PersistentStore, StoreError,
    meter::{MeterId, RegisterWrite},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often it is looked what was written: each time, all of that is read, while more is written.
pub(super) const FOLLOWS: Duration = Duration::from_millis(100);
/// How often it is looked where nothing seems to be written: a store that was restored may have been written as often as the one before.
const ANYWAY: Duration = Duration::from_mins(1);

impl<F: Fn(MeteringNews)> Clerk<'_, F> {
    /// Takes over what was written since it was looked last, and says whether it has: where it was looked just now, it is put off.
    /// Where nothing was written, that costs one question, which was asked anyhow.
    pub(super) async fn follow(&mut self, store: &PersistentStore) -> Result<bool, StoreError> {
        let commits = self.desk.state().identity.as_ref().map(|identity| identity.commits);
        let ago = self.followed_at.map(|at| at.elapsed());
        if commits == self.followed && ago.is_some_and(|ago| ago < ANYWAY) {
            return Ok(true);
        }
        if ago.is_some_and(|ago| ago < FOLLOWS) {
            return Ok(false);
        }
        let mut news = BTreeSet::new();
        let mut last = None;
        loop {
            let page = store.versions(last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for (meter, version) in &page {
                if self.see(store, meter, *version).await? {
                    news.insert(Arc::clone(&meter.organization));
                }
            }
            last = page.into_iter().map(|(meter, _)| meter).next_back();
            if is_last {
                break;
            }
        }
        self.followed = commits;
        self.followed_at = Some(Instant::now());
        if !news.is_empty() {
            (self.tell)(MeteringNews::Meters(news));
        }
        Ok(true)
    }

    /// Whether more is known of a meter now.
    async fn see(&self, store: &PersistentStore, meter: &MeterId, version: i64) -> Result<bool, StoreError> {
        let (is_new, held) = {
            let mut state = self.desk.state();
            (state.stored.insert(meter.clone()), state.meters.get(meter).map(HeldMeter::version))
        };
        match held {
            Some(held) if held != version => self.renew(store, meter, &[]).await,
            _ => Ok(is_new),
        }
    }

    /// Takes over what the store has since of a meter in memory, of which that was written here. Whether others have to know.
    pub(super) async fn renew(
        &self,
        store: &PersistentStore,
        meter: &MeterId,
        written: &[RegisterWrite],
    ) -> Result<bool, StoreError> {
        let Some(version) = self.desk.state().meters.get(meter).map(HeldMeter::version) else { return Ok(false) };
        let changes = match store.since(meter, version).await? {
            CatchUp::Current => return Ok(false),
            CatchUp::Changes(changes) => Some(changes),
            CatchUp::Reload => None,
        };
        let added = self.desk.state().add(meter, written, changes);
        match added {
            Some(is_news) => Ok(is_news),
            None => self.load(store, meter).await,
        }
    }
}

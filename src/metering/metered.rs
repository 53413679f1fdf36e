//! How each definition was metered when something was first counted of it, which an object that is deleted and made again does not
//! know.

use super::{
    MeterDesk, MeteringNews,
    clerk::Clerk,
    errands::{Errand, MeteredErrand},
};
use crate::{
    evaluation::status::metered::MeteredRecord,
    store::{PersistentStore, StoreError, StoreProgress},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// How long the store is waited for: nothing else of a definition is to wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

impl MeterDesk {
    /// How a definition was metered when this store first counted something of it; `said`, where it has nothing counted. None where it
    /// does not answer now.
    pub async fn first_metered(&self, definition: &Arc<str>, said: MeteredRecord) -> Option<MeteredRecord> {
        let noted = (self.beginnings(), said);
        if self.state().noted_metered.get(definition) == Some(&noted) {
            return Some(said);
        }
        let (answer, answered) = oneshot::channel();
        self.send(Errand::FirstMetered(MeteredErrand { definition: Arc::clone(definition), said, answer }));
        let first = timeout(PATIENCE, answered).await.ok()?.ok()?;
        if first == said {
            self.state().noted_metered.insert(Arc::clone(definition), noted);
        }
        Some(first)
    }
}

impl<F: Fn(MeteringNews)> Clerk<'_, F> {
    /// Answers it, and notes how a definition is metered of which nothing is counted yet.
    pub(super) async fn first_metered(
        &mut self,
        store: &PersistentStore,
        definition: &str,
        said: MeteredRecord,
    ) -> Result<MeteredRecord, StoreError> {
        let name = format!("metered {definition}");
        let noted = store.progress(&name).await?;
        // What a later version has noted differently says nothing against what is said now.
        let noted = noted.map(|text| serde_json::from_str(&text).unwrap_or(said));
        match noted {
            Some(first) if first == said || store.has_uses(definition).await? => Ok(first),
            _ => {
                let value = serde_json::to_string(&said).unwrap_or_default();
                self.commit(store, &[], &[StoreProgress { name, value }]).await?;
                Ok(said)
            }
        }
    }
}

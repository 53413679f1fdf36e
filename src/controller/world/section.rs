//! One kind of the catalogue: its objects as they are now, and the serving state of each.

use super::{
    kept_revisions::KeptRevisions,
    store::{Identity, Put, PutUnreadable, Reading, Store},
    tenancy::name_of,
};
use crate::{
    core::{problem::Problem, reason::ReasonCode},
    evaluation::catalogue::{CatalogueEntry, CatalogueId, CatalogueIngredients, Catalogued, Revision, Served},
};
use kube::{Resource, api::ObjectMeta};
use std::{
    collections::{BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What is kept of one object of the catalogue, and what serves of it.
#[derive(Clone, Debug)]
pub struct KeptView<C: Catalogued> {
    /// The object.
    pub object: CatalogueId,
    /// Its kept revisions, the oldest first.
    pub revisions: Vec<Arc<Revision>>,
    /// What serves up to now.
    pub served: Option<Served<C>>,
    /// Whether anything has changed since what serves was made.
    pub is_stale: bool,
    /// How often the object, or one that it uses, has changed so far.
    pub version: u64,
}

impl<C: Catalogued> KeptView<C> {
    /// What the object's entry is made of, with its metadata where it exists.
    pub fn ingredients<'a>(&'a self, metadata: Option<&'a ObjectMeta>) -> CatalogueIngredients<'a, C> {
        CatalogueIngredients {
            object: &self.object,
            metadata,
            revisions: &self.revisions,
            served: self.served.as_ref(),
            guard: contained,
        }
    }
}

/// What makes a library panic is invalid, and harms nothing else.
fn contained<C: Catalogued>(compile: &dyn Fn() -> Result<C, Problem>) -> Result<C, Problem> {
    let broken = |_| {
        let noun = C::KIND.noun();
        let message = format!("the {noun} can't be compiled: see the log of the operator, and report it");
        Err(Problem::new(ReasonCode::InternalError, message))
    };
    catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(broken)
}

/// What it changes that something serves.
#[derive(Clone, Debug)]
pub struct ServingChange<C: Catalogued> {
    /// Whether anything is otherwise for those who use the object.
    pub is_any: bool,
    /// What served before, where something else does now.
    pub replaced: Option<Arc<CatalogueEntry<C>>>,
}

/// Something of the catalogue has not been compiled yet.
#[derive(Debug)]
pub struct NotYetRead;

/// The objects of one kind as they are now, and what serves of each.
pub struct CatalogueSection<O, C: Catalogued> {
    objects: Store<Arc<str>, Arc<O>>,
    /// With the version of the view that it was made from.
    served: HashMap<Arc<str>, (Served<C>, u64)>,
    /// What served before all is made anew, until something is made of the object again.
    former: HashMap<Arc<str>, Arc<CatalogueEntry<C>>>,
    stale: BTreeSet<Arc<str>>,
    /// How often an object, or one that it uses, has changed.
    versions: HashMap<Arc<str>, u64>,
}

impl<O, C: Catalogued> Default for CatalogueSection<O, C> {
    fn default() -> Self {
        Self {
            objects: Store::default(),
            served: HashMap::new(),
            former: HashMap::new(),
            stale: BTreeSet::new(),
            versions: HashMap::new(),
        }
    }
}

/// Whether two states of an object differ in more than their status.
pub fn differs(before: Option<&ObjectMeta>, after: &ObjectMeta) -> bool {
    before.is_none_or(|before| before.uid != after.uid || before.generation != after.generation)
}

impl<O: Resource, C: Catalogued> CatalogueSection<O, C> {
    /// A state of an object; None if it is not news, else what was there before, and whether more than its status has changed.
    pub fn put(&mut self, object: Reading<Arc<str>, Arc<O>>) -> Option<(Option<Arc<O>>, bool)> {
        let Reading { key: name, identity, value: object } = object;
        let put = self.objects.put(Arc::clone(&name), identity, Arc::clone(&object));
        let Put::Stored(before) = put else { return None };
        let has_changed = differs(before.as_ref().map(|before| before.meta()), object.meta());
        if has_changed {
            self.change(name);
        }
        Some((before, has_changed))
    }

    /// An object that could not be read, and why. What was known of it stays.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> PutUnreadable<Arc<O>> {
        let name = name_of(metadata);
        let put = self.objects.put_unreadable(&name, Identity::of(metadata), why);
        if let PutUnreadable::Unknown(_) = put {
            self.change(name);
        }
        put
    }

    /// An object is gone; what was there before.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> Option<Arc<O>> {
        let name = name_of(metadata);
        let before = self.objects.remove(&name, &Identity::of(metadata));
        self.change(name);
        before
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.objects.begin_list();
    }

    /// A list is complete; those that are gone, with what was there before.
    pub fn finish_list(&mut self) -> Vec<(Arc<str>, Option<Arc<O>>)> {
        let gone = self.objects.finish_list();
        for (name, _) in &gone {
            self.change(Arc::clone(name));
        }
        gone
    }

    /// An object has changed, or one that it uses.
    pub fn change(&mut self, name: Arc<str>) {
        *self.versions.entry(Arc::clone(&name)).or_default() += 1;
        self.stale.insert(name);
    }

    fn version(&self, name: &str) -> u64 {
        self.versions.get(name).copied().unwrap_or_default()
    }

    /// What was made of an object is no longer to be relied on.
    pub fn outdate(&mut self, name: Arc<str>) {
        self.stale.insert(name);
    }

    /// What is kept of an object and serves of it. What changes from now on makes it stale again.
    pub fn view(&mut self, name: &Arc<str>, revisions: &KeptRevisions) -> KeptView<C> {
        let object = CatalogueId { kind: C::KIND, name: Arc::clone(name) };
        let served = self.served.get(name).map(|(served, _)| served.clone());
        KeptView {
            revisions: revisions.of(&object),
            is_stale: self.stale.remove(name) || served.is_none(),
            version: self.version(name),
            served,
            object,
        }
    }

    /// What serves of an object.
    pub fn served(&self, name: &str) -> Option<&Served<C>> {
        self.served.get(name).map(|(served, _)| served)
    }

    /// What has been made of objects, with their names.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<CatalogueEntry<C>>)> {
        self.served.iter().map(|(name, (served, _))| (name, &served.entry))
    }

    /// From now on this serves, which was made from the view of that version.
    pub fn serve(&mut self, name: &Arc<str>, served: Served<C>, version: u64) -> ServingChange<C> {
        let before = self.served.get(name).map(|(before, _)| before);
        let is_other = |before: &Served<C>| {
            let is_same_state = before.hash == served.hash && before.beside == served.beside;
            before.entry.present != served.entry.present || !is_same_state
        };
        let is_any = before.is_none_or(is_other);
        let replaced = before.filter(|before| before.hash != served.hash).map(|before| Arc::clone(&before.entry));
        let replaced = replaced.filter(|before| before.serving.is_some() && served.entry.serving.is_some());
        self.served.insert(Arc::clone(name), (served, version));
        self.former.remove(name);
        ServingChange { is_any, replaced }
    }

    /// An object is gone, and nothing is left of it. Whether anything served.
    pub fn drop_served(&mut self, name: &Arc<str>) -> bool {
        self.versions.remove(name);
        self.former.remove(name);
        self.served.remove(name).is_some()
    }

    /// Nothing has been made of any object yet. What served is known still, to those who only ask.
    pub fn forget_served(&mut self) {
        self.former.extend(self.served.drain().map(|(name, (served, _))| (name, served.entry)));
    }

    /// Whether something was made of every object that there is.
    pub fn is_read_through(&self) -> bool {
        let is_read = |name| self.served.contains_key(name);
        self.objects.has_listed() && self.objects.keys().all(is_read) && self.objects.unreadable_keys().all(is_read)
    }

    /// The entry of an object. An error if there is something to make one of, which has not been done yet.
    pub fn entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<C>>>, NotYetRead> {
        if let Some((served, _)) = self.served.get(name) {
            return Ok(Some(Arc::clone(&served.entry)));
        }
        let exists = self.objects.get(name).is_some() || self.objects.unreadable(name).is_some();
        let object = CatalogueId { kind: C::KIND, name: Arc::clone(name) };
        if exists || revisions.has(&object) { Err(NotYetRead) } else { Ok(None) }
    }

    /// The same, but what served before where all is being made anew: for those who only ask.
    pub fn known_entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<C>>>, NotYetRead> {
        let entry = self.entry(name, revisions);
        entry.or_else(|NotYetRead| self.former.get(name).cloned().map(Some).ok_or(NotYetRead))
    }

    /// [`Self::entry`], but an error also if what it was made of has changed since.
    pub fn current_entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<C>>>, NotYetRead> {
        match self.served.get(name) {
            Some((_, version)) if *version != self.version(name) => Err(NotYetRead),
            _ => self.entry(name, revisions),
        }
    }

    /// An object as it is now, where it exists and was readable once.
    pub fn get(&self, name: &Arc<str>) -> Option<&Arc<O>> {
        self.objects.get(name)
    }

    /// Why an object can't be read, where nothing readable is known of it.
    pub fn unreadable(&self, name: &Arc<str>) -> Option<&str> {
        self.objects.unreadable(name)
    }

    /// How many objects there are that can be read.
    pub fn count(&self) -> usize {
        self.objects.keys().count()
    }

    /// The names of the objects that can be read.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.objects.keys()
    }

    /// All names that an object or its revisions have.
    pub fn names(&self, revisions: &KeptRevisions) -> BTreeSet<Arc<str>> {
        let kept = revisions.objects().filter(|object| object.kind == C::KIND).map(|object| &object.name);
        self.objects.keys().chain(kept).chain(self.objects.unreadable_keys()).cloned().collect()
    }
}

//! The entry of an object of the catalogue: the object as it is now, and its last valid state, which serves.

use super::{
    definition::CompiledDefinition,
    kind::{CatalogueId, Catalogued},
    revision::{KeptState, Revision, newest_valid, state_hash},
};
use crate::core::problem::Problem;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// An object of the catalogue as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// It does not exist (any more).
    Missing,
    /// It cannot be granted as it is.
    Invalid(Problem),
    /// It is what serves.
    Valid,
}

/// An object of the catalogue as it is now, and the last valid state of it.
#[derive(Clone, Debug)]
pub struct CatalogueEntry<C: Catalogued = CompiledDefinition> {
    /// As it is now.
    pub present: Present,
    /// The last valid state; absent where there never was one.
    pub serving: Option<Arc<C>>,
    /// The name of the revision that serves.
    pub revision: Option<String>,
    /// What it has given.
    pub history: Arc<C::History>,
}

impl<C: Catalogued> CatalogueEntry<C> {
    /// An object that exists and is valid.
    #[must_use]
    pub fn valid(compiled: C) -> Self {
        Self { present: Present::Valid, serving: Some(Arc::new(compiled)), revision: None, history: Arc::default() }
    }
}

/// An entry, with what tells the state that serves from others.
#[derive(Clone, Debug)]
pub struct Served<C: Catalogued = CompiledDefinition> {
    /// The catalogue's entry.
    pub entry: Arc<CatalogueEntry<C>>,
    /// The hash of the state that serves.
    pub hash: Option<Arc<str>>,
    /// What of it is no part of that.
    pub beside: Option<Arc<str>>,
}

/// How compiling is run: what brings a library down may be contained.
pub type Guard<C> = fn(&dyn Fn() -> Result<C, Problem>) -> Result<C, Problem>;

/// What an entry is made of.
pub struct CatalogueIngredients<'a, C: Catalogued> {
    /// The object.
    pub object: &'a CatalogueId,
    /// Its metadata, where it exists and was readable once.
    pub metadata: Option<&'a ObjectMeta>,
    /// Its kept revisions, from the oldest to the newest.
    pub revisions: &'a [Arc<Revision>],
    /// What serves up to now, where that is known.
    pub served: Option<&'a Served<C>>,
    /// How compiling is run.
    pub guard: Guard<C>,
}

/// A state that is valid now.
#[derive(Clone, Debug)]
pub struct ValidState<C: Catalogued> {
    /// All that it is made of.
    pub state: C::State,
    /// Its hash.
    pub hash: Arc<str>,
    /// Compiled.
    pub serving: Arc<C>,
}

/// What can serve.
#[derive(Clone, Debug)]
pub enum Made<C: Catalogued> {
    /// The object as it is now.
    Present(Box<ValidState<C>>),
    /// What was valid last.
    Last(Served<C>),
}

impl<C: Catalogued> CatalogueIngredients<'_, C> {
    /// What can serve: the present state where it is valid, else what was valid last.
    #[must_use]
    pub fn make(&self, present: Result<C::State, Present>) -> Made<C> {
        match present.and_then(|state| self.compiled(state)) {
            Ok(valid) => Made::Present(Box::new(valid)),
            Err(present) => Made::Last(self.last_valid(present)),
        }
    }

    /// The entry, where nothing has to be kept first.
    #[must_use]
    pub fn entry(&self, present: Result<C::State, Present>) -> Arc<CatalogueEntry<C>> {
        match self.make(present) {
            Made::Last(served) => served.entry,
            Made::Present(valid) => {
                let name = Revision::name_of(self.object, &valid.hash);
                let is_kept = self.revisions.iter().any(|revision| *revision.name == *name);
                self.served(*valid, is_kept).entry
            }
        }
    }

    /// What serves where a state is valid now, and whether its revision is kept.
    #[must_use]
    pub fn served(&self, valid: ValidState<C>, is_kept: bool) -> Served<C> {
        let ValidState { state, hash, serving } = valid;
        let name = (is_kept || C::IS_RECORDED).then(|| Revision::name_of(self.object, &hash));
        let entry = Arc::new(self.valid(serving, name));
        Served { entry, hash: Some(hash), beside: C::beside(&state) }
    }

    fn valid(&self, serving: Arc<C>, revision: Option<String>) -> CatalogueEntry<C> {
        let history = self.history(Some((&serving, revision.as_deref())));
        CatalogueEntry { present: Present::Valid, serving: Some(serving), revision, history }
    }

    /// What the newest revision keeps, where that is not the state with this hash.
    #[must_use]
    pub fn kept_before(&self, hash: &str) -> Option<Served<C>> {
        let newest = self.revisions.last()?;
        if *newest.name == *Revision::name_of(self.object, hash) {
            return None;
        }
        let kept = newest_valid(std::slice::from_ref(newest), self.guard)?;
        let entry = self.valid(kept.serving, Some(kept.revision));
        Some(Served { entry: Arc::new(entry), hash: Some(kept.hash), beside: kept.beside })
    }

    /// What serves already, if it was made of the same and is valid; else it is made.
    fn compiled(&self, state: C::State) -> Result<ValidState<C>, Present> {
        let (hash, beside) = (state_hash(&state), C::beside(&state));
        let is_same = |served: &&Served<C>| served.hash.as_ref() == Some(&hash) && served.beside == beside;
        // What serves although it is invalid may have been valid once only.
        let served = self.served.filter(is_same).filter(|served| served.entry.present == Present::Valid);
        let serving = if let Some(serving) = served.and_then(|served| served.entry.serving.as_ref()) {
            Arc::clone(serving)
        } else {
            let compiled = (self.guard)(&|| C::compile(&self.object.name, &state));
            Arc::new(compiled.map_err(Present::Invalid)?)
        };
        Ok(ValidState { state, hash, serving })
    }

    /// What served up to now, or else the newest revision that can be read.
    fn last_valid(&self, present: Present) -> Served<C> {
        if let Some(served) = self.served.filter(|served| served.entry.serving.is_some()) {
            let before = &served.entry;
            let history = self.history(before.serving.as_ref().map(|serving| (serving, before.revision.as_deref())));
            let entry = CatalogueEntry { present, history, ..CatalogueEntry::clone(before) };
            return Served { entry: Arc::new(entry), ..served.clone() };
        }
        let kept = newest_valid(self.revisions, self.guard);
        let history = self.history(kept.as_ref().map(|kept| (&kept.serving, Some(&*kept.revision))));
        let (serving, hash, beside, revision) = match kept {
            Some(KeptState { serving, hash, beside, revision }) => (Some(serving), Some(hash), beside, Some(revision)),
            None => (None, None, None, None),
        };
        Served { entry: Arc::new(CatalogueEntry { present, serving, revision, history }), hash, beside }
    }

    fn history(&self, serving: Option<(&Arc<C>, Option<&str>)>) -> Arc<C::History> {
        Arc::new(C::history(self.metadata, serving, self.revisions))
    }
}

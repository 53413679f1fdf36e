//! Grants that are held and state what is not valid, counted by the facets of which they do.

use crate::{
    core::source::{SourceId, SourceKind},
    evaluation::status::grants::InvalidGrants,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// By definition.
#[derive(Default)]
pub struct InvalidGrantIndex(HashMap<Arc<str>, InvalidOfDefinition>);

/// The grants of one definition.
#[derive(Default)]
struct InvalidOfDefinition {
    all: BTreeSet<SourceId>,
    /// How many of each kind there are.
    counts: BTreeMap<SourceKind, u64>,
    /// By all the facets concerned: there are few such sets, however many grants there are.
    by_facets: BTreeMap<BTreeSet<Arc<str>>, BTreeSet<SourceId>>,
}

impl InvalidGrantIndex {
    /// A grant states of these facets of its definition what is not valid.
    pub fn add(&mut self, definition: &Arc<str>, facets: &BTreeSet<Arc<str>>, id: &SourceId) {
        if facets.is_empty() {
            return;
        }
        let known = self.0.entry(Arc::clone(definition)).or_default();
        if known.all.insert(id.clone()) {
            *known.counts.entry(id.kind).or_default() += 1;
        }
        known.by_facets.entry(facets.clone()).or_default().insert(id.clone());
    }

    /// It does so no more.
    pub fn remove(&mut self, definition: &Arc<str>, facets: &BTreeSet<Arc<str>>, id: &SourceId) {
        let Some(known) = self.0.get_mut(definition) else { return };
        if known.all.remove(id)
            && let Some(count) = known.counts.get_mut(&id.kind)
        {
            *count = count.saturating_sub(1);
        }
        if let Some(ids) = known.by_facets.get_mut(facets) {
            ids.remove(id);
            if ids.is_empty() {
                known.by_facets.remove(facets);
            }
        }
        if known.all.is_empty() {
            self.0.remove(definition);
        }
    }

    /// How many of a kind there are of a definition.
    pub fn count(&self, definition: &str, kind: SourceKind) -> u64 {
        self.0.get(definition).and_then(|known| known.counts.get(&kind).copied()).unwrap_or_default()
    }

    /// Those of a definition.
    pub fn all(&self, definition: &str) -> InvalidGrants {
        let Some(known) = self.0.get(definition) else { return InvalidGrants::default() };
        InvalidGrants::counted(known.all.len() as u64, known.all.iter())
    }

    /// Adds those of a definition that state it of one of the facets for which that is asked.
    pub fn of_facets(&self, definition: &str, is_asked: impl Fn(&str) -> bool, into: &mut InvalidGrants) {
        let sets = self.0.get(definition).into_iter().flat_map(|known| &known.by_facets);
        let asked = sets.filter(|(facets, _)| facets.iter().any(|facet| is_asked(facet))).map(|(_, ids)| ids);
        let asked: Vec<&BTreeSet<SourceId>> = asked.collect();
        let mut first: Vec<&SourceId> =
            asked.iter().flat_map(|ids| ids.iter().take(InvalidGrants::MAX_NAMED)).collect();
        first.sort_unstable();
        into.add_all(asked.iter().map(|ids| ids.len() as u64).sum(), first.into_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::InvalidGrantIndex;
    use crate::{
        core::source::{SourceId, SourceKind},
        evaluation::status::grants::InvalidGrants,
    };
    use std::{collections::BTreeSet, sync::Arc};

    fn id(name: &str) -> SourceId {
        SourceId::instance("entitlements", name)
    }

    fn facets(names: &[&str]) -> BTreeSet<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn of(index: &InvalidGrantIndex, asked: &[&str]) -> InvalidGrants {
        let mut found = InvalidGrants::default();
        index.of_facets("backup", |facet| asked.contains(&facet), &mut found);
        found
    }

    #[test]
    fn a_grant_counts_once_for_all_facets_that_are_asked_for() {
        let (backup, mut index) = ("backup".into(), InvalidGrantIndex::default());
        let stated: [(&str, &[&str]); 5] =
            [("a", &["x"]), ("b", &["x", "y"]), ("c", &["y"]), ("d", &["x"]), ("e", &["z"])];
        for (name, of) in stated {
            index.add(&backup, &facets(of), &id(name));
        }
        index.add(&backup, &facets(&[]), &id("f"));
        assert_eq!(index.count("backup", SourceKind::Instance), 5);
        assert_eq!(index.all("backup"), InvalidGrants::counted(5, ["a", "b", "c"].map(id).iter()));
        assert_eq!(of(&index, &["x", "y"]), InvalidGrants::counted(4, ["a", "b", "c"].map(id).iter()));
        assert_eq!(of(&index, &["y", "z"]), InvalidGrants::counted(3, ["b", "c", "e"].map(id).iter()));
        assert_eq!(of(&index, &[]), InvalidGrants::default());
        for (name, of) in stated {
            index.remove(&backup, &facets(of), &id(name));
        }
        assert!(index.0.is_empty());
    }
}

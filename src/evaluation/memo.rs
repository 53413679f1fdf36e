//! What was made of a decision, for the next one: an output with the same inputs is not filled and hashed again.
//!
//! Everything is kept with its inputs, and given again only for the same. What is given again costs no work, so an organization
//! whose outputs are too much for one evaluation gets through by and by.

use super::{
    catalogue::CompiledDefinition,
    facets::GrantFacets,
    holding::Holding,
    object::{ObjectContent, Wish},
    plan::data_bytes,
};
use crate::{
    api::entitlement_definition::Per,
    core::{calendar::Instant, grant::GrantId, problem::Problem, usage::state::UsageState},
    render::{
        digest::Digest,
        flags::Offers,
        summary::{EntitlementSummary, SummaryEntry},
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What an output takes beside its data: labels, annotations, and what it was made of.
const BESIDE_DATA: usize = 2560;

/// What came of filling an output.
#[derive(Clone, Debug)]
pub enum Filled {
    /// Its name, and what it holds.
    Written(String, Wish),
    /// It has a name, but its data cannot be told now.
    Kept(String, Problem),
    /// Not even its name can be told.
    Nameless(Problem),
}

/// What the outputs of one grant, or those for all grants of a definition, are filled with.
#[derive(Clone, Debug)]
pub struct Filler {
    /// The definition with its outputs.
    pub compiled: Arc<CompiledDefinition>,
    /// The facets of the grants that it is from, in the order of precedence.
    pub facets: Vec<Arc<GrantFacets>>,
    /// Stands for all that templates see besides.
    pub names: Digest,
}

impl Filler {
    fn is_as(&self, other: &Self) -> bool {
        self.names == other.names
            && Arc::ptr_eq(&self.compiled, &other.compiled)
            && self.facets.len() == other.facets.len()
            && self.facets.iter().zip(&other.facets).all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

#[derive(Debug)]
struct MemoFilling {
    by: Filler,
    outputs: Arc<[Filled]>,
}

/// What an entry of the summary is made of.
#[derive(Clone, Debug)]
pub struct EntryIngredients {
    /// What is held of the definition.
    pub holding: Arc<Holding>,
    /// Whether its sources are told.
    pub has_sources: bool,
    /// How its use stands, where it is metered.
    pub usage: Option<EntryUsage>,
}

/// What an entry says of how a definition's use stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryUsage {
    /// The state, where it is in force.
    pub state: Option<UsageState>,
    /// Whether more may be used.
    pub is_allowed: bool,
    /// When its allotment is new.
    pub resets_at: Option<Instant>,
}

impl EntryIngredients {
    fn is_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.holding, &other.holding) && self.has_sources == other.has_sources && self.usage == other.usage
    }
}

/// What an entry of the summary is made of, and the entry.
type KnownEntry = (EntryIngredients, Option<Arc<SummaryEntry>>);

/// What was made of the last decision of one organization.
#[derive(Debug, Default)]
pub struct Memo {
    fillings: HashMap<(GrantId, Per), MemoFilling>,
    /// Those that this evaluation has asked for.
    asked: HashMap<(GrantId, Per), MemoFilling>,
    entries: BTreeMap<Arc<str>, KnownEntry>,
    summary: Option<(Arc<EntitlementSummary>, Arc<ObjectContent>)>,
}

impl Memo {
    /// What is no longer asked for is forgotten.
    pub(super) fn forget_unasked(&mut self, holdings: &[Arc<Holding>]) {
        self.fillings = std::mem::take(&mut self.asked);
        self.entries.retain(|name, _| holdings.binary_search_by(|holding| holding.name.cmp(name)).is_ok());
    }

    /// What outputs hold that are filled by these, in the order of the outputs.
    pub(super) fn filled(&mut self, grant: &GrantId, per: Per, by: &Filler) -> Option<Arc<[Filled]>> {
        let key = (grant.clone(), per);
        let filling = self.fillings.remove(&key).filter(|one| one.by.is_as(by))?;
        let outputs = Arc::clone(&filling.outputs);
        self.asked.insert(key, filling);
        Some(outputs)
    }

    /// Keeps what outputs hold, nothing of which was left out for want of work.
    pub(super) fn keep(&mut self, grant: &GrantId, per: Per, by: Filler, outputs: &Arc<[Filled]>) {
        self.asked.insert((grant.clone(), per), MemoFilling { by, outputs: Arc::clone(outputs) });
    }

    /// What the summary says of a holding.
    pub(super) fn entry(
        &mut self,
        of: EntryIngredients,
        make: impl FnOnce(&EntryIngredients) -> Option<SummaryEntry>,
    ) -> Option<Arc<SummaryEntry>> {
        if let Some((by, entry)) = self.entries.get(&of.holding.name)
            && by.is_as(&of)
        {
            return entry.clone();
        }
        // What says the same is the same.
        let known = self.entries.remove(&of.holding.name).and_then(|(_, entry)| entry);
        let entry = make(&of).map(|entry| known.filter(|known| **known == entry).unwrap_or_else(|| Arc::new(entry)));
        self.entries.insert(Arc::clone(&of.holding.name), (of, entry.clone()));
        entry
    }

    /// The content of the summary.
    pub(super) fn summary(&mut self, summary: &Arc<EntitlementSummary>, make: impl FnOnce() -> Wish) -> Wish {
        if let Some((of, content)) = &self.summary
            && says_the_same(of, summary)
        {
            return Wish::Write(Arc::clone(content));
        }
        let wish = make();
        self.summary = match &wish {
            Wish::Write(content) => Some((Arc::clone(summary), Arc::clone(content))),
            Wish::Keep | Wish::Refuse(_) => None,
        };
        wish
    }

    /// How many bytes it keeps, more or less.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let outputs = self.fillings.values().flat_map(|filling| filling.outputs.iter());
        let of_outputs = outputs.map(|filled| match filled {
            Filled::Written(_, Wish::Write(content)) => BESIDE_DATA + data_bytes(&content.data),
            Filled::Written(..) | Filled::Kept(..) | Filled::Nameless(_) => BESIDE_DATA,
        });
        // What the entries say, the summary says in about as many bytes.
        let of_summary = self.summary.iter().map(|(_, content)| BESIDE_DATA + 2 * data_bytes(&content.data));
        of_outputs.chain(of_summary).sum()
    }
}

fn says_the_same(one: &EntitlementSummary, other: &EntitlementSummary) -> bool {
    let is_same_offers = |one: &Arc<Offers>, other: &Arc<Offers>| Arc::ptr_eq(one, other) || one == other;
    let mut entries = one.entitlements.iter().zip(&other.entitlements);
    one.entitlements.len() == other.entitlements.len()
        && is_same_offers(&one.offers, &other.offers)
        && one.authority == other.authority
        && entries.all(|((name, entry), (of, known))| name == of && Arc::ptr_eq(entry, known))
}

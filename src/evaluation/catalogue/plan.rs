//! Plans as a kind of the catalogue: what a revision of one holds, what is kept beside it, and what was agreed by it.

use super::{
    definition::CompiledDefinition,
    entry::{CatalogueEntry, Present},
    kind::{CatalogueKind, Catalogued},
    revision::Revision,
};
use crate::{
    api::{
        AmountField, EntitlementPlan, EntitlementPlanSpec, entitlement_definition::Rollout, entitlement_plan::PlanType,
        facet_fields::FacetFields, usage::ChannelCap,
    },
    core::{
        amount::Amount,
        calendar::CalendarDuration,
        definition::{Definition, read_grace, read_notices, read_term},
        plan::{Plan, PlanAmount, PlanContext, PlanEntry, resolve},
        problem::Problem,
        reason::ReasonCode,
        usage::caps,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A plan, resolved. A revision holds what it gives and its notices; how it is sold is kept beside that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanState {
    entries: Vec<EntryState>,
    notices: Vec<String>,
    #[serde(skip)]
    sale: PlanSale,
}

/// An entry, as a revision holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct EntryState {
    definition: Arc<str>,
    plan: Arc<str>,
    group: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<AmountField>,
    /// What the definition said where the plan says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preset: Option<AmountField>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    channels: Vec<ChannelCap>,
    #[serde(default, skip_serializing_if = "is_empty")]
    facets: Arc<FacetFields>,
}

/// How a plan is sold: the last valid of that counts, whichever revision somebody has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PlanSale {
    #[serde(rename = "type")]
    type_: PlanType,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<Arc<str>>,
    add_ons: BTreeSet<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_period: Option<String>,
    allow_multiple: bool,
    rollout: Rollout,
    retired: bool,
}

fn is_empty(facets: &Arc<FacetFields>) -> bool {
    facets.is_empty()
}

impl PlanState {
    /// Whether who has one of the two gets the same as by the other, however each is sold.
    #[must_use]
    pub fn gives_the_same(&self, other: &Self) -> bool {
        (&self.entries, &self.notices) == (&other.entries, &other.notices)
    }

    /// A plan with what it takes from the rest of the catalogue.
    ///
    /// # Errors
    /// All that is wrong, as a condition's reason and message.
    pub fn gather(name: &str, spec: &EntitlementPlanSpec, context: &impl PlanContext) -> Result<Self, Problem> {
        match resolve(name, spec, context) {
            Ok(plan) => Ok(Self::from(&plan)),
            Err(problems) => Err(Problem::all(problems).unwrap_or_else(|| Problem::new(ReasonCode::Invalid, ""))),
        }
    }

    fn read(&self, name: &str) -> Result<Plan, Problem> {
        let entries = self.entries.iter().map(EntryState::read).collect::<Result<_, _>>()?;
        Ok(Plan {
            name: name.into(),
            display_name: self.sale.display_name.clone(),
            type_: self.sale.type_,
            product: self.sale.product.clone(),
            entries,
            add_ons: self.sale.add_ons.clone(),
            term: read_term(self.sale.term.as_deref())?,
            grace: read_grace(self.sale.grace_period.as_deref())?,
            notices: read_notices(&self.notices)?,
            allow_multiple: self.sale.allow_multiple,
            rollout: self.sale.rollout,
            retired: self.sale.retired,
        })
    }
}

impl From<&Plan> for PlanState {
    fn from(plan: &Plan) -> Self {
        let text = |duration: &CalendarDuration| duration.to_string();
        Self {
            entries: plan.entries.iter().map(EntryState::from).collect(),
            notices: plan.notices.iter().map(text).collect(),
            sale: PlanSale {
                type_: plan.type_,
                display_name: plan.display_name.clone(),
                product: plan.product.clone(),
                add_ons: plan.add_ons.clone(),
                term: plan.term.as_ref().map(text),
                grace_period: plan.grace.as_ref().map(text),
                allow_multiple: plan.allow_multiple,
                rollout: plan.rollout,
                retired: plan.retired,
            },
        }
    }
}

impl From<&PlanEntry> for EntryState {
    fn from(entry: &PlanEntry) -> Self {
        let text = |amount: Amount| Some(AmountField::Text(amount.to_string()));
        let (amount, preset) = match entry.amount {
            PlanAmount::None => (None, None),
            PlanAmount::Stated(amount) => (text(amount), None),
            PlanAmount::Preset(amount) => (None, text(amount)),
        };
        Self {
            definition: Arc::clone(&entry.definition),
            plan: Arc::clone(&entry.plan),
            group: Arc::clone(&entry.group),
            amount,
            preset,
            channels: entry.channels.iter().flat_map(|channels| channels.iter()).map(cap).collect(),
            facets: Arc::clone(&entry.facets),
        }
    }
}

fn cap((channel, amount): (&Arc<str>, &Amount)) -> ChannelCap {
    ChannelCap { name: channel.to_string(), amount: AmountField::Text(amount.to_string()) }
}

impl EntryState {
    fn read(&self) -> Result<PlanEntry, Problem> {
        let amount = |field: &AmountField| {
            let unreadable = |error: crate::core::amount::InvalidAmount| {
                Problem::new(ReasonCode::InvalidAmount, format!("{}: {error}", self.definition))
            };
            Amount::read(field).map_err(unreadable)
        };
        Ok(PlanEntry {
            definition: Arc::clone(&self.definition),
            plan: Arc::clone(&self.plan),
            group: Arc::clone(&self.group),
            amount: match (&self.amount, &self.preset) {
                (Some(stated), _) => PlanAmount::Stated(amount(stated)?),
                (None, Some(preset)) => PlanAmount::Preset(amount(preset)?),
                (None, None) => PlanAmount::None,
            },
            channels: caps::stated(&self.channels)
                .transpose()
                .map_err(|error| Problem::new(ReasonCode::InvalidAmount, format!("{}: {error}", self.definition)))?,
            facets: Arc::clone(&self.facets),
        })
    }
}

/// The catalogue as it is now, for resolving plans.
#[derive(Clone, Copy, Debug)]
pub struct PlanCatalogue<'a> {
    /// The plans that can be read.
    pub plans: &'a BTreeMap<Arc<str>, Arc<EntitlementPlan>>,
    /// Those that cannot.
    pub unreadable: &'a BTreeSet<Arc<str>>,
    /// What there is of definitions.
    pub definitions: &'a BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
}

impl PlanContext for PlanCatalogue<'_> {
    fn plan(&self, name: &str) -> Option<Result<&EntitlementPlanSpec, ReasonCode>> {
        match self.plans.get(name) {
            Some(plan) => Some(Ok(&plan.spec)),
            None => self.unreadable.contains(name).then_some(Err(ReasonCode::Unreadable)),
        }
    }

    fn definition(&self, name: &str) -> Option<Result<&Definition, ReasonCode>> {
        let entry = self.definitions.get(name)?;
        let serving: Option<&CompiledDefinition> = entry.serving.as_deref();
        match (&entry.present, serving) {
            (Present::Missing, _) => None,
            (Present::Invalid(problem), _) => Some(Err(problem.reason)),
            (Present::Valid, Some(serving)) => Some(Ok(&serving.terms)),
            (Present::Valid, None) => Some(Err(ReasonCode::Invalid)),
        }
    }
}

impl Catalogued for Plan {
    const KIND: CatalogueKind = CatalogueKind::Plan;
    const IS_RECORDED: bool = true;

    type State = PlanState;
    type History = PlanHistory;

    fn beside(state: &PlanState) -> Option<Arc<str>> {
        serde_json::to_string(&state.sale).ok().map(Arc::from)
    }

    fn with_beside(state: PlanState, beside: Option<&str>) -> PlanState {
        let sale = beside.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        PlanState { sale, ..state }
    }

    fn is_for_everyone(state: &PlanState) -> bool {
        state.sale.rollout == Rollout::Everyone
    }

    fn compile(name: &str, state: &PlanState) -> Result<Self, Problem> {
        state.read(name)
    }

    fn compile_kept(name: &str, state: &PlanState) -> Result<Self, Problem> {
        state.read(name)
    }

    fn history(
        _: Option<&ObjectMeta>,
        serving: Option<(&Arc<Self>, Option<&str>)>,
        revisions: &[impl AsRef<Revision>],
    ) -> PlanHistory {
        PlanHistory::of(serving, revisions)
    }
}

/// What was agreed by each revision of a plan that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanHistory {
    kept: BTreeMap<Arc<str>, KeptPlan>,
    /// The youngest revision that served for everyone who had an older one, with the number that it had then.
    for_everyone: Option<(i64, Arc<str>)>,
}

#[derive(Clone, Debug, PartialEq)]
struct KeptPlan {
    number: i64,
    plan: Arc<Plan>,
}

impl PlanHistory {
    fn of(serving: Option<(&Arc<Plan>, Option<&str>)>, revisions: &[impl AsRef<Revision>]) -> Self {
        let mut history = Self::default();
        for revision in revisions.iter().map(AsRef::as_ref) {
            let plan = revision.state::<Plan>().and_then(|state| state.read(&revision.of.name).ok());
            let Some(plan) = plan else { continue };
            history.add(Arc::clone(&revision.name), revision.number, Arc::new(plan), revision.for_everyone);
        }
        if let Some((plan, Some(name))) = serving {
            let newest = revisions.last().map(AsRef::as_ref);
            let number = match newest {
                Some(newest) if *newest.name == *name => newest.number,
                Some(newest) => newest.number.saturating_add(1),
                None => 1,
            };
            let mark = (plan.rollout == Rollout::Everyone).then_some(number);
            history.add(name.into(), number, Arc::clone(plan), mark);
        }
        history
    }

    fn add(&mut self, name: Arc<str>, number: i64, plan: Arc<Plan>, mark: Option<i64>) {
        if let Some(mark) = mark
            && self.for_everyone.as_ref().is_none_or(|(youngest, _)| *youngest <= mark)
        {
            self.for_everyone = Some((mark, Arc::clone(&name)));
        }
        self.kept.insert(name, KeptPlan { number, plan });
    }

    /// What was agreed by the revision of that name: the revision that counts, and the plan as it was. One that is older than the
    /// youngest that served for everyone counts as that one. None where it is lost.
    #[must_use]
    pub fn agreed(&self, revision: &str) -> Option<(&Arc<str>, &Arc<Plan>)> {
        let (name, kept) = self.kept.get_key_value(revision)?;
        let everyones = self.for_everyone.as_ref().filter(|(mark, _)| kept.number < *mark);
        let (name, kept) = everyones.and_then(|(_, name)| self.kept.get_key_value(name)).unwrap_or((name, kept));
        Some((name, &kept.plan))
    }

    /// Whether a revision that is known gives a definition.
    #[must_use]
    pub fn gives(&self, definition: &str) -> bool {
        self.kept.values().any(|kept| kept.plan.entry(definition).is_some())
    }

    /// The definitions that revisions give that are known.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<str>> {
        self.kept.values().flat_map(|kept| &kept.plan.entries).map(|entry| &entry.definition)
    }

    /// The names of the revisions that are known.
    pub fn revisions(&self) -> impl Iterator<Item = &Arc<str>> {
        self.kept.keys()
    }
}

#[cfg(test)]
mod tests;

//! The entries of a plan, with those of the plans that it includes.

use super::{MAX_DEPTH, MAX_ENTITLEMENTS, MAX_SIZE, Plan, PlanContext, PlanEntry, entitlement, inclusion::Inclusions};
use crate::{
    api::{
        EntitlementPlanSpec,
        entitlement_definition::default_renewal_notices,
        entitlement_plan::{PlanEntitlement, PlanGroup, PlanType},
    },
    core::{
        calendar::CalendarDuration,
        definition::{read_grace, read_notices, read_term},
        problem::Problem,
        reason::ReasonCode,
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The order in which reasons count: a condition has one.
const ORDER: [ReasonCode; 10] = [
    ReasonCode::IncludeNotFound,
    ReasonCode::IncludeNotReady,
    ReasonCode::IncludeCycle,
    ReasonCode::DuplicateEntitlement,
    ReasonCode::TooManyEntitlements,
    ReasonCode::DefinitionNotFound,
    ReasonCode::DefinitionNotReady,
    ReasonCode::InvalidAmount,
    ReasonCode::InvalidFacets,
    ReasonCode::InvalidDuration,
];

/// About how many bytes of JSON an entry has beside its names and facets.
const ENTRY_SIZE: usize = 80;

/// About how many bytes of JSON the cap of a channel has beside its name.
const CAP_SIZE: usize = 50;

/// A plan that can be included, as far as that goes.
struct Resolved {
    entries: Vec<PlanEntry>,
    /// How many plans stand on one another below it.
    height: usize,
}

/// Resolves a plan.
///
/// # Errors
/// All that is wrong with it, each with its place in the spec, by the order of the reasons.
pub fn resolve(name: &str, spec: &EntitlementPlanSpec, context: &impl PlanContext) -> Result<Plan, Vec<Problem>> {
    let inclusions = Inclusions::of(name, spec, context);
    let mut done = Includable { inclusions: &inclusions, context, known: BTreeMap::new() };
    for plan in inclusions.order() {
        let Some(spec) = inclusions.spec(plan) else { continue };
        let resolved = done.resolve(plan, spec);
        done.known.insert(plan, resolved);
    }
    let Resolved { entries, .. } = done.known.remove(name).unwrap_or_else(|| Err(Vec::new()))?;
    let times = Times::read(spec)?;
    Ok(Plan {
        name: name.into(),
        display_name: spec.display_name.clone(),
        type_: spec.type_,
        product: spec.product.as_deref().filter(|product| !product.is_empty()).map(Arc::from),
        entries,
        add_ons: spec.add_ons.iter().map(|name| name.as_str().into()).collect(),
        term: times.term,
        grace: times.grace,
        notices: times.notices,
        allow_multiple: spec.allow_multiple,
        rollout: spec.rollout,
        retired: spec.retired,
    })
}

/// The plans that have been resolved so far, each as though it were alone.
struct Includable<'a, C> {
    inclusions: &'a Inclusions<'a>,
    context: &'a C,
    known: BTreeMap<&'a str, Result<Resolved, Vec<Problem>>>,
}

impl<'a, C: PlanContext> Includable<'a, C> {
    fn resolve(&self, name: &'a str, spec: &'a EntitlementPlanSpec) -> Result<Resolved, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut entries = ResolvedEntries::default();
        let mut height = 0;
        for (index, include) in spec.includes.iter().enumerate() {
            match self.include(name, include) {
                Ok(included) => {
                    height = height.max(included.height + 1);
                    included.entries.iter().cloned().for_each(|entry| entries.put(entry));
                }
                Err(problem) => problems.push(problem.at(format!("/includes/{index}"))),
            }
        }
        let mut groups: HashMap<&str, &PlanGroup> = HashMap::new();
        for (pointer, group, entitlement) in entitlements(spec) {
            if let Some(before) = groups.insert(&entitlement.definition, group) {
                problems.push(duplicate(before, entitlement).at(format!("{pointer}/definition")));
                continue;
            }
            match entitlement::read(entitlement, self.context) {
                Ok(terms) => entries.put(PlanEntry {
                    definition: entitlement.definition.as_str().into(),
                    plan: name.into(),
                    group: group.name.as_str().into(),
                    amount: terms.amount,
                    channels: terms.channels,
                    facets: Arc::new(entitlement.facets.clone()),
                }),
                Err(wrong) => problems.extend(wrong.into_iter().map(|problem| problem.within(&pointer))),
            }
        }
        problems.extend(entries.excess().map(|message| too_many(message).at("/groups")));
        problems.extend(Times::read(spec).err().into_iter().flatten());
        if problems.is_empty() {
            return Ok(Resolved { entries: entries.list, height });
        }
        problems.sort_by_key(|problem| ORDER.iter().position(|reason| *reason == problem.reason));
        Err(problems)
    }

    /// A plan that `name` includes.
    fn include(&self, name: &'a str, include: &'a str) -> Result<&Resolved, Problem> {
        let spec = match (include == name, self.context.plan(include)) {
            (true, _) => return Err(cycle(&format!("{name} includes {name}"))),
            (false, Some(Ok(spec))) => spec,
            (false, Some(Err(reason))) => return Err(not_ready(include, reason)),
            (false, None) => {
                let message = format!("there is no plan {include}: make it, or take it out of includes");
                return Err(Problem::new(ReasonCode::IncludeNotFound, message));
            }
        };
        if let Some(way) = self.inclusions.cycle(name, include) {
            return Err(cycle(&way));
        }
        if spec.type_ == PlanType::AddOn {
            let message = format!(
                "{include} is an AddOn, and only plans can be included: name it in addOns, or list what it gives under groups"
            );
            return Err(Problem::new(ReasonCode::IncludeNotReady, message));
        }
        match self.known.get(include) {
            Some(Ok(included)) if included.height < MAX_DEPTH => Ok(included),
            Some(Ok(_)) => {
                let message = format!(
                    "{include} stands on {MAX_DEPTH} others already, and plans may include others at most {MAX_DEPTH} deep: include one of those below it, and list the rest under groups"
                );
                Err(Problem::new(ReasonCode::IncludeNotReady, message))
            }
            Some(Err(problems)) => {
                Err(not_ready(include, problems.first().map_or(ReasonCode::Invalid, |problem| problem.reason)))
            }
            // Only a plan that includes itself is reached before all that it includes.
            None => Err(not_ready(include, ReasonCode::IncludeCycle)),
        }
    }
}

fn not_ready(include: &str, reason: ReasonCode) -> Problem {
    let message = format!("the plan {include} is not ready ({reason}): mend it first");
    Problem::new(ReasonCode::IncludeNotReady, message)
}

fn cycle(way: &str) -> Problem {
    Problem::new(ReasonCode::IncludeCycle, format!("{way}: take one of them out of includes"))
}

fn duplicate(before: &PlanGroup, entitlement: &PlanEntitlement) -> Problem {
    let message = format!(
        "{} is in the group {} already, and a plan gives it once: take one of the two out",
        entitlement.definition, before.name
    );
    Problem::new(ReasonCode::DuplicateEntitlement, message)
}

fn too_many(message: String) -> Problem {
    Problem::new(ReasonCode::TooManyEntitlements, message)
}

/// The entries of a plan's own groups, with their places.
fn entitlements(spec: &EntitlementPlanSpec) -> impl Iterator<Item = (String, &PlanGroup, &PlanEntitlement)> {
    spec.groups.iter().enumerate().flat_map(|(at, group)| {
        let place = move |index: usize| format!("/groups/{at}/entitlements/{index}");
        group.entitlements.iter().enumerate().map(move |(index, entitlement)| (place(index), group, entitlement))
    })
}

/// Entries, one for each definition, in the order in which their definitions came.
#[derive(Default)]
struct ResolvedEntries {
    list: Vec<PlanEntry>,
    places: HashMap<Arc<str>, usize>,
}

impl ResolvedEntries {
    fn put(&mut self, entry: PlanEntry) {
        let place = self.places.get(&entry.definition).and_then(|place| self.list.get_mut(*place));
        if let Some(before) = place {
            *before = entry;
            return;
        }
        self.places.insert(Arc::clone(&entry.definition), self.list.len());
        self.list.push(entry);
    }

    /// What is too much, and what to do.
    fn excess(&self) -> Option<String> {
        let count = self.list.len();
        if count > MAX_ENTITLEMENTS {
            return Some(format!(
                "it gives {count} entitlements with those of the plans that it includes, and at most {MAX_ENTITLEMENTS} can be: take some out, or put them into add-ons"
            ));
        }
        let size: usize = self.list.iter().map(size).sum();
        (size > MAX_SIZE).then(|| {
            format!(
                "its entitlements come to {size} bytes with those of the plans that it includes, and at most {MAX_SIZE} can be kept: state less in facets, or put some into add-ons"
            )
        })
    }
}

fn size(entry: &PlanEntry) -> usize {
    let facets = if entry.facets.is_empty() {
        0
    } else {
        serde_json::to_vec(&*entry.facets).map_or(MAX_SIZE, |json| json.len())
    };
    let caps = entry.channels.iter().flat_map(|channels| channels.keys());
    let channels: usize = caps.map(|channel| CAP_SIZE + channel.len()).sum();
    ENTRY_SIZE + entry.definition.len() + entry.plan.len() + entry.group.len() + facets + channels
}

/// The durations of a plan.
struct Times {
    term: Option<CalendarDuration>,
    grace: Option<CalendarDuration>,
    notices: Vec<CalendarDuration>,
}

impl Times {
    fn read(spec: &EntitlementPlanSpec) -> Result<Self, Vec<Problem>> {
        let stated = match (&spec.renewal_notices, spec.type_) {
            (Some(stated), _) => stated.clone(),
            (None, PlanType::Plan) => default_renewal_notices(),
            (None, PlanType::AddOn) => Vec::new(),
        };
        let term = read_term(spec.term.as_deref()).map_err(|problem| problem.at("/term"));
        let grace = read_grace(spec.grace_period.as_deref()).map_err(|problem| problem.at("/gracePeriod"));
        let notices = read_notices(&stated).map_err(|problem| problem.at("/renewalNotices"));
        match (term, grace, notices) {
            (Ok(term), Ok(grace), Ok(notices)) => Ok(Self { term, grace, notices }),
            (term, grace, notices) => Err([term.err(), grace.err(), notices.err()].into_iter().flatten().collect()),
        }
    }
}

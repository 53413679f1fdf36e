//! The model's catalogue: which plans are ready, and what serves of each plan and definition.

use super::plain::{PlainDefinition, PlainPlan, PlainWorld};
use std::collections::{BTreeMap, BTreeSet};

/// How many entries a plan may have in all.
const MOST_ENTRIES: usize = 512;

/// How deep includes may be.
const DEEPEST: usize = 8;

/// An amount of a Quantity or a Credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HowMuch {
    Count(u64),
    Unlimited,
}

impl HowMuch {
    pub fn read(text: &str) -> Option<Self> {
        if text == "Unlimited" { Some(Self::Unlimited) } else { text.parse().ok().map(Self::Count) }
    }

    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(one), Self::Count(other)) => Self::Count(one + other),
            _ => Self::Unlimited,
        }
    }

    pub fn times(self, quantity: u64) -> Self {
        match self {
            Self::Count(count) => Self::Count(count * quantity),
            Self::Unlimited => Self::Unlimited,
        }
    }

    pub fn text(self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Unlimited => "Unlimited".to_owned(),
        }
    }
}

/// An entry of a plan with its includes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainPart {
    pub definition: String,
    /// The plan that it was written in, and the group there.
    pub plan: String,
    pub group: String,
    /// What the entry states.
    pub stated: Option<HowMuch>,
    /// What the definition had when the revision was taken.
    pub taken: Option<HowMuch>,
}

/// "A revision holds the resolved entries with their amounts."
#[derive(Clone, Debug, PartialEq)]
pub struct PlainRevision {
    pub entries: Vec<PlainPart>,
    /// "a revision that served so is marked": by `rollout: Everyone`.
    pub marked: bool,
}

/// What is remembered of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanMemory {
    /// The last valid state.
    pub valid: PlainPlan,
    /// The oldest first; the last one serves.
    pub revisions: Vec<PlainRevision>,
}

impl PlanMemory {
    pub fn is_for_everyone(&self) -> bool {
        self.valid.rollout.as_deref() == Some("Everyone")
    }

    pub fn serving(&self) -> usize {
        self.revisions.len() - 1
    }

    /// "a record of an older one counts as the youngest marked"
    pub fn counting(&self, recorded: usize) -> usize {
        let marked = (recorded + 1..self.revisions.len()).rev().find(|index| self.revisions[*index].marked);
        marked.unwrap_or(recorded)
    }
}

pub fn is_add_on(plan: &PlainPlan) -> bool {
    plan.type_.as_deref() == Some("AddOn")
}

/// The catalogue at a moment: the present objects, and what serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shelf {
    /// The last valid state of each definition.
    pub definitions: BTreeMap<String, PlainDefinition>,
    pub plans: BTreeMap<String, PlanMemory>,
    /// The plans that exist, and why those that are not ready are not.
    pub readiness: BTreeMap<String, Result<(), &'static str>>,
    /// The definitions that exist, and whether they are ready.
    pub present: BTreeMap<String, bool>,
}

impl Shelf {
    /// What comes of the present objects and what was remembered before.
    pub fn stock(world: &PlainWorld, before: &Self) -> Self {
        let mut shelf = before.clone();
        shelf.present.clear();
        shelf.readiness.clear();
        for (name, definition) in &world.definitions {
            let is_ready = !definition.broken && (definition.type_ == "Feature") == definition.amount.is_none();
            shelf.present.insert(name.clone(), is_ready);
            if is_ready {
                shelf.definitions.insert(name.clone(), definition.clone());
            }
        }
        for (name, plan) in &world.plans {
            let resolved = shelf.resolve(world, name);
            shelf.readiness.insert(name.clone(), resolved.as_ref().map(|_| ()).map_err(|reason| *reason));
            if let Ok(entries) = resolved {
                shelf.serve(name, plan, entries);
            }
        }
        shelf
    }

    fn serve(&mut self, name: &str, plan: &PlainPlan, entries: Vec<PlainPart>) {
        let revisions = Vec::new();
        let memory = self.plans.entry(name.to_owned()).or_insert_with(|| PlanMemory { valid: plan.clone(), revisions });
        memory.valid = plan.clone();
        if memory.revisions.last().is_none_or(|last| last.entries != entries) {
            memory.revisions.push(PlainRevision { entries, marked: false });
        }
        if memory.is_for_everyone() {
            memory.revisions.last_mut().unwrap().marked = true;
        }
    }

    /// The entries of a plan, or why it is not ready.
    fn resolve(&self, world: &PlainWorld, name: &str) -> Result<Vec<PlainPart>, &'static str> {
        let plan = &world.plans[name];
        if plan.includes.iter().any(|include| !world.plans.contains_key(include)) {
            return Err("IncludeNotFound");
        }
        if depth(world, name, &BTreeSet::new()).is_some_and(|depth| depth > DEEPEST) {
            return Err("IncludeNotReady");
        }
        let mut entries: Vec<PlainPart> = Vec::new();
        for include in plan.includes.iter().filter(|include| !leads_to(world, include, name)) {
            let included = self.resolve(world, include);
            if is_add_on(&world.plans[include]) || included.is_err() {
                return Err("IncludeNotReady");
            }
            included?.into_iter().for_each(|entry| put(&mut entries, entry));
        }
        if plan.includes.iter().any(|include| leads_to(world, include, name)) {
            return Err("IncludeCycle");
        }
        self.own_entries(name, plan)?.into_iter().for_each(|entry| put(&mut entries, entry));
        if entries.len() > MOST_ENTRIES {
            return Err("TooManyEntitlements");
        }
        self.check_definitions(plan)?;
        Ok(entries)
    }

    fn own_entries(&self, name: &str, plan: &PlainPlan) -> Result<Vec<PlainPart>, &'static str> {
        let mut entries: Vec<PlainPart> = Vec::new();
        for group in &plan.groups {
            for entry in &group.entitlements {
                if entries.iter().any(|other| other.definition == entry.definition) {
                    return Err("DuplicateEntitlement");
                }
                entries.push(PlainPart {
                    definition: entry.definition.clone(),
                    plan: name.to_owned(),
                    group: group.name.clone(),
                    stated: entry.amount.as_deref().and_then(HowMuch::read),
                    taken: self.allotment(&entry.definition).filter(|_| entry.amount.is_none()),
                });
            }
        }
        Ok(entries)
    }

    fn check_definitions(&self, plan: &PlainPlan) -> Result<(), &'static str> {
        let entries = || plan.groups.iter().flat_map(|group| &group.entitlements);
        if entries().any(|entry| !self.present.contains_key(&entry.definition)) {
            return Err("DefinitionNotFound");
        }
        if entries().any(|entry| !self.present[&entry.definition]) {
            return Err("DefinitionNotReady");
        }
        let is_wrong = |amount: &str, definition| self.is_feature(definition) || HowMuch::read(amount).is_none();
        if entries().any(|entry| entry.amount.as_deref().is_some_and(|amount| is_wrong(amount, &entry.definition))) {
            return Err("InvalidAmount");
        }
        Ok(())
    }

    /// The amount of a definition's last valid state.
    pub fn allotment(&self, definition: &str) -> Option<HowMuch> {
        self.definitions.get(definition)?.amount.as_deref().and_then(HowMuch::read)
    }

    pub fn is_feature(&self, definition: &str) -> bool {
        self.definitions.get(definition).is_some_and(|definition| definition.type_ == "Feature")
    }

    /// "with that definition's `rollout: Everyone`, the present one"
    pub fn default_amount(&self, definition: &str, taken: Option<HowMuch>) -> Option<HowMuch> {
        let is_for_everyone = self
            .definitions
            .get(definition)
            .is_some_and(|definition| definition.rollout.as_deref() == Some("Everyone"));
        if is_for_everyone { self.allotment(definition) } else { taken }
    }

    /// "the `product` of `spec.plan` if it has one, else the plan's name", "that of the plan's last valid state"; "plans with
    /// `allowMultiple` are of no line".
    pub fn line(&self, plan: &str) -> Option<String> {
        let memory = self.plans.get(plan)?;
        if memory.valid.allow_multiple {
            return None;
        }
        Some(memory.valid.product.clone().unwrap_or_else(|| plan.to_owned()))
    }

    /// Why a plan cannot be had anew as one of a type.
    pub fn refusal(&self, plan: &str, as_add_on: bool) -> Option<&'static str> {
        match self.readiness.get(plan) {
            None => Some("PlanNotFound"),
            Some(Err(_)) => Some("PlanNotReady"),
            Some(Ok(())) if is_add_on(&self.plans[plan].valid) != as_add_on => Some("PlanNotReady"),
            Some(Ok(())) if self.plans[plan].valid.retired => Some("PlanRetired"),
            Some(Ok(())) => None,
        }
    }
}

/// "a later one replacing an earlier one of the same definition as a whole"
fn put(entries: &mut Vec<PlainPart>, entry: PlainPart) {
    entries.retain(|other| other.definition != entry.definition);
    entries.push(entry);
}

fn leads_to(world: &PlainWorld, from: &str, to: &str) -> bool {
    let mut reached = BTreeSet::from([from]);
    loop {
        let next: BTreeSet<&str> = reached
            .iter()
            .filter_map(|name| world.plans.get(*name))
            .flat_map(|plan| plan.includes.iter().map(String::as_str))
            .chain(reached.iter().copied())
            .collect();
        if next == reached {
            return reached.contains(to);
        }
        reached = next;
    }
}

/// How many includes lie below a plan, one under the other; none where there is a circle.
fn depth(world: &PlainWorld, name: &str, above: &BTreeSet<String>) -> Option<usize> {
    let mut above = above.clone();
    if !above.insert(name.to_owned()) {
        return None;
    }
    let below: Option<Vec<usize>> = world
        .plans
        .get(name)
        .map_or(Some(Vec::new()), |plan| plan.includes.iter().map(|include| depth(world, include, &above)).collect());
    Some(below?.into_iter().max().map_or(0, |deepest| deepest + 1))
}

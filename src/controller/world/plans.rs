//! Plans, and what they are made of: the plans that they include, and the definitions that all of these give.

use super::{
    World,
    kept_revisions::KeptRevisions,
    section::{CatalogueSection, KeptView, NotYetRead, ServingChange},
    store::{PutUnreadable, Reading},
    tenancy::name_of,
    users::Users,
};
use crate::{
    api::{EntitlementDefinition, EntitlementPlan, EntitlementPlanSpec, entitlement_plan::PlanSubscriptions},
    controller::work::WorkItem,
    core::{plan::Plan, source::SourceId},
    evaluation::{
        admission::PlanSurroundings,
        catalogue::{CatalogueEntry, CatalogueKind, CompiledDefinition, Served},
    },
};
use kube::api::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Objects, by name.
type ByName<K> = BTreeMap<Arc<str>, Arc<K>>;

/// All that is known of one plan.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// As it is now, where it exists and was readable once.
    pub plan: Option<Arc<EntitlementPlan>>,
    /// Why it can't be read, where nothing readable is known of it.
    pub unreadable: Option<String>,
    /// It, and all plans that it includes.
    pub plans: ByName<EntitlementPlan>,
    /// Those of them that exist, but of which no readable state is known.
    pub unreadable_plans: BTreeSet<Arc<str>>,
    /// The definitions that all of these name.
    pub definitions: ByName<CatalogueEntry>,
    /// What is kept of it, and what serves.
    pub kept: KeptView<Plan>,
}

/// Who has a plan.
#[derive(Clone, Debug, Default)]
pub struct PlanUse {
    /// How many subscriptions name it.
    pub counts: PlanSubscriptions,
    /// The revisions of it that were agreed with some of them.
    pub pinned: BTreeSet<Arc<str>>,
}

/// The plans.
#[derive(Default)]
pub struct PlanStore {
    section: CatalogueSection<EntitlementPlan, Plan>,
    /// Plans that include a plan.
    includers: Users,
    /// Plans that name a definition in their own groups.
    givers: Users,
    /// Whether something was made of every plan that there is, once.
    is_read_through: bool,
}

impl PlanStore {
    /// A state of a plan; None if it is not news, else the plans that have to be made anew.
    pub fn put(&mut self, plan: Reading<Arc<str>, Arc<EntitlementPlan>>) -> Option<BTreeSet<Arc<str>>> {
        let (name, after) = (Arc::clone(&plan.key), Arc::clone(&plan.value));
        let (before, has_changed) = self.section.put(plan)?;
        self.relink(&name, before.as_deref(), Some(&after));
        Some(if has_changed { self.outdate_with(&name) } else { BTreeSet::new() })
    }

    /// A plan that could not be read, and why. What was known of it stays; the plans that have to be made anew.
    pub fn put_unreadable(&mut self, metadata: &ObjectMeta, why: String) -> BTreeSet<Arc<str>> {
        let PutUnreadable::Unknown(before) = self.section.put_unreadable(metadata, why) else { return BTreeSet::new() };
        let name = name_of(metadata);
        self.relink(&name, before.as_deref(), None);
        self.outdate_with(&name)
    }

    /// A plan is gone; the plans that have to be made anew.
    pub fn remove(&mut self, metadata: &ObjectMeta) -> BTreeSet<Arc<str>> {
        let name = name_of(metadata);
        let before = self.section.remove(metadata);
        self.relink(&name, before.as_deref(), None);
        self.outdate_with(&name)
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.section.begin_list();
    }

    /// A list is complete; the plans that have to be made anew.
    pub fn finish_list(&mut self) -> BTreeSet<Arc<str>> {
        let gone = self.section.finish_list();
        for (name, before) in &gone {
            self.relink(name, before.as_deref(), None);
        }
        gone.into_iter().flat_map(|(name, _)| self.outdate_with(&name)).collect()
    }

    /// What serves of a definition has changed; the plans that have to be made anew.
    pub fn outdate_givers(&mut self, definition: &str) -> BTreeSet<Arc<str>> {
        let givers: Vec<_> = self.givers.of(definition).cloned().collect();
        givers.into_iter().flat_map(|plan| self.outdate_with(&plan)).collect()
    }

    /// A plan and all that include it have to be made anew.
    fn outdate_with(&mut self, plan: &Arc<str>) -> BTreeSet<Arc<str>> {
        let found = self.with_includers(plan);
        found.iter().cloned().for_each(|name| self.section.change(name));
        found
    }

    /// A plan and all that include it, directly or not.
    fn with_includers(&self, plan: &Arc<str>) -> BTreeSet<Arc<str>> {
        let mut found = BTreeSet::from([Arc::clone(plan)]);
        let mut next = vec![Arc::clone(plan)];
        while let Some(name) = next.pop() {
            next.extend(self.includers.of(&name).filter(|includer| found.insert(Arc::clone(includer))).cloned());
        }
        found
    }

    /// What a plan that would name these is judged with, but for who has it. An error if something of it has not been made yet.
    pub fn surroundings<'a>(
        &self,
        plan: &Arc<str>,
        named: impl IntoIterator<Item = &'a EntitlementPlanSpec>,
        compiled: &CatalogueSection<EntitlementDefinition, CompiledDefinition>,
        revisions: &KeptRevisions,
    ) -> Result<PlanSurroundings, NotYetRead> {
        let mut includers = self.with_includers(plan);
        includers.remove(plan);
        self.surroundings_of(includers, named, compiled, revisions)
    }

    /// The plans that give a definition, with all that they need. An error if something of it has not been made yet.
    pub fn surroundings_of_definition(
        &self,
        definition: &str,
        compiled: &CatalogueSection<EntitlementDefinition, CompiledDefinition>,
        revisions: &KeptRevisions,
    ) -> Result<PlanSurroundings, NotYetRead> {
        let givers = self.givers.of(definition).flat_map(|plan| self.with_includers(plan)).collect();
        self.surroundings_of(givers, None, compiled, revisions)
    }

    fn surroundings_of<'a>(
        &self,
        includers: BTreeSet<Arc<str>>,
        named: impl IntoIterator<Item = &'a EntitlementPlanSpec>,
        compiled: &CatalogueSection<EntitlementDefinition, CompiledDefinition>,
        revisions: &KeptRevisions,
    ) -> Result<PlanSurroundings, NotYetRead> {
        let mut found = PlanSurroundings { includers, ..PlanSurroundings::default() };
        let mut wanted: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut next: BTreeSet<Arc<str>> = found.includers.clone();
        for spec in named {
            next.extend(spec.includes.iter().chain(&spec.add_ons).map(|name| name.as_str().into()));
            wanted.extend(definitions_of(spec).map(Arc::from));
        }
        for name in next {
            let (plans, unreadable) = self.with_included(&name);
            found.plans.extend(plans);
            found.unreadable.extend(unreadable);
        }
        wanted.extend(found.plans.values().flat_map(|plan| definitions_of(&plan.spec)).map(Arc::from));
        for name in wanted {
            if let Some(entry) = compiled.current_entry(&name, revisions)? {
                found.definitions.insert(name, entry);
            }
        }
        Ok(found)
    }

    fn relink(&mut self, name: &Arc<str>, before: Option<&EntitlementPlan>, after: Option<&EntitlementPlan>) {
        self.includers.relink(name, includes(before), includes(after));
        self.givers.relink(name, definitions(before), definitions(after));
    }

    /// What was made of a plan is no longer to be relied on.
    pub fn outdate(&mut self, name: &Arc<str>) {
        self.section.outdate(Arc::clone(name));
    }

    /// Everything about one plan. What changes from now on makes it stale again. An error if a definition that it needs has not
    /// been made yet.
    pub fn view(
        &mut self,
        name: &Arc<str>,
        compiled: &CatalogueSection<EntitlementDefinition, CompiledDefinition>,
        revisions: &KeptRevisions,
    ) -> Result<PlanView, NotYetRead> {
        let (plans, unreadable_plans) = self.with_included(name);
        let mut entries = BTreeMap::new();
        for definition in plans.values().flat_map(|plan| definitions(Some(plan))) {
            let definition: Arc<str> = definition.into();
            if entries.contains_key(&definition) {
                continue;
            }
            if let Some(entry) = compiled.entry(&definition, revisions)? {
                entries.insert(definition, entry);
            }
        }
        Ok(PlanView {
            plan: self.section.get(name).cloned(),
            unreadable: self.section.unreadable(name).map(str::to_owned),
            plans,
            unreadable_plans,
            definitions: entries,
            kept: self.section.view(name, revisions),
        })
    }

    fn with_included(&self, name: &Arc<str>) -> (ByName<EntitlementPlan>, BTreeSet<Arc<str>>) {
        let (mut plans, mut unreadable) = (ByName::new(), BTreeSet::new());
        let mut next = vec![Arc::clone(name)];
        while let Some(name) = next.pop() {
            let Some(plan) = self.section.get(&name) else {
                unreadable.extend(self.section.unreadable(&name).is_some().then_some(name));
                continue;
            };
            if plans.insert(name, Arc::clone(plan)).is_none() {
                next.extend(includes(Some(plan)).map(Arc::from));
            }
        }
        (plans, unreadable)
    }

    /// The plan's entry. An error if there is something to make one of, which has not been done yet.
    pub fn entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.section.entry(name, revisions)
    }

    /// The same, but what served before where all is being made anew: for those who only ask.
    pub fn known_entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.section.known_entry(name, revisions)
    }

    /// [`Self::entry`], but an error also if what it was made of has changed since.
    pub fn current_entry(
        &self,
        name: &Arc<str>,
        revisions: &KeptRevisions,
    ) -> Result<Option<Arc<CatalogueEntry<Plan>>>, NotYetRead> {
        self.section.current_entry(name, revisions)
    }

    /// A plan as it is now, where it exists and was readable once.
    pub fn get(&self, name: &Arc<str>) -> Option<&Arc<EntitlementPlan>> {
        self.section.get(name)
    }

    /// All names that a plan or its revisions have.
    pub fn names(&self, revisions: &KeptRevisions) -> BTreeSet<Arc<str>> {
        self.section.names(revisions)
    }

    /// How many plans there are that can be read.
    pub fn count(&self) -> usize {
        self.section.count()
    }

    /// Nothing has been made of any plan yet.
    pub fn forget_served(&mut self) {
        self.section.forget_served();
        // What was agreed by their revisions is not known until then, and may need any definition.
        self.is_read_through = false;
    }

    /// Whether a plan, or a revision of one, names a definition; also while that is not known of all of them.
    pub fn needs(&self, definition: &str) -> bool {
        !self.is_read_through()
            || self.givers.of(definition).next().is_some()
            || self.giving(definition).next().is_some()
    }

    /// Plans that give a definition, now or by what was agreed.
    pub fn giving(&self, definition: &str) -> impl Iterator<Item = &Arc<str>> {
        self.section.entries().filter(move |(_, entry)| entry.history.gives(definition)).map(|(name, _)| name)
    }

    /// Whether a plan gives a definition, now or by what was agreed.
    pub fn gives(&self, plan: &str, definition: &str) -> bool {
        self.section.served(plan).is_some_and(|served| served.entry.history.gives(definition))
    }

    fn is_read_through(&self) -> bool {
        self.is_read_through || self.section.is_read_through()
    }

    /// What serves of a plan changes. The definitions that may be needed no more are all, where they are not known yet.
    fn change<T>(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Self) -> T) -> (T, Option<BTreeSet<Arc<str>>>) {
        let before = self.section.served(name).map(|served| Arc::clone(&served.entry));
        let changed = change(self);
        if !self.is_read_through {
            self.is_read_through = self.section.is_read_through();
            if self.is_read_through {
                return (changed, None);
            }
        }
        let given = before.iter().flat_map(|before| before.history.definitions()).cloned();
        (changed, Some(given.collect()))
    }
}

fn includes(plan: Option<&EntitlementPlan>) -> impl Iterator<Item = &str> {
    plan.into_iter().flat_map(|plan| &plan.spec.includes).map(String::as_str)
}

fn definitions(plan: Option<&EntitlementPlan>) -> impl Iterator<Item = &str> {
    plan.into_iter().flat_map(|plan| definitions_of(&plan.spec))
}

fn definitions_of(spec: &EntitlementPlanSpec) -> impl Iterator<Item = &str> {
    spec.groups.iter().flat_map(|group| &group.entitlements).map(|entitlement| entitlement.definition.as_str())
}

impl World {
    /// All about one plan, and who has it.
    pub fn plan(&mut self, name: &Arc<str>) -> Result<(PlanView, PlanUse), NotYetRead> {
        Ok((self.catalogue.plan_view(name)?, self.plan_use(name)))
    }

    /// Making something of a plan did not come to its end.
    pub fn outdate_plan(&mut self, name: &Arc<str>) {
        self.catalogue.outdate(&CatalogueKind::Plan.named(name));
    }

    /// From now on this serves, which was made from the view of that version.
    pub fn serve_plan(&mut self, name: &Arc<str>, served: Served<Plan>, version: u64) {
        let pinned = self.plan_use(name).pinned;
        let plans = &mut self.catalogue.plans;
        let before = plans.section.served(name).map(|served| Arc::clone(&served.entry));
        let after = Arc::clone(&served.entry);
        let (ServingChange { is_any, replaced }, freed) =
            plans.change(name, |plans| plans.section.serve(name, served, version));
        let is_agreed_otherwise = |revision: &Arc<str>| {
            let agreed =
                |entry: &CatalogueEntry<Plan>| entry.history.agreed(revision).map(|(name, _)| Arc::clone(name));
            before.as_deref().and_then(agreed) != agreed(&after)
        };
        if is_any || pinned.iter().any(is_agreed_otherwise) {
            self.changed_plan(name, replaced.as_ref());
        }
        self.touch_gone_definitions(freed.as_ref());
    }

    /// Nothing is left of a plan.
    pub fn drop_plan(&mut self, name: &Arc<str>) {
        let plans = &mut self.catalogue.plans;
        let (had_any, freed) = plans.change(name, |plans| plans.section.drop_served(name));
        if had_any {
            self.changed_plan(name, None);
        }
        self.touch_gone_definitions(freed.as_ref());
    }

    /// What a plan that would name what these name is judged with. An error if something of it has not been made yet.
    pub fn plan_surroundings<'a>(
        &self,
        name: &Arc<str>,
        named: impl IntoIterator<Item = &'a EntitlementPlanSpec>,
    ) -> Result<PlanSurroundings, NotYetRead> {
        let found = self.catalogue.plan_surroundings(name, named)?;
        Ok(PlanSurroundings { live: self.grants.live_to(name), example: self.live_subscription(name), ..found })
    }

    /// The first subscription that names a plan and is in force, or to be.
    fn live_subscription(&self, plan: &Arc<str>) -> Option<SourceId> {
        let (organization, _) = self.grants.subscribers(plan).find(|(_, counts)| counts.live > 0)?;
        let mut held = self.grants.of_organization(organization);
        let live = held.find(|held| held.source.is_live() && held.source.plans().contains(plan))?;
        Some(live.source.id())
    }

    /// The plans that give a definition, as far as that can be told now.
    pub(super) fn plans_giving(&self, definition: &Arc<str>) -> PlanSurroundings {
        self.catalogue.plans_giving(definition).unwrap_or_default()
    }

    /// Whether a source of grants, a plan, or a revision of one may name a definition.
    pub fn is_needed(&self, definition: &str) -> bool {
        self.grants.is_named(definition) || self.catalogue.plans.needs(definition)
    }

    /// Definitions that do not exist, and that no plan may need any more, of these or of all.
    fn touch_gone_definitions(&mut self, freed: Option<&BTreeSet<Arc<str>>>) {
        let names = freed.cloned().unwrap_or_else(|| self.catalogue.definitions());
        for name in names {
            if self.catalogue.definition(&name).is_none() {
                self.touch_definition(&name);
            }
        }
    }

    pub(super) fn touch_plan(&mut self, name: &Arc<str>) {
        self.work.insert(WorkItem::Plan(Arc::clone(name)));
    }

    /// Plans have to be made anew.
    pub(super) fn touch_plans(&mut self, names: BTreeSet<Arc<str>>) {
        self.work.extend(names.into_iter().map(WorkItem::Plan));
    }

    /// What serves of a plan, or what was agreed by it, has changed for those who have it; with what served before, where something
    /// else does now.
    fn changed_plan(&mut self, name: &Arc<str>, before: Option<&Arc<CatalogueEntry<Plan>>>) {
        let names: Vec<_> = self.grants.subscribers(name).map(|(organization, _)| organization).cloned().collect();
        if let Some(before) = before {
            for organization in &names {
                self.edits.add_plan(organization, name, before);
            }
        }
        self.touch_organizations(names);
        self.barred.extend(self.grants.barred_to(name).cloned());
    }

    /// Who has a plan.
    pub fn plan_use(&self, plan: &Arc<str>) -> PlanUse {
        PlanUse { counts: self.grants.plan_counts(plan), pinned: self.grants.pinned(plan) }
    }
}

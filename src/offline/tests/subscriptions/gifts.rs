//! What the model says a subscription gives, and what the organization holds of each definition.

use super::{
    entries::{ADD, ADD_ONS, PlainWindow, Settled},
    memory::{InstanceMemory, PlainMemory, RecordedEntry},
    model::{AgreedTerm, Name, PlainModel},
    plain::{ALLOWED, Made, PlainInstance},
    shelf::{HowMuch, PlainPart, PlanMemory},
};
use crate::core::calendar::{Bound, Instant, Moment, Nominal, parse_zone};
use std::collections::{BTreeMap, BTreeSet};

/// What is given of each definition; none for a Feature.
pub type Amounts = BTreeMap<String, Option<HowMuch>>;

/// What is given, what only a `remove` keeps away, and what gives of each definition.
type Gifts = (Amounts, BTreeSet<String>, BTreeSet<(String, String)>);

/// What can be asked of the state at one moment, of the model or of what is held against it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainVerdict {
    /// Why each plan that is there is not ready.
    pub plans: BTreeMap<String, Option<String>>,
    /// What serves of each plan, also of those that are gone.
    pub served: BTreeMap<String, ServedEntries>,
    pub subscriptions: BTreeMap<String, SubscriptionVerdict>,
    /// Phase and reason of each instance.
    pub instances: BTreeMap<String, (String, Option<String>)>,
    /// What the organization holds of each definition that it is entitled to.
    pub held: BTreeMap<String, Option<String>>,
}

/// By definition: the plan and the group in which an entry is written, and its amount.
pub type ServedEntries = BTreeMap<String, (String, String, Option<String>)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubscriptionVerdict {
    pub phase: String,
    pub reason: Option<String>,
    pub start: Option<Instant>,
    pub end: Option<Bound>,
    /// The one in force.
    pub plan: Option<String>,
    pub amendments: BTreeMap<String, String>,
    pub renewed_by: Option<String>,
    /// The entries that do not count as they are written.
    pub left_out: BTreeSet<(String, String)>,
    /// What it gives now.
    pub gives: BTreeMap<String, Option<String>>,
    /// Which of its entries give of which definition now; only the model says this.
    pub parts: BTreeSet<(String, String)>,
    /// What only a `remove` keeps away now.
    pub removed: BTreeSet<String>,
}

fn shown(amounts: &Amounts) -> BTreeMap<String, Option<String>> {
    amounts.iter().map(|(definition, amount)| (definition.clone(), amount.map(HowMuch::text))).collect()
}

fn served(plan: &PlanMemory) -> ServedEntries {
    let entry = |entry: &PlainPart| {
        let amount = entry.stated.or(entry.taken).map(HowMuch::text);
        (entry.definition.clone(), (entry.plan.clone(), entry.group.clone(), amount))
    };
    plan.revisions[plan.serving()].entries.iter().map(entry).collect()
}

fn is_in_force(phase: &str) -> bool {
    matches!(phase, "Active" | "Grace")
}

impl PlainModel<'_> {
    /// Everything, and what is remembered from now on.
    pub fn judge(&self) -> (PlainVerdict, PlainMemory) {
        let accepted = self.accepted();
        let instances = self.instances();
        let verdict = PlainVerdict {
            plans: self
                .shelf
                .readiness
                .iter()
                .map(|(name, ready)| (name.clone(), ready.err().map(str::to_owned)))
                .collect(),
            served: self.shelf.plans.iter().map(|(name, plan)| (name.clone(), served(plan))).collect(),
            subscriptions: self.names().map(|name| (name.to_owned(), self.verdict(name, &accepted))).collect(),
            held: shown(&self.held(&accepted, &instances)),
            instances: instances
                .iter()
                .map(|(name, (phase, reason, _))| (name.clone(), ((*phase).to_owned(), reason.map(str::to_owned))))
                .collect(),
        };
        let remembered = |name: Name| Some((name.to_owned(), self.remembered(name, &accepted)?));
        let memory = PlainMemory {
            shelf: self.shelf.clone(),
            subscriptions: self.names().filter_map(remembered).collect(),
            instances: instances.into_iter().filter_map(|(name, (_, _, memory))| Some((name, memory?))).collect(),
        };
        (verdict, memory)
    }

    fn verdict(&self, name: Name, accepted: &BTreeSet<Name>) -> SubscriptionVerdict {
        let reason = self.final_reason(name, accepted);
        let phase = self.phase(name, accepted);
        let agreed = self.agreed(name).filter(|_| reason.is_none_or(|reason| reason == "Duplicate"));
        let holding = agreed.as_ref().map(|agreed| self.holding_at(name, agreed, self.now));
        let settled = agreed.as_ref().filter(|_| accepted.contains(name)).map(|agreed| self.settled(name, agreed));
        let (gives, removed, parts) = match (&agreed, &settled) {
            (Some(agreed), Some(settled)) if is_in_force(phase) => self.gives(name, agreed, settled),
            _ => Default::default(),
        };
        let amended = agreed.iter().flat_map(|agreed| self.amended(name, agreed));
        SubscriptionVerdict {
            phase: phase.to_owned(),
            reason: reason.map(str::to_owned),
            start: agreed.as_ref().map(|agreed| agreed.start.instant()),
            end: holding.map(|(end, _)| end.instant()),
            plan: holding.map(|(_, plan)| plan.to_owned()),
            amendments: amended.map(|one| (one.name.to_owned(), one.state.to_owned())).collect(),
            renewed_by: self.renewed_by(name, accepted),
            left_out: settled
                .iter()
                .flat_map(|settled| &settled.left_out)
                .map(|(list, name)| ((*list).to_owned(), name.clone()))
                .collect(),
            gives: shown(&gives),
            removed,
            parts,
        }
    }

    /// The entries of a plan, in the revision that is the subscription's.
    fn entries_of(&self, settled: &Settled, plan: &str) -> Vec<PlainPart> {
        let Some(memory) = self.shelf.plans.get(plan) else { return Vec::new() };
        let revision = settled.plans.get(plan).copied().unwrap_or(memory.serving());
        memory.revisions[revision].entries.clone()
    }

    fn amount_of(&self, entry: &PlainPart) -> Option<HowMuch> {
        entry.stated.or_else(|| self.shelf.default_amount(&entry.definition, entry.taken))
    }

    /// What it gives now, what only a `remove` keeps away, and what gives of each definition.
    fn gives(&self, name: Name, agreed: &AgreedTerm, settled: &Settled) -> Gifts {
        let is_open = |window: Option<PlainWindow>| window.is_some_and(|window| window.is_open(self.now));
        let open = |list: &'static str| {
            let of_list = settled.entries.iter().filter(move |((one, _), _)| *one == list);
            of_list.filter(|(_, entry)| is_open(Self::window_of(agreed, entry))).map(|((_, name), entry)| (name, entry))
        };
        let plan = self.holding_at(name, agreed, self.now).1;
        let mut parts: Vec<(String, Option<HowMuch>, String)> = Vec::new();
        for entry in self.entries_of(settled, plan) {
            parts.push((entry.definition.clone(), self.amount_of(&entry), format!("plan {plan}")));
        }
        for (name, add_on) in open(ADD_ONS).filter(|(_, add_on)| add_on.quantity > 0) {
            for entry in self.entries_of(settled, &add_on.target) {
                let amount = self.amount_of(&entry).map(|amount| amount.times(add_on.quantity));
                parts.push((entry.definition.clone(), amount, format!("add-on {name}")));
            }
        }
        let removals = self.spec(name).remove.iter().filter(|one| is_open(Self::window_of_removal(agreed, one)));
        let removals: BTreeSet<&String> = removals.map(|remove| &remove.definition).collect();
        let (mut removed, mut left): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(definition, ..)| removals.contains(definition));
        left.extend(
            open(ADD).map(|(name, add)| (add.target.clone(), self.amount_of_added(add), format!("add {name}"))),
        );
        removed.retain(|(definition, ..)| left.iter().all(|(other, ..)| other != definition));
        let mut amounts = Amounts::new();
        for (definition, amount, _) in &left {
            let sum = amounts.entry(definition.clone()).or_insert(amount.map(|_| HowMuch::Count(0)));
            *sum = sum.zip(*amount).map(|(sum, amount)| sum.plus(amount));
        }
        let parts = left.into_iter().map(|(definition, _, origin)| (definition, origin)).collect();
        (amounts, removed.into_iter().map(|(definition, ..)| definition).collect(), parts)
    }

    fn amount_of_added(&self, add: &RecordedEntry) -> Option<HowMuch> {
        add.stated.or_else(|| self.shelf.default_amount(&add.target, add.taken))
    }

    /// "`aggregation` then works between grants, this sum being one grant's amount."
    fn held(&self, accepted: &BTreeSet<Name>, instances: &Instances) -> Amounts {
        let mut grants: Vec<(String, Option<HowMuch>)> = Vec::new();
        for name in accepted.iter().filter(|name| is_in_force(self.phase(name, accepted))) {
            let agreed = self.agreed(name).unwrap();
            grants.extend(self.gives(name, &agreed, &self.settled(name, &agreed)).0);
        }
        for (name, (_, _, memory)) in instances.iter().filter(|(_, (phase, _, _))| is_in_force(phase)) {
            let spec = &self.world.instances[name].spec;
            let stated = spec.amount.as_deref().and_then(HowMuch::read);
            let taken = memory.as_ref().and_then(|memory| self.shelf.default_amount(&spec.definition, memory.amount));
            grants.push((spec.definition.clone(), stated.or(taken)));
        }
        let mut held = Amounts::new();
        for (definition, amount) in grants {
            let is_max = self
                .shelf
                .definitions
                .get(&definition)
                .is_some_and(|definition| definition.aggregation.as_deref() == Some("Max"));
            let so_far = held.entry(definition).or_insert(amount.map(|_| HowMuch::Count(0)));
            *so_far = so_far
                .zip(amount)
                .map(|(so_far, amount)| if is_max { so_far.max(amount) } else { so_far.plus(amount) });
        }
        held
    }
}

/// Phase, reason, and what is remembered, of each instance.
type Instances = BTreeMap<String, (&'static str, Option<&'static str>, Option<InstanceMemory>)>;

impl PlainModel<'_> {
    /// Instances, by domain.md: "`allowMultiple: false` of a definition limits instances only, as before".
    fn instances(&self) -> Instances {
        let mut ordered: Vec<&String> = self.world.instances.keys().collect();
        ordered.sort_by_key(|name| {
            // One that has a record keeps the seat; a free one goes to the oldest.
            let is_new = self.instance_record(name).is_none();
            (is_new, self.world.instances[*name].at, (*name).clone())
        });
        let mut seats: BTreeMap<&str, bool> = BTreeMap::new();
        let mut judged = Instances::new();
        for name in ordered {
            let made = &self.world.instances[name];
            let unique = self.shelf.definitions.get(&made.spec.definition).is_some_and(|one| !one.allow_multiple);
            let record = self.instance_record(name);
            let (reason, phase) = match self.instance_reason(made, record) {
                Some(reason) => (Some(reason), "Rejected"),
                None => match self.instance_phase(made, record) {
                    "Expired" => (None, "Expired"),
                    _ if unique && record.is_none() && seats.contains_key(made.spec.definition.as_str()) => {
                        (Some("Duplicate"), "Rejected")
                    }
                    phase => {
                        seats.insert(&made.spec.definition, true);
                        (None, phase)
                    }
                },
            };
            let memory = match reason {
                None => record.cloned().or_else(|| self.instance_takes(made)),
                Some(_) => record.cloned(),
            };
            judged.insert(name.clone(), (phase, reason, memory));
        }
        judged
    }

    fn instance_record(&self, name: &str) -> Option<&InstanceMemory> {
        let spec = &self.world.instances[name].spec;
        self.memory.instances.get(name).filter(|memory| memory.start == spec.start && memory.end == spec.end)
    }

    fn instance_takes(&self, made: &Made<PlainInstance>) -> Option<InstanceMemory> {
        Some(InstanceMemory {
            zone: self.world.organization.as_ref()?.zone.clone(),
            amount: self.shelf.allotment(&made.spec.definition),
            start: made.spec.start.clone(),
            end: made.spec.end.clone(),
        })
    }

    fn instance_term(&self, made: &Made<PlainInstance>, record: Option<&InstanceMemory>) -> Option<(Instant, Bound)> {
        let zone = record.map(|record| &record.zone).or(self.world.organization.as_ref().map(|one| &one.zone))?;
        let zone = parse_zone(zone).ok()?;
        let read = |text: &Option<String>| text.as_deref().map(str::parse::<Moment>).transpose().ok();
        let start = read(&made.spec.start)?.map_or(made.at, |start| Nominal::of_start(start, zone).instant());
        let end = read(&made.spec.end)?.map_or(Bound::Never, |end| Nominal::of_end(end, zone).instant());
        Some((start, end))
    }

    fn instance_reason(&self, made: &Made<PlainInstance>, record: Option<&InstanceMemory>) -> Option<&'static str> {
        let Some(organization) = &self.world.organization else { return Some("OrganizationNotFound") };
        if made.namespace != ALLOWED {
            return Some("NamespaceNotAllowed");
        }
        if record.is_some() {
            return None;
        }
        if parse_zone(&organization.zone).is_err() {
            return Some("OrganizationNotReady");
        }
        match self.shelf.present.get(&made.spec.definition) {
            None => return Some("DefinitionNotFound"),
            Some(false) => return Some("DefinitionNotReady"),
            Some(true) => {}
        }
        let is_feature = self.shelf.is_feature(&made.spec.definition);
        if made.spec.amount.as_deref().is_some_and(|amount| is_feature || HowMuch::read(amount).is_none()) {
            return Some("InvalidAmount");
        }
        match self.instance_term(made, None) {
            Some((start, end)) if Bound::At(start) < end => None,
            _ => Some("InvalidTerm"),
        }
    }

    fn instance_phase(&self, made: &Made<PlainInstance>, record: Option<&InstanceMemory>) -> &'static str {
        let Some((start, end)) = self.instance_term(made, record) else { return "Rejected" };
        match () {
            () if end <= Bound::At(self.now) => "Expired",
            () if self.now < start => "Waiting",
            () if made.spec.suspended || self.is_organization_suspended() => "Suspended",
            () => "Active",
        }
    }

    /// Every moment at which the instances could change.
    pub fn moments_of_instances(&self) -> BTreeSet<Instant> {
        let terms =
            self.world.instances.iter().filter_map(|(name, made)| self.instance_term(made, self.instance_record(name)));
        terms.flat_map(|(start, end)| [Some(start), end.at()]).flatten().collect()
    }
}

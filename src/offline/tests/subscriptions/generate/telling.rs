//! A history, told happening by happening.

use super::{
    super::plain::{
        ALLOWED, Made, PlainAdd, PlainAddOn, PlainAmendment, PlainDefinition, PlainEntry, PlainGroup, PlainInstance,
        PlainPlan, PlainRemove, PlainState, PlainSubscription, PlainWorld,
    },
    ADD_ONS, AMOUNTS, DEFINITIONS, ENTRIES, Epoch, FEATURE, Happening, INSTANCES, NewAmendment, NewInstance, NewLists,
    NewPlan, NewSubscription, PLANS, SUBSCRIPTIONS, Tale, WrittenSpan,
};
use crate::core::calendar::Instant;

/// A history while it is told.
pub struct TaleTelling {
    epoch: Epoch,
    tick: u8,
    pub world: PlainWorld,
    /// The operator was down for what happened last.
    pub unseen: bool,
}

impl TaleTelling {
    pub fn new(tale: &Tale) -> Self {
        let mut telling =
            Self { epoch: tale.epoch, tick: tale.now, world: PlainWorld::new(tale.epoch.zones[0]), unseen: false };
        for (index, (amount, everyone)) in tale.definitions.iter().enumerate() {
            telling.define(index, *amount, *everyone);
        }
        for (index, new) in tale.plans.iter().enumerate() {
            telling.world.plans.insert(PLANS[index].to_owned(), plain_plan(index, new));
        }
        for (index, new) in tale.add_ons.iter().enumerate() {
            telling.world.plans.insert(ADD_ONS[index].to_owned(), plain_add_on(new));
        }
        for (index, (made, new)) in tale.subscriptions.iter().enumerate() {
            telling.subscribe(index, *made, new);
        }
        for (index, (made, new)) in tale.instances.iter().enumerate() {
            telling.grant(index, *made, new);
        }
        telling
    }

    pub fn now(&self) -> Instant {
        self.epoch.at(self.tick)
    }

    fn define(&mut self, index: usize, amount: usize, everyone: bool) {
        let (type_, amount) = match index {
            FEATURE => ("Feature", None),
            _ => ("Quantity", Some(AMOUNTS[amount].to_owned())),
        };
        let definition = PlainDefinition {
            type_: type_.to_owned(),
            amount,
            rollout: everyone.then(|| "Everyone".to_owned()),
            aggregation: (index == 1).then(|| "Max".to_owned()),
            allow_multiple: index != 1,
            broken: false,
        };
        self.world.definitions.insert(DEFINITIONS[index].to_owned(), definition);
    }

    fn subscribe(&mut self, index: usize, made: u8, new: &NewSubscription) {
        let spec = PlainSubscription {
            plan: PLANS[new.plan].to_owned(),
            state: new.state,
            start: self.epoch.texts(new.span.0),
            end: self.epoch.texts(new.span.1),
            renews: new.renews.filter(|renewed| *renewed != index).map(|renewed| SUBSCRIPTIONS[renewed].to_owned()),
            amendments: Vec::new(),
            ..PlainSubscription::default()
        };
        let namespace = if new.elsewhere { "elsewhere" } else { ALLOWED };
        let made = Made { namespace: namespace.to_owned(), at: self.epoch.at(made), spec };
        self.world.subscriptions.insert(SUBSCRIPTIONS[index].to_owned(), made);
        self.set_lists(index, &new.lists);
        for amendment in &new.amendments {
            self.amend(index, amendment);
        }
    }

    fn grant(&mut self, index: usize, made: u8, new: &NewInstance) {
        let spec = PlainInstance {
            definition: DEFINITIONS[new.definition].to_owned(),
            amount: stated(new.definition, new.amount),
            start: self.epoch.texts(new.span.0),
            end: self.epoch.texts(new.span.1),
            suspended: false,
        };
        let made = Made { namespace: ALLOWED.to_owned(), at: self.epoch.at(made), spec };
        self.world.instances.insert(INSTANCES[index].to_owned(), made);
    }

    fn spec(&mut self, index: usize) -> Option<&mut PlainSubscription> {
        self.world.subscriptions.get_mut(SUBSCRIPTIONS[index]).map(|made| &mut made.spec)
    }

    fn set_lists(&mut self, index: usize, lists: &NewLists) {
        let epoch = self.epoch;
        let Some(spec) = self.spec(index) else { return };
        spec.add_ons.clear();
        let before = std::mem::take(&mut spec.add);
        spec.remove.clear();
        for (name, plan, quantity, WrittenSpan(start, end)) in &lists.add_ons {
            // One beyond the add-ons is a plan of the other type.
            let plan = ADD_ONS.get(*plan).unwrap_or(&PLANS[0]);
            spec.add_ons.retain(|one| one.name != ENTRIES[*name]);
            spec.add_ons.push(PlainAddOn {
                name: ENTRIES[*name].to_owned(),
                plan: (*plan).to_owned(),
                quantity: *quantity,
                start: epoch.texts(*start),
                end: epoch.texts(*end),
            });
        }
        for (name, definition, amount, WrittenSpan(start, end)) in &lists.add {
            // Where an amount is taken away again, the record does not tell whether it had been stated.
            let stated_before = before.iter().find(|one| {
                one.name == ENTRIES[*name] && one.definition == DEFINITIONS[*definition] && one.amount.is_some()
            });
            spec.add.retain(|one| one.name != ENTRIES[*name]);
            spec.add.push(PlainAdd {
                name: ENTRIES[*name].to_owned(),
                definition: DEFINITIONS[*definition].to_owned(),
                amount: stated(*definition, *amount).or_else(|| stated_before?.amount.clone()),
                start: epoch.texts(*start),
                end: epoch.texts(*end),
            });
        }
        for (name, definition, WrittenSpan(start, end)) in &lists.remove {
            spec.remove.push(PlainRemove {
                name: ENTRIES[*name].to_owned(),
                definition: DEFINITIONS[*definition].to_owned(),
                start: epoch.texts(*start),
                end: epoch.texts(*end),
            });
        }
    }

    fn amend(&mut self, index: usize, new: &NewAmendment) {
        let epoch = self.epoch;
        let Some(spec) = self.spec(index) else { return };
        spec.amendments.push(PlainAmendment {
            name: format!("m{}", spec.amendments.len()),
            effective: epoch.text(new.effective),
            plan: new.plan.map(|plan| PLANS[plan].to_owned()),
            end: epoch.texts(new.end),
            revoked: new.revoked,
        });
    }

    pub fn happen(&mut self, happening: &Happening) {
        self.unseen = false;
        match happening {
            Happening::Pass(ticks) => self.tick += ticks,
            Happening::EditPlan(index, new) => {
                self.world.plans.insert(PLANS[*index].to_owned(), plain_plan(*index, new));
            }
            Happening::Reprice(index, amount, everyone) => self.reprice(*index, *amount, *everyone),
            Happening::Retire(index) => {
                if let Some(plan) = self.world.plans.get_mut(PLANS[*index]) {
                    plan.retired = !plan.retired;
                }
            }
            Happening::DeletePlan(index) => drop(self.world.plans.remove(PLANS[*index])),
            Happening::EditAddOn(index, new) => {
                self.world.plans.insert(ADD_ONS[*index].to_owned(), plain_add_on(new));
            }
            Happening::DeleteAddOn(index) => drop(self.world.plans.remove(ADD_ONS[*index])),
            Happening::Define(index, amount, broken) => {
                // Another `rollout` would say another thing of what was taken before: the contract is silent on that.
                let before = self.world.definitions.get(DEFINITIONS[*index]).and_then(|before| before.rollout.clone());
                self.define(*index, *amount, before.is_some());
                self.world.definitions.get_mut(DEFINITIONS[*index]).unwrap().broken = *broken;
            }
            Happening::DeleteDefinition(index) => drop(self.world.definitions.remove(DEFINITIONS[*index])),
            Happening::Grant(index, new) if !self.world.instances.contains_key(INSTANCES[*index]) => {
                self.grant(*index, self.tick, new);
            }
            Happening::DeleteInstance(index) => drop(self.world.instances.remove(INSTANCES[*index])),
            Happening::ChangeZone(other) => {
                self.world.organization.as_mut().unwrap().zone = self.epoch.zones[usize::from(*other)].to_owned();
            }
            Happening::SuspendOrganization(suspended) => {
                self.world.organization.as_mut().unwrap().suspended = *suspended;
            }
            Happening::Unseen(happening) => {
                self.happen(happening);
                // Another of the name would not be the same object, and has to be told from it.
                self.unseen = !matches!(**happening, Happening::Unsubscribe(_) | Happening::DeleteInstance(_));
            }
            other => self.happen_to_a_subscription(other),
        }
    }

    fn happen_to_a_subscription(&mut self, happening: &Happening) {
        let epoch = self.epoch;
        match happening {
            // One that is there would have to be deleted first, and the other would be another object.
            Happening::Subscribe(index, new) if !self.world.subscriptions.contains_key(SUBSCRIPTIONS[*index]) => {
                self.subscribe(*index, self.tick, new);
            }
            Happening::Redraft(index, plan, WrittenSpan(start, end)) => {
                // One that another renews stays of its line.
                let renewed =
                    |made: &Made<PlainSubscription>| made.spec.renews.as_deref() == Some(SUBSCRIPTIONS[*index]);
                let is_renewed = self.world.subscriptions.values().any(renewed);
                let Some(spec) = self.spec(*index).filter(|spec| spec.state != PlainState::Cancelled) else { return };
                spec.state = PlainState::Draft;
                if !is_renewed {
                    PLANS[*plan].clone_into(&mut spec.plan);
                }
                (spec.start, spec.end) = (epoch.texts(*start), epoch.texts(*end));
            }
            Happening::SetState(index, state) => {
                if let Some(spec) = self.spec(*index).filter(|spec| spec.state != PlainState::Cancelled) {
                    spec.state = *state;
                }
            }
            Happening::Agree(index, agreement) => {
                if let Some(spec) = self.spec(*index) {
                    spec.agreement = (*agreement > 0).then(|| format!("agreement-{agreement}"));
                }
            }
            Happening::Lists(index, lists) => self.set_lists(*index, lists),
            Happening::Amend(index, amendment) => self.amend(*index, amendment),
            Happening::Revoke(index) => {
                if let Some(last) = self.spec(*index).and_then(|spec| spec.amendments.last_mut()) {
                    last.revoked = true;
                }
            }
            Happening::Suspend(index) => {
                if let Some(spec) = self.spec(*index) {
                    spec.suspended = !spec.suspended;
                }
            }
            Happening::Unsubscribe(index) => drop(self.world.subscriptions.remove(SUBSCRIPTIONS[*index])),
            _ => {}
        }
    }

    fn reprice(&mut self, index: usize, amount: Option<usize>, everyone: bool) {
        let Some(plan) = self.world.plans.get_mut(PLANS[index]) else { return };
        plan.rollout = everyone.then(|| "Everyone".to_owned());
        for entry in plan.groups.iter_mut().flat_map(|group| &mut group.entitlements) {
            if entry.definition != DEFINITIONS[FEATURE] {
                entry.amount = amount.map(|amount| AMOUNTS[amount].to_owned());
            }
        }
    }
}

/// The amount that is stated of a definition.
fn stated(definition: usize, amount: Option<usize>) -> Option<String> {
    let is_stated = |amount: &usize| definition != FEATURE || *amount + 1 == AMOUNTS.len();
    amount.filter(is_stated).map(|amount| AMOUNTS[amount].to_owned())
}

fn plain_plan(index: usize, new: &NewPlan) -> PlainPlan {
    let includes = new.includes.iter().map(|include| PLANS[*include]);
    PlainPlan {
        includes: includes.filter(|include| *include != PLANS[index]).map(str::to_owned).collect(),
        add_ons: new.add_ons.iter().map(|add_on| ADD_ONS[*add_on].to_owned()).collect(),
        term: new.term.map(str::to_owned),
        grace_period: new.grace.map(str::to_owned),
        product: (new.product && index < 3).then(|| "platform".to_owned()),
        allow_multiple: index == 3,
        ..plain_add_on(new)
    }
    .of_type("Plan")
}

fn plain_add_on(new: &NewPlan) -> PlainPlan {
    let (early, late) = new.entries.split_at(new.entries.len() / 2);
    let group = |name: &str, entries: &[(usize, Option<usize>)]| PlainGroup {
        name: name.to_owned(),
        entitlements: entries
            .iter()
            .map(|(definition, amount)| PlainEntry {
                definition: DEFINITIONS[*definition].to_owned(),
                amount: stated(*definition, *amount),
            })
            .collect(),
    };
    PlainPlan {
        groups: vec![group("first", early), group("second", late)],
        rollout: new.everyone.then(|| "Everyone".to_owned()),
        retired: new.retired,
        ..PlainPlan::default()
    }
    .of_type("AddOn")
}

impl PlainPlan {
    fn of_type(self, type_: &str) -> Self {
        Self { type_: Some(type_.to_owned()), ..self }
    }
}

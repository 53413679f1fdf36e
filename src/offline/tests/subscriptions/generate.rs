//! Small but nasty histories of an organization with plans and subscriptions.

use super::plain::{
    ALLOWED, Made, PlainAdd, PlainAddOn, PlainAmendment, PlainDefinition, PlainEntry, PlainGroup, PlainInstance,
    PlainPlan, PlainRemove, PlainState, PlainSubscription, PlainWorld, at,
};
use crate::core::calendar::{Instant, format_instant};
use chrono::TimeDelta;
use proptest::{collection::vec, option::weighted, prelude::*, sample::subsequence};

/// A Quantity whose amounts are summed up, one of which the highest counts, and a Feature.
const DEFINITIONS: [&str; 3] = ["seats", "streams", "fourk"];

const FEATURE: usize = 2;

/// The last one may be had more than once; the others are of one product.
const PLANS: [&str; 4] = ["basic", "pro", "max", "pack"];

const ADD_ONS: [&str; 2] = ["extra", "boost"];

const SUBSCRIPTIONS: [&str; 3] = ["a", "b", "c"];

const INSTANCES: [&str; 2] = ["i", "j"];

/// The names of entries, in every list.
const ENTRIES: [&str; 2] = ["x", "y"];

/// A Feature has only the last one, where it is a fault.
const AMOUNTS: [&str; 5] = ["0", "1", "3", "Unlimited", "3"];

/// When the moments of a history are.
#[derive(Clone, Copy, Debug)]
pub struct Epoch {
    base: &'static str,
    zones: [&'static str; 2],
}

/// Around changes of the clocks, and ends of months.
const EPOCHS: [Epoch; 3] = [
    Epoch { base: "2027-03-24T22:00:00Z", zones: ["Europe/Berlin", "America/New_York"] },
    Epoch { base: "2027-10-27T23:00:00Z", zones: ["Europe/Berlin", "UTC"] },
    Epoch { base: "2028-01-26T03:00:00Z", zones: ["Asia/Tokyo", "America/Santiago"] },
];

impl Epoch {
    /// A tick is half a day.
    fn at(self, tick: u8) -> Instant {
        at(self.base) + TimeDelta::hours(12 * i64::from(tick))
    }

    fn text(self, moment: WrittenMoment) -> String {
        match moment {
            WrittenMoment::Tick(tick) => format_instant(self.at(tick)),
            WrittenMoment::Date(tick) => self.at(tick).date_naive().to_string(),
            WrittenMoment::Never => "9999-12-31".to_owned(),
            WrittenMoment::Nonsense => "2027-02-30".to_owned(),
        }
    }

    fn texts(self, moment: Option<WrittenMoment>) -> Option<String> {
        moment.map(|moment| self.text(moment))
    }
}

#[derive(Clone, Copy, Debug)]
pub enum WrittenMoment {
    Tick(u8),
    Date(u8),
    Never,
    Nonsense,
}

/// From when to when; a subscription's term, or an entry's window.
#[derive(Clone, Copy, Debug)]
pub struct WrittenSpan(Option<WrittenMoment>, Option<WrittenMoment>);

#[derive(Clone, Debug)]
pub struct NewPlan {
    includes: Vec<usize>,
    entries: Vec<(usize, Option<usize>)>,
    add_ons: Vec<usize>,
    term: Option<&'static str>,
    grace: Option<&'static str>,
    everyone: bool,
    retired: bool,
    product: bool,
}

#[derive(Clone, Debug)]
pub struct NewSubscription {
    plan: usize,
    span: WrittenSpan,
    renews: Option<usize>,
    state: PlainState,
    elsewhere: bool,
    lists: NewLists,
    amendments: Vec<NewAmendment>,
}

#[derive(Clone, Debug)]
pub struct NewLists {
    add_ons: Vec<(usize, usize, Option<u64>, WrittenSpan)>,
    add: Vec<(usize, usize, Option<usize>, WrittenSpan)>,
    remove: Vec<(usize, usize, WrittenSpan)>,
}

#[derive(Clone, Debug)]
pub struct NewAmendment {
    effective: WrittenMoment,
    plan: Option<usize>,
    end: Option<WrittenMoment>,
    revoked: bool,
}

#[derive(Clone, Debug)]
pub struct NewInstance {
    definition: usize,
    amount: Option<usize>,
    span: WrittenSpan,
}

#[derive(Clone, Debug)]
pub enum Happening {
    Pass(u8),
    EditPlan(usize, NewPlan),
    /// Only what its entries come to.
    Reprice(usize, Option<usize>, bool),
    Retire(usize),
    DeletePlan(usize),
    EditAddOn(usize, NewPlan),
    DeleteAddOn(usize),
    Define(usize, usize, bool),
    DeleteDefinition(usize),
    Subscribe(usize, NewSubscription),
    /// A change of what is locked while it is Active: so it goes back to Draft.
    Redraft(usize, usize, WrittenSpan),
    SetState(usize, PlainState),
    Agree(usize, u8),
    Lists(usize, NewLists),
    Amend(usize, NewAmendment),
    Revoke(usize),
    Suspend(usize),
    Unsubscribe(usize),
    Grant(usize, NewInstance),
    DeleteInstance(usize),
    ChangeZone(bool),
    SuspendOrganization(bool),
    /// The operator is down for this one: it sees what came of it later.
    Unseen(Box<Happening>),
}

/// A history: the state at first, and what happens then.
#[derive(Clone, Debug)]
pub struct Tale {
    epoch: Epoch,
    definitions: Vec<(usize, bool)>,
    plans: Vec<NewPlan>,
    add_ons: Vec<NewPlan>,
    subscriptions: Vec<(u8, NewSubscription)>,
    instances: Vec<(u8, NewInstance)>,
    now: u8,
    pub happenings: Vec<Happening>,
}

fn moment() -> impl Strategy<Value = WrittenMoment> {
    prop_oneof![
        8 => (0u8..24).prop_map(WrittenMoment::Tick),
        8 => (0u8..24).prop_map(WrittenMoment::Date),
        1 => Just(WrittenMoment::Never),
        1 => Just(WrittenMoment::Nonsense),
    ]
}

fn early() -> impl Strategy<Value = WrittenMoment> {
    prop_oneof![(0u8..10).prop_map(WrittenMoment::Tick), (0u8..10).prop_map(WrittenMoment::Date)]
}

fn late() -> impl Strategy<Value = WrittenMoment> {
    prop_oneof![(8u8..24).prop_map(WrittenMoment::Tick), (8u8..24).prop_map(WrittenMoment::Date)]
}

fn span() -> impl Strategy<Value = WrittenSpan> {
    prop_oneof![
        2 => (weighted(0.5, moment()), weighted(0.5, moment())),
        5 => (weighted(0.5, early()), weighted(0.5, late())),
    ]
    .prop_map(|(start, end)| WrittenSpan(start, end))
}

fn amount() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![6 => Just(None), 12 => (0..AMOUNTS.len() - 1).prop_map(Some), 1 => Just(Some(AMOUNTS.len() - 1))]
}

/// A plan that includes none but those before it, which is therefore ready as a rule.
fn plan() -> impl Strategy<Value = NewPlan> {
    let definitions = prop_oneof![
        12 => subsequence(vec![0, 1, 2], 0..=3),
        1 => vec(0..DEFINITIONS.len(), 2..=3),
    ];
    let rest = (weighted(0.4, prop_oneof![Just("P1M"), Just("P3D"), Just("PT36H")]), weighted(0.4, Just("P2D")));
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.1), prop::bool::weighted(0.95));
    let includes = prop_oneof![3 => Just(Vec::new()), 3 => Just(vec![0]), 1 => subsequence(vec![0, 1, 2, 3], 1..=2)];
    (includes, definitions, vec(amount(), 3), subsequence(vec![0, 1], 0..=2), rest, flags).prop_map(
        |(includes, definitions, amounts, add_ons, (term, grace), (everyone, retired, product))| {
            let entries = definitions.into_iter().zip(amounts).collect();
            NewPlan { includes, entries, add_ons, term, grace, everyone, retired, product }
        },
    )
}

fn lists() -> impl Strategy<Value = NewLists> {
    let name = || 0..ENTRIES.len();
    let quantity = weighted(0.5, prop_oneof![Just(0u64), Just(1), Just(3)]);
    let add_on = (name(), prop_oneof![9 => 0..ADD_ONS.len(), 1 => Just(ADD_ONS.len())], quantity, span());
    let add = (name(), 0..DEFINITIONS.len(), amount(), span());
    let remove = (name(), 0..DEFINITIONS.len(), span());
    (vec(add_on, 0..=2), vec(add, 0..=2), vec(remove, 0..=1)).prop_map(|(add_ons, add, remove)| NewLists {
        add_ons,
        add,
        remove,
    })
}

fn amendment() -> impl Strategy<Value = NewAmendment> {
    (
        moment(),
        weighted(0.7, prop_oneof![9 => 0..3usize, 1 => Just(3)]),
        weighted(0.3, moment()),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(effective, plan, end, revoked)| NewAmendment { effective, plan, end, revoked })
}

fn state() -> impl Strategy<Value = PlainState> {
    prop_oneof![8 => Just(PlainState::Active), 1 => Just(PlainState::Draft), 1 => Just(PlainState::Cancelled)]
}

fn subscription() -> impl Strategy<Value = NewSubscription> {
    let renews = weighted(0.4, 0..SUBSCRIPTIONS.len());
    let rest = (lists(), vec(amendment(), 0..=2), prop::bool::weighted(0.02));
    (0..PLANS.len(), span(), renews, state(), rest).prop_map(
        |(plan, span, renews, state, (lists, amendments, elsewhere))| NewSubscription {
            plan,
            span,
            renews,
            state,
            elsewhere,
            lists,
            amendments,
        },
    )
}

fn instance() -> impl Strategy<Value = NewInstance> {
    (0..DEFINITIONS.len(), amount(), span()).prop_map(|(definition, amount, span)| NewInstance {
        definition,
        amount,
        span,
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    let one = || 0..SUBSCRIPTIONS.len();
    let seen = prop_oneof![
        6 => (1u8..5).prop_map(Happening::Pass),
        3 => (0..PLANS.len(), plan()).prop_map(|(index, plan)| Happening::EditPlan(index, plan)),
        3 => (0..PLANS.len(), amount(), any::<bool>())
            .prop_map(|(index, amount, everyone)| Happening::Reprice(index, amount, everyone)),
        1 => (0..PLANS.len()).prop_map(Happening::Retire),
        1 => (0..PLANS.len()).prop_map(Happening::DeletePlan),
        2 => (0..ADD_ONS.len(), plan()).prop_map(|(index, plan)| Happening::EditAddOn(index, plan)),
        1 => (0..ADD_ONS.len()).prop_map(Happening::DeleteAddOn),
        1 => (0..DEFINITIONS.len(), 0..AMOUNTS.len(), prop::bool::weighted(0.2))
            .prop_map(|(index, amount, broken)| Happening::Define(index, amount, broken)),
        1 => (0..DEFINITIONS.len()).prop_map(Happening::DeleteDefinition),
        2 => (one(), subscription()).prop_map(|(index, new)| Happening::Subscribe(index, new)),
        1 => (one(), 0..PLANS.len(), span()).prop_map(|(index, plan, span)| Happening::Redraft(index, plan, span)),
        2 => (one(), state()).prop_map(|(index, state)| Happening::SetState(index, state)),
        2 => (one(), 0u8..3).prop_map(|(index, agreement)| Happening::Agree(index, agreement)),
        4 => (one(), lists()).prop_map(|(index, lists)| Happening::Lists(index, lists)),
        3 => (one(), amendment()).prop_map(|(index, amendment)| Happening::Amend(index, amendment)),
        1 => one().prop_map(Happening::Revoke),
        1 => one().prop_map(Happening::Suspend),
        1 => one().prop_map(Happening::Unsubscribe),
        1 => (0..INSTANCES.len(), instance()).prop_map(|(index, new)| Happening::Grant(index, new)),
        1 => (0..INSTANCES.len()).prop_map(Happening::DeleteInstance),
        1 => any::<bool>().prop_map(Happening::ChangeZone),
        1 => any::<bool>().prop_map(Happening::SuspendOrganization),
    ];
    (seen, prop::bool::weighted(0.15)).prop_map(
        |(happening, unseen)| {
            if unseen { Happening::Unseen(Box::new(happening)) } else { happening }
        },
    )
}

/// A history with at most so many happenings.
pub fn tale(happenings: usize) -> impl Strategy<Value = Tale> {
    let catalogue = (
        vec((0..AMOUNTS.len(), prop::bool::weighted(0.3)), DEFINITIONS.len()),
        vec(plan(), PLANS.len()),
        vec(plan(), ADD_ONS.len()),
    );
    let sources = (vec((0u8..6, subscription()), 1..=3), vec((0u8..6, instance()), 0..=2));
    let epoch = (0..EPOCHS.len()).prop_map(|index| EPOCHS[index]);
    (epoch, catalogue, sources, 5u8..10, vec(happening(), 0..=happenings)).prop_map(
        |(epoch, (definitions, plans, add_ons), (subscriptions, instances), now, happenings)| Tale {
            epoch,
            definitions,
            plans,
            add_ons,
            subscriptions,
            instances,
            now,
            happenings,
        },
    )
}

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

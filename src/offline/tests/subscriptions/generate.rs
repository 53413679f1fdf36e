//! Small but nasty histories of an organization with plans and subscriptions.

mod telling;

pub use telling::TaleTelling;

use super::plain::{PlainState, at};
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

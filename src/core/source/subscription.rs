//! The subscription: an EntitlementSubscription grants an organization what its plan and add-ons give, and what was agreed beside
//! them.
//!
//! Reading never fails. What cannot be read is kept as such, and is a reason to leave it out later.

mod reading;

use super::{
    SourceId,
    stated::{StatedAmendment, StatedSource},
};
use crate::{
    api::{
        AmountField, EntitlementSubscription, EntitlementSubscriptionStatus, Phase,
        entitlement_subscription::{EntitlementStatus, EntryList, EntryRecord, PlanRecord, SubscriptionRecord},
        facet_fields::{FacetFields, SecretFacet},
        lifecycle::State,
    },
    core::{
        acceptance::Acceptance,
        amount::{Amount, InvalidAmount},
        calendar::{Instant, InvalidMoment, Moment},
        facets::possible_source,
        grant::{Remembered, RememberedCondition, Stated},
        usage::caps::{ChannelCaps, InvalidCap},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
    sync::Arc,
};

/// What a subscription states: all of it but its status.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedSubscription {
    /// What it states of its own lifecycle.
    pub source: StatedSource,
    /// The plan that it is to.
    pub plan: Arc<str>,
    /// Which agreement with the client it is.
    pub agreement: Arc<str>,
    /// Add-ons, in the order of the list.
    pub add_ons: Vec<AddOn>,
    /// What is given besides, in the order of the list.
    pub add: Vec<Addition>,
    /// What is not given, in the order of the list.
    pub remove: Vec<Removal>,
    /// Values of facets, by definition.
    pub configure: BTreeMap<Arc<str>, Configuration>,
    /// As written, in the order of the list.
    pub amendments: Vec<PlanAmendment>,
}

impl Deref for StatedSubscription {
    type Target = StatedSource;

    fn deref(&self) -> &StatedSource {
        &self.source
    }
}

impl DerefMut for StatedSubscription {
    fn deref_mut(&mut self) -> &mut StatedSource {
        &mut self.source
    }
}

/// Who says from when on an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The start that it states, or that of the subscription, which it is as old as.
    Stated,
    /// Nobody: an entry that may come at any time counts with the subscription.
    Unstated,
}

/// From when until when an entry counts, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatedWindow {
    /// Absent: with the subscription.
    pub start: Stated<Moment, InvalidMoment>,
    /// Absent: with the subscription, its grace included.
    pub end: Stated<Moment, InvalidMoment>,
}

impl StatedWindow {
    fn of(start: Option<&str>, end: Option<&str>) -> Self {
        Self { start: start.map(str::parse), end: end.map(str::parse) }
    }

    /// Who says from when on it counts.
    #[must_use]
    pub fn beginning(&self) -> Beginning {
        if self.start.is_some() { Beginning::Stated } else { Beginning::Unstated }
    }
}

/// An add-on of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct AddOn {
    /// The entry's name.
    pub name: Arc<str>,
    /// The plan of type AddOn.
    pub plan: Arc<str>,
    /// How many times.
    pub quantity: u32,
    /// When it counts.
    pub window: StatedWindow,
    /// Why, for people.
    pub reason: Option<String>,
}

/// What a client gets besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Addition {
    /// The entry's name.
    pub name: Arc<str>,
    /// What is given.
    pub definition: Arc<str>,
    /// How much; absent: as much as the definition has.
    pub amount: Stated<Amount, InvalidAmount>,
    /// How much of it can be used by each channel.
    pub channels: Stated<Arc<ChannelCaps>, InvalidCap>,
    /// Values of facets.
    pub facets: Arc<FacetFields>,
    /// When it counts.
    pub window: StatedWindow,
    /// Why, for people.
    pub reason: Option<String>,
}

/// What a client does not get of plan and add-ons.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// The entry's name.
    pub name: Arc<str>,
    /// What is not given.
    pub definition: Arc<str>,
    /// When it counts.
    pub window: StatedWindow,
    /// Why, for people.
    pub reason: Option<String>,
}

/// Values of the facets of a definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// Its place in the list.
    pub index: usize,
    /// In plain.
    pub facets: Arc<FacetFields>,
    /// Sources of secret values.
    pub secret_facets: Vec<SecretFacet>,
}

/// An effective-dated change of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanAmendment {
    /// What an amendment of any source states.
    pub stated: StatedAmendment,
    /// The plan from then on.
    pub plan: Option<Arc<str>>,
}

impl AsRef<StatedAmendment> for PlanAmendment {
    fn as_ref(&self) -> &StatedAmendment {
        &self.stated
    }
}

impl Deref for PlanAmendment {
    type Target = StatedAmendment;

    fn deref(&self) -> &StatedAmendment {
        &self.stated
    }
}

/// Which entry of a subscription.
pub type EntryKey = (EntryList, Arc<str>);

/// What a subscription has taken from the catalogue beside what every source does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreed {
    /// The line that it has its seat in.
    pub line: Option<Arc<str>>,
    /// The revision of each plan and add-on.
    pub plans: BTreeMap<Arc<str>, Arc<str>>,
    /// The names of the plans that it has taken, under whichever agreement: these are not new.
    pub seen: BTreeSet<Arc<str>>,
    /// The entries that were usable once, as they were last.
    pub entries: BTreeMap<EntryKey, AgreedEntry>,
}

/// An entry that was usable, as it was then.
#[derive(Clone, Debug, PartialEq)]
pub enum AgreedEntry {
    /// Of `addOns`.
    AddOn(AddOn),
    /// Of `add`.
    Addition(Addition),
}

/// What a status says of one definition that a subscription gives.
#[derive(Clone, Debug, PartialEq)]
pub struct RememberedRight {
    /// Whether it was given then.
    pub entitled: bool,
    /// How much.
    pub amount: Option<Amount>,
    /// Whether it was removed.
    pub removed: bool,
}

/// One organization's subscription to one plan.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What it states. A status is written now and then, and its subscription shares this with the one before.
    pub stated: Arc<StatedSubscription>,
    /// What it took when it was accepted; absent where the record no longer belongs to the spec.
    pub accepted: Option<Arc<Acceptance>>,
    /// What it took of the catalogue.
    pub agreed: Arc<Agreed>,
    /// What the status remembers. Its facets are in `facets`.
    pub remembered: Remembered,
    /// The last stated facets that were valid, by definition.
    pub facets: Arc<BTreeMap<Arc<str>, Arc<FacetFields>>>,
    /// What it gave, as the status says.
    pub rights: Arc<BTreeMap<Arc<str>, RememberedRight>>,
}

impl Deref for Subscription {
    type Target = StatedSubscription;

    fn deref(&self) -> &StatedSubscription {
        &self.stated
    }
}

impl DerefMut for Subscription {
    fn deref_mut(&mut self) -> &mut StatedSubscription {
        Arc::make_mut(&mut self.stated)
    }
}

impl Subscription {
    /// Which source it is.
    #[must_use]
    pub fn id(&self) -> SourceId {
        self.age.id()
    }

    /// The definitions that it names itself: those of its plans come beside these.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<str>> {
        let recorded = self.agreed.entries.values().filter_map(|entry| match entry {
            AgreedEntry::Addition(addition) => Some(&addition.definition),
            AgreedEntry::AddOn(_) => None,
        });
        let added = self.add.iter().map(|entry| &entry.definition);
        let removed = self.remove.iter().map(|entry| &entry.definition);
        added.chain(removed).chain(self.configure.keys()).chain(recorded).chain(self.rights.keys())
    }

    /// The Secrets, by namespace and name, that it takes values from. One that no Secret can be called is none.
    pub fn sources(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        let namespace = &self.age.namespace;
        let named = self.configure.values().flat_map(|configuration| &configuration.secret_facets);
        named.filter_map(move |source| possible_source(namespace, source))
    }

    /// The plans and add-ons that it names.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<str>> {
        let amended = self.amendments.iter().filter_map(|amendment| amendment.plan.as_ref());
        let added = self.add_ons.iter().map(|entry| &entry.plan);
        let recorded = self.agreed.add_ons().map(|add_on| &add_on.plan);
        std::iter::once(&self.plan).chain(amended).chain(added).chain(recorded).chain(self.agreed.plans.keys())
    }

    /// The same subscription with another moment of its creation.
    #[must_use]
    pub fn created_at(mut self, created: Instant) -> Self {
        if self.age.made == self.created {
            self.age.made = created;
        }
        self.created = created;
        self
    }

    /// The same subscription with what another of the same name remembers: it was there before, and is edited.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> Self {
        let is_of_spec = before.written == self.written && before.plan == self.plan;
        let is_of_record = is_of_spec && self.state != State::Draft;
        let keeps_plans = before.plan == self.plan && before.agreement == self.agreement;
        self.accepted = before.accepted.clone().filter(|_| is_of_record);
        let mut agreed = Agreed::clone(&before.agreed);
        if !is_of_record {
            agreed.entries.clear();
            agreed.line = None;
        }
        if !keeps_plans {
            agreed.plans.clear();
        }
        self.agreed = Arc::new(agreed);
        self.remembered = before.remembered.clone();
        self.facets = Arc::clone(&before.facets);
        self.rights = Arc::clone(&before.rights);
        self
    }

    /// Its phase, as it was last written.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        self.remembered.phase
    }
}

/// What an EntitlementSubscription says, with what its status remembers.
#[must_use]
pub fn subscription(object: &EntitlementSubscription) -> Subscription {
    let stated = Arc::new(reading::stated(object));
    let subscription = Subscription {
        stated,
        accepted: None,
        agreed: Arc::default(),
        remembered: Remembered::default(),
        facets: Arc::default(),
        rights: Arc::default(),
    };
    match &object.status {
        Some(status) => remembering(subscription, status),
        None => subscription,
    }
}

/// The subscription with what another status of it remembers.
#[must_use]
pub fn remembering(mut subscription: Subscription, status: &EntitlementSubscriptionStatus) -> Subscription {
    let record = status.accepted.as_ref();
    let is_of_plan = record.is_some_and(|record| record.plan.as_deref() == Some(&*subscription.plan));
    let accepted = record.filter(|_| is_of_plan).map(|record| &record.acceptance);
    let accepted = Acceptance::of(subscription.state, &subscription.written, accepted);
    subscription.accepted = accepted.map(|accepted| Arc::new(accepted.of_source(&subscription.age)));
    subscription.agreed = Arc::new(agreed(&subscription, record.filter(|_| is_of_plan)));
    subscription.remembered = Remembered {
        settlement: None,
        phase: status.phase,
        facets: None,
        notices: status.notices.clone(),
        conditions: status.conditions.iter().map(RememberedCondition::from).collect(),
    };
    let facets = status.facets.iter().flatten();
    subscription.facets =
        Arc::new(facets.map(|(definition, facets)| (definition.as_str().into(), Arc::new(facets.clone()))).collect());
    let rights = status.entitlements.iter().map(|right| (right.definition.as_str().into(), remembered_right(right)));
    subscription.rights = Arc::new(rights.collect());
    subscription
}

fn remembered_right(right: &EntitlementStatus) -> RememberedRight {
    let amount = right.amount.as_ref().and_then(|amount| Amount::read(&AmountField::Text(amount.clone())).ok());
    RememberedRight { entitled: right.entitled, amount, removed: right.removed }
}

/// What of a record still belongs to the spec: the plans as long as plan and agreement are those recorded, the rest with the
/// acceptance.
fn agreed(subscription: &Subscription, record: Option<&SubscriptionRecord>) -> Agreed {
    let Some(record) = record else { return Agreed::default() };
    let is_same_agreement = *record.agreement == *subscription.agreement;
    let plans = record.plans.iter().filter(|_| is_same_agreement);
    let entries = record.entries.iter().filter(|_| subscription.accepted.is_some());
    Agreed {
        line: record.line.as_deref().filter(|_| subscription.accepted.is_some()).map(Into::into),
        seen: record.plans.iter().map(|plan| plan.plan.as_str().into()).collect(),
        plans: plans.map(|plan| (plan.plan.as_str().into(), plan.revision.as_str().into())).collect(),
        entries: entries.filter_map(agreed_entry).collect(),
    }
}

fn agreed_entry(record: &EntryRecord) -> Option<(EntryKey, AgreedEntry)> {
    let name: Arc<str> = record.name.as_str().into();
    let window = StatedWindow::of(record.start.as_deref(), record.end.as_deref());
    let entry = match record.list {
        EntryList::AddOns => AgreedEntry::AddOn(AddOn {
            name: Arc::clone(&name),
            plan: record.plan.as_deref()?.into(),
            quantity: record.quantity.unwrap_or(1),
            window,
            reason: None,
        }),
        EntryList::Add => AgreedEntry::Addition(Addition {
            name: Arc::clone(&name),
            definition: record.definition.as_deref()?.into(),
            amount: record.amount.as_ref().map(Amount::read),
            channels: None,
            facets: Arc::default(),
            window,
            reason: None,
        }),
        EntryList::Remove | EntryList::Configure => return None,
    };
    Some(((record.list, name), entry))
}

impl Agreed {
    /// The recorded entries of `addOns`.
    pub fn add_ons(&self) -> impl Iterator<Item = &AddOn> {
        self.entries.values().filter_map(|entry| match entry {
            AgreedEntry::AddOn(add_on) => Some(add_on),
            AgreedEntry::Addition(_) => None,
        })
    }

    /// The record as the status holds it.
    #[must_use]
    pub fn record(&self, acceptance: Option<&Acceptance>, of: &StatedSubscription) -> SubscriptionRecord {
        SubscriptionRecord {
            acceptance: acceptance.map(Acceptance::record).unwrap_or_default(),
            line: self.line.as_deref().map(str::to_owned),
            plans: self.plans.iter().map(|(plan, revision)| plan_record(plan, revision)).collect(),
            entries: self.entries.iter().map(|((list, name), entry)| entry.record(*list, name)).collect(),
            plan: Some(of.plan.to_string()),
            agreement: of.agreement.to_string(),
        }
    }
}

fn plan_record(plan: &str, revision: &str) -> PlanRecord {
    PlanRecord { plan: plan.to_owned(), revision: revision.to_owned() }
}

impl AgreedEntry {
    fn record(&self, list: EntryList, name: &str) -> EntryRecord {
        let (Self::AddOn(AddOn { window, .. }) | Self::Addition(Addition { window, .. })) = self;
        let written = |stated: &Stated<Moment, InvalidMoment>| stated.as_ref()?.as_ref().ok().map(ToString::to_string);
        let (start, end) = (written(&window.start), written(&window.end));
        let (plan, quantity, definition, amount) = match self {
            Self::AddOn(entry) => (Some(entry.plan.to_string()), Some(entry.quantity), None, None),
            Self::Addition(entry) => {
                let amount = entry.amount.as_ref().and_then(|amount| amount.as_ref().ok());
                let amount = amount.map(|amount| AmountField::Text(amount.to_string()));
                (None, None, Some(entry.definition.to_string()), amount)
            }
        };
        EntryRecord { list, name: name.to_owned(), plan, definition, quantity, amount, start, end }
    }
}

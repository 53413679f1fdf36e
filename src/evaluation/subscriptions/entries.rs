//! Which entries of a subscription's lists count, and in which form: the present one, or the last that could be used.

use super::{
    course::PlanCourse,
    plans::{Choice, Plans},
};
use crate::{
    api::{
        entitlement_definition::{EntitlementType, Rollout},
        entitlement_plan::PlanType,
        entitlement_subscription::EntryList,
        lifecycle::State,
    },
    core::{
        amount::Amount,
        calendar::{Instant, Nominal, Tz},
        definition::Definition,
        problem::Problem,
        reason::ReasonCode,
        source::subscription::{AddOn, Addition, Agreed, AgreedEntry, EntryKey, StatedWindow, Subscription},
        subscription::{OwnTime, Removed, Window},
        usage::caps::ChannelCaps,
    },
    evaluation::{Snapshot, catalogue::Present},
};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The most parts that all entries of a subscription come to, over all their time.
const MOST_PARTS: usize = 1024;

/// What there is to say about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryNote {
    /// Its list.
    pub list: EntryList,
    /// Its name.
    pub name: Arc<str>,
    /// Its place in the list.
    pub index: usize,
    /// Why it does not count as it is written, or what is not as it was.
    pub message: String,
    /// Whether it does not count as it is written.
    pub is_ignored: bool,
}

impl EntryNote {
    /// The same as a problem, with its place.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem::new(ReasonCode::EntryIgnored, self.to_string()).at(format!(
            "/spec/{}/{}",
            self.list.as_str(),
            self.index
        ))
    }
}

impl fmt::Display for EntryNote {
    /// `addOns seats: why`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.list.as_str(), self.name, self.message)
    }
}

/// By what entries are judged.
pub struct Judge<'a> {
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// The plans.
    pub plans: Plans<'a>,
    /// The subscription.
    pub subscription: &'a Subscription,
    /// What it has taken up to now; of a renewal that is new, what it takes over.
    pub agreed: &'a Agreed,
    /// Whether it was accepted before.
    pub is_recorded: bool,
    /// Its plans.
    pub course: &'a PlanCourse,
    /// Its time.
    pub own: OwnTime,
    /// In which its dates are.
    pub zone: Tz,
    /// The moment.
    pub now: Instant,
}

/// An entry that counts, with when.
#[derive(Clone, Debug)]
pub struct Usable<T> {
    /// In the form that counts.
    pub entry: T,
    /// None: it never begins.
    pub window: Option<Window>,
}

/// What entries come to.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Add-ons that count, in the order of the list.
    pub add_ons: Vec<Usable<AddOn>>,
    /// Additions that count, in the order of the list; the amount of each is that which counts.
    pub additions: Vec<Usable<Addition>>,
    /// Removals that count, by definition.
    pub removals: BTreeMap<Arc<str>, Vec<Removed>>,
    /// What there is to say.
    pub notes: Vec<EntryNote>,
    /// What is recorded from now on.
    pub entries: BTreeMap<EntryKey, AgreedEntry>,
    parts: usize,
}

impl Judge<'_> {
    /// Judges all lists.
    pub fn judge(&self) -> Judged {
        let mut judged = Judged::default();
        for (index, entry) in self.subscription.add_ons.iter().enumerate() {
            self.add_on(&mut judged, index, entry);
        }
        for (index, entry) in self.subscription.add.iter().enumerate() {
            self.addition(&mut judged, index, entry);
        }
        for (index, entry) in self.subscription.remove.iter().enumerate() {
            match self.cut(&entry.window) {
                Ok(window) => {
                    let removals = judged.removals.entry(Arc::clone(&entry.definition)).or_default();
                    removals.extend(window.map(|window| Removed { name: Arc::clone(&entry.name), window }));
                }
                Err(fault) => self.note(&mut judged, EntryList::Remove, &entry.name, index, fault, true),
            }
        }
        judged
    }

    fn cut(&self, window: &StatedWindow) -> Result<Option<Window>, String> {
        self.own.cut(window, self.zone).map_err(|fault| fault.to_string())
    }

    /// A Draft gives nothing, so nothing of it is left out.
    fn note(
        &self,
        judged: &mut Judged,
        list: EntryList,
        name: &Arc<str>,
        index: usize,
        message: String,
        is_ignored: bool,
    ) {
        let is_ignored = is_ignored && self.subscription.state != State::Draft;
        judged.notes.push(EntryNote { list, name: Arc::clone(name), index, message, is_ignored });
    }

    fn add_on(&self, judged: &mut Judged, index: usize, entry: &AddOn) {
        let key: EntryKey = (EntryList::AddOns, Arc::clone(&entry.name));
        let recorded = match self.agreed.entries.get(&key) {
            Some(AgreedEntry::AddOn(recorded)) => Some(recorded),
            _ => None,
        };
        let is_its_own = recorded.is_some_and(|recorded| recorded.plan == entry.plan);
        let usable = self.cut(&entry.window).and_then(|window| {
            let parts = window.map_or(0, |_| self.parts_of(entry));
            if is_its_own {
                return Ok((window, parts));
            }
            self.may_add(entry, window)?;
            Self::has_room(judged, parts)?;
            Ok((window, parts))
        });
        let (form, window, parts) = match (usable, recorded) {
            (Ok((window, parts)), _) => {
                if is_its_own && let Some(message) = self.no_longer(entry) {
                    self.note(judged, key.0, &entry.name, index, message, false);
                }
                (entry, window, parts)
            }
            (Err(fault), Some(recorded)) => {
                let message = format!("{fault}; until that is mended, it counts as it did before");
                self.note(judged, key.0, &entry.name, index, message, true);
                (recorded, self.cut(&recorded.window).ok().flatten(), self.parts_of(recorded))
            }
            (Err(fault), None) => return self.note(judged, key.0, &entry.name, index, fault, true),
        };
        judged.parts += parts;
        judged.add_ons.push(Usable { entry: form.clone(), window });
        judged.entries.insert(key, AgreedEntry::AddOn(form.clone()));
    }

    /// Into how many parts an add-on falls.
    fn parts_of(&self, entry: &AddOn) -> usize {
        match self.plans.choose(&entry.plan, self.agreed.plans.get(&entry.plan)) {
            Choice::Counts(counting) if entry.quantity > 0 => counting.agreed.entries.len(),
            _ => 0,
        }
    }

    fn has_room(judged: &Judged, parts: usize) -> Result<(), String> {
        if judged.parts + parts <= MOST_PARTS {
            return Ok(());
        }
        Err(format!(
            "with it, the entries of this subscription would come to more than {MOST_PARTS} parts: put what belongs together into one add-on or plan"
        ))
    }

    /// Whether an add-on can be taken anew.
    fn may_add(&self, entry: &AddOn, window: Option<Window>) -> Result<(), String> {
        if let Some(fault) = self.plans.fault(&entry.plan, PlanType::AddOn) {
            return Err(fault.message);
        }
        let start = window.map_or_else(|| self.start(&entry.window), |window| window.from);
        let plan = self.course.at(self.now.max(start));
        let may_be_of_start = !self.is_recorded && self.allows(self.course.at(start), entry);
        if self.allows(plan, entry) || may_be_of_start {
            return Ok(());
        }
        Err(not_allowed(plan, entry))
    }

    /// When one begins that has no time in the subscription's own.
    fn start(&self, window: &StatedWindow) -> Instant {
        let stated = window.start.as_ref().and_then(|start| start.as_ref().ok());
        let stated = stated.map(|start| Nominal::of_start(*start, self.zone).instant());
        stated.into_iter().chain(self.own.start.at()).max().unwrap_or(self.now)
    }

    fn allows(&self, plan: &str, entry: &AddOn) -> bool {
        self.plans.serving(plan).is_some_and(|plan| plan.add_ons.contains(&entry.plan))
    }

    /// What is no longer as it was when an add-on was taken, which stays.
    fn no_longer(&self, entry: &AddOn) -> Option<String> {
        let plan = self.course.at(self.now);
        if !self.plans.exists(&entry.plan) {
            return Some(format!("plan {} does not exist any more: what was agreed stays", entry.plan));
        }
        (!self.allows(plan, entry)).then(|| format!("{}, but what was agreed stays", not_allowed(plan, entry)))
    }

    fn addition(&self, judged: &mut Judged, index: usize, entry: &Addition) {
        let key: EntryKey = (EntryList::Add, Arc::clone(&entry.name));
        let recorded = match self.agreed.entries.get(&key) {
            Some(AgreedEntry::Addition(recorded)) => Some(recorded),
            _ => None,
        };
        let own = recorded.filter(|recorded| recorded.definition == entry.definition);
        let usable = self.cut(&entry.window).and_then(|window| {
            if let Some(Err(error)) = &entry.amount {
                return Err(error.to_string());
            }
            if own.is_none() {
                self.may_give(entry)?;
                Self::has_room(judged, window.map_or(0, |_| 1))?;
            }
            self.check_amount(entry)?;
            Ok(window)
        });
        let (form, window) = match (usable, recorded) {
            (Ok(window), _) => {
                if own.is_some() && !self.is_defined(&entry.definition) {
                    let message =
                        format!("definition {} does not exist any more: what was agreed stays", entry.definition);
                    self.note(judged, key.0, &entry.name, index, message, false);
                }
                (self.with_amount(entry, own), window)
            }
            (Err(fault), Some(recorded)) => {
                let message = format!("{fault}; until that is mended, it counts as it did before");
                self.note(judged, key.0, &entry.name, index, message, true);
                (self.with_facets(recorded, entry), self.cut(&recorded.window).ok().flatten())
            }
            (Err(fault), None) => return self.note(judged, key.0, &entry.name, index, fault, true),
        };
        judged.parts += window.map_or(0, |_| 1);
        judged.entries.insert(key, AgreedEntry::Addition(form.clone()));
        judged.additions.push(Usable { entry: form, window });
    }

    fn definition(&self, name: &str) -> Option<&Definition> {
        self.snapshot.catalogue.get(name)?.serving.as_deref().map(|compiled| &compiled.terms)
    }

    fn is_defined(&self, name: &str) -> bool {
        self.snapshot.catalogue.get(name).is_some_and(|entry| entry.present != Present::Missing)
    }

    /// Whether a definition can be given anew.
    fn may_give(&self, entry: &Addition) -> Result<(), String> {
        let name = &entry.definition;
        match self.snapshot.catalogue.get(name).map(|entry| &entry.present) {
            None | Some(Present::Missing) => {
                Err(format!("there is no definition {name}: make it, or name one that exists"))
            }
            Some(Present::Invalid(problem)) => Err(format!("definition {name} cannot be granted: {problem}")),
            Some(Present::Valid) => Ok(()),
        }
    }

    fn check_amount(&self, entry: &Addition) -> Result<(), String> {
        let is_feature = self.definition(&entry.definition).is_some_and(|one| one.type_ == EntitlementType::Feature);
        if is_feature && entry.amount.is_some() {
            return Err(format!("{} is a Feature, which is on or off: remove amount", entry.definition));
        }
        if let Some(Err(error)) = &entry.channels {
            return Err(error.to_string());
        }
        Ok(())
    }

    /// The amount that counts: as stated, else as it was agreed, else as the definition has it.
    fn with_amount(&self, entry: &Addition, recorded: Option<&Addition>) -> Addition {
        let definition = self.definition(&entry.definition);
        let preset = definition.and_then(|definition| definition.amount);
        let agreed = recorded.and_then(amount).filter(|_| {
            definition.is_none_or(|definition| definition.amount.is_some() && definition.rollout == Rollout::Agreed)
        });
        Addition { amount: amount(entry).or(agreed).or(preset).map(Ok), ..entry.clone() }
    }

    /// What was recorded, with the facets of the present form where that is of the same definition, or else as they were last.
    fn with_facets(&self, recorded: &Addition, entry: &Addition) -> Addition {
        let facets = if recorded.definition == entry.definition {
            Arc::clone(&entry.facets)
        } else {
            self.subscription.facets.get(&recorded.definition).cloned().unwrap_or_default()
        };
        let channels = entry.channels.clone().filter(|_| recorded.definition == entry.definition);
        Addition { channels, facets, ..recorded.clone() }
    }
}

/// How much of an addition can be used by each channel, where it says so and can be read.
pub fn channels(entry: &Addition) -> Option<&Arc<ChannelCaps>> {
    entry.channels.as_ref()?.as_ref().ok()
}

/// The amount of an addition, where it can be read.
pub fn amount(entry: &Addition) -> Option<Amount> {
    entry.amount.as_ref().and_then(|amount| amount.as_ref().ok().copied())
}

fn not_allowed(plan: &str, entry: &AddOn) -> String {
    format!("plan {plan} does not allow the add-on {}: add it to the plan's addOns, or take the entry out", entry.plan)
}

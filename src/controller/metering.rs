//! What an organization's evaluation takes from the store, and what the store should have of it afterwards.

use super::{
    clock,
    context::ControllerContext,
    events::{self, Announcement},
    world::{WorkItem, World},
};
use crate::{
    api::{Organization, OrganizationStatus, usage::UsageMode},
    core::{
        calendar::{Instant, format_instant},
        reason::ReasonCode,
        usage::{
            memory::PresentParts,
            record::UsageRecord,
            register::{Register, RegisterId},
            report::StatedReport,
            rules::UsageRules,
            state::{Crossing, crossings},
        },
    },
    evaluation::{
        Snapshot, catalogue::CatalogueEntry, decision::Decision, usage::MeterFacts, usage_report::ReportSurroundings,
    },
    metering::{KnownMeter, MeterWish, MeteringNews},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time;

/// How often the state of an organization's usage is written at most.
const REST: Duration = Duration::from_secs(10);

/// The registers of one meter.
type Registers = BTreeMap<RegisterId, Register>;

/// What is known of an organization's meters, and what is reported.
pub struct MeterView {
    /// By definition.
    known: BTreeMap<Arc<str>, KnownMeter>,
    /// How each is metered of which the store has something.
    rules: BTreeMap<Arc<str>, Arc<UsageRules>>,
    /// What each is judged by, where that is known; None where there is no store.
    reports: Option<Vec<(Arc<StatedReport>, Option<ReportSurroundings>)>>,
}

/// What counts of what is reported, by definition.
pub struct ReportedUsage {
    registers: BTreeMap<Arc<str>, Registers>,
    /// The definitions of which it can't be told yet.
    untold: BTreeSet<Arc<str>>,
    /// When more counts, without that anything is written.
    pub next: Option<Instant>,
}

/// What the store should have of an organization, and what is to be said of it first.
pub struct MeterSettlement {
    wishes: Vec<MeterWish>,
    crossed: Vec<(Arc<str>, Crossing)>,
}

/// Talks to the store as long as the controller runs.
pub async fn run(context: Arc<ControllerContext>) {
    let gate = Arc::clone(&context.gate);
    let may_write = Arc::new(move || gate.tenure_number());
    let world = Arc::clone(&context);
    let adds_up = Arc::new(move |name: &Arc<str>| {
        world.world(|world| world.usage_rules(name)).is_some_and(|rules| rules.mode == UsageMode::Consumed)
    });
    context.meters.run(clock::now, may_write, adds_up, |news| hear(&context, &news)).await;
}

/// Has everything worked on that the news change.
pub fn hear(context: &ControllerContext, news: &MeteringNews) {
    let (organizations, more) = match news {
        MeteringNews::Standing(_) => (context.meters.organizations(), context.world(World::metered_work)),
        MeteringNews::Meters(organizations) => {
            let reports = |name: &Arc<str>| context.world(|world| world.report_ids(name));
            let reports = organizations.iter().flat_map(reports).map(WorkItem::UsageReport).collect();
            (organizations.clone(), reports)
        }
    };
    // Before all is listed nothing is worked on; then everything is.
    if context.world(|world| world.is_ready()) {
        context.queue.add_all(organizations.into_iter().map(WorkItem::Organization).chain(more));
    }
}

impl MeterView {
    /// What is known now, which goes into the snapshot, too.
    pub fn take(context: &ControllerContext, snapshot: &mut Snapshot) -> Self {
        let name = &snapshot.name;
        let is_metered = |(definition, entry): (&Arc<str>, &Arc<_>)| metered(definition, entry);
        let held = snapshot.catalogue.iter().filter_map(is_metered);
        let definitions: BTreeSet<Arc<str>> = held.chain(context.meters.definitions(name)).collect();
        let known = context.meters.known(name, definitions.iter());
        let facts = |(name, known): (&Arc<str>, &KnownMeter)| {
            let is_asked_for = is_asked_for(snapshot.catalogue.get(name));
            let facts = if is_asked_for { asked_for(context, name, &known.facts) } else { Arc::clone(&known.facts) };
            (Arc::clone(name), facts)
        };
        snapshot.meters = known.iter().map(facts).collect();
        context.world(|world| Self {
            rules: definitions.iter().filter_map(|one| Some((Arc::clone(one), world.usage_rules(one)?))).collect(),
            reports: context.meters.has_store().then(|| world.reported(&snapshot.name)),
            known,
        })
    }

    /// What counts of what is reported; None where there is no store.
    pub fn reported(&self, now: Instant) -> Option<ReportedUsage> {
        let mut all = ReportedUsage { registers: BTreeMap::new(), untold: BTreeSet::new(), next: None };
        for (report, around) in self.reports.as_ref()? {
            let Some(around) = around else {
                all.untold.insert(Arc::clone(&report.definition));
                continue;
            };
            let Ok(reading) = around.take(report, now) else { continue };
            all.next = all.next.into_iter().chain(reading.next).min();
            all.registers.entry(Arc::clone(&report.definition)).or_default().extend(reading.registers);
        }
        Some(all)
    }

    /// What the store should have once that was decided.
    pub fn outcome(&self, decision: &Decision, reported: Option<ReportedUsage>) -> MeterSettlement {
        let mut outcome = MeterSettlement { wishes: Vec::new(), crossed: Vec::new() };
        let Some(ReportedUsage { mut registers, untold, .. }) =
            reported.filter(|_| decision.standing.organization.is_some())
        else {
            return outcome;
        };
        let definitions: BTreeSet<Arc<str>> = self.known.keys().chain(registers.keys()).cloned().collect();
        for definition in definitions.difference(&untold).cloned() {
            let recorded = self.record(&definition, decision);
            let registers = registers.remove(&definition).unwrap_or_default();
            let (record, crossed) = recorded.unzip();
            outcome.crossed.extend(crossed.into_iter().flatten().map(|one| (Arc::clone(&definition), one)));
            outcome.wishes.push(MeterWish { definition, registers, record });
        }
        outcome
    }

    /// What is to be remembered of a meter, and which crossings are news; None while the store has not answered.
    fn record(&self, definition: &Arc<str>, decision: &Decision) -> Option<(UsageRecord, Vec<Crossing>)> {
        let KnownMeter { facts, said } = self.known.get(definition)?;
        let said = said.as_deref()?;
        let Some(decided) = decision.meters.get(definition) else {
            // Nothing of it is held any more, which ends what was remembered.
            let memory = facts.memory.after(self.rules.get(definition)?, &PresentParts::default(), decision.at);
            return Some((UsageRecord { memory, said: said.to_vec() }, Vec::new()));
        };
        let meter = decided.meter(decision.at).zip(decided.balance.as_ref());
        let (crossed, said) = match meter.filter(|_| decided.state.is_some()) {
            Some((meter, balance)) => crossings(&meter, balance, said),
            None => (Vec::new(), said.to_vec()),
        };
        Some((UsageRecord { memory: decided.memory.clone(), said }, crossed))
    }
}

fn metered(definition: &Arc<str>, entry: &CatalogueEntry) -> Option<Arc<str>> {
    entry.serving.as_ref()?.terms.usage.as_ref().map(|_| Arc::clone(definition))
}

/// Whether a definition takes its usage from Prometheus.
pub fn is_asked_for(entry: Option<&Arc<CatalogueEntry>>) -> bool {
    let serving = entry.and_then(|entry| entry.serving.as_deref());
    serving.and_then(|serving| serving.terms.usage.as_deref()).is_some_and(|rules| rules.prometheus.is_some())
}

/// The same of what Prometheus is asked for: it is heard from the store as long as Prometheus answers, too.
pub fn asked_for(context: &ControllerContext, definition: &str, facts: &Arc<MeterFacts>) -> Arc<MeterFacts> {
    let has_source = context.options.prometheus.is_some();
    let heard = if has_source { context.meters.heard_from_source(definition, facts.heard) } else { None };
    if heard == facts.heard { Arc::clone(facts) } else { Arc::new(MeterFacts { heard, ..MeterFacts::clone(facts) }) }
}

impl MeterSettlement {
    /// Says what is to be said, and has it kept: whoever is killed in between says it again under the same name.
    pub async fn settle(self, context: &ControllerContext, name: &Arc<str>, organization: Option<&Organization>) {
        if context.gate.intentions().is_some() {
            return;
        }
        let uid = organization.and_then(|organization| organization.metadata.uid.as_deref()).unwrap_or_default();
        let about = events::reference::<Organization>(None, name, uid);
        for (definition, crossing) in &self.crossed {
            let period = crossing.period.map(format_instant);
            let before = (&**definition, crossing.to_string(), period);
            context.announcer.tell_first(&about, &before, vec![reached(definition, crossing)]).await;
        }
        context.meters.wish(name, self.wishes);
    }
}

fn reached(definition: &str, crossing: &Crossing) -> Announcement {
    Announcement {
        is_warning: crossing.percent >= 100,
        reason: ReasonCode::ThresholdReached.to_string(),
        action: "Count",
        note: format!("{definition}: {crossing} is used"),
    }
}

/// When the state of each organization's usage was written last.
#[derive(Default)]
pub struct WrittenUsage(Mutex<HashMap<Arc<str>, time::Instant>>);

impl WrittenUsage {
    /// The status as it is to be written now: a state that changes again and again is written every 10 seconds. And when it is worth
    /// another try.
    pub fn paced(
        &self,
        name: &Arc<str>,
        before: Option<&OrganizationStatus>,
        mut status: OrganizationStatus,
    ) -> (OrganizationStatus, Option<time::Instant>) {
        let said = before.map(|before| before.usage.as_slice()).unwrap_or_default();
        if said == status.usage {
            return (status, None);
        }
        let now = time::Instant::now();
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| now < *at + REST);
        if let Some(at) = written.get(name) {
            status.usage = said.to_vec();
            return (status, Some(*at + REST));
        }
        written.insert(Arc::clone(name), now);
        (status, None)
    }
}

#[cfg(test)]
mod tests {
    use super::{REST, WrittenUsage};
    use crate::api::{OrganizationStatus, organization::MeterStatus, usage::UsageState};
    use std::sync::Arc;
    use tokio::time::advance;

    fn status(state: UsageState) -> OrganizationStatus {
        let since = "2027-01-01T00:00:00Z".to_owned();
        let usage = vec![MeterStatus { definition: "support".to_owned(), state, since, resets_at: None }];
        OrganizationStatus { usage, ..OrganizationStatus::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_that_changes_again_is_written_ten_seconds_later() {
        let (written, acme): (WrittenUsage, Arc<str>) = (WrittenUsage::default(), "acme".into());
        let (ok, exhausted) = (status(UsageState::Ok), status(UsageState::Exhausted));
        assert_eq!(written.paced(&acme, None, ok.clone()), (ok.clone(), None));
        assert_eq!(written.paced(&acme, Some(&ok), ok.clone()), (ok.clone(), None));
        let (said, again) = written.paced(&acme, Some(&ok), exhausted.clone());
        assert_eq!((said, again.is_some()), (ok.clone(), true));
        assert_eq!(written.paced(&"globex".into(), Some(&ok), exhausted.clone()), (exhausted.clone(), None));
        advance(REST).await;
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), (exhausted, None));
    }
}

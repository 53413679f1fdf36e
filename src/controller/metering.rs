//! What an organization's evaluation takes from the store, and what the store should have of it afterwards.

use super::{
    clock,
    context::ControllerContext,
    events::{self, Announcement},
    world::{WorkItem, World},
};
use crate::{
    api::{Organization, OrganizationStatus, organization::MeterStatus, usage::UsageMode},
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
    facts.heard_as(if has_source { context.meters.heard_from_source(definition, facts.heard) } else { None })
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
pub struct WrittenUsage {
    /// Since when this replica works: what another one has written may have been written right before.
    begun: Mutex<time::Instant>,
    written: Mutex<HashMap<Arc<str>, time::Instant>>,
}

impl Default for WrittenUsage {
    fn default() -> Self {
        Self { begun: Mutex::new(time::Instant::now()), written: Mutex::default() }
    }
}

/// The status of an organization as it is to be written now.
#[derive(Clone, Debug, PartialEq)]
pub struct PacedStatus {
    /// That status.
    pub status: OrganizationStatus,
    /// Whether it says something new of what is used.
    pub has_news: bool,
    /// When it is worth another try.
    pub again: Option<time::Instant>,
}

impl WrittenUsage {
    /// The status as it is to be written now: a state that changes again and again is written every 10 seconds.
    pub fn paced(
        &self,
        name: &Arc<str>,
        before: Option<&OrganizationStatus>,
        mut status: OrganizationStatus,
    ) -> PacedStatus {
        let said = before.map(|before| before.usage.as_slice()).unwrap_or_default();
        if said == status.usage {
            return PacedStatus { status, has_news: false, again: None };
        }
        let Some(again) = self.rest(name, said) else {
            return PacedStatus { status, has_news: true, again: None };
        };
        status.usage = said.to_vec();
        PacedStatus { status, has_news: false, again: Some(again) }
    }

    /// Until when nothing is written of an organization of which that is said.
    fn rest(&self, name: &Arc<str>, said: &[MeterStatus]) -> Option<time::Instant> {
        let now = time::Instant::now();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| now < *at + REST);
        if let Some(at) = written.get(name) {
            return Some(*at + REST);
        }
        let until = *self.begun.lock().unwrap_or_else(PoisonError::into_inner) + REST;
        (!said.is_empty() && now < until).then_some(until)
    }

    /// That was written right now, or may have been.
    pub fn wrote(&self, name: &Arc<str>) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(Arc::clone(name), time::Instant::now());
    }

    /// This replica works from now on.
    pub fn begin_anew(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = time::Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::{PacedStatus, REST, WrittenUsage};
    use crate::api::{OrganizationStatus, organization::MeterStatus, usage::UsageState};
    use std::{sync::Arc, time::Duration};
    use tokio::time::{Instant, advance};

    fn status(state: UsageState) -> OrganizationStatus {
        let since = "2027-01-01T00:00:00Z".to_owned();
        let usage = vec![MeterStatus { definition: "support".to_owned(), state, since, resets_at: None }];
        OrganizationStatus { usage, ..OrganizationStatus::default() }
    }

    fn paced(status: &OrganizationStatus, has_news: bool, again: Option<Instant>) -> PacedStatus {
        PacedStatus { status: status.clone(), has_news, again }
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_that_changes_again_is_written_ten_seconds_later() {
        let (written, acme): (WrittenUsage, Arc<str>) = (WrittenUsage::default(), "acme".into());
        let (ok, exhausted) = (status(UsageState::Ok), status(UsageState::Exhausted));
        assert_eq!(written.paced(&acme, None, ok.clone()), paced(&ok, true, None));
        // It was refused, and is written at once when it is tried again.
        assert_eq!(written.paced(&acme, None, ok.clone()), paced(&ok, true, None));
        advance(Duration::from_secs(7)).await;
        written.wrote(&acme);
        let again = Instant::now() + REST;
        assert_eq!(written.paced(&acme, Some(&ok), ok.clone()), paced(&ok, false, None));
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&ok, false, Some(again)));
        assert_eq!(written.paced(&"globex".into(), None, exhausted.clone()), paced(&exhausted, true, None));
        advance(Duration::from_millis(9999)).await;
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&ok, false, Some(again)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&exhausted, true, None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_replica_may_have_written_right_before_is_written_anew_ten_seconds_later() {
        let (written, acme): (WrittenUsage, Arc<str>) = (WrittenUsage::default(), "acme".into());
        let (ok, exhausted) = (status(UsageState::Ok), status(UsageState::Exhausted));
        advance(REST).await;
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&exhausted, true, None));
        written.begin_anew();
        let again = Some(Instant::now() + REST);
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&ok, false, again));
        // Nothing was said of it before.
        assert_eq!(written.paced(&acme, None, exhausted.clone()), paced(&exhausted, true, None));
        advance(REST).await;
        assert_eq!(written.paced(&acme, Some(&ok), exhausted.clone()), paced(&exhausted, true, None));
    }
}

//! What is answered: decided anew of what is in memory and what the store says, at the moment that is asked for.

use super::{confirmation::Confirmation, counting::CountingDesk, problem::CheckProblem};
use crate::{
    controller::{Knowledge, NamedCatalogue, clock},
    core::{calendar::Instant, usage::allowance::UsageRequest},
    evaluation::{
        Snapshot,
        catalogue::CatalogueEntry,
        check::{CheckAnswer, CheckQuestion, EntitlementList, SoldCatalogue, check, options},
        decision::{Decision, decide, decide_alone, decide_asked},
        memo::Memo,
        usage::AskedMoment,
    },
    metering::{MeterReader, MeterScene},
    store::meter::MeterId,
};
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// Answers checks.
pub struct CheckDesk {
    knowledge: Knowledge,
    meters: Option<Arc<MeterReader>>,
    counting: Option<CountingDesk>,
    confirmation: Confirmation,
}

/// What is asked for of one organization.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The entitlement, by its definition's name.
    pub entitlement: Arc<str>,
    /// How much.
    pub amount: Decimal,
    /// In which way.
    pub channel: Option<Arc<str>>,
    /// When; now where nothing is said.
    pub at: Option<Instant>,
    /// Whether it is asked what would help.
    pub with_options: bool,
}

impl CheckDesk {
    /// Of what the controller knows; what is used is in that store.
    #[must_use]
    pub fn new(knowledge: Knowledge, meters: Option<Arc<MeterReader>>, confirmation: Confirmation) -> Self {
        let counting = meters.clone().map(|reader| CountingDesk::new(reader, knowledge.clone()));
        Self { knowledge, meters, counting, confirmation }
    }

    /// Where uses are counted.
    ///
    /// # Errors
    /// Where they are not.
    pub fn counting(&self) -> Result<&CountingDesk, CheckProblem> {
        self.counting.as_ref().ok_or_else(|| {
            CheckProblem::NotSetUp(
                "the operator runs without a store, so nothing is counted: give it one (--store)".to_owned(),
            )
        })
    }

    /// That what is in memory can be counted by.
    ///
    /// # Errors
    /// Where it was not confirmed for a minute.
    pub fn confirmed(&self) -> Result<(), CheckProblem> {
        self.confirmation.require()
    }

    /// [`scene`] of what the controller knows.
    ///
    /// # Errors
    /// Where there is no such organization or entitlement, or it cannot be told now.
    pub fn scene(&self, organization: &Arc<str>, entitlement: &Arc<str>) -> Result<MeterScene, CheckProblem> {
        scene(&self.knowledge, organization, entitlement)
    }

    /// Whether that may be used.
    ///
    /// # Errors
    /// Where there is no such organization or entitlement, or it cannot be told now.
    pub async fn check(&self, organization: &Arc<str>, wanted: &Wanted) -> Result<CheckAnswer, CheckProblem> {
        let entitlement = &wanted.entitlement;
        let MeterScene { snapshot, definition: serving } = self.scene(organization, entitlement)?;
        let mut snapshot = Arc::unwrap_or_clone(snapshot);
        let now = clock::now();
        let asked = AskedMoment { at: wanted.at.unwrap_or(now), now };
        self.meter(&mut snapshot, Some(entitlement)).await;
        let decision = decide_asked(&snapshot, entitlement, asked);
        let request = UsageRequest { amount: wanted.amount, channel: wanted.channel.as_deref() };
        let question = CheckQuestion { entitlement, definition: Some(&serving.terms), request };
        let mut answer = check(&decision, &question);
        if let Some(usage) = &mut answer.usage {
            usage.notice = self.knowledge.store_notice();
        }
        if wanted.with_options && !answer.allowed {
            let NamedCatalogue { plans, catalogue: definitions } = self.knowledge.whole_catalogue();
            let sold = SoldCatalogue { plans: &plans, definitions: &definitions };
            answer.options = Some(options(&snapshot, sold, entitlement, request, asked.at));
        }
        Ok(answer)
    }

    /// All that an organization holds.
    ///
    /// # Errors
    /// Where there is no such organization, or it cannot be told now.
    pub async fn list(&self, organization: &Arc<str>) -> Result<EntitlementList, CheckProblem> {
        let decision = self.decision(organization).await?;
        let mut list = EntitlementList::of(&decision, &mut Memo::default());
        if let Some(notice) = self.knowledge.store_notice() {
            let used = list.entitlements.values_mut().filter_map(|entry| entry.usage.as_mut());
            used.for_each(|usage| usage.notice = Some(notice.clone()));
        }
        Ok(list)
    }

    /// What is decided of an organization now.
    ///
    /// # Errors
    /// Where there is no such organization, or it cannot be told now.
    pub async fn decision(&self, organization: &Arc<str>) -> Result<Decision, CheckProblem> {
        let mut snapshot = self.snapshot(organization)?;
        let now = clock::now();
        self.meter(&mut snapshot, None).await;
        Ok(decide(&snapshot, now))
    }

    /// What is decided of one entitlement of an organization now, held or not.
    ///
    /// # Errors
    /// Where there is no such organization, or it cannot be told now.
    pub async fn decision_alone(
        &self,
        organization: &Arc<str>,
        entitlement: &Arc<str>,
    ) -> Result<Decision, CheckProblem> {
        let mut snapshot = self.snapshot(organization)?;
        let now = clock::now();
        self.meter(&mut snapshot, Some(entitlement)).await;
        Ok(decide_alone(&snapshot, entitlement, now))
    }

    /// What the controller knows.
    #[must_use]
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    fn snapshot(&self, organization: &Arc<str>) -> Result<Snapshot, CheckProblem> {
        snapshot(&self.knowledge, organization)
    }

    /// Adds what is known of what is used: of one definition, or of all.
    async fn meter(&self, snapshot: &mut Snapshot, only: Option<&Arc<str>>) {
        let Some(meters) = &self.meters else { return };
        let wanted = |name: &Arc<str>| only.is_none_or(|only| only == name);
        let metered = snapshot.catalogue.iter().filter(|(name, entry)| wanted(name) && is_metered(entry));
        let definitions: Vec<_> = metered.map(|(name, entry)| (Arc::clone(name), Arc::clone(entry))).collect();
        for (definition, entry) in definitions {
            let organization = Arc::clone(&snapshot.name);
            let meter = MeterId { organization, definition: Arc::clone(&definition) };
            let facts = meters.facts(&meter, clock::now(), || self.knowledge.read_of(&meter)).await;
            let facts = self.knowledge.heard(&definition, &entry, facts, meters.source(&definition)).await;
            snapshot.meters.insert(definition, facts);
        }
    }
}

/// What is known of an organization, and of an entitlement that it may hold.
///
/// # Errors
/// Where there is no such organization or entitlement, or it cannot be told now.
pub fn scene(
    knowledge: &Knowledge,
    organization: &Arc<str>,
    entitlement: &Arc<str>,
) -> Result<MeterScene, CheckProblem> {
    scene_in(Arc::new(snapshot(knowledge, organization)?), knowledge, organization, entitlement)
}

/// The same for several, each organization looked at once; none where nothing can be told.
pub fn scenes(knowledge: &Knowledge, meters: &[&MeterId]) -> Vec<Option<MeterScene>> {
    let mut snapshots = BTreeMap::new();
    let mut scene = |meter: &&MeterId| {
        let MeterId { organization, definition } = meter;
        let told = || snapshot(knowledge, organization).ok().map(Arc::new);
        let snapshot: Option<Arc<Snapshot>> = snapshots.entry(organization.clone()).or_insert_with(told).clone();
        scene_in(snapshot?, knowledge, organization, definition).ok()
    };
    meters.iter().map(&mut scene).collect()
}

fn scene_in(
    mut snapshot: Arc<Snapshot>,
    knowledge: &Knowledge,
    organization: &Arc<str>,
    entitlement: &Arc<str>,
) -> Result<MeterScene, CheckProblem> {
    if !snapshot.catalogue.contains_key(entitlement)
        && let Some(entry) = knowledge.definition(entitlement)
    {
        Arc::make_mut(&mut snapshot).catalogue.insert(Arc::clone(entitlement), entry);
    }
    let serving = snapshot.catalogue.get(entitlement).and_then(|entry| entry.serving.clone());
    let definition = serving.ok_or_else(|| {
        CheckProblem::NotFound(format!(
            "there is no entitlement {entitlement}: GET /v1/organizations/{organization}/entitlements lists what is held"
        ))
    })?;
    Ok(MeterScene { snapshot, definition })
}

fn snapshot(knowledge: &Knowledge, organization: &Arc<str>) -> Result<Snapshot, CheckProblem> {
    let unlisted = knowledge.unlisted();
    if !unlisted.is_empty() {
        let unlisted = unlisted.join(", ");
        return Err(CheckProblem::Unavailable(format!("it is not ready yet: not listed yet: {unlisted}: try again")));
    }
    let snapshot = knowledge.snapshot(organization).ok_or_else(|| {
        CheckProblem::Unavailable(
            "it cannot be told now what this organization holds: try again, and see the operator's log".to_owned(),
        )
    })?;
    if snapshot.organization.is_none() {
        return Err(CheckProblem::NotFound(format!("there is no organization {organization}")));
    }
    Ok(snapshot)
}

fn is_metered(entry: &CatalogueEntry) -> bool {
    entry.serving.as_ref().is_some_and(|serving| serving.terms.usage.is_some())
}

//! The decision about one subscription, and the record that it leaves.

use super::{
    Surroundings,
    course::PlanCourse,
    entries::{EntryNote, Judge, Judged},
    line::Bonded,
    members::Giver,
    plans::{Choice, Plans},
    rights::{Ingredients, Right, Rights},
};
use crate::{
    api::{
        Phase,
        entitlement_plan::PlanType,
        entitlement_subscription::{EntryList, SubscriptionRecord},
        facet_fields::FacetFields,
        lifecycle::{AmendmentState, State},
    },
    core::{
        calendar::{Bound, Instant},
        facets::{MAX_STATED, Statement, stated_bytes, too_large_together},
        lifecycle::{Change, Group, Outlook, PreparedAmendment, Verdict},
        problem::Problem,
        reason::ReasonCode,
        refusal::Reason,
        schema::Violation,
        source::subscription::{Agreed, AgreedEntry, RememberedRight, Subscription},
        subscription::{OwnTime, Window},
    },
    evaluation::{
        facets::{GrantFacets, Validity},
        holding::Member,
        notices::{Reminded, Reminders},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is decided of one subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionDecision {
    /// The subscription.
    pub subscription: Arc<Subscription>,
    /// What this moment gives for it.
    pub verdict: Verdict,
    /// Its next change by time alone, of what it gives too.
    pub change: Option<Change>,
    /// The subscription that renews it validly.
    pub renewed_by: Option<Arc<str>>,
    /// The plan in force now.
    pub plan: Arc<str>,
    /// The add-ons in force now, with their quantities, in the order of the list.
    pub add_ons: Vec<(Arc<str>, u32)>,
    /// What it has taken of the catalogue from now on.
    pub agreed: Arc<Agreed>,
    /// What there is to say about its entries.
    pub notes: Vec<EntryNote>,
    /// That a revision of its plans is lost, by which something is given now.
    pub lost: Option<Problem>,
    /// What is no longer as it was with its plan, which goes on as agreed.
    pub plan_note: Option<String>,
    /// What it gives of each definition over its time; nothing while it is refused for good.
    pub rights: BTreeMap<Arc<str>, Arc<Right>>,
    /// The facets of each definition that it gives.
    pub facets: BTreeMap<Arc<str>, Arc<GrantFacets>>,
    /// What is not valid of the facets that a definition will have later, where what it has now is valid.
    pub later_faults: BTreeMap<Arc<str>, Vec<Violation>>,
    /// Its amendments in the order in which they count, read in its time zone.
    pub amendments: Arc<[PreparedAmendment]>,
    /// What is said before its end.
    pub reminders: Reminders,
    /// What it gives as grants.
    pub(in crate::evaluation) members: Vec<Arc<Member>>,
    /// The moment.
    pub at: Instant,
}

impl SubscriptionDecision {
    /// What the status says of each definition that it gives now or later, or that only a removal keeps away.
    #[must_use]
    pub fn told_rights(&self) -> BTreeMap<Arc<str>, RememberedRight> {
        let gives = matches!(self.verdict.phase, Phase::Waiting | Phase::Active | Phase::Grace | Phase::Suspended);
        let members = self.members.iter().filter(|member| gives && !matches!(member.verdict.phase, Phase::Expired));
        let held = members.map(|member| {
            let entitled = member.verdict.phase.is_in_force();
            let definition = &member.grant.id.definition;
            let removed = self.rights.get(definition).is_some_and(|right| right.is_removed(self.at));
            (Arc::clone(definition), RememberedRight { entitled, amount: member.amount, removed })
        });
        let removed = self.rights.iter().filter(|(_, right)| gives && right.is_removed(self.at));
        let removed = removed.map(|(definition, _)| {
            (Arc::clone(definition), RememberedRight { entitled: false, amount: None, removed: true })
        });
        removed.chain(held).collect()
    }

    /// The next value of `status.facets`.
    #[must_use]
    pub fn remembered_facets(&self) -> BTreeMap<Arc<str>, Arc<FacetFields>> {
        let facets = self.facets.iter();
        facets.filter_map(|(name, facets)| Some((Arc::clone(name), facets.remembered.clone()?))).collect()
    }

    /// The record that it leaves; none where it has taken nothing.
    #[must_use]
    pub fn record(&self) -> Option<SubscriptionRecord> {
        let accepted = self.verdict.acceptance.as_deref();
        let has_taken = accepted.is_some() || *self.agreed != Agreed::default();
        has_taken.then(|| self.agreed.record(accepted, &self.subscription.stated))
    }

    /// The subscription as the next evaluation finds it, once all of this is written down. When conditions turned is not.
    #[must_use]
    pub fn remembering(&self) -> Subscription {
        let before = &self.subscription;
        let mut next = Subscription::clone(before);
        next.accepted = self.verdict.acceptance.clone().filter(|_| before.state != State::Draft);
        next.agreed = Arc::clone(&self.agreed);
        next.remembered.phase = Some(self.verdict.phase);
        next.remembered.notices.clone_from(&self.reminders.given);
        next.facets = Arc::new(self.remembered_facets());
        next.rights = Arc::new(self.told_rights());
        next
    }

    /// The plan that it comes to, pending amendments counted: that which a renewal takes over.
    #[must_use]
    pub fn last_plan(&self) -> Arc<str> {
        let course = PlanCourse::of(&self.subscription, &self.amendments, &self.verdict.amendments);
        Arc::clone(course.last())
    }

    /// What becomes of each amendment, in the order of the spec's list: its state, and why it is ignored.
    #[must_use]
    pub fn amendment_outcomes(&self) -> Vec<(AmendmentState, Option<String>)> {
        self.verdict.amendments_told("subscription", self.subscription.amendments.iter().map(|one| one.revoked))
    }

    /// What it gives as grants, one for each definition that it gives at any time.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(AsRef::as_ref)
    }

    /// The first entry that does not count as it is written.
    #[must_use]
    pub fn ignored_entry(&self) -> Option<&EntryNote> {
        self.notes.iter().find(|note| note.is_ignored)
    }

    /// The next moment at which anything of it changes by time alone.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let pieces = self.rights.values().flat_map(|right| &right.pieces);
        let bounds = pieces.flat_map(|piece| [Some(piece.window.from), piece.window.until.at()]).flatten();
        let of_pieces = bounds.filter(|at| *at > self.at).min();
        [self.change.map(|change| change.at), self.reminders.next, of_pieces].into_iter().flatten().min()
    }
}

/// Makes the decisions of a group, each with its place in the snapshot.
pub fn settle(
    surroundings: &Surroundings,
    bonded: &Bonded,
    group: &Group,
    courses: &[PlanCourse],
    verdicts: Vec<Verdict>,
    outlook: &Outlook,
) -> Vec<(usize, SubscriptionDecision)> {
    let count = verdicts.len();
    let mut decided: Vec<Option<SubscriptionDecision>> = (0..count).map(|_| None).collect();
    let names: Vec<Option<Arc<str>>> = verdicts
        .iter()
        .map(|verdict| {
            let (_, renewal) = bonded.members().get(verdict.renewed_by?)?;
            Some(Arc::clone(&renewal.age.name))
        })
        .collect();
    let mut verdicts: Vec<Option<Verdict>> = verdicts.into_iter().map(Some).collect();
    let order: Vec<usize> =
        if group.lineage.order().is_empty() { (0..count).collect() } else { group.lineage.order().to_vec() };
    for index in order {
        let parts = (bonded.members().get(index), courses.get(index), verdicts.get_mut(index).and_then(Option::take));
        let (Some((_, subscription)), Some(course), Some(verdict)) = parts else { continue };
        let renewed = group.lineage.parent_of(index).and_then(|parent| decided.get(parent)?.as_ref());
        let one = Settling {
            surroundings,
            subscription,
            line: bonded.line(),
            course,
            renewed,
            renewed_by: names.get(index).cloned().flatten(),
            change: outlook.changes.get(index).copied().flatten(),
            own: OwnTime {
                start: verdict.span().map_or(Bound::Never, |span| span.start),
                over: outlook.expires.get(index).copied().unwrap_or(Bound::Never),
            },
            spans: outlook.in_force.get(index).map(AsRef::as_ref).unwrap_or_default(),
            amendments: group.cases.get(index).map(|case| Arc::clone(&case.amendments)).unwrap_or_default(),
        };
        let decision = one.settle(verdict);
        if let Some(slot) = decided.get_mut(index) {
            *slot = Some(decision);
        }
    }
    let places = bonded.members().iter().map(|(place, _)| *place);
    places.zip(decided).filter_map(|(place, decision)| Some((place, decision?))).collect()
}

struct Settling<'a> {
    surroundings: &'a Surroundings<'a>,
    subscription: &'a Arc<Subscription>,
    line: Option<&'a Arc<str>>,
    course: &'a PlanCourse,
    renewed: Option<&'a SubscriptionDecision>,
    renewed_by: Option<Arc<str>>,
    change: Option<Change>,
    own: OwnTime,
    spans: &'a [(Instant, Bound)],
    amendments: Arc<[PreparedAmendment]>,
}

impl Settling<'_> {
    fn settle(self, verdict: Verdict) -> SubscriptionDecision {
        let Surroundings { snapshot, before, plans, now, .. } = *self.surroundings;
        let subscription = self.subscription;
        let taken = self.taken();
        let zone = verdict.term.map(|term| term.start.zone());
        let judged = zone.map(|zone| {
            let judge = Judge {
                snapshot,
                plans,
                subscription,
                agreed: &taken,
                is_recorded: subscription.accepted.is_some(),
                course: self.course,
                own: self.own,
                zone,
                now,
            };
            judge.judge()
        });
        let judged = judged.unwrap_or_default();
        let plan = Arc::clone(self.course.at(now));
        let lost = self.lost(&taken, &plan, &judged);
        let ingredients =
            Ingredients { snapshot, plans, subscription, agreed: &taken, course: self.course, own: self.own };
        let rights = match &lost {
            Some(_) if !subscription.rights.is_empty() => ingredients.remembered(),
            _ => ingredients.rights(&judged),
        };
        let rights: BTreeMap<Arc<str>, Arc<Right>> = shared(rights);
        let giver = Giver {
            snapshot,
            before,
            subscription,
            verdict: &verdict,
            change: self.change,
            renewed_by: self.renewed_by.as_ref(),
            spans: self.spans,
            now,
        };
        let members = rights.iter().filter_map(|(definition, right)| giver.member(definition, right));
        let (mut members, faults): (Vec<Member>, Vec<Vec<Violation>>) = members.unzip();
        let later_faults = later_faults(&members, faults);
        limit(&mut members);
        let members: Vec<Arc<Member>> = members.into_iter().map(Arc::new).collect();
        let facets = members.iter();
        let facets = facets.map(|member| (Arc::clone(&member.grant.id.definition), Arc::clone(&member.facets)));
        let in_force = judged.add_ons.iter().filter(|one| one.window.is_some_and(|window| window.has(now)));
        SubscriptionDecision {
            facets: facets.collect(),
            later_faults,
            change: self.next_change(&verdict, &rights),
            add_ons: in_force
                .map(|one| (Arc::clone(&one.entry.plan), one.entry.quantity))
                .filter(|(_, quantity)| *quantity > 0)
                .collect(),
            plan_note: Self::plan_note(plans, &plan),
            lost,
            reminders: self.reminders(&verdict, &taken, &plan),
            agreed: Arc::new(self.agreed(&verdict, &taken, &judged)),
            subscription: Arc::clone(subscription),
            notes: judged.notes,
            renewed_by: self.renewed_by,
            amendments: self.amendments,
            at: now,
            rights,
            members,
            plan,
            verdict,
        }
    }

    /// What it has taken up to now. A renewal that was not accepted before takes over what the renewed one has: its plans where
    /// the agreement is the same, and its entries.
    fn taken(&self) -> Agreed {
        let mut taken = Agreed::clone(&self.subscription.agreed);
        let Some(renewed) = self.renewed.filter(|_| self.subscription.accepted.is_none()) else { return taken };
        if renewed.subscription.agreement == self.subscription.agreement {
            for (plan, revision) in &renewed.agreed.plans {
                taken.plans.entry(Arc::clone(plan)).or_insert_with(|| Arc::clone(revision));
            }
        }
        for (key, entry) in &renewed.agreed.entries {
            taken.entries.entry(key.clone()).or_insert_with(|| entry.clone());
        }
        // Of what it states otherwise nothing is its own.
        taken.entries.retain(|key, entry| states(self.subscription, key.0, &key.1, entry));
        taken
    }

    /// The plan in force or an add-on whose agreed revision is lost, or of which nothing is known any more though it was given.
    fn lost(&self, taken: &Agreed, plan: &Arc<str>, judged: &Judged) -> Option<Problem> {
        let Surroundings { plans, now, .. } = *self.surroundings;
        let is_in_force = |window: Option<Window>| window.is_some_and(|one| one.has(now));
        let add_ons = judged.add_ons.iter().filter(|one| is_in_force(one.window)).map(|one| &one.entry.plan);
        let mut named = std::iter::once(plan).chain(add_ons);
        let was_given = self.subscription.accepted.is_some() && !self.subscription.rights.is_empty();
        let lost = named.find(|name| match plans.choose(name, taken.plans.get(*name)) {
            Choice::Lost => true,
            Choice::Unknown => was_given,
            Choice::Counts(_) => false,
        })?;
        let message = match taken.plans.get(lost) {
            Some(revision) => format!(
                "the revision {revision} of plan {lost}, which was agreed, is lost: what was given is given on; restore the ControllerRevision, or change spec.agreement to take the plan as it is now"
            ),
            None => format!(
                "nothing valid is known of plan {lost} any more: what was given is given on; make the plan again, or restore its ControllerRevision"
            ),
        };
        Some(Problem::new(ReasonCode::RevisionLost, message).at("/spec/plan"))
    }

    /// What is wrong with the plan in force now, which goes on as agreed.
    fn plan_note(plans: Plans, plan: &str) -> Option<String> {
        let fault = plans.fault(plan, PlanType::Plan).filter(|fault| fault.reason != Reason::PlanRetired)?;
        Some(format!("{}; what was agreed goes on", fault.message))
    }

    /// The record from now on. While it is not accepted it stays as it is.
    fn agreed(&self, verdict: &Verdict, taken: &Agreed, judged: &Judged) -> Agreed {
        let is_accepted = verdict.refusal.is_none() && verdict.acceptance.is_some();
        if !is_accepted {
            return Agreed::clone(&self.subscription.agreed);
        }
        let mut named: BTreeSet<&Arc<str>> = std::iter::once(&self.subscription.plan).collect();
        for amendment in self.amendments.iter().filter(|one| !one.revoked && one.fault.is_none()) {
            named.extend(self.subscription.amendments.get(amendment.index).and_then(|one| one.plan.as_ref()));
        }
        named.extend(judged.add_ons.iter().map(|one| &one.entry.plan));
        let revision = |plan: &Arc<str>| {
            let recorded = taken.plans.get(plan);
            match self.surroundings.plans.choose(plan, recorded) {
                Choice::Counts(counting) => counting.revision.or_else(|| recorded.cloned()),
                Choice::Lost | Choice::Unknown => recorded.cloned(),
            }
        };
        Agreed {
            line: self.line.cloned(),
            plans: named.iter().filter_map(|plan| Some((Arc::clone(plan), revision(plan)?))).collect(),
            seen: named.into_iter().cloned().collect(),
            entries: judged.entries.clone(),
        }
    }

    /// By the notices of the revision in force.
    fn reminders(&self, verdict: &Verdict, taken: &Agreed, plan: &Arc<str>) -> Reminders {
        let Surroundings { plans, now, .. } = *self.surroundings;
        let notices = match plans.choose(plan, taken.plans.get(plan)) {
            Choice::Counts(counting) => counting.agreed.notices.as_slice(),
            Choice::Lost | Choice::Unknown => &[],
        };
        let reminded = Reminded {
            source: &self.subscription.stated.source,
            verdict,
            given: &self.subscription.remembered.notices,
            is_renewed: self.renewed_by.is_some(),
            what: &format!("the subscription to {plan}"),
        };
        Reminders::of(notices, &reminded, now)
    }

    /// Windows, add-ons and plans change what it gives as terms do.
    fn next_change(&self, verdict: &Verdict, rights: &BTreeMap<Arc<str>, Arc<Right>>) -> Option<Change> {
        let now = self.surroundings.now;
        let lives = matches!(verdict.phase, Phase::Waiting | Phase::Active | Phase::Grace | Phase::Suspended);
        // What is removed anyhow may begin and end without any change.
        let pieces = rights.values().flat_map(|right| right.given()).filter(|_| lives);
        let bounds = pieces.flat_map(|piece| [Some(piece.window.from), piece.window.until.at()]).flatten();
        let next = bounds.filter(|at| *at > now).min();
        let of_rights = next.map(|at| Change { at, phase: verdict.phase });
        match (self.change, of_rights) {
            (Some(own), Some(other)) if other.at < own.at => Some(other),
            (own, other) => own.or(other),
        }
    }
}

/// By definition, of those that are valid now.
fn later_faults(members: &[Member], faults: Vec<Vec<Violation>>) -> BTreeMap<Arc<str>, Vec<Violation>> {
    let told = members
        .iter()
        .zip(faults)
        .filter(|(member, faults)| !faults.is_empty() && matches!(member.facets.validity, Validity::Valid(_)));
    told.map(|(member, faults)| (Arc::clone(&member.grant.id.definition), faults)).collect()
}

/// What the grants of one subscription state is kept in one status, so together it may be as large as what one instance states.
/// What is beyond that is not valid.
fn limit(members: &mut [Member]) {
    let mut total = 0;
    for member in members {
        let Some(stated) = member.facets.remembered.as_deref() else { continue };
        if !matches!(member.facets.validity, Validity::Valid(_)) {
            continue;
        }
        total += stated_bytes(stated);
        if total > MAX_STATED {
            let too_large = too_large_together(stated);
            let before = member.grant.remembered.facets.clone();
            member.facets = Arc::new(GrantFacets {
                validity: Validity::Invalid(vec![too_large]),
                statement: before.clone().map(Statement::remembered),
                remembered: before,
                ..GrantFacets::clone(&member.facets)
            });
        }
    }
}

fn shared(rights: Rights) -> BTreeMap<Arc<str>, Arc<Right>> {
    rights.into_iter().map(|(definition, right)| (definition, Arc::new(right))).collect()
}

/// Whether a subscription has an entry of that name, and of the same plan or definition.
fn states(subscription: &Subscription, list: EntryList, name: &str, entry: &AgreedEntry) -> bool {
    match entry {
        AgreedEntry::AddOn(recorded) => subscription
            .add_ons
            .iter()
            .any(|one| list == EntryList::AddOns && *one.name == *name && one.plan == recorded.plan),
        AgreedEntry::Addition(recorded) => subscription
            .add
            .iter()
            .any(|one| list == EntryList::Add && *one.name == *name && one.definition == recorded.definition),
    }
}

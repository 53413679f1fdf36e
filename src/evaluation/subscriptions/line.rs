//! Which subscriptions bear on each other: those of one line have one seat, and the others go by their plan.

use super::{
    SubscriptionDecision, Surroundings,
    course::{self, PlanCourse},
    settled,
};
use crate::{
    api::entitlement_plan::PlanType,
    core::{
        age::created,
        belief::{Evidence, believed},
        calendar::CalendarDuration,
        lifecycle::{
            Case, Group, GroupSubject, Lineage, Outlook, PreparedAmendment, TakesOver, Verdict, groups as linked,
        },
        refusal::{Reason, Refusal},
        source::{stated::StatedSource, subscription::Subscription},
    },
    evaluation::cases::unknown_zone,
};
use std::{collections::BTreeMap, sync::Arc};

/// What subscriptions bear on each other by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bond {
    /// A line, of which an organization has one chain alive.
    Line(Arc<str>),
    /// A plan of which it may have several.
    Plan(Arc<str>),
}

/// Subscriptions that bear on each other.
pub struct Bonded<'a> {
    bond: Bond,
    /// Each with its place in the snapshot.
    members: Vec<(usize, &'a Arc<Subscription>)>,
}

/// A subscription, and its place in the snapshot.
type PlacedSubscription<'a> = (usize, &'a Arc<Subscription>);

/// All groups of an organization's subscriptions.
pub fn groups<'a>(surroundings: &Surroundings<'a>) -> Vec<Bonded<'a>> {
    let mut by_bond: BTreeMap<Bond, Vec<(usize, &Arc<Subscription>)>> = BTreeMap::new();
    let subscriptions = surroundings.snapshot.subscriptions.iter().enumerate();
    for (member, bond) in subscriptions.zip(bonds(surroundings)) {
        by_bond.entry(bond).or_default().push(member);
    }
    let mut groups = Vec::new();
    for (bond, members) in by_bond {
        let sources: Vec<&StatedSource> = members.iter().map(|(_, one)| &one.stated.source).collect();
        for group in linked(&sources, matches!(bond, Bond::Line(_))) {
            let members = group.iter().filter_map(|index| members.get(*index).copied()).collect();
            groups.push(Bonded { bond: bond.clone(), members });
        }
    }
    groups
}

/// That of each, in the snapshot's order. A renewal goes with what it renews, also where its own plan is of another line by now,
/// or of none: once it was accepted, or where it names the plan that the renewed one had last.
fn bonds(surroundings: &Surroundings) -> Vec<Bond> {
    let subscriptions = &surroundings.snapshot.subscriptions;
    let own: Vec<Bond> = subscriptions.iter().map(|subscription| bond(surroundings, subscription)).collect();
    let sources: Vec<&StatedSource> = subscriptions.iter().map(|one| &one.stated.source).collect();
    let lineage = Lineage::of(&sources);
    let mut bonds = own.clone();
    for index in lineage.order().iter().copied() {
        let Some(parent) = lineage.parent_of(index) else { continue };
        let (Some(renewal), Some(renewed)) = (subscriptions.get(index), subscriptions.get(parent)) else { continue };
        let Some(of_renewed) = bonds.get(parent).filter(|bond| own.get(index) != Some(bond)).cloned() else { continue };
        let before = lineage.parent_of(parent).and_then(|before| subscriptions.get(before)).map(AsRef::as_ref);
        let goes_with = renewal.organization == renewed.organization
            && (own.get(index) == own.get(parent)
                || renewal.accepted.is_some()
                || may_come_to(surroundings, renewed, before, &of_renewed, &renewal.plan));
        if let Some(bond) = bonds.get_mut(index).filter(|_| goes_with) {
            *bond = of_renewed;
        }
    }
    bonds
}

/// Whether a subscription, which may renew another, may be to that plan last. What it comes to is told once its term is known: see
/// `is_stray`.
fn may_come_to(
    surroundings: &Surroundings,
    subscription: &Subscription,
    renewed: Option<&Subscription>,
    bond: &Bond,
    plan: &str,
) -> bool {
    let amendments = prepared(surroundings, subscription, renewed, bond.line());
    PlanCourse::foreseen(subscription, &amendments).has(plan)
}

/// Its amendments, read in its time zone.
fn prepared(
    surroundings: &Surroundings,
    subscription: &Subscription,
    renewed: Option<&Subscription>,
    line: Option<&Arc<str>>,
) -> Arc<[PreparedAmendment]> {
    let zone = subscription.accepted.as_ref().map(|record| record.zone).or(surroundings.standing.zone);
    let Some(zone) = zone.filter(|_| !subscription.amendments.is_empty()) else { return Arc::default() };
    let fault = |_, amendment: &_| course::fault(surroundings.plans, line, subscription, renewed, amendment);
    PreparedAmendment::prepare(&subscription.amendments, zone, fault).into()
}

impl Bond {
    /// The line, where it is one.
    fn line(&self) -> Option<&Arc<str>> {
        match self {
            Self::Line(line) => Some(line),
            Self::Plan(_) => None,
        }
    }
}

/// That of the plan's last valid state; of a plan of which nothing is known any more, what was recorded.
fn bond(surroundings: &Surroundings, subscription: &Subscription) -> Bond {
    let by_plan = || Bond::Plan(Arc::clone(&subscription.plan));
    match surroundings.plans.serving(&subscription.plan) {
        Some(plan) => plan.line().map_or_else(by_plan, |line| Bond::Line(Arc::clone(line))),
        None => match (&subscription.agreed.line, &subscription.accepted) {
            (Some(line), _) => Bond::Line(Arc::clone(line)),
            (None, Some(_)) => by_plan(),
            (None, None) => Bond::Line(Arc::clone(&subscription.plan)),
        },
    }
}

impl<'a> Bonded<'a> {
    /// The line, where it is one.
    pub fn line(&self) -> Option<&Arc<str>> {
        self.bond.line()
    }

    /// Decides them, each with its place in the snapshot.
    pub fn decide(&self, surroundings: &Surroundings<'a>) -> Vec<(usize, SubscriptionDecision)> {
        let sources: Vec<&StatedSource> = self.members.iter().map(|(_, one)| &one.stated.source).collect();
        let lineage = Lineage::of(&sources);
        let amendments = |(index, (_, one)): (usize, &PlacedSubscription<'a>)| {
            prepared(surroundings, one, self.renewed(&lineage, index), self.line())
        };
        let amendments: Vec<Arc<[PreparedAmendment]>> = self.members.iter().enumerate().map(amendments).collect();
        let foreseen = self.members.iter().zip(&amendments);
        let mut courses: Vec<PlanCourse> =
            foreseen.map(|((_, one), prepared)| PlanCourse::foreseen(one, prepared)).collect();
        let mut rounds = self.members.len();
        let (group, verdicts) = loop {
            let group = self.group(surroundings, &lineage, &amendments, &courses);
            let verdicts = group.decide(surroundings.now);
            let decided = self.courses(&amendments, &verdicts);
            // What a renewal takes over goes by the plan that the renewed one comes to, which its own term may keep it from. Each
            // round settles one more of a chain.
            let is_foreseen = (0..decided.len()).all(|child| {
                lineage.parent_of(child).is_none_or(|parent| {
                    decided.get(parent).map(PlanCourse::last) == courses.get(parent).map(PlanCourse::last)
                })
            });
            let is_settled = is_foreseen || courses == decided || rounds == 0;
            courses = decided;
            rounds = rounds.saturating_sub(1);
            if is_settled {
                break (group, verdicts);
            }
        };
        let outlook = Outlook::of(&group, &verdicts, surroundings.now);
        settled::settle(surroundings, self, &group, &courses, verdicts, &outlook)
    }

    /// Each subscription by its index.
    pub fn members(&self) -> &[(usize, &'a Arc<Subscription>)] {
        &self.members
    }

    /// What a member renews.
    fn renewed(&self, lineage: &Lineage, index: usize) -> Option<&Subscription> {
        let (_, renewed) = self.members.get(lineage.parent_of(index)?)?;
        Some(renewed)
    }

    fn courses(&self, amendments: &[Arc<[PreparedAmendment]>], verdicts: &[Verdict]) -> Vec<PlanCourse> {
        let parts = self.members.iter().zip(amendments).zip(verdicts);
        parts.map(|(((_, one), prepared), verdict)| PlanCourse::of(one, prepared, &verdict.amendments)).collect()
    }

    /// Whether a renewal is of another line than what it renews, although it does not come to its plan after all.
    fn is_stray(&self, surroundings: &Surroundings, renewal: &Subscription, renewed: Option<&Subscription>) -> bool {
        let own = bond(surroundings, renewal);
        own != self.bond && renewed.is_some_and(|renewed| bond(surroundings, renewed) != own)
    }

    fn stray(&self, renewal: &Subscription) -> Refusal {
        let renewed = renewal.renews.as_deref().unwrap_or_default();
        let message = format!(
            "plan {} is not of {}, as {renewed} is: renew it with the plan that it had last, or with another of that product",
            renewal.plan,
            self.subject()
        );
        Refusal::new(Reason::RenewalInvalid, message)
    }

    fn subject(&self) -> GroupSubject<'_> {
        match &self.bond {
            Bond::Line(line) => GroupSubject::Line(line),
            Bond::Plan(plan) => GroupSubject::Plan(plan),
        }
    }

    fn group<'b>(
        &'b self,
        surroundings: &Surroundings<'a>,
        lineage: &Lineage,
        amendments: &[Arc<[PreparedAmendment]>],
        courses: &[PlanCourse],
    ) -> Group<'b> {
        let case = |(index, (member, amendments)): (usize, (&PlacedSubscription<'a>, &Arc<[_]>))| {
            let (_, subscription) = member;
            let parent = lineage.parent_of(index);
            let takes_over = match parent.and_then(|parent| courses.get(parent)) {
                Some(course) if *course.last() == subscription.plan => TakesOver::Plan,
                Some(_) => TakesOver::Nothing,
                None => TakesOver::Length,
            };
            let renewed = self.renewed(lineage, index);
            let case = case(surroundings, subscription, renewed, takes_over, Arc::clone(amendments));
            let is_stray = takes_over == TakesOver::Nothing && self.is_stray(surroundings, subscription, renewed);
            Case { unready: case.unready.or_else(|| is_stray.then(|| self.stray(subscription))), ..case }
        };
        Group {
            subject: self.subject(),
            cases: self.members.iter().zip(amendments).enumerate().map(case).collect(),
            lineage: lineage.clone(),
            unique: self.line().is_some(),
        }
    }
}

fn case<'a>(
    surroundings: &Surroundings<'a>,
    subscription: &'a Subscription,
    renewed: Option<&Subscription>,
    takes_over: TakesOver,
    amendments: Arc<[PreparedAmendment]>,
) -> Case<'a> {
    let Surroundings { snapshot, standing, plans, .. } = surroundings;
    let source = &subscription.stated.source;
    let barred = standing.barred(source, snapshot.namespaces.get(&source.age.namespace));
    let organization = standing.organization.as_ref();
    let unedited = organization.map(|one| &one.metadata).filter(|one| one.generation == Some(1)).and_then(created);
    let evidence = Evidence {
        history: None,
        zone: standing.zone.zip(unedited),
        is_of_here: |uid: &str| surroundings.uids.contains(uid),
    };
    let plan = plans.serving(&subscription.plan);
    // Of a plan that is gone and taken over, the grace period is that of the subscription that had it.
    let of_renewed = || renewed.and_then(|renewed| renewed.accepted.as_ref()).filter(|_| takes_over == TakesOver::Plan);
    let grace: Option<CalendarDuration> =
        plan.map_or_else(|| of_renewed().and_then(|record| record.grace), |plan| plan.grace);
    Case {
        source,
        accepted: subscription.accepted.as_ref(),
        record: subscription.accepted.as_ref().map(|record| believed(source, record, &evidence)),
        history: None,
        unready: if barred.is_some() { None } else { unready(surroundings, subscription) },
        barred,
        zone: standing.zone,
        takes_over,
        catalogue_term: plan.and_then(|plan| plan.term),
        catalogue_grace: grace,
        allotment: None,
        suspended: source.suspended || organization.is_some_and(|organization| organization.spec.suspended),
        amendments,
        permission: None,
    }
}

fn unready(surroundings: &Surroundings, subscription: &Subscription) -> Option<Refusal> {
    unknown_zone(surroundings.standing).or_else(|| surroundings.plans.fault(&subscription.plan, PlanType::Plan))
}

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
        refusal::Refusal,
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

/// All groups of an organization's subscriptions.
pub fn groups<'a>(surroundings: &Surroundings<'a>) -> Vec<Bonded<'a>> {
    let mut by_bond: BTreeMap<Bond, Vec<(usize, &Arc<Subscription>)>> = BTreeMap::new();
    for (index, subscription) in surroundings.snapshot.subscriptions.iter().enumerate() {
        by_bond.entry(bond(surroundings, subscription)).or_default().push((index, subscription));
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
        match &self.bond {
            Bond::Line(line) => Some(line),
            Bond::Plan(_) => None,
        }
    }

    /// Decides them, each with its place in the snapshot.
    pub fn decide(&self, surroundings: &Surroundings<'a>) -> Vec<(usize, SubscriptionDecision)> {
        let sources: Vec<&StatedSource> = self.members.iter().map(|(_, one)| &one.stated.source).collect();
        let lineage = Lineage::of(&sources);
        let amendments: Vec<Arc<[PreparedAmendment]>> =
            self.members.iter().map(|(_, one)| self.amendments(surroundings, one)).collect();
        let foreseen = self.members.iter().zip(&amendments);
        let mut courses: Vec<PlanCourse> =
            foreseen.map(|((_, one), prepared)| PlanCourse::foreseen(one, prepared)).collect();
        let (group, verdicts) = loop {
            let group = self.group(surroundings, &lineage, &amendments, &courses);
            let verdicts = group.decide(surroundings.now);
            let decided = self.courses(&amendments, &verdicts);
            // What a renewal takes over goes by the plan that the renewed one comes to, which its own term may keep it from.
            let is_foreseen = (0..decided.len()).all(|child| {
                lineage.parent_of(child).is_none_or(|parent| {
                    decided.get(parent).map(PlanCourse::last) == courses.get(parent).map(PlanCourse::last)
                })
            });
            let is_settled = is_foreseen || courses == decided;
            courses = decided;
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

    fn courses(&self, amendments: &[Arc<[PreparedAmendment]>], verdicts: &[Verdict]) -> Vec<PlanCourse> {
        let parts = self.members.iter().zip(amendments).zip(verdicts);
        parts.map(|(((_, one), prepared), verdict)| PlanCourse::of(one, prepared, &verdict.amendments)).collect()
    }

    fn amendments(&self, surroundings: &Surroundings, subscription: &Subscription) -> Arc<[PreparedAmendment]> {
        let zone = subscription.accepted.as_ref().map(|record| record.zone).or(surroundings.standing.zone);
        let Some(zone) = zone.filter(|_| !subscription.amendments.is_empty()) else { return Arc::default() };
        let fault = |_, amendment: &_| course::fault(surroundings.plans, self.line(), subscription, amendment);
        PreparedAmendment::prepare(&subscription.amendments, zone, fault).into()
    }

    fn group<'b>(
        &'b self,
        surroundings: &Surroundings<'a>,
        lineage: &Lineage,
        amendments: &[Arc<[PreparedAmendment]>],
        courses: &[PlanCourse],
    ) -> Group<'b> {
        let case = |(index, ((_, subscription), amendments)): (usize, (&(usize, &'a Arc<Subscription>), &Arc<[_]>))| {
            let parent = lineage.parent_of(index);
            let takes_over = match parent.and_then(|parent| courses.get(parent)) {
                Some(course) if *course.last() == subscription.plan => TakesOver::Plan,
                Some(_) => TakesOver::Nothing,
                None => TakesOver::Length,
            };
            let renewed = parent.and_then(|parent| self.members.get(parent)).map(|(_, renewed)| &***renewed);
            case(surroundings, subscription, renewed, takes_over, Arc::clone(amendments))
        };
        let subject = match &self.bond {
            Bond::Line(line) => GroupSubject::Line(line),
            Bond::Plan(plan) => GroupSubject::Plan(plan),
        };
        Group {
            subject,
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
    }
}

fn unready(surroundings: &Surroundings, subscription: &Subscription) -> Option<Refusal> {
    unknown_zone(surroundings.standing).or_else(|| surroundings.plans.fault(&subscription.plan, PlanType::Plan))
}

//! The objects that the grants in force and the organization should have.

use super::{
    allowance::Allowance,
    bearer::{bearer, is_shared},
    catalogue::CompiledDefinition,
    content::{Extra, content},
    decision::Decision,
    holding::{Holding, Member},
    memo::{Filled, Filler, Memo},
    object::{DesiredObject, ObjectData, ObjectKey, Wish},
    standing::{Standing, awaiting},
    summary,
    values::{Values, filler},
};
use crate::{
    api::{
        Phase,
        entitlement_definition::{OnEnd, OutputKind, Per},
    },
    core::{
        authority::ApiAuthority,
        grant::{Grant, GrantId},
        problem::Problem,
        reason::ReasonCode,
        source::SourceKind,
    },
    render::{output::CompiledOutput, summary::EntitlementSummary, work::Budget},
};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

/// What should be there.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Every object that should exist, in namespaces that exist.
    pub objects: BTreeMap<ObjectKey, DesiredObject>,
    /// Grants whose present objects stay as they are.
    pub kept: BTreeSet<GrantId>,
    /// Definitions of which all grants in force have their objects together. Such an object stays the same thing when another of
    /// them bears it, as the one before is over.
    pub shared: BTreeSet<Arc<str>>,
    /// Those of them whose present objects stay as they are, whichever grant they were made for.
    pub kept_shared: BTreeSet<Arc<str>>,
    /// What the summary says; absent where it cannot be told.
    pub summary: Option<Arc<EntitlementSummary>>,
    /// How many objects each grant should have, and what hinders it: all grants, those that should have none among them.
    pub grants: BTreeMap<GrantId, Outputs>,
    /// What hinders the delivery of the summary.
    pub hindered: Option<Problem>,
    /// The first grant that has to wait for the next evaluation.
    pub resume: Option<GrantId>,
}

/// What is said of a grant that has to wait.
const DEFERRED: &str = "the outputs of the organization's grants are more work than one evaluation may be: what is delivered for this one stays as it is, and it is among the first of the next evaluation; make the templates of its definitions simpler";

/// What one grant should have.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// Objects, those in namespaces that are waited for among them.
    pub desired: u64,
    /// What hinders delivery: the reason of the first thing found, and all that is found.
    pub hindered: Option<Problem>,
    /// Nothing valid says what it should have, so that what is present for it stays.
    pub is_untold: bool,
    /// Where the operator does not see what a grant had that is no longer in force.
    pub left: Option<Problem>,
    /// The grant that the objects are counted for, where they are for several grants together and this is another of them.
    pub bearer: Option<GrantId>,
}

/// A grant whose outputs are to be filled.
#[derive(Clone, Copy)]
struct Task<'a> {
    holding: &'a Holding,
    compiled: &'a Arc<CompiledDefinition>,
    member: &'a Member,
    /// Whether the outputs that are for all grants of the definition are its.
    is_bearer: bool,
}

/// An output that asks for its name in every namespace.
struct Request<'a> {
    grant: &'a Grant,
    kind: OutputKind,
    name: String,
    wish: Wish,
    is_retained: bool,
}

/// All objects for what an organization holds, with what its summary says. Where all of it is too much work for one evaluation,
/// it begins with the grant `resume`, and tells where the next one is to begin.
#[must_use]
pub fn deliver(decision: &Decision, resume: Option<&GrantId>, budget: &mut Budget) -> Desired {
    deliver_after(decision, resume, budget, &mut Memo::default())
}

/// The same, with what the memo knows, and learns.
#[must_use]
pub fn deliver_after(decision: &Decision, resume: Option<&GrantId>, budget: &mut Budget, memo: &mut Memo) -> Desired {
    let summary = decision.untold.is_none().then(|| Arc::new(summary::summary(decision, memo)));
    let desired = Desired::of(decision, summary, resume, budget, memo);
    memo.forget_unasked(&decision.holdings);
    desired
}

/// The same but for the summary, which is taken to stay as it is.
#[must_use]
pub fn deliver_grants(decision: &Decision, budget: &mut Budget) -> Desired {
    Desired::of(decision, None, None, budget, &mut Memo::default())
}

impl Desired {
    fn of(
        decision: &Decision,
        summary: Option<Arc<EntitlementSummary>>,
        resume: Option<&GrantId>,
        budget: &mut Budget,
        memo: &mut Memo,
    ) -> Self {
        let Decision { standing, holdings, limits, .. } = decision;
        let grants = decision.grants().map(|(_, member)| (member.grant.id.clone(), Outputs::default()));
        let mut delivery = Self { grants: grants.collect(), ..Self::default() };
        let mut allowance = Allowance::of(&standing.name, *limits);
        delivery.summarize(standing, summary, &mut allowance, memo);
        delivery.say_nowhere(standing, holdings);
        delivery.say_left(standing, holdings);
        let mut requests = Vec::new();
        for task in delivery.tasks(holdings, resume) {
            delivery.request(standing, &task, budget, memo, &mut requests);
        }
        requests.sort_by(|one, other| one.grant.seniority().cmp(&other.grant.seniority()));
        for request in &requests {
            delivery.claim(standing, request, &mut allowance);
        }
        delivery.share(holdings);
        delivery
    }

    /// Every grant in force whose outputs are to be filled, in the order in which that is done.
    fn tasks<'a>(&mut self, holdings: &'a [Arc<Holding>], resume: Option<&GrantId>) -> Vec<Task<'a>> {
        let mut tasks = Vec::new();
        for holding in holdings {
            if !holding.in_force.is_empty() && is_shared(holding) {
                self.shared.insert(Arc::clone(&holding.name));
            }
            let Some(compiled) = holding.compiled() else {
                for member in holding.members_in_force() {
                    self.keep_untold(member);
                }
                continue;
            };
            let bearer = bearer(holding).map(|member| &member.grant.id);
            let of_members = holding.members_in_force().map(|member| Task {
                holding,
                compiled,
                member,
                is_bearer: bearer == Some(&member.grant.id),
            });
            tasks.extend(of_members);
        }
        tasks.sort_by(|one, other| one.member.grant.id.cmp(&other.member.grant.id));
        if let Some(resume) = resume {
            let done = tasks.partition_point(|task| task.member.grant.id < *resume);
            tasks.rotate_left(done);
        }
        tasks
    }

    fn summarize(
        &mut self,
        standing: &Standing,
        summary: Option<Arc<EntitlementSummary>>,
        allowance: &mut Allowance,
        memo: &mut Memo,
    ) {
        let Some(organization) = &standing.organization else { return };
        let name: Arc<str> = organization.spec.summary.name.as_str().into();
        self.summary = summary;
        if standing.summary_problem.is_some() {
            return;
        }
        let wish = match &self.summary {
            Some(summary) if summary.authority != ApiAuthority::Untold => memo.summary(summary, || {
                content(standing, None, None, ObjectData::ConfigMap(summary.data()), Extra::default())
            }),
            // Nobody loses the authority that they trust because the operator starts anew.
            Some(_) | None => Wish::Keep,
        };
        let (wish, problem) = afforded(wish, standing.served.len(), allowance);
        self.hindered = problem;
        for namespace in &standing.served {
            let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: namespace.clone(), name: name.clone() };
            self.objects.insert(key, DesiredObject { grant: None, wish: wish.clone(), is_retained: false });
        }
    }

    /// If nothing can be delivered anywhere, no grant is as it should be, even if only the summary would show it.
    fn say_nowhere(&mut self, standing: &Standing, holdings: &[Arc<Holding>]) {
        let Some(problem) = standing.nowhere() else { return };
        for member in holdings.iter().flat_map(|holding| holding.members_in_force()) {
            self.hinder(&member.grant.id, Some(problem.clone()));
        }
    }

    /// What was delivered for a grant that is over cannot be withdrawn where the operator sees nothing, or no Secrets.
    fn say_left(&mut self, standing: &Standing, holdings: &[Arc<Holding>]) {
        for holding in holdings {
            let Some(left) = unseen(standing, holding) else { continue };
            for member in holding.members.iter().filter(|member| was_held(member)) {
                self.grants.entry(member.grant.id.clone()).or_default().left = Some(left.clone());
            }
        }
    }

    fn request<'a>(
        &mut self,
        standing: &Standing,
        task: &Task<'a>,
        budget: &mut Budget,
        memo: &mut Memo,
        requests: &mut Vec<Request<'a>>,
    ) {
        let Task { compiled, member, is_bearer, .. } = *task;
        let pers = [Some(Per::Instance), is_bearer.then_some(Per::Definition)].into_iter().flatten();
        let due: Vec<Per> = pers.filter(|per| compiled.outputs.iter().any(|output| output.per == *per)).collect();
        let mut known: BTreeMap<Per, Arc<[Filled]>> = BTreeMap::new();
        let mut new: Vec<(Per, Filler)> = Vec::new();
        for per in due {
            let Some(by) = filler(standing, task.holding, compiled, member, per) else { continue };
            match memo.filled(&member.grant.id, per, &by) {
                Some(outputs) => drop(known.insert(per, outputs)),
                None => new.push((per, by)),
            }
        }
        if !new.is_empty() && budget.begin().is_none() {
            return self.defer(standing, task);
        }
        let is_cut_short = budget.lacks_secret() && compiled.outputs.iter().any(CompiledOutput::reads_secrets);
        if !new.is_empty() && is_cut_short {
            self.resume.get_or_insert_with(|| member.grant.id.clone());
        }
        let mut spent = Vec::new();
        for (per, by) in new {
            let (Some(values), Some(mut work)) = (Values::of(standing, task.holding, member, per), budget.begin())
            else {
                continue;
            };
            let outputs = values.fill(standing, compiled, &member.grant.id, per, &mut work);
            spent.push(work);
            if !is_cut_short {
                memo.keep(&member.grant.id, per, by, &outputs);
            }
            known.insert(per, outputs);
        }
        for work in spent {
            budget.end(work);
        }
        let mut given: BTreeMap<Per, _> = known.iter().map(|(per, outputs)| (*per, outputs.iter())).collect();
        for output in compiled.outputs.iter().filter(|output| is_bearer || output.per == Per::Instance) {
            match given.get_mut(&output.per).and_then(Iterator::next) {
                Some(filled) => self.add(standing, output, member, filled.clone(), requests),
                None => self.keep_all_of(output, task),
            }
        }
    }

    /// Nothing valid was ever stated: the condition `FacetsValid` says so.
    fn keep_all_of(&mut self, output: &CompiledOutput, task: &Task) {
        match output.per {
            Per::Instance => self.keep_untold(task.member),
            Per::Definition => {
                for member in task.holding.members_in_force() {
                    self.keep_untold(member);
                }
            }
        }
    }

    /// The grant has to wait for the next evaluation.
    fn defer(&mut self, standing: &Standing, task: &Task) {
        let id = &task.member.grant.id;
        self.resume.get_or_insert_with(|| id.clone());
        let is_due = |output: &&CompiledOutput| output.per == Per::Instance || task.is_bearer;
        let outputs = task.compiled.outputs.iter().filter(is_due).count();
        self.grants.entry(id.clone()).or_default().desired += desired(standing, outputs);
        self.keep(task.member, Problem::new(ReasonCode::Deferred, DEFERRED));
    }

    /// What is delivered for the grant stays as it is: an error never withdraws.
    fn keep(&mut self, member: &Member, problem: Problem) {
        self.leave(&member.grant.id);
        self.hinder(&member.grant.id, Some(problem));
    }

    /// The same where nothing valid says what should be delivered.
    fn keep_untold(&mut self, member: &Member) {
        self.leave(&member.grant.id);
        self.grants.entry(member.grant.id.clone()).or_default().is_untold = true;
    }

    fn leave(&mut self, grant: &GrantId) {
        if self.shared.contains(&grant.definition) {
            self.kept_shared.insert(Arc::clone(&grant.definition));
        }
        self.kept.insert(grant.clone());
    }

    /// What hinders the objects that several grants have together hinders each of them.
    fn share(&mut self, holdings: &[Arc<Holding>]) {
        for holding in holdings.iter().filter(|holding| holding.in_force.len() > 1 && is_shared(holding)) {
            let Some(bearer) = bearer(holding).map(|member| &member.grant.id) else { continue };
            let problem = self.grants.get(bearer).and_then(|outputs| outputs.hindered.clone());
            for Member { grant, .. } in holding.members_in_force().filter(|member| member.grant.id != *bearer) {
                self.hinder(&grant.id, problem.clone());
                self.grants.entry(grant.id.clone()).or_default().bearer = Some(bearer.clone());
            }
        }
    }

    fn hinder(&mut self, grant: &GrantId, problem: Option<Problem>) {
        let outputs = self.grants.entry(grant.clone()).or_default();
        let Some(problem) = problem else { return };
        match &mut outputs.hindered {
            None => outputs.hindered = Some(problem),
            // Each failing output is told, so that all can be mended at once.
            Some(Problem { message: said, .. }) if !said.contains(&problem.message) => {
                *said = format!("{said}; {}", problem.message);
            }
            Some(_) => {}
        }
    }

    fn add<'a>(
        &mut self,
        standing: &Standing,
        output: &CompiledOutput,
        member: &'a Member,
        filled: Filled,
        requests: &mut Vec<Request<'a>>,
    ) {
        self.grants.entry(member.grant.id.clone()).or_default().desired += desired(standing, 1);
        let (name, wish) = match filled {
            Filled::Written(name, wish) => (name, wish),
            Filled::Kept(name, problem) => {
                self.hinder(&member.grant.id, Some(problem));
                (name, Wish::Keep)
            }
            Filled::Nameless(problem) => {
                self.keep(member, problem);
                return;
            }
        };
        if let Some(namespace) = standing.awaited.first().filter(|_| !standing.served.is_empty()) {
            self.hinder(&member.grant.id, Some(Problem::new(ReasonCode::NamespaceMissing, awaiting(namespace))));
        }
        if let Some((_, problem)) = standing.closed.first().filter(|_| !standing.served.is_empty()) {
            self.hinder(&member.grant.id, Some(problem.clone()));
        }
        let is_retained = output.on_end == OnEnd::Retain;
        requests.push(Request { grant: &member.grant, kind: output.kind, name, wish, is_retained });
    }

    /// The older grant gets the object, and the summary goes before all.
    fn claim(&mut self, standing: &Standing, request: &Request, allowance: &mut Allowance) {
        let name: Arc<str> = request.name.as_str().into();
        let key = |namespace: &Arc<str>| ObjectKey {
            kind: request.kind,
            namespace: Arc::clone(namespace),
            name: Arc::clone(&name),
        };
        let closed =
            |namespace: &str| standing.without_secrets.get(namespace).filter(|_| request.kind == OutputKind::Secret);
        let is_free =
            |namespace: &&Arc<str>| !self.objects.contains_key(&key(namespace)) && closed(namespace).is_none();
        let free = standing.served.iter().filter(is_free);
        let (wish, problem) = afforded(request.wish.clone(), free.count(), allowance);
        self.hinder(&request.grant.id, problem);
        let (mut conflict, mut lack) = (None, None);
        for namespace in &standing.served {
            match self.objects.entry(key(namespace)) {
                Entry::Vacant(place) => {
                    let (grant, is_retained) = (Some(request.grant.id.clone()), request.is_retained);
                    let wish = match closed(namespace) {
                        Some(problem) => {
                            lack.get_or_insert_with(|| unwritten(place.key(), problem));
                            Wish::Keep
                        }
                        None => wish.clone(),
                    };
                    place.insert(DesiredObject { grant, wish, is_retained });
                }
                Entry::Occupied(taken) => {
                    let (owner, advice) = match &taken.get().grant {
                        Some(owner) => (told(owner), "one of the two another objectName"),
                        None => (
                            "the organization's summary".to_owned(),
                            "the output another objectName, or the summary another name (spec.summary.name of the organization)",
                        ),
                    };
                    let message = format!("{} belongs to {owner}: give {advice}", taken.key());
                    conflict.get_or_insert(Problem::new(ReasonCode::Conflict, message));
                }
            }
        }
        self.hinder(&request.grant.id, conflict);
        self.hinder(&request.grant.id, lack);
    }
}

/// Why the operator does not see all that there may be of what is held, if it does not.
fn unseen<'a>(standing: &'a Standing, holding: &Holding) -> Option<&'a Problem> {
    let has = |is: fn(&CompiledOutput) -> bool| {
        // Of a definition that does not serve, nobody knows what it has.
        holding.compiled().is_none_or(|compiled| compiled.outputs.iter().any(is))
    };
    let closed = standing.closed.first().map(|(_, problem)| problem).filter(|_| has(|_| true));
    let without_secrets = || standing.without_secrets.values().next().filter(|_| has(is_secret));
    closed.or_else(without_secrets)
}

fn is_secret(output: &CompiledOutput) -> bool {
    output.kind == OutputKind::Secret
}

/// Whether a grant that was accepted is no longer in force, so that it may have had something.
fn was_held(member: &Member) -> bool {
    let is_over = matches!(member.verdict.phase, Phase::Suspended | Phase::Cancelled | Phase::Expired);
    is_over && member.verdict.acceptance.is_some()
}

/// A grant by its source, whose kind is told where it is no instance.
fn told(grant: &GrantId) -> String {
    let kind = grant.source.kind;
    if kind == SourceKind::Instance { grant.to_string() } else { format!("{} {grant}", kind.as_str()) }
}

/// What is said of a Secret that the operator can neither write nor see.
fn unwritten(key: &ObjectKey, why: &Problem) -> Problem {
    Problem::new(why.reason, format!("{key} is not written: {}", why.message))
}

/// What is to become of an object in so many namespaces. One that is too much stays as it is, should it be there.
fn afforded(wish: Wish, namespaces: usize, allowance: &mut Allowance) -> (Wish, Option<Problem>) {
    let Wish::Write(content) = &wish else { return (wish, None) };
    match allowance.take(content, namespaces) {
        Ok(()) => (wish, None),
        Err(problem) => (Wish::Keep, Some(problem)),
    }
}

/// How many objects so many outputs come to.
fn desired(standing: &Standing, outputs: usize) -> u64 {
    let count = standing.served.len() + standing.awaited.len() + standing.closed.len();
    u64::try_from(outputs * count).unwrap_or(u64::MAX)
}

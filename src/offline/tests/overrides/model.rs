//! The contract of overrides as plain as it can be said, from its text alone.

use super::plain::{ExceptionOffer, ExceptionRequest, ExceptionVote, ExceptionWorld};
use crate::core::calendar::{Bound, Instant, Moment, Nominal, Tz, add, parse_zone};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// What the operator remembers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExceptionMemory {
    /// By the UID of what they are of.
    pub settled: BTreeMap<String, ExceptionOutcome>,
    /// The zone in which each accepted instance reckons.
    holders: BTreeMap<String, String>,
    /// The last valid state of the definition.
    valid: Option<ExceptionOffer>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExceptionOutcome {
    Accepted { at: Instant, by: Vec<String>, zone: String },
    Denied { at: Instant, by: String },
    Expired { at: Instant },
}

impl ExceptionMemory {
    /// All statuses are lost.
    pub fn forget(&mut self) {
        self.settled.clear();
        self.holders.clear();
    }
}

/// What is told of an override at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionVerdict {
    pub phase: &'static str,
    pub reason: Option<&'static str>,
    pub settled: Option<ExceptionOutcome>,
    /// How many approvals it has, of how many it needs, while that is asked for.
    pub approvals: Option<String>,
    /// From when to when, where that can be told.
    pub term: Option<(Instant, Instant)>,
}

/// What is told of an organization at a moment: of its overrides, and what it has in all.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionState {
    pub requests: BTreeMap<String, ExceptionVerdict>,
    pub held: Option<String>,
}

/// The contract, at one moment.
struct ExceptionModel<'a> {
    world: &'a ExceptionWorld,
    memory: &'a ExceptionMemory,
    now: Instant,
}

/// Looks at a world, and keeps what is to be kept.
pub fn look(world: &ExceptionWorld, memory: &mut ExceptionMemory, now: Instant) -> ExceptionState {
    if let Some(offer) = world.definition.as_ref().filter(|offer| !offer.broken) {
        memory.valid = Some(offer.clone());
    }
    let model = ExceptionModel { world, memory, now };
    let requests: BTreeMap<_, _> =
        world.requests.iter().map(|(name, request)| (name.clone(), model.judge(request))).collect();
    let holders = model.accepted_holders();
    memory.holders = holders;
    memory.settled = requests
        .iter()
        .filter_map(|(name, verdict): (&String, &ExceptionVerdict)| {
            Some((world.requests[name].uid.clone(), verdict.settled.clone()?))
        })
        .collect();
    let model = ExceptionModel { world, memory, now };
    let held = model.held(&requests);
    ExceptionState { requests, held }
}

/// Every moment at which anything could change by time alone.
pub fn moments(world: &ExceptionWorld, memory: &ExceptionMemory, now: Instant) -> BTreeSet<Instant> {
    let model = ExceptionModel { world, memory, now };
    let mut moments = BTreeSet::new();
    let second = |count| TimeDelta::seconds(count);
    for (name, request) in &world.requests {
        moments.extend((0..4).map(|count| request.made + second(count)));
        for vote in world.votes.values() {
            moments.extend((0..4).map(|count| vote.made + second(count)));
        }
        for zone in [model.zone(), model.agreed_zone(name)].into_iter().flatten() {
            if let Some(deadline) = model.deadline(request, zone) {
                moments.extend((-1..5).map(|count| deadline + second(count)));
            }
            let start = request.start.as_deref().and_then(|start| start.parse::<Moment>().ok());
            moments.extend(start.map(|start| Nominal::of_start(start, zone).instant()));
            moments.extend(end_of(&request.end, zone));
        }
    }
    for (name, (_, start, end)) in &world.holders {
        let own = memory.holders.get(name).and_then(|zone| parse_zone(zone).ok());
        for zone in [own, model.zone()].into_iter().flatten() {
            moments.extend(start_of(start, zone));
            moments.extend(end_of(end, zone));
        }
    }
    moments
}

fn start_of(text: &str, zone: Tz) -> Option<Instant> {
    Some(Nominal::of_start(text.parse::<Moment>().ok()?, zone).instant())
}

fn end_of(text: &str, zone: Tz) -> Option<Instant> {
    Nominal::of_end(text.parse::<Moment>().ok()?, zone).instant().at()
}

/// "no `ServiceAccount`"
fn is_service_account(user: &str) -> bool {
    user.starts_with("system:serviceaccount:")
}

impl ExceptionModel<'_> {
    fn zone(&self) -> Option<Tz> {
        parse_zone(&self.world.organization.as_ref()?.zone).ok()
    }

    fn agreed_zone(&self, name: &str) -> Option<Tz> {
        match self.memory.settled.get(&self.world.requests.get(name)?.uid)? {
            ExceptionOutcome::Accepted { zone, .. } => parse_zone(zone).ok(),
            _ => None,
        }
    }

    /// "The last valid one serves."
    fn offer(&self) -> Option<&ExceptionOffer> {
        self.memory.valid.as_ref()
    }

    /// "Enough Approves within `expiresAfter` of its creation"
    fn deadline(&self, request: &ExceptionRequest, zone: Tz) -> Option<Instant> {
        let made = Nominal::of_instant(request.made, zone);
        add(made, self.offer()?.expires_after.parse().ok()?, made.day()).instant().at()
    }

    /// "one for each person, the first; in the order of creationTimestamp (never `granted-at`), Deny before Approve within a
    /// second"
    fn counting(&self, request: &ExceptionRequest) -> Vec<&ExceptionVote> {
        let counts = |vote: &&ExceptionVote| {
            vote.on.1 == request.uid
                && vote.definition == "seats"
                && !is_service_account(&vote.by)
                && vote.by != request.by
                && request.restored_by.as_ref() != Some(&vote.by)
        };
        let mut votes: Vec<(&String, &ExceptionVote)> =
            self.world.votes.iter().filter(|(_, vote)| counts(vote)).collect();
        // Of two of one second that say the same, nothing is said.
        votes.sort_by_key(|(name, vote)| (vote.made, vote.approve, &vote.by, *name));
        let mut people = BTreeSet::new();
        votes.into_iter().map(|(_, vote)| vote).filter(|vote| people.insert(&vote.by)).collect()
    }

    /// "An override that a `ServiceAccount` asked for needs one approval more, unless none is needed." Of a definition of which
    /// nothing valid was ever known, it is what is needed where nothing is said.
    fn needed(&self, request: &ExceptionRequest) -> usize {
        let mut asking = std::iter::once(&request.by).chain(&request.restored_by);
        let more = usize::from(asking.any(|user| is_service_account(user)));
        match self.offer().map_or(1, |offer| offer.approvals as usize) {
            0 => 0,
            needed => needed + more,
        }
    }

    /// What the decisions come to by themselves.
    fn settle(&self, request: &ExceptionRequest) -> Option<ExceptionOutcome> {
        let (needed, deadline) = (self.needed(request), self.own_deadline(request));
        let accepted = |at, by: &[String]| {
            let zone = self.world.organization.as_ref().map(|client| client.zone.clone())?;
            Some(ExceptionOutcome::Accepted { at, by: by.to_vec(), zone })
        };
        if needed == 0 {
            return accepted(request.made, &[]);
        }
        let mut by = Vec::new();
        for vote in self.counting(request).into_iter().filter(|vote| Self::is_in_time(vote, deadline)) {
            if !vote.approve {
                let denied = ExceptionOutcome::Denied { at: vote.made, by: vote.by.clone() };
                return self.is_due(vote.made).then_some(denied);
            }
            by.push(vote.by.clone());
            if by.len() == needed {
                return accepted(vote.made, &by).filter(|_| self.is_due(vote.made));
            }
        }
        deadline.filter(|deadline| self.is_due(*deadline)).map(|at| ExceptionOutcome::Expired { at })
    }

    /// "It is decided two seconds after the deciding one's creation at the earliest"
    fn is_due(&self, moment: Instant) -> bool {
        self.now >= moment + TimeDelta::seconds(2)
    }

    fn own_deadline(&self, request: &ExceptionRequest) -> Option<Instant> {
        self.deadline(request, self.zone()?)
    }

    fn is_in_time(vote: &ExceptionVote, deadline: Option<Instant>) -> bool {
        deadline.is_none_or(|deadline| vote.made < deadline)
    }

    /// The deadline is over, and nobody decides it any more, though one who did in time may still come to light.
    fn is_late(&self, request: &ExceptionRequest) -> bool {
        let deadline = self.own_deadline(request);
        let votes = self.counting(request).into_iter().filter(|vote| Self::is_in_time(vote, deadline));
        let is_decided = self.has(request).0 == self.needed(request) || votes.into_iter().any(|vote| !vote.approve);
        !is_decided && deadline.is_some_and(|deadline| self.now >= deadline)
    }

    /// How many approvals it has, of how many it needs.
    fn has(&self, request: &ExceptionRequest) -> (usize, usize) {
        let (needed, deadline) = (self.needed(request), self.own_deadline(request));
        let in_time = self.counting(request).into_iter().filter(|vote| Self::is_in_time(vote, deadline));
        (in_time.take_while(|vote| vote.approve).count().min(needed), needed)
    }

    /// The reasons, in their order, that have nothing to do with approvals.
    fn refusal(&self, request: &ExceptionRequest, is_accepted: bool) -> Option<&'static str> {
        let Some(client) = &self.world.organization else { return Some("OrganizationNotFound") };
        if client.closed {
            return Some("NamespaceNotAllowed");
        }
        if is_accepted {
            return None;
        }
        let Some(zone) = self.zone() else { return Some("OrganizationNotReady") };
        let Some(definition) = &self.world.definition else { return Some("DefinitionNotFound") };
        if definition.broken {
            return Some("DefinitionNotReady");
        }
        if definition.refused {
            return Some("OverridesRefused");
        }
        if self.world.is_feature == request.amount.is_some() {
            return Some("InvalidAmount");
        }
        (!Self::has_valid_term(request, definition, zone)).then_some("InvalidTerm")
    }

    /// "unreadable, or `end <= start`", and "also longer than `maxTerm` from `start`, else from creation"
    fn has_valid_term(request: &ExceptionRequest, definition: &ExceptionOffer, zone: Tz) -> bool {
        let start = match request.start.as_deref().map(str::parse::<Moment>) {
            None => Nominal::of_instant(request.made, zone),
            Some(Ok(start)) => Nominal::of_start(start, zone),
            Some(Err(_)) => return false,
        };
        let Ok(end) = request.end.parse::<Moment>() else { return false };
        let end = Nominal::of_end(end, zone).instant();
        let longest = add(start, definition.max_term.parse().unwrap(), start.day()).instant();
        end > Bound::At(start.instant()) && end <= longest
    }

    fn judge(&self, request: &ExceptionRequest) -> ExceptionVerdict {
        let known = self.memory.settled.get(&request.uid).cloned();
        let was_accepted = matches!(known, Some(ExceptionOutcome::Accepted { .. }));
        let refusal = self.refusal(request, was_accepted);
        let settled = known.or_else(|| {
            self.settle(request).filter(|outcome| match outcome {
                ExceptionOutcome::Accepted { .. } => refusal.is_none() && !request.cancelled,
                // "denied whatever else refuses the override", and its time goes by whatever does
                ExceptionOutcome::Denied { .. } | ExceptionOutcome::Expired { .. } => true,
            })
        });
        let reason = refusal.or(match &settled {
            Some(ExceptionOutcome::Accepted { .. }) => None,
            Some(ExceptionOutcome::Denied { .. }) => Some("Denied"),
            Some(ExceptionOutcome::Expired { .. }) => Some("ApprovalExpired"),
            None if self.is_late(request) => Some("ApprovalExpired"),
            None => Some("ApprovalRequired"),
        });
        let term = Self::term(request, settled.as_ref(), reason);
        let phase = self.phase(request, reason, term);
        let approvals = (phase == "Requested").then(|| {
            let (has, needed) = self.has(request);
            format!("{has}/{needed}")
        });
        ExceptionVerdict { phase, reason: reason.filter(|_| phase != "Cancelled"), settled, approvals, term }
    }

    fn term(
        request: &ExceptionRequest,
        settled: Option<&ExceptionOutcome>,
        reason: Option<&str>,
    ) -> Option<(Instant, Instant)> {
        let Some(ExceptionOutcome::Accepted { at, zone, .. }) = settled else { return None };
        reason.is_none().then_some(())?;
        let zone = parse_zone(zone).ok()?;
        // "In force from the later of `start` and acceptance to `end`."
        let start = request.start.as_deref().and_then(|start| start_of(start, zone));
        Some((start.map_or(*at, |start| start.max(*at)), end_of(&request.end, zone)?))
    }

    fn phase(
        &self,
        request: &ExceptionRequest,
        reason: Option<&str>,
        term: Option<(Instant, Instant)>,
    ) -> &'static str {
        match (reason, term) {
            _ if request.cancelled => "Cancelled",
            (Some("ApprovalRequired"), _) => "Requested",
            (Some(_), _) | (None, None) => "Rejected",
            (None, Some((_, end))) if self.now >= end => "Expired",
            (None, Some((start, _))) if self.now < start => "Waiting",
            _ if self.world.organization.as_ref().is_some_and(|client| client.suspended) => "Suspended",
            _ => "Active",
        }
    }

    /// Instances with dates of their own are accepted once nothing is in their way, and keep the zone of then.
    fn accepted_holders(&self) -> BTreeMap<String, String> {
        let is_ready = self.world.definition.as_ref().is_some_and(|offer| !offer.broken);
        let is_open = is_ready && self.zone().is_some();
        let zone = self.world.organization.as_ref().filter(|client| is_open && !client.closed);
        let zone = zone.map(|client| client.zone.clone());
        let names = self.world.holders.keys();
        let accepted = |name: &String| Some((name.clone(), self.memory.holders.get(name).or(zone.as_ref())?.clone()));
        names.filter_map(accepted).collect()
    }

    /// "whose amount is added to what the other sources come to by `aggregation`, also where that is `Max`"
    fn held(&self, requests: &BTreeMap<String, ExceptionVerdict>) -> Option<String> {
        let client = self.world.organization.as_ref()?;
        let offer = self.memory.valid.as_ref()?;
        let in_force = |(name, (amount, start, end)): (&String, &(String, String, String))| {
            let zone = parse_zone(self.memory.holders.get(name)?).ok()?;
            let is_now = start_of(start, zone)? <= self.now && self.now < end_of(end, zone)?;
            (is_now && !client.closed && !client.suspended).then(|| amount.clone())
        };
        let held: Vec<String> = self.world.holders.iter().filter_map(in_force).collect();
        let on_top = requests.iter().filter(|(_, verdict)| verdict.phase == "Active");
        let on_top: Vec<String> =
            on_top.map(|(name, _)| self.world.requests[name].amount.clone().unwrap_or_default()).collect();
        if held.is_empty() && on_top.is_empty() {
            return None;
        }
        if self.world.is_feature {
            return Some("on".to_owned());
        }
        if held.iter().chain(&on_top).any(|amount| amount == "Unlimited") {
            return Some("Unlimited".to_owned());
        }
        let numbers = |amounts: Vec<String>| amounts.into_iter().map(|amount| amount.parse::<u64>().unwrap());
        let held = numbers(held);
        let base: u64 = if offer.max { held.max().unwrap_or(0) } else { held.sum() };
        Some((base + numbers(on_top).sum::<u64>()).to_string())
    }
}

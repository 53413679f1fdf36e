//! An explanation as text, for people who need not know Kubernetes.

use super::{
    afterwards::Afterwards,
    history, moment,
    row::{Row, Since},
    sentences, subscriptions,
    table::{ExplainedTable, Room, heading, not_seen},
    usage,
};
use crate::{
    api::Phase,
    cli::{
        moment::{relative, shown},
        terminal::{Palette, Tone},
        text::{Paper, width},
        timeline::{named, source_name},
    },
    core::calendar::{Bound, Instant, Tz},
    evaluation::explanation::{
        Entitlement, ExceptionExplanation, GrantExplanation, SubscriptionExplanation, Suspension,
    },
    offline::{Account, Passage, TimelineStep},
};

/// How many past changes of each entitlement are told.
pub const LAST: usize = 2;
/// How many coming changes of each entitlement are told.
pub const NEXT: usize = 3;

/// All details.
pub fn text(
    account: &Account,
    statement: &ExplainedTable<'_>,
    definition: Option<&str>,
    room: Room,
    palette: Palette,
) -> String {
    let explanation = &account.explanation;
    let mut teller = Teller {
        paper: Paper::new(palette, room.text),
        zone: explanation.time_zone,
        now: statement.now,
        organization: &explanation.organization,
    };
    heading(&mut teller.paper, explanation, statement.now);
    if explanation.entitlements.is_empty() {
        let nothing = match definition {
            Some(definition) => format!("It has no grant of {definition}, and had none that is still on record."),
            None => "It has no grant at all.".to_owned(),
        };
        teller.paper.gap();
        teller.paper.paragraph(0, Some(Tone::Bad), &nothing);
    }
    let nothing = Passage::default();
    for (entitlement, row) in explanation.entitlements.iter().zip(&statement.rows) {
        let passage = account.passages.get(entitlement.definition.as_str()).unwrap_or(&nothing);
        teller.paper.gap();
        teller.entitlement(entitlement, row);
        teller.last(entitlement, passage);
        teller.next(entitlement, passage);
    }
    teller.subscriptions(&explanation.subscriptions);
    not_seen(&mut teller.paper, &statement.not_seen);
    teller.paper.into_text()
}

struct Teller<'a> {
    paper: Paper,
    zone: Tz,
    now: Instant,
    organization: &'a str,
}

impl Teller<'_> {
    fn subscriptions(&mut self, all: &[SubscriptionExplanation]) {
        if all.is_empty() {
            return;
        }
        self.paper.gap();
        self.paper.paragraph(0, Some(Tone::Strong), "Subscriptions:");
        for subscription in all {
            let style = subscription.phase.is_in_force().then_some(Tone::Good);
            let mut sentences = subscriptions::standing(subscription, self.zone, self.now).into_iter();
            self.paper.paragraph(2, style, &sentences.next().unwrap_or_default());
            for sentence in sentences {
                self.paper.paragraph(4, Some(Tone::Quiet), &sentence);
            }
            for note in subscriptions::notes(subscription, self.zone) {
                self.paper.paragraph(4, note.is_trouble.then_some(Tone::Bad), &note.text);
            }
        }
    }

    fn entitlement(&mut self, entitlement: &Entitlement, row: &Row) {
        let handle = &entitlement.definition;
        let title =
            entitlement.display_name.as_ref().map_or_else(|| handle.clone(), |shown| format!("{handle}: {shown}"));
        self.paper.paragraph(0, Some(Tone::Strong), &title);
        let style = if entitlement.entitled { Some(Tone::Good) } else { Some(Tone::Bad) };
        let verdict = self.verdict(entitlement, row);
        self.paper.paragraph(2, style, &verdict);
        if let Some(contract) = self.contract(entitlement, row) {
            self.paper.paragraph(2, None, &contract);
        }
        if let Some(problem) = &entitlement.problem {
            self.paper.paragraph(2, Some(Tone::Bad), &format!("Problem: {problem}."));
        }
        self.amount(entitlement);
        self.usage(entitlement);
        self.settings(entitlement);
        self.grants(entitlement);
    }

    /// How much of it is used, and what that was taken from.
    fn usage(&mut self, entitlement: &Entitlement) {
        let Some(usage) = &entitlement.usage else { return };
        let tone = if usage.allowed { None } else { Some(Tone::Bad) };
        let unit = entitlement.unit.as_deref();
        self.paper.paragraph(2, tone, &usage::standing(usage, unit, self.now, self.zone));
        let path = usage::path(self.organization, &entitlement.definition);
        if let Some(request) = usage::request(usage, &path, self.now) {
            self.paper.raw_line(&format!("    {request}"));
        }
        for detail in usage::details(usage, unit, self.now, self.zone) {
            self.paper.paragraph(4, Some(Tone::Quiet), &detail);
        }
    }

    /// Whether the client has it, in one sentence.
    fn verdict(&self, entitlement: &Entitlement, row: &Row) -> String {
        if !entitlement.entitled {
            let why = entitlement.grants.iter().max_by_key(|grant| (weight(grant.phase), grant.end.clone()));
            let why = why.map_or_else(|| "there is no grant".to_owned(), |grant| self.standing(grant));
            return format!("Not entitled: {why}.");
        }
        let what = match (&entitlement.amount, &entitlement.unit) {
            (Some(amount), Some(unit)) => format!("Entitled, to {amount} {unit}"),
            _ => "Entitled".to_owned(),
        };
        let Since::At(since) = row.since else { return format!("{what}; since when exactly so is not on record.") };
        let run = entitlement.valid_from.as_deref().and_then(moment).filter(|run| *run < since);
        let is_on_record = entitlement.grants.iter().all(|grant| grant.turned.is_none());
        let run = run
            .filter(|_| is_on_record)
            .map(|run| format!("; without a break, of whatever amount, since {}", shown(run, self.zone)));
        format!("{what} since {}{}.", shown(since, self.zone), run.unwrap_or_default())
    }

    /// Until when it is agreed, and until when it is delivered, which grace periods and renewals make later.
    fn contract(&self, entitlement: &Entitlement, row: &Row) -> Option<String> {
        let contract = row.contract.filter(|_| entitlement.entitled)?;
        let Bound::At(end) = contract else { return Some("Its contract has no end.".to_owned()) };
        let verb = if end <= self.now { "ended" } else { "runs until" };
        let until = format!("{} ({})", shown(end, self.zone), relative(end, self.now, self.zone));
        let contract = format!("Its contract {verb} {until}");
        let grants = entitlement.grants.iter();
        let in_grace = |until: &str| {
            grants.clone().any(|one| one.grace_until.as_deref() == Some(until) && one.phase.is_in_force())
        };
        Some(match entitlement.valid_until.as_deref() {
            Some(until) if moment(until) == Some(end) => {
                let afterwards = self.afterwards(entitlement, end).unwrap_or_else(|| "nothing follows it".to_owned());
                format!("{contract}; {afterwards}.")
            }
            Some(until) if in_grace(until) => {
                let afterwards = moment(until).and_then(|over| self.afterwards(entitlement, over));
                let afterwards = afterwards.map_or_else(String::new, |afterwards| format!("; {afterwards}"));
                let until = self.time_and_distance(until);
                format!("{contract}; in its grace period it is delivered until {until}{afterwards}.")
            }
            Some(until) => {
                format!("{contract}; with what follows it is delivered until {}.", self.time_and_distance(until))
            }
            None => format!("{contract}; with what follows there is no end in sight."),
        })
    }

    /// What comes later than when it ends.
    fn afterwards(&self, entitlement: &Entitlement, end: Instant) -> Option<String> {
        let time = |start: Instant| format!("{} ({})", shown(start, self.zone), relative(start, self.now, self.zone));
        match Afterwards::of(entitlement, end) {
            Afterwards::Renewed(grant, start) => {
                Some(format!("{} renews it from {} on", source_name(&grant.source), time(start)))
            }
            Afterwards::Suspended(grant) => {
                Some(format!("{}, which renews it, is suspended", source_name(&grant.source)))
            }
            Afterwards::Again(grant, start) => {
                Some(format!("{} gives it again from {} on", source_name(&grant.source), time(start)))
            }
            Afterwards::Nothing => None,
        }
    }

    fn amount(&mut self, entitlement: &Entitlement) {
        let unit = entitlement.unit.as_deref().unwrap_or_default();
        let mut parts: Vec<&GrantExplanation> =
            entitlement.grants.iter().filter(|grant| sentences::is_in_force(grant)).collect();
        // What comes on top is told after what it is added to.
        parts.sort_by_key(|grant| grant.exception.is_some());
        let Some(total) = entitlement.amount.as_ref().filter(|_| !parts.is_empty()) else { return };
        self.paper.paragraph(2, None, "How much:");
        let amounts = parts.iter().filter_map(|grant| grant.amount.as_ref()).chain([total]);
        let column = amounts.map(|amount| width(amount)).max().unwrap_or(0);
        let right = |amount: &str| format!("{}{amount}", " ".repeat(column - width(amount).min(column)));
        for grant in &parts {
            let amount = grant.amount.as_deref().unwrap_or_default();
            let origin = sentences::amount_told(grant);
            let out = if grant.counts { "" } else { "; does not count, as another is greater" };
            let line = format!("{} {unit} by {} ({origin}){out}", right(amount), source_name(&grant.source));
            self.paper.verbatim(4, column + 5, &line);
        }
        if parts.len() > 1 {
            let has_exceptions = parts.iter().any(|grant| grant.exception.is_some());
            let how = match (total.as_str(), entitlement.aggregation) {
                ("Unlimited", _) => "an unlimited one goes before all",
                (_, Some("Max")) if has_exceptions => "the greatest, and what comes on top",
                (_, Some("Max")) => "the greatest counts",
                _ => "together",
            };
            self.paper.verbatim(4, column + 5, &format!("{} {unit}: {how}", right(total)));
        }
    }

    fn settings(&mut self, entitlement: &Entitlement) {
        if entitlement.facets.is_empty() && entitlement.secrets.is_empty() {
            return;
        }
        self.paper.paragraph(2, None, "Settings:");
        for value in &entitlement.facets {
            let line = format!("{}.{} = {}", value.facet, value.field, value.value);
            self.paper.paragraph(4, None, &line);
            let origin = sentences::setting_origin(value);
            self.paper.paragraph(6, Some(Tone::Quiet), &origin);
        }
        for secret in &entitlement.secrets {
            let line = format!("{}.{} = (secret)", secret.facet, secret.field);
            self.paper.paragraph(4, None, &line);
            let by = source_name(&secret.source);
            let origin = format!("by {by}, from key {} of the Secret {}", secret.key, secret.secret);
            self.paper.paragraph(6, Some(Tone::Quiet), &origin);
            if let Some(problem) = &secret.problem {
                self.paper.paragraph(6, Some(Tone::Bad), &format!("Problem: {problem}."));
            }
        }
    }

    fn grants(&mut self, entitlement: &Entitlement) {
        self.paper.paragraph(2, None, "Grants:");
        for grant in &entitlement.grants {
            let style = if sentences::is_in_force(grant) { Some(Tone::Good) } else { None };
            let standing = self.standing(grant);
            self.paper.paragraph(4, style, &standing);
            for part in sentences::parts(grant, entitlement.unit.as_deref(), self.zone) {
                self.paper.paragraph(6, None, &part);
            }
            for detail in sentences::details(grant, entitlement, self.zone) {
                self.paper.paragraph(6, Some(Tone::Quiet), &detail);
            }
            for problem in [&grant.problem, &grant.undelivered].into_iter().flatten() {
                self.paper.paragraph(6, Some(Tone::Bad), &format!("Problem: {problem}."));
            }
        }
    }

    /// How a grant stands, in one sentence that begins with its name.
    fn standing(&self, grant: &GrantExplanation) -> String {
        let name = named(&grant.source);
        let start = grant.start.as_deref().map(|start| self.time(start)).unwrap_or_default();
        let end = grant.end.as_deref();
        match grant.phase {
            Phase::Active => {
                let start = grant.turned.map_or(start, |turned| shown(turned, self.zone));
                let until =
                    end.map_or("with no end".to_owned(), |end| format!("until {}", self.time_and_distance(end)));
                format!("{name} is in force since {start}, {until}")
            }
            Phase::Grace => {
                let until = grant.grace_until.as_deref().map(|until| self.time_and_distance(until)).unwrap_or_default();
                let end = end.map(|end| self.time(end)).unwrap_or_default();
                format!("{name} ended on {end}, and is kept in its grace period until {until}")
            }
            Phase::Waiting => {
                let start = grant.start.as_deref().map(|start| self.time_and_distance(start)).unwrap_or_default();
                let verb = if grant.parts.is_empty() { "starts on" } else { "gives it from" };
                format!("{name} {verb} {start}")
            }
            Phase::Suspended => {
                let by = match grant.suspended_by {
                    Some(Suspension::Organization) => "with all that the client holds",
                    _ => "by itself",
                };
                format!("{name} is suspended, {by}{}", self.since(grant))
            }
            Phase::Expired => self.expired(grant),
            Phase::Cancelled => format!("{name} was cancelled{}", self.since(grant)),
            Phase::Draft => match &grant.refusal {
                Some(refusal) => format!("{name} is a draft, and could not be activated: {refusal}"),
                None => format!("{name} is a draft that was not activated"),
            },
            Phase::Requested => {
                format!(
                    "{name} is not approved yet: {}",
                    grant.refusal.as_deref().unwrap_or("its status does not say why")
                )
            }
            Phase::Rejected if grant.exception.as_ref().is_some_and(ExceptionExplanation::is_turned_down) => {
                let is_denied = grant.exception.as_ref().is_some_and(|exception| exception.denied_by.is_some());
                format!("{name} was {}", if is_denied { "denied" } else { "not approved in time" })
            }
            Phase::Rejected => {
                format!("{name} is refused: {}", grant.refusal.as_deref().unwrap_or("its status does not say why"))
            }
        }
    }

    fn expired(&self, grant: &GrantExplanation) -> String {
        let name = named(&grant.source);
        let end = grant.end.as_deref().map(|end| self.time_and_distance(end)).unwrap_or_default();
        match &grant.renewed_by {
            Some(renewal) => format!("{name} ended on {end}, and {renewal} renews it"),
            // What was agreed for a while is over as it was meant to be.
            None if !grant.parts.is_empty() || grant.exception.is_some() => format!("{name} gave it until {end}"),
            None => format!("{name} ended on {end}, and nothing renews it"),
        }
    }

    fn since(&self, grant: &GrantExplanation) -> String {
        grant.since.as_deref().map_or_else(String::new, |since| format!(", since {}", self.time_and_distance(since)))
    }

    fn last(&mut self, entitlement: &Entitlement, passage: &Passage) {
        let last = history::last(entitlement, passage, self.zone, LAST);
        if last.is_empty() {
            return;
        }
        self.paper.paragraph(2, None, "Last:");
        for event in last {
            self.event(event.at, &event.what);
        }
    }

    fn next(&mut self, entitlement: &Entitlement, passage: &Passage) {
        let coming: Vec<&TimelineStep> = history::next(entitlement, passage, self.now).collect();
        if coming.is_empty() {
            let nothing = match passage.more {
                Some(at) => format!("Next: nothing before {}, which is as far as was looked.", shown(at, self.zone)),
                None => "Next: nothing changes by time alone.".to_owned(),
            };
            self.paper.paragraph(2, None, &nothing);
            return;
        }
        self.paper.paragraph(2, None, "Next:");
        for step in coming.iter().take(NEXT) {
            self.event(step.at, &sentences::happens(step, &entitlement.definition, self.zone));
        }
        if coming.len() > NEXT {
            let many = if passage.more.is_some() { "or more" } else { "more" };
            let more = format!("and {} {many}: see the timeline", coming.len() - NEXT);
            self.paper.paragraph(4, Some(Tone::Quiet), &more);
        }
    }

    fn event(&mut self, at: Instant, what: &str) {
        let when = format!("{} ({})", shown(at, self.zone), relative(at, self.now, self.zone));
        self.paper.paragraph(4, None, &format!("{when}: {what}"));
    }

    fn time(&self, text: &str) -> String {
        moment(text).map_or_else(|| text.to_owned(), |at| shown(at, self.zone))
    }

    fn time_and_distance(&self, text: &str) -> String {
        let Some(at) = moment(text) else { return text.to_owned() };
        format!("{} ({})", shown(at, self.zone), relative(at, self.now, self.zone))
    }
}

/// The reason that is told first if there are several not to be entitled.
fn weight(phase: Phase) -> u8 {
    match phase {
        Phase::Active | Phase::Grace => 7,
        Phase::Suspended => 6,
        Phase::Waiting => 5,
        Phase::Rejected | Phase::Requested => 4,
        Phase::Expired => 3,
        Phase::Cancelled => 2,
        Phase::Draft => 1,
    }
}

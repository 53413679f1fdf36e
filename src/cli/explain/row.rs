//! An entitlement in one line: what the client has of it, since when, until when its contract runs, what comes next, and what
//! it had before.

use super::{
    afterwards::Afterwards,
    before::{FormerHolding, held, is_more_or_less},
    exceptions, moment,
    usage::{self, UsageCell},
};
use crate::{
    api::{Phase, lifecycle::AmendmentState},
    cli::{
        moment::{first_day, last_day},
        timeline::source_name,
    },
    core::calendar::{Bound, Instant, Tz, format_instant},
    evaluation::explanation::{Entitlement, ExceptionExplanation, GrantExplanation, Told},
    offline::{GrantChange, Passage, TimelineStep},
};
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

/// What is told about something whose amount no record has.
pub(super) const HELD: &str = "held";

/// How an entitlement stands, as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is in force.
    Entitled,
    /// It is granted, and not in force.
    Held,
    /// It was granted; nothing is left of that.
    Over,
}

/// Since when it is exactly as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since then.
    At(Instant),
    /// It is, but no record says since when.
    Unknown,
    /// It is not in force.
    Nothing,
}

/// What has to be known besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether somebody has to do something.
    pub is_trouble: bool,
    /// What it is.
    pub text: String,
}

/// An entitlement in one line.
#[derive(Clone, Debug)]
pub struct Row {
    /// The definition's name.
    pub definition: String,
    /// How it stands.
    pub stand: Stand,
    /// What the client has.
    pub has: String,
    /// How what is used of it stands, where it is metered.
    pub usage: Option<UsageCell>,
    /// Since when exactly that.
    pub since: Since,
    /// The first moment after the contract, without grace; absent where there is no contract.
    pub contract: Option<Bound>,
    /// Its last day, as the grant's status has it: by the calendar that was agreed.
    pub until: Option<String>,
    /// What comes next, in words.
    pub next: String,
    /// When that comes, where time brings it.
    pub next_at: Option<Instant>,
    /// What it had before.
    pub before: Option<FormerHolding>,
    /// What has to be known besides.
    pub notes: Vec<Note>,
}

impl Row {
    /// The row of an entitlement.
    #[must_use]
    pub fn of(entitlement: &Entitlement, passage: &Passage, now: Instant, zone: Tz) -> Self {
        RowWriter { entitlement, passage, now, zone }.row()
    }

    /// Whether somebody has to do something about it.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        self.notes.iter().any(|note| note.is_trouble)
    }

    /// The end of the contract as the table has it: its last day where the client is.
    #[must_use]
    pub fn contract_to(&self, zone: Tz) -> String {
        match self.contract {
            None => "-".to_owned(),
            Some(Bound::Never) => "no end".to_owned(),
            Some(Bound::At(end)) => {
                let shown = last_day(end, zone);
                let agreed = self.until.clone().filter(|until| is_day(until) || is_day(&shown));
                agreed.unwrap_or(shown)
            }
        }
    }

    /// Since when, as the table has it.
    #[must_use]
    pub fn since_day(&self, zone: Tz) -> String {
        match self.since {
            Since::At(at) => first_day(at, zone),
            Since::Unknown => "unknown".to_owned(),
            Since::Nothing => "-".to_owned(),
        }
    }

    /// What the table says, for programs.
    #[must_use]
    pub fn json(&self, zone: Tz) -> Value {
        let mut fields = Map::new();
        let instant = |at: Option<Instant>| at.map(format_instant);
        let since = match self.since {
            Since::At(at) => Some(at),
            Since::Unknown | Since::Nothing => None,
        };
        fields.insert("has".to_owned(), self.has.as_str().into());
        fields.insert("since".to_owned(), instant(since).into());
        fields.insert("sinceIsKnown".to_owned(), (self.since != Since::Unknown).into());
        fields.insert("contractEnd".to_owned(), instant(self.contract.and_then(Bound::at)).into());
        fields.insert("contractTo".to_owned(), self.contract.map(|_| self.contract_to(zone)).into());
        fields.insert("next".to_owned(), self.next.as_str().into());
        fields.insert("nextAt".to_owned(), instant(self.next_at).into());
        let before = self.before.as_ref().map(|before| {
            let to = last_day(before.until, zone);
            json!({ "had": before.had, "until": format_instant(before.until), "to": to, "why": before.why })
        });
        fields.insert("before".to_owned(), before.into());
        let notes: Vec<Value> =
            self.notes.iter().map(|note| json!({ "trouble": note.is_trouble, "text": note.text })).collect();
        fields.insert("notes".to_owned(), notes.into());
        Value::Object(fields)
    }
}

pub(super) struct RowWriter<'a> {
    pub(super) entitlement: &'a Entitlement,
    pub(super) passage: &'a Passage,
    pub(super) now: Instant,
    zone: Tz,
}

impl RowWriter<'_> {
    fn row(&self) -> Row {
        let stand = self.stand();
        let (next, next_at) = self.next();
        Row {
            definition: self.entitlement.definition.clone(),
            stand,
            has: self.has(),
            usage: self.entitlement.usage.as_ref().filter(|_| self.entitlement.entitled).map(usage::in_short),
            since: self.since(),
            contract: self.contract(),
            until: self.until(),
            next,
            next_at,
            before: self.before(stand),
            notes: self.notes(),
        }
    }

    fn in_phase<'a>(&'a self, phases: &'a [Phase]) -> impl Iterator<Item = &'a GrantExplanation> {
        self.entitlement.grants.iter().filter(move |grant| phases.contains(&grant.phase))
    }

    fn has_any(&self, phase: Phase) -> bool {
        self.entitlement.grants.iter().any(|grant| grant.phase == phase)
    }

    fn stand(&self) -> Stand {
        let is_over = |grant: &GrantExplanation| matches!(grant.phase, Phase::Expired | Phase::Cancelled);
        if self.entitlement.entitled {
            Stand::Entitled
        } else if self.entitlement.grants.iter().all(is_over) {
            Stand::Over
        } else {
            Stand::Held
        }
    }

    /// The grants that the row tells of.
    fn told(&self) -> Vec<&GrantExplanation> {
        let ways: [&[Phase]; 3] = [&[Phase::Active, Phase::Grace], &[Phase::Suspended], &[Phase::Waiting]];
        ways.into_iter()
            .map(|phases| self.in_phase(phases).collect::<Vec<_>>())
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Whether all that is refused are overrides that others did not approve.
    fn is_turned_down(&self) -> bool {
        let is_turned_down = |exception: &ExceptionExplanation| exception.is_turned_down();
        self.in_phase(&[Phase::Rejected]).all(|grant| grant.exception.as_ref().is_some_and(is_turned_down))
    }

    fn is_in_grace(&self) -> bool {
        self.has_any(Phase::Grace) && !self.has_any(Phase::Active)
    }

    fn has(&self) -> String {
        if self.entitlement.entitled {
            let grace = if self.is_in_grace() { " (grace)" } else { "" };
            return format!("{}{grace}", self.quantity(self.entitlement.amount.as_deref()));
        }
        if self.has_any(Phase::Suspended) {
            return "suspended".to_owned();
        }
        let waiting = self.in_phase(&[Phase::Waiting]);
        if let Some(start) = waiting.filter_map(|grant| moment(grant.start.as_deref()?)).min() {
            return format!("from {}", first_day(start, self.zone));
        }
        if self.has_any(Phase::Requested) {
            return "requested".to_owned();
        }
        if self.has_any(Phase::Draft) && !self.has_any(Phase::Rejected) { "draft".to_owned() } else { "-".to_owned() }
    }

    /// `250 seats`; where no definition says what kind of thing it is, only that it is there.
    pub(super) fn quantity(&self, amount: Option<&str>) -> String {
        match (amount, self.entitlement.unit.as_deref(), self.entitlement.type_) {
            (Some(amount), Some(unit), _) => format!("{amount} {unit}"),
            (Some(amount), None, _) => amount.to_owned(),
            (None, _, Some("Feature")) => "yes".to_owned(),
            (None, ..) => HELD.to_owned(),
        }
    }

    fn since(&self) -> Since {
        if !self.entitlement.entitled {
            let turned = self.in_phase(&[Phase::Suspended]).filter_map(|grant| grant.turned).max();
            return turned.map_or(Since::Nothing, Since::At);
        }
        let passage = self.passage;
        if !passage.is_past_told {
            return Since::Unknown;
        }
        let last = passage.past.iter().rev().find(|step| {
            let holding = step.holdings.get(self.entitlement.definition.as_str());
            holding.is_some_and(|(before, after)| is_more_or_less(before, after))
        });
        let by_hand = passage.by_hand.as_ref().filter(|done| {
            let before = done.before.as_ref();
            before.is_none_or(|before| is_more_or_less(before, &done.after))
        });
        let last = last.map(|step| step.at).max(by_hand.map(|done| done.at));
        last.map_or(Since::Unknown, |last| self.since_edits(last))
    }

    /// Since when exactly that, where grants have it from some moment on: an edit of the catalogue may have changed it since.
    fn since_edits(&self, last: Instant) -> Since {
        let is_since = |grant: &GrantExplanation| grant.began_before(self.now) && !grant.is_over_at(last);
        match self.entitlement.amount_told(is_since) {
            Told::Always => Since::At(last),
            Told::From(edit) if edit <= last => Since::At(last),
            Told::From(edit) if edit <= self.now && self.follows_the_catalogue(edit) => Since::At(edit),
            Told::From(_) | Told::Never => Since::Unknown,
        }
    }

    /// Whether an edit of the definition's amount changed what the client has.
    fn follows_the_catalogue(&self, edit: Instant) -> bool {
        let entitlement = self.entitlement;
        let mut in_force = self.in_phase(&[Phase::Active, Phase::Grace]);
        let is_sum = entitlement.aggregation == Some("Sum") && entitlement.amount.as_deref() != Some("Unlimited");
        let is_single = entitlement.grants.len() == 1;
        entitlement.record.amount == Told::From(edit)
            && (is_sum || is_single)
            && in_force.any(|grant| grant.hangs_on_the_catalogue && grant.began_before(edit))
    }

    fn contract(&self) -> Option<Bound> {
        let ends = self.told().into_iter().map(|grant| {
            let end = grant.end.as_deref().and_then(moment);
            end.map_or(Bound::Never, Bound::At)
        });
        ends.max()
    }

    /// The first of several that end at that moment.
    fn until(&self) -> Option<String> {
        let contract = self.contract()?.at()?;
        let ends_then = |grant: &&GrantExplanation| grant.end.as_deref().and_then(moment) == Some(contract);
        self.told().into_iter().find(ends_then)?.until.clone()
    }

    fn next(&self) -> (String, Option<Instant>) {
        let waits = "-".to_owned();
        if !self.entitlement.entitled {
            if self.has_any(Phase::Suspended) {
                return ("until it is resumed".to_owned(), None);
            }
            if !self.has_any(Phase::Waiting) {
                let is_refused = self.has_any(Phase::Rejected);
                let is_draft = self.has_any(Phase::Draft);
                let next = if self.has_any(Phase::Requested) {
                    "when it is approved"
                } else if is_refused {
                    if self.is_turned_down() { "not approved" } else { "refused, see below" }
                } else if is_draft {
                    "when it is activated"
                } else {
                    "-"
                };
                return (next.to_owned(), None);
            }
        }
        let coming = self.passage.future.iter().filter(|step| step.at > self.now);
        let mut told = coming.filter_map(|step| Some((self.comes(step)?, Some(step.at))));
        let more = self.passage.more.map(|_| ("see the timeline".to_owned(), None));
        told.next().or(more).unwrap_or((waits, None))
    }

    /// What a coming step means for the row, in some words; None where that is nothing, as for a notice.
    fn comes(&self, step: &TimelineStep) -> Option<String> {
        let definition = self.entitlement.definition.as_str();
        let from = || first_day(step.at, self.zone);
        match step.holdings.get(definition) {
            Some((before, after)) if before.entitled && !after.entitled => return Some(self.is_lost(step)),
            Some((before, after)) if !before.entitled && after.entitled => {
                let is_said = self.has().starts_with("from ");
                let from = if is_said { String::new() } else { format!(" from {}", from()) };
                return Some(format!("{}{from}", held(after)));
            }
            Some((before, after)) if before.amount != after.amount => {
                return Some(format!("{} from {}", held(after), from()));
            }
            _ => {}
        }
        let changes = || step.grants.iter().filter(|change| &*change.definition == definition);
        let renewed = changes().find_map(|change| self.renewal(step, change));
        let grace = || changes().find(|change| change.after.phase == Phase::Grace).map(|change| self.grace(change));
        let moved = || changes().find(|change| change.before.end != change.after.end).map(|change| self.moved(change));
        let goes_on = || self.goes_on(step);
        let settings = || step.holdings.contains_key(definition).then(|| format!("other settings from {}", from()));
        renewed.or_else(goes_on).or_else(grace).or_else(moved).or_else(settings)
    }

    fn is_lost(&self, step: &TimelineStep) -> String {
        let is_contract = self.contract() == Some(Bound::At(step.at));
        let last = last_day(step.at, self.zone);
        let ends = match (self.is_in_grace(), is_contract) {
            (true, _) => format!("kept to {last}"),
            (false, true) => "ends".to_owned(),
            (false, false) => format!("ends {last}"),
        };
        let afterwards = self.afterwards(Afterwards::of(self.entitlement, step.at));
        match afterwards {
            Some(afterwards) => format!("{ends}, {afterwards}"),
            None if is_contract && !self.is_in_grace() => "ends, not renewed".to_owned(),
            None => ends,
        }
    }

    /// What comes later, in some words.
    fn afterwards(&self, afterwards: Afterwards<'_>) -> Option<String> {
        match afterwards {
            Afterwards::Renewed(_, start) => Some(format!("renewed from {}", first_day(start, self.zone))),
            Afterwards::Suspended(_) => Some("its renewal is suspended".to_owned()),
            Afterwards::Again(_, start) => Some(format!("again from {}", first_day(start, self.zone))),
            Afterwards::Nothing => None,
        }
    }

    fn renewal(&self, step: &TimelineStep, change: &GrantChange) -> Option<String> {
        let renewal = step.successor(change)?;
        let renewal = change.grant.source.beside(renewal.into());
        let is_it = |grant: &&GrantExplanation| grant.source == renewal;
        let end = self.entitlement.grants.iter().find(is_it)?.end.as_deref().and_then(moment);
        Some(end.map_or("renewed, no end".to_owned(), |end| format!("renewed to {}", last_day(end, self.zone))))
    }

    /// Another grant takes over what one that ends has given.
    fn goes_on(&self, step: &TimelineStep) -> Option<String> {
        let definition = self.entitlement.definition.as_str();
        let changes =
            || step.grants.iter().filter(|change| &*change.definition == definition && change.is_transition());
        let is_over = changes().any(|change| change.before.phase.is_in_force() && !change.after.phase.is_in_force());
        let follows = changes().find(|change| is_over && change.after.phase == Phase::Active)?;
        Some(
            follows
                .after
                .end
                .map_or("goes on, no end".to_owned(), |end| format!("goes on to {}", last_day(end, self.zone))),
        )
    }

    fn grace(&self, change: &GrantChange) -> String {
        let is_it = |grant: &&GrantExplanation| grant.source == change.grant.source;
        let until = self.entitlement.grants.iter().find(is_it).and_then(|grant| moment(grant.grace_until.as_deref()?));
        let afterwards = Afterwards::of_grant(self.entitlement, change);
        let is_cut_short =
            matches!((afterwards, until), (Afterwards::Renewed(_, start), Some(until)) if start <= until);
        let grace = until.filter(|_| !is_cut_short);
        let grace = grace.map_or("grace".to_owned(), |until| format!("grace to {}", last_day(until, self.zone)));
        self.afterwards(afterwards).map_or(grace.clone(), |afterwards| format!("{grace}, {afterwards}"))
    }

    fn moved(&self, change: &GrantChange) -> String {
        change
            .after
            .end
            .map_or("contract without end".to_owned(), |end| format!("contract to {}", last_day(end, self.zone)))
    }

    fn notes(&self) -> Vec<Note> {
        let definition = &self.entitlement.definition;
        let trouble = |text: String| Note { is_trouble: true, text: format!("{definition}: {text}") };
        let mut notes: Vec<Note> = self.entitlement.problem.iter().map(|problem| trouble(problem.clone())).collect();
        for grant in &self.entitlement.grants {
            let name = source_name(&grant.source);
            if let Some(exception) = &grant.exception {
                let quantity = self.quantity(grant.amount.as_deref());
                if let Some(note) = exceptions::note(grant, exception, &quantity, self.zone) {
                    notes.push(Note { is_trouble: note.is_trouble, text: format!("{definition}: {}", note.text) });
                }
            }
            match (grant.phase, &grant.refusal) {
                (Phase::Rejected, _) if grant.exception.as_ref().is_some_and(ExceptionExplanation::is_turned_down) => {}
                (Phase::Rejected, Some(refusal)) => notes.push(trouble(format!("{name} is refused: {refusal}"))),
                (Phase::Suspended, _) if self.entitlement.entitled => {
                    let quantity = self.quantity(grant.amount.as_deref());
                    let text = format!("{definition}: {name} ({quantity}) is suspended");
                    notes.push(Note { is_trouble: false, text });
                }
                _ => {}
            }
            let is_over = matches!(grant.phase, Phase::Expired | Phase::Cancelled | Phase::Draft);
            let problems = [&grant.problem, &grant.undelivered].into_iter().flatten().filter(|_| !is_over);
            notes.extend(problems.map(|problem| trouble(format!("{name}: {problem}"))));
            let ignored = grant.amendments.iter().filter(|one| !is_over && one.state == AmendmentState::Ignored);
            notes.extend(ignored.map(|one| {
                let why = one.message.as_deref().unwrap_or("it cannot count");
                trouble(format!("{name}: its amendment {} is ignored: {why}", one.name))
            }));
        }
        notes
    }
}

/// Whether a text is a day, and no time.
fn is_day(text: &str) -> bool {
    text.parse::<NaiveDate>().is_ok()
}

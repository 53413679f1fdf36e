//! The contract's sentences as tests, and a plain model of them that generated histories are compared with.
#![allow(clippy::format_push_string, reason = "a line for a failure message is put together")]

mod acceptance;
mod amendments;
mod descent;
mod history;
mod laws;
mod lineage;
mod oracle;
mod phases;
mod renewal;
mod uniqueness;
mod world;

pub use world::{Preset, World, at};

use super::{AmendmentOutcome, Case, Group, GroupSubject, Lineage, Outlook, PreparedAmendment, TakesOver, Verdict};
use crate::{
    api::{AmountField, Phase, accepted_record::AcceptedRecord, lifecycle::AmendmentState},
    core::{
        amount::{Allotment, Amount},
        calendar::{Bound, CalendarDuration, Instant, parse_zone},
        grant::{Grant, GrantAmendment},
        refusal::{Reason, Refusal},
        source::instance,
        source::stated::StatedSource,
    },
};

/// The shortest text that [`at`] reads.
pub fn text(instant: Instant) -> String {
    let text = crate::core::calendar::format_instant(instant);
    text.strip_suffix("T00:00:00Z").map(str::to_owned).unwrap_or(text)
}

/// What one moment gives for one grant.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub phase: Phase,
    pub reason: Option<Reason>,
    pub message: String,
    pub start: Option<Instant>,
    pub end: Option<Bound>,
    pub amendments: Vec<(String, AmendmentState, String)>,
    /// Of one that has a term.
    pub amount: Option<Amount>,
    pub record: Option<AcceptedRecord>,
    pub renewed_by: Option<String>,
    pub next: Option<(Instant, Phase)>,
    pub is_never_in_force: bool,
}

impl Preset {
    fn allotment(&self) -> Allotment {
        let amount = Amount::read(&AmountField::Text(self.amount.clone())).unwrap();
        if self.everyone { Allotment::Everyone(amount) } else { Allotment::Agreed(amount) }
    }
}

impl World {
    pub fn grants(&self) -> Vec<Grant> {
        self.instances.iter().map(instance::grant).collect()
    }

    fn case<'a>(&self, grant: &'a Grant) -> Case<'a> {
        let duration = |text: &Option<String>| text.as_deref().map(|text| text.parse::<CalendarDuration>().unwrap());
        let zone = parse_zone(&self.zone).ok();
        let barred = self.barred.filter(|(namespace, _)| *namespace == &*grant.id.source.namespace);
        let amendments_zone = grant.accepted.as_ref().map(|accepted| accepted.zone).or(zone);
        let fault = |_: usize, amendment: &GrantAmendment| {
            let facets = amendment.facets.as_ref().map(|_| "facets do not validate".to_owned());
            amendment.amount.as_ref().and_then(|amount| Some(amount.as_ref().err()?.to_string())).or(facets)
        };
        Case {
            permission: None,
            source: &grant.source,
            accepted: grant.accepted.as_ref(),
            record: grant.accepted.clone(),
            history: self.history.clone(),
            barred: barred.map(|(_, reason)| Refusal::new(reason, "barred")),
            unready: self.unready.map(|reason| Refusal::new(reason, "unready")),
            zone,
            takes_over: TakesOver::Length,
            catalogue_term: duration(&self.term),
            catalogue_grace: duration(&self.grace).filter(|grace| !grace.is_zero()),
            allotment: Some(self.serving.as_ref().map_or(Allotment::None, Preset::allotment)),
            suspended: grant.suspended || self.suspended,
            amendments: amendments_zone
                .map(|zone| PreparedAmendment::prepare(&grant.amendments, zone, fault))
                .unwrap_or_default()
                .into(),
        }
    }

    pub fn group<'a>(&self, grants: &'a [Grant]) -> Group<'a> {
        let plain: Vec<&StatedSource> = grants.iter().map(|grant| &grant.source).collect();
        Group {
            subject: GroupSubject::Definition("seats"),
            cases: grants.iter().map(|grant| self.case(grant)).collect(),
            lineage: Lineage::of(&plain),
            unique: self.unique,
        }
    }

    /// What a moment gives, by name, and the spans of time in force; changes nothing.
    pub fn decide(&self, now: Instant) -> (Vec<Row>, Vec<(Instant, Bound)>) {
        let grants = self.grants();
        let group = self.group(&grants);
        let verdicts = group.decide(now);
        let outlook = Outlook::of(&group, &verdicts, now);
        let mut rows: Vec<Row> = verdicts
            .iter()
            .zip(&grants)
            .zip(&outlook.changes)
            .map(|((verdict, grant), change)| {
                let renewed_by = verdict.renewed_by.map(|index| grants[index].id.source.name.to_string());
                row(grant, verdict, renewed_by, change.map(|change| (change.at, change.phase)))
            })
            .collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        (rows, outlook.in_force.concat())
    }

    /// Decides as the operator does, whose only memory is the statuses: each outcome's record is written into its status.
    pub fn step(&mut self, now: Instant) -> Vec<Row> {
        let (rows, _) = self.decide(now);
        for row in &rows {
            self.set_record(&row.name, row.record.clone());
        }
        rows
    }

    /// Decides at a moment, and says it in one line for each grant. Deciding again, or in another order, changes nothing.
    pub fn at(&mut self, now: &str) -> Vec<String> {
        let now = at(now);
        let mut reversed = self.clone();
        reversed.instances.reverse();
        let rows = self.step(now);
        assert_eq!(reversed.decide(now).0, rows, "the order of the objects decides nothing");
        assert_eq!(self.decide(now).0, rows, "deciding again changes nothing");
        rows.iter().map(Row::line).collect()
    }

    /// The line of one grant.
    pub fn line(&mut self, now: &str, name: &str) -> String {
        let prefix = format!("{name}: ");
        self.at(now).into_iter().find(|line| line.starts_with(&prefix)).unwrap()
    }

    /// The message with which a grant is refused.
    pub fn message(&self, now: &str, name: &str) -> String {
        self.decide(at(now)).0.into_iter().find(|row| row.name == name).unwrap().message
    }
}

fn row(grant: &Grant, verdict: &Verdict, renewed_by: Option<String>, next: Option<(Instant, Phase)>) -> Row {
    let mut amendments: Vec<(String, AmendmentState, String)> = verdict
        .amendments
        .iter()
        .map(|AmendmentOutcome { index, state, message }| {
            (grant.amendments[*index].name.clone(), *state, message.clone().unwrap_or_default())
        })
        .collect();
    amendments.sort_by(|one, other| one.0.cmp(&other.0));
    Row {
        name: grant.id.source.name.to_string(),
        phase: verdict.phase,
        reason: verdict.refusal.as_ref().map(|refusal| refusal.reason),
        message: verdict.refusal.as_ref().map(|refusal| refusal.message.clone()).unwrap_or_default(),
        start: verdict.term.map(|term| term.start.instant()),
        end: verdict.term.map(|_| verdict.end.instant()),
        amendments,
        amount: verdict.term.and_then(|_| verdict.amount(grant)),
        record: verdict.acceptance.as_ref().map(|acceptance| acceptance.record()),
        renewed_by,
        next,
        is_never_in_force: verdict.is_never_in_force(),
    }
}

impl Row {
    /// `b: Waiting from 2027-02-01 to 2027-03-01, renewed by c; next 2027-02-01 Active`
    fn line(&self) -> String {
        let mut line = format!("{}: {}", self.name, self.phase.as_str());
        if let Some(reason) = self.reason {
            line += &format!(" {}", reason.as_str());
        }
        if let (Some(start), Some(end)) = (self.start, self.end) {
            line += &format!(" from {} to {}", text(start), end.at().map_or("never".to_owned(), text));
        }
        if self.is_never_in_force {
            line += ", never in force";
        }
        for (name, state, _) in &self.amendments {
            line += &format!(", {name} {state:?}");
        }
        if let Some(renewal) = &self.renewed_by {
            line += &format!(", renewed by {renewal}");
        }
        if let Some((at, phase)) = self.next {
            line += &format!("; next {} {}", text(at), phase.as_str());
        }
        line
    }
}

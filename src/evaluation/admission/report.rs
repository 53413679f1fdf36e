//! A report of usage, with the others of its organization and definition.

use super::{AdmissionVerdict, Findings};
use crate::{
    core::{
        calendar::Instant,
        problem::Problem,
        reason::ReasonCode,
        usage::{
            entitled::EntitledTime,
            register::Register,
            report::{RefusedUse, ReportReading, StatedReport},
        },
    },
    evaluation::{status::usage::told_unlisted, usage_report::ReportSurroundings},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How many registers of other reports are looked at for the same keys, while someone waits.
const MOST_COMPARED: usize = 100_000;

/// What a report is judged with.
#[derive(Clone, Debug)]
pub struct KnownUsage {
    /// What it is judged by.
    pub around: ReportSurroundings,
    /// The other reports of its organization and definition.
    pub others: Vec<Arc<StatedReport>>,
    /// When the definition was held, where that matters, and is known.
    pub entitled: Option<EntitledTime>,
}

/// What is said of a change of one report: absent before where it is made, and after where it is deleted.
#[must_use]
pub fn review_report(
    before: Option<&StatedReport>,
    after: Option<&StatedReport>,
    known: &KnownUsage,
    now: Instant,
) -> AdmissionVerdict {
    let found = |report: Option<&StatedReport>| report.map_or_else(Findings::default, |one| findings(one, known, now));
    match (before, after) {
        (Some(before), None) => deletion(before, known, now),
        _ => found(after).since(&found(before)),
    }
}

/// Whatever it says is there once only; each register is at fault by itself.
fn findings(report: &StatedReport, known: &KnownUsage, now: Instant) -> Findings {
    let mut findings = Findings::default();
    let reading = match known.around.take(report, now) {
        Ok(reading) => reading,
        Err(problem) => {
            findings.flaw(problem);
            return findings;
        }
    };
    for refused in &reading.refused {
        of_refused(&mut findings, refused);
    }
    findings.warnings.extend(told_unlisted(&reading.unlisted));
    findings.warnings.extend(told_unentitled(&reading, known.entitled.as_ref()));
    findings.warnings.extend(told_twice(report, &known.others));
    findings
}

/// What lies ahead counts by itself.
fn of_refused(findings: &mut Findings, refused: &RefusedUse) {
    let RefusedUse { key, field, message, is_ahead, .. } = refused;
    let told = format!("{key}: {message}");
    if *is_ahead {
        findings.warn(told);
        return;
    }
    findings.flaws.push((format!("{key} {field}"), Problem::new(ReasonCode::RegistersRefused, told)));
}

fn told_unentitled(reading: &ReportReading, entitled: Option<&EntitledTime>) -> Option<String> {
    let is_unentitled = |register: &Register| entitled.is_some_and(|time| !time.has(register.at));
    let mut unentitled = reading.registers.iter().filter(|(_, register)| is_unentitled(register));
    let (first, _) = unentitled.next()?;
    let which = match unentitled.count() {
        0 => format!("{} is dated when the organization did not hold it: it is kept, and counts", first.key),
        more => format!(
            "{} registers, such as {}, are dated when the organization did not hold it: they are kept, and count",
            more + 1,
            first.key
        ),
    };
    Some(format!("{which} once a grant covers that time"))
}

/// The same key in another report is another register, though it is more often the same use told twice.
fn told_twice(report: &StatedReport, others: &[Arc<StatedReport>]) -> Option<String> {
    let own: BTreeSet<&Arc<str>> = report.registers.iter().map(|register| &register.key).collect();
    let all = others.iter().flat_map(|other| other.registers.iter().map(move |register| (&register.key, &other.id)));
    let mut twice = BTreeMap::new();
    for (key, id) in all.take(MOST_COMPARED).filter(|(key, _)| own.contains(key)) {
        twice.entry(key).or_insert(id);
    }
    let (key, id) = twice.first_key_value()?;
    Some(match twice.len() {
        1 => format!(
            "{key} is in the report {id}, too, and both count: give it another key, or take it out of one of them"
        ),
        more => format!(
            "{more} keys, such as {key}, are in other reports, such as {id}, too, and both count: give them other keys, or take them out of one of these"
        ),
    })
}

fn deletion(report: &StatedReport, known: &KnownUsage, now: Instant) -> AdmissionVerdict {
    let counted = known.around.take(report, now).map_or(0, |reading| reading.registers.len());
    let warning = match counted {
        0 => None,
        1 => Some("its register counts no more: what it used is given back".to_owned()),
        more => Some(format!("its {more} registers count no more: what they used is given back")),
    };
    AdmissionVerdict { refused: None, warnings: warning.into_iter().collect() }
}

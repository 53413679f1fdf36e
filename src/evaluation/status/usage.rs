//! The status of a report of usage.

use crate::{
    api::{EntitlementUsageStatus, conditions::READY, entitlement_usage::RefusedRegister},
    core::{
        calendar::{Instant, format_instant},
        excerpt::within_characters,
        problem::Problem,
        reason::ReasonCode,
        usage::{
            entitled::EntitledTime,
            register::{Register, RegisterId},
            report::{ReportReading, StatedReport},
        },
    },
    evaluation::conditions::Conditions,
};
use std::{collections::BTreeSet, sync::Arc};

/// The longest message of a register, in characters.
const LONGEST_MESSAGE: usize = 1024;

/// How many channels a message names.
const CHANNELS_NAMED: usize = 3;

/// What a report comes to.
#[derive(Clone, Copy, Debug)]
pub struct JudgedReport<'a> {
    /// What counts of it, as far as it can be told from it alone.
    pub reading: &'a ReportReading,
    /// When what it names was held, of what is consumed: what is dated otherwise is kept, and does not count.
    pub entitled: Option<&'a EntitledTime>,
}

impl<'a> JudgedReport<'a> {
    /// Those that are dated when nothing was held.
    fn unentitled(self) -> impl Iterator<Item = (&'a RegisterId, &'a Register)> {
        let registers = self.reading.registers.iter();
        registers.filter(move |(_, register)| self.entitled.is_some_and(|time| !time.has(register.at)))
    }
}

/// The status of a report, of which that counts, or nothing for that reason.
#[must_use]
pub fn report_status(
    report: &StatedReport,
    before: Option<&EntitlementUsageStatus>,
    judged: Result<JudgedReport, &Problem>,
    now: Instant,
) -> EntitlementUsageStatus {
    let before = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, report.generation, now);
    let judged = match judged {
        Ok(judged) => judged,
        Err(problem) => {
            conditions.set(READY, false, problem.reason, problem.message.as_str());
            return EntitlementUsageStatus {
                observed_generation: report.generation,
                conditions: conditions.into_vec(),
                counted: Some(0),
                refused: Vec::new(),
            };
        }
    };
    let reading = judged.reading;
    let refused = reading.refused.iter().map(|one| (one.key.to_string(), one.message.clone()));
    let unentitled = judged.unentitled().map(|(id, register)| (id.key.to_string(), told_unentitled(register.at)));
    let shown = refused.chain(unentitled).take(ReportReading::MOST_SHOWN);
    let refused: Vec<RefusedRegister> = shown
        .map(|(key, message)| RefusedRegister { key, message: within_characters(message, LONGEST_MESSAGE) })
        .collect();
    let not_held = judged.unentitled().count();
    let not_counted = reading.refused_in_all + not_held;
    let (reason, said) = told(reading.total, not_counted, refused.len(), reading.ahead == not_counted);
    let message =
        format!("{said}{}", told_unlisted(&reading.unlisted).map_or_else(String::new, |told| format!("; {told}")));
    conditions.set(READY, reason == ReasonCode::Counted, reason, message);
    EntitlementUsageStatus {
        observed_generation: report.generation,
        conditions: conditions.into_vec(),
        counted: Some(reading.registers.len().saturating_sub(not_held) as u64),
        refused,
    }
}

/// What is said of all; `ahead`: what is not counted only lies ahead.
fn told(total: usize, not_counted: usize, shown: usize, ahead: bool) -> (ReasonCode, String) {
    if not_counted == 0 {
        let message = match total {
            0 => "it has no registers, so nothing is counted".to_owned(),
            1 => "its register is counted".to_owned(),
            more => format!("its {more} registers are counted"),
        };
        return (ReasonCode::Counted, message);
    }
    let others = if not_counted < total { ", the others are" } else { "" };
    if ahead {
        let (they, count) = if not_counted == 1 { ("it lies", "counts") } else { ("they lie", "count") };
        let which = match (total, not_counted) {
            (1, _) => "its register is not counted yet".to_owned(),
            _ => format!("{not_counted} of its {total} registers are not counted yet{others}"),
        };
        return (ReasonCode::RegistersRefused, format!("{which}: {they} ahead, and {count} from then on"));
    }
    let first = if shown < not_counted { format!(", which has the first {shown}") } else { String::new() };
    let which = match (total, not_counted) {
        (1, _) => "its register is not counted".to_owned(),
        (_, 1) => format!("1 of its {total} registers is not counted{others}"),
        _ => format!("{not_counted} of its {total} registers are not counted{others}"),
    };
    (ReasonCode::RegistersRefused, format!("{which}: do what status.refused says{first}"))
}

/// What is said of a register that is dated when nothing was held.
#[must_use]
pub fn told_unentitled(at: Instant) -> String {
    format!(
        "it is dated {}, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant",
        format_instant(at)
    )
}

/// What is said of channels that a definition does not list, but for which it does not refuse uses.
#[must_use]
pub fn told_unlisted(channels: &BTreeSet<Arc<str>>) -> Option<String> {
    let first: Vec<String> = channels.iter().take(CHANNELS_NAMED).map(|channel| format!("{channel:?}")).collect();
    let more = channels.len() - first.len();
    let all = first.join(", ");
    match (channels.len(), more) {
        (0, _) => None,
        (1, _) => Some(format!("the definition does not list channel {all}: the total alone bounds it")),
        (_, 0) => Some(format!("the definition does not list channels {all}: the total alone bounds them")),
        _ => Some(format!("the definition does not list channels {all} and {more} more: the total alone bounds them")),
    }
}

#[cfg(test)]
mod tests {
    use super::{JudgedReport, report_status};
    use crate::{
        api::{EntitlementUsageStatus, usage::UsageSpec},
        core::{
            amount::Amount,
            calendar::{Bound, parse_instant},
            problem::Problem,
            reason::ReasonCode,
            usage::{
                entitled::EntitledTime,
                memory::{Memory, PresentParts},
                part::{HeldPart, HeldSpan},
                report::StatedReport,
                rules::UsageRules,
            },
        },
        evaluation::status::grants::tests::now,
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    fn report(registers: &Value) -> StatedReport {
        let report = json!({"metadata": {"name": "a", "namespace": "b", "generation": 3}, "spec": {
            "organization": "acme", "definition": "support", "registers": registers,
        }});
        StatedReport::read(&serde_json::from_value(report).unwrap(), now())
    }

    /// `held` is when the definition was held, if that matters.
    fn status(registers: &Value, held: Option<(&str, &str)>) -> EntitlementUsageStatus {
        let spec: UsageSpec =
            serde_json::from_value(json!({"mode": "Consumed", "channels": [{"name": "phone"}]})).unwrap();
        let report = report(registers);
        let reading = report.take(&UsageRules::read(&spec).unwrap(), None, now());
        let entitled = held.map(|(from, until)| {
            let (from, until) = (parse_instant(from).unwrap(), Bound::At(parse_instant(until).unwrap()));
            let spans = vec![HeldSpan { from, until, amount: Some(Amount::ZERO) }];
            let part = HeldPart { name: "a".into(), priority: 0, start: from, end: until, spans };
            let present = PresentParts { parts: vec![part], first: None };
            EntitledTime::of(&Memory::default(), &present, now())
        });
        report_status(&report, None, Ok(JudgedReport { reading: &reading, entitled: entitled.as_ref() }), now())
    }

    fn registers(good: usize, bad: usize) -> Value {
        let good =
            (0..good).map(|number| json!({"key": format!("g{number}"), "at": "2026-06-01T00:00:00Z", "amount": 1}));
        let bad =
            (0..bad).map(|number| json!({"key": format!("b{number}"), "at": "2026-06-01T00:00:00Z", "amount": "x"}));
        good.chain(bad).collect()
    }

    #[rstest]
    #[case::none(0, 0, "Counted: it has no registers, so nothing is counted")]
    #[case::one(1, 0, "Counted: its register is counted")]
    #[case::all(3, 0, "Counted: its 3 registers are counted")]
    #[case::the_only_one(0, 1, "RegistersRefused: its register is not counted: do what status.refused says")]
    #[case::some(
        2,
        1,
        "RegistersRefused: 1 of its 3 registers is not counted, the others are: do what status.refused says"
    )]
    #[case::many(
        1,
        30,
        "RegistersRefused: 30 of its 31 registers are not counted, the others are: do what status.refused says, which has the first 20"
    )]
    #[case::all_of_them(0, 2, "RegistersRefused: 2 of its 2 registers are not counted: do what status.refused says")]
    fn it_says_what_counts(#[case] good: usize, #[case] bad: usize, #[case] expected: &str) {
        let status = status(&registers(good, bad), None);
        let [ready] = status.conditions.as_slice() else { panic!("{status:?}") };
        assert_eq!(format!("{}: {}", ready.reason, ready.message), expected);
        assert_eq!(ready.status == crate::api::ConditionStatus::True, bad == 0);
        assert_eq!(
            (status.observed_generation, status.counted, status.refused.len()),
            (3, Some(good as u64), bad.min(20))
        );
    }

    #[test]
    fn of_what_lies_ahead_nothing_is_to_be_done() {
        let ahead = |key: &str| json!({"key": key, "at": "2026-12-01T00:00:00Z", "amount": 1});
        let message = |registers: Value| status(&registers, None).conditions.swap_remove(0).message;
        let with = |registers: Value, more: &[&str]| {
            registers.as_array().unwrap().iter().cloned().chain(more.iter().map(|key| ahead(key))).collect::<Value>()
        };
        assert_eq!(
            message(json!([ahead("a")])),
            "its register is not counted yet: it lies ahead, and counts from then on"
        );
        assert_eq!(
            message(with(registers(1, 0), &["a", "b"])),
            "2 of its 3 registers are not counted yet, the others are: they lie ahead, and count from then on"
        );
        assert_eq!(
            message(with(registers(0, 1), &["a"])),
            "2 of its 2 registers are not counted: do what status.refused says"
        );
    }

    #[test]
    fn each_that_is_refused_is_named_with_what_to_do() {
        let status = status(&registers(0, 1), None);
        assert_eq!(
            serde_json::to_value(&status.refused).unwrap(),
            json!([{"key": "b0", "message": "amount \"x\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point"}])
        );
    }

    #[test]
    fn where_none_of_it_counts_that_is_the_reason() {
        let problem = Problem::new(ReasonCode::NotMetered, "mend it");
        let status = report_status(&report(&registers(2, 0)), None, Err(&problem), now());
        assert_eq!((&*status.conditions[0].reason, &*status.conditions[0].message), ("NotMetered", "mend it"));
        assert_eq!((status.counted, status.refused.len()), (Some(0), 0));
    }

    #[test]
    fn what_is_dated_when_nothing_was_held_does_not_count() {
        let dated = |key: &str, at: &str| json!({"key": key, "at": at, "amount": 1});
        let registers = json!([
            dated("before", "2026-05-31T23:59:59Z"),
            dated("first", "2026-06-01T00:00:00Z"),
            dated("last", "2026-06-01T23:59:59Z"),
            dated("after", "2026-06-02T00:00:00Z"),
        ]);
        let status = status(&registers, Some(("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z")));
        assert_eq!(
            serde_json::to_value(&status.refused).unwrap(),
            json!([
                {"key": "after", "message": "it is dated 2026-06-02T00:00:00Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant"},
                {"key": "before", "message": "it is dated 2026-05-31T23:59:59Z, when the organization did not hold it: it is kept, and counts once a grant covers that time; mend its at, or the start of the grant"},
            ])
        );
        assert_eq!(
            (status.counted, &*status.conditions[0].reason, &*status.conditions[0].message),
            (
                Some(2),
                "RegistersRefused",
                "2 of its 4 registers are not counted, the others are: do what status.refused says"
            )
        );
    }

    #[rstest]
    #[case::listed(&["phone", "phone"], "its 2 registers are counted")]
    #[case::one(&["phone", "fax", "fax"], "its 3 registers are counted; the definition does not list channel \"fax\": the total alone bounds it")]
    #[case::two(&["post", "fax"], "its 2 registers are counted; the definition does not list channels \"fax\", \"post\": the total alone bounds them")]
    #[case::many(&["a", "b", "c", "d", "e"], "its 5 registers are counted; the definition does not list channels \"a\", \"b\", \"c\" and 2 more: the total alone bounds them")]
    fn channels_that_are_not_listed_are_told(#[case] channels: &[&str], #[case] expected: &str) {
        let register = |(number, channel): (usize, &&str)| json!({"key": number.to_string(), "at": "2026-06-01T00:00:00Z", "channel": channel, "amount": 1});
        let status = status(&channels.iter().enumerate().map(register).collect(), None);
        assert_eq!((&*status.conditions[0].reason, &*status.conditions[0].message), ("Counted", expected));
    }
}

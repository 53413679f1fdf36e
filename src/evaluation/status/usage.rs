//! The status of a report of usage.

use crate::{
    api::{EntitlementUsageStatus, conditions::READY, entitlement_usage::RefusedRegister},
    core::{
        calendar::Instant,
        excerpt::within_characters,
        problem::Problem,
        reason::ReasonCode,
        usage::report::{ReportReading, StatedReport},
    },
    evaluation::conditions::Conditions,
};

/// The longest message of a register, in characters.
const LONGEST_MESSAGE: usize = 1024;

/// The status of a report, of which that counts, or nothing for that reason. `unentitled` is how many of those that count are dated
/// when nothing was held.
#[must_use]
pub fn report_status(
    report: &StatedReport,
    before: Option<&EntitlementUsageStatus>,
    reading: Result<&ReportReading, &Problem>,
    unentitled: usize,
    now: Instant,
) -> EntitlementUsageStatus {
    let before = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut conditions = Conditions::after(before, report.generation, now);
    match reading {
        Err(problem) => conditions.set(READY, false, problem.reason, problem.message.as_str()),
        Ok(reading) => {
            let (reason, said) = told(reading);
            let message = format!("{said}{}", told_unentitled(unentitled));
            conditions.set(READY, reason == ReasonCode::Counted, reason, message);
        }
    }
    let refused = reading.map(|reading| reading.refused.as_slice()).unwrap_or_default();
    let refused = refused.iter().map(|one| RefusedRegister {
        key: one.key.to_string(),
        message: within_characters(one.message.as_str(), LONGEST_MESSAGE),
    });
    EntitlementUsageStatus {
        observed_generation: report.generation,
        conditions: conditions.into_vec(),
        counted: Some(reading.map_or(0, |reading| reading.registers.len() as u64)),
        refused: refused.collect(),
    }
}

fn told(reading: &ReportReading) -> (ReasonCode, String) {
    let ReportReading { total, refused_in_all, .. } = reading;
    let shown = reading.refused.len();
    if *refused_in_all == 0 {
        let message = match total {
            0 => "it has no registers, so nothing is counted".to_owned(),
            1 => "its register is counted".to_owned(),
            more => format!("its {more} registers are counted"),
        };
        return (ReasonCode::Counted, message);
    }
    let others = if refused_in_all < total { ", the others are" } else { "" };
    let first = if shown < *refused_in_all { format!(", which has the first {shown}") } else { String::new() };
    let not_counted = if *total == 1 {
        "its register is not counted".to_owned()
    } else {
        format!("{refused_in_all} of its {total} registers are not counted{others}")
    };
    (ReasonCode::RegistersRefused, format!("{not_counted}: do what status.refused says{first}"))
}

fn told_unentitled(number: usize) -> String {
    let dated = match number {
        0 => return String::new(),
        1 => "1 of those that are counted is dated".to_owned(),
        more => format!("{more} of those that are counted are dated"),
    };
    format!(
        "; {dated} when the organization did not hold it, and uses up nothing unless a grant comes to cover that time"
    )
}

#[cfg(test)]
mod tests {
    use super::report_status;
    use crate::{
        api::{EntitlementUsageStatus, usage::UsageSpec},
        core::{
            problem::Problem,
            reason::ReasonCode,
            usage::{report::StatedReport, rules::UsageRules},
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

    fn status(registers: &Value, unentitled: usize) -> EntitlementUsageStatus {
        let spec: UsageSpec = serde_json::from_value(json!({"mode": "Consumed"})).unwrap();
        let report = report(registers);
        let reading = report.take(&UsageRules::read(&spec).unwrap(), None, now());
        report_status(&report, None, Ok(&reading), unentitled, now())
    }

    fn registers(good: usize, bad: usize) -> Value {
        let good =
            (0..good).map(|number| json!({"key": format!("g{number}"), "at": "2026-06-01T00:00:00Z", "amount": 1}));
        let bad =
            (0..bad).map(|number| json!({"key": format!("b{number}"), "at": "2026-06-01T00:00:00Z", "amount": "x"}));
        good.chain(bad).collect()
    }

    #[rstest]
    #[case::none(0, 0, 0, "Counted: it has no registers, so nothing is counted")]
    #[case::one(1, 0, 0, "Counted: its register is counted")]
    #[case::all(3, 0, 0, "Counted: its 3 registers are counted")]
    #[case::not_held(
        3,
        0,
        2,
        "Counted: its 3 registers are counted; 2 of those that are counted are dated when the organization did not hold it, and uses up nothing unless a grant comes to cover that time"
    )]
    #[case::the_only_one(0, 1, 0, "RegistersRefused: its register is not counted: do what status.refused says")]
    #[case::some(
        2,
        1,
        0,
        "RegistersRefused: 1 of its 3 registers are not counted, the others are: do what status.refused says"
    )]
    #[case::many(
        1,
        30,
        0,
        "RegistersRefused: 30 of its 31 registers are not counted, the others are: do what status.refused says, which has the first 20"
    )]
    #[case::all_of_them(0, 2, 0, "RegistersRefused: 2 of its 2 registers are not counted: do what status.refused says")]
    fn it_says_what_counts(#[case] good: usize, #[case] bad: usize, #[case] unentitled: usize, #[case] expected: &str) {
        let status = status(&registers(good, bad), unentitled);
        let [ready] = status.conditions.as_slice() else { panic!("{status:?}") };
        assert_eq!(format!("{}: {}", ready.reason, ready.message), expected);
        assert_eq!(ready.status == crate::api::ConditionStatus::True, bad == 0);
        assert_eq!(
            (status.observed_generation, status.counted, status.refused.len()),
            (3, Some(good as u64), bad.min(20))
        );
    }

    #[test]
    fn each_that_is_refused_is_named_with_what_to_do() {
        let status = status(&registers(0, 1), 0);
        assert_eq!(
            serde_json::to_value(&status.refused).unwrap(),
            json!([{"key": "b0", "message": "amount \"x\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point"}])
        );
    }

    #[test]
    fn where_none_of_it_counts_that_is_the_reason() {
        let problem = Problem::new(ReasonCode::NotMetered, "mend it");
        let status = report_status(&report(&registers(2, 0)), None, Err(&problem), 0, now());
        assert_eq!((&*status.conditions[0].reason, &*status.conditions[0].message), ("NotMetered", "mend it"));
        assert_eq!((status.counted, status.refused.len()), (Some(0), 0));
    }
}

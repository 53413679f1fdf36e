//! Which amounts come next, from the flags beside a summary: their rules know the time.

use crate::core::calendar::Instant;
use chrono::DateTime;
use serde_json::Value;

/// An amount from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The moment.
    pub at: Instant,
    /// How much there is from then on, as the summary writes it.
    pub amount: String,
}

/// The next amount of a handle, where it is still held then, and the flags have the amount now that the summary has. Flags that
/// are not as the operator writes them tell nothing.
#[must_use]
pub fn coming(flags: &Value, handle: &str, amount: &str, now: Instant) -> Option<Coming> {
    let mut rule = flags.get("flags")?.get(handle)?.get("targeting")?;
    loop {
        let (end, before, after) = parts(rule)?;
        if end > now {
            let next = parts(after).map_or(after.as_str(), |(_, next, _)| Some(next))?;
            let is_told = before == amount && next != "0" && next != before;
            return is_told.then(|| Coming { at: end, amount: next.to_owned() });
        }
        rule = after;
    }
}

/// `if before a moment, that variant, else what follows`.
fn parts(rule: &Value) -> Option<(Instant, &str, &Value)> {
    let [condition, before, after] = rule.get("if")?.as_array()?.as_slice() else { return None };
    let [_, end] = condition.get("<")?.as_array()?.as_slice() else { return None };
    Some((DateTime::from_timestamp(end.as_i64()?, 0)?, before.as_str()?, after))
}

#[cfg(test)]
mod tests {
    use super::{Coming, coming};
    use crate::{
        core::{amount::Amount, calendar::parse_instant},
        render::flags::{FlagCourse, HeldRight, Stage, flags},
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    fn written() -> Value {
        let stage = |from: &str, amount: Option<i64>| Stage {
            from: parse_instant(from).unwrap(),
            holds: amount.map(|amount| HeldRight::Amount(Amount::Limited(amount.into()))),
        };
        let rights = vec![
            stage("2026-01-01T00:00:00Z", Some(300)),
            stage("2027-04-01T00:00:00Z", Some(250)),
            stage("2027-06-01T00:00:00Z", None),
        ];
        flags([("seats", true, &FlagCourse { rights, facets: None, allowed: None })].into_iter())
    }

    #[rstest]
    #[case::shrinks("seats", "300", "2026-11-26T00:00:00Z", Some(("2027-04-01T00:00:00Z", "250")))]
    #[case::at_that_moment("seats", "250", "2027-04-01T00:00:00Z", None)]
    #[case::its_end_is_told_otherwise("seats", "250", "2027-05-01T00:00:00Z", None)]
    #[case::after_all_of_it("seats", "250", "2028-05-01T00:00:00Z", None)]
    #[case::not_the_summarys("seats", "299", "2026-11-26T00:00:00Z", None)]
    #[case::another("chairs", "300", "2026-11-26T00:00:00Z", None)]
    fn the_next_amount_is_that_of_the_flags(
        #[case] handle: &str,
        #[case] amount: &str,
        #[case] now: &str,
        #[case] expected: Option<(&str, &str)>,
    ) {
        let expected =
            expected.map(|(at, amount)| Coming { at: parse_instant(at).unwrap(), amount: amount.to_owned() });
        assert_eq!(coming(&written(), handle, amount, parse_instant(now).unwrap()), expected);
    }

    #[test]
    fn flags_of_somebody_else_tell_nothing() {
        let now = parse_instant("2026-11-26T00:00:00Z").unwrap();
        let targeted = |rule: Value| json!({"flags": {"seats": {"targeting": rule}}});
        for strange in [
            json!(null),
            json!({"flags": []}),
            targeted(json!("300")),
            targeted(json!({"if": [true, "300", "250"]})),
            targeted(json!({"if": [{"<": [1, "soon"]}, "300", "250"]})),
            targeted(json!({"if": [{"<": [1, i64::MAX]}, "300", "250"]})),
            targeted(json!({"if": [{"<": [1, 4_102_444_800_i64]}, "300", {"fractional": []}]})),
        ] {
            assert_eq!(coming(&strange, "seats", "300", now), None, "{strange}");
        }
    }
}

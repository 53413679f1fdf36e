use rstest::rstest;

use super::super::{CalendarDuration, DurationProblem, InvalidDuration};
use super::duration;

#[rstest]
#[case("P1Y2M3W4DT5H6M7S", "P1Y2M3W4DT5H6M7S")]
#[case("P1Y", "P1Y")]
#[case("P12M", "P12M")]
#[case("P7D", "P7D")]
#[case("P1W", "P1W")]
#[case("PT36H", "PT36H")]
#[case("PT1M", "PT1M")]
#[case("P1M", "P1M")]
#[case("P1MT1M", "P1MT1M")]
#[case("P0001Y", "P1Y")]
#[case("P0Y1D", "P1D")]
#[case("P0DT1H", "PT1H")]
#[case("P0D", "PT0S")]
#[case("PT0S", "PT0S")]
#[case("P999999999999YT999999999999S", "P999999999999YT999999999999S")]
fn a_duration_keeps_its_parts(#[case] text: &str, #[case] canonical: &str) {
    assert_eq!(duration(text).to_string(), canonical);
    assert_eq!(duration(canonical), duration(text));
}

#[rstest]
#[case("", DurationProblem::NoPrefix)]
#[case("1Y", DurationProblem::NoPrefix)]
#[case(" P1Y", DurationProblem::NoPrefix)]
#[case("forever", DurationProblem::NoPrefix)]
#[case("p1y", DurationProblem::LowerCase('p'))]
#[case("P1y", DurationProblem::LowerCase('y'))]
#[case("P1Dt1H", DurationProblem::LowerCase('t'))]
#[case("P", DurationProblem::NoPart)]
#[case("PT", DurationProblem::NothingAfterT)]
#[case("P1DT", DurationProblem::NothingAfterT)]
#[case("-P1D", DurationProblem::Sign)]
#[case("+P1D", DurationProblem::Sign)]
#[case("P-1D", DurationProblem::Sign)]
#[case("P1.5D", DurationProblem::Fraction)]
#[case("PT0,5H", DurationProblem::Fraction)]
#[case("P.5D", DurationProblem::Fraction)]
#[case("P1", DurationProblem::NoUnit)]
#[case("P1Y6", DurationProblem::NoUnit)]
#[case("P1T1H", DurationProblem::NoUnit)]
#[case("PY", DurationProblem::NoNumber('Y'))]
#[case("P1MD", DurationProblem::NoNumber('D'))]
#[case("P1D1M", DurationProblem::OutOfPlace('M'))]
#[case("P1D1D", DurationProblem::OutOfPlace('D'))]
#[case("P1H", DurationProblem::OutOfPlace('H'))]
#[case("PT1D", DurationProblem::OutOfPlace('D'))]
#[case("PT1HT1M", DurationProblem::OutOfPlace('T'))]
#[case("P1Y ", DurationProblem::Unexpected(' '))]
#[case("P1Y 2M", DurationProblem::Unexpected(' '))]
#[case("P1X", DurationProblem::Unexpected('X'))]
#[case("P１Y", DurationProblem::Unexpected('１'))]
#[case("P1000000000000D", DurationProblem::TooGreat)]
#[case("P99999999999999999999Y", DurationProblem::TooGreat)]
fn another_text_is_refused_for_what_is_wrong_with_it(#[case] text: &str, #[case] problem: DurationProblem) {
    let refused = text.parse::<CalendarDuration>();
    assert_eq!(refused.as_ref().map_err(InvalidDuration::problem), Err(problem));
}

#[rstest]
#[case(
    "P1D1M",
    "\"P1D1M\" is no duration: M is out of place: the order is Y, M, W, D, then T and H, M, S, each at most \
     once; write an ISO 8601 duration such as P1Y, P1M15D or PT12H"
)]
#[case(
    "one\nyear, and then as long as it may take us",
    "\"one\\nyear, and then as long as it may tak…\" is no duration: it does not begin with P; write an ISO \
     8601 duration such as P1Y, P1M15D or PT12H"
)]
#[case(
    "P9999999999999S",
    "\"P9999999999999S\" is no duration: a number is above 999999999999; write an ISO 8601 duration such as \
     P1Y, P1M15D or PT12H"
)]
fn a_refusal_says_what_to_write(#[case] text: &str, #[case] message: &str) {
    assert_eq!(text.parse::<CalendarDuration>().unwrap_err().to_string(), message);
}

#[rstest]
#[case("PT0S", true, false)]
#[case("P0Y0M0W0D", true, false)]
#[case("PT1S", false, false)]
#[case("P0DT1S", false, false)]
#[case("P1Y", false, true)]
#[case("P1M", false, true)]
#[case("P1W", false, true)]
#[case("P1DT1S", false, true)]
fn a_part_of_zero_counts_as_absent(#[case] text: &str, #[case] is_zero: bool, #[case] has_date_part: bool) {
    assert_eq!(duration(text).is_zero(), is_zero);
    assert_eq!(duration(text).has_date_part(), has_date_part);
}

#[rstest]
#[case(CalendarDuration::of_months(12), "P12M")]
#[case(CalendarDuration::of_days(u32::MAX), "P4294967295D")]
#[case(CalendarDuration::of_seconds(86_400), "PT86400S")]
#[case(CalendarDuration::of_seconds(u64::MAX), "PT999999999999S")]
fn a_made_duration_is_readable(#[case] made: CalendarDuration, #[case] text: &str) {
    assert_eq!(made.to_string(), text);
    assert_eq!(duration(text), made);
}

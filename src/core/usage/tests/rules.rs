//! What a definition may say.

use crate::core::usage::rules::UsageRules;
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::a_month_of_a_month("P1M", "P1M", true)]
#[case::a_year_of_a_year("P1Y", "P1Y", true)]
#[case::the_same_in_other_words("P12M", "P1Y", true)]
#[case::a_week_in_days("P7D", "P1W", true)]
#[case::a_day_in_hours("PT24H", "P1D", true)]
#[case::the_shortest_month_in_days("P28D", "P1M", true)]
#[case::days_that_a_month_may_not_have("P29D", "P1M", false)]
#[case::a_month_of_days("P1M", "P31D", true)]
#[case::a_month_of_fewer_days("P1M", "P30D", false)]
#[case::a_month_and_a_second("P1MT1S", "P1M", false)]
#[case::two_months_of_one("P2M", "P1M", false)]
fn lateness_is_at_most_one_period(#[case] lateness: &str, #[case] period: &str, #[case] is_possible: bool) {
    let usage = json!({"mode": "Consumed", "period": period, "lateness": lateness});
    let read = UsageRules::read(&serde_json::from_value(usage).unwrap());
    assert_eq!(read.is_ok(), is_possible, "{read:?}");
}

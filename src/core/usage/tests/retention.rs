//! From when registers are kept.

use super::scene::{Scene, moment};
use crate::core::{calendar::format_instant, usage::retention::kept_since};
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::months(Some("P1M"), "2025-01-01T00:00:00Z 5", "2026-01-10T00:00:00Z")]
#[case::the_open_year_and_two_before(Some("P1Y"), "2023-03-05T00:00:00Z 5", "2024-03-05T00:00:00Z")]
#[case::there_was_none_before(Some("P1Y"), "2025-03-05T00:00:00Z 5", "2025-03-05T00:00:00Z")]
#[case::held_for_long(None, "2024-05-01T00:00:00Z 5", "2024-05-01T00:00:00Z")]
#[case::held_since_lately(None, "2026-12-01T00:00:00Z 5", "2026-01-10T00:00:00Z")]
#[case::held_no_more(None, "2024-05-01T00:00:00Z 5, 01-05 over", "2026-01-10T00:00:00Z")]
#[case::not_yet(Some("P1M"), "03-01 5", "2026-01-10T00:00:00Z")]
fn registers_are_kept_for_13_months_and_as_long_as_they_count(
    #[case] period: Option<&str>,
    #[case] part: &str,
    #[case] expected: &str,
) {
    let usage = match period {
        Some(period) => json!({"mode": "Consumed", "period": period}),
        None => json!({"mode": "Consumed"}),
    };
    let now = "2027-02-10T00:00:00Z";
    let scene = Scene::of(usage).part("plan", part).seen(now);
    assert_eq!(format_instant(kept_since(&scene.memory, moment(now))), expected);
}

#[test]
fn what_is_held_beside_what_is_over_keeps_all_since_the_first() {
    let now = "2027-02-10T00:00:00Z";
    let scene = Scene::of(json!({"mode": "Consumed"}));
    let scene = scene.part("old", "2024-05-01T00:00:00Z 5, 01-05 over").part("new", "2025-06-01T00:00:00Z 5").seen(now);
    assert_eq!(format_instant(kept_since(&scene.memory, moment(now))), "2024-05-01T00:00:00Z");
}

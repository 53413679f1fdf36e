//! What is remembered from one look to the next: what was in force when, and from when periods count.

use super::scene::{Scene, moment};
use crate::core::{
    calendar::{Bound, format_exact_instant, format_instant},
    usage::{anchor::Periods, balance::Balance},
};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};

fn monthly() -> Scene {
    Scene::of(json!({"mode": "Consumed", "period": "P1M"}))
}

fn without_period() -> Scene {
    Scene::of(json!({"mode": "Consumed"}))
}

impl Scene {
    fn with_usage(mut self, usage: Value) -> Self {
        self.rules = Self::of(usage).rules;
        self
    }

    /// `01-01..01-10 5, 01-10..never suspended`
    fn remembered(&self, part: &str) -> String {
        let day = |at| {
            let text = format_exact_instant(at);
            text.strip_suffix("T00:00:00Z").map_or(text.clone(), |day| day.replace("2027-", ""))
        };
        let Some(part) = self.memory.held.iter().find(|held| &*held.name == part) else {
            return "nothing".to_owned();
        };
        let told = part.spans.iter().map(|span| {
            let until = span.until.at().map_or("never".to_owned(), day);
            let amount = span.amount.map_or("suspended".to_owned(), |amount| amount.to_string());
            format!("{}..{until} {amount}", day(span.from))
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// The first moments of as many periods as come next.
    fn resets(&self, from: &str, count: usize) -> Vec<String> {
        let mut at = moment(from);
        let resets = (0..count).map_while(|_| {
            let balance = self.balance(&format_instant(at))?;
            at = balance.resets_at()?;
            Some(format_instant(at).replace("T00:00:00Z", "").replace("2027-", ""))
        });
        resets.collect()
    }
}

#[test]
fn a_change_by_time_has_its_own_moment() {
    let scene = monthly().part("plan", "01-01 5, 01-10 7, 01-20 suspended, 01-25 7, 02-20 over").seen("01-05");
    let gone = scene.clone().without("plan").seen("01-22");
    assert_eq!(gone.remembered("plan"), "01-01..01-10 5, 01-10..01-20 7, 01-20..01-22 suspended");
    assert_eq!(
        scene.seen("02-25").remembered("plan"),
        "01-01..01-10 5, 01-10..01-20 7, 01-20..01-25 suspended, 01-25..02-20 7"
    );
}

#[rstest]
#[case::edited("01-01 7", "01-01..01-10 5, 01-10..never 7")]
#[case::suspended("01-01 suspended", "01-01..01-10 5, 01-10..never suspended")]
#[case::backdated("12-01 5", "01-01..01-10 5, 12-01..never 5")]
#[case::ended_earlier("01-01 5, 01-03 over", "01-01..01-10 5")]
#[case::begins_earlier("2026-12-20T00:00:00Z 9", "2026-12-20..01-01 9, 01-01..01-10 5, 01-10..never 9")]
fn any_other_change_counts_from_when_it_was_noticed(#[case] now: &str, #[case] expected: &str) {
    let scene = without_period().part("other", "01-01 1").part("plan", "01-01 5").seen("01-02");
    let scene = scene.part("plan", now).seen("01-10");
    assert_eq!(scene.remembered("plan"), expected);
}

#[test]
fn a_part_that_is_over_ended_when_that_was_noticed() {
    let scene = monthly().part("plan", "01-01 5").seen("01-02").without("plan").seen("01-10").seen("01-20");
    assert_eq!(scene.remembered("plan"), "01-01..01-10 5");
    assert_eq!(scene.memory.held[0].end, Bound::At(moment("01-10")));
    let again = scene.part("plan", "01-25 8").seen("01-26");
    assert_eq!(again.remembered("plan"), "01-01..01-10 5, 01-25..never 8");
}

#[rstest]
#[case::raised("01-01 7", "01-01..01-10 5, 01-10..never 7")]
#[case::lowered("01-01 3", "01-01..2027-01-10T00:00:00.900Z 5, 2027-01-10T00:00:00.900Z..never 3")]
#[case::suspended("01-01 suspended", "01-01..2027-01-10T00:00:00.900Z 5, 2027-01-10T00:00:00.900Z..never suspended")]
#[case::over("01-01 5, 01-09 over", "01-01..2027-01-10T00:00:00.900Z 5")]
fn a_use_of_the_second_in_which_a_change_is_noticed_loses_nothing(#[case] now: &str, #[case] expected: &str) {
    let mut scene = monthly().part("plan", "01-01 5").seen("01-02").part("plan", now);
    let noticed = moment("01-10") + TimeDelta::milliseconds(900);
    scene.memory = scene.memory.after(&scene.rules, &scene.present, noticed);
    assert_eq!(scene.remembered("plan"), expected);
    let later = scene.clone().seen("01-20");
    assert_eq!(later.remembered("plan"), expected);
    assert!(later.used("01-10", "5").with("01-20", |meter| Balance::of(meter).is_none_or(|it| it.overage.is_zero())));
}

#[test]
fn what_is_resumed_counts_from_the_beginning_of_that_second() {
    let mut scene = monthly().part("plan", "01-01 suspended").seen("01-02").part("plan", "01-01 5");
    scene.memory = scene.memory.after(&scene.rules, &scene.present, moment("01-10") + TimeDelta::milliseconds(900));
    assert_eq!(scene.remembered("plan"), "01-01..01-10 suspended, 01-10..never 5");
}

#[rstest]
#[case::nothing_has_changed("01-01 5", true)]
#[case::raised("01-01 7", false)]
#[case::raised_by_time("01-01 5, 01-09 7", false)]
#[case::lowered("01-01 3", false)]
#[case::suspended("01-01 suspended", false)]
#[case::over("01-01 5, 01-09 over", false)]
#[case::to_be_over("01-01 5, 01-11 over", true)]
#[case::backdated("2026-12-01T00:00:00Z 5", true)]
fn what_has_changed_counts_once_it_is_noted(#[case] course: &str, #[case] is_foreseen: bool) {
    let scene = monthly().part("plan", "01-01 5").seen("01-02").part("plan", course);
    let noted = scene.clone().seen("01-10");
    assert_eq!(scene.memory.foresaw(&noted.memory, moment("01-10")), is_foreseen);
    let later = noted.clone().seen("01-10T12:00");
    assert!(noted.memory.foresaw(&later.memory, moment("01-10T12:00")));
}

#[rstest]
#[case::since_before("01-05 7", true)]
#[case::since_this_look("01-10 7", false)]
#[case::to_come("01-20 7", true)]
fn what_is_new_counts_since_it_says_so(#[case] course: &str, #[case] is_foreseen: bool) {
    let scene = monthly().part("plan", "01-01 5").seen("01-02").part("more", course);
    let noted = scene.clone().seen("01-10");
    assert_eq!(scene.memory.foresaw(&noted.memory, moment("01-10")), is_foreseen);
    assert!(monthly().memory.foresaw(&noted.memory, moment("01-10")), "nothing is remembered that could say otherwise");
    let suspended = scene.without("more").part("plan", "01-01 suspended").seen("01-11").without("plan");
    let gone = suspended.clone().seen("01-12");
    assert!(suspended.memory.foresaw(&gone.memory, moment("01-12")), "of what gave nothing nothing is taken");
}

#[test]
fn what_was_foreseen_needs_no_note() {
    let course = "01-01 5, 01-10 7, 01-20 suspended, 01-25 7, 02-20 over";
    let scene = monthly().part("plan", course).seen("01-02");
    for at in ["01-09", "01-10", "01-20", "01-25", "02-20", "03-01"] {
        let noted = scene.clone().seen(at);
        assert!(scene.memory.foresaw(&noted.memory, moment(at)), "{at}");
    }
}

#[test]
fn with_a_period_the_open_one_and_two_before_are_kept() {
    let scene = monthly().part("plan", "01-01 5").part("old", "01-05 3, 02-10 over").seen("01-10");
    assert_eq!(scene.clone().seen("04-30").remembered("old"), "01-05..02-10 3");
    assert_eq!(scene.clone().seen("05-01").remembered("old"), "nothing");
    assert_eq!(scene.seen("05-01").remembered("plan"), "01-01..never 5");
}

#[test]
fn without_a_period_all_is_kept_while_anything_is_held() {
    let scene = without_period().part("old", "01-05 3, 02-10 over").part("plan", "01-01 5, 06-01 over").seen("01-10");
    let later = scene.without("old").seen("05-30");
    assert_eq!(later.remembered("old"), "01-05..02-10 3");
    assert_eq!(later.seen("06-01").remembered("old"), "nothing");
}

#[rstest]
#[case::it_goes_on_within_the_period("01-20 over", "02-10 5", &["02-15", "03-15"])]
#[case::it_goes_on_at_the_next_boundary("01-20 over", "02-15 5", &["03-15", "04-15"])]
#[case::it_ends_at_a_boundary_and_goes_on_in_the_next_period("02-15 over", "03-01 5", &["03-15", "04-15"])]
#[case::it_begins_anew_once_the_period_is_over("01-20 over", "02-17 5", &["03-17", "04-17"])]
#[case::it_begins_anew_long_after("01-20 over", "05-01 5", &["06-01", "07-01"])]
fn an_anchor_is_kept_until_a_period_is_over_in_which_nothing_is_held(
    #[case] ends: &str,
    #[case] goes_on: &str,
    #[case] resets: &[&str],
    #[values(true, false)] is_operator_up: bool,
) {
    let mut scene = monthly().part("old", &format!("01-15 5, {ends}")).seen("01-16");
    if is_operator_up {
        for at in ["01-20", "01-30", "02-10", "02-14", "02-15", "02-16"] {
            scene = scene.seen(at);
        }
    }
    let start = &goes_on[..5];
    let scene = scene.without("old").first(&format!("2027-{start}"), "UTC").part("new", goes_on).seen(start);
    assert_eq!(scene.resets(start, 2), resets);
}

#[test]
fn a_suspension_is_no_gap() {
    let scene = monthly().part("plan", "01-15 5, 01-20 suspended, 06-20 5").seen("01-15");
    assert_eq!(scene.resets("06-20", 2), ["07-15", "08-15"]);
}

#[test]
fn what_has_not_come_into_force_has_no_anchor_yet() {
    let scene = monthly().part("plan", "02-01 5").seen("01-15");
    assert_eq!(scene.memory.anchors, []);
    let later = scene.first("2027-02-03", "UTC").part("plan", "02-03 5").seen("01-20").seen("02-20");
    assert_eq!(later.resets("02-20", 2), ["03-03", "04-03"]);
}

#[test]
fn a_backdated_grant_moves_no_anchor() {
    let scene = monthly().part("plan", "01-15 5").seen("01-16").part("earlier", "01-02 5").seen("01-17");
    assert_eq!(scene.resets("01-17", 2), ["02-15", "03-15"]);
}

#[rstest]
#[case::longer("P1M", "P3M", "Grant", &["02-28", "05-31", "08-31"])]
#[case::shorter("P1M", "P1W", "Grant", &["02-28", "03-07", "03-14"])]
#[case::the_same_written_otherwise("P12M", "P1Y", "Grant", &["2028-01-31", "2029-01-31", "2030-01-31"])]
#[case::quarters("P1M", "P3M", "Calendar", &["02-28", "04-01", "07-01"])]
#[case::weeks("P1M", "P1W", "Calendar", &["02-28", "03-01", "03-08"])]
#[case::months_of_the_calendar("P1M", "P1M", "Calendar", &["02-28", "03-01", "04-01"])]
fn an_edited_period_counts_from_the_next_boundary(
    #[case] period: &str,
    #[case] edited: &str,
    #[case] anchor: &str,
    #[case] resets: &[&str],
    #[values(&["02-10"], &["02-10", "02-11", "02-28"], &["02-11", "03-01", "03-02"])] looks: &[&str],
) {
    let usage = |period: &str, anchor: &str| json!({"mode": "Consumed", "period": period, "anchor": anchor});
    let mut scene = Scene::of(usage(period, "Grant")).part("plan", "01-31 5").seen("02-01");
    scene = scene.with_usage(usage(edited, anchor));
    for at in looks {
        scene = scene.seen(at);
    }
    let periods = Periods::of(&scene.memory.anchors);
    let mut at = moment("02-11");
    let found = resets.iter().map(|_| {
        at = periods.at(at).unwrap().until.at().unwrap();
        format_instant(at).replace("T00:00:00Z", "").replace("2027-", "")
    });
    assert_eq!(found.collect::<Vec<_>>(), resets);
}

#[test]
fn a_period_that_is_edited_back_in_time_was_never_another() {
    let usage = |period: &str| json!({"mode": "Consumed", "period": period});
    let scene = Scene::of(usage("P1M")).part("plan", "01-15 5").seen("01-16");
    let edited = scene.with_usage(usage("P1W")).seen("01-20").with_usage(usage("P1M")).seen("01-21");
    assert_eq!(edited.resets("01-21", 3), ["02-15", "03-15", "04-15"]);
    assert_eq!(edited.memory.anchors.len(), 1);
}

#[test]
fn an_edited_period_is_none_where_nothing_was_held_at_the_boundary() {
    let usage = |period: &str| json!({"mode": "Consumed", "period": period});
    let scene = Scene::of(usage("P1M")).part("old", "01-15 5, 01-20 over").seen("01-16");
    let scene =
        scene.with_usage(usage("P3M")).seen("01-18").without("old").first("2027-02-25", "UTC").part("new", "02-25 5");
    assert_eq!(scene.seen("03-01").resets("03-01", 2), ["05-25", "08-25"]);
}

#[test]
fn a_midnight_that_the_clocks_skip_is_a_midnight_again_in_the_next_period() {
    let usage = |period: &str| json!({"mode": "Consumed", "period": period});
    let scene = Scene::of(usage("P1M"))
        .first("2027-08-05", "America/Santiago")
        .part("plan", "2027-08-05T04:00:00Z 5")
        .seen("08-10")
        .with_usage(usage("P2M"))
        .seen("08-11");
    assert_eq!(
        scene.resets("08-11", 2),
        ["2027-09-05T04:00:00Z", "2027-11-05T03:00:00Z"].map(|at| at.replace("2027-", ""))
    );
}

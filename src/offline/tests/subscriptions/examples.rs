//! The worked examples of the contract, with exact values, for anything that can look.

use super::{
    course::Onlooker,
    memory::PlainMemory,
    operator::PlainOperator,
    plain::{PlainWorld, at},
};
use rstest::rstest;

/// What is held of definitions at a moment: the amount, `on` for a Feature, `-` where there is none.
fn held(eyes: &mut dyn Onlooker, world: &PlainWorld, moment: &str, definition: &str) -> String {
    let verdict = eyes.look(world, at(moment));
    match verdict.held.get(definition) {
        None => "-".to_owned(),
        Some(None) => "on".to_owned(),
        Some(Some(amount)) => amount.clone(),
    }
}

/// The same at several moments.
fn check(eyes: &mut dyn Onlooker, world: &PlainWorld, definition: &str, expected: &[(&str, &str)]) {
    for (moment, amount) in expected {
        assert_eq!(held(eyes, world, moment, definition), *amount, "{definition} at {moment}");
    }
}

fn catalogue() -> PlainWorld {
    let mut world = PlainWorld::new("Europe/Berlin");
    world
        .define("members", "{type: Quantity, amount: '1', allowMultiple: true}")
        .define("streams", "{type: Quantity, amount: '1'}")
        .define("fourk", "{type: Feature}");
    for (name, amount) in [("starter", "5"), ("business", "25"), ("enterprise", "Unlimited")] {
        let add_ons = if name == "business" { "[extra-seats]" } else { "[]" };
        world.plan(
            name,
            &format!(
                "{{product: platform, term: P1Y, addOns: {add_ons}, \
                 groups: [{{name: seats, entitlements: [{{definition: members, amount: '{amount}'}}]}}]}}"
            ),
        );
    }
    world.plan(
        "extra-seats",
        "{type: AddOn, groups: [{name: more, entitlements: [{definition: members, amount: '5'}]}]}",
    );
    world
}

const MADE: &str = "2027-01-01";
const NOON: &str = "2027-02-01T12:00:00Z";

fn what_adds_up(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe("ours", MADE, "{plan: business, start: 2027-01-01, end: 2027-12-31}");
    check(eyes, &world, "members", &[(NOON, "25")]);
    world.subscription("ours").add_ons =
        serde_saphyr::from_str("[{name: more, plan: extra-seats, quantity: 3}]").unwrap();
    check(eyes, &world, "members", &[(NOON, "40")]);
    world.subscription("ours").add =
        serde_saphyr::from_str("[{name: gift, definition: members, amount: '10'}]").unwrap();
    check(eyes, &world, "members", &[(NOON, "50")]);
    world.instance("two", MADE, "{definition: members, amount: '2', start: 2027-01-01}");
    check(eyes, &world, "members", &[(NOON, "52")]);
    world.subscription("ours").remove = serde_saphyr::from_str("[{name: none, definition: members}]").unwrap();
    let verdict = eyes.look(&world, at(NOON));
    assert_eq!(verdict.subscriptions["ours"].gives["members"].as_deref(), Some("10"));
    assert_eq!(verdict.held["members"].as_deref(), Some("12"));
    world.subscription("ours").remove.clear();
    world.subscription("ours").amendments =
        serde_saphyr::from_str("[{name: up, effective: 2027-02-01, plan: enterprise}]").unwrap();
    check(eyes, &world, "members", &[(NOON, "Unlimited")]);
}

fn what_changes_by_its_window(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe(
        "ours",
        MADE,
        "{plan: business, start: 2027-01-01, end: 2027-12-31, addOns: [
            {name: three, plan: extra-seats, quantity: 3, end: 2027-03-09},
            {name: five, plan: extra-seats, quantity: 5, start: 2027-03-10}]}",
    );
    let expected = [
        (NOON, "40"),
        ("2027-03-09T22:59:59Z", "40"),
        ("2027-03-09T23:00:00Z", "50"),
        ("2027-12-31T22:59:59Z", "50"),
        ("2027-12-31T23:00:00Z", "-"),
    ];
    check(eyes, &world, "members", &expected);
}

fn what_is_there_for_a_weekend(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world
        .plan("standard", "{groups: [{name: g, entitlements: [{definition: streams, amount: '1'}]}]}")
        .plan(
            "premium",
            "{groups: [{name: g, entitlements: [{definition: streams, amount: '4'}, {definition: fourk}]}]}",
        )
        .subscribe(
            "ours",
            MADE,
            "{plan: standard, start: 2027-01-01, add: [
                {name: weekend, definition: fourk, start: 2027-06-01, end: 2027-06-03}]}",
        );
    let moments =
        [NOON, "2027-05-31T21:59:59Z", "2027-05-31T22:00:00Z", "2027-06-03T21:59:59Z", "2027-06-03T22:00:00Z"];
    for (moment, fourk) in moments.into_iter().zip(["-", "-", "on", "on", "-"]) {
        check(eyes, &world, "fourk", &[(moment, fourk)]);
        check(eyes, &world, "streams", &[(moment, "1")]);
    }
}

fn what_the_best_plan_has(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world
        .plan("standard", "{groups: [{name: g, entitlements: [{definition: streams, amount: '1'}]}]}")
        .plan(
            "premium",
            "{includes: [standard], groups: [{name: g, entitlements: [{definition: streams, amount: '4'}, {definition: fourk}]}]}",
        )
        .subscribe("ours", MADE, "{plan: premium, start: 2027-01-01}");
    check(eyes, &world, "streams", &[(NOON, "4")]);
    check(eyes, &world, "fourk", &[(NOON, "on")]);
}

fn sets(world: &mut PlainWorld, amount: &str, rollout: &str) {
    world.plan(
        "team",
        &format!(
            "{{allowMultiple: true, rollout: {rollout}, \
             groups: [{{name: g, entitlements: [{{definition: members, amount: '{amount}'}}]}}]}}"
        ),
    );
}

fn whom_an_edit_reaches(eyes: &mut dyn Onlooker) {
    let given = |eyes: &mut dyn Onlooker, world: &PlainWorld, name: &str| {
        eyes.look(world, at(NOON)).subscriptions[name].gives["members"].clone().unwrap()
    };
    let mut world = catalogue();
    sets(&mut world, "25", "Agreed");
    world.subscribe("holder", MADE, "{plan: team, start: 2027-01-01}");
    assert_eq!(given(eyes, &world, "holder"), "25");
    sets(&mut world, "20", "Agreed");
    world.subscribe("new", NOON, "{plan: team, start: 2027-01-01}");
    assert_eq!([given(eyes, &world, "holder"), given(eyes, &world, "new")], ["25", "20"]);
    world.subscription("holder").agreement = Some("2027-02".to_owned());
    assert_eq!([given(eyes, &world, "holder"), given(eyes, &world, "new")], ["20", "20"]);
    sets(&mut world, "30", "Everyone");
    assert_eq!([given(eyes, &world, "holder"), given(eyes, &world, "new")], ["30", "30"]);
    sets(&mut world, "40", "Agreed");
    assert_eq!([given(eyes, &world, "holder"), given(eyes, &world, "new")], ["30", "30"]);
    world.subscribe("newest", NOON, "{plan: team, start: 2027-01-01}");
    assert_eq!(given(eyes, &world, "newest"), "40");
}

fn what_a_smaller_plan_leaves(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    let add_on = "[{name: more, plan: extra-seats}]";
    world.subscribe("ours", MADE, &format!("{{plan: business, start: 2027-01-01, addOns: {add_on}}}"));
    check(eyes, &world, "members", &[(NOON, "30")]);
    world.subscription("ours").amendments =
        serde_saphyr::from_str("[{name: down, effective: 2027-03-01, plan: starter}]").unwrap();
    check(eyes, &world, "members", &[("2027-02-28T22:59:59Z", "30"), ("2027-02-28T23:00:00Z", "10")]);
    let later = "2027-03-02T00:00:00Z";
    assert!(eyes.look(&world, at(later)).subscriptions["ours"].left_out.is_empty());
    world.subscription("ours").add_ons.clear();
    check(eyes, &world, "members", &[(later, "5")]);
    world.subscription("ours").add_ons = serde_saphyr::from_str(add_on).unwrap();
    check(eyes, &world, "members", &[(later, "5")]);
    let left_out = &eyes.look(&world, at(later)).subscriptions["ours"].left_out;
    assert_eq!(left_out.iter().collect::<Vec<_>>(), [&("addOns".to_owned(), "more".to_owned())]);
}

fn what_ends_with_it(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world
        .plan(
            "graceful",
            "{gracePeriod: P7D, addOns: [extra-seats], \
             groups: [{name: g, entitlements: [{definition: members, amount: '25'}]}]}",
        )
        .subscribe(
            "ours",
            MADE,
            "{plan: graceful, start: 2027-01-01, end: 2027-06-30,
              addOns: [{name: more, plan: extra-seats, end: 2027-12-31}],
              add: [{name: gift, definition: fourk, end: 2027-06-30}]}",
        );
    let expected = [
        (NOON, "30", "on"),
        ("2027-06-30T21:59:59Z", "30", "on"),
        ("2027-06-30T22:00:00Z", "30", "-"),
        ("2027-07-07T21:59:59Z", "30", "-"),
        ("2027-07-07T22:00:00Z", "-", "-"),
    ];
    for (moment, members, fourk) in expected {
        check(eyes, &world, "members", &[(moment, members)]);
        check(eyes, &world, "fourk", &[(moment, fourk)]);
    }
}

fn who_has_the_line(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe("elder", MADE, "{plan: starter, start: 2027-01-01, end: 2027-06-30}").subscribe(
        "younger",
        "2027-01-02",
        "{plan: business, start: 2027-01-02}",
    );
    let mut reasons = |moment: &str| {
        let verdict = eyes.look(&world, at(moment));
        let of = |name: &str| {
            let one = &verdict.subscriptions[name];
            format!("{} {}", one.phase, one.reason.as_deref().unwrap_or_default()).trim_end().to_owned()
        };
        [of("elder"), of("younger"), verdict.held["members"].clone().unwrap()]
    };
    assert_eq!(reasons(NOON), ["Active", "Rejected Duplicate", "5"]);
    assert_eq!(reasons("2027-06-30T21:59:59Z"), ["Active", "Rejected Duplicate", "5"]);
    assert_eq!(reasons("2027-06-30T22:00:00Z"), ["Expired", "Active", "25"]);
}

fn how_long_a_larger_renewal_lasts(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.plans.get_mut("business").unwrap().term = Some("P2Y".to_owned());
    world.subscribe("first", MADE, "{plan: starter, start: 2027-01-01, end: 2027-06-30}").subscribe(
        "second",
        "2027-01-02",
        "{plan: business, renews: first}",
    );
    let verdict = eyes.look(&world, at(NOON));
    let second = &verdict.subscriptions["second"];
    assert_eq!((second.phase.as_str(), &second.reason), ("Waiting", &None));
    assert_eq!(second.start, Some(at("2027-06-30T22:00:00Z")));
    assert_eq!(second.end, Some(at("2029-06-30T22:00:00Z").into()));
    check(eyes, &world, "members", &[("2027-06-30T21:59:59Z", "5"), ("2027-06-30T22:00:00Z", "25")]);
}

/// "of another line (or of one while this has none)"
fn what_has_no_line_may_be_changed_to(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    sets(&mut world, "9", "Agreed");
    world
        .subscribe(
            "ours",
            MADE,
            "{plan: business, start: 2027-01-01, amendments: [{name: m, effective: 2027-02-01, plan: team}]}",
        )
        .subscribe(
            "other",
            MADE,
            "{plan: team, start: 2027-01-01, amendments: [{name: m, effective: 2027-02-01, plan: business}]}",
        );
    let verdict = eyes.look(&world, at(NOON));
    let told = |name: &str| {
        let one = &verdict.subscriptions[name];
        (one.amendments["m"].clone(), one.plan.clone().unwrap(), one.gives["members"].clone().unwrap())
    };
    assert_eq!(told("ours"), ("Effective".to_owned(), "team".to_owned(), "9".to_owned()));
    assert_eq!(told("other"), ("Ignored".to_owned(), "team".to_owned(), "9".to_owned()));
}

/// "with `removed: true`, what only a `remove` keeps away": be it for a while.
fn what_is_away_for_a_while(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe(
        "ours",
        MADE,
        "{plan: business, start: 2027-01-01, remove: [{name: r, definition: members, start: 2027-02-01, end: 2027-02-02}]}",
    );
    let mut removed = |moment: &str| {
        let one = &eyes.look(&world, at(moment)).subscriptions["ours"];
        (one.gives.contains_key("members"), one.removed.contains("members"))
    };
    assert_eq!(removed("2027-01-31T22:59:59Z"), (true, false));
    assert_eq!(removed("2027-01-31T23:00:00Z"), (false, true));
    assert_eq!(removed("2027-02-02T22:59:59Z"), (false, true));
    assert_eq!(removed("2027-02-02T23:00:00Z"), (true, false));
}

/// "judged … by the plan in force at the later of now and its start", also where it would begin after the end as it is now.
fn what_begins_after_the_end_is_judged_by_the_plan_of_then(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe(
        "ours",
        MADE,
        "{plan: starter, start: 2027-01-01, end: 2027-06-30,
          amendments: [{name: up, effective: 2027-02-01, plan: business}],
          addOns: [{name: more, plan: extra-seats, start: 2027-08-01}, {name: soon, plan: extra-seats, start: 2027-01-20}]}",
    );
    let verdict = eyes.look(&world, at("2027-01-15"));
    let left_out = &verdict.subscriptions["ours"].left_out;
    assert_eq!(left_out.iter().collect::<Vec<_>>(), [&("addOns".to_owned(), "soon".to_owned())]);
}

/// "It may name another plan of the line, and always the plan that the renewed one had last."
fn a_renewal_goes_with_what_it_renews(eyes: &mut dyn Onlooker) {
    let mut world = catalogue();
    world.subscribe(
        "first",
        MADE,
        "{plan: starter, start: 2027-01-01, end: 2027-06-30,
          amendments: [{name: up, effective: 2027-01-15, plan: business}]}",
    );
    check(eyes, &world, "members", &[(NOON, "25")]);
    // By then the plan is another product's.
    world.plans.get_mut("business").unwrap().product = Some("suite".to_owned());
    world.subscribe("second", "2027-02-02", "{plan: business, renews: first}");
    world.subscribe("third", "2027-02-03", "{plan: team, renews: first}");
    sets(&mut world, "9", "Agreed");
    let verdict = eyes.look(&world, at("2027-03-01"));
    let second = &verdict.subscriptions["second"];
    assert_eq!((second.phase.as_str(), &second.reason), ("Waiting", &None));
    assert_eq!(verdict.subscriptions["first"].renewed_by.as_deref(), Some("second"));
    assert_eq!(verdict.subscriptions["third"].reason.as_deref(), Some("RenewalInvalid"));
    check(eyes, &world, "members", &[("2027-06-30T21:59:59Z", "25"), ("2027-06-30T22:00:00Z", "25")]);
    let verdict = eyes.look(&world, at("2027-07-01"));
    assert_eq!(verdict.subscriptions["first"].phase, "Expired");
}

type Example = fn(&mut dyn Onlooker);

#[rstest]
#[case::one(what_adds_up)]
#[case::two(what_changes_by_its_window)]
#[case::three(what_is_there_for_a_weekend)]
#[case::three_for_the_best_plan(what_the_best_plan_has)]
#[case::four(whom_an_edit_reaches)]
#[case::five(what_a_smaller_plan_leaves)]
#[case::six(what_ends_with_it)]
#[case::seven(who_has_the_line)]
#[case::eight(how_long_a_larger_renewal_lasts)]
#[case::no_line(what_has_no_line_may_be_changed_to)]
#[case::removed_for_a_while(what_is_away_for_a_while)]
#[case::after_the_end(what_begins_after_the_end_is_judged_by_the_plan_of_then)]
#[case::another_line_by_now(a_renewal_goes_with_what_it_renews)]
fn the_model_gives_the_worked_examples(#[case] example: Example) {
    example(&mut PlainMemory::default());
}

#[rstest]
#[case::one(what_adds_up)]
#[case::two(what_changes_by_its_window)]
#[case::three(what_is_there_for_a_weekend)]
#[case::three_for_the_best_plan(what_the_best_plan_has)]
#[case::four(whom_an_edit_reaches)]
#[case::five(what_a_smaller_plan_leaves)]
#[case::six(what_ends_with_it)]
#[case::seven(who_has_the_line)]
#[case::eight(how_long_a_larger_renewal_lasts)]
#[case::no_line(what_has_no_line_may_be_changed_to)]
#[case::removed_for_a_while(what_is_away_for_a_while)]
#[case::after_the_end(what_begins_after_the_end_is_judged_by_the_plan_of_then)]
#[case::another_line_by_now(a_renewal_goes_with_what_it_renews)]
fn the_code_gives_the_worked_examples(#[case] example: Example) {
    example(&mut PlainOperator::default());
}

/// "A revision that is lost: until it is restored or `agreement` changes, `status.entitlements` says what is given", also of one
/// that gives nothing yet, or not now.
#[rstest]
#[case::in_force("2027-01-01", false)]
#[case::waiting("2027-01-20", false)]
#[case::suspended("2027-01-01", true)]
fn a_lost_revision_takes_nothing(#[case] start: &str, #[case] suspended: bool) {
    let mut operator = PlainOperator::default();
    let mut world = catalogue();
    sets(&mut world, "25", "Agreed");
    world.subscribe("ours", MADE, &format!("{{plan: team, start: {start}, suspended: {suspended}}}"));
    operator.look(&world, at("2027-01-10"));
    sets(&mut world, "20", "Agreed");
    operator.look(&world, at("2027-01-10"));
    operator.lose_plans();
    for _ in 0..3 {
        operator.look(&world, at("2027-01-11"));
    }
    world.subscription("ours").suspended = false;
    check(&mut operator, &world, "members", &[(NOON, "25"), ("2027-02-02", "25")]);
    world.subscription("ours").agreement = Some("new".to_owned());
    check(&mut operator, &world, "members", &[("2027-02-03", "20")]);
}

//! What holds of every check.

use super::scene::{CheckScene, told};
use crate::{core::calendar::parse_instant, offline::AccountEffort};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

const AT: &str = "2027-01-20T12:00:00Z";

fn number(quarters: u32) -> String {
    format!("{}", f64::from(quarters) / 4.0)
}

fn usage() -> impl Strategy<Value = Value> {
    let share = || select(vec![json!(0), json!(5), json!("2.5"), json!("50%")]);
    let period = select(vec!["P1M", "P1W", "none", "Held"]);
    let other = select(vec!["Allow", "Allow", "Refuse"]);
    (period, any::<bool>(), share(), option::of(0..20u32), other).prop_map(|(period, is_soft, buffer, phone, other)| {
        let mut usage = json!({
            "mode": if period == "Held" { "Held" } else { "Consumed" }, "limit": if is_soft { "Soft" } else { "Hard" },
            "buffer": buffer, "otherChannels": other,
            "channels": [{"name": "phone", "amount": phone.map_or(json!("Unlimited"), |cap| json!(cap))}],
        });
        if period.starts_with('P') {
            usage["period"] = period.into();
        }
        usage
    })
}

fn grant() -> impl Strategy<Value = Value> {
    let day = || (1..28u32).prop_map(|day| format!("2027-01-{day:02}"));
    let amount =
        prop_oneof![9 => (0..80u32).prop_map(|quarters| json!(number(quarters))), 1 => Just(json!("Unlimited"))];
    (amount, day(), option::of(day()), prop::bool::weighted(0.1), -1..2i32).prop_map(
        |(amount, start, end, suspended, priority)| {
            let mut grant = json!({"amount": amount, "start": start, "suspended": suspended, "priority": priority});
            if let Some(end) = end {
                grant["end"] = end.into();
            }
            grant
        },
    )
}

fn channel() -> impl Strategy<Value = Option<&'static str>> {
    option::of(select(vec!["phone", "chat"]))
}

fn used() -> impl Strategy<Value = String> {
    (1..28u32, 0..40u32, channel()).prop_map(|(day, quarters, channel)| {
        let by = channel.map(|channel| format!(" {channel}")).unwrap_or_default();
        format!("2027-01-{day:02} {}{by}", number(quarters))
    })
}

fn scene() -> impl Strategy<Value = (CheckScene, Vec<String>)> {
    (usage(), vec(grant(), 0..4), vec(used(), 0..5)).prop_map(|(usage, grants, uses)| {
        let scene = CheckScene::metered(&usage);
        let grants = grants.iter().enumerate();
        let scene = grants.fold(scene, |scene, (index, grant)| scene.grant(&format!("g{index}"), grant));
        (using(&scene, &uses), uses)
    })
}

fn using(scene: &CheckScene, uses: &[String]) -> CheckScene {
    let uses: Vec<&str> = uses.iter().map(String::as_str).collect();
    scene.clone().used(&uses)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_allowed_is_so_for_less(
        (scene, _) in scene(), channel in channel(), more in 2..200u32, less in 1..200u32,
    ) {
        let less = less.min(more - 1);
        let ask = |quarters| scene.ask_for("units", AT, &number(quarters), channel);
        let (large, small) = (ask(more), ask(less));
        prop_assert!(!large.allowed || small.allowed, "{} and {}", told(&large), told(&small));
        prop_assert_eq!(large.entitled, small.entitled);
        prop_assert!(small.entitled || !small.allowed);
    }

    /// To ask for one and then, once it is used, for another, is to ask for both.
    #[test]
    fn a_check_agrees_with_a_use_that_is_taken(
        (scene, uses) in scene(), channel in channel(), one in 1..60u32, other in 1..60u32,
    ) {
        let ask = |scene: &CheckScene, quarters| scene.ask_for("units", AT, &number(quarters), channel).allowed;
        let by = channel.map(|channel| format!(" {channel}")).unwrap_or_default();
        let taken: Vec<String> = uses.iter().cloned().chain([format!("{AT} {}{by}", number(one))]).collect();
        if ask(&scene, one) {
            let then = using(&scene, &taken);
            prop_assert_eq!(ask(&scene, one + other), ask(&then, other));
        }
    }

    #[test]
    fn a_check_says_what_an_explanation_does((scene, _) in scene(), channel in channel()) {
        let answer = scene.ask_for("units", AT, "1", channel);
        let effort = AccountEffort { steps: 0, work: 0 };
        let account = scene.0.account("acme", Some("units"), parse_instant(AT).unwrap(), effort).unwrap();
        let Some(told) = account.explanation.entitlements.first() else {
            prop_assert!(!answer.entitled && answer.usage.is_none());
            return Ok(());
        };
        prop_assert_eq!((answer.entitled, &answer.amount), (told.entitled, &told.amount));
        let told = told.usage.as_ref().and_then(|usage| Some((usage.state, usage.balance.as_ref()?)));
        let told = told.map(|(state, balance)| {
            let numbers = [&balance.allotted, &balance.used, &balance.remaining, &balance.overage, &balance.excess];
            (state, numbers.map(|number| Some(number.clone())), balance.resets_at.clone())
        });
        let found = answer.usage.map(|usage| {
            (usage.state, [usage.allotted, usage.used, usage.remaining, usage.overage, usage.excess], usage.resets_at)
        });
        prop_assert_eq!(found, told);
    }
}

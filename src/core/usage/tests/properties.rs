//! What holds of every history.

use super::{
    model::{Model, Standing, boundary, is_yes, period, period_by_walking},
    scene::{Scene, moment},
};
use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant, Nominal, parse_zone},
    usage::{
        allowance::{UsageAllowance, UsageRequest},
        anchor::{PeriodAnchor, Periods},
        balance::Balance,
        ledger::Ledger,
        memory::{Memory, PresentParts},
        meter::Meter,
        part::{HeldPart, HeldSpan, joined},
        register::Register,
        state::{UsageState, crossings},
    },
};
use chrono::TimeDelta;
use proptest::{collection::vec, option, prelude::*, sample::select};
use rust_decimal::Decimal;
use serde_json::{Value, json};

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"];
const CHANNELS: [&str; 3] = ["phone", "email", "chat"];

/// Around a change of clocks in most zones, and the end of a short month.
fn origin() -> Instant {
    moment("01-29")
}

/// Six hours of a hundred days.
fn time() -> impl Strategy<Value = Instant> {
    (0..400i64).prop_map(|quarter| origin() + TimeDelta::hours(6 * quarter))
}

fn amount() -> impl Strategy<Value = Option<Amount>> {
    prop_oneof![
        12 => (0..60i64).prop_map(|number| Some(Amount::Limited(Decimal::new(number * 25, 1)))),
        2 => Just(None),
        1 => Just(Some(Amount::Unlimited)),
    ]
}

/// A part whose course has steps of an amount, a suspension, or nothing for a while.
fn part(name: String) -> impl Strategy<Value = HeldPart> {
    let step = (1..120i64, amount(), prop::bool::weighted(0.85));
    (time(), vec(step, 1..5), any::<bool>(), 0..3).prop_map(move |(start, steps, ends, priority)| {
        let (mut from, mut spans) = (start, Vec::new());
        for (quarters, amount, is_held) in steps {
            let until = from + TimeDelta::hours(6 * quarters);
            if is_held || spans.is_empty() {
                spans.push(HeldSpan { from, until: Bound::At(until), amount });
            }
            from = until;
        }
        let last = spans.last_mut().unwrap();
        last.until = if ends { last.until } else { Bound::Never };
        let (end, spans) = (last.until, joined(spans));
        HeldPart { name: name.as_str().into(), priority, start, end, spans }
    })
}

fn register() -> impl Strategy<Value = Register> {
    let minutes = select(vec![0i64, 0, 0, 1, 4, 5, 6]);
    (time(), minutes, option::of(select(CHANNELS.to_vec())), 0..40i64, prop::bool::weighted(0.05)).prop_map(
        |(at, minutes, channel, amount, deleted)| {
            let at = at + TimeDelta::minutes(minutes);
            Register { at, channel: channel.map(Into::into), amount: Decimal::new(amount * 25, 1), as_of: at, deleted }
        },
    )
}

fn usage() -> impl Strategy<Value = Value> {
    let shares = || select(vec![json!(0), json!(10), json!("2.5"), json!("50%"), json!("12.5%")]);
    let periods = select(vec!["P1M", "P1M", "P1W", "P2W", "P1D", "P3M", "P1Y", "none", "Held"]);
    let other = select(vec!["Allow", "Allow", "Refuse"]);
    (periods, any::<bool>(), any::<bool>(), shares(), shares(), option::of(0..40u32), other).prop_map(
        |(period, is_soft, is_of_calendar, buffer, carry_over, phone, other_channels)| {
            let mut usage = json!({
                "mode": if period == "Held" { "Held" } else { "Consumed" },
                "limit": if is_soft { "Soft" } else { "Hard" },
                "buffer": buffer,
                "otherChannels": other_channels,
                "channels": [{"name": "phone", "amount": phone.map_or(json!("Unlimited"), |cap| json!(cap))}, {"name": "email"}],
                "lateness": "PT1H",
            });
            if period.starts_with('P') {
                usage["period"] = period.into();
                usage["carryOver"] = carry_over;
                usage["anchor"] = if is_of_calendar && period != "P2W" { "Calendar" } else { "Grant" }.into();
            }
            usage
        },
    )
}

/// What is first of what is in force, or will be.
fn first(parts: &[HeldPart], zone: &str, now: Instant) -> Option<(Nominal, u32)> {
    let zone = parse_zone(zone).unwrap();
    let held = parts.iter().filter(|part| part.span(now).is_some()).map(|part| part.start).min();
    let coming = parts.iter().flat_map(|part| &part.spans).map(|span| span.from).filter(|from| *from > now).min();
    held.or(coming).map(|at| Nominal::of_instant(at, zone)).map(|start| (start, start.day()))
}

fn scene() -> impl Strategy<Value = Scene> {
    let parts =
        (1..4usize).prop_flat_map(|count| (0..count).map(|index| part(format!("part-{index}"))).collect::<Vec<_>>());
    let cap = option::of(0..40i64);
    (usage(), select(ZONES.to_vec()), parts, vec(register(), 0..14), cap).prop_map(
        |(usage, zone, parts, registers, cap)| {
            let mut scene = Scene::of(usage);
            scene.zone = parse_zone(zone).unwrap();
            scene.present = PresentParts { parts, first: None };
            scene.registers = registers;
            let cap = cap.map(|cap| ("email".into(), Amount::Limited(cap.into())));
            scene.caps.extend(cap);
            scene
        },
    )
}

fn now() -> impl Strategy<Value = Instant> {
    (time(), select(vec![0i64, 0, 2, 3])).prop_map(|(at, minutes)| at + TimeDelta::minutes(minutes))
}

fn seen(scene: &Scene, memory: &Memory, now: Instant) -> Memory {
    let parts = scene.present.parts.clone();
    let first = first(&parts, scene.zone.name(), now);
    memory.after(&scene.rules, &PresentParts { parts, first }, now)
}

fn with<T>(scene: &Scene, memory: &Memory, now: Instant, read: impl FnOnce(&Meter) -> T) -> T {
    let ledger = Ledger::of(&scene.registers).unwrap();
    read(&Meter { rules: &scene.rules, memory, ledger: &ledger, caps: &scene.caps, now })
}

fn balance(scene: &Scene, memory: &Memory, now: Instant) -> Option<Balance> {
    with(scene, memory, now, Balance::of)
}

fn standing(balance: &Balance) -> Standing {
    Standing {
        allotted: balance.allotted,
        used: balance.used,
        remaining: balance.remaining,
        excess: balance.excess,
        overage: balance.overage,
        unentitled: balance.unentitled,
        channels: balance.channels.iter().map(|(name, channel)| (name.to_string(), channel.used)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn a_balance_is_what_the_contract_says(
        scene in scene(),
        now in now(),
        channel in option::of(select(CHANNELS.to_vec())),
        asked in 1..60i64,
    ) {
        let memory = seen(&scene, &Memory::default(), now);
        let model = Model { scene: &scene, memory: &memory, now };
        let found = balance(&scene, &memory, now);
        prop_assert_eq!(found.as_ref().map(standing), model.standing());
        let Some(found) = found else { return Ok(()) };
        let amount = Decimal::new(asked * 25, 1);
        let request = UsageRequest { amount, channel };
        let (allowance, state) =
            with(&scene, &memory, now, |meter| (UsageAllowance::of(meter, &found, request), UsageState::of(meter, &found)));
        prop_assert_eq!(is_yes(allowance), model.allowed(channel, amount));
        prop_assert_eq!(Some(state), model.state());
    }

    #[test]
    fn neither_the_order_of_registers_matters_nor_how_many_share_an_amount(
        scene in scene(),
        now in now(),
        split in any::<prop::sample::Index>(),
    ) {
        let memory = seen(&scene, &Memory::default(), now);
        let expected = balance(&scene, &memory, now);
        let mut other = scene.clone();
        other.registers.reverse();
        if !other.registers.is_empty() {
            let index = split.index(other.registers.len());
            let half = other.registers[index].amount / Decimal::from(2);
            other.registers[index].amount = half;
            other.registers.push(other.registers[index].clone());
        }
        prop_assert_eq!(balance(&other, &memory, now), expected);
    }

    #[test]
    fn raising_an_amount_never_raises_overage(
        scene in scene(),
        now in now(),
        part in any::<prop::sample::Index>(),
        span in any::<prop::sample::Index>(),
        more in 1..60i64,
    ) {
        let memory = seen(&scene, &Memory::default(), now);
        prop_assume!(!memory.held.is_empty());
        let mut raised = memory.clone();
        let part = part.index(raised.held.len());
        let spans = &mut raised.held[part].spans;
        let span = span.index(spans.len());
        spans[span].amount = spans[span].amount.map(|amount| match amount {
            Amount::Limited(amount) => Amount::Limited(amount + Decimal::new(more, 1)),
            Amount::Unlimited => Amount::Unlimited,
        });
        let overage = |memory| balance(&scene, memory, now).map(|balance| balance.overage);
        prop_assert!(overage(&raised) <= overage(&memory));
    }

    #[test]
    fn looks_in_between_change_nothing_while_objects_stay(
        scene in scene(),
        mut looks in vec(now(), 1..6),
    ) {
        looks.sort();
        let now = *looks.last().unwrap();
        let once = seen(&scene, &Memory::default(), now);
        let often = looks.iter().fold(Memory::default(), |memory, at| seen(&scene, &memory, *at));
        prop_assert_eq!(balance(&scene, &often, now), balance(&scene, &once, now));
    }

    #[test]
    fn an_anchor_is_kept_until_the_period_is_over_in_which_nothing_is_held(scene in scene(), mut looks in vec(now(), 1..4)) {
        prop_assume!(scene.rules.period.is_some());
        looks.sort();
        let now = *looks.last().unwrap();
        let memory = looks.iter().fold(Memory::default(), |memory, at| seen(&scene, &memory, *at));
        let is_held = scene.present.parts.iter().any(|part| part.span(now).is_some());
        if is_held {
            let found = Periods::of(&memory.anchors).at(now).map(|period| (period.from, period.until));
            prop_assert_eq!(found, period_by_walking(&scene, now));
        }
    }

    #[test]
    fn boundaries_are_those_of_terms_and_periods_lie_between_them(
        zone in select(ZONES.to_vec()),
        date_of in 0..9000i64,
        second in select(vec![0i64, 1800, 7200, 9000, 86_399]),
        text in select(vec!["P1M", "P2M", "P1Y", "P1W", "P5D", "P1D"]),
        day in 28..=31u32,
        after in 0..20_000_000i64,
    ) {
        let start = moment("2005-01-01T00:00:00Z") + TimeDelta::days(date_of) + TimeDelta::seconds(second);
        let start = Nominal::of_instant(start, parse_zone(zone).unwrap());
        let anchor = PeriodAnchor { since: start.instant(), start, day, period: text.parse().unwrap() };
        let at = start.instant() + TimeDelta::seconds(after);
        let found = Periods::of(&[anchor]).at(at).unwrap();
        prop_assert!(found.has(at));
        prop_assert_eq!(Some((found.from, found.until)), period(&[anchor], at));
        for number in 0..40u32 {
            prop_assert_eq!(anchor.boundary(number), boundary(&anchor, number.into()));
            prop_assert!(anchor.boundary(number) <= anchor.boundary(number + 1));
        }
        if let Some(before) = Periods::of(&[anchor]).before(found) {
            prop_assert_eq!(before.until, Bound::At(found.from));
        }
    }

    #[test]
    fn no_amount_is_too_large(
        scene in scene(),
        now in now(),
        amounts in vec((0..=Decimal::MAX.mantissa(), 0..=9u32), 1..30),
        asked in (0..=Decimal::MAX.mantissa(), 0..=9u32),
    ) {
        let mut scene = scene;
        let mut amounts = amounts.into_iter().map(|(digits, scale)| Decimal::from_i128_with_scale(digits, scale)).cycle();
        for span in scene.present.parts.iter_mut().flat_map(|part| &mut part.spans) {
            span.amount = span.amount.and(amounts.next()).map(Amount::Limited);
        }
        let mut ledger = Ledger::default();
        for register in &scene.registers {
            // What overflows is refused; the rest counts.
            let _ = ledger.add(register.at, register.channel.as_ref(), amounts.next().unwrap());
        }
        let memory = seen(&scene, &Memory::default(), now);
        let meter = Meter { rules: &scene.rules, memory: &memory, ledger: &ledger, caps: &scene.caps, now };
        if let Some(balance) = Balance::of(&meter) {
            let amount = Decimal::from_i128_with_scale(asked.0, asked.1);
            let _ = UsageAllowance::of(&meter, &balance, UsageRequest { amount, channel: Some("phone") });
            let _ = UsageState::of(&meter, &balance);
            let _ = crossings(&meter, &balance, &[]);
            prop_assert!(balance.overage >= Decimal::ZERO && balance.used >= Decimal::ZERO);
        }
    }
}

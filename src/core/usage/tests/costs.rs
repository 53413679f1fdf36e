//! What a change of one register takes of a processor's time, while many meters are kept in memory. `make bench` prints it.

use super::scene::{Scene, moment};
use crate::core::usage::{
    allowance::UsageAllowance, allowance::UsageRequest, balance::Balance, ledger::Ledger, meter::Meter,
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use serde_json::json;
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant as Clock},
};

const METERS: usize = 1_000 * 5;
const REGISTERS: usize = 2_000;
const CHANGES: usize = 1_000;

/// More than that would be felt by whoever waits for the answer.
const MOST: Duration = Duration::from_millis(5);

/// A plan, two add-ons and an override, with edits and a suspension, and what January left.
fn scene() -> Scene {
    let channels = json!([{"name": "phone", "amount": 50_000}, {"name": "email"}]);
    let usage = json!({"mode": "Consumed", "period": "P1M", "carryOver": "10%", "channels": channels});
    Scene::of(usage)
        .part("plan", "01-01 200, 02-05 400, 02-07 suspended, 02-08 100000")
        .part("add-on a", "02-02 500, 02-20 over")
        .part("add-on b", "02-03 200, 02-12 250")
        .part("override", "02-10 1000, 02-25 over")
        .priority(10)
}

fn ledger(channels: &[Option<Arc<str>>]) -> Ledger {
    let mut ledger = Ledger::default();
    for index in 0..REGISTERS {
        let at = moment("01-20") + TimeDelta::minutes(15 * i64::try_from(index).unwrap());
        ledger.add(at, channels[index % channels.len()].as_ref(), Decimal::new(25, 2)).unwrap();
    }
    ledger
}

#[test]
#[ignore = "it prints figures, which depend on the machine: make bench"]
fn what_a_change_of_usage_takes() {
    let channels = [None, Some(Arc::from("phone")), Some(Arc::from("email"))];
    let (scene, now) = (scene().seen("02-15"), moment("02-15"));
    let begun = Clock::now();
    let mut ledgers: Vec<Ledger> = (0..METERS).map(|_| ledger(&channels)).collect();
    let built = begun.elapsed();
    let mut longest = Duration::ZERO;
    let begun = Clock::now();
    for change in 0..CHANGES {
        let one = Clock::now();
        let ledger = &mut ledgers[change * 7 % METERS];
        let at = moment("02-01") + TimeDelta::minutes(15 * i64::try_from(change).unwrap());
        ledger.add(at, channels[1].as_ref(), Decimal::ONE).unwrap();
        let meter = Meter { rules: &scene.rules, memory: &scene.memory, ledger, caps: &scene.caps, now };
        let balance = Balance::of(&meter).unwrap();
        black_box(UsageAllowance::of(&meter, &balance, UsageRequest { amount: Decimal::ONE, channel: Some("phone") }));
        longest = longest.max(one.elapsed());
    }
    let average = begun.elapsed() / u32::try_from(CHANGES).unwrap();
    println!(
        "{METERS} meters of {REGISTERS} registers: built in {built:.2?}; a change with its answer {average:.2?}, at most {longest:.2?}"
    );
    assert!(average < MOST, "{average:?}");
}

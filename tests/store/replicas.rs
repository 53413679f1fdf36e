//! Replicas that catch up by differences hold what one loads from scratch.

use crate::place::{
    Kind::{self, Postgres, Sqlite},
    Place, at, meter, report, write_of,
};
use entitlement_operator::{
    core::usage::ledger::Ledger,
    store::{
        CatchUp, PersistentStore,
        meter::{MeterId, MeterWrite, RegisterWrite, StoredMeter},
    },
};
use proptest::{collection::vec, prelude::*};
use rstest::rstest;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// What happens: a write of some reports, or one of two replicas catches up.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<RegisterWrite>),
    CatchUp(usize),
}

fn reports() -> impl Strategy<Value = RegisterWrite> {
    let channel = prop_oneof![Just(None), Just(Some("phone".into())), Just(Some("e-mail".into()))];
    (0..6_u8, proptest::option::of(0..4_i64), channel, 0..5_000_i64, 0..12_i64, prop::bool::weighted(0.2)).prop_map(
        |(key, moment, channel, amount, as_of, deleted)| RegisterWrite {
            at: moment.map(at),
            channel,
            amount: rust_decimal::Decimal::new(amount, 3),
            as_of: at(as_of),
            deleted,
            ..report(&format!("key-{key}"), 0, "0")
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => vec(reports(), 0..5).prop_map(Step::Write), 1 => (0..2_usize).prop_map(Step::CatchUp)];
    vec(step, 1..25)
}

pub async fn catch_up(store: &PersistentStore, meter: &MeterId, held: &mut StoredMeter) {
    match store.since(meter, held.version).await.unwrap() {
        CatchUp::Current => {}
        CatchUp::Changes(changes) => held.add(changes).unwrap(),
        CatchUp::Reload => panic!("nothing was taken out"),
    }
}

async fn play(store: &PersistentStore, meter: &MeterId, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut replicas = [StoredMeter::default(), StoredMeter::default()];
    let (mut writes, mut last) = (0, 0);
    for step in steps {
        match step {
            Step::Write(registers) => {
                let write = MeterWrite { meter: meter.clone(), registers, memory: Some(writes.to_string()) };
                writes += 1;
                let outcomes = store.write(1, &[write], &[]).await.unwrap();
                prop_assert!(outcomes[0].version > last);
                last = outcomes[0].version;
            }
            Step::CatchUp(replica) => catch_up(store, meter, &mut replicas[replica]).await,
        }
    }
    let loaded = store.load(meter).await.unwrap();
    for mut replica in replicas {
        catch_up(store, meter, &mut replica).await;
        prop_assert_eq!(&replica, &loaded);
    }
    let registers = store.registers(meter, None, 100).await.unwrap();
    prop_assert_eq!(Arc::new(Ledger::of(registers.iter().map(|(_, register)| register)).unwrap()), loaded.ledger);
    Ok(())
}

#[rstest]
fn replicas_that_catch_up_hold_what_is_loaded(#[values(Sqlite, Postgres)] kind: Kind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let place = runtime.block_on(Place::new(kind));
    let store = runtime.block_on(place.open());
    let next = AtomicU32::new(0);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) }, |(steps in steps())| {
        let meter = meter(&format!("organization-{}", next.fetch_add(1, Ordering::Relaxed)));
        runtime.block_on(play(&store, &meter, steps))?;
    });
}

#[rstest]
#[tokio::test]
async fn all_meters_are_loaded_page_by_page(#[values(Sqlite, Postgres)] kind: Kind) {
    let place = Place::new(kind).await;
    let store = place.open().await;
    let names: Vec<String> = (0..7).map(|number| format!("organization-{number}")).collect();
    let writes: Vec<MeterWrite> = names.iter().map(|name| write_of(name, vec![report("a", 1, "1")])).collect();
    store.write(1, &writes, &[]).await.unwrap();
    place.execute("UPDATE register SET amount = 'much' WHERE meter = (SELECT id FROM meter WHERE organization = 'organization-4')").await;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.load_page(after.as_ref(), 3).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page);
    }
    assert_eq!(found.iter().map(|(meter, _)| meter.organization.to_string()).collect::<Vec<_>>(), names);
    let unreadable: Vec<_> =
        found.iter().filter_map(|(_, loaded)| loaded.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(unreadable, ["what the store keeps cannot be read: \"much\" is no amount"]);
    assert_eq!(store.since(&meter("never"), 0).await.unwrap(), CatchUp::Current);
    assert_eq!(store.since(&meter("never"), 3).await.unwrap(), CatchUp::Reload);
    assert_eq!(store.since(&meter("organization-1"), 3).await.unwrap(), CatchUp::Reload);
}

//! Uses that are counted one after the other, by what is known of an organization each time.

use super::{DEADLINE, address, now};
use crate::{
    core::usage::register::RegisterId,
    evaluation::{
        Snapshot,
        uses::{UseChange, UsePut, UseVerdict},
    },
    metering::{MeterReader, MeterScene, StoreSight, UseCounter, UseRequest},
    offline::{EntitlementKind, Inventory},
    store::meter::MeterId,
};
use rust_decimal::Decimal;
use serde_json::json;
use std::{
    path::Path,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// A client that holds two.
fn snapshot() -> Snapshot {
    let mut inventory = Inventory::new(now(), "entitlement-operator");
    let usage = json!({"mode": "Consumed", "period": "P1M"});
    let objects = [
        (EntitlementKind::Organization, "acme", json!({"namespaces": ["acme"]})),
        (
            EntitlementKind::EntitlementDefinition,
            "support",
            json!({"type": "Quantity", "unit": "cases", "amount": 2, "usage": usage}),
        ),
        (
            EntitlementKind::EntitlementInstance,
            "support",
            json!({"organization": "acme", "definition": "support", "start": "2027-01-01"}),
        ),
    ];
    for (kind, name, spec) in objects {
        let metadata = json!({"name": name, "namespace": "entitlements"});
        inventory.add(kind, &json!({"metadata": metadata, "spec": spec})).unwrap();
    }
    inventory.snapshots(&inventory.catalogue()).remove(0)
}

/// A counter, and what it was told last.
fn counter(folder: &Path) -> (UseCounter, Arc<Mutex<Weak<Snapshot>>>) {
    let (known, last) = (snapshot(), Arc::new(Mutex::new(Weak::new())));
    let told = Arc::clone(&last);
    let tell = move |meters: &[&MeterId]| {
        let snapshot = Arc::new(known.clone());
        *told.lock().unwrap() = Arc::downgrade(&snapshot);
        let definition = snapshot.catalogue["support"].serving.clone().unwrap();
        let scene = MeterScene { snapshot, definition };
        meters.iter().map(|_| Some(scene.clone())).collect()
    };
    let reader = Arc::new(MeterReader::new(address(folder), Arc::new(StoreSight::default()), now()));
    (UseCounter::start(reader, Box::new(tell), now), last)
}

fn one(key: &str) -> UseRequest {
    let put = UsePut { amount: Decimal::ONE, channel: None, at: None, as_of: None, always: false };
    UseRequest {
        meter: MeterId { organization: "acme".into(), definition: "support".into() },
        id: RegisterId { origin: "API carol".into(), key: key.into() },
        change: UseChange::Put(put),
    }
}

/// Its secrets would stay in memory with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_a_client_is_let_go_once_nothing_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (counter, last) = counter(folder.path());
    for (key, is_counted, left) in [("a", true, "1"), ("b", true, "0"), ("c", false, "0"), ("b", false, "0")] {
        let answer = timeout(DEADLINE, counter.count(one(key))).await.unwrap().unwrap();
        assert_eq!(matches!(answer.verdict, UseVerdict::Count(_)), is_counted, "{key}");
        assert_eq!(answer.answer().usage.unwrap().remaining.as_deref(), Some(left), "{key}");
    }
    let is_let_go = async {
        while last.lock().unwrap().upgrade().is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, is_let_go).await.unwrap();
}

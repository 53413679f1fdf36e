//! Clients of the store's database that do without the API.

use super::load::{MEASURED, Rate, count, processor, runtime};
use entitlement_operator::{
    core::usage::register::RegisterId,
    store::{
        PersistentStore,
        meter::{MeterId, MeterWrite, RegisterWrite},
    },
};
use futures::future::join_all;
use rust_decimal::Decimal;
use sqlx::{AnyConnection, Connection as _, any::install_default_drivers};
use std::{
    cell::Cell,
    process,
    time::{Duration, Instant},
};

/// How often a store was written.
pub fn commits(address: &str) -> u64 {
    let address = address.parse().unwrap();
    runtime().block_on(async { PersistentStore::open(&address).await.unwrap().identity().await.unwrap().commits })
}

/// The same rows in the same tables, of the same meters, so many in each commit: by a client that does nothing else.
pub fn same_commits(address: &str, each: f64) -> Rate {
    let address = address.parse().unwrap();
    measured("  the same commits without the API", 1, async || {
        let store = PersistentStore::open(&address).await.unwrap();
        let (begun, mut kept, mut wanted) = (Instant::now(), 0, 0.0);
        while begun.elapsed() < MEASURED {
            wanted += each;
            let first = kept;
            while count(kept) < wanted {
                kept += 1;
            }
            store.write(i64::MAX, &writes(first..kept), &[]).await.unwrap();
        }
        (kept, begun.elapsed())
    })
}

fn writes(numbers: std::ops::Range<usize>) -> Vec<MeterWrite> {
    let mut writes: Vec<MeterWrite> = Vec::new();
    for number in numbers {
        let definition = super::metered(number);
        let now = chrono::Utc::now();
        let register = RegisterWrite {
            id: RegisterId {
                origin: "API system:serviceaccount:plain:plain".into(),
                key: format!("use-{number}").into(),
            },
            at: Some(now),
            channel: None,
            amount: Decimal::ONE,
            as_of: now,
            deleted: false,
        };
        match writes.iter_mut().find(|write| *write.meter.definition == *definition) {
            Some(write) => write.registers.push(register),
            None => writes.push(MeterWrite {
                meter: MeterId { organization: "plain".into(), definition: definition.into() },
                registers: vec![register],
                memory: None,
            }),
        }
    }
    writes
}

/// A row in a table of one's own, each in a commit of its own, by so many clients at once. With SQLite one writes after the other, so
/// there is one.
pub fn own_rows(address: &str, clients: usize) -> Rate {
    install_default_drivers();
    let is_sqlite = address.starts_with("sqlite");
    let clients = if is_sqlite { 1 } else { clients };
    let connect = async || {
        let mut connection = AnyConnection::connect(address).await.unwrap();
        if is_sqlite {
            sqlx::raw_sql("PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL")
                .execute(&mut connection)
                .await
                .unwrap();
        }
        connection
    };
    measured("  a row of one's own for each", clients, async || {
        let tables = "DROP TABLE IF EXISTS plain; \
             CREATE TABLE plain (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount TEXT NOT NULL, at BIGINT NOT NULL)";
        sqlx::raw_sql(tables).execute(&mut connect().await).await.unwrap();
        let connections = join_all((0..clients).map(|_| connect())).await;
        let (begun, kept) = (Instant::now(), Cell::new(0_i32));
        let client = async |mut connection: AnyConnection| {
            while begun.elapsed() < MEASURED {
                let number = kept.get() + 1;
                kept.set(number);
                let row = sqlx::query("INSERT INTO plain (id, name, amount, at) VALUES ($1, $2, '1', 0)");
                row.bind(i64::from(number)).bind(format!("use-{number}")).execute(&mut connection).await.unwrap();
            }
        };
        join_all(connections.into_iter().map(client)).await;
        (usize::try_from(kept.get()).unwrap(), begun.elapsed())
    })
}

fn measured(what: &str, clients: usize, work: impl AsyncFnOnce() -> (usize, Duration)) -> Rate {
    let before = processor(process::id());
    let (all, elapsed) = runtime().block_on(work());
    let all = count(all);
    let per_second = all / elapsed.as_secs_f64();
    let own = processor(process::id()).saturating_sub(before).as_secs_f64() * 1e6 / all;
    println!("{what:<48} {clients:>5} {per_second:>9.0} {:>8} {:>8} {:>8} {own:>8.0}", "", "", "");
    Rate { all, per_second }
}

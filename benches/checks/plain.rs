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
use sqlx::{AnyConnection, Connection as _, Row as _, any::install_default_drivers};
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

/// The same rows in the same tables, of the same meters, so many in each commit: by the operator's own statements of many rows.
pub fn same_commits(address: &str, each: f64) -> Rate {
    let address = address.parse().unwrap();
    measured("  the same commits without the API", 1, async || {
        let store = PersistentStore::open(&address).await.unwrap();
        one_after_the_other("plain", each, async |writes| drop(store.write(i64::MAX, &writes, &[]).await.unwrap()))
            .await
    })
}

/// The same commits of a client that knows no more of them than what is in them: each row is read and written by itself.
pub fn row_by_row(address: &str, each: f64) -> Rate {
    measured("  the same commits, row by row", 1, async || {
        let mut connection = connect(address).await;
        one_after_the_other("plainer", each, async |writes| {
            let mut transaction = connection.begin().await.unwrap();
            for write in &writes {
                keep(&mut transaction, write).await;
            }
            let sign = "UPDATE entitlement_store SET commits = commits + 1 WHERE epoch <= $1";
            sqlx::query(sign).bind(i64::MAX).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        })
        .await
    })
}

/// What a plain client does for one meter: its row, what is known of each use, each use, and what they come to.
async fn keep(connection: &mut AnyConnection, write: &MeterWrite) {
    let raised = sqlx::query(
        "INSERT INTO meter (id, organization, definition, version, pruned, memory_version) VALUES ($1, $2, $3, 1, 0, 0) \
         ON CONFLICT (organization, definition) DO UPDATE SET version = meter.version + 1 RETURNING id, version",
    );
    let raised = raised.bind(chrono::Utc::now().timestamp_nanos_opt().unwrap()).bind(&*write.meter.organization);
    let raised = raised.bind(&*write.meter.definition).fetch_one(&mut *connection).await.unwrap();
    let (meter, version): (i64, i64) = (raised.get("id"), raised.get("version"));
    for register in &write.registers {
        let known = "SELECT amount FROM register WHERE meter = $1 AND origin = $2 AND key = $3";
        let known = sqlx::query(known).bind(meter).bind(&*register.id.origin).bind(&*register.id.key);
        assert!(known.fetch_optional(&mut *connection).await.unwrap().is_none());
        let kept = sqlx::query(
            "INSERT INTO register (meter, origin, key, at, channel, amount, as_of, deleted) VALUES ($1, $2, $3, $4, '', $5, $6, 0)",
        );
        let kept = kept.bind(meter).bind(&*register.id.origin).bind(&*register.id.key);
        let kept = kept.bind(register.as_of.timestamp()).bind(register.amount.to_string());
        kept.bind(register.as_of.timestamp_micros()).execute(&mut *connection).await.unwrap();
    }
    let sum = sqlx::query(
        "INSERT INTO difference (meter, version, number, at, channel, amount, written) VALUES ($1, $2, 0, $3, '', $4, $3)",
    );
    let at = write.registers[0].as_of.timestamp();
    sum.bind(meter).bind(version).bind(at).bind(write.registers.len().to_string()).execute(connection).await.unwrap();
}

/// Commits so many uses at a time for a while: how many, and how long that took.
async fn one_after_the_other(
    organization: &str,
    each: f64,
    mut commit: impl AsyncFnMut(Vec<MeterWrite>),
) -> (usize, Duration) {
    let run = chrono::Utc::now().timestamp_micros();
    let (begun, mut kept, mut wanted) = (Instant::now(), 0, 0.0);
    while begun.elapsed() < MEASURED {
        wanted += each;
        let first = kept;
        while count(kept) < wanted {
            kept += 1;
        }
        commit(writes(organization, run, first..kept)).await;
    }
    (kept, begun.elapsed())
}

fn writes(organization: &str, run: i64, numbers: std::ops::Range<usize>) -> Vec<MeterWrite> {
    let mut writes: Vec<MeterWrite> = Vec::new();
    for number in numbers {
        let definition = super::metered(number);
        let now = chrono::Utc::now();
        let register = RegisterWrite {
            id: RegisterId {
                origin: "API system:serviceaccount:plain:plain".into(),
                key: format!("use-{run}-{number}").into(),
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
                meter: MeterId { organization: organization.into(), definition: definition.into() },
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
    let clients = if address.starts_with("sqlite") { 1 } else { clients };
    measured("  a row of one's own for each", clients, async || {
        let tables = "DROP TABLE IF EXISTS plain; \
             CREATE TABLE plain (id BIGINT PRIMARY KEY, name TEXT NOT NULL, amount TEXT NOT NULL, at BIGINT NOT NULL)";
        sqlx::raw_sql(tables).execute(&mut connect(address).await).await.unwrap();
        let connections = join_all((0..clients).map(|_| connect(address))).await;
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

async fn connect(address: &str) -> AnyConnection {
    install_default_drivers();
    let mut connection = AnyConnection::connect(address).await.unwrap();
    if address.starts_with("sqlite") {
        let session = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL";
        sqlx::raw_sql(session).execute(&mut connection).await.unwrap();
    }
    connection
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

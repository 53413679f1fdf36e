//! Statements of many rows, and rows as values.

use super::{StoreError, meter::MeterDifference};
use crate::core::{
    calendar::Instant,
    usage::register::{Register, RegisterId},
};
use rust_decimal::Decimal;
use sqlx::{Row, any::AnyRow};
use std::{fmt::Write as _, sync::Arc};

/// How many rows a statement has at most.
const MOST: usize = 64;

/// Cuts rows into pieces whose lengths are powers of two: so there are seven statements of each kind to prepare, and not one for
/// each number of rows.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = match rows.len() {
            0 => return None,
            length if length >= MOST => MOST,
            length => 1 << length.ilog2(),
        };
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

/// `($first, …), (…)`: placeholders of so many rows and columns.
pub(super) fn placeholders(rows: usize, columns: usize, first: usize) -> String {
    let mut text = String::new();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            let separator = if column == 0 { "" } else { ", " };
            // Writing into a text cannot fail.
            let _ = write!(text, "{separator}${}", first + row * columns + column);
        }
        text.push(')');
    }
    text
}

/// A channel as it is kept: a name is never empty.
pub(super) fn kept_channel(channel: Option<&Arc<str>>) -> String {
    channel.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn amount(row: &AnyRow) -> Result<Decimal, StoreError> {
    let text: &str = row.try_get("amount")?;
    Decimal::from_str_exact(text).map_err(|_| StoreError::Unreadable(format!("{text:?} is no amount")))
}

fn channel(row: &AnyRow) -> Result<Option<Arc<str>>, StoreError> {
    let text: &str = row.try_get("channel")?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn at(row: &AnyRow) -> Result<Instant, StoreError> {
    let seconds: i64 = row.try_get("at")?;
    Instant::from_timestamp(seconds, 0).ok_or_else(|| StoreError::Unreadable(format!("{seconds} is no time")))
}

pub(super) fn difference(row: &AnyRow) -> Result<MeterDifference, StoreError> {
    Ok(MeterDifference { at: at(row)?, channel: channel(row)?, amount: amount(row)? })
}

pub(super) fn register(row: &AnyRow) -> Result<(RegisterId, Register), StoreError> {
    let (origin, key): (&str, &str) = (row.try_get("origin")?, row.try_get("key")?);
    let microseconds: i64 = row.try_get("as_of")?;
    let as_of = Instant::from_timestamp_micros(microseconds)
        .ok_or_else(|| StoreError::Unreadable(format!("{microseconds} is no time")))?;
    let deleted: i64 = row.try_get("deleted")?;
    let id = RegisterId { origin: origin.into(), key: key.into() };
    let register =
        Register { at: at(row)?, channel: channel(row)?, amount: amount(row)?, as_of, deleted: deleted != 0 };
    Ok((id, register))
}

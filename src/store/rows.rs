//! Statements of many rows, and rows as values.

use super::{StoreError, dialect::Dialect, meter::MeterDifference};
use crate::core::{
    calendar::Instant,
    usage::register::{Register, RegisterId},
};
use rust_decimal::Decimal;
use sqlx::{Row, any::AnyRow};
use std::sync::Arc;

/// How many rows a statement has at most.
const MOST: usize = 64;

/// Rows for one statement, and how many of nothing follow them: together they are a power of two, so there are seven statements of
/// each kind to prepare, and not one for each number of rows.
pub(super) struct RowPiece<'a, T> {
    /// The rows.
    pub rows: &'a [T],
    /// How many rows of nothing follow.
    pub empty: usize,
}

impl<T> RowPiece<'_, T> {
    /// How many rows the statement has.
    pub fn len(&self) -> usize {
        self.rows.len() + self.empty
    }
}

/// Cuts rows into as few pieces as there may be.
pub(super) fn pieces<T>(rows: &[T]) -> impl Iterator<Item = RowPiece<'_, T>> {
    rows.chunks(MOST).map(|rows| RowPiece { rows, empty: rows.len().next_power_of_two() - rows.len() })
}

/// `(VALUES ($1, …), …) AS given WHERE column1 IS NOT NULL`: so many rows and columns, without those of nothing.
pub(super) fn given(dialect: Dialect, rows: usize, columns: usize) -> String {
    let mut text = "(VALUES ".to_owned();
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "" } else { ", " });
            text.push_str(&dialect.parameter(1 + row * columns + column));
        }
        text.push(')');
    }
    text + ") AS given WHERE column1 IS NOT NULL"
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

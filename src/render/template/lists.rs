//! Filters on lists and maps. Each is described, with an example, in `docs/templates.md`.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands options over by value")]

use std::cmp::Ordering;
use std::collections::BTreeSet;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, State, Value};

use super::MAX_ITEMS;
use super::error::{failed, misused, too_large};
use super::numbers::Number;
use super::values::{bounded, charge, charge_bytes, charge_search, fits, kind, list, measure, noun, text};

/// `first`: the first item of a list or character of a text; of an empty one, nothing (see `default`).
pub(super) fn first(value: &Value) -> Result<Value, Error> {
    end(value, "first", |text| text.chars().next(), |_| 0)
}

/// `last`: the last item of a list or character of a text; of an empty one, nothing (see `default`).
pub(super) fn last(value: &Value) -> Result<Value, Error> {
    end(value, "last", |text| text.chars().next_back(), |length| length.saturating_sub(1))
}

fn end(
    value: &Value,
    filter: &str,
    of_text: fn(&str) -> Option<char>,
    of_list: fn(usize) -> usize,
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(of_text(text).map_or(Value::UNDEFINED, Value::from));
    }
    match value.kind() {
        ValueKind::Seq => value.get_item_by_index(of_list(value.len().unwrap_or_default())).or(Ok(Value::UNDEFINED)),
        _ => Err(misused(format!("`{filter}` needs a list or a text, and this is {}", noun(kind(value))))),
    }
}

/// `items`: the entries of a map as pairs of key and value, in the order of the keys.
pub(super) fn items(state: &State, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Map => {
            charge(state, value.len().unwrap_or_default().saturating_mul(4))?;
            let pair = |key: Value| Ok(Value::from(vec![key.clone(), value.get_item(&key)?]));
            value.try_iter()?.map(pair).collect::<Result<Vec<_>, Error>>().map(Value::from)
        }
        _ => Err(misused(format!("`items` needs a map, and this is {}", noun(kind(value))))),
    }
}

/// `join(separator="")`: the texts of a list's items, one after the other.
pub(super) fn join(state: &State, value: &Value, separator: Option<Value>) -> Result<Value, Error> {
    let separator = separator.unwrap_or_else(|| Value::from(""));
    let separator = text(&separator)?;
    let mut joined = String::new();
    for (index, item) in list(state, value, "join")?.iter().enumerate() {
        let between = if index == 0 { "" } else { separator.as_ref() };
        let item = text(item)?;
        fits(joined.len() + between.len() + item.len())?;
        joined.push_str(between);
        joined.push_str(&item);
    }
    bounded(joined)
}

/// `length`: how many items a list, entries a map or characters a text has.
pub(super) fn length(state: &State, value: &Value) -> Result<usize, Error> {
    if let Some(text) = value.as_str() {
        charge_bytes(state, text.len())?;
        return Ok(text.chars().count());
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Map => Ok(value.len().unwrap_or_default()),
        _ => Err(misused(format!("`length` needs a list, a map or a text, and this is {}", noun(kind(value))))),
    }
}

/// `map(attribute=name, default=…)`: the entry of that name of each map in a list.
pub(super) fn map(state: &State, value: &Value, options: Kwargs) -> Result<Value, Error> {
    let attribute: &str = options.get("attribute")?;
    let other: Option<Value> = options.get("default")?;
    options.assert_all_used()?;
    let entry = |item: Value| {
        let found = item.get_attr(attribute).unwrap_or_default();
        let found = if found.is_undefined() { other.clone().unwrap_or_default() } else { found };
        if found.is_undefined() {
            return Err(misused(
                "an item of the list has no entry of the name that `map` was given; `default=` stands in for it",
            ));
        }
        Ok(found)
    };
    let items = list(state, value, "map")?;
    let entries = items.into_iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
    let entries = Value::from(entries);
    // One default can stand in a list many times.
    measure(state, &entries)?;
    Ok(entries)
}

/// `reverse`: a list, or a text's characters, from the end.
pub(super) fn reverse(state: &State, value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return bounded(text.chars().rev().collect());
    }
    let mut items = list(state, value, "reverse")?;
    items.reverse();
    Ok(Value::from(items))
}

/// `sort(reverse=false)`: numbers by value, or texts by their characters' code points.
pub(super) fn sort(state: &State, value: &Value, options: Kwargs) -> Result<Value, Error> {
    let reverse: Option<bool> = options.get("reverse")?;
    options.assert_all_used()?;
    let mut items = list(state, value, "sort")?;
    charge_ordering(state, value, items.len())?;
    let numbers: Option<Vec<Number>> = items.iter().map(Number::of).collect();
    if let Some(numbers) = numbers {
        let mut numbered: Vec<(Number, Value)> = numbers.into_iter().zip(items).collect();
        numbered.sort_by_key(|(number, _)| *number);
        items = numbered.into_iter().map(|(_, item)| item).collect();
    } else if items.iter().all(|item| item.kind() == ValueKind::String) {
        items.sort();
    } else {
        return Err(misused("`sort` needs a list of numbers, or one of texts"));
    }
    if reverse.unwrap_or_default() {
        items.reverse();
    }
    Ok(Value::from(items))
}

/// Comparing takes as many looks at each item as the length has binary digits.
fn charge_ordering(state: &State, value: &Value, length: usize) -> Result<(), Error> {
    let looks = length.checked_ilog2().unwrap_or_default() as usize;
    charge(state, measure(state, value)? * looks)
}

/// `split(separator)`: the parts of a text; without a separator, what white space separates.
pub(super) fn split(state: &State, value: &Value, separator: Option<&Value>) -> Result<Value, Error> {
    let whole = text(value)?;
    let parts: Vec<&str> = match separator.map(text).transpose()? {
        None => whole.split_whitespace().take(MAX_ITEMS + 1).collect(),
        Some(separator) if separator.is_empty() => {
            return Err(failed("`split` needs a separator, and it is empty"));
        }
        Some(separator) => {
            charge_search(state, &separator)?;
            whole.split(separator.as_ref()).take(MAX_ITEMS + 1).collect()
        }
    };
    charge(state, parts.len())?;
    if parts.len() > MAX_ITEMS {
        return Err(too_large(format!("`split` gives {MAX_ITEMS} parts at most")));
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// `unique`: a list's texts, numbers and booleans, each where it comes first.
pub(super) fn unique(state: &State, value: &Value) -> Result<Value, Error> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    let items = list(state, value, "unique")?;
    charge_ordering(state, value, items.len())?;
    for item in items {
        if seen.insert((kind(&item), text(&item)?.into_owned())) {
            kept.push(item);
        }
    }
    Ok(Value::from(kept))
}

/// `range(stop)`, `range(start, stop)`: the whole numbers from `start` (0) up to, but not including, `stop`.
pub(super) fn range(first: i64, second: Option<i64>) -> Result<Value, Error> {
    let (start, stop) = second.map_or((0, first), |stop| (first, stop));
    match start.cmp(&stop) {
        Ordering::Less if stop.abs_diff(start) > MAX_ITEMS as u64 => {
            Err(too_large(format!("`range` gives {MAX_ITEMS} numbers at most")))
        }
        _ => Ok((start..stop).map(Value::from).collect()),
    }
}

//! What an organization holds, as flagd flag definitions. Their targeting rules know the time: a right starts and ends at its
//! second without a new file.
//!
//! | flag | value |
//! |---|---|
//! | `<handle>` of a Feature | boolean |
//! | `<handle>` of a Quantity or Credit | number |
//! | `<handle>.facets`, if the definition has facets that are not too large | object |
//! | `<handle>.allowed`, if the definition is metered | boolean: whether more of it may be used |
//!
//! A handle is a DNS label, which has no dot, so no two flags get one name.

use crate::{
    api::facet_fields::FacetFields,
    core::{amount::Amount, calendar::Instant},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// The schema that the flags are valid by.
const SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";

/// The greatest whole number that every JSON reader holds exactly (2⁵³ − 1). It stands for `Unlimited`, so that comparisons
/// come out right, and for all that is greater.
const MOST: u64 = 9_007_199_254_740_991;

/// The most bytes of a flag with facets.
const MOST_BYTES: usize = 64 * 1024;

/// Digits of a content hash that name a variant.
const NAME_DIGITS: usize = 12;

/// How what an organization holds of a definition changes with time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlagCourse {
    /// Whether and how much is held.
    pub rights: Vec<Stage<HeldRight>>,
    /// The facets, without secret fields; absent where the definition has none.
    pub facets: Option<Vec<Stage<FacetFields>>>,
    /// Whether more of it may be used; absent where the definition is not metered.
    pub allowed: Option<Vec<Stage<MoreAllowed>>>,
}

/// More may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoreAllowed;

/// What of a definition decides which flags it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// It is a Quantity or a Credit.
    pub has_amount: bool,
    /// It has facets.
    pub has_facets: bool,
    /// It is metered.
    pub is_metered: bool,
}

/// What could be held, by handle.
pub type Offers = BTreeMap<Arc<str>, Offer>;

impl Offer {
    /// The course of what is not held and has no grants that will change that.
    #[must_use]
    pub fn not_held(self) -> &'static FlagCourse {
        const fn course(has_facets: bool, is_metered: bool) -> FlagCourse {
            FlagCourse {
                rights: Vec::new(),
                facets: if has_facets { Some(Vec::new()) } else { None },
                allowed: if is_metered { Some(Vec::new()) } else { None },
            }
        }
        static PLAIN: FlagCourse = course(false, false);
        static WITH_FACETS: FlagCourse = course(true, false);
        static METERED: FlagCourse = course(false, true);
        static METERED_WITH_FACETS: FlagCourse = course(true, true);
        match (self.has_facets, self.is_metered) {
            (false, false) => &PLAIN,
            (true, false) => &WITH_FACETS,
            (false, true) => &METERED,
            (true, true) => &METERED_WITH_FACETS,
        }
    }
}

/// What is held, without facets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeldRight {
    /// A Feature.
    On,
    /// An amount of a Quantity or Credit.
    Amount(Amount),
}

/// What is held from a moment on. Stages stand in the order of time: before the first nothing is held, and the last one lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage<T> {
    /// The moment.
    pub from: Instant,
    /// What is held; None where nothing is.
    pub holds: Option<T>,
}

/// A named value of a flag.
#[derive(Clone, Debug, PartialEq)]
struct Variant {
    name: String,
    value: Value,
}

/// A flag as it is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagValue {
    /// The name of the value.
    pub variant: String,
    /// The value: a boolean, a number or an object.
    pub value: Value,
    /// Whether anything is held at all; if not, the value is that of nothing.
    pub is_held: bool,
}

/// The flags of one handle as they are at one moment, by their names.
#[must_use]
pub fn flag_values(handle: &str, has_amount: bool, course: &FlagCourse, now: Instant) -> BTreeMap<String, FlagValue> {
    let right = held_at(&course.rights, now);
    let is_held = right.is_some();
    let told = |Variant { name, value }: Variant| FlagValue { variant: name, value, is_held };
    let entitled = told(if has_amount { amount(right) } else { switch(right) });
    let mut flags = BTreeMap::from([(handle.to_owned(), entitled)]);
    if let Some(stages) = &course.facets {
        flags.insert(format!("{handle}.facets"), told(facets(held_at(stages, now).filter(|_| is_held))));
    }
    if let Some(stages) = &course.allowed {
        flags.insert(format!("{handle}.allowed"), told(switch(held_at(stages, now).filter(|_| is_held))));
    }
    flags
}

fn held_at<T>(stages: &[Stage<T>], now: Instant) -> Option<&T> {
    stages.iter().rev().find(|stage| stage.from <= now)?.holds.as_ref()
}

/// The flag definitions, for each handle whether it has an amount, and its course.
#[must_use]
pub fn flags<'a>(entitlements: impl Iterator<Item = (&'a str, bool, &'a FlagCourse)>) -> Value {
    let mut flags = Map::new();
    for (handle, has_amount, course) in entitlements {
        let entitled = if has_amount { flag(&course.rights, amount) } else { flag(&course.rights, switch) };
        flags.insert(handle.to_owned(), entitled);
        if let Some(flag) = course.facets.as_ref().map(|stages| flag(stages, facets)).filter(is_small) {
            flags.insert(format!("{handle}.facets"), flag);
        }
        if let Some(stages) = &course.allowed {
            flags.insert(format!("{handle}.allowed"), flag(stages, switch));
        }
    }
    json!({"$schema": SCHEMA, "flags": flags})
}

/// What is too large is left out, so that the facets of one definition do not cost all of them their summary.
fn is_small(flag: &Value) -> bool {
    flag.to_string().len() <= MOST_BYTES
}

fn switch<T>(holds: Option<&T>) -> Variant {
    let name = if holds.is_some() { "on" } else { "off" };
    Variant { name: name.to_owned(), value: holds.is_some().into() }
}

/// The variant's name is the exact amount.
fn amount(holds: Option<&HeldRight>) -> Variant {
    let amount = match holds {
        Some(HeldRight::Amount(amount)) => *amount,
        Some(HeldRight::On) | None => Amount::ZERO,
    };
    let name = amount.to_string();
    let value = match amount {
        Amount::Unlimited => MOST.into(),
        Amount::Limited(_) => number(&name),
    };
    Variant { name, value }
}

fn number(digits: &str) -> Value {
    if !digits.contains('.') {
        return digits.parse().map_or(MOST, |whole: u64| whole.min(MOST)).into();
    }
    match digits.parse::<f64>() {
        #[expect(clippy::cast_precision_loss, reason = "it is exact")]
        Ok(decimal) if decimal < MOST as f64 => decimal.into(),
        _ => MOST.into(),
    }
}

/// The variant's name comes from what it holds, so that it is the same in every file.
fn facets(holds: Option<&FacetFields>) -> Variant {
    let Some(fields) = holds.filter(|fields| !fields.is_empty()) else {
        return Variant { name: "none".to_owned(), value: json!({}) };
    };
    let value = json!(fields);
    let mut name = hex::encode(Sha256::digest(value.to_string()));
    name.truncate(NAME_DIGITS);
    Variant { name, value }
}

fn flag<T>(stages: &[Stage<T>], variant: impl Fn(Option<&T>) -> Variant) -> Value {
    let none = variant(None);
    let mut steps: Vec<(i64, Variant)> = Vec::with_capacity(stages.len());
    for stage in stages {
        let next = variant(stage.holds.as_ref());
        if steps.last().map_or(&none, |(_, before)| before) != &next {
            steps.push((stage.from.timestamp(), next));
        }
    }
    let all = steps.iter().map(|(_, variant)| variant).chain([&none]);
    let variants: Map<String, Value> = all.map(|one| (one.name.clone(), one.value.clone())).collect();
    let mut flag = json!({"state": "ENABLED", "variants": variants, "defaultVariant": none.name});
    if let (Some(rule), Some(flag)) = (rule(&none, &steps), flag.as_object_mut()) {
        flag.insert("targeting".to_owned(), rule);
    }
    flag
}

/// `if before the first, none, else if before the second, the first, …`; flagd knows no longer `if` than one of three parts.
fn rule(none: &Variant, steps: &[(i64, Variant)]) -> Option<Value> {
    let (_, last) = steps.last()?;
    let before = steps.iter().rev().skip(1).map(|(_, variant)| variant).chain([none]);
    let ends = steps.iter().rev().map(|(from, _)| from);
    let rule = before.zip(ends).fold(
        json!(last.name),
        |after, (variant, end)| json!({"if": [{"<": [{"var": "$flagd.timestamp"}, end]}, variant.name, after]}),
    );
    Some(rule)
}

#[cfg(test)]
mod tests;

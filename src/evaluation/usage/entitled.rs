//! Which uses count, by when something was held.

use super::Meters;
use crate::{
    api::usage::UsageMode,
    core::{
        calendar::Instant,
        usage::{
            entitled::EntitledTime,
            memory::{Memory, PresentParts},
        },
    },
};
use std::sync::Arc;

/// When a definition was held, by what is decided of an organization and what is remembered. None for what is Held: it is in use
/// right now, since whenever.
#[must_use]
pub fn entitled_time(
    meters: &Meters,
    definition: &str,
    mode: UsageMode,
    known: Option<&Memory>,
    now: Instant,
) -> Option<EntitledTime> {
    let remembered = || known.map(|known| EntitledTime::of(known, &PresentParts::default(), now)).unwrap_or_default();
    match mode {
        UsageMode::Held => None,
        UsageMode::Consumed => Some(meters.get(definition).map_or_else(remembered, |decided| decided.entitled.clone())),
    }
}

/// Whether other uses may count than before.
#[must_use]
pub fn entitled_otherwise(before: Option<&Meters>, after: &Meters) -> bool {
    before.is_none_or(|before| times(before).ne(times(after)))
}

fn times(meters: &Meters) -> impl Iterator<Item = (&Arc<str>, &EntitledTime)> {
    meters.iter().map(|(definition, decided)| (definition, &decided.entitled))
}

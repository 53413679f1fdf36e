//! What the model carries from one moment to the next.

use super::shelf::{HowMuch, Shelf};
use crate::core::calendar::{Bound, Instant};
use std::collections::BTreeMap;

/// What is carried from one moment to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainMemory {
    pub shelf: Shelf,
    pub subscriptions: BTreeMap<String, SubscriptionMemory>,
    pub instances: BTreeMap<String, InstanceMemory>,
}

/// What is remembered of an accepted instance.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceMemory {
    pub zone: String,
    /// The definition's amount.
    pub amount: Option<HowMuch>,
    pub start: Option<String>,
    pub end: Option<String>,
}

/// What is remembered of a subscription: "`plans` stays while plan and agreement do", the rest only while it is accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionMemory {
    pub plan: String,
    pub agreement: Option<String>,
    /// The revision of each plan.
    pub plans: BTreeMap<String, usize>,
    pub entries: BTreeMap<EntryName, RecordedEntry>,
    pub taken: Option<Taken>,
}

/// A list of the spec, and the entry's name in it.
pub type EntryName = (&'static str, String);

/// An entry as it was when it last could be used.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEntry {
    /// The add-on's plan, or the definition.
    pub target: String,
    pub quantity: u64,
    pub stated: Option<HowMuch>,
    /// The definition's amount, where the entry states none.
    pub taken: Option<HowMuch>,
    pub start: Option<String>,
    pub end: Option<String>,
}

/// What a subscription took from elsewhere when it was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    pub zone: String,
    pub term: Option<String>,
    pub grace: Option<String>,
    pub since: Option<Instant>,
    pub length: Option<String>,
    pub follows: Option<Bound>,
    pub chain: PlainChain,
    pub line: Option<String>,
    /// What of the spec it belongs to.
    pub start: Option<String>,
    pub end: Option<String>,
    pub renews: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlainChain {
    pub since: Instant,
    pub name: String,
    pub day: u32,
}

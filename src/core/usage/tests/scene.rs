//! A small language for tests: parts, registers and moments of 2027, written as the contract writes them.

use crate::core::{
    amount::Amount,
    calendar::{Bound, Instant, Moment, Nominal, Tz, format_instant, parse_instant, parse_zone},
    usage::{
        allowance::{UsageAllowance, UsageRequest},
        balance::Balance,
        ledger::Ledger,
        memory::{Memory, PresentParts},
        meter::Meter,
        part::{HeldPart, HeldSpan},
        register::Register,
        rules::UsageRules,
        state::{SaidCrossing, UsageState, crossings},
    },
};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// `01-15` and `01-15T12:00` are of 2027 in UTC; anything else is an RFC 3339 time.
pub fn moment(text: &str) -> Instant {
    let text = match text.len() {
        5 => format!("2027-{text}T00:00:00Z"),
        11 => format!("2027-{text}:00Z"),
        _ => text.to_owned(),
    };
    parse_instant(&text).unwrap()
}

/// One organization and one definition.
#[derive(Clone, Debug)]
pub struct Scene {
    pub rules: UsageRules,
    pub present: PresentParts,
    pub registers: Vec<Register>,
    pub caps: BTreeMap<Arc<str>, Amount>,
    pub memory: Memory,
    pub zone: Tz,
}

impl Scene {
    /// Of a definition's `usage`.
    pub fn of(usage: Value) -> Self {
        let rules = UsageRules::read(&serde_json::from_value(usage).unwrap()).unwrap();
        let zone = parse_zone("UTC").unwrap();
        let (present, memory) = (PresentParts::default(), Memory::default());
        Self { rules, present, registers: Vec::new(), caps: BTreeMap::new(), memory, zone }
    }

    /// Periods count from a date where the client is.
    pub fn first(mut self, date: &str, zone: &str) -> Self {
        self.zone = parse_zone(zone).unwrap();
        let date: NaiveDate = date.parse().unwrap();
        let start = Nominal::of_start(Moment::Date(date), self.zone);
        self.present.first = Some((start, start.day()));
        self
    }

    /// A part and how it goes on: `01-01 200000, 01-10 suspended, 01-20 50000, 03-01 over`.
    pub fn part(mut self, name: &str, course: &str) -> Self {
        let steps: Vec<(Instant, &str)> =
            course.split(", ").map(|step| step.split_once(' ').unwrap()).map(|(at, what)| (moment(at), what)).collect();
        let end = steps.last().filter(|(_, what)| *what == "over").map_or(Bound::Never, |(at, _)| Bound::At(*at));
        let until = steps.iter().skip(1).map(|(at, _)| Bound::At(*at)).chain([Bound::Never]);
        let spans = steps.iter().zip(until).filter(|((_, what), _)| *what != "over").map(|((from, what), until)| {
            let amount = (*what != "suspended").then(|| Amount::parse(what).unwrap());
            HeldSpan { from: *from, until, amount }
        });
        let start = steps.first().unwrap().0;
        if self.present.first.is_none() {
            let start = Nominal::of_instant(start, self.zone);
            self.present.first = Some((start, start.day()));
        }
        let part = HeldPart { name: name.into(), priority: 0, start, end, spans: spans.collect() };
        self.present.parts.retain(|known| known.name != part.name);
        self.present.parts.push(part);
        self
    }

    /// The priority of the part that was given last.
    pub fn priority(mut self, priority: i32) -> Self {
        self.present.parts.last_mut().unwrap().priority = priority;
        self
    }

    /// A part is not among the objects any more.
    pub fn without(mut self, name: &str) -> Self {
        self.present.parts.retain(|part| &*part.name != name);
        self
    }

    pub fn used(self, at: &str, amount: &str) -> Self {
        self.used_by(None, at, amount)
    }

    pub fn used_by(mut self, channel: Option<&str>, at: &str, amount: &str) -> Self {
        let (at, amount) = (moment(at), amount.parse().unwrap());
        self.registers.push(Register { at, channel: channel.map(Into::into), amount, as_of: at, deleted: false });
        self
    }

    pub fn cap(mut self, channel: &str, amount: &str) -> Self {
        self.caps.insert(channel.into(), Amount::parse(amount).unwrap());
        self
    }

    /// The objects are looked at, as they are.
    pub fn seen(mut self, at: &str) -> Self {
        self.memory = self.memory.after(&self.rules, &self.present, moment(at));
        self
    }

    pub fn with<T>(&self, at: &str, read: impl FnOnce(&Meter) -> T) -> T {
        let now = moment(at);
        let memory = self.memory.after(&self.rules, &self.present, now);
        let ledger = Ledger::of(&self.registers).unwrap();
        read(&Meter { rules: &self.rules, memory: &memory, ledger: &ledger, caps: &self.caps, now })
    }

    pub fn balance(&self, at: &str) -> Option<Balance> {
        self.with(at, Balance::of)
    }

    /// `50000 allotted, 180000 used, 0 remaining, 130000 excess, 0 overage`
    pub fn shown(&self, at: &str) -> String {
        self.balance(at).map_or("nothing is held".to_owned(), |balance| shown(&balance))
    }

    pub fn remaining(&self, at: &str) -> String {
        self.balance(at).map_or("nothing is held".to_owned(), |balance| balance.remaining.to_string())
    }

    pub fn resets_at(&self, at: &str) -> String {
        self.balance(at).and_then(|balance| balance.resets_at()).map_or("never".to_owned(), format_instant)
    }

    pub fn ask(&self, at: &str, channel: Option<&str>, amount: &str) -> UsageAllowance {
        let request = UsageRequest { amount: amount.parse().unwrap(), channel };
        self.with(at, |meter| UsageAllowance::of(meter, &Balance::of(meter).unwrap(), request))
    }

    pub fn is_allowed(&self, at: &str, amount: &str) -> bool {
        self.ask(at, None, amount).is_allowed()
    }

    pub fn state(&self, at: &str) -> UsageState {
        self.with(at, |meter| UsageState::of(meter, &Balance::of(meter).unwrap()))
    }

    /// What is said of thresholds now, where `said` was before.
    pub fn say(&self, at: &str, said: &mut Vec<SaidCrossing>) -> Vec<String> {
        let (new, all) = self.with(at, |meter| crossings(meter, &Balance::of(meter).unwrap(), said));
        *said = all;
        new.iter().map(ToString::to_string).collect()
    }

    /// `A 30, B 0`
    pub fn taken(&self, at: &str) -> String {
        let blocks = self.balance(at).unwrap().blocks;
        let told = blocks
            .iter()
            .map(|block| format!("{} {}", block.part.as_deref().unwrap_or("carried over"), block.taken.normalize()));
        told.collect::<Vec<_>>().join(", ")
    }
}

pub fn shown(balance: &Balance) -> String {
    let number = |decimal: Decimal| decimal.normalize().to_string();
    let Balance { allotted, used, remaining, excess, overage, unentitled, .. } = balance;
    let (used, excess, overage) = (number(*used), number(*excess), number(*overage));
    let told = format!("{allotted} allotted, {used} used, {remaining} remaining, {excess} excess, {overage} overage");
    if unentitled.is_zero() { told } else { format!("{told}, {} unentitled", number(*unentitled)) }
}

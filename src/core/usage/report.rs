//! What people and jobs report as EntitlementUsage objects: which registers an object gives, and what is refused of it.
//!
//! Reading never fails. What cannot be read of a register is kept as such, and is a reason to refuse that one alone.

use super::{
    register::{AHEAD, Register, RegisterId, RegisterRefusal, refusal},
    rules::UsageRules,
};
use crate::{
    api::{AmountField, EntitlementUsage, entitlement_usage::UsageRegister},
    core::{
        amount::Amount,
        calendar::{Instant, InvalidMoment, Moment, Nominal, Tz},
        excerpt::{elided_after_characters, first_characters},
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rust_decimal::Decimal;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The most registers that are kept of an object. The API server takes no more.
pub const MOST_REGISTERS: usize = 500;

/// The longest key, in characters.
pub const LONGEST_KEY: usize = 128;

/// How much of an amount that cannot be read a message shows.
const SHOWN: usize = 40;

/// Which EntitlementUsage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ReportId {
    /// That of a namespace and a name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// That of an object.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
    }

    /// The origin of its registers.
    #[must_use]
    pub fn origin(&self) -> Arc<str> {
        format!("EntitlementUsage {self}").into()
    }
}

impl fmt::Display for ReportId {
    /// Its namespace and name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// An EntitlementUsage, as it states itself.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedReport {
    /// Which it is.
    pub id: ReportId,
    /// Whose usage it reports.
    pub organization: Arc<str>,
    /// Of what.
    pub definition: Arc<str>,
    /// The state of its spec.
    pub generation: i64,
    /// When this state of it was first seen.
    pub seen: Instant,
    /// What it reports, in its order.
    pub registers: Arc<[StatedRegister]>,
    /// How many more than it may have.
    pub surplus: usize,
}

/// One register, as it is stated.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedRegister {
    /// Its key.
    pub key: Arc<str>,
    /// What it says, or why that can't be read.
    pub said: Result<StatedUse, UnreadableUse>,
}

/// What a register says.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedUse {
    /// When.
    pub at: Moment,
    /// In which way.
    pub channel: Option<Arc<str>>,
    /// How much.
    pub amount: Decimal,
}

/// Why a register can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableUse {
    /// The key is none.
    #[error("a key has 1 to 128 printable ASCII characters: give it another")]
    Key,
    /// The moment is none.
    #[error("at: {0}")]
    At(Box<InvalidMoment>),
    /// The amount is none.
    #[error(
        "amount {0:?} cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point"
    )]
    Amount(Box<str>),
}

impl UnreadableUse {
    /// The field that can't be read.
    fn field(&self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::At(_) => "at",
            Self::Amount(_) => "amount",
        }
    }
}

impl StatedReport {
    /// What an object states. `seen` is when this state of it was first seen.
    #[must_use]
    pub fn read(report: &EntitlementUsage, seen: Instant) -> Self {
        let spec = &report.spec;
        let mut channels = BTreeSet::new();
        let registers = spec.registers.iter().take(MOST_REGISTERS);
        Self {
            id: ReportId::of(&report.metadata),
            organization: spec.organization.as_str().into(),
            definition: spec.definition.as_str().into(),
            generation: report.metadata.generation.unwrap_or(1),
            seen,
            registers: registers.map(|register| StatedRegister::read(register, &mut channels)).collect(),
            surplus: spec.registers.len().saturating_sub(MOST_REGISTERS),
        }
    }

    /// Whether it reports the same as another state of it.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.organization, &self.definition, &self.registers, self.surplus)
            == (&other.organization, &other.definition, &other.registers, other.surplus)
    }

    /// What counts of it at a moment, by the rules of its definition. `zone` is the organization's time zone, where that is known.
    #[must_use]
    pub fn take(&self, rules: &UsageRules, zone: Option<Tz>, now: Instant) -> ReportReading {
        let mut reading = ReportReading { total: self.registers.len() + self.surplus, ..ReportReading::default() };
        let origin = self.id.origin();
        let mut keys = BTreeSet::new();
        for (index, stated) in self.registers.iter().enumerate() {
            let is_new = keys.insert(&stated.key);
            let taken = if is_new { stated.take(self.seen, zone) } else { Err(UseFault::of("key", TWICE.to_owned())) };
            let counted = taken.and_then(|register| reading.count(register, rules, now));
            match counted {
                Ok(register) => {
                    reading
                        .unlisted
                        .extend(register.channel.clone().filter(|channel| !rules.channels.contains_key(channel)));
                    let id = RegisterId { origin: Arc::clone(&origin), key: Arc::clone(&stated.key) };
                    reading.registers.insert(id, register);
                }
                Err(UseFault { field, message, is_ahead }) => {
                    reading.refuse(RefusedUse { key: Arc::clone(&stated.key), index, field, message, is_ahead });
                }
            }
        }
        reading.refused_in_all += self.surplus;
        reading
    }
}

/// Why a register does not count.
struct UseFault {
    field: &'static str,
    message: String,
    is_ahead: bool,
}

impl UseFault {
    fn of(field: &'static str, message: String) -> Self {
        Self { field, message, is_ahead: false }
    }
}

const NO_ZONE: &str = "when the day begins cannot be told, as the organization's time zone is unknown: mend its spec.timeZone, or write a time";
const TWICE: &str =
    "the key is there twice, and the first one counts: add up what they say, or give this one another key";

impl StatedRegister {
    fn read(register: &UsageRegister, channels: &mut BTreeSet<Arc<str>>) -> Self {
        Self {
            key: elided_after_characters(&register.key, LONGEST_KEY).into(),
            said: StatedUse::read(register, channels),
        }
    }

    fn take(&self, seen: Instant, zone: Option<Tz>) -> Result<Register, UseFault> {
        let said = self.said.as_ref().map_err(|error| UseFault::of(error.field(), error.to_string()))?;
        let at = match (said.at, zone) {
            (Moment::Time(at), _) => at,
            (date @ Moment::Date(_), Some(zone)) => Nominal::of_start(date, zone).instant(),
            (Moment::Date(_), None) => {
                return Err(UseFault::of("at", NO_ZONE.to_owned()));
            }
        };
        Ok(Register { at, channel: said.channel.clone(), amount: said.amount, as_of: seen, deleted: false })
    }
}

impl StatedUse {
    fn read(register: &UsageRegister, channels: &mut BTreeSet<Arc<str>>) -> Result<Self, UnreadableUse> {
        check_key(&register.key)?;
        Ok(Self {
            at: register.at.parse().map_err(|error| UnreadableUse::At(Box::new(error)))?,
            channel: register.channel.as_deref().map(|channel| shared(channel, channels)),
            amount: read_amount(&register.amount)?,
        })
    }
}

fn shared(text: &str, known: &mut BTreeSet<Arc<str>>) -> Arc<str> {
    if let Some(known) = known.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    known.insert(Arc::clone(&text));
    text
}

/// Whether a use can have that key.
///
/// # Errors
/// [`UnreadableUse::Key`]
pub fn check_key(key: &str) -> Result<(), UnreadableUse> {
    let is_key = (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_key { Ok(()) } else { Err(UnreadableUse::Key) }
}

/// How much is used, which is never Unlimited.
///
/// # Errors
/// [`UnreadableUse::Amount`]
pub fn read_amount(field: &AmountField) -> Result<Decimal, UnreadableUse> {
    match Amount::read(field) {
        Ok(Amount::Limited(amount)) => Ok(amount),
        _ => Err(UnreadableUse::Amount(first_characters(&field.to_string(), SHOWN).into())),
    }
}

/// What counts of an EntitlementUsage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportReading {
    /// Those that count.
    pub registers: BTreeMap<RegisterId, Register>,
    /// The first of those that do not, with why and what to do.
    pub refused: Vec<RefusedUse>,
    /// How many do not.
    pub refused_in_all: usize,
    /// How many of these only lie ahead, and count from then on.
    pub ahead: usize,
    /// How many it has.
    pub total: usize,
    /// When another one counts, without that anything is written.
    pub next: Option<Instant>,
    /// The channels of those that count which the definition does not list.
    pub unlisted: BTreeSet<Arc<str>>,
}

/// A register that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedUse {
    /// Its key.
    pub key: Arc<str>,
    /// Its place in the list.
    pub index: usize,
    /// The field of it that is at fault.
    pub field: &'static str,
    /// Why, and what to do.
    pub message: String,
    /// Whether it only lies ahead, and counts from then on.
    pub is_ahead: bool,
}

impl ReportReading {
    /// The most that are shown of those that do not count.
    pub const MOST_SHOWN: usize = 20;

    /// A register that can be read, if it counts.
    fn count(&mut self, register: Register, rules: &UsageRules, now: Instant) -> Result<Register, UseFault> {
        let Some(refusal) = refusal(rules, &register, now) else { return Ok(register) };
        let field = match refusal {
            RegisterRefusal::ChannelNotCovered { channel: Some(_), .. } => "channel",
            RegisterRefusal::Ahead(at) => {
                self.next = self.next.into_iter().chain(at.checked_sub_signed(AHEAD)).min();
                "at"
            }
            _ => "key",
        };
        let is_ahead = matches!(refusal, RegisterRefusal::Ahead(_));
        Err(UseFault { is_ahead, ..UseFault::of(field, refusal.to_string()) })
    }

    fn refuse(&mut self, refused: RefusedUse) {
        self.refused_in_all += 1;
        self.ahead += usize::from(refused.is_ahead);
        if self.refused.len() < Self::MOST_SHOWN {
            self.refused.push(refused);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ReportId, ReportReading, StatedReport};
    use crate::{
        api::{EntitlementUsage, usage::UsageSpec},
        core::{
            calendar::{Instant, format_instant, parse_instant, parse_zone},
            usage::{register::RegisterId, rules::UsageRules},
        },
    };
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn now() -> Instant {
        parse_instant("2027-03-10T12:00:00Z").unwrap()
    }

    fn rules(more: &Value) -> UsageRules {
        let mut spec = json!({"mode": "Consumed", "period": "P1M"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        UsageRules::read(&serde_json::from_value::<UsageSpec>(spec).unwrap()).unwrap()
    }

    fn stated(registers: &Value) -> StatedReport {
        let report: EntitlementUsage = serde_json::from_value(json!({
            "metadata": {"name": "march", "namespace": "entitlements", "generation": 2},
            "spec": {"organization": "acme", "definition": "support", "registers": registers},
        }))
        .unwrap();
        StatedReport::read(&report, now())
    }

    fn refused(reading: &ReportReading) -> Vec<(&str, &str)> {
        reading.refused.iter().map(|one| (&*one.key, one.message.as_str())).collect()
    }

    #[test]
    fn each_register_counts_for_its_key_of_that_object() {
        let report = stated(&json!([
            {"key": "CASE-1", "at": "2027-03-01", "channel": "phone", "amount": "0.25"},
            {"key": "CASE-2", "at": "2027-03-02T09:00:00+01:00", "amount": 0},
        ]));
        let reading = report.take(&rules(&json!({})), parse_zone("Europe/Berlin").ok(), now());
        assert_eq!((reading.total, reading.refused_in_all, reading.next), (2, 0, None));
        let counted = reading.registers.iter().map(|(id, register)| {
            let at = format_instant(register.at);
            (id.to_owned(), at, register.channel.as_deref().map(str::to_owned), register.amount.to_string())
        });
        let id = |key: &str| RegisterId { origin: "EntitlementUsage entitlements/march".into(), key: key.into() };
        assert_eq!(
            counted.collect::<Vec<_>>(),
            [
                (id("CASE-1"), "2027-02-28T23:00:00Z".to_owned(), Some("phone".to_owned()), "0.25".to_owned()),
                (id("CASE-2"), "2027-03-02T08:00:00Z".to_owned(), None, "0".to_owned()),
            ]
        );
        assert!(reading.registers.values().all(|register| register.as_of == now() && !register.deleted));
    }

    #[rstest]
    #[case::no_day(json!({"at": "2027-02-30"}), "at: \"2027-02-30\" is no date or time: there is no such day, time of day or offset; write a date such as 2027-01-31, or an RFC 3339 time of whole seconds with its offset, such as 2027-01-31T09:00:00Z")]
    #[case::unlimited(json!({"amount": "Unlimited"}), "amount \"Unlimited\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point")]
    #[case::negative(json!({"amount": -1}), "amount \"-1\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point")]
    #[case::sixteen_digits(json!({"amount": 1_000_000_000_000_000_i64}), "amount \"1000000000000000\" cannot be read: write a whole number of at most 15 digits, or a decimal in quotes such as \"2.5\" with at most 9 digits behind the point")]
    #[case::other_channel(json!({"channel": "fax"}), "channel \"fax\" is not covered: the definition has email, phone")]
    #[case::no_channel(json!({"channel": null}), "it names no channel: the definition has email, phone")]
    #[case::ahead(json!({"at": "2027-03-10T12:05:01Z"}), "it is dated 2027-03-10T12:05:01Z, which lies ahead: it counts from then on")]
    #[case::in_9999(json!({"at": "9999-12-31T23:59:59Z"}), "it is dated 9999-12-31T23:59:59Z, which lies ahead: it counts from then on")]
    #[case::hostile_key(json!({"key": "\u{7}"}), "a key has 1 to 128 printable ASCII characters: give it another")]
    #[case::long_key(json!({"key": "x".repeat(129)}), "a key has 1 to 128 printable ASCII characters: give it another")]
    #[case::twice(json!({"key": "b"}), "the key is there twice, and the first one counts: add up what they say, or give this one another key")]
    fn what_is_refused_keeps_nothing_else_from_counting(#[case] terms: Value, #[case] expected: &str) {
        let mut one = json!({"key": "a", "at": "2027-03-10T12:05:00Z", "channel": "phone", "amount": 1});
        one.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        let good = json!({"key": "b", "at": "1970-01-01T00:00:00Z", "channel": "email", "amount": "999999999999999.999999999"});
        let rules = rules(&json!({"channels": [{"name": "phone"}, {"name": "email"}], "otherChannels": "Refuse"}));
        let reading = stated(&json!([good, one])).take(&rules, None, now());
        assert_eq!(refused(&reading).iter().map(|(_, message)| *message).collect::<Vec<_>>(), [expected]);
        assert_eq!(reading.registers.keys().map(|id| &*id.key).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_lies_ahead_counts_from_five_minutes_before() {
        let report = stated(&json!([
            {"key": "a", "at": "2027-03-10T12:30:00Z", "amount": 1}, {"key": "b", "at": "2027-03-10T12:20:00Z", "amount": 1},
        ]));
        let reading = report.take(&rules(&json!({})), None, now());
        assert_eq!(reading.next.map(format_instant).as_deref(), Some("2027-03-10T12:15:00Z"));
        let then = report.take(&rules(&json!({})), None, reading.next.unwrap());
        assert_eq!(then.registers.keys().map(|id| &*id.key).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_day_needs_a_time_zone_and_a_time_none() {
        let report = stated(&json!([
            {"key": "a", "at": "2027-03-01", "amount": 1}, {"key": "b", "at": "2027-03-01T00:00:00Z", "amount": 1},
        ]));
        let reading = report.take(&rules(&json!({})), None, now());
        assert_eq!(
            refused(&reading),
            [(
                "a",
                "when the day begins cannot be told, as the organization's time zone is unknown: mend its spec.timeZone, or write a time"
            )]
        );
        assert_eq!(reading.registers.len(), 1);
    }

    #[test]
    fn more_than_an_object_may_have_is_not_kept() {
        let register = |number: usize| json!({"key": format!("k{number}"), "at": "2027-03-01T00:00:00Z", "amount": 1});
        let report = stated(&(0..503).map(register).collect());
        assert_eq!((report.registers.len(), report.surplus), (500, 3));
        let reading = report.take(&rules(&json!({})), None, now());
        assert_eq!((reading.total, reading.registers.len(), reading.refused_in_all), (503, 500, 3));
    }

    #[test]
    fn twenty_of_what_is_refused_are_shown() {
        let register = |number: usize| json!({"key": format!("k{number}"), "at": "no day", "amount": 1});
        let reading = stated(&(0..30).map(register).collect()).take(&rules(&json!({})), None, now());
        assert_eq!((reading.refused.len(), reading.refused_in_all, reading.registers.len()), (20, 30, 0));
    }

    #[test]
    fn it_is_named_by_namespace_and_name() {
        assert_eq!(ReportId::new("a", "b").to_string(), "a/b");
        assert_eq!(&*ReportId::new("a", "b").origin(), "EntitlementUsage a/b");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(key in "\\PC*", at in "\\PC{0,30}", amount in "\\PC{0,30}") {
            let report = stated(&json!([{"key": key, "at": at, "amount": amount}]));
            let reading = report.take(&rules(&json!({})), None, now());
            prop_assert_eq!(reading.registers.len() + reading.refused_in_all, 1);
        }
    }
}

//! What is remembered of one meter, as the text that a store keeps.
//!
//! ```json
//! {"anchors": [{"since": "2027-01-31T00:00:00Z", "local": "2027-01-31T00:00:00", "zone": "UTC", "day": 31, "period": "P1M"}],
//!  "held": [{"part": "instance entitlements/acme", "priority": 0, "start": "2027-01-31T00:00:00Z",
//!            "spans": [{"from": "2027-01-31T00:00:00Z", "until": "2027-03-01T00:00:00Z", "amount": "5"},
//!                      {"from": "2027-03-01T00:00:00Z"}]}],
//!  "said": [{"percent": 80, "allotted": "5", "period": "2027-01-31T00:00:00Z"}]}
//! ```
//! What has no end has no `end` and no `until`; a span without `amount` is a suspension.

use super::{
    anchor::PeriodAnchor,
    memory::Memory,
    part::{HeldPart, HeldSpan},
    state::{Crossing, SaidCrossing},
};
use crate::core::{
    amount::Amount,
    calendar::{Bound, CalendarDuration, Instant, Nominal, format_exact_instant, parse_exact_instant, parse_zone},
};
use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt::Display, str::FromStr, sync::Arc};

/// What is remembered of one meter, and what was said of its thresholds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageRecord {
    /// Anchors, and what was held when.
    pub memory: Memory,
    /// The crossings that were said.
    pub said: Vec<SaidCrossing>,
}

/// A text that is no such record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is remembered of a meter cannot be read: {0}; restore the store from a backup")]
pub struct UnreadableRecord(String);

impl UsageRecord {
    /// Reads what [`Self::text`] writes. Fields that are not known are ignored, and an absent list is empty.
    ///
    /// # Errors
    /// [`UnreadableRecord`], with what is wrong and where.
    pub fn read(text: &str) -> Result<Self, UnreadableRecord> {
        let document: MeterDocument =
            serde_json::from_str(text).map_err(|error| UnreadableRecord(error.to_string()))?;
        document.record().map_err(UnreadableRecord)
    }

    /// As JSON, on one line.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(&MeterDocument::of(self)).unwrap_or_default()
    }
}

#[derive(Serialize, Deserialize)]
struct MeterDocument {
    #[serde(default)]
    anchors: Vec<AnchorText>,
    #[serde(default)]
    held: Vec<PartText>,
    #[serde(default)]
    said: Vec<CrossingText>,
}

#[derive(Serialize, Deserialize)]
struct AnchorText {
    since: InstantText,
    local: NaiveDateTime,
    zone: Arc<str>,
    day: u32,
    period: Displayed<CalendarDuration>,
}

#[derive(Serialize, Deserialize)]
struct PartText {
    part: Arc<str>,
    priority: i32,
    start: InstantText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<InstantText>,
    spans: Vec<SpanText>,
}

#[derive(Serialize, Deserialize)]
struct SpanText {
    from: InstantText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<InstantText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<AmountText>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CrossingText {
    percent: u32,
    allotted: Displayed<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<InstantText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    below_since: Option<InstantText>,
}

/// What is written as it is displayed.
struct Displayed<T>(T);

impl<T: Display> Serialize for Displayed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Displayed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

struct InstantText(Instant);

impl Serialize for InstantText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_exact_instant(self.0))
    }
}

impl<'de> Deserialize<'de> for InstantText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_exact_instant(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// An amount of any number of digits: what several grants have together may have more than one of them may state.
struct AmountText(Amount);

impl Serialize for AmountText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AmountText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "Unlimited" {
            return Ok(Self(Amount::Unlimited));
        }
        let number: Decimal = text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no amount")))?;
        if number.is_sign_negative() && !number.is_zero() {
            return Err(D::Error::custom(format!("{text:?} is negative")));
        }
        Ok(Self(Amount::Limited(number)))
    }
}

impl MeterDocument {
    fn of(record: &UsageRecord) -> Self {
        Self {
            anchors: record.memory.anchors.iter().map(AnchorText::of).collect(),
            held: record.memory.held.iter().map(PartText::of).collect(),
            said: record.said.iter().map(CrossingText::of).collect(),
        }
    }

    fn record(self) -> Result<UsageRecord, String> {
        let anchors: Vec<PeriodAnchor> = self.anchors.into_iter().map(AnchorText::read).collect::<Result<_, _>>()?;
        if !anchors.is_sorted_by_key(|anchor| anchor.since) {
            return Err("its anchors are not in the order of time".to_owned());
        }
        let held = self.held.into_iter().map(PartText::read).collect::<Result<_, _>>()?;
        let said = self.said.into_iter().map(CrossingText::read).collect();
        Ok(UsageRecord { memory: Memory { anchors, held }, said })
    }
}

impl AnchorText {
    fn of(anchor: &PeriodAnchor) -> Self {
        Self {
            since: InstantText(anchor.since),
            local: anchor.start.local(),
            zone: anchor.start.zone().name().into(),
            day: anchor.day,
            period: Displayed(anchor.period),
        }
    }

    fn read(self) -> Result<PeriodAnchor, String> {
        let (InstantText(since), Displayed(period)) = (self.since, self.period);
        let zone = parse_zone(&self.zone).map_err(|error| error.to_string())?;
        if !(1..=31).contains(&self.day) {
            return Err(format!("{} is no day of a month", self.day));
        }
        if !period.has_date_part() || period.has_time_part() {
            return Err(format!("{period} is no period"));
        }
        // The second time that the clocks show a local time is known by the moment.
        let shown = Nominal::of_instant(since, zone);
        let start = if shown.local() == self.local { shown } else { Nominal::of_local(self.local, zone) };
        Ok(PeriodAnchor { since, start, day: self.day, period })
    }
}

impl PartText {
    fn of(part: &HeldPart) -> Self {
        Self {
            part: Arc::clone(&part.name),
            priority: part.priority,
            start: InstantText(part.start),
            end: written(part.end),
            spans: part.spans.iter().map(SpanText::of).collect(),
        }
    }

    fn read(self) -> Result<HeldPart, String> {
        let spans: Vec<HeldSpan> = self.spans.into_iter().map(SpanText::read).collect();
        let are_apart = spans.iter().zip(spans.iter().skip(1)).all(|(one, next)| one.until <= Bound::At(next.from));
        if !are_apart || spans.iter().any(|span| span.until.has_come(span.from)) {
            return Err(format!("the spans of {:?} are not in the order of time", self.part));
        }
        let (name, priority, start) = (self.part, self.priority, self.start.0);
        Ok(HeldPart { name, priority, start, end: read(self.end), spans })
    }
}

impl SpanText {
    fn of(span: &HeldSpan) -> Self {
        Self { from: InstantText(span.from), until: written(span.until), amount: span.amount.map(AmountText) }
    }

    fn read(self) -> HeldSpan {
        HeldSpan { from: self.from.0, until: read(self.until), amount: self.amount.map(|AmountText(amount)| amount) }
    }
}

impl CrossingText {
    fn of(said: &SaidCrossing) -> Self {
        Self {
            percent: said.crossing.percent,
            allotted: Displayed(said.crossing.allotted.normalize()),
            period: said.crossing.period.map(InstantText),
            below_since: said.below_since.map(InstantText),
        }
    }

    fn read(self) -> SaidCrossing {
        let period = self.period.map(|InstantText(at)| at);
        let crossing = Crossing { percent: self.percent, allotted: self.allotted.0, period };
        SaidCrossing { crossing, below_since: self.below_since.map(|InstantText(at)| at) }
    }
}

fn written(bound: Bound) -> Option<InstantText> {
    bound.at().map(InstantText)
}

fn read(text: Option<InstantText>) -> Bound {
    text.map_or(Bound::Never, |InstantText(at)| at.into())
}

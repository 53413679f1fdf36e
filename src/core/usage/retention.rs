//! From when registers are kept: longer than anybody looks back, and as long as they can count.

use super::{anchor::Periods, memory::Memory};
use crate::core::calendar::Instant;
use chrono::Months;

/// How many months after its use a register is kept in any case.
const MONTHS: Months = Months::new(13);

/// The first moment whose uses are kept still: 13 months ago, or the beginning of the period two before the open one, or without
/// periods the beginning of what is held, whatever is earliest.
#[must_use]
pub fn kept_since(memory: &Memory, now: Instant) -> Instant {
    let looked_back = now.checked_sub_months(MONTHS).unwrap_or(Instant::MIN_UTC);
    counting_since(memory, now).map_or(looked_back, |since| since.min(looked_back))
}

/// From when uses can count still.
fn counting_since(memory: &Memory, now: Instant) -> Option<Instant> {
    if memory.anchors.is_empty() {
        return memory.held.iter().map(|part| part.start).min();
    }
    let periods = Periods::of(&memory.anchors);
    let open = periods.at(now)?;
    let before = |period| periods.before(period).unwrap_or(period);
    Some(before(before(open)).from)
}

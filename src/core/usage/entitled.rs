//! When anything was in force of a definition: what was used at another time is kept, and counts once a grant comes to cover it.

use super::{
    memory::{Memory, PresentParts, parts},
    part::covered,
};
use crate::core::calendar::{Bound, Instant};

/// The spans of time in which something of a definition was in force, in order and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntitledTime(Vec<(Instant, Bound)>);

impl EntitledTime {
    /// What is remembered up to now, and what the present objects say of all other time.
    #[must_use]
    pub fn of(known: &Memory, present: &PresentParts, now: Instant) -> Self {
        let held = parts(&known.held, &present.parts, now);
        let spans = held.iter().flat_map(|part| &part.spans).filter(|span| span.amount.is_some());
        Self(covered(spans.map(|span| (span.from, span.until))))
    }

    /// Whether something was in force at a moment.
    #[must_use]
    pub fn has(&self, at: Instant) -> bool {
        self.until(at).is_some()
    }

    /// Until when something was in force from a moment on; none where nothing was at that moment.
    #[must_use]
    pub fn until(&self, at: Instant) -> Option<Bound> {
        self.run(at).map(|(_, until)| until)
    }

    /// From when to when something was in force without a break around a moment; none where nothing was at that moment.
    #[must_use]
    pub fn run(&self, at: Instant) -> Option<(Instant, Bound)> {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        let last = after.checked_sub(1).and_then(|index| self.0.get(index));
        last.copied().filter(|(_, until)| !until.has_come(at))
    }
}

#[cfg(test)]
mod tests {
    use super::EntitledTime;
    use crate::core::{
        amount::Amount,
        calendar::{Bound, Instant, parse_instant},
        usage::{
            memory::{Memory, PresentParts},
            part::{HeldPart, HeldSpan},
        },
    };
    use rstest::rstest;

    fn at(day: u32) -> Instant {
        parse_instant(&format!("2027-01-{day:02}T00:00:00Z")).unwrap()
    }

    fn part(name: &str, spans: &[(u32, u32, bool)]) -> HeldPart {
        let spans = spans.iter().map(|(from, until, is_in_force)| HeldSpan {
            from: at(*from),
            until: Bound::At(at(*until)),
            amount: is_in_force.then_some(Amount::ZERO),
        });
        let spans: Vec<HeldSpan> = spans.collect();
        HeldPart { name: name.into(), priority: 0, start: spans[0].from, end: spans[spans.len() - 1].until, spans }
    }

    #[rstest]
    #[case::nothing_held(&[], &[], &[])]
    #[case::the_present_objects_say_all(&[], &[part("a", &[(5, 10, true)])], &[5, 9])]
    #[case::what_was_suspended_is_remembered(
        &[part("a", &[(5, 10, true), (10, 12, false), (12, 15, true)])],
        &[part("a", &[(5, 31, true)])],
        &[5, 9, 12, 14, 15, 16, 30],
    )]
    #[case::what_is_gone_is_remembered(&[part("a", &[(5, 10, true)])], &[], &[5, 9])]
    #[case::of_several_parts_any(
        &[part("a", &[(5, 10, true)])],
        &[part("b", &[(10, 12, true)]), part("c", &[(14, 16, true)])],
        &[5, 9, 10, 11, 14, 15],
    )]
    fn it_has_the_moments_at_which_anything_was_in_force(
        #[case] known: &[HeldPart],
        #[case] present: &[HeldPart],
        #[case] expected: &[u32],
    ) {
        let known = Memory { held: known.to_vec(), ..Memory::default() };
        let present = PresentParts { parts: present.to_vec(), first: None };
        let time = EntitledTime::of(&known, &present, at(15));
        let asked = [4, 5, 9, 10, 11, 12, 14, 15, 16, 30, 31];
        let had: Vec<u32> = asked.into_iter().filter(|day| time.has(at(*day))).collect();
        let expected: Vec<u32> = asked.into_iter().filter(|day| expected.contains(day)).collect();
        assert_eq!(had, expected);
    }
}

//! What is given of one definition from moment to moment.

use super::{parts::GrantPart, window::Window};
use crate::{
    api::entitlement_definition::Aggregation,
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
    },
};
use std::sync::Arc;

/// A removal of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The entry's name.
    pub name: Arc<str>,
    /// When.
    pub window: Window,
}

/// A span of time in which the same is given of one definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When.
    pub window: Window,
    /// The parts that are left (by index), in their order; none where all are removed.
    pub parts: Vec<usize>,
    /// The removal (by index) that keeps parts away.
    pub removed_by: Option<usize>,
}

impl Piece {
    /// Whether anything is given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The amounts of its parts together: `Unlimited` if one is. None where no part has one.
    #[must_use]
    pub fn amount(&self, parts: &[GrantPart]) -> Option<Amount> {
        let amounts = self.parts.iter().filter_map(|index| parts.get(*index)?.amount);
        amounts.reduce(|one, other| one.together(other, Aggregation::Sum))
    }
}

/// What is given of one definition, in order and apart: nothing is said of time in which there is no part of it. `parts` stand in
/// the order plan, add-ons, additions.
#[must_use]
pub fn pieces(parts: &[GrantPart], removals: &[Removed]) -> Vec<Piece> {
    let windows = parts.iter().map(|part| part.window).chain(removals.iter().map(|removal| removal.window));
    let mut moments: Vec<Instant> =
        windows.flat_map(|window| [Some(window.from), window.until.at()]).flatten().collect();
    moments.sort_unstable();
    moments.dedup();
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, from) in moments.iter().enumerate() {
        let until = moments.get(index + 1).map_or(Bound::Never, |next| Bound::At(*next));
        let Some(piece) = piece(parts, removals, Window { from: *from, until }) else { continue };
        match pieces.last_mut() {
            Some(last) if continues(last, &piece) => last.window.until = piece.window.until,
            _ => pieces.push(piece),
        }
    }
    pieces
}

/// What is given in a window in which nothing changes.
fn piece(parts: &[GrantPart], removals: &[Removed], window: Window) -> Option<Piece> {
    let present = || parts.iter().enumerate().filter(|(_, part)| part.window.has(window.from));
    present().next()?;
    let removal = removals.iter().position(|removal| removal.window.has(window.from));
    let removed_by = removal.filter(|_| present().any(|(_, part)| part.is_removable()));
    let left = present().filter(|(_, part)| removed_by.is_none() || !part.is_removable());
    Some(Piece { window, parts: left.map(|(index, _)| index).collect(), removed_by })
}

fn continues(before: &Piece, after: &Piece) -> bool {
    before.window.until == Bound::At(after.window.from)
        && before.parts == after.parts
        && before.removed_by == after.removed_by
}

#[cfg(test)]
mod tests {
    use super::{super::parts::PartOrigin, *};
    use crate::core::source::subscription::Beginning;
    use proptest::prelude::*;

    fn at(second: u32) -> Instant {
        Instant::from_timestamp(i64::from(second), 0).unwrap()
    }

    fn window((from, until): (u32, Option<u32>)) -> Window {
        Window { from: at(from), until: until.map_or(Bound::Never, |until| Bound::At(at(until))) }
    }

    fn part(is_added: bool, span: (u32, Option<u32>)) -> GrantPart {
        let name: Arc<str> = "a".into();
        let origin =
            if is_added { PartOrigin::Add { name } } else { PartOrigin::Plan { plan: Arc::clone(&name), group: name } };
        GrantPart {
            origin,
            amount: Some(Amount::Limited(1.into())),
            channels: None,
            facets: Arc::default(),
            window: window(span),
            beginning: Beginning::Stated,
        }
    }

    fn removed(span: (u32, Option<u32>)) -> Removed {
        Removed { name: "r".into(), window: window(span) }
    }

    fn told(pieces: &[Piece]) -> Vec<String> {
        let second = |at: Instant| at.timestamp();
        let until = |until: Bound| until.at().map_or("never".to_owned(), |at| second(at).to_string());
        let one = |piece: &Piece| {
            let removed = piece.removed_by.map(|index| format!(" without {index}")).unwrap_or_default();
            format!("{}..{} {:?}{removed}", second(piece.window.from), until(piece.window.until), piece.parts)
        };
        pieces.iter().map(one).collect()
    }

    #[test]
    fn each_change_begins_a_piece() {
        let parts = [part(false, (0, Some(100))), part(false, (10, Some(20))), part(true, (15, None))];
        assert_eq!(
            told(&pieces(&parts, &[removed((18, Some(30)))])),
            [
                "0..10 [0]",
                "10..15 [0, 1]",
                "15..18 [0, 1, 2]",
                "18..30 [2] without 0",
                "30..100 [0, 2]",
                "100..never [2]"
            ]
        );
        assert_eq!(told(&pieces(&parts[..1], &[removed((0, None))])), ["0..100 [] without 0"]);
        assert_eq!(told(&pieces(&parts[2..], &[removed((0, None))])), ["15..never [0]"]);
        assert_eq!(told(&pieces(&[], &[removed((0, None))])), [""; 0]);
    }

    #[test]
    fn what_stays_the_same_is_one_piece() {
        let parts = [part(false, (0, Some(10))), part(false, (20, Some(30)))];
        assert_eq!(told(&pieces(&parts, &[])), ["0..10 [0]", "20..30 [1]"]);
        assert_eq!(told(&pieces(&parts[..1], &[removed((40, None)), removed((2, Some(2)))])), ["0..10 [0]"]);
    }

    prop_compose! {
        fn spans(most: usize)(spans in prop::collection::vec((0u32..12, prop::option::of(0u32..14)), 0..most)) -> Vec<(u32, Option<u32>)> {
            spans
        }
    }

    proptest! {
        /// At each moment by itself: the parts that are there, without those that a removal takes.
        #[test]
        fn a_piece_says_what_is_given_at_each_of_its_moments(
            given in spans(4), added in spans(3), removals in spans(3),
        ) {
            let parts: Vec<GrantPart> = given.into_iter().map(|span| part(false, span)).chain(added.into_iter().map(|span| part(true, span))).collect();
            let removals: Vec<Removed> = removals.into_iter().map(removed).collect();
            let pieces = pieces(&parts, &removals);
            for second in 0..16 {
                let now = at(second);
                let is_removed = removals.iter().any(|removal| removal.window.has(now));
                let expected: Vec<usize> = (0..parts.len())
                    .filter(|index| parts[*index].window.has(now) && !(is_removed && parts[*index].is_removable()))
                    .collect();
                let found: Vec<&Piece> = pieces.iter().filter(|piece| piece.window.has(now)).collect();
                prop_assert!(found.len() <= 1);
                prop_assert_eq!(found.first().map(|piece| piece.parts.clone()).unwrap_or_default(), expected);
            }
        }
    }
}

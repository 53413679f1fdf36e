//! What outputs could not do within their limits, remembered.
//!
//! An organization is evaluated as a whole, and often. A grant whose template goes to its limits costs as much as thousands
//! that do not, and fails in the same way each time: the same inputs give the same bytes or the same error. So the error is
//! kept with the inputs' hash. From the second time on, such a grant costs no more than any other. The error still counts as
//! the work that it was, so what is left for others is the same each time.

use super::{
    digest::Digest,
    output::OutputError,
    template::FUEL,
    work::{Work, WorkDone},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How many errors are remembered for one output before all are forgotten.
const MAX_REMEMBERED: usize = 20_000;

/// A failure that was more work than this is remembered.
const COSTLY: u64 = FUEL / 10;

/// What is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FilledPart {
    Name,
    Items,
}

/// The errors of one output.
#[derive(Clone, Default)]
pub(super) struct Exhaustion(Arc<Mutex<HashMap<(FilledPart, Digest), KnownFailure>>>);

#[derive(Clone)]
struct KnownFailure {
    errors: Vec<OutputError>,
    done: WorkDone,
}

impl Exhaustion {
    /// What `fill` gives, unless it is known to fail for these inputs.
    pub(super) fn guard<T>(
        &self,
        part: FilledPart,
        digest: impl Fn() -> Digest,
        work: &mut Work,
        fill: impl FnOnce(&mut Work) -> Result<T, Vec<OutputError>>,
    ) -> Result<T, Vec<OutputError>> {
        if self.failures(|failures| !failures.is_empty())
            && let Some(known) = self.failures(|failures| failures.get(&(part, digest())).cloned())
        {
            work.recall(known.done);
            return Err(known.errors);
        }
        let before = *work;
        fill(work).inspect_err(|errors| {
            let done = work.since(&before);
            if done.total() > COSTLY && work.may_go_on_at_all() {
                self.failures(|failures| {
                    if failures.len() >= MAX_REMEMBERED {
                        failures.clear();
                    }
                    failures.insert((part, digest()), KnownFailure { errors: errors.clone(), done });
                });
            }
        })
    }

    fn failures<R>(&self, access: impl FnOnce(&mut HashMap<(FilledPart, Digest), KnownFailure>) -> R) -> R {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Exhaustion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exhaustion").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{COSTLY, Digest, Exhaustion, FilledPart, MAX_REMEMBERED, OutputError};
    use crate::render::work::{Share, Work};

    fn failed(key: &str) -> Vec<OutputError> {
        vec![OutputError::KeyTaken { output: "config".to_owned(), key: key.to_owned() }]
    }

    fn never(_: &mut Work) -> Result<(), Vec<OutputError>> {
        panic!("it is known")
    }

    fn fail(steps: u64) -> impl FnOnce(&mut Work) -> Result<(), Vec<OutputError>> {
        move |work| {
            work.add(Share::Plain, steps);
            Err(failed("a"))
        }
    }

    #[test]
    fn what_went_to_the_limits_is_not_tried_again() {
        let exhaustion = Exhaustion::default();
        let mut work = Work::alone();
        let a = || Digest::of(&"a");
        assert_eq!(exhaustion.guard(FilledPart::Items, a, &mut work, fail(COSTLY + 1)), Err(failed("a")));
        assert_eq!(exhaustion.guard(FilledPart::Items, a, &mut work, never), Err(failed("a")));
        assert_eq!(exhaustion.clone().guard(FilledPart::Items, a, &mut work, never), Err(failed("a")));
        // It counts, but was no work.
        assert_eq!((work.done(Share::Plain), work.spent(Share::Plain)), (3 * (COSTLY + 1), COSTLY + 1));
        assert_eq!(exhaustion.guard(FilledPart::Name, a, &mut work, |_| Ok(3)), Ok(3));
        assert_eq!(exhaustion.guard(FilledPart::Items, || Digest::of(&"b"), &mut work, |_| Ok(4)), Ok(4));
    }

    #[test]
    fn what_costs_little_is_tried_again() {
        let exhaustion = Exhaustion::default();
        let mut work = Work::alone();
        let a = || Digest::of(&"a");
        assert_eq!(exhaustion.guard(FilledPart::Items, a, &mut work, fail(COSTLY)), Err(failed("a")));
        assert_eq!(exhaustion.guard(FilledPart::Items, a, &mut work, |_| Ok(1)), Ok(1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let exhaustion = Exhaustion::default();
        for input in 0..=MAX_REMEMBERED {
            let _ = exhaustion.guard(FilledPart::Items, || Digest::of(&input), &mut Work::alone(), fail(COSTLY + 1));
        }
        assert_eq!(exhaustion.failures(|failures| failures.len()), 1);
    }
}

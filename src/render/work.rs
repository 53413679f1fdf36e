//! How much work it may be to fill outputs. Work is counted in the steps of templates and not in time, so that the same inputs
//! always come to the same end.
//!
//! Work that reads secret fields is counted apart. Otherwise what is left for the rest would tell of their values.

use super::template::FUEL;
use serde_json::{Map, Value};

/// What all outputs of a definition may be for one grant, or for all grants together; and as much for those parts that read
/// secret fields.
pub const MAX_OF_GRANT: u64 = 8 * FUEL;

/// What all grants of one organization may be in one evaluation; and as much for what reads secret fields.
pub const MAX_OF_EVALUATION: u64 = 160 * FUEL;

/// Bytes of text that count as one step.
const BYTES_PER_STEP: u64 = 64;

/// Which work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The share of parts that read no secret field.
    Plain,
    /// The share of parts that read one.
    Secret,
}

/// What was done in each share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkDone {
    plain: u64,
    secret: u64,
}

impl WorkDone {
    /// Both shares together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.plain.saturating_add(self.secret)
    }

    fn of(self, share: Share) -> u64 {
        match share {
            Share::Plain => self.plain,
            Share::Secret => self.secret,
        }
    }

    fn add(&mut self, other: Self) {
        self.plain = self.plain.saturating_add(other.plain);
        self.secret = self.secret.saturating_add(other.secret);
    }
}

/// The work of one evaluation.
#[derive(Clone, Debug)]
pub struct Budget {
    most: u64,
    spent: WorkDone,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(MAX_OF_EVALUATION)
    }
}

impl Budget {
    /// At most so many steps in each share.
    #[must_use]
    pub fn of(most: u64) -> Self {
        Self { most, spent: WorkDone::default() }
    }

    /// The work of one more grant; nothing where there has been too much already.
    #[must_use]
    pub fn begin(&self) -> Option<Work> {
        let is_left = self.spent.plain < self.most;
        is_left.then(|| Work { has_secret: !self.lacks_secret(), ..Work::alone() })
    }

    /// Whether the parts that read secret fields have been too much already.
    #[must_use]
    pub fn lacks_secret(&self) -> bool {
        self.spent.secret >= self.most
    }

    /// Counts what a grant has come to.
    pub fn end(&mut self, work: Work) {
        self.spent.add(work.spent);
    }
}

/// The work of one grant.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    most: u64,
    has_secret: bool,
    /// What counts.
    done: WorkDone,
    /// What had to be done for it.
    spent: WorkDone,
}

impl Work {
    /// Work that has not begun.
    #[must_use]
    pub fn alone() -> Self {
        Self { most: MAX_OF_GRANT, has_secret: true, done: WorkDone::default(), spent: WorkDone::default() }
    }

    /// The budget for trying one of that many outputs.
    #[must_use]
    pub fn of_trial(outputs: usize) -> Self {
        Self { most: (MAX_OF_GRANT / outputs.max(1) as u64).max(FUEL), ..Self::alone() }
    }

    /// Whether there may be more of it.
    #[must_use]
    pub fn may_go_on(&self, share: Share) -> bool {
        self.done.of(share) < self.most && (share == Share::Plain || self.has_secret)
    }

    /// Whether no end was reached that another evaluation might not reach.
    pub(super) fn may_go_on_at_all(&self) -> bool {
        self.may_go_on(Share::Plain) && self.may_go_on(Share::Secret)
    }

    /// What counts.
    #[must_use]
    pub fn done(&self, share: Share) -> u64 {
        self.done.of(share)
    }

    /// What had to be done for it.
    #[must_use]
    pub fn spent(&self, share: Share) -> u64 {
        self.spent.of(share)
    }

    /// Counts steps.
    pub fn add(&mut self, share: Share, steps: u64) {
        let done = match share {
            Share::Plain => WorkDone { plain: steps, secret: 0 },
            Share::Secret => WorkDone { plain: 0, secret: steps },
        };
        self.done.add(done);
        self.spent.add(done);
    }

    /// Counts what was done before and need not be done again.
    pub(super) fn recall(&mut self, done: WorkDone) {
        self.done.add(done);
    }

    /// What has been done since.
    pub(super) fn since(&self, before: &Self) -> WorkDone {
        WorkDone {
            plain: self.done.plain.saturating_sub(before.done.plain),
            secret: self.done.secret.saturating_sub(before.done.secret),
        }
    }
}

/// The steps that writing a text of so many bytes counts for.
pub(super) fn of_bytes(bytes: usize) -> u64 {
    bytes as u64 / BYTES_PER_STEP
}

/// The steps that handing facets on, and writing them, counts for.
pub(super) fn of_facets<'a>(facets: impl Iterator<Item = &'a Map<String, Value>>) -> u64 {
    facets.map(of_entries).sum()
}

fn of_entries(entries: &Map<String, Value>) -> u64 {
    entries.iter().map(|(name, value)| of_bytes(name.len()) + of_value(value)).sum()
}

fn of_value(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(of_value).sum(),
        Value::Object(entries) => of_entries(entries),
        Value::String(text) => of_bytes(text.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, MAX_OF_EVALUATION, MAX_OF_GRANT, Share, Work, of_facets};
    use serde_json::json;

    #[test]
    fn shares_do_not_take_from_each_other() {
        let mut work = Work::alone();
        work.add(Share::Secret, MAX_OF_GRANT);
        assert!(work.may_go_on(Share::Plain) && !work.may_go_on(Share::Secret));
        work.add(Share::Plain, MAX_OF_GRANT - 1);
        assert!(work.may_go_on(Share::Plain));
        work.add(Share::Plain, 1);
        assert!(!work.may_go_on(Share::Plain));
    }

    #[test]
    fn an_evaluation_ends_where_its_budget_does() {
        let mut budget = Budget::default();
        let mut grants = 0;
        while let Some(mut work) = budget.begin() {
            work.add(Share::Plain, MAX_OF_GRANT);
            budget.end(work);
            grants += 1;
        }
        assert_eq!(grants, MAX_OF_EVALUATION / MAX_OF_GRANT);
        let mut budget = Budget::default();
        let mut work = Work::alone();
        work.add(Share::Secret, MAX_OF_EVALUATION);
        budget.end(work);
        assert!(budget.lacks_secret());
        let next = budget.begin().unwrap();
        assert!(next.may_go_on(Share::Plain) && !next.may_go_on(Share::Secret));
    }

    #[test]
    fn facets_are_as_much_as_they_hold() {
        let facets = [json!({"a": [1, {"b": "x".repeat(640)}, null], "c".repeat(64): true})];
        assert_eq!(of_facets(facets.iter().filter_map(|fields| fields.as_object())), 1 + 1 + (1 + 1 + 10) + 1 + 2);
    }
}

//! What the statuses of the catalogue say of its grants: whether these state what is valid.

use crate::{api::conditions::FACETS_VALID, core::source::SourceId, evaluation::conditions::Conditions};

/// Grants that are held and state facets that are not valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidGrants {
    /// How many there are.
    pub count: u64,
    /// The first of them, as many as a message names.
    named: Vec<SourceId>,
}

impl InvalidGrants {
    /// Grants that a message names.
    pub const MAX_NAMED: usize = 3;

    /// That many grants, the first of which are these.
    pub fn counted<'a>(count: u64, sources: impl Iterator<Item = &'a SourceId>) -> Self {
        Self { count, named: sources.take(Self::MAX_NAMED).cloned().collect() }
    }

    /// One more; those that come first are named.
    pub fn add(&mut self, source: &SourceId) {
        self.add_all(1, std::iter::once(source));
    }

    /// That many more, the first of which are these.
    pub fn add_all<'a>(&mut self, count: u64, sources: impl Iterator<Item = &'a SourceId>) {
        self.count += count;
        let room = Self::MAX_NAMED.saturating_sub(self.named.len());
        self.named.extend(sources.take(room).cloned());
    }

    fn names(&self) -> String {
        let mut names: Vec<String> = self.named.iter().map(ToString::to_string).collect();
        if self.count > self.named.len() as u64 {
            names.push("…".to_owned());
        }
        names.join(", ")
    }
}

/// What is known of the grants that the catalogue's objects serve.
#[derive(Clone, Copy, Debug)]
pub enum KnownGrants<'a> {
    /// All of them.
    Counted(&'a InvalidGrants),
    /// Many are changing: what was said of them before stays for the moment.
    Unsettled,
}

pub(super) fn facets_valid(conditions: &mut Conditions, grants: KnownGrants) {
    match grants {
        KnownGrants::Unsettled => conditions.keep(FACETS_VALID),
        KnownGrants::Counted(invalid) if invalid.count == 0 => {
            conditions.set(FACETS_VALID, true, "Valid", "what the grants that are held state can be used");
        }
        KnownGrants::Counted(invalid) => {
            let states = if invalid.count == 1 { "grant that is held states" } else { "grants that are held state" };
            let message = format!(
                "{} {states} what is not valid ({}); nothing is taken away, what was valid goes on: mend what is wrong, which stands in status.violations of each, or the schema",
                invalid.count,
                invalid.names()
            );
            conditions.set(FACETS_VALID, false, "GrantsInvalid", message);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{InvalidGrants, KnownGrants};
    use crate::{
        api::{Condition, ConditionStatus},
        core::calendar::{Instant, parse_instant},
    };

    pub fn now() -> Instant {
        parse_instant("2026-07-01T00:00:00Z").unwrap()
    }

    pub fn all_valid() -> KnownGrants<'static> {
        static NONE: InvalidGrants = InvalidGrants { count: 0, named: Vec::new() };
        KnownGrants::Counted(&NONE)
    }

    pub fn ready(status: ConditionStatus, reason: &str, message: &str, since: &str) -> Condition {
        Condition {
            type_: "Ready".to_owned(),
            status,
            observed_generation: Some(3),
            last_transition_time: since.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }
}

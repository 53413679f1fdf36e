//! Whether what protects approvals is there, and since when.
//!
//! Who asked for an exception, and who decided on it, is what the objects say of themselves. That they say the truth is up to the
//! API server, which refuses all others by ValidatingAdmissionPolicies. Where these are not as they have to be, nothing that is said
//! can be believed.

use crate::core::calendar::Instant;
use chrono::TimeDelta;

/// How long the API server may take to enforce a policy, at all its replicas, once it is stored.
const ENFORCED_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Whether what protects approvals is there, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It is not. A sentence says what is missing or differs, and what to do.
    Lacking(String),
    /// The last of it was made or changed then.
    Since(Instant),
}

impl Default for Protection {
    /// It has been there ever since.
    fn default() -> Self {
        Self::Since(Instant::MIN_UTC)
    }
}

impl Protection {
    /// The same, where some of it was known to be made or changed then: whoever may change it may also write back when that was.
    #[must_use]
    pub fn known_since(self, seen: Instant) -> Self {
        match self {
            Self::Since(since) => Self::Since(since.max(seen)),
            Self::Lacking(why) => Self::Lacking(why),
        }
    }

    /// Whether the API server surely checked who made what was made at that time.
    #[must_use]
    pub fn covers(&self, made: Instant) -> bool {
        match self {
            Self::Lacking(_) => false,
            Self::Since(since) => made.signed_duration_since(since) >= ENFORCED_AFTER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Protection;
    use crate::core::calendar::parse_instant;
    use rstest::rstest;

    #[rstest]
    #[case::before("2027-01-31T08:00:00Z", false)]
    #[case::with_it("2027-01-31T09:00:00Z", false)]
    #[case::a_second_too_early("2027-01-31T09:00:59Z", false)]
    #[case::a_minute_later("2027-01-31T09:01:00Z", true)]
    #[case::long_after("2028-01-31T09:00:00Z", true)]
    fn what_is_made_within_a_minute_is_not_covered(#[case] made: &str, #[case] is_covered: bool) {
        let made = parse_instant(made).unwrap();
        let since = Protection::Since(parse_instant("2027-01-31T09:00:00Z").unwrap());
        assert_eq!(since.covers(made), is_covered);
        assert!(Protection::default().covers(made));
        assert!(!Protection::Lacking("a policy is missing".to_owned()).covers(made));
    }

    #[test]
    fn what_is_known_is_not_written_back() {
        let [earlier, later] =
            ["2027-01-31T09:00:00Z", "2027-01-31T10:00:00Z"].map(|text| parse_instant(text).unwrap());
        assert_eq!(Protection::Since(earlier).known_since(later), Protection::Since(later));
        assert_eq!(Protection::Since(later).known_since(earlier), Protection::Since(later));
        let lacking = Protection::Lacking("a policy is missing".to_owned());
        assert_eq!(lacking.clone().known_since(later), lacking);
    }

    #[test]
    fn it_has_been_there_ever_since_where_nothing_is_said() {
        assert!(Protection::default().covers(parse_instant("0000-01-01T00:00:00Z").unwrap()));
    }
}

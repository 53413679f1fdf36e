//! The arguments by which replicas choose who works.

use clap::Args;
use std::{
    env, fmt, fs,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    time::Duration,
};

/// The name of the pod, where its manifest tells.
const POD_NAME: &str = "POD_NAME";
/// What this machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// Longer ones would not fit into a line of `kubectl get lease`.
const MOST_CHARACTERS: usize = 128;

/// The arguments by which replicas choose who works.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown, reason = "this is help, where backticks would be shown")]
#[command(next_help_heading = "Replicas (one works, the others stand by)")]
pub struct LeadershipArguments {
    /// How long a replica that is not heard of any more keeps the others from taking over: 1s to 60s
    #[arg(
        long,
        value_name = "DURATION",
        env = "ENTITLEMENT_OPERATOR_LEASE_DURATION",
        hide_env_values = true,
        default_value_t = LeaseDuration::DEFAULT
    )]
    lease_duration: LeaseDuration,
    /// What this replica is called in the Lease, where a random part is added to it [default: POD_NAME, else the host's name]
    #[allow(clippy::doc_markdown, reason = "it is shown as help, too")]
    #[arg(long, value_name = "NAME", env = "ENTITLEMENT_OPERATOR_IDENTITY", hide_env_values = true)]
    identity: Option<ReplicaName>,
}

impl LeadershipArguments {
    /// How long the lease lasts.
    #[must_use]
    pub fn lease_duration(&self) -> Duration {
        self.lease_duration.0
    }

    /// What no other process is called: two that were given the same name are two nevertheless.
    #[must_use]
    pub fn identity(&self) -> String {
        let named = self.identity.as_ref().map(|name| name.0.clone());
        let pod = || env::var(POD_NAME).ok()?.parse().ok();
        let host = || fs::read_to_string(HOST_NAME).ok()?.trim().parse().ok();
        let name = named.or_else(|| pod().or_else(host).map(|name: ReplicaName| name.0));
        let random = RandomState::new().hash_one(std::process::id()) >> 32;
        format!("{}_{random:08x}", name.as_deref().unwrap_or("entitlement-operator"))
    }
}

/// How long a lease lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LeaseDuration(Duration);

impl LeaseDuration {
    /// As other controllers have it.
    const DEFAULT: Self = Self(Duration::from_secs(15));
    /// In seconds. Not longer, so that who is cut off stops before the operator of another namespace takes it for gone.
    const ALLOWED: std::ops::RangeInclusive<u64> = 1..=60;
}

/// What was given is no duration of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lease lasts from 1s to 60s, in whole seconds, such as 15s")]
struct InvalidLeaseDuration;

impl FromStr for LeaseDuration {
    type Err = InvalidLeaseDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, unit) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 60),
            (None, None) => return Err(InvalidLeaseDuration),
        };
        let number: u64 = number.parse().map_err(|_| InvalidLeaseDuration)?;
        let seconds = number.checked_mul(unit).filter(|seconds| Self::ALLOWED.contains(seconds));
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or(InvalidLeaseDuration)
    }
}

impl fmt::Display for LeaseDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}s", self.0.as_secs())
    }
}

/// What a replica may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReplicaName(String);

/// What was given cannot be the name of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replica's name has 1 to 128 characters: letters, digits, and any of - _ . : /")]
struct InvalidReplicaName;

impl FromStr for ReplicaName {
    type Err = InvalidReplicaName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_.:/".contains(character);
        let is_valid = (1..=MOST_CHARACTERS).contains(&text.len()) && text.chars().all(is_allowed);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidReplicaName) }
    }
}

#[cfg(test)]
mod tests {
    use super::LeadershipArguments;
    use clap::Parser;
    use rstest::rstest;
    use std::time::Duration;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        leadership: LeadershipArguments,
    }

    fn read(arguments: &[&str]) -> Result<LeadershipArguments, String> {
        let arguments = ["run"].into_iter().chain(arguments.iter().copied());
        Arguments::try_parse_from(arguments).map(|read| read.leadership).map_err(|error| error.to_string())
    }

    #[test]
    fn a_lease_lasts_fifteen_seconds_or_what_is_said() {
        let lasts = |arguments: &[&str]| read(arguments).unwrap().lease_duration().as_secs();
        assert_eq!([lasts(&[]), lasts(&["--lease-duration=1s"]), lasts(&["--lease-duration=1m"])], [15, 1, 60]);
        assert_eq!(Duration::from_mins(1), read(&["--lease-duration=60s"]).unwrap().lease_duration());
    }

    #[rstest]
    #[case("0s")]
    #[case("61s")]
    #[case("2m")]
    #[case("15")]
    #[case("-1s")]
    #[case("1.5s")]
    #[case("")]
    #[case("18446744073709551615m")]
    fn another_duration_is_refused_with_a_sentence(#[case] given: &str) {
        let refusal = read(&["--lease-duration", given]).unwrap_err();
        // clap takes what begins with a hyphen for a flag.
        let is_told = refusal.contains("a lease lasts from 1s to 60s, in whole seconds, such as 15s");
        assert!(is_told || given.starts_with('-'), "{refusal}");
    }

    #[test]
    fn no_two_processes_have_one_name() {
        let name = |arguments: &[&str]| read(arguments).unwrap().identity();
        let (one, other) = (name(&["--identity=one"]), name(&["--identity=one"]));
        assert!(one.starts_with("one_") && one.len() == 12, "{one}");
        assert_ne!(one, other);
        assert!(name(&[]).len() > 9);
    }

    #[rstest]
    #[case("")]
    #[case("a b")]
    #[case("a\nFAKE LOG LINE")]
    #[case(&"x".repeat(129))]
    fn a_name_that_would_spoil_a_line_is_refused(#[case] given: &str) {
        let refusal = read(&[&format!("--identity={given}")]).unwrap_err();
        assert!(refusal.contains("a replica's name has 1 to 128 characters"), "{refusal}");
    }
}

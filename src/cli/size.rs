//! Sizes as the command line takes them, in the way of Kubernetes' own quantities.

use crate::evaluation::Limits;
use std::{fmt, str::FromStr};

/// The units, from the smallest on.
const UNITS: [(&str, u64); 4] = [("", 1), ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(u64);

impl ByteSize {
    /// What the objects of an organization may come to, unless something else is said.
    pub const ORGANIZATION: Self = Self(Limits::DEFAULT.organization_bytes);

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// What was given is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a whole number of bytes, or of Ki, Mi or Gi of them, such as 33554432 or 32Mi")]
pub struct InvalidSize;

impl FromStr for ByteSize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(InvalidSize)?;
        let number: u64 = number.parse().map_err(|_| InvalidSize)?;
        number.checked_mul(factor).map(Self).ok_or(InvalidSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS.into_iter().rev().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = fitting.unwrap_or(("", 1));
        write!(formatter, "{}{unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, InvalidSize};
    use rstest::rstest;

    #[rstest]
    #[case::bytes("33554432", 33_554_432, "32Mi")]
    #[case::kibibytes("20Ki", 20_480, "20Ki")]
    #[case::mebibytes("1Mi", 1_048_576, "1Mi")]
    #[case::gibibytes("2Gi", 2_147_483_648, "2Gi")]
    #[case::odd("1000", 1000, "1000")]
    #[case::none("0", 0, "0")]
    fn sizes_are_read_and_shown(#[case] text: &str, #[case] bytes: u64, #[case] shown: &str) {
        let size: ByteSize = text.parse().unwrap();
        assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown));
        assert_eq!(ByteSize::ORGANIZATION.to_string(), "32Mi");
    }

    #[rstest]
    fn what_is_no_size_is_refused(
        #[values("", "Mi", "-1", "1.5Mi", "1M", "1 Mi", "1mi", "18446744073709551616", "17179869184Gi")] text: &str,
    ) {
        assert_eq!(text.parse::<ByteSize>(), Err(InvalidSize));
    }
}

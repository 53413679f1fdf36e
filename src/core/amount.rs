//! Amounts: exact decimals, or unlimited.

use super::excerpt::first_characters;
use crate::api::{AmountField, entitlement_definition::Aggregation};
use rust_decimal::Decimal;
use std::{fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// How much is granted. `Unlimited` is greater than every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    /// A number of units, not negative.
    Limited(Decimal),
    /// As much as is wanted.
    Unlimited,
}

/// Why an amount cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "amount {0:?} cannot be read: write a whole number of at most 15 digits, a decimal in quotes such as \"2.5\" with at most 9 digits behind the point, or Unlimited"
)]
pub struct InvalidAmount(String);

/// What a definition says of the amount of the grants that state none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allotment {
    /// Nothing: it is a Feature.
    None,
    /// A grant keeps what was given when it was accepted; now it is this.
    Agreed(Amount),
    /// All have this.
    Everyone(Amount),
}

impl Allotment {
    /// What a grant has that states no amount, and for which `agreed` was recorded when it was accepted. Where nothing was
    /// recorded, as it was accepted before that was done, what is given now is agreed from now on.
    #[must_use]
    pub fn of(self, agreed: Option<Amount>) -> Option<Amount> {
        match self {
            Self::None => None,
            Self::Agreed(amount) => agreed.or(Some(amount)),
            Self::Everyone(amount) => Some(amount),
        }
    }
}

impl ToSchema for Amount {}

impl PartialSchema for Amount {
    /// As it is written: a text.
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(WRITTEN));
        text.description(Some("Plain decimal digits without trailing zeros behind the point, or `Unlimited`.")).into()
    }
}

/// What an amount is written as.
const WRITTEN: &str = r"^(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$|^Unlimited$";
const WHOLE_DIGITS: usize = 15;
/// No JSON number that is meant as an amount has more characters, zeros and exponent included.
const LONGEST_NUMBER: usize = 256;
const FRACTION_DIGITS: usize = 9;
const SHOWN: usize = 40;

impl Amount {
    /// Nothing at all.
    pub const ZERO: Self = Self::Limited(Decimal::ZERO);

    /// Reads an amount as `[0-9]{1,15}(\.[0-9]{1,9})?`, a whole number, or `Unlimited`.
    ///
    /// # Errors
    /// [`InvalidAmount`] for anything else: signs, exponents, more digits.
    pub fn read(field: &AmountField) -> Result<Self, InvalidAmount> {
        match field {
            AmountField::Whole(number) => Self::parse(&number.to_string()),
            AmountField::Text(text) => Self::parse(text),
        }
    }

    /// The same of a text.
    ///
    /// # Errors
    /// [`InvalidAmount`]
    pub fn parse(text: &str) -> Result<Self, InvalidAmount> {
        if text == "Unlimited" {
            return Ok(Self::Unlimited);
        }
        let invalid = || InvalidAmount(first_characters(text, SHOWN).to_owned());
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
        let readable =
            is_digits(whole, WHOLE_DIGITS) && fraction.is_none_or(|fraction| is_digits(fraction, FRACTION_DIGITS));
        if !readable {
            return Err(invalid());
        }
        Decimal::from_str(text).map(Self::Limited).map_err(|_| invalid())
    }

    /// So many times the amount; beyond it the greatest decimal stands.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        match self {
            Self::Limited(number) => Self::Limited(number.saturating_mul(times.into())),
            Self::Unlimited => Self::Unlimited,
        }
    }

    /// Two amounts together. Sums stay exact: 64 grants of 15 digits are far below the 28 digits of a decimal; beyond it
    /// the greatest decimal stands.
    #[must_use]
    pub fn together(self, other: Self, aggregation: Aggregation) -> Self {
        match (self, other, aggregation) {
            (Self::Limited(one), Self::Limited(other), Aggregation::Sum) => Self::Limited(one.saturating_add(other)),
            (one, other, _) => one.max(other),
        }
    }
}

/// A JSON number without its exponent, and without zeros at the end of its fraction: `1.20e3` is `1200`. None where that would be
/// longer than any amount.
#[must_use]
pub fn written_out(number: &str) -> Option<String> {
    if number.len() > LONGEST_NUMBER {
        return None;
    }
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: isize = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if exponent.unsigned_abs() > WHOLE_DIGITS + FRACTION_DIGITS {
        return None;
    }
    let point = isize::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let leading = usize::try_from(-point).unwrap_or(0);
    let all = format!("{}{whole}{fraction}", "0".repeat(leading));
    let point = usize::try_from(point).unwrap_or(0);
    let whole = format!("{:0<point$}", all.get(..point).unwrap_or(&all));
    let whole = if whole.is_empty() { "0" } else { whole.as_str() };
    let fraction = all.get(point..).unwrap_or_default().trim_end_matches('0');
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Amount {
    /// Plain decimal digits without trailing zeros behind the point, or `Unlimited`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited(number) => number.normalize().fmt(formatter),
            Self::Unlimited => formatter.write_str("Unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;
    use crate::api::{AmountField, entitlement_definition::Aggregation};
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Amount, String> {
        Amount::read(&AmountField::Text(text.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn is_plain_digits_without_trailing_zeros() {
        for (written, shown) in [
            ("250", "250"),
            ("0", "0"),
            ("007", "7"),
            ("2.50", "2.5"),
            ("100", "100"),
            ("0.000000001", "0.000000001"),
            ("999999999999999.999999999", "999999999999999.999999999"),
            ("1.0", "1"),
            ("Unlimited", "Unlimited"),
        ] {
            assert_eq!(read(written).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_what_is_not_an_amount() {
        let long = "1".repeat(40);
        for written in
            ["-1", "1e9", "+1", "", ".", "1.", ".5", "1.0000000001", "1 000", "1,5", "unlimited", "NaN", "٣", &long]
        {
            let error = read(written).unwrap_err();
            assert!(error.starts_with(&format!("amount {written:?} cannot be read: write a whole number")), "{error}");
        }
        assert!(Amount::read(&AmountField::Whole(-1)).is_err());
        assert!(Amount::read(&AmountField::Whole(1_000_000_000_000_000)).is_err());
        assert_eq!(Amount::read(&AmountField::Whole(250)).unwrap().to_string(), "250");
    }

    #[test]
    fn adds_up_by_aggregation_and_unlimited_wins() {
        let one = read("1.5").unwrap();
        let two = read("2.25").unwrap();
        assert_eq!(one.together(two, Aggregation::Sum).to_string(), "3.75");
        assert_eq!(one.together(two, Aggregation::Max).to_string(), "2.25");
        for aggregation in [Aggregation::Sum, Aggregation::Max] {
            assert_eq!(one.together(Amount::Unlimited, aggregation), Amount::Unlimited);
            assert_eq!(Amount::Unlimited.together(one, aggregation), Amount::Unlimited);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = read(&text);
        }

        #[test]
        fn sums_are_exact(one in 0u64..1_000_000_000_000_000, other in 0u64..1_000_000_000_000_000) {
            let sum = read(&one.to_string()).unwrap().together(read(&other.to_string()).unwrap(), Aggregation::Sum);
            prop_assert_eq!(sum.to_string(), (one + other).to_string());
        }
    }
}

//! An amount, or a percentage of the allotment.

use crate::{
    api::usage::ShareField,
    core::{amount::Amount, excerpt::elided_after_characters},
};
use rust_decimal::Decimal;

/// How much of something: so many units, or so much of the allotment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageShare {
    /// So many units.
    Units(Decimal),
    /// A percentage of the allotment.
    Percent(Decimal),
}

/// Why a share cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be read: write an amount such as 10 or \"2.5\", or a percentage of the allotment such as \"10%\""
)]
pub struct InvalidShare(String);

const SHOWN: usize = 40;

impl Default for UsageShare {
    fn default() -> Self {
        Self::Units(Decimal::ZERO)
    }
}

impl UsageShare {
    /// Reads an amount, or a number with a `%` behind it.
    ///
    /// # Errors
    /// [`InvalidShare`] for anything else, `Unlimited` among it.
    pub fn read(field: &ShareField) -> Result<Self, InvalidShare> {
        let text = field.0.to_string();
        let invalid = || InvalidShare(elided_after_characters(&text, SHOWN));
        let number = |text: &str| match Amount::parse(text) {
            Ok(Amount::Limited(number)) => Ok(number),
            Ok(Amount::Unlimited) | Err(_) => Err(invalid()),
        };
        match text.strip_suffix('%') {
            Some(percent) => number(percent).map(Self::Percent),
            None => number(&text).map(Self::Units),
        }
    }

    /// Whether it is nothing of anything.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        let (Self::Units(number) | Self::Percent(number)) = self;
        number.is_zero()
    }

    /// How much it is of an allotment. Of what has no bound, a percentage is no number: nothing.
    #[must_use]
    pub fn of(self, allotment: Amount) -> Decimal {
        match (self, allotment) {
            (Self::Units(units), _) => units,
            (Self::Percent(percent), Amount::Limited(allotment)) => {
                allotment.saturating_mul(percent / Decimal::ONE_HUNDRED)
            }
            (Self::Percent(_), Amount::Unlimited) => Decimal::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AmountField;
    use rstest::rstest;

    #[rstest]
    #[case("10", Some("10"))]
    #[case("2.5", Some("2.5"))]
    #[case("10%", Some("20"))]
    #[case("0.5%", Some("1"))]
    #[case("Unlimited", None)]
    #[case("-1", None)]
    #[case("%", None)]
    #[case("10 %", None)]
    fn is_an_amount_or_a_percentage(#[case] text: &str, #[case] of_two_hundred: Option<&str>) {
        let read = UsageShare::read(&ShareField(AmountField::Text(text.to_owned())));
        let found = read.map(|share| share.of(Amount::Limited(200.into())).normalize().to_string());
        assert_eq!(found.ok().as_deref(), of_two_hundred);
    }

    #[test]
    fn a_percentage_of_what_has_no_bound_is_nothing() {
        assert_eq!(UsageShare::Percent(10.into()).of(Amount::Unlimited), Decimal::ZERO);
        assert_eq!(UsageShare::Units(10.into()).of(Amount::Unlimited), Decimal::TEN);
    }
}

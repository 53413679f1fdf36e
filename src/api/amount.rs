//! The field `amount`: a whole number or a text, as the user wrote it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{borrow::Cow, fmt};

/// An amount as written: `250`, `"2.5"` or `Unlimited`. `core::amount` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AmountField {
    /// A whole number.
    Whole(i64),
    /// Anything else, unread.
    Text(String),
}

impl fmt::Display for AmountField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
}

impl<'de> Deserialize<'de> for AmountField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = AmountField;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a whole number, a decimal in quotes such as \"2.5\", or Unlimited")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<AmountField, E> {
                Ok(AmountField::Whole(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<AmountField, E> {
                Ok(i64::try_from(number).map_or_else(|_| AmountField::Text(number.to_string()), AmountField::Whole))
            }
            // A number with a fraction or an exponent is kept as text, so that the reader of amounts can refuse it
            // with its own words and the object stays readable.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<AmountField, E> {
                Ok(AmountField::Text(format!("{number:e}")))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AmountField, E> {
                Ok(AmountField::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for AmountField {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": 25,
            "x-kubernetes-validations": [{
                // Every implementation of CEL has string(), also those that check manifests without a cluster; type() is rarer.
                "rule": "string(self).matches('^([0-9]{1,15}([.][0-9]{1,9})?|Unlimited)$')",
                "message": "must be a whole number of at most 15 digits, a decimal in quotes such as \"2.5\" (at most 9 digits behind the point), or Unlimited; signs and exponents are refused",
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AmountField;
    use serde_json::json;

    #[test]
    fn keeps_what_was_written() {
        let read = |value| serde_json::from_value::<AmountField>(value).unwrap();
        assert_eq!(read(json!(250)), AmountField::Whole(250));
        assert_eq!(read(json!("2.50")), AmountField::Text("2.50".into()));
        assert_eq!(read(json!(-1)), AmountField::Whole(-1));
        assert_eq!(read(json!(1e9)), AmountField::Text("1e9".into()));
        assert_eq!(read(json!(u64::MAX)), AmountField::Text("18446744073709551615".into()));
        assert!(serde_json::from_value::<AmountField>(json!([1])).is_err());
    }
}

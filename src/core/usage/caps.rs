//! How much of what is granted can be used by each channel.

use crate::{
    api::{entitlement_definition::Aggregation, usage::ChannelCap},
    core::{
        amount::{Amount, InvalidAmount},
        grant::Stated,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// How much can be used by each channel, by its name.
pub type ChannelCaps = BTreeMap<Arc<str>, Amount>;

/// A cap that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channels[{channel}]: {error}")]
pub struct InvalidCap {
    channel: String,
    error: InvalidAmount,
}

/// What is stated of channels.
///
/// # Errors
/// The first that cannot be read.
pub fn read(caps: &[ChannelCap]) -> Result<Arc<ChannelCaps>, InvalidCap> {
    let read = |cap: &ChannelCap| {
        let amount = Amount::read(&cap.amount).map_err(|error| InvalidCap { channel: cap.name.clone(), error })?;
        Ok((Arc::from(cap.name.as_str()), amount))
    };
    caps.iter().map(read).collect::<Result<ChannelCaps, InvalidCap>>().map(Arc::new)
}

/// The same, where anything is stated.
#[must_use]
pub fn stated(caps: &[ChannelCap]) -> Stated<Arc<ChannelCaps>, InvalidCap> {
    (!caps.is_empty()).then(|| read(caps))
}

/// So many times as much.
#[must_use]
pub fn times(caps: &Arc<ChannelCaps>, times: u32) -> Arc<ChannelCaps> {
    if times == 1 {
        return Arc::clone(caps);
    }
    Arc::new(caps.iter().map(|(channel, amount)| (Arc::clone(channel), amount.times(times))).collect())
}

/// All of them together: what is said of one channel adds up.
#[must_use]
pub fn together<'a>(all: impl IntoIterator<Item = &'a ChannelCaps>) -> ChannelCaps {
    let mut sum = ChannelCaps::new();
    for (channel, amount) in all.into_iter().flatten() {
        let before = sum.get(channel).copied().unwrap_or(Amount::ZERO);
        sum.insert(Arc::clone(channel), before.together(*amount, Aggregation::Sum));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{ChannelCaps, read, stated, times, together};
    use crate::api::usage::ChannelCap;
    use serde_json::{Value, json};

    fn caps(caps: &Value) -> Vec<ChannelCap> {
        serde_json::from_value(caps.clone()).unwrap()
    }

    fn told(caps: &ChannelCaps) -> Vec<String> {
        caps.iter().map(|(channel, amount)| format!("{channel} {amount}")).collect()
    }

    #[test]
    fn what_several_say_of_a_channel_adds_up() {
        let one = read(&caps(&json!([{"name": "phone", "amount": 80}, {"name": "email", "amount": "0.5"}]))).unwrap();
        let other =
            read(&caps(&json!([{"name": "phone", "amount": 20}, {"name": "chat", "amount": "Unlimited"}]))).unwrap();
        assert_eq!(told(&together([&*one, &*other])), ["chat Unlimited", "email 0.5", "phone 100"]);
        assert_eq!(told(&times(&one, 3)), ["email 1.5", "phone 240"]);
        assert_eq!(told(&together([])), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = read(&caps(&json!([{"name": "phone", "amount": "many"}]))).unwrap_err().to_string();
        assert!(error.starts_with("channels[phone]: amount \"many\" cannot be read: write a whole number"), "{error}");
        assert_eq!(stated(&[]), None);
    }
}

//! Which registers differ from what the store has.

use crate::{
    core::{
        calendar::Instant,
        usage::register::{Register, RegisterId},
    },
    store::meter::RegisterWrite,
};
use chrono::SubsecRound as _;
use std::collections::BTreeMap;

/// What has to be written so that the store has those registers, and no others of these origins. It is said as of a moment that is
/// not before any in the store: what the objects say now counts, however the clock was set.
pub fn differences(
    stored: &BTreeMap<RegisterId, Register>,
    wanted: &BTreeMap<RegisterId, Register>,
    as_of: Instant,
) -> Vec<RegisterWrite> {
    let write = |id: &RegisterId, register: &Register, deleted: bool| RegisterWrite {
        id: id.clone(),
        at: Some(register.at),
        channel: register.channel.clone(),
        amount: register.amount,
        as_of,
        deleted,
    };
    let is_news = |(id, register): &(&RegisterId, &Register)| {
        stored.get(*id).is_none_or(|stored| !says_the_same(stored, register))
    };
    let changed = wanted.iter().filter(is_news).map(|(id, register)| write(id, register, false));
    let gone =
        stored.iter().filter(|(id, _)| !wanted.contains_key(*id)).map(|(id, register)| write(id, register, true));
    changed.chain(gone).collect()
}

fn says_the_same(stored: &Register, said: &Register) -> bool {
    stored.at.trunc_subsecs(0) == said.at.trunc_subsecs(0)
        && stored.channel == said.channel
        && stored.amount == said.amount
        && !stored.deleted
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::core::{
        calendar::{Instant, parse_instant},
        usage::register::{Register, RegisterId},
    };
    use rstest::rstest;
    use std::collections::BTreeMap;

    fn at(text: &str) -> Instant {
        parse_instant(text).unwrap()
    }

    fn registers(all: &[(&str, &str, &str)]) -> BTreeMap<RegisterId, Register> {
        let register = |(key, amount, channel): &(&str, &str, &str)| {
            let id = RegisterId { origin: "EntitlementUsage entitlements/a".into(), key: (*key).into() };
            let channel = (!channel.is_empty()).then(|| (*channel).into());
            let (at, as_of) = (at("2027-01-01T00:00:00Z"), at("2027-01-02T00:00:00Z"));
            (id, Register { at, channel, amount: amount.parse().unwrap(), as_of, deleted: false })
        };
        all.iter().map(register).collect()
    }

    #[rstest]
    #[case::the_same(&[("a", "1", ""), ("b", "2", "phone")], &[("a", "1.00", ""), ("b", "2", "phone")], &[])]
    #[case::another_amount(&[("a", "1", "")], &[("a", "2", "")], &["a=2"])]
    #[case::another_channel(&[("a", "1", "")], &[("a", "1", "phone")], &["a=1"])]
    #[case::one_more(&[("a", "1", "")], &[("a", "1", ""), ("b", "1", "")], &["b=1"])]
    #[case::one_less(&[("a", "1", ""), ("b", "1", "")], &[("b", "1", "")], &["a deleted"])]
    #[case::none_left(&[("a", "1", "")], &[], &["a deleted"])]
    fn only_what_differs_is_written(
        #[case] stored: &[(&str, &str, &str)],
        #[case] wanted: &[(&str, &str, &str)],
        #[case] expected: &[&str],
    ) {
        let now = at("2027-01-03T00:00:00Z");
        let writes = differences(&registers(stored), &registers(wanted), now);
        assert!(writes.iter().all(|write| write.as_of == now));
        let told = writes.iter().map(|write| match write.deleted {
            true => format!("{} deleted", write.id.key),
            false => format!("{}={}", write.id.key, write.amount),
        });
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

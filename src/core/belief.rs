//! Which parts of a record of acceptance are believed.
//!
//! More people may write statuses than specs. So a record counts as far as the spec and the catalogue can have given it: a part
//! that they cannot have given counts as never recorded, and the rest stays. If that cannot be told, what was agreed stays
//! agreed, and the record is believed: a catalogue forgets its oldest states, and a grant may come from a backup or from
//! another cluster.

use super::{
    acceptance::{Acceptance, Chain},
    amount::Amount,
    calendar::{CalendarDuration, Instant, Tz},
    source::stated::StatedSource,
};
use chrono::TimeDelta;
use std::sync::Arc;

/// How much earlier a grant may be than what it names: objects that are applied together are made one after the other.
const TOGETHER: TimeDelta = TimeDelta::minutes(1);
/// A restore takes no longer than this, from the first object to the last.
const RESTORE: TimeDelta = TimeDelta::days(1);

/// What a definition gives to the grants that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// What gives an absent end.
    pub term: Option<CalendarDuration>,
    /// How long the configuration stays delivered after the end.
    pub grace: Option<CalendarDuration>,
}

/// What a definition gave, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What it gives now, and what it gave before, the latest first.
    pub states: Vec<Durations>,
    /// The amount that it gives now, and those that it gave before, in its present unit.
    pub amounts: Vec<Amount>,
    /// Since when all that it gave is known; absent where that cannot be told.
    pub since: Option<Instant>,
}

impl History {
    /// Whether all that it gave since a grant was made is known.
    #[must_use]
    pub fn covers(&self, source: &StatedSource) -> bool {
        self.since.is_some_and(|since| source.made().signed_duration_since(since) >= -TOGETHER)
    }
}

/// What the present objects tell of a record.
pub struct Evidence<'a, F> {
    /// What the definition gave; absent where there is none.
    pub history: Option<&'a History>,
    /// The only time zone that the organization has had, and since when; absent where it may have had others.
    pub zone: Option<(Tz, Instant)>,
    /// Whether a UID is that of a grant of the organization.
    pub is_of_here: F,
}

impl<F: Fn(&str) -> bool> Evidence<'_, F> {
    /// Whether a grant can have been accepted here alone, and that in the time that is known.
    fn covers(&self, since: Instant, source: &StatedSource, chain: &Chain) -> bool {
        let age = source.made().signed_duration_since(since);
        age >= -TOGETHER && (age > RESTORE || (self.is_of_here)(&chain.uid))
    }

    fn zone(&self, source: &StatedSource, record: &Acceptance) -> Tz {
        let only = self.zone.filter(|(zone, since)| *zone != record.zone && self.covers(*since, source, &record.chain));
        only.map_or(record.zone, |(zone, _)| zone)
    }

    /// What of a definition's is at odds with everything that it gave is what a state of it gave that has the rest; failing
    /// that, what it gives now.
    fn durations(&self, source: &StatedSource, record: &Acceptance) -> Durations {
        let recorded = Durations { term: record.term, grace: record.grace };
        let Some(history) = self.history.filter(|history| !history.states.contains(&recorded)) else { return recorded };
        if history.since.is_none_or(|since| !self.covers(since, source, &record.chain)) {
            return recorded;
        }
        let states = || history.states.iter();
        let nearest = states()
            .find(|state| state.term == recorded.term)
            .or_else(|| states().find(|state| state.grace == recorded.grace))
            .or_else(|| states().next());
        nearest.copied().unwrap_or(recorded)
    }

    /// An amount that no state of the definition gave is none. Which one it was is not held against the rest: with `Everyone`
    /// it is kept current, and a grant that was accepted before amounts were recorded has a later one.
    fn amount(&self, source: &StatedSource, record: &Acceptance) -> Option<Amount> {
        let recorded = record.amount?;
        let Some(history) = self.history.filter(|history| !history.amounts.contains(&recorded)) else {
            return Some(recorded);
        };
        let is_known = history.since.is_some_and(|since| self.covers(since, source, &record.chain));
        (!is_known).then_some(recorded)
    }
}

/// A grant's record without what cannot have been given.
#[must_use]
pub fn believed<F: Fn(&str) -> bool>(
    source: &StatedSource,
    record: &Arc<Acceptance>,
    evidence: &Evidence<'_, F>,
) -> Arc<Acceptance> {
    let renews = source.renews.is_some();
    let follows = record.follows.filter(|_| renews);
    let length = record.length.filter(|_| renews);
    let since = record.since.filter(|_| source.start.is_none() && follows.is_none());
    // An object that is restored is younger than its grant, never older.
    let latest = source.made().max(source.created);
    let since = since.map(|since| since.min(latest));
    let zone = evidence.zone(source, record);
    let Durations { term, grace } = evidence.durations(source, record);
    let amount = evidence.amount(source, record);
    // A grant that renews none is the first of its chain.
    let chain_since = if renews { record.chain.since } else { record.chain.since.min(latest) };
    let chain_name = if renews { &record.chain.name } else { &source.age.name };
    let is_same = (follows, length, since, zone) == (record.follows, record.length, record.since, record.zone)
        && (term, grace, amount) == (record.term, record.grace, record.amount)
        && (chain_since, chain_name) == (record.chain.since, &record.chain.name);
    if is_same {
        return Arc::clone(record);
    }
    let chain = Chain { since: chain_since, name: Arc::clone(chain_name), ..record.chain.clone() };
    Arc::new(Acceptance { zone, term, grace, amount, since, length, follows, chain, spec: record.spec.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{AmountField, EntitlementInstance},
        core::{
            calendar::{parse_instant, parse_zone},
            grant::Grant,
            source::instance,
        },
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    /// A grant that was made on 2027-01-01, with a record.
    fn grant(spec: &Value, record: &Value) -> Grant {
        let mut all = json!({"organization": "acme", "definition": "seats"});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let mut accepted = json!({
            "timeZone": "Europe/Berlin", "term": "P1Y", "gracePeriod": "P7D",
            "chain": {"name": "a", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 1},
        });
        for field in ["start", "end", "renews"] {
            accepted[field] = all.get(field).cloned().unwrap_or_default();
        }
        accepted.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
        let instance: EntitlementInstance = serde_json::from_value(json!({
            "metadata": {
                "name": "a", "namespace": "entitlements", "uid": "uid-a", "generation": 1,
                "creationTimestamp": "2027-01-01T00:00:00Z",
            },
            "spec": all,
            "status": {"accepted": accepted},
        }))
        .unwrap();
        let grant = instance::grant(&instance);
        assert!(grant.accepted.is_some(), "{accepted}");
        grant
    }

    fn states(states: &[(&str, &str)]) -> Vec<Durations> {
        let duration = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        states.iter().map(|(term, grace)| Durations { term: duration(term), grace: duration(grace) }).collect()
    }

    /// The fields of the record that come out otherwise than they went in.
    fn changed(grant: &Grant, history: &History, zone: Option<(&str, &str)>) -> Value {
        let record = grant.accepted.as_ref().unwrap();
        let zone = zone.map(|(name, since)| (parse_zone(name).unwrap(), parse_instant(since).unwrap()));
        let evidence = Evidence { history: Some(history), zone, is_of_here: |uid: &str| uid == "uid-a" };
        let believed = believed(&grant.source, record, &evidence);
        let [before, after] = [record, &believed].map(|record| serde_json::to_value(record.record()).unwrap());
        let names = before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys());
        names
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| (name.clone(), after[name].clone()))
            .collect()
    }

    #[rstest]
    #[case::follows(json!({}), json!({"follows": "2028-01-01T00:00:00Z"}), json!({"follows": null}))]
    #[case::length(json!({}), json!({"length": "P100Y"}), json!({"length": null}))]
    #[case::both_of_a_renewal(
        json!({"renews": "b"}), json!({"follows": "2028-01-01T00:00:00Z", "length": "P100Y"}), json!({})
    )]
    #[case::since_beside_a_start(
        json!({"start": "2027-02-01"}), json!({"since": "2027-01-01T00:00:00Z"}), json!({"since": null})
    )]
    #[case::since_beside_follows(
        json!({"renews": "b"}),
        json!({"follows": "2028-01-01T00:00:00Z", "since": "2027-01-01T00:00:00Z"}),
        json!({"since": null})
    )]
    #[case::a_later_since(
        json!({}), json!({"since": "2029-01-01T00:00:00Z"}), json!({"since": "2027-01-01T00:00:00Z"})
    )]
    #[case::a_since_from_before_a_restore(json!({}), json!({"since": "2026-01-01T00:00:00Z"}), json!({}))]
    #[case::anothers_chain(
        json!({}),
        json!({"chain": {"name": "b", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 1}}),
        json!({"chain": {"name": "a", "uid": "uid-a", "since": "2027-01-01T00:00:00Z", "day": 1}})
    )]
    #[case::a_renewals_chain(
        json!({"renews": "b"}),
        json!({"chain": {"name": "b", "uid": "uid-b", "since": "2027-06-01T00:00:00Z", "day": 1}}),
        json!({})
    )]
    fn what_the_spec_cannot_have_given_is_not_believed(
        #[case] spec: Value,
        #[case] record: Value,
        #[case] expected: Value,
    ) {
        assert_eq!(changed(&grant(&spec, &record), &History::default(), None), expected);
    }

    const LONG_AGO: &str = "2026-01-01T00:00:00Z";
    const RECENTLY: &str = "2026-12-31T12:00:00Z";

    #[rstest]
    #[case::as_it_is(&[("P1Y", "P7D")], Some(LONG_AGO), "uid-a", json!({}))]
    #[case::as_it_was(&[("P2Y", ""), ("P1Y", "P7D")], Some(LONG_AGO), "uid-a", json!({}))]
    #[case::no_grace_ever(&[("P1Y", "")], Some(LONG_AGO), "uid-a", json!({"gracePeriod": null}))]
    #[case::another_grace(&[("P2Y", "P7D"), ("P1Y", "P1D"), ("P1Y", "P2D")], Some(LONG_AGO), "uid-a", json!({"gracePeriod": "P1D"}))]
    #[case::another_term(&[("", ""), ("P2Y", "P7D")], Some(LONG_AGO), "uid-a", json!({"term": "P2Y"}))]
    #[case::another_of_both(&[("", "P1D"), ("P2Y", "")], Some(LONG_AGO), "uid-a", json!({"term": null, "gracePeriod": "P1D"}))]
    #[case::made_together(&[("P1Y", "")], Some("2027-01-01T00:00:59Z"), "uid-a", json!({"gracePeriod": null}))]
    #[case::a_catalogue_that_is_younger(&[("P1Y", "")], Some("2027-01-01T00:01:01Z"), "uid-a", json!({}))]
    #[case::a_catalogue_that_has_forgotten(&[("P1Y", "")], None, "uid-a", json!({}))]
    #[case::a_restore_of_all(&[("P1Y", "")], Some(RECENTLY), "uid-then", json!({}))]
    #[case::a_restore_into_what_lives(&[("P1Y", "")], Some(LONG_AGO), "uid-then", json!({"gracePeriod": null}))]
    fn what_the_catalogue_cannot_have_given_is_not_believed(
        #[case] given: &[(&str, &str)],
        #[case] since: Option<&str>,
        #[case] uid: &str,
        #[case] expected: Value,
    ) {
        let history = History {
            states: states(given),
            amounts: Vec::new(),
            since: since.map(|since| parse_instant(since).unwrap()),
        };
        let chain = json!({"name": "a", "uid": uid, "since": "2027-01-01T00:00:00Z", "day": 1});
        assert_eq!(changed(&grant(&json!({}), &json!({"chain": chain})), &history, None), expected);
    }

    #[rstest]
    #[case::as_it_is(json!("10"), &["10", "4"], Some(LONG_AGO), "uid-a", json!({}))]
    #[case::as_it_was(json!(4), &["10", "4.0"], Some(LONG_AGO), "uid-a", json!({}))]
    #[case::a_million(json!(1_000_000), &["10", "4"], Some(LONG_AGO), "uid-a", json!({"amount": null}))]
    #[case::unlimited(json!("Unlimited"), &["10"], Some(LONG_AGO), "uid-a", json!({"amount": null}))]
    #[case::of_a_feature(json!(1), &[], Some(LONG_AGO), "uid-a", json!({"amount": null}))]
    #[case::not_readable(json!("many"), &["10"], Some(LONG_AGO), "uid-a", json!({}))]
    #[case::a_catalogue_that_is_younger(json!(7), &["10"], Some("2027-01-01T00:01:01Z"), "uid-a", json!({}))]
    #[case::a_catalogue_that_has_forgotten(json!(7), &["10"], None, "uid-a", json!({}))]
    #[case::a_restore_of_all(json!(7), &["10"], Some(RECENTLY), "uid-then", json!({}))]
    #[case::a_restore_into_what_lives(json!(7), &["10"], Some(LONG_AGO), "uid-then", json!({"amount": null}))]
    fn an_amount_that_the_catalogue_cannot_have_given_is_not_believed(
        #[case] recorded: Value,
        #[case] given: &[&str],
        #[case] since: Option<&str>,
        #[case] uid: &str,
        #[case] expected: Value,
    ) {
        let amount = |text: &&str| Amount::read(&AmountField::Text((*text).to_owned())).unwrap();
        let history = History {
            states: states(&[("P1Y", "P7D")]),
            amounts: given.iter().map(amount).collect(),
            since: since.map(|since| parse_instant(since).unwrap()),
        };
        let chain = json!({"name": "a", "uid": uid, "since": "2027-01-01T00:00:00Z", "day": 1});
        let grant = grant(&json!({}), &json!({"amount": recorded, "chain": chain}));
        assert_eq!(changed(&grant, &history, None), expected);
    }

    #[rstest]
    #[case::the_same(Some(("Europe/Berlin", LONG_AGO)), json!({}))]
    #[case::another(Some(("Asia/Tokyo", LONG_AGO)), json!({"timeZone": "Asia/Tokyo"}))]
    #[case::of_an_organization_made_anew(Some(("Asia/Tokyo", "2027-06-01T00:00:00Z")), json!({}))]
    #[case::of_an_organization_that_was_edited(None, json!({}))]
    fn a_time_zone_that_the_organization_never_had_is_not_believed(
        #[case] zone: Option<(&str, &str)>,
        #[case] expected: Value,
    ) {
        let none = History { states: states(&[("P1Y", "P7D")]), ..History::default() };
        assert_eq!(changed(&grant(&json!({}), &json!({})), &none, zone), expected);
    }

    #[test]
    fn a_record_that_is_believed_is_the_same() {
        let grant = grant(&json!({}), &json!({"since": "2027-01-01T00:00:00Z"}));
        let record = grant.accepted.as_ref().unwrap();
        let history =
            History { states: states(&[("P1Y", "P7D")]), since: parse_instant(LONG_AGO).ok(), ..History::default() };
        let evidence = Evidence { history: Some(&history), zone: None, is_of_here: |_: &str| false };
        assert!(Arc::ptr_eq(record, &believed(&grant.source, record, &evidence)));
    }
}

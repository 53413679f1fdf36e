//! What a definition's status says of the store that its usage is kept in.

use crate::{
    api::{Condition, EntitlementDefinition},
    core::{
        calendar::Instant,
        problem::Problem,
        reason::ReasonCode,
        usage::{
            answer::PrometheusProblem,
            recount::{RECOUNT, RecountRecord, RecountSpan},
        },
    },
    evaluation::{catalogue::CatalogueEntry, conditions::Conditions},
};

pub use crate::api::entitlement_definition::MeteredRecord;

/// The condition of a metered definition: what is used of it is counted.
pub const METERED: &str = "Metered";

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreStanding {
    /// The operator has none.
    Absent,
    /// It has not answered yet, nor failed.
    Opening,
    /// It answers.
    Works,
    /// It answers, and is another one than before, or an older copy: how, and what was noted.
    Replaced(String),
    /// It does not answer, or cannot be used, and why.
    Unavailable(String),
}

impl StoreStanding {
    /// Whether it answers.
    #[must_use]
    pub fn answers(&self) -> bool {
        matches!(self, Self::Works | Self::Replaced(_))
    }

    /// Why nothing more is counted, where that is known.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::Opening | Self::Works | Self::Replaced(_) => None,
            Self::Absent => Some(Problem::new(ReasonCode::NoStore, NO_STORE)),
            Self::Unavailable(why) => {
                let message = format!("{why}; what was counted last counts, and the rest will be");
                Some(Problem::new(ReasonCode::StoreUnavailable, message))
            }
        }
    }
}

const NO_PROMETHEUS: &str = "the operator has no Prometheus to ask, so how much is used is not known: run it with --prometheus-url, or take usage.prometheus out and report what is used as EntitlementUsage objects";

const METERED_FULLY: &str = "what is used is counted";

/// How it stands with asking Prometheus for one definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PrometheusStanding {
    /// The operator has none.
    #[default]
    Absent,
    /// It was not asked yet.
    Opening,
    /// It answers. What is wrong with a part of what it says.
    Answers(Vec<PrometheusProblem>),
    /// Nothing that it says counts, and why.
    Silent(Vec<PrometheusProblem>),
}

impl PrometheusStanding {
    /// What came of asking it.
    #[must_use]
    pub fn of(problems: Vec<PrometheusProblem>, is_answer: bool) -> Self {
        if is_answer { Self::Answers(problems) } else { Self::Silent(problems) }
    }

    /// What is wrong, each thing in a sentence of its own.
    #[must_use]
    pub fn problems(&self) -> String {
        let (Self::Answers(all) | Self::Silent(all)) = self else { return String::new() };
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn counts_nothing(&self) -> bool {
        matches!(self, Self::Absent | Self::Silent(_))
    }

    fn reason(&self) -> ReasonCode {
        match self {
            Self::Absent => ReasonCode::NoPrometheus,
            Self::Silent(problems) if problems.iter().all(PrometheusProblem::is_of_prometheus) => {
                ReasonCode::PrometheusUnavailable
            }
            Self::Silent(_) => ReasonCode::QueryWithoutAnswer,
            Self::Opening | Self::Answers(_) => ReasonCode::Metered,
        }
    }

    /// Says it, where the store works.
    fn tell(&self, metered: &mut Conditions) {
        let problems = self.problems();
        match self {
            Self::Absent => metered.set(METERED, false, self.reason(), NO_PROMETHEUS),
            Self::Opening => metered.keep(METERED),
            Self::Answers(_) if problems.is_empty() => metered.set(METERED, true, self.reason(), METERED_FULLY),
            Self::Answers(_) => metered.set(METERED, true, self.reason(), format!("{METERED_FULLY}; {problems}")),
            Self::Silent(_) => {
                let message = format!("{problems}; what was counted last counts, and the rest will be");
                metered.set(METERED, false, self.reason(), message);
            }
        }
    }
}

const NO_STORE: &str = "the operator has no store to count in, so how much is used is not known: run it with --store";

/// Says of a definition whether what is used of it is counted, where it is metered: in its state that serves, or as it is written.
pub fn tell_metered(
    conditions: &mut Vec<Condition>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    standing: &StoreStanding,
    prometheus: &PrometheusStanding,
    first: Option<MeteredRecord>,
    now: Instant,
) {
    let is_metered = entry.serving.as_ref().is_some_and(|serving| serving.terms.usage.is_some());
    if !is_metered && definition.spec.usage.is_none() {
        return;
    }
    let generation = definition.metadata.generation.unwrap_or(1);
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut metered = Conditions::after(before, generation, now);
    let rules = entry.serving.as_ref().and_then(|serving| serving.terms.usage.as_deref());
    let is_asked_for = rules.is_some_and(|rules| rules.prometheus.is_some());
    let otherwise = first.zip(metered_as(entry)).filter(|(first, present)| first != present && standing.answers());
    match standing {
        _ if let Some((first, _)) = otherwise => {
            metered.set(METERED, false, ReasonCode::MeteredOtherwise, metered_otherwise(first));
        }
        StoreStanding::Works if is_asked_for => prometheus.tell(&mut metered),
        // That nothing is counted says more.
        StoreStanding::Replaced(_) if is_asked_for && prometheus.counts_nothing() => prometheus.tell(&mut metered),
        StoreStanding::Works => metered.set(METERED, true, ReasonCode::Metered, METERED_FULLY),
        StoreStanding::Replaced(how) => metered.set(METERED, true, ReasonCode::StoreReplaced, replaced(how)),
        StoreStanding::Opening => metered.keep(METERED),
        StoreStanding::Absent | StoreStanding::Unavailable(_) => {
            if let Some(problem) = standing.problem() {
                metered.set(METERED, false, problem.reason, problem.message);
            }
        }
    }
    conditions.extend(metered.into_vec());
}

/// What is said of a store that is not what it was.
#[must_use]
pub fn replaced(how: &str) -> String {
    format!(
        "what is used is counted, but {how}: put the right one back, or confirm this one with entitlement-operator store adopt"
    )
}

/// What is said of a definition that was metered by other rules when something was first counted of it, as it was deleted and made
/// again. The uses stay, and count by its rules now.
fn metered_otherwise(first: MeteredRecord) -> String {
    let MeteredRecord { mode, periodic, aggregation } = first;
    let period = if periodic { "with" } else { "without" };
    format!(
        "a definition of this name was metered before, as {mode:?} {period} a period and with aggregation {aggregation:?}: what was counted then counts by other rules now, so what is used may be wrong; take usage out and write it as it was, or make a new definition under another name"
    )
}

/// How a definition is metered, in its state that serves.
#[must_use]
pub fn metered_as(entry: &CatalogueEntry) -> Option<MeteredRecord> {
    let terms = &entry.serving.as_ref()?.terms;
    let rules = terms.usage.as_ref()?;
    Some(MeteredRecord { mode: rules.mode, periodic: rules.period.is_some(), aggregation: terms.aggregation })
}

/// The condition of a definition that is to be counted anew: that has been done.
pub const RECOUNTED: &str = "Recounted";

/// Says of a definition what became of the request to count it anew, if there is one.
pub fn tell_recount(
    conditions: &mut Vec<Condition>,
    definition: &EntitlementDefinition,
    entry: &CatalogueEntry,
    record: Option<&RecountRecord>,
    now: Instant,
) {
    let annotations = definition.metadata.annotations.as_ref();
    let Some(request) = annotations.and_then(|annotations| annotations.get(RECOUNT)) else { return };
    let before = definition.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let mut recounted = Conditions::after(before, definition.metadata.generation.unwrap_or(1), now);
    let rules = entry.serving.as_ref().and_then(|serving| serving.terms.usage.as_deref());
    let told = |what: &dyn std::fmt::Display| format!("{request}: {what}");
    let was_told = before.iter().any(|one| one.type_ == RECOUNTED && one.message.starts_with(&told(&"")));
    match (RecountSpan::read(request).and_then(|span| span.check(rules, now)), record) {
        (_, Some(record)) if record.request == *request && record.begun && record.done => {
            let but = if record.problems.is_empty() { "" } else { "; " };
            let said = format!("it was asked for anew, and counts{but}{}", record.problems);
            recounted.set(RECOUNTED, true, ReasonCode::Recounted, told(&said));
        }
        (_, Some(record)) if record.request == *request && !record.begun && !record.problems.is_empty() => {
            let again = if record.done { "" } else { "; it is tried again" };
            let said = format!("{}{again}", record.problems);
            recounted.set(RECOUNTED, false, ReasonCode::RecountFailed, told(&said));
        }
        // What was said of it holds, until more is known.
        _ if was_told => recounted.keep(RECOUNTED),
        (Err(refusal), _) => recounted.set(RECOUNTED, false, ReasonCode::RecountRefused, told(&refusal)),
        (Ok(()), _) => {}
    }
    conditions.extend(recounted.into_vec());
}

#[cfg(test)]
mod tests {
    use super::{PrometheusStanding, StoreStanding, metered_as, tell_metered};
    use crate::{
        api::{
            EntitlementDefinition,
            entitlement_definition::{Aggregation, MeteredRecord},
            usage::UsageMode,
        },
        core::usage::answer::PrometheusProblem,
        evaluation::{
            catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
            status::grants::tests::now,
        },
    };
    use rstest::rstest;
    use serde_json::{Value, json};

    fn entry(definition: &EntitlementDefinition) -> CatalogueEntry {
        let source = DefinitionState::gather(&definition.spec, |_| None).unwrap();
        CatalogueEntry::valid(CompiledDefinition::compile("support", &source).unwrap())
    }

    fn told(usage: &Value, before: &Value, standing: &StoreStanding) -> Vec<String> {
        told_by(usage, before, standing, &PrometheusStanding::Absent)
    }

    fn told_by(
        usage: &Value,
        before: &Value,
        standing: &StoreStanding,
        prometheus: &PrometheusStanding,
    ) -> Vec<String> {
        told_after(usage, before, standing, prometheus, None)
    }

    fn definition(usage: &Value, before: &Value) -> EntitlementDefinition {
        serde_json::from_value(json!({
            "metadata": {"name": "support", "generation": 3},
            "spec": {"type": "Quantity", "unit": "cases", "amount": 10, "usage": usage},
            "status": {"conditions": before},
        }))
        .unwrap()
    }

    /// What is said of one that was metered like `first` when something was first counted of it.
    fn told_after(
        usage: &Value,
        before: &Value,
        standing: &StoreStanding,
        prometheus: &PrometheusStanding,
        first: Option<MeteredRecord>,
    ) -> Vec<String> {
        let definition = definition(usage, before);
        let entry = entry(&definition);
        let mut conditions = Vec::new();
        tell_metered(&mut conditions, &definition, &entry, standing, prometheus, first, now());
        let told =
            conditions.iter().map(|one| format!("{}={:?} {}: {}", one.type_, one.status, one.reason, one.message));
        told.collect()
    }

    #[rstest]
    #[case(
        StoreStanding::Absent,
        "Metered=False NoStore: the operator has no store to count in, so how much is used is not known: run it with --store"
    )]
    #[case(StoreStanding::Works, "Metered=True Metered: what is used is counted")]
    #[case(
        StoreStanding::Replaced("the store is another one".to_owned()),
        "Metered=True StoreReplaced: what is used is counted, but the store is another one: put the right one back, or confirm this one with entitlement-operator store adopt"
    )]
    #[case(StoreStanding::Unavailable("the store is full".to_owned()), "Metered=False StoreUnavailable: the store is full; what was counted last counts, and the rest will be")]
    fn a_metered_definition_says_how_the_store_is(#[case] standing: StoreStanding, #[case] expected: &str) {
        assert_eq!(told(&json!({"mode": "Consumed"}), &json!([]), &standing), [expected]);
        assert_eq!(told(&Value::Null, &json!([]), &standing), Vec::<String>::new());
    }

    #[rstest]
    #[case(PrometheusStanding::Absent, &["Metered=False NoPrometheus: the operator has no Prometheus to ask, so how much is used is not known: run it with --prometheus-url, or take usage.prometheus out and report what is used as EntitlementUsage objects"])]
    #[case(PrometheusStanding::Opening, &[])]
    #[case(PrometheusStanding::of(Vec::new(), true), &["Metered=True Metered: what is used is counted"])]
    #[case(PrometheusStanding::of(vec![PrometheusProblem::Unlabelled(3)], true), &["Metered=True Metered: what is used is counted; 3 of the series have no label organization, and are left out: keep it in usage.prometheus.query, as with sum by (organization)"])]
    #[case(PrometheusStanding::of(vec![PrometheusProblem::Failed("the engine is busy".to_owned())], false), &["Metered=False PrometheusUnavailable: Prometheus could not answer the query: the engine is busy; what was counted last counts, and the rest will be"])]
    #[case(PrometheusStanding::of(vec![PrometheusProblem::Refused("1:2: parse error".to_owned())], false), &["Metered=False QueryWithoutAnswer: Prometheus refuses the query: 1:2: parse error: mend usage.prometheus.query; what was counted last counts, and the rest will be"])]
    fn a_definition_that_prometheus_is_asked_for_says_what_it_answers(
        #[case] prometheus: PrometheusStanding,
        #[case] expected: &[&str],
    ) {
        let usage = json!({"mode": "Consumed", "prometheus": {"query": "calls"}});
        assert_eq!(told_by(&usage, &json!([]), &StoreStanding::Works, &prometheus), expected);
        // The store is needed first.
        let without = told_by(&usage, &json!([]), &StoreStanding::Absent, &prometheus);
        assert!(without.len() == 1 && without[0].starts_with("Metered=False NoStore"), "{without:?}");
        // That nothing is counted says more than in which store.
        let elsewhere = StoreStanding::Replaced("the store is another one".to_owned());
        let elsewhere = told_by(&usage, &json!([]), &elsewhere, &prometheus);
        let counts_nothing = expected.iter().any(|said| said.starts_with("Metered=False"));
        let is_as_expected =
            if counts_nothing { elsewhere == expected } else { elsewhere[0].starts_with("Metered=True StoreReplaced") };
        assert!(is_as_expected, "{elsewhere:?}");
    }

    #[test]
    fn until_the_store_answers_for_the_first_time_it_stays_as_it_was_said() {
        let before = json!([{"type": "Metered", "status": "True", "reason": "Metered", "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let usage = json!({"mode": "Consumed"});
        assert_eq!(told(&usage, &before, &StoreStanding::Opening), ["Metered=True Metered: m"]);
        assert_eq!(told(&usage, &json!([]), &StoreStanding::Opening), Vec::<String>::new());
    }

    #[rstest]
    #[case(json!({"mode": "Consumed", "period": "P1M"}), Some((UsageMode::Consumed, true)))]
    #[case(json!({"mode": "Consumed"}), Some((UsageMode::Consumed, false)))]
    #[case(json!({"mode": "Held"}), Some((UsageMode::Held, false)))]
    #[case(Value::Null, None)]
    fn how_it_is_metered_never_changes(#[case] usage: Value, #[case] expected: Option<(UsageMode, bool)>) {
        let expected = expected.map(|(mode, periodic)| MeteredRecord { mode, periodic, aggregation: Aggregation::Sum });
        assert_eq!(metered_as(&entry(&definition(&usage, &json!([])))), expected);
    }

    /// The use of a definition of that name was counted before.
    #[rstest]
    #[case::as_it_was(json!({"mode": "Consumed"}), StoreStanding::Works, "Metered=True Metered: what is used is counted")]
    #[case::with_a_period(json!({"mode": "Consumed", "period": "P1M"}), StoreStanding::Works, OTHERWISE)]
    #[case::of_what_is_held(json!({"mode": "Held"}), StoreStanding::Replaced(String::new()), OTHERWISE)]
    #[case::while_nothing_is_counted(
        json!({"mode": "Held"}),
        StoreStanding::Unavailable("the store is full".to_owned()),
        "Metered=False StoreUnavailable: the store is full; what was counted last counts, and the rest will be"
    )]
    fn one_that_was_metered_otherwise_before_it_was_made_again_says_so(
        #[case] usage: Value,
        #[case] standing: StoreStanding,
        #[case] expected: &str,
    ) {
        let first = Some(MeteredRecord { mode: UsageMode::Consumed, periodic: false, aggregation: Aggregation::Sum });
        assert_eq!(told_after(&usage, &json!([]), &standing, &PrometheusStanding::Absent, first), [expected]);
    }

    const OTHERWISE: &str = "Metered=False MeteredOtherwise: a definition of this name was metered before, as Consumed without a period and with aggregation Sum: what was counted then counts by other rules now, so what is used may be wrong; take usage out and write it as it was, or make a new definition under another name";
}

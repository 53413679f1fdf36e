//! What answers of Prometheus mean: which of them count, and what is said of the rest.

use crate::core::{
    calendar::Instant,
    usage::{
        answer::{PrometheusProblem, PrometheusReading, clocks_apart, read_buckets, read_present},
        buckets::BucketPlan,
        rules::PrometheusRule,
        vector::MetricVector,
    },
};
use chrono::DateTime;
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

fn at(seconds: i64) -> Instant {
    DateTime::from_timestamp_secs(seconds).unwrap()
}

fn organizations() -> BTreeSet<Arc<str>> {
    ["acme", "globex"].map(Arc::from).into()
}

fn success(kind: &str, result: &Value) -> Value {
    json!({"status": "success", "data": {"resultType": kind, "result": result}})
}

/// What is read of an answer to the request for the buckets 60, 120 and 180 of a minute each.
fn read(answer: &Value) -> PrometheusReading {
    read_by(answer, 240)
}

fn read_by(answer: &Value, closed_by: i64) -> PrometheusReading {
    let rule = PrometheusRule { query: "calls".into(), bucket: 60 };
    let plan = BucketPlan::of(None, &rule, 1, at(60), at(240));
    match MetricVector::read(answer.to_string().as_bytes()) {
        Ok(vector) => read_buckets(&vector, plan.requests[0], &plan.progress, &organizations(), at(closed_by)),
        Err(problem) => PrometheusReading::none(problem),
    }
}

/// `organization key at asOf channel amount`, in order.
fn counted(reading: &PrometheusReading) -> Vec<String> {
    let all = reading.registers.iter().flat_map(|(organization, all)| all.iter().map(move |one| (organization, one)));
    let told = all.map(|(organization, (id, register))| {
        assert_eq!(&*id.origin, "Prometheus");
        let channel = register.channel.as_deref().unwrap_or("-");
        let (at, as_of) = (register.at.timestamp(), register.as_of.timestamp());
        format!("{organization} {} {at} {as_of} {channel} {}", id.key, register.amount)
    });
    told.collect()
}

fn said(reading: &PrometheusReading) -> Vec<String> {
    reading.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_matrix_is_a_register_for_each_bucket_by_organization_and_channel() {
    let reading = read(&success(
        "matrix",
        &json!([
            {"metric": {"organization": "acme", "job": "api"}, "values": [[120, "3"], [180, "0"], [240, "2.5"]]},
            {"metric": {"organization": "globex", "channel": "phone"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "channel": ""}, "values": [[180.0, "4"], [181, "9"], [180.5, "9"], [300, "9"]]},
        ]),
    ));
    let expected = [
        "acme 60/1970-01-01T00:01:00Z 60 120 - 3",
        "acme 60/1970-01-01T00:02:00Z 120 180 - 0",
        "acme 60/1970-01-01T00:03:00Z 180 240 - 2.5",
        "globex 60/1970-01-01T00:02:00Z 120 180 - 4",
        "globex 60/1970-01-01T00:02:00Z/phone 120 180 phone 1",
    ];
    assert_eq!(
        (counted(&reading), said(&reading), reading.is_answer),
        (expected.map(str::to_owned).into(), vec![], true)
    );
}

#[test]
fn a_vector_is_one_bucket_and_of_what_is_held_the_present() {
    let answer = success("vector", &json!([{"metric": {"organization": "acme"}, "value": [180, "3"]}]));
    assert_eq!(counted(&read(&answer)), ["acme 60/1970-01-01T00:02:00Z 120 180 - 3"]);
    let answer = success(
        "vector",
        &json!([
            {"metric": {"organization": "acme"}, "value": [1700.123, "25"]},
            {"metric": {"organization": "acme", "channel": "site-a"}, "value": [1700.123, "2"]},
        ]),
    );
    let vector = MetricVector::read(answer.to_string().as_bytes()).unwrap();
    let reading = read_present(&vector, &organizations(), at(1701));
    let expected = ["acme present 1701 1701 - 25", "acme present/site-a 1701 1701 site-a 2"];
    assert_eq!((counted(&reading), said(&reading)), (expected.map(str::to_owned).into(), vec![]));
}

#[test]
fn a_bucket_counts_once_it_has_ended_by_all_clocks_and_from_the_first_on() {
    let series =
        json!([{"metric": {"organization": "acme"}, "values": [[60, "1"], [120, "2"], [180, "3"], [240, "4"]]}]);
    let reading = read_by(&success("matrix", &series), 239);
    assert_eq!(counted(&reading).len(), 2, "{reading:?}");
    let reading = read_by(&success("matrix", &series), 100);
    assert_eq!((counted(&reading).len(), reading.is_answer), (0, false));
}

#[rstest]
#[case::integer("3", Some("3"))]
#[case::fraction("0.1", Some("0.1"))]
#[case::arithmetic("0.30000000000000004", Some("0.3"))]
#[case::extrapolated("2.9999999999999996", Some("3"))]
#[case::nine_digits("1.123456789", Some("1.123456789"))]
#[case::ten_digits("1.1234567894", Some("1.123456789"))]
#[case::small("1e-07", Some("0.0000001"))]
#[case::tiny("1e-300", Some("0"))]
#[case::negative_zero("-0", Some("0"))]
#[case::large("123456789012345.67", Some("123456789012345.67"))]
#[case::fifteen_digits("999999999999999", Some("999999999999999"))]
#[case::sixteen_digits("1000000000000000", None)]
#[case::huge("1e+21", None)]
#[case::beyond("1.7976931348623157e+308", None)]
#[case::negative("-1", None)]
#[case::not_a_number("NaN", None)]
#[case::infinite("+Inf", None)]
#[case::minus_infinite("-Inf", None)]
#[case::empty("", None)]
#[case::garbage("three", None)]
fn a_number_is_an_amount_as_it_is_printed(#[case] value: &str, #[case] expected: Option<&str>) {
    let reading = read(&success(
        "vector",
        &json!([
            {"metric": {"organization": "acme"}, "value": [180, value]},
            {"metric": {"organization": "globex"}, "value": [180, "1"]},
        ]),
    ));
    let found = reading.registers.get("acme").map(|all| all[0].1.amount.to_string());
    assert_eq!(found.as_deref(), expected);
    let problem = format!(
        "there are values that are no amounts (a number from 0, of at most 15 digits before the point) for acme ({value:?}): those are left out"
    );
    assert_eq!(said(&reading), if expected.is_some() { vec![] } else { vec![problem] });
    assert_eq!(reading.registers["globex"].len(), 1);
}

#[test]
fn what_is_wrong_is_left_out_and_named_and_the_others_count() {
    let reading = read(&success(
        "matrix",
        &json!([
            {"metric": {"organization": "acme"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "instance": "a"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "instance": "b"}, "values": [[180, "2"]]},
            {"metric": {"organization": "globex", "channel": "phone", "instance": "a"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "channel": "phone", "instance": "b"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "channel": "E-Mail"}, "values": [[180, "1"]]},
            {"metric": {"organization": "globex", "channel": "chat"}, "histograms": [[180, {"count": "1", "sum": "1"}]]},
            {"metric": {}, "values": [[180, "1"]]},
            {"metric": {"organization": ""}, "values": [[180, "1"]]},
            {"metric": {"organization": "nobody\u{1b}[31m"}, "values": [[180, "1"]]},
        ]),
    ));
    assert_eq!(counted(&reading), ["acme 60/1970-01-01T00:02:00Z 120 180 - 1"]);
    assert_eq!(
        said(&reading),
        [
            "2 of the series have no label organization, and are left out: keep it in usage.prometheus.query, as with sum by (organization)",
            "no organization has the name \"nobody\\u{1b}[31m\": that is left out",
            "there is more than one series for globex, globex (phone): that is left out: aggregate in usage.prometheus.query, as with sum by (organization, channel)",
            "there are values of the label channel that can be no channel (at most 63 lower-case letters, digits and '-') for globex: those are left out",
            "there are values that are no amounts (a number from 0, of at most 15 digits before the point) for globex (a histogram): those are left out",
        ]
    );
}

#[test]
fn of_many_names_a_few_are_told() {
    let series =
        (0..1000).map(|number| json!({"metric": {"organization": format!("x{number:03}")}, "value": [180, "1"]}));
    let reading = read(&success("vector", &series.collect()));
    let told =
        "no organization has the name \"x000\", \"x001\", \"x002\", \"x003\", \"x004\" and 995 more: that is left out";
    assert_eq!((said(&reading)[0].as_str(), reading.is_answer), (told, false));
}

#[rstest]
#[case::unreadable(json!("<html>"), "the answer cannot be read: is it a Prometheus?")]
#[case::no_data(json!({"status": "success"}), "the answer cannot be read: is it a Prometheus?")]
#[case::no_series(success("vector", &json!([])), "the answer has no organization in it, so nothing of it counts: look whether what it is about is scraped, and at usage.prometheus.query")]
#[case::scalar(success("scalar", &json!([1, "2"])), "the query yields a scalar and no vector: write one with the label organization, such as sum by (organization) (increase(calls_total[$bucket]))")]
#[case::warned(
    json!({"status": "success", "warnings": ["PromQL info: metric might not be a counter", "store a:\n unavailable"], "data": {"resultType": "vector", "result": [{"metric": {"organization": "acme"}, "value": [180, "1"]}]}}),
    "the answer is not complete, so nothing of it counts: store a: unavailable"
)]
#[case::refused(
    json!({"status": "error", "errorType": "bad_data", "error": "1:5: parse error: unclosed left parenthesis"}),
    "Prometheus refuses the query: 1:5: parse error: unclosed left parenthesis: mend usage.prometheus.query"
)]
#[case::failed(
    json!({"status": "error", "errorType": "execution", "error": "too many samples"}),
    "Prometheus could not answer the query: too many samples"
)]
fn what_is_no_answer_changes_nothing(#[case] answer: Value, #[case] expected: &str) {
    let reading = read(&answer);
    assert_eq!((counted(&reading), said(&reading), reading.is_answer), (vec![], vec![expected.to_owned()], false));
}

#[test]
fn a_note_is_no_warning() {
    let mut answer = success("vector", &json!([{"metric": {"organization": "acme"}, "value": [180, "1"]}]));
    answer["warnings"] = json!(["PromQL info: metric might not be a counter, name does not end in _total"]);
    answer["infos"] = json!(["anything"]);
    assert_eq!((counted(&read(&answer)).len(), said(&read(&answer))), (1, vec![]));
}

#[rstest]
#[case(3600, "calls[1h] / 1h")]
#[case(7200, "calls[2h] / 2h")]
#[case(900, "calls[15m] / 15m")]
#[case(5400, "calls[90m] / 90m")]
#[case(86_400, "calls[24h] / 24h")]
#[case(61, "calls[61s] / 61s")]
fn the_length_of_a_bucket_stands_in_the_query(#[case] length: u32, #[case] expected: &str) {
    let rule = PrometheusRule { query: "calls[$bucket] / $bucket".into(), bucket: 1 };
    assert_eq!(rule.query_of(length), expected);
}

#[rstest]
#[case(5, None)]
#[case(-5, None)]
#[case(
    6,
    Some(
        "the clock of Prometheus is 6 s ahead of the operator's: set both by NTP; a bucket is asked for once it has ended by both"
    )
)]
#[case(-90, Some("the clock of Prometheus is 90 s behind the operator's: set both by NTP; a bucket is asked for once it has ended by both"))]
fn clocks_are_compared(#[case] difference: i64, #[case] expected: Option<&str>) {
    let problem = clocks_apart(at(1000 + difference), at(1000));
    assert_eq!(problem.map(|problem| problem.to_string()).as_deref(), expected);
}

#[test]
fn readings_together_say_each_thing_once() {
    let some = read(&success("vector", &json!([{"metric": {"organization": "acme"}, "value": [180, "1"]}])));
    let none = read(&success("vector", &json!([])));
    let both = some.clone().with(none.clone());
    assert_eq!((both.size(), both.is_answer, said(&both)), (1, true, vec![]));
    let neither = none.clone().with(none);
    assert_eq!(neither.problems, [PrometheusProblem::NoOrganization]);
}

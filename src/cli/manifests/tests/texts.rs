//! YAML and JSON as kubectl reads them. The expected values were compared with `kubectl create --dry-run=server`.

use super::{document, documents, text::chunks};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn plain_words_and_numbers_are_read_as_kubectl_reads_them() {
    for (written, expected) in [
        ("no", json!(false)),
        ("Yes", json!(true)),
        ("ON", json!(true)),
        ("y", json!(true)),
        ("yEs", json!("yEs")),
        ("\"no\"", json!("no")),
        ("true", json!(true)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("!!str 1", json!("1")),
        ("2026-01-01", json!("2026-01-01")),
        ("2026-01-01T00:00:00Z", json!("2026-01-01T00:00:00Z")),
        ("12:30:45", json!("12:30:45")),
        ("1.2.3", json!("1.2.3")),
        ("0x1F", json!(31)),
        ("0777", json!(511)),
        ("0o17", json!(15)),
        ("0b11", json!(3)),
        ("1_000", json!(1000)),
        ("+1", json!(1)),
        ("08", json!(8)),
        ("1.0", json!(1)),
        ("1e3", json!(1000)),
        ("-0.0", json!(0)),
        (".5", json!(0.5)),
        ("1.", json!(1)),
        ("1.5e-7", json!(1.5e-7)),
        ("1e18", json!(1_000_000_000_000_000_000_i64)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("-9223372036854775808", json!(-9_223_372_036_854_775_808_i64)),
        ("9223372036854775808", json!(9_223_372_036_854_776_000_u64)),
        ("1e19", json!(10_000_000_000_000_000_000_u64)),
        ("18446744073709551615", json!(18_446_744_073_709_552_000.0)),
        ("1e300", json!(1e300)),
    ] {
        assert_eq!(document(&format!("a: {written}\n")).to_value(), json!({ "a": expected }), "{written}");
    }
}

#[test]
fn names_of_fields_that_are_no_text_become_text_as_with_kubectl() {
    let read = document("y: 1\nNo: 2\n1: 3\n1.5: 4\n0x10: 5\n\"y\\u0061\": 6\nyEs: 7\n").to_value();
    assert_eq!(read, json!({"true": 1, "false": 2, "1": 3, "1.5": 4, "16": 5, "ya": 6, "yEs": 7}));
}

#[test]
fn aliases_and_merges_are_followed() {
    let read = document("a: &a {x: 1, y1: 2}\nb: *a\nc: {<<: *a, x: 3}\n").to_value();
    assert_eq!(read, json!({"a": {"x": 1, "y1": 2}, "b": {"x": 1, "y1": 2}, "c": {"x": 3, "y1": 2}}));
}

#[test]
fn documents_remember_where_they_stand() {
    let read = documents("# nothing\n---\na: 1\n---\n---\nb:\n  c: |\n    text\n...\n").unwrap();
    let lines: Vec<u32> = read.iter().map(|document| document.span.begin.line).collect();
    assert_eq!(lines, [3, 6]);
    let value = read[1].get("b").and_then(|b| b.get("c")).unwrap();
    let begin = value.span.begin;
    assert_eq!((value.text(), begin.line, begin.column), (Some("text\n"), 7, 6));
}

#[test]
fn json_documents_need_no_separator() {
    let read = documents("{\"a\": 1.0}\n{\n  \"b\": \"\\ud83d\\ude00\"\n}\n{}").unwrap();
    let values: Vec<Value> = read.iter().map(super::Node::to_value).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": "😀"}), json!({})]);
    assert_eq!(read[1].get("b").unwrap().span.begin.line, 3);
    assert_eq!(read[2].span.begin.line, 5);
}

#[test]
fn each_document_is_read_by_itself() {
    let written = "a: [1\n--- # second\nb: 2\n---\nc: |\n  ---\n  text\n--- \nd: 4\n--- {e: 5}\n---x: 6\n";
    let read: Vec<Result<Vec<Value>, (u32, String)>> = chunks(written)
        .into_iter()
        .map(|chunk| {
            let documents =
                super::text::read(chunk).map_err(|error| (error.span.unwrap().begin.line, error.message))?;
            Ok(documents.iter().map(super::Node::to_value).collect())
        })
        .collect();
    assert_eq!(
        read,
        [
            Err((1, "unclosed bracket '['".to_owned())),
            Ok(vec![json!({"b": 2})]),
            Ok(vec![json!({"c": "---\ntext\n"})]),
            Err((10, "kubectl takes nothing but a comment behind ---: write what follows in the next line".to_owned())),
        ]
    );
}

#[test]
fn what_kubectl_leaves_out_or_reads_otherwise_is_refused() {
    for (written, place, message) in [
        ("a: 1\n...\nb: 2\n", (3, 1), "kubectl leaves out what follows here: write --- in the line before it"),
        ("a: \"b\\/\"\n", (1, 4), "kubectl does not know \\/ within quotes: write / alone"),
        (
            "a: {x: 1, <<: {x: 2}}\n",
            (1, 11),
            "to kubectl, << overwrites the field \"x\" that stands before it: put << first",
        ),
        ("a: {<<: 1}\n", (1, 5), "<< takes an object, or a list of objects: put it in quotes if it is a name"),
        ("a: *b\n", (1, 4), "there is no &b before it that *b could stand for"),
        ("a: !!int x\n", (1, 10), "the tag does not fit what it stands before: remove it"),
        ("a: .nan\n", (1, 4), ".nan is a number that is not finite, which Kubernetes does not have"),
        (
            "-\ta: 1\n",
            (1, 2),
            "kubectl cannot read this: found character that cannot start any token while scanning for the next token",
        ),
        ("[0[!,", (1, 1), "what follows here cannot be read: write it in another way, such as without tags (!)"),
        (
            "a: {x: :x}\n",
            (1, 8),
            "kubectl cannot read this: did not find expected node content while parsing a flow node",
        ),
        ("1.23456789: a\n", (1, 1), "the name of a field must be a text: put it in quotes"),
    ] {
        let error = documents(written).unwrap_err();
        let found = error.span.map(|span| (span.begin.line, span.begin.column));
        assert_eq!((found, error.message.as_str()), (Some(place), message), "{written}");
    }
}

#[test]
fn a_text_need_not_end_its_last_line() {
    for (written, expected) in
        [("a: |\n  x", "x\n"), ("a: |-\n  é", "é"), ("a: >\n  x  ", "x  \n"), ("a: x", "x"), ("a: |+\n  x\n ", "x\n\n")]
    {
        assert_eq!(document(written).to_value(), json!({ "a": expected }), "{written:?}");
    }
    assert!(documents("a: \"\\").is_err());
}

#[test]
fn json_is_read_as_json() {
    let written = "{\"a\": \"\u{7f}\u{80}\u{fffe}\u{2028}\", \"b\"\n:\ttrue, \"c\": [9223372036854775808, 1e3, -0]}";
    assert_eq!(
        document(written).to_value(),
        json!({"a": "\u{7f}\u{80}\u{fffe}\u{2028}", "b": true, "c": [9_223_372_036_854_776_000_u64, 1000, 0]})
    );
    let place = |written: &str| documents(written).unwrap_err().span.map(|span| (span.begin.line, span.begin.column));
    assert_eq!(place("{\"ä\": [1,\n 1e400]}"), Some((2, 2)));
}

#[test]
fn places_count_from_the_beginning_of_the_text() {
    let read = documents("{\"é\": 1} {\"b\": [2]}\n{\"c\":\n 3}\n").unwrap();
    let places: Vec<(u32, u32)> = read
        .iter()
        .map(|document| document.fields()[0].value.span.begin)
        .map(|begin| (begin.line, begin.column))
        .collect();
    assert_eq!(places, [(1, 7), (1, 16), (3, 2)]);
    let read = documents("---\r\na: 1\r\n---\r\nb:\r\n  c: 2\r\n").unwrap();
    let begin = read[1].get("b").unwrap().get("c").unwrap().span.begin;
    assert_eq!((begin.line, begin.column), (5, 6));
}

#[test]
fn says_where_a_text_cannot_be_read() {
    let bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    for (written, place, message) in [
        ("a: 1\nb: 2\na: 3\n", (3, 1), "the field \"a\" is given twice: remove one of the two"),
        ("{\"a\": 1}\n{\"b\": 1, \"b\": 2}", (2, 10), "the field \"b\" is given twice: remove one of the two"),
        ("a:\n  - b: [1, 2\n", (2, 8), "unclosed bracket '['"),
        ("a: b: c", (1, 5), "mapping values are not allowed in this context"),
        ("? [a]\n: 1\n", (1, 3), "the name of a field must be a text: put it in quotes"),
    ] {
        let error = documents(written).unwrap_err();
        let found = error.span.map(|span| (span.begin.line, span.begin.column));
        assert_eq!((found, error.message.as_str()), (Some(place), message), "{written}");
    }
    let error = documents(bomb).unwrap_err();
    assert_eq!(error.message, "its aliases (*name) stand for more than 100000 values: write fewer");
    assert!(documents(&format!("{}1{}", "[".repeat(127), "]".repeat(127))).is_ok());
    let deep = documents(&"[".repeat(5000)).unwrap_err();
    assert_eq!(deep.message, "it is nested more than 127 levels deep: nest less");
    assert!(documents(&"- ".repeat(5000)).is_err());
    assert!(documents("a: .inf").is_err());
}

proptest! {
    #[test]
    fn never_panics(written in "[a-c:\\[\\]{}&*!|>'\"#\\-,? \n\t0-9.]{0,60}") {
        let _ = documents(&written);
    }

    #[test]
    fn whole_doubles_and_whole_numbers_are_one(whole in any::<i32>()) {
        prop_assert_eq!(document(&format!("a: {whole}.0")).to_value(), json!({ "a": whole }));
    }

    #[test]
    fn reads_the_json_that_serde_writes(texts in prop::collection::btree_map("\\PC{0,8}", "[ -~\n\t]{0,12}", 0..4)) {
        let value = json!(texts);
        prop_assert_eq!(document(&format!("{{\"a\": {value}}}")).to_value(), json!({ "a": value }));
    }
}

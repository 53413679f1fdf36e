//! What `toyaml` writes: plain where no reader takes it for anything but a text.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value, json};

use super::render;

fn yaml(value: &Value) -> String {
    render("{{ value | toyaml }}", &json!({ "value": value })).unwrap()
}

#[rstest]
#[case("gold")]
#[case("Acme Ltd")]
#[case("https://example.com/a?b=1#c")]
#[case("a-b_c.d")]
#[case("0 3 * * *")]
#[case("53/udp")]
#[case("30m")]
#[case("/var/lib")]
#[case("$HOME")]
#[case("(none)")]
#[case("it's")]
#[case("grün")]
#[case("nobody")]
#[case("e1a")]
#[case("y-n")]
#[case("None")]
#[case("Infinity")]
fn goes_without_quotes(#[case] text: &str) {
    assert_eq!(yaml(&json!(text)), text);
}

#[rstest]
#[case("")]
#[case(" a")]
#[case("a ")]
#[case("-_")]
#[case("+_")]
#[case("-")]
#[case("_")]
#[case("._")]
#[case("1_000")]
#[case("0o7")]
#[case("0x_")]
#[case("017")]
#[case("0b11")]
#[case("12:30")]
#[case("12:30:45")]
#[case("190:20:30.15")]
#[case("2001-12-14")]
#[case("2001-12-14 21:59:43 -5")]
#[case("123e4567")]
#[case("e1")]
#[case("E-_")]
#[case("10.0.0.1")]
#[case("1.5")]
#[case("30d")]
#[case(".inf")]
#[case("NaN")]
#[case("=")]
#[case("<<")]
#[case("~")]
#[case("y")]
#[case("N")]
#[case("yes")]
#[case("Off")]
#[case("TRUE")]
#[case("Null")]
#[case("a: b")]
#[case("a:")]
#[case("a #b")]
#[case("#a")]
#[case("- a")]
#[case("? a")]
#[case("!a")]
#[case("&a")]
#[case("*a")]
#[case("[a]")]
#[case("{a}")]
#[case("|")]
#[case(">")]
#[case("%a")]
#[case("@a")]
#[case("`a`")]
#[case("'a'")]
#[case("---")]
#[case("...")]
fn is_quoted(#[case] text: &str) {
    assert_eq!(yaml(&json!(text)), format!("\"{text}\""));
    assert_eq!(yaml(&json!({text: text})), format!("\"{text}\": \"{text}\""));
}

#[rstest]
#[case(json!({"a": "b\nc\n\nd"}), "a: |-\n  b\n  c\n\n  d")]
#[case(json!({"a": {"b": ["c\nd"]}}), "a:\n  b:\n  - |-\n    c\n    d")]
#[case(json!("a\nb"), "|-\n  a\n  b")]
#[case(json!({"a": "b\n"}), r#"a: "b\n""#)]
#[case(json!({"a": " b\nc"}), r#"a: " b\nc""#)]
#[case(json!({"a": "b \nc"}), r#"a: "b \nc""#)]
#[case(json!({"a": "b\n---\nc"}), r#"a: "b\n---\nc""#)]
#[case(json!({"a": "b\r\nc"}), r#"a: "b\r\nc""#)]
#[case(json!({"a": "\tb"}), r#"a: "\tb""#)]
#[case(json!({"example.com/team": "a", "a b": 1, "1": 2, "null": 3}), "\"1\": 2\n\"a b\": 1\nexample.com/team: a\n\"null\": 3")]
#[case(json!({"a": [[1, 2], [], {}, {"b": null, "c": true}]}), "a:\n- - 1\n  - 2\n- []\n- {}\n- b: null\n  c: true")]
#[case(json!([1e300, 1.5, -3, 1e-7]), "- 1.0e+300\n- 1.5\n- -3\n- 1.0e-7")]
fn lays_out(#[case] value: Value, #[case] expected: &str) {
    assert_eq!(yaml(&value), expected);
}

fn text() -> impl Strategy<Value = String> {
    let special =
        "aeny019 \t\n\r\0#:-?'\"\\|>%@`&*![]{},~=<.+_$/(\u{85}\u{2028}\u{feff}é😀".chars().collect::<Vec<_>>();
    proptest::collection::vec(prop_oneof![6 => prop::sample::select(special), 1 => any::<char>()], 0..12)
        .prop_map(String::from_iter)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn is_read_as_what_it_was(value in value()) {
        prop_assert_eq!(serde_saphyr::from_str::<Value>(&yaml(&value)).unwrap(), value);
    }

    /// Indented, as a part of a document.
    #[test]
    fn is_read_as_what_it_was_within_a_document(value in value()) {
        let document = render("a:\n  {{ value | toyaml | indent(2) }}\nb: 1\n", &json!({ "value": value })).unwrap();
        prop_assert_eq!(serde_saphyr::from_str::<Value>(&document).unwrap(), json!({"a": value, "b": 1}));
    }
}

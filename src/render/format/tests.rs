//! What each format writes, and what it refuses, worked out by hand.

mod round_trips;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{FacetValues, Format, FormatError, Obstacle, keys};

const FORMATS: [Format; 5] = [Format::Env, Format::Json, Format::Yaml, Format::Toml, Format::Properties];

fn facets(values: Value) -> FacetValues {
    serde_json::from_value(values).unwrap()
}

fn one(value: impl Into<Value>) -> FacetValues {
    facets(json!({"f": {"x": value.into()}}))
}

fn rendered(format: Format, values: Value) -> String {
    format.render(&facets(values)).unwrap()
}

fn refused(format: Format, values: Value) -> String {
    format.render(&facets(values)).unwrap_err().to_string()
}

fn obstacle(error: &FormatError) -> Obstacle {
    match error {
        FormatError::Unwritable { obstacle, .. } => *obstacle,
        other => panic!("{other} is no obstacle"),
    }
}

#[test]
fn no_facets_and_empty_facets() {
    let expected = [
        (Format::Env, "", ""),
        (Format::Json, "{}\n", "{\n  \"f\": {}\n}\n"),
        (Format::Yaml, "{}\n", "f: {}\n"),
        (Format::Toml, "", "[f]\n"),
        (Format::Properties, "", ""),
    ];
    for (format, without_facets, with_an_empty_one) in expected {
        assert_eq!(rendered(format, json!({})), without_facets, "{format}");
        assert_eq!(rendered(format, json!({"f": {}})), with_an_empty_one, "{format}");
    }
    assert_eq!(keys(&facets(json!({"f": {}}))), Ok(BTreeMap::new()));
}

#[test]
fn variables_are_named_by_facet_and_field() {
    let values = json!({
        "rate-limit": {"requestsPerSecond": 5, "burst": {"size": 7, "none": {}}, "Größe": 1, "": 2},
        "s3": {"bucket.name": "b", "😀": true, "absent": null},
    });
    let expected = "RATE_LIMIT_=2\nRATE_LIMIT_BURST_SIZE=7\nRATE_LIMIT_GR__E=1\nRATE_LIMIT_REQUESTSPERSECOND=5\n\
                    S3_BUCKET_NAME=b\nS3__=true\n";
    assert_eq!(rendered(Format::Env, values.clone()), expected);
    let lines: Vec<_> =
        keys(&facets(values)).unwrap().into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    assert_eq!(lines.concat(), expected);
}

#[test]
fn the_three_spellings_of_env() {
    let expected = [
        ("", ""),
        ("a/b:c,d@e%f+g=h-i_j.k", "a/b:c,d@e%f+g=h-i_j.k"),
        (" a ", "' a '"),
        ("a#b", "'a#b'"),
        ("~", "'~'"),
        ("a\n\tb\n", "'a\n\tb\n'"),
        (r#"say "$HOME" `id`"#, r#"'say "$HOME" `id`'"#),
        (r"C:\new", r"'C:\new'"),
        ("${a", "'${a'"),
        ("${a:b}", "'${a:b}'"),
        ("\u{feff}\u{200f}é😀\u{2028}", "'\u{feff}\u{200f}é😀\u{2028}'"),
        ("it's", "\"it's\""),
        ("it's 5$, or 6$", "\"it's 5$, or 6$\""),
    ];
    for (text, spelling) in expected {
        assert_eq!(Format::Env.render(&one(text)), Ok(format!("F_X={spelling}\n")), "{text:?}");
    }
}

#[test]
fn env_refuses_what_has_no_common_spelling() {
    let expected = [
        ("a\0b", Obstacle::Nul),
        ("a\r\nb", Obstacle::CarriageReturn),
        ("a ${HOME} b", Obstacle::Interpolation),
        ("${}", Obstacle::Interpolation),
        ("${a:-b}", Obstacle::Interpolation),
        ("${a:b}${c}", Obstacle::Interpolation),
        (r"\\server", Obstacle::Backslash),
        (r"C:\", Obstacle::Backslash),
        (r#"it's "this""#, Obstacle::Quotes),
        ("it's `this`", Obstacle::Quotes),
        ("it's $5", Obstacle::Quotes),
        ("it's $é", Obstacle::Quotes),
        ("it's $[1]", Obstacle::Quotes),
        (r"it's \new", Obstacle::Quotes),
        (r"it's \d", Obstacle::Quotes),
        ("it's $$", Obstacle::Quotes),
        ("it's \\\nthis", Obstacle::Quotes),
    ];
    for (text, expected) in expected {
        let error = Format::Env.render(&one(text)).unwrap_err();
        assert_eq!(obstacle(&error), expected, "{text:?}");
    }
}

#[test]
fn lists_are_compact_json_that_env_can_always_write() {
    let values = json!({"f": {"x": [1, "it's", {"b": null, "a": [true]}, r"\\x\", "${y} $z", "\r\0"]}});
    assert_eq!(
        rendered(Format::Env, values.clone()),
        r#"F_X='[1,"it\u0027s",{"a":[true],"b":null},"\u005c\u005cx\u005c","\u0024{y} $z","\r\u0000"]'"#.to_owned()
            + "\n"
    );
    assert_eq!(
        keys(&facets(values)).unwrap()["F_X"],
        r#"[1,"it's",{"a":[true],"b":null},"\\\\x\\","${y} $z","\r\u0000"]"#
    );
    assert_eq!(rendered(Format::Env, json!({"f": {"x": []}})), "F_X='[]'\n");
}

#[test]
fn numbers_are_those_of_json() {
    let values = json!({"f": {"a": u64::MAX, "b": i64::MIN, "c": 1.0, "d": -2.5, "e": 1.5e-9}});
    assert_eq!(
        rendered(Format::Env, values.clone()),
        "F_A=18446744073709551615\nF_B=-9223372036854775808\nF_C=1.0\nF_D=-2.5\nF_E=1.5e-9\n"
    );
    assert_eq!(
        rendered(Format::Properties, values.clone()),
        "f.a=18446744073709551615\nf.b=-9223372036854775808\nf.c=1.0\nf.d=-2.5\nf.e=1.5e-9\n"
    );
    assert_eq!(
        rendered(Format::Yaml, values),
        "f:\n  a: 18446744073709551615\n  b: -9223372036854775808\n  c: 1.0\n  d: -2.5\n  \"e\": 1.5e-9\n"
    );
    assert_eq!(
        rendered(Format::Yaml, json!({"f": {"x": [1e300, -2e-300]}})),
        "f:\n  x:\n    - 1.0e+300\n    - -2.0e-300\n"
    );
}

#[test]
fn two_fields_of_one_name_are_refused() {
    let values = json!({"a": {"b-c": 1, "b": {"c": 2}}});
    assert_eq!(
        refused(Format::Env, values.clone()),
        "Env: a.b.c and a.b-c would both be called A_B_C: rename one of the two fields, or write their facets in \
         separate items"
    );
    assert_eq!(
        keys(&facets(values)).unwrap_err().to_string(),
        "Keys: a.b.c and a.b-c would both be called A_B_C: rename one of the two fields, or write their facets in \
         separate items"
    );
    assert_eq!(
        refused(Format::Env, json!({"a": {"b-c": 1}, "a-b": {"c": [2]}})),
        "Env: a.b-c and a-b.c would both be called A_B_C: rename one of the two fields, or write their facets in \
         separate items"
    );
    assert_eq!(
        refused(Format::Properties, json!({"a": {"b.c": 1, "b": {"c": 2, "d": null}, "b.d": 3}})),
        "Properties: a.b.c and a.\"b.c\" would both be called a.b.c: rename one of the two fields, or write their \
         facets in separate items"
    );
}

#[test]
fn what_is_left_out_takes_no_name() {
    let values = json!({"a": {"b-c": 1, "b_c": null, "b": {"c": {}}}});
    assert_eq!(rendered(Format::Env, values), "A_B_C=1\n");
}

#[test]
fn a_data_key_has_at_most_253_characters() {
    let longest = "x".repeat(251);
    let data = keys(&facets(json!({"f": {longest.clone(): 1}}))).unwrap();
    assert_eq!(data.keys().map(String::len).collect::<Vec<_>>(), [253]);
    let error = keys(&facets(json!({"f": {longest + "x": 1}}))).unwrap_err();
    assert!(matches!(error, FormatError::NameTooLong { length: 254, .. }));
}

#[test]
fn keys_hold_every_text_but_nul() {
    let text = "\r\n'\"`${HOME}\\\\ ";
    assert_eq!(keys(&one(text)).unwrap()["F_X"], text);
    assert_eq!(
        keys(&one("a\0")).unwrap_err().to_string(),
        "Keys: f.x holds a NUL character, which no environment variable can: use Json"
    );
}

#[test]
fn yaml_quotes_every_text_and_every_key_that_some_reader_resolves() {
    let values = json!({
        "on": {"e1": "e1", "E": 1, "edge": "no", "-_": null, "17": false, "<<": "a\u{85}\u{feff}\"\\\u{7}é😀"},
        "plain": {"a-b_1": [[], {}, [[1], {"b": {"c": []}, "d": 2}]]},
    });
    let expected = r#""on":
  "-_": null
  "17": false
  "<<": "a\u0085\ufeff\"\\\u0007é😀"
  "E": 1
  "e1": "e1"
  edge: "no"
plain:
  a-b_1:
    - []
    - {}
    - - - 1
      - b:
          c: []
        d: 2
"#;
    assert_eq!(rendered(Format::Yaml, values), expected);
}

#[test]
fn yaml_gives_long_keys_a_line_of_their_own() {
    let key = "k".repeat(1001);
    let values = json!({"f": {key.clone(): 1}, "g": {key.clone(): {"a": 1}}});
    assert_eq!(rendered(Format::Yaml, values), format!("f:\n  ? \"{key}\"\n  : 1\ng:\n  ? \"{key}\"\n  :\n    a: 1\n"));
}

#[test]
fn toml_leaves_null_out_and_refuses_what_it_has_no_value_for() {
    let values = json!({"f": {"a": null, "b": [{"c": null, "d": 1}], "e": {"g": null}, "z": "2024-01-01"}});
    assert_eq!(rendered(Format::Toml, values), "[f]\nz = \"2024-01-01\"\n\n[[f.b]]\nd = 1\n\n[f.e]\n");
    assert_eq!(
        refused(Format::Toml, json!({"f": {"b": [1, {"c": [null]}]}})),
        "Toml: f.b[1].c[0] is null within a list, and TOML has no null: use Json or Yaml"
    );
}

#[test]
fn toml_has_no_whole_number_beyond_64_bits_however_it_is_written() {
    let read = |number: &str| serde_json::from_str::<FacetValues>(&format!(r#"{{"f": {{"b": {number}}}}}"#)).unwrap();
    for (number, written) in [
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9007199254740993", "9007199254740993"),
        ("9.2e18", "9.2e18"),
        ("1e300", ""),
        ("9223372036854775808", ""),
        ("18446744073709551615", ""),
        ("18446744073709551616", ""),
        ("9.3e18", ""),
        ("-9223372036854775809", ""),
        ("-1e19", ""),
        ("2.5", "2.5"),
        ("1e-300", "1e-300"),
    ] {
        let rendered = Format::Toml.render(&read(number));
        if written.is_empty() {
            assert_eq!(
                rendered.unwrap_err().to_string(),
                "Toml: f.b is beyond the whole numbers of TOML, which go from -9223372036854775808 to 9223372036854775807: use Json or Yaml",
                "{number}"
            );
            continue;
        }
        let text = rendered.unwrap();
        let value = text.strip_prefix("[f]\nb = ").unwrap().trim_end();
        assert_eq!(value.parse::<f64>(), written.parse::<f64>(), "{number}: {text}");
        assert_eq!(value.contains('.'), written.contains(['.', 'e']), "{number}: {text}");
    }
}

#[test]
fn properties_are_escaped_ascii() {
    let values = json!({"f": {
        "a b:c=d#e!f\\g": "  a b:c=d#e!\\g ",
        "é": {"😀": "\t\n\r\u{c}\0\u{7f}\u{feff}é😀"},
        "list": ["é", {"b": null, "a": 1}],
    }});
    let expected = r#"f.a\ b\:c\=d\#e\!f\\g=\  a b:c=d#e!\\g 
f.list=["\u00e9",{"a":1,"b":null}]
f.\u00e9.\ud83d\ude00=\t\n\r\f\u0000\u007f\ufeff\u00e9\ud83d\ude00
"#;
    assert_eq!(rendered(Format::Properties, values), expected);
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    // Would differ if a dependency turned on serde_json's `preserve_order`.
    let forward = r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": {"g": 4}}"#;
    let backward = r#"{"f": {"g": 4}, "a": {"e": 3, "b": {"d": 2, "c": 1}}}"#;
    for format in FORMATS {
        let [first, second] = [forward, backward].map(|input| {
            let values: FacetValues = serde_json::from_str(input).unwrap();
            format.render(&values).unwrap()
        });
        assert_eq!(first, second, "{format}");
    }
}

#[test]
fn errors_name_the_field_and_never_the_value() {
    let secret = "hunter2'\"\0\r${hunter2}";
    for format in FORMATS {
        if let Err(error) = format.render(&one(secret)) {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("f.x"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
    let shown = format!("{:?}", keys(&one(secret)).unwrap_err());
    assert!(!shown.contains("hunter2"), "{shown}");
}

//! Which facet fields a template could read: that ordinary templates are told apart, and that none is overlooked.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rstest::rstest;
use serde_json::{Value, json};

use super::super::{Template, TemplateContext};
use super::{context, render};

#[rstest]
#[case::text("a", "")]
#[case::other_names("{{ organization.name }}{{ x.facets.a.b }}", "")]
#[case::raw("{% raw %}{{ facets }}{% endraw %}{# {{ facets }} #}", "")]
#[case::text_with_the_word("facets {{ 'facets.db.password' }}", "")]
#[case::field("{{ facets.db.user }}", "1:4 db.user")]
#[case::lines("\n\n  a: {{ facets.db.user }}", "3:9 db.user")]
#[case::subscript("{{ facets[\"db\"]['user'] }}", "1:4 db.user")]
#[case::deep("{{ facets.db.pool.size }}{{ facets.db.hosts[0].name }}", "1:4 db.pool, 1:29 db.hosts")]
#[case::filtered("{{ facets.db.user | default('x') | upper }}", "1:4 db.user")]
#[case::argument("{{ 'x' | replace('x', facets.db.user) }}", "1:23 db.user")]
#[case::option("{{ [] | map(attribute='x', default=facets.db.user) }}", "1:36 db.user")]
#[case::slice("{{ facets.db.user[1:facets.db.size] }}", "1:4 db.user, 1:21 db.size")]
#[case::computed(
    "{{ -facets.db.a + 1 ~ (facets.db.b if facets.db.c else facets.db.d) }}",
    "1:5 db.a, 1:24 db.b, 1:39 db.c, 1:56 db.d"
)]
#[case::compared(
    "{{ facets.db.a == 1 and not facets.db.b in [facets.db.c, {'k': facets.db.d}] }}",
    "1:4 db.a, 1:29 db.b, 1:45 db.c, 1:64 db.d"
)]
#[case::loop_over_a_field(
    "{% for h in facets.db.hosts if h != facets.db.user %}{{ h.name }}{% else %}{{ facets.db.b }}{% endfor %}",
    "1:13 db.hosts, 1:37 db.user, 1:79 db.b"
)]
#[case::set("{% set user = facets.db.user %}{{ user }}", "1:15 db.user")]
#[case::with("{% with user = facets.db.user %}{{ user }}{% endwith %}", "1:16 db.user")]
#[case::set_block("{% set x | default(facets.db.a) %}{{ facets.db.b }}{% endset %}", "1:20 db.a, 1:38 db.b")]
#[case::filter_block("{% filter replace('a', facets.db.a) %}{{ facets.db.b }}{% endfilter %}", "1:24 db.a, 1:42 db.b")]
#[case::macro_(
    "{% macro m(a=facets.db.a) %}{{ facets.db.b }}{% endmacro %}{{ m(facets.db.c) }}",
    "1:14 db.a, 1:32 db.b, 1:65 db.c"
)]
#[case::presence("{% if facets.db is defined and facets is defined %}{{ facets.db.user }}{% endif %}", "1:55 db.user")]
#[case::presence_of_a_field("{{ facets.db.user is defined }}", "1:4 db.user")]
#[case::whole_facet("{{ facets.db | tojson }}", "1:4 db.*")]
#[case::facet_set("{% set db = facets.db %}{{ db.user }}", "1:13 db.*")]
#[case::facet_given("{{ m(facets.db) }}{% macro m(db) %}{{ db.user }}{% endmacro %}", "1:6 db.*")]
#[case::facet_looped("{% for key, value in facets.db | items %}{% endfor %}", "1:22 db.*")]
#[case::facet_in_a_list("{{ [facets.db] | map(attribute='password') | first }}", "1:5 db.*")]
#[case::facet_tested("{{ facets.db is mapping }}", "1:4 db.*")]
#[case::computed_field("{{ facets.db[organization.name] }}", "1:4 db.*")]
#[case::computed_field_of_constants("{{ facets.db['pass' ~ 'word'] }}", "1:4 db.*")]
#[case::sliced("{{ facets.db[:] }}", "1:4 db.*")]
#[case::number("{{ facets.db[0] }}{{ facets.0 }}", "1:4 db.*, 1:22 *")]
#[case::in_parentheses("{{ (facets).db.user }}", "1:5 db.user")]
#[case::whole("{{ facets | tojson }}", "1:4 *")]
#[case::whole_set("{% set f = facets %}{{ f.db.user }}", "1:12 *")]
#[case::shadowed("{% with facets = facets %}{{ facets.db.user }}{% endwith %}", "1:18 *, 1:30 db.user")]
#[case::set_to_itself("{% set facets = facets.db %}{{ facets.user }}", "1:17 db.*, 1:32 user.*")]
#[case::computed_facet("{{ facets[organization.name].user }}", "1:4 *")]
#[case::looped("{% for name in facets %}{{ facets[name] | tojson }}{% endfor %}", "1:16 *, 1:28 *")]
#[case::chosen("{{ (facets if true else organization).db.user }}", "1:5 *")]
fn references(#[case] source: &str, #[case] expected: &str) {
    let template = Template::compile(source).unwrap();
    let shown = template.facet_references().iter().map(|reference| {
        let place = format!("{}:{}", reference.location().line, reference.location().column);
        match (reference.facet(), reference.field()) {
            (Some(facet), field) => format!("{place} {facet}.{}", field.unwrap_or("*")),
            (None, _) => format!("{place} *"),
        }
    });
    assert_eq!(shown.collect::<Vec<_>>().join(", "), expected);
}

#[rstest]
#[case("{{ facets.db.user }}", None)]
#[case("{{ facets.backup.password }}", None)]
#[case("a\n{{ facets.db.password }}", Some("line 2, column 4: facets.db.password"))]
#[case("{{ facets.db | tojson }}", Some("line 1, column 4: any field of facets.db"))]
#[case("{{ facets | tojson }}", Some("line 1, column 4: any field of any facet"))]
fn finds_what_reads_a_field(#[case] source: &str, #[case] expected: Option<&str>) {
    let template = Template::compile(source).unwrap();
    let found = template.facet_references().reading("db", "password").map(ToString::to_string);
    assert_eq!(found.as_deref(), expected);
}

/// Names and constants to build expressions from.
const LEAVES: [&str; 20] = [
    "facets",
    "facets.db",
    "facets.db.user",
    "facets['db'].password",
    "facets.db['password']",
    "facets.backup",
    "facets.backup.labels",
    "facets.backup.hosts",
    "facets[organization.name]",
    "organization",
    "organization.name",
    "x",
    "y",
    "item",
    "'db'",
    "'password'",
    "1",
    "0",
    "'p'",
    "loop.index0",
];

/// Expressions around one or two others; `A` and `B` stand for them.
const AROUND: [&str; 45] = [
    "A.db",
    "A.password",
    "A.user",
    "A[B]",
    "A['db']",
    "A['password']",
    "A[0]",
    "A[:3]",
    "A[-4:]",
    "[A, B]",
    "{'db': A, 'k': B}",
    "(A, B)",
    "A ~ B",
    "A + B",
    "A * B",
    "A == B",
    "A != B",
    "A < B",
    "A in B",
    "A not in B",
    "not A",
    "A and B",
    "A or B",
    "A if B else 'n'",
    "1 if A else B",
    "A | tojson",
    "A | toyaml",
    "A | items",
    "A | default(B)",
    "A | default(B, true)",
    "A | first",
    "A | last",
    "A | length",
    "A | join(',')",
    "A | map(attribute='password', default=B)",
    "A | reverse",
    "A | b64encode",
    "A | sha256",
    "A | upper",
    "A | replace('p', B)",
    "A | sort",
    "A is defined",
    "A is string",
    "m(A)",
    "m(x=A)",
];

fn expression() -> impl Strategy<Value = String> {
    prop::sample::select(&LEAVES[..]).prop_map(str::to_owned).prop_recursive(4, 12, 2, |inner| {
        let parts = (prop::sample::select(&AROUND[..]), inner.clone(), inner);
        parts.prop_map(|(shape, a, b)| {
            let part = |letter| match letter {
                'A' => format!("({a})"),
                'B' => format!("({b})"),
                other => other.to_string(),
            };
            shape.chars().map(part).collect()
        })
    })
}

/// Statements around an expression `A` and a body `B`.
const STATEMENTS: [&str; 16] = [
    "{{ A }}",
    "{{ A | tojson }}",
    "{{ A | default('n') | tojson }}",
    "{% set x = A %}B",
    "{% set y = A %}B{{ y | tojson }}",
    "{% set facets = A %}B",
    "{% set x, y = A, A %}B",
    "{% with x = A %}B{% endwith %}",
    "{% with facets = A, y = facets %}B{% endwith %}",
    "{% for item in A %}{{ item | tojson }}B{% endfor %}",
    "{% for x, item in A | items %}{{ item | tojson }}B{% endfor %}",
    "{% for item in [1, 2] if A %}{{ item }}B{% else %}B{% endfor %}",
    "{% if A %}yesB{% else %}noB{% endif %}",
    "{% set x %}B{{ A }}{% endset %}{{ x | upper }}",
    "{% filter replace('p', A) %}B p{% endfilter %}",
    "{% macro m(x, y=A) %}B{{ x | tojson }}{{ y | tojson }}{% endmacro %}{{ m(facets.db.user) }}",
];

fn template() -> impl Strategy<Value = String> {
    Just(String::new()).prop_recursive(3, 8, 2, |body| {
        let parts = (prop::sample::select(&STATEMENTS[..]), expression(), body.clone(), body);
        parts.prop_map(|(shape, a, b, after)| {
            let part = |letter| match letter {
                'A' => a.clone(),
                'B' => b.clone(),
                other => other.to_string(),
            };
            shape.chars().map(part).collect::<String>() + &after
        })
    })
}

const PLANTED: &str = "pLanted-vaLue";

/// The context with another value in one field, or without the field.
fn with([facet, field]: [&str; 2], value: Option<Value>) -> Value {
    let mut context = context();
    context["organization"]["name"] = json!("db");
    let fields = context["facets"][facet].as_object_mut().unwrap();
    fields.remove(field);
    fields.extend(value.map(|value| (field.to_owned(), value)));
    context
}

const FIELDS: [[&str; 2]; 5] =
    [["db", "password"], ["db", "user"], ["backup", "hosts"], ["backup", "labels"], ["backup", "note"]];

/// Whatever changes with a field, be it the text or the error, is said to read that field: what is not said to read
/// one stays the same for values of every type, and without one. (An error's list of the names that do
/// exist changes with them, so of errors the kind and the place are compared.)
#[test]
fn no_reading_is_overlooked() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() });
    let source = "{% macro m(x, y='-') %}{{ x | tojson }}{{ y }}{% endmacro %}";
    let templates = template().prop_map(|body| source.to_owned() + &body);
    let result = runner.run(&templates, |source| {
        let Ok(template) = Template::compile(&source) else {
            return Ok(());
        };
        for field in FIELDS {
            let mut values = vec![None];
            values.extend(
                [json!(PLANTED), json!("x"), json!(["p"]), json!({"password": "p"}), json!(null), json!(7)].map(Some),
            );
            if template.facet_references().reading(field[0], field[1]).is_none() {
                let results =
                    values.into_iter().map(|value| template.render(&TemplateContext::new(&with(field, value))));
                let results =
                    results.map(|result| result.map_err(|error| (error.kind(), error.location()))).collect::<Vec<_>>();
                prop_assert!(results.iter().all(|result| *result == results[0]), "{field:?} {results:?}");
            }
        }
        Ok(())
    });
    assert_eq!(result, Ok(()));
}

/// Errors name names, never values.
#[test]
fn no_error_holds_a_value() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&template(), |source| {
        let Err(error) = render(&source, &with(["db", "password"], Some(json!(PLANTED)))) else {
            return Ok(());
        };
        let shown = format!("{error} {error:?}").to_lowercase();
        prop_assert!(!shown.contains(&PLANTED.to_lowercase()), "{shown}");
        Ok(())
    });
    assert_eq!(result, Ok(()));
}

/// Any text at all is read or refused, without a panic.
#[test]
fn no_source_panics() {
    let pieces = prop::collection::vec(
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "{%-",
            "-%}",
            " ",
            "\n",
            "a",
            "facets",
            ".",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            ",",
            ":",
            "|",
            "~",
            "+",
            "-",
            "*",
            "**",
            "/",
            "//",
            "%",
            "==",
            "<",
            "=",
            "'",
            "\"",
            "\\",
            "ä",
            "if",
            "else",
            "elif",
            "endif",
            "for",
            "in",
            "endfor",
            "set",
            "endset",
            "macro",
            "endmacro",
            "with",
            "endwith",
            "filter",
            "endfilter",
            "raw",
            "endraw",
            "is",
            "not",
            "defined",
            "upper",
            "1",
            "1.5",
            "1e9",
            "0x",
            "none",
            "loop",
            "include",
            "call",
            "endcall",
            "recursive",
            "'x'",
        ]),
        0..40,
    );
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&pieces, |pieces| {
        let source = pieces.concat();
        let spaced = pieces.join(" ");
        let tag = format!("{{{{ {spaced} }}}}{{% {spaced} %}}");
        for source in [source, spaced, tag] {
            let _ = render(&source, &context());
        }
        Ok(())
    });
    assert_eq!(result, Ok(()));
}

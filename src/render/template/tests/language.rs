//! What templates give.

use rstest::rstest;

use super::super::{Template, TemplateContext};
use super::{context, render};

#[rstest]
#[case::text("a\nb\n", "a\nb\n")]
#[case::crlf("a\r\n", "a\r\n")]
#[case::no_escaping("{{ '<&>' }}", "<&>")]
#[case::boolean("{{ facets.backup.encrypted }} {{ 1 > 2 }}", "true false")]
#[case::numbers("{{ facets.backup.retention }} {{ facets.backup.ratio }} {{ 1.0 }}", "30 2.5 1.0")]
#[case::subscript("{{ facets['backup'][\"schedule\"] }}", "0 3 * * *")]
#[case::index("{{ facets.backup.hosts[0] }}{{ facets.backup.hosts[-2] }}", "ba")]
#[case::condition("{% if facets.backup.retention > 7 %}long{% elif true %}short{% else %}none{% endif %}", "long")]
#[case::choice("{{ 'a' if facets.backup.encrypted else 'b' }}{{ 'c' if 1 > 2 }}", "a")]
#[case::or("{{ facets.backup.note or 'none' }}{{ 0 or '' or 'x' }}{{ 1 and 'y' }}", "nonexy")]
#[case::not("{{ not facets.backup.encrypted }}", "false")]
#[case::loop_(
    "{% for host in facets.backup.hosts %}{{ loop.index }}{{ host }}{% if not loop.last %},{% endif %}{% endfor %}",
    "1b,2a,3b"
)]
#[case::loop_if("{% for host in facets.backup.hosts if host == 'b' %}{{ loop.index }}{% endfor %}", "12")]
#[case::loop_else("{% for x in [] %}a{% else %}b{% endfor %}", "b")]
#[case::loop_pairs(
    "{% for key, value in facets.backup.labels | items %}{{ key }}={{ value }};{% endfor %}",
    "area=eu;tier=gold;"
)]
#[case::loop_scope("{% set x = 1 %}{% for y in [1, 2] %}{% set x = x + y %}{{ x }}{% endfor %}{{ x }}", "231")]
#[case::set("{% set s = facets.backup.schedule %}{{ s }}", "0 3 * * *")]
#[case::set_block("{% set s | upper %}a{{ 1 }}{% endset %}{{ s }}", "A1")]
#[case::set_several("{% set a, b = 1, 2 %}{{ a }}{{ b }}", "12")]
#[case::with("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "3")]
#[case::filter_block("{% filter indent(2, first=true) %}a\nb{% endfilter %}", "  a\n  b")]
#[case::macro_(
    "{% macro line(key, value='-') %}{{ key }}={{ value }};{% endmacro %}{{ line('a') }}{{ line('b', 2) }}{{ line(value=3, key='c') }}",
    "a=-;b=2;c=3;"
)]
#[case::raw("{% raw %}{{ x }}{% endraw %}", "{{ x }}")]
#[case::comment("a{# {{ x }} #}b", "ab")]
#[case::white_space("a\n  {%- if true -%}\n  b\n  {%- endif %}", "ab")]
#[case::literals("{{ [1, 'a', none, true, {'k': []}] | tojson }}", r#"[1,"a",null,true,{"k":[]}]"#)]
#[case::tuple("{{ (1, 2) | tojson }}", "[1,2]")]
#[case::map_of_facets(
    "{{ {'cron': facets.backup.schedule, 'days': facets.backup.retention} | tojson }}",
    r#"{"cron":"0 3 * * *","days":30}"#
)]
#[case::defined(
    "{{ facets.backup.absent is defined }}{{ facets.backup is defined }}{{ x is undefined }}",
    "falsetruetrue"
)]
#[case::tests(
    "{{ 3 is odd }}{{ 'ab' is startingwith 'a' }}{{ none is none }}{{ [] is not mapping }}",
    "truetruetruetrue"
)]
fn gives(#[case] source: &str, #[case] expected: &str) {
    assert_eq!(render(source, &context()), Ok(expected.to_owned()), "{source}");
}

#[rstest]
#[case("1 + 2", "3")]
#[case("1 + 2.5", "3.5")]
#[case("'a' + 'b'", "ab")]
#[case("([1] + [2]) | tojson", "[1,2]")]
#[case("1 - 2", "-1")]
#[case("-(1 - 2)", "1")]
#[case("3 * 4", "12")]
#[case("7 / 2", "3.5")]
#[case("6 / 3", "2.0")]
#[case("7 // 2", "3")]
#[case("-7 // 2", "-4")]
#[case("7 // -2", "-4")]
#[case("-7 % 3", "2")]
#[case("7 % -3", "-2")]
#[case("-7.5 // 2", "-4.0")]
#[case("7.5 % 2", "1.5")]
#[case("2 ** 10", "1024")]
#[case("2 ** 0.5 > 1.41", "true")]
#[case("9223372036854775807 + 1", "9223372036854775808")]
#[case("'a' ~ 1 ~ true ~ 2.5", "a1true2.5")]
#[case("1 == 1.0", "true")]
#[case("[1, {'a': 2}] == [1, {'a': 2}]", "true")]
#[case("'a' == 1", "false")]
#[case("'a' != 'b'", "true")]
#[case("1 < 2", "true")]
#[case("'b' <= 'a'", "false")]
#[case("2 >= 2.0", "true")]
#[case("'a' > 'B'", "true")]
#[case("'bc' in 'abcd'", "true")]
#[case("1 in [1, 2]", "true")]
#[case("'x' not in {'x': 1}", "false")]
#[case("1 in {'x': 1}", "false")]
#[case("'Grüße'[1:3]", "rü")]
#[case("'abc'[-2:]", "bc")]
#[case("'abc'[:-1]", "ab")]
#[case("'abc'[5:]", "")]
#[case("'abc'[2:1]", "")]
#[case("[1, 2, 3][1:] | tojson", "[2,3]")]
#[case("[1, 2, 3][:9223372036854775807] | tojson", "[1,2,3]")]
#[case("[1, 2, 3][-9223372036854775807:] | tojson", "[1,2,3]")]
#[case("range(3) | tojson", "[0,1,2]")]
#[case("range(2, 4) | tojson", "[2,3]")]
#[case("range(4, 2) | tojson", "[]")]
#[case("range(-9223372036854775807, -9223372036854775806) | tojson", "[-9223372036854775807]")]
fn calculates(#[case] expression: &str, #[case] expected: &str) {
    assert_eq!(render(&format!("{{{{ {expression} }}}}"), &context()), Ok(expected.to_owned()), "{expression}");
}

#[rstest]
#[case("'user:pass' | b64encode", "dXNlcjpwYXNz")]
#[case("'Z3LDvMOf' | b64decode", "grüß")]
#[case("'  YQ==\n' | b64decode", "a")]
#[case("facets.backup.note | default('x')", "x")]
#[case("facets.backup.absent | default(7)", "7")]
#[case("facets.backup.absent | default", "")]
#[case("'' | default('x')", "")]
#[case("'' | default('x', true)", "x")]
#[case("false | default('x')", "false")]
#[case("[] | first | default('none')", "none")]
#[case("[3, 4] | first", "3")]
#[case("'äb' | last", "b")]
#[case("[3, 4] | last", "4")]
#[case("'' | last | default('none')", "none")]
#[case("'2.50' | float", "2.5")]
#[case("3 | float", "3.0")]
#[case("' 42 ' | int", "42")]
#[case("'-2.9' | int", "-2")]
#[case("2.9 | int", "2")]
#[case("true | int", "1")]
#[case("9007199254740993 | int", "9007199254740993")]
#[case("2.5 | round", "3.0")]
#[case("-2.5 | round", "-3.0")]
#[case("2.345 | round(2)", "2.35")]
#[case("7 | round", "7")]
#[case("'a\n\nb\n' | indent(2)", "a\n\n  b\n")]
#[case("'a\nb' | indent", "a\n    b")]
#[case("'a' | indent(width=3, first=true)", "   a")]
#[case("facets.backup.hosts | join", "bab")]
#[case("[1, true, 'x'] | join(', ')", "1, true, x")]
#[case("'äöü' | length", "3")]
#[case("facets.backup.labels | length", "2")]
#[case("'Ab' | lower ~ 'Ab' | upper", "abAB")]
#[case("facets.backup.windows | map(attribute='day') | join('+')", "Mon+Tue")]
#[case("facets.backup.windows | map(attribute='hour', default=0) | join('+')", "3+0")]
#[case("'say \"hi\"\\n\\\\ /' | quote", r#""say \"hi\"\n\\ /""#)]
#[case("30 | quote", r#""30""#)]
#[case("'\\u007f\\u0085\\u2028\\ufeffä' | quote", r#""\u007f\u0085\u2028\ufeffä""#)]
#[case("'a.b.c' | replace('.', '-')", "a-b-c")]
#[case("'abc' | reverse", "cba")]
#[case("[1, 2] | reverse | join", "21")]
#[case("'' | sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
#[case("[10, 9, 2.5] | sort | join(' ')", "2.5 9 10")]
#[case("['b', 'B', 'a'] | sort(reverse=true) | join", "baB")]
#[case("[] | sort | length", "0")]
#[case("'a  b\n c' | split | join('|')", "a|b|c")]
#[case("'a,,b' | split(',') | join('|')", "a||b")]
#[case("facets.backup.windows | tojson", r#"[{"day":"Mon","hour":3},{"day":"Tue"}]"#)]
#[case("{'b': '<&>', 'a': none} | tojson(indent=2)", "{\n  \"a\": null,\n  \"b\": \"<&>\"\n}")]
#[case(
    "{'on': 'yes', 'list': [1, '1', 1.5], 'empty': {}} | toyaml",
    "empty: {}\nlist:\n- 1\n- \"1\"\n- 1.5\n\"on\": \"yes\""
)]
#[case("'12:30:45' | toyaml", "\"12:30:45\"")]
#[case("'  a b\n' | trim ~ '.'", "a b.")]
#[case("[1, '1', 1, 'a', 'a', true] | unique | tojson", r#"[1,"1","a",true]"#)]
fn filters(#[case] expression: &str, #[case] expected: &str) {
    assert_eq!(render(&format!("{{{{ {expression} }}}}"), &context()), Ok(expected.to_owned()), "{expression}");
}

/// What a person computes, however many digits there are.
#[rstest]
#[case("'123456789012345.999999999' | int", "123456789012345")]
#[case("123456789012345.999999999 | int", "123456789012345")]
#[case("-123456789012345.999999999 | int", "-123456789012345")]
#[case("'2.99999999999999999' | int", "2")]
#[case("'2.9999999999999999999999999999999999999999' | int", "2")]
#[case("'9007199254740993.0' | int", "9007199254740993")]
#[case("'18446744073709551615' | int", "18446744073709551615")]
#[case("'1.5e3' | int", "1500")]
#[case("'-.5' | int", "0")]
#[case("'12.' | int", "12")]
#[case("1.005 | round(2)", "1.01")]
#[case("2.675 | round(2)", "2.68")]
#[case("0.285 | round(2)", "0.29")]
#[case("1.255 | round(2)", "1.26")]
#[case("8.345 | round(2)", "8.35")]
#[case("-1.005 | round(2)", "-1.01")]
#[case("'1.00499999999999999999999999999999999999' | round(2)", "1.0")]
#[case("'123456789012345.678912345' | round(3)", "123456789012345.679")]
#[case("'123456789012345.999999999' | round(2)", "123456789012346.0")]
#[case("1e300 | round(2) == 1e300", "true")]
#[case("'123456789012345.999999999' | float", "123456789012345.999999999")]
#[case("123456789012345.999999999", "123456789012345.999999999")]
#[case("-123456789012345.999999999", "-123456789012345.999999999")]
#[case("'123456789012345.999999999' | float is number", "true")]
#[case("'123456789012345.999999999' | float | tojson", "123456789012346.0")]
#[case("('123456789012345.999999999' | float) + 0.000000001", "123456789012346.0")]
#[case("'10' > '9'", "false")]
#[case("'10' | float > '9' | float", "true")]
#[case("'123456789012345.999999999' | float < 123456789012346", "true")]
#[case("'123456789012345.999999999' | float == '123456789012345.999999998' | float", "false")]
#[case("9007199254740993 == 9007199254740992.0", "false")]
#[case("9007199254740993 > 9007199254740992.0", "true")]
#[case("[9007199254740993] == [9007199254740992.0]", "false")]
#[case("{'a': 1} == {'a': 1.0}", "true")]
#[case("9007199254740993 in [9007199254740992.0]", "false")]
#[case("[9007199254740993, 9007199254740992.0] | sort | first", "9007199254740992.0")]
#[case(
    "['2.000000000000000000001' | float, '2' | int, '1.999999999999999999999' | float] | sort | join(' ')",
    "1.999999999999999999999 2 2.000000000000000000001"
)]
#[case("0.1 + 0.2", "0.3")]
#[case("0.1 + 0.2 == 0.3", "true")]
#[case("0.3 - 0.1", "0.2")]
#[case("1.1 * 1.1", "1.21")]
#[case("1.1 ** 2", "1.21")]
#[case("0.3 / 0.1", "3.0")]
#[case("1 / 3", "0.3333333333333333")]
#[case("0.3 // 0.1", "3.0")]
#[case("0.3 % 0.1", "0.0")]
#[case("-0.3 % 0.2", "0.1")]
#[case("1e-20 * 1e-20", "0.0000000000000000000000000000000000000001")]
#[case("1e200 * 1e100 > 1e299", "true")]
#[case("2 ** -1", "0.5")]
#[case("0.3 is divisibleby(0.1)", "true")]
#[case("7 is divisibleby(0)", "false")]
fn counts_in_decimals(#[case] expression: &str, #[case] expected: &str) {
    assert_eq!(render(&format!("{{{{ {expression} }}}}"), &context()), Ok(expected.to_owned()), "{expression}");
}

#[test]
fn is_shared_between_threads_and_copies() {
    fn shared<T: Clone + Send + Sync + 'static>(value: T) -> T {
        value
    }
    let template = shared(Template::compile("{{ facets.backup.schedule }}").unwrap());
    assert_eq!(template.clone().source(), "{{ facets.backup.schedule }}");
    assert_eq!(format!("{template:?}"), r#"Template("{{ facets.backup.schedule }}")"#);
    assert_eq!(template.render(&TemplateContext::new(&context())).unwrap(), "0 3 * * *");
}

#[test]
fn a_context_shows_no_values() {
    assert_eq!(format!("{:?}", TemplateContext::new(&context())), "Context { .. }");
}

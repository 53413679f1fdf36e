//! What errors say, and that they never say a value.

use rstest::rstest;

use super::super::TemplateErrorKind::{self, Failed, Misused, Syntax, TooLarge, UnknownFilter, UnknownName};
use super::{context, render};

#[rstest]
#[case(
    "a\nb\n  port: {{ facets.backup.retentoin }}",
    UnknownName,
    "line 3, column 12: unknown name \"facets.backup.retentoin\": facets.backup has \"encrypted\", \"hosts\", \"labels\", \
     \"note\", \"ratio\", \"retention\", \"schedule\", \"windows\"; if it may be absent, use `default`"
)]
#[case(
    "{{ facets.bakcup.schedule | upper }}",
    UnknownName,
    "line 1, column 4: unknown name \"facets.bakcup.schedule\": facets has \"backup\", \"db\"; if it may be absent, use `default`"
)]
#[case(
    "ä {{ 'x' ~ facet }}",
    UnknownName,
    "line 1, column 12: unknown name \"facet\": a template has \"facets\", \"organization\"; if it may be absent, use `default`"
)]
#[case(
    "{{ facets.db.password.x }}",
    UnknownName,
    "line 1, column 4: unknown name \"facets.db.password.x\": facets.db.password has no names in it; if it may be absent, use `default`"
)]
#[case(
    "{% for w in facets.backup.windows %}{{ w.hour }}{% endfor %}",
    UnknownName,
    "line 1, column 40: unknown name \"w.hour\"; if it may be absent, use `default`"
)]
#[case(
    "{{ [] | first }}",
    UnknownName,
    "line 1, column 4: `[] | first` has no value; if it may be absent, use `default`"
)]
#[case(
    "{{ x is number }}",
    UnknownName,
    "line 1, column 4: unknown name \"x\": a template has \"facets\", \"organization\"; if it may be absent, use `default`"
)]
#[case("{% if a b %}", Syntax, "line 1, column 9: syntax error: unexpected identifier, expected end of block")]
#[case("x\n{{ 'a }}", Syntax, "line 2, column 9: syntax error: unexpected end of string")]
#[case("{{ '\\ud800' }}", Syntax, "line 1, column 1: syntax error: a text has an escape sequence that does not exist")]
#[case("{{ ) }}", Syntax, "line 1, column 4: syntax error: unexpected `)`")]
#[case(
    "{% include 'x' %}",
    Syntax,
    "line 1, column 4: `include` is not available: a template stands alone, with if, for, set, with, filter, macro and raw"
)]
#[case(
    "{% for x in [1] recursive %}{% endfor %}",
    Syntax,
    "line 1, column 4: a loop cannot be `recursive`: nest loops instead"
)]
#[case("{{ 1 < 2 < 3 }}", Syntax, "line 1, column 4: comparisons cannot be chained: write `a < b and b < c`")]
#[case(
    "{{ facets.items() }}",
    Syntax,
    "line 1, column 4: values have no methods: use filters, such as `items` or `upper`"
)]
#[case(
    "{{ range(*[1]) }}",
    Syntax,
    "line 1, column 4: arguments are written one by one: `*` and `**` cannot spread a value"
)]
#[case(
    "{{ 'abc'[::2] }}",
    Syntax,
    "line 1, column 4: a slice has no step: write `[start:stop]`, and `reverse` to turn it round"
)]
#[case("{% set facets.x = 1 %}", Syntax, "line 1, column 15: only names can be set, not parts of a value")]
#[case("{{ debug() }}", UnknownFilter, "line 1, column 4: unknown function or macro \"debug\"; there is range")]
#[case(
    "{{ 1 is prime }}",
    UnknownFilter,
    "line 1, column 9: unknown test \"prime\"; there is boolean, defined, divisibleby, endingwith, even, mapping, none, \
     number, odd, sequence, startingwith, string, undefined"
)]
#[case(
    "{{ facets.backup.note }}",
    Misused,
    "line 1, column 4: null has no text: say what to write instead with `default`"
)]
#[case(
    "{{ facets.backup }}",
    Misused,
    "line 1, column 4: a map has no text: use `tojson`, `toyaml` or `join`, or loop over it"
)]
#[case(
    "{{ facets.db.password + 1 }}",
    Misused,
    "line 1, column 4: `+` needs numbers, and these are a text and a number"
)]
#[case(
    "{{ facets.db.password < 1 }}",
    Misused,
    "line 1, column 4: `<` needs two numbers or two texts, and these are a text and a number"
)]
#[case(
    "{{ 1 // 0 }}",
    Failed,
    "line 1, column 4: `//` has no result here: a divisor is zero, or the result is too large"
)]
#[case(
    "{{ 1 / 0 }}",
    Failed,
    "line 1, column 4: `/` has no result here: a divisor is zero, or the result is too large"
)]
#[case(
    "{{ 1.0 % 0 }}",
    Failed,
    "line 1, column 4: `%` has no result here: a divisor is zero, or the result is too large"
)]
#[case(
    "{{ 10.0 ** 400 }}",
    Failed,
    "line 1, column 4: `**` has no result here: a divisor is zero, or the result is too large"
)]
#[case("{{ 1 in 2 }}", Misused, "line 1, column 4: `in` needs a list, a map or a text, and this is a number")]
#[case("{{ {1: 2} | tojson }}", Misused, "line 1, column 4: a key of a map must be a text: put it in quotes")]
#[case("{{ facets.db.password | int }}", Failed, "line 1, column 25: `int` cannot read a text as a number")]
#[case("{{ 1e300 | int }}", Failed, "line 1, column 12: `int` cannot hold a number of this size")]
#[case("{{ facets.db.password | float }}", Failed, "line 1, column 25: `float` cannot read a text as a number")]
#[case("{{ 'inf' | float }}", Failed, "line 1, column 12: `float` cannot read a text as a number")]
#[case(
    "{{ facets.db.password | b64decode }}",
    Failed,
    "line 1, column 25: `b64decode` needs base64 text, and this is none"
)]
#[case("{{ '/w==' | b64decode }}", Failed, "line 1, column 13: what `b64decode` found is not UTF-8 text")]
#[case("{{ facets.db | sort }}", Misused, "line 1, column 16: `sort` needs a list, and this is a map")]
#[case("{{ [1, 'a'] | sort }}", Misused, "line 1, column 15: `sort` needs a list of numbers, or one of texts")]
#[case("{{ 1 | items }}", Misused, "line 1, column 8: `items` needs a map, and this is a number")]
#[case("{{ 1 | first }}", Misused, "line 1, column 8: `first` needs a list or a text, and this is a number")]
#[case("{{ 1 | length }}", Misused, "line 1, column 8: `length` needs a list, a map or a text, and this is a number")]
#[case(
    "{{ 'a' | replace('', 'b') }}",
    Failed,
    "line 1, column 10: `replace` needs a text to look for, and it is empty"
)]
#[case("{{ 'a' | split('') }}", Failed, "line 1, column 10: `split` needs a separator, and it is empty")]
#[case("{{ 'a' | indent(65) }}", Failed, "line 1, column 10: `indent` moves text by 64 spaces at most")]
#[case("{{ 1 | tojson(indent=65) }}", Failed, "line 1, column 8: `tojson` indents by 64 spaces at most")]
#[case(
    "{{ (10 ** 30) | tojson }}",
    Failed,
    "line 1, column 17: this value cannot be written: a number in it is too large"
)]
#[case(
    "{{ facets.backup.windows | map(attribute='hour') | join }}",
    Misused,
    "line 1, column 28: an item of the list has no entry of the name that `map` was given; `default=` stands in for it"
)]
#[case("{{ range(10001) }}", TooLarge, "line 1, column 4: `range` gives 10000 numbers at most")]
#[case(
    "{{ 'a' | trim('b') }}",
    Syntax,
    "line 1, column 10: an argument is missing, is one too many or has an unknown name: see what the filter or macro takes"
)]
#[case(
    "{{ 'a' | indent(wide=2) }}",
    Syntax,
    "line 1, column 10: an argument is missing, is one too many or has an unknown name: see what the filter or macro takes"
)]
#[case(
    "{% set a, b = [1] %}",
    Failed,
    "line 1, column 8: the value does not hold as many parts as there are names for them"
)]
#[case(
    "{% for x in 1 %}{% endfor %}",
    Misused,
    "line 1, column 13: the value here is of a type that cannot be used like this: loop over lists and maps, call only macros, \
     negate only numbers, and give filters the types of arguments that they take"
)]
fn says(#[case] source: &str, #[case] kind: TemplateErrorKind, #[case] message: &str) {
    let error = render(source, &context()).unwrap_err();
    assert_eq!(error.to_string(), message, "{source}");
    assert_eq!(error.kind(), kind, "{source}");
}

#[test]
fn an_unknown_filter_lists_the_known_ones() {
    let error = render("{{ 1 | bas64 }}", &context()).unwrap_err();
    assert_eq!(error.kind(), UnknownFilter);
    assert_eq!(
        error.message(),
        "unknown filter \"bas64\"; there is b64decode, b64encode, default, first, float, indent, int, items, join, last, length, \
         lower, map, quote, replace, reverse, round, sha256, sort, split, tojson, toyaml, trim, unique, upper"
    );
}

#[test]
fn a_long_list_of_names_is_cut() {
    let names: serde_json::Map<_, _> = (10..30).map(|number| (format!("n{number}"), 1.into())).collect();
    let error = render("{{ n }}", &names.into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 4: unknown name \"n\": a template has \"n10\", \"n11\", \"n12\", \"n13\", \"n14\", \"n15\", \"n16\", \
         \"n17\", \"n18\", \"n19\", \"n20\", \"n21\", …; if it may be absent, use `default`"
    );
}

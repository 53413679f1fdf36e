//! Templates that try to exhaust the process: each ends with an error, on a small stack.

use rstest::rstest;

use super::super::TemplateErrorKind::{self, Syntax, TooLarge, TooMuchWork};
use super::super::{MAX_EXPRESSION, MAX_NESTING, MAX_OUTPUT, MAX_SOURCE, TemplateError};
use super::{context, render};

/// Half of what a thread usually has, so that what fits here in an unoptimized build fits anywhere.
const STACK: usize = 1 << 20;

fn on_a_small_stack(source: String) -> Result<String, TemplateError> {
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(move || render(&source, &context())).unwrap().join().unwrap()
}

fn around(before: &str, inside: &str, after: &str, times: usize) -> String {
    [&before.repeat(times), inside, &after.repeat(times)].concat()
}

fn then(first: &str, repeated: &str, times: usize) -> String {
    [first, &repeated.repeat(times)].concat()
}

/// An expression again and again, with `s` of about 70 kB.
fn looped(expression: &str) -> String {
    ["{% set s = range(9999) | join('abc') %}{% for a in range(10000) %}{{ ", expression, " }}{% endfor %}"].concat()
}

/// Shapes whose depth grows with their length, each as deep as is allowed.
#[rstest]
#[case::not(MAX_EXPRESSION - 1, |n| format!("{{{{ {}1 }}}}", "not ".repeat(n)))]
#[case::minus(MAX_EXPRESSION - 1, |n| format!("{{{{ {}1 }}}}", "- ".repeat(n)))]
#[case::sum((MAX_EXPRESSION - 1) / 2, |n| format!("{{{{ 1{} }}}}", "+1".repeat(n)))]
#[case::and((MAX_EXPRESSION - 1) / 2, |n| format!("{{{{ 1{} }}}}", " and 1".repeat(n)))]
#[case::choice((MAX_EXPRESSION - 1) / 4, |n| format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(n)))]
#[case::names((MAX_EXPRESSION - 5) / 2, |n| format!("{{{{ a{} is defined and 1 }}}}", ".a".repeat(n).replacen(".a", "", 1)))]
#[case::filters((MAX_EXPRESSION - 1) / 2, |n| format!("{{{{ 1{} }}}}", "|int".repeat(n)))]
#[case::tests((MAX_EXPRESSION - 1) / 2, |n| format!("{{{{ 1{} }}}}", " is odd".repeat(n)))]
#[case::parentheses(23, |n| format!("{{{{ {} }}}}", around("(", "1", ")", n)))]
#[case::lists(23, |n| format!("{{{{ {}|length }}}}", around("[", "1", "]", n)))]
#[case::maps(23, |n| format!("{{{{ {}|length }}}}", around("{'a':", "1", "}", n)))]
#[case::arguments(21, |n| format!("{{{{ {} }}}}", around("1|default(", "1", ")", n)))]
#[case::items(18, |n| format!("{{{{ {} }}}}", around("[1][", "0", "]", n)))]
#[case::ifs(MAX_NESTING, |n| around("{% if 1 %}", "1", "{% endif %}", n))]
#[case::elifs(MAX_NESTING - 1, |n| format!("{{% if 0 %}}{}{{% else %}}1{{% endif %}}", "{% elif 0 %}".repeat(n)))]
#[case::loops(MAX_NESTING, |n| around("{% for a in [1] %}", "1", "{% endfor %}", n))]
#[case::sets(MAX_NESTING, |n| around("{% set a %}", "1", "{% endset %}", n))]
#[case::loops_with_sums(MAX_NESTING, |n| around("{% for a in [1] %}", &format!("{{{{ 1{} }}}}", "+1".repeat(199)), "{% endfor %}", n))]
#[case::loops_with_parentheses(MAX_NESTING, |n| around("{% for a in [1] %}", &format!("{{{{ {} }}}}", around("(", "1", ")", 23)), "{% endfor %}", n))]
fn as_deep_as_allowed(#[case] most: usize, #[case] shape: fn(usize) -> String) {
    let kind = |times| on_a_small_stack(shape(times)).map_err(|error| error.kind()).err();
    assert_ne!(kind(most), Some(Syntax), "{most} are allowed");
    assert_eq!(kind(most + 8), Some(Syntax), "{most} are the most");
    assert_eq!(kind(60_000 / shape(1).len()), Some(Syntax), "as many as the source may hold");
}

#[rstest]
#[case::calls_itself(TooMuchWork, "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".into())]
#[case::calls_itself_with_lists(TooMuchWork, "{% macro m(x) %}{% for a in [1] %}{{ m([[x]]) }}{% endfor %}{% endmacro %}{{ m(1) }}".into())]
#[case::list_in_itself(TooLarge, then("{% set x = 1 %}", "{% set x = [x] %}", 3000))]
#[case::tuple_in_itself(TooLarge, then("{% set x = 1 %}", "{%set x=x,%}", 5000))]
#[case::list_twice_in_itself(TooLarge, then("{% set x = 1 %}", "{% set x = [x, x] %}", 60))]
#[case::map_twice_in_itself(TooLarge, then("{% set x = 1 %}", "{% set x = {'a': x, 'b': x} %}", 60))]
#[case::many_texts_in_a_list(TooLarge, format!("{{% set x = range(9999) | join('abc') %}}{{{{ [{}] | length }}}}", "x,".repeat(2000)))]
#[case::text_doubled(TooLarge, then("{% set x = 'aaaaaaaa' %}", "{% set x = x ~ x %}", 60))]
#[case::text_added(TooLarge, then("{% set x = 'aaaaaaaa' %}", "{% set x = x + x %}", 60))]
#[case::list_doubled(TooLarge, then("{% set x = [1, 2, 3] %}", "{% set x = x + x %}", 60))]
#[case::captured_doubled(
    TooMuchWork,
    then("{% set x %}aaaaaaaaaaaaaaaa{% endset %}", "{% set x %}{{ x }}{{ x }}{% endset %}", 60)
)]
#[case::replaced(TooLarge, then("{% set x = 'aaaaaaaaaaaaaaaa' %}", "{% set x = x | replace('a', 'aaaaaaaa') %}", 60))]
#[case::indented(
    TooLarge,
    then("{% set x = '\n\n\na' %}", "{% set x = (x | replace('\n', '\na\na')) | indent(64) %}", 60)
)]
#[case::encoded(TooMuchWork, then("{% set x = 'aaaaaaaa' %}", "{% set x = x | b64encode | quote | upper %}", 600))]
#[case::joined(TooLarge, "{{ range(10000) | join(range(1000) | join('aaaaa')) }}".into())]
#[case::split(TooLarge, "{{ range(9999) | join(',,') | split(',') | length }}".into())]
#[case::range(TooLarge, "{% for a in range(9223372036854775807) %}{% endfor %}".into())]
#[case::loops(TooMuchWork, "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}".into())]
#[case::sorted_often(TooMuchWork, "{% for a in range(10000) %}{% set x = range(10000) | sort %}{% endfor %}".into())]
#[case::unique_often(TooMuchWork, "{% for a in range(10000) %}{% set x = range(10000) | unique %}{% endfor %}".into())]
#[case::searched_often(TooMuchWork, "{% set y = range(10000) %}{% for a in y %}{{ -1 in y }}{% endfor %}".into())]
#[case::compared_often(TooMuchWork, "{% set y = range(10000) %}{% set z = range(10000) %}{% for a in y %}{{ z == y }}{% endfor %}".into())]
#[case::sliced_often(TooMuchWork, "{% set y = range(10000) | join %}{% for a in range(10000) %}{{ y[1:] | length }}{% endfor %}".into())]
#[case::held_often(TooMuchWork, "{% for a in range(10000) %}{% set x = [range(10000)] %}{% endfor %}".into())]
#[case::default_often_in_a_list(TooLarge, "{% set s = range(9999) | join('abcdefgh') %}{{ range(10000) | map(attribute='x', default=s) | unique | length }}".into())]
#[case::long_texts_sorted_often(
    TooMuchWork,
    looped("[s, s ~ 1, s ~ 2, s ~ 3, s ~ 4, s ~ 5, s ~ 6, s ~ 7] | sort | length")
)]
#[case::long_text_looked_for_often(TooMuchWork, looped("'a' | replace(s, 'b')"))]
#[case::long_text_split_at_often(TooMuchWork, looped("'a' | split(s) | length"))]
#[case::long_text_found_often(TooMuchWork, looped("s in 'a'"))]
#[case::long_text_compared_often(TooMuchWork, looped("s == s[:]"))]
#[case::written(TooLarge, format!("{{% for a in range(10000) %}}{}{{% endfor %}}", "x".repeat(1000)))]
#[case::long_source(TooLarge, "x".repeat(MAX_SOURCE + 1))]
#[case::open_tags(Syntax, "{{".repeat(MAX_SOURCE / 2))]
#[case::open_raws(Syntax, "{% raw %}".repeat(7000))]
#[case::open_comment_in_the_last_column(Syntax, ["x".repeat(MAX_SOURCE - 2), "{#".into()].concat())]
#[case::many_arguments(Syntax, format!("{{{{ range({}) }}}}", "1,".repeat(30_000)))]
#[case::closing_brackets(Syntax, format!("{{{{ {} }}}}", ")]}".repeat(20_000)))]
fn is_stopped(#[case] kind: TemplateErrorKind, #[case] source: String) {
    assert_eq!(on_a_small_stack(source).map_err(|error| error.kind()), Err(kind));
}

#[rstest]
#[case::lines("\n".repeat(MAX_SOURCE), MAX_SOURCE)]
#[case::items(format!("{{{{ [{}] | length }}}}", "1,".repeat(30_000)), 5)]
#[case::references("{{facets.db.user}}".repeat(3500), 3 * 3500)]
#[case::closures("{% for a in range(10000) %}{% macro m() %}{{ a }}{% endmacro %}{{ m() }}{% endfor %}".into(), 38_890)]
#[case::the_largest_output(format!("{{% for a in range(8) %}}{{% for b in range(128) %}}{}{{% endfor %}}{{% endfor %}}", "x".repeat(1024)), MAX_OUTPUT)]
fn is_large_but_allowed(#[case] source: String, #[case] length: usize) {
    assert_eq!(on_a_small_stack(source).map(|text| text.len()), Ok(length));
}

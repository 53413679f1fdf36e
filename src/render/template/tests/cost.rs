//! What costs is charged: how much work a template is, is the same each time, and grows with what it looks at.

use rstest::rstest;
use serde_json::json;

use super::super::{CHEAP_FUEL, FUEL, Template, TemplateContext};

/// What one run comes to, with a text `s` of a megabyte, one `t` like it but for its end, and a list `l` of 5,000 numbers.
fn cost(source: &str) -> u64 {
    let s = "a".repeat(1 << 20);
    let context = json!({"s": s, "t": format!("{}b", &s[1..]), "lines": "a\n".repeat(1 << 19), "l": (0..5_000).collect::<Vec<_>>(), "m": {"a": 1}});
    let template = Template::compile(source).unwrap();
    let (result, cost) = template.render_counted(&TemplateContext::new(&context));
    assert!(cost == FUEL || result.is_ok(), "{source}: {result:?}");
    assert_eq!(template.render_counted(&TemplateContext::new(&context)).1, cost);
    cost
}

/// A megabyte is 16,384 times 64 bytes.
#[rstest]
#[case::character("{{ s[1048575] }}")]
#[case::last_character("{{ s[-1] }}")]
#[case::slice("{{ s[1048570:] }}")]
#[case::length("{{ s | length }}")]
#[case::part_of("{{ 'b' in s }}")]
#[case::part_at_the_end("{{ 'b' in t }}")]
#[case::long_part("{{ s in 'a' }}")]
#[case::same("{{ s == t }}")]
#[case::different("{{ s != t }}")]
#[case::in_a_list("{{ s in [t] }}")]
#[case::order("{{ s < t }}")]
#[case::beginning("{{ t is startingwith(s) }}")]
#[case::end("{{ s is endingwith(s) }}")]
#[case::key("{{ m[s] | default('') }}")]
#[case::key_of_a_map("{{ {s: 1} | length }}")]
#[case::entry_of_a_map("{{ s in m }}")]
#[case::joined("{{ [s] | join | length }}")]
#[case::added("{{ (s ~ '') | length }}")]
#[case::lower("{{ s | lower | length }}")]
#[case::sha256("{{ s | sha256 }}")]
#[case::base64("{{ s[:700000] | b64encode | length }}")]
#[case::quoted("{{ s[:1000000] | quote | length }}")]
#[case::indented("{{ s | indent | length }}")]
#[case::trimmed("{{ s | trim | length }}")]
#[case::reversed("{{ s | reverse | length }}")]
#[case::replaced("{{ s | replace('b', 'c') | length }}")]
#[case::split("{{ s | split('b') | length }}")]
#[case::as_number("{{ s | int }}")]
#[case::json("{{ [s[:1000000]] | tojson | length }}")]
#[case::yaml("{{ [s[:1000000]] | toyaml | length }}")]
#[case::captured("{% set x %}{{ s }}{% endset %}")]
#[case::written("{{ s }}")]
fn a_long_text_is_charged(#[case] source: &str) {
    assert!(cost(source) >= 10_000, "{source} costs {}", cost(source));
}

#[rstest]
#[case::replaced_by_nothing("{{ s | replace('a', '') | length }}")]
#[case::lines("{% for line in lines | split('\n') %}{% endfor %}")]
#[case::looped_characters("{% for c in s %}{% endfor %}")]
fn parts_of_a_long_text_are_charged_each(#[case] source: &str) {
    assert_eq!(cost(source), FUEL);
}

#[rstest]
#[case::same("{{ l == l[:] }}")]
#[case::contained("{{ -1 in l }}")]
#[case::sorted("{{ l | sort | length }}")]
#[case::unique("{{ l | unique | length }}")]
#[case::joined("{{ l | join | length }}")]
#[case::reversed("{{ l | reverse | length }}")]
#[case::sliced("{{ l[4999:] | length }}")]
#[case::added("{{ (l + [1]) | length }}")]
#[case::json("{{ l | tojson | length }}")]
#[case::yaml("{{ l | toyaml | length }}")]
#[case::held("{{ [l] | length }}")]
#[case::looped("{% for i in l %}{% endfor %}")]
fn a_long_list_is_charged(#[case] source: &str) {
    assert!(cost(source) >= 2_500, "{source} costs {}", cost(source));
}

#[test]
fn sorting_and_decimals_cost_more_than_looking() {
    assert!(cost("{{ l | sort | length }}") > 4 * cost("{{ l | reverse | length }}"));
    assert!(cost("{{ 1.5 * 1.5 }}") > cost("{{ 2 * 2 }}"));
}

#[test]
fn what_fails_is_charged_as_well() {
    let spent = |source: &str| Template::compile(source).unwrap().render_counted(&TemplateContext::new(&json!({}))).1;
    assert_eq!(spent("{{ 'x' | int }}"), CHEAP_FUEL);
    assert_eq!(spent("{% for i in range(10000) %}{% endfor %}{{ 'x' | int }}"), FUEL);
    assert_eq!(spent("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}"), FUEL);
}

/// Not run with the others: prints how long the dearest steps take. `cargo test --release -- --ignored --nocapture dearest`.
#[test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout, clippy::too_many_lines, reason = "that is what it is for, and a long list")]
fn dearest_steps() {
    let s = "aé ".repeat(300_000);
    let context = TemplateContext::new(&json!({
        "s": s, "lines": "\n".repeat(900_000), "n": "1".repeat(900_000), "u": "É".repeat(500_000), "c": "\u{1}".repeat(170_000),
        "l": (0..5_000).collect::<Vec<_>>(), "f": (0..5_000).map(|n| f64::from(n) + 0.1).collect::<Vec<_>>(),
        "w": (0..5_000).map(|n| format!("word {n}")).collect::<Vec<_>>(),
        "m": (0..5_000).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>(),
        "d": (0..300).fold(json!(1), |deep, _| json!([deep])).pointer("/0").map_or(json!(1), |_| json!([[[[[1]]]]])),
    }));
    let with = |depth: usize| {
        let names = (0..depth).map(|n| format!("{{% with a{n} = 1 %}}")).collect::<Vec<_>>().concat();
        format!(
            "{names}{{% for i in range(10000) %}}{{% set x = l %}}{{% set y = m %}}{{% endfor %}}{}",
            "{% endwith %}".repeat(depth)
        )
    };
    let mut sources: Vec<String> = [
        "1",
        "1 + 2",
        "1.5 * 2.5",
        "1.1 / 3",
        "0.3 // 0.1",
        "1.1 ** 20",
        "s[899999]",
        "s[-1]",
        "s[10:]",
        "s | length",
        "'zz' in s",
        "s == s[:]",
        "s < s",
        "s is startingwith(s)",
        "m[s] | default(1)",
        "{s: 1}",
        "s | lower",
        "u | lower",
        "s | upper",
        "s | trim",
        "s | sha256",
        "s[:500000] | b64encode",
        "s[:400000] | quote",
        "c | quote",
        "lines | indent(0)",
        "s | reverse",
        "s | replace('a', '')",
        "s | replace('z', '')",
        "s | split(' ')",
        "s | split('z')",
        "n | int",
        "n | float",
        "s[:400000] | tojson",
        "c | tojson",
        "s[:400000] | toyaml",
        "l | sort",
        "f | sort",
        "w | sort",
        "w | unique",
        "f | unique",
        "l | join",
        "f | join",
        "w | join",
        "l | tojson",
        "f | tojson",
        "m | tojson",
        "m | toyaml",
        "m | tojson(indent=64)",
        "m | items",
        "l == l[:]",
        "m == m",
        "f == f",
        "-1 in l",
        "0.05 in f",
        "w | map(attribute='a', default=1)",
        "l | reverse",
        "l[1:]",
        "l + l",
        "range(10000)",
        "[l]",
        "m is mapping",
        "l | first",
        "m['k77']",
        "m.k77",
        "[1, [2, [3]]]",
        "{'a': {'b': 1}}",
    ]
    .map(|expression| format!("{{% for i in range(10000) %}}{{% set x = {expression} %}}{{% endfor %}}"))
    .into();
    sources.extend([
        with(0),
        with(38),
        "{% macro m(x, y=1) %}{{ x }}{% endmacro %}{% for i in range(10000) %}{{ m(i) }}{% endfor %}".into(),
    ]);
    sources.push("{% for i in range(10000) %}{% for c in [] %}{% endfor %}{% endfor %}".into());
    sources.push("{% for i in range(10000) %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}".into());
    let mut times: Vec<(u128, u64, String)> = sources
        .into_iter()
        .map(|source| {
            let template = Template::compile(&source).unwrap();
            let begun = std::time::Instant::now();
            let (_, steps) = template.render_counted(&context);
            (begun.elapsed().as_micros(), steps, source)
        })
        .collect();
    times.sort_unstable();
    for (micros, steps, source) in times {
        println!(
            "{micros:>8} µs {steps:>7} steps {:>6} ns/step  {}",
            micros * 1000 / u128::from(steps),
            source.chars().take(90).collect::<String>()
        );
    }
}

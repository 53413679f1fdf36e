//! Everything that a template can call. Nothing here reaches a file, the environment, the network, or the clock.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, tests};

use super::{CHEAP_FUEL, FUEL, MAX_DEPTH, checks, filters, lists, operators, values};

/// The engine's name for the only template that it ever sees.
pub(super) const NAME: &str = "template";

/// Registers functions under their names, and lists the names.
macro_rules! register {
    ($names:ident, $install:ident, $add:ident, { $($name:literal => $function:expr),+ $(,)? }) => {
        pub(super) const $names: &[&str] = &[$($name),+];

        fn $install(environment: &mut Environment<'static>) {
            $(environment.$add($name, $function);)+
        }
    };
}

register!(FILTERS, install_filters, add_filter, {
    "b64decode" => filters::b64decode,
    "b64encode" => filters::b64encode,
    "default" => filters::default,
    "first" => lists::first,
    "float" => filters::float,
    "indent" => filters::indent,
    "int" => filters::int,
    "items" => lists::items,
    "join" => lists::join,
    "last" => lists::last,
    "length" => lists::length,
    "lower" => filters::lower,
    "map" => lists::map,
    "quote" => filters::quote,
    "replace" => filters::replace,
    "reverse" => lists::reverse,
    "round" => filters::round,
    "sha256" => filters::sha256,
    "sort" => lists::sort,
    "split" => lists::split,
    "tojson" => filters::tojson,
    "toyaml" => filters::toyaml,
    "trim" => filters::trim,
    "unique" => lists::unique,
    "upper" => filters::upper,
});

register!(TESTS, install_tests, add_test, {
    "boolean" => tests::is_boolean,
    "defined" => tests::is_defined,
    "divisibleby" => checks::divisible_by,
    "endingwith" => checks::ending_with,
    "even" => tests::is_even,
    "mapping" => tests::is_mapping,
    "none" => tests::is_none,
    "number" => checks::number,
    "odd" => tests::is_odd,
    "sequence" => tests::is_sequence,
    "startingwith" => checks::starting_with,
    "string" => tests::is_string,
    "undefined" => tests::is_undefined,
});

register!(FUNCTIONS, install_functions, add_function, {
    "range" => lists::range,
});

/// A template reaches these only by its operators: as filters, the sandbox knows only [`FILTERS`].
fn install_operators(environment: &mut Environment<'static>) {
    environment.add_filter("~", operators::concatenate);
    environment.add_filter("+", operators::add);
    environment.add_filter("-", operators::subtract);
    environment.add_filter("*", operators::multiply);
    environment.add_filter("/", operators::divide);
    environment.add_filter("//", operators::divide_whole);
    environment.add_filter("%", operators::remainder);
    environment.add_filter("**", operators::power);
    environment.add_filter("==", operators::equal);
    environment.add_filter("!=", operators::unequal);
    environment.add_filter("<", operators::less);
    environment.add_filter("<=", operators::less_or_equal);
    environment.add_filter(">", operators::greater);
    environment.add_filter(">=", operators::greater_or_equal);
    environment.add_filter("in", operators::contained);
    environment.add_filter("[:]", operators::slice);
    environment.add_filter("-a", operators::negate);
    environment.add_filter("[i]", operators::item);
    environment.add_filter("[]", operators::list);
    environment.add_filter("{}", operators::map);
    environment.add_filter("is", operators::present);
}

/// The one environment that all templates share; it holds no template.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(FUEL));

/// The same, which gives up early: whether a template that fails does so within little work.
pub(super) static CHEAP_ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(CHEAP_FUEL));

fn environment(fuel: u64) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(fuel));
    environment.set_recursion_limit(MAX_DEPTH);
    // Debug information would hold the values of variables.
    environment.set_debug(false);
    environment.set_formatter(values::print);
    install_filters(&mut environment);
    install_tests(&mut environment);
    install_functions(&mut environment);
    install_operators(&mut environment);
    environment
}

/// Jinja's own delimiters; the last newline of a template is part of its text.
pub(super) fn syntax() -> SyntaxConfig {
    // Only delimiters of one's own can be refused.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

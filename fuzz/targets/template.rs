//! Templates: a source, filled with a context that has a secret in it.

use super::Target;
use entitlement_operator::render::template::{MAX_OUTPUT, Template, TemplateContext};
use serde_json::json;

pub const TARGET: Target = Target {
    name: "template",
    run,
    tokens: &[
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{%-",
        "-%}",
        "for",
        "in",
        "if",
        "else",
        "elif",
        "endif",
        "endfor",
        "set",
        "endset",
        "with",
        "endwith",
        "macro",
        "endmacro",
        "filter",
        "endfilter",
        "raw",
        "endraw",
        "not",
        "and",
        "or",
        "is",
        "defined",
        "facets",
        "facets.account",
        "facets.account.password",
        "facets[\"account\"]",
        ".user",
        "|",
        "~",
        "**",
        "//",
        "+",
        "[",
        "]",
        "(",
        ")",
        ":",
        ",",
        "=",
        "range(9999)",
        "loop",
        "loop.index",
        "m(m)",
        "items",
        "tojson",
        "toyaml",
        "quote",
        "sha256",
        "b64encode",
        "b64decode",
        "default('')",
        "indent(64)",
        "join",
        "map(attribute='a')",
        "replace('a','b')",
        "split",
        "sort",
        "unique",
        "length",
        "int",
        "float",
        "round",
        "self",
        "super()",
        "caller()",
        "include",
        "import",
        "9223372036854775807",
        "'a'",
        "\"\\ud800\"",
    ],
};

const SECRETS: [&str; 2] = ["zq-never-shown-7f3a", "zq-never-shown-8e2b"];

fn context(secret: &str) -> TemplateContext {
    TemplateContext::new(&json!({
        "organization": {"name": "acme", "displayName": "Acme"},
        "facets": {
            "account": {"user": "app", "password": secret},
            "backup": {"days": 30, "list": [1, "b", null, {"a": 1}], "map": {"x": "y", "z": 1.5}, "none": null, "on": true},
        },
    }))
}

fn run(input: &[u8]) -> String {
    let Ok(source) = std::str::from_utf8(input) else { return "no text".to_owned() };
    let template = match Template::compile(source) {
        Ok(template) => template,
        Err(error) => return error.to_string(),
    };
    let [first, second] = SECRETS.map(|secret| template.render(&context(secret)));
    if template.facet_references().reading("account", "password").is_none() {
        assert_eq!(first, second, "the password shows, and is not reported");
    }
    match first {
        Ok(text) => {
            assert!(text.len() <= MAX_OUTPUT, "{} bytes", text.len());
            format!("fine {}", text.len().checked_ilog2().unwrap_or(0))
        }
        Err(error) => {
            let message = error.to_string();
            // The source may have it; the secret itself is not in it.
            assert!(!message.contains(SECRETS[0]), "{message}");
            message
        }
    }
}

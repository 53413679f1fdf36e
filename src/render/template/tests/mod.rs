//! Tests of templates as a whole.

mod cost;
mod documentation;
mod errors;
mod hostile;
mod language;
mod references;
mod yaml;

use serde_json::{Value, json};

use super::{Template, TemplateContext, TemplateError};

fn render(source: &str, context: &Value) -> Result<String, TemplateError> {
    Template::compile(source)?.render(&TemplateContext::new(context))
}

fn context() -> Value {
    json!({
        "organization": {"name": "acme", "displayName": "Acme Ltd"},
        "facets": {
            "backup": {
                "schedule": "0 3 * * *",
                "retention": 30,
                "ratio": 2.5,
                "encrypted": true,
                "note": null,
                "hosts": ["b", "a", "b"],
                "windows": [{"day": "Mon", "hour": 3}, {"day": "Tue"}],
                "labels": {"tier": "gold", "area": "eu"},
            },
            "db": {"user": "app", "password": "s3cret"},
        },
    })
}

//! Tests of facet schemas through their public face, by what they show.

mod compile;
mod defaults;
mod hostile;
mod laws;
mod messages;
mod partial;
mod sample;
mod secrets;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Schema, Violation};

fn schema(schema: &Value) -> Schema {
    Schema::compile(schema).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// The problems of a schema that is refused, as they are shown.
fn refused(schema: &Value) -> Vec<String> {
    let error = Schema::compile(schema).unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

/// The messages about `values` of the facet `backup`, without secret fields supplied.
fn messages(schema: &Schema, values: Value) -> Vec<String> {
    shown(schema.validate("backup", &object(values), &BTreeSet::new()))
}

fn shown(result: Result<(), Vec<Violation>>) -> Vec<String> {
    let violations = result.err().unwrap_or_default();
    violations.iter().map(ToString::to_string).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

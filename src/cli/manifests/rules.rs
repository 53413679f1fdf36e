//! The CEL rules of a CustomResourceDefinition, asked of an object that is made.
//!
//! The validator of the client compiles each regular expression anew for each object, which takes longer than everything
//! else that is done with it. So its compiled rules are walked here, and what they match with is kept.

use super::{
    path::{Path, Step},
    structure::Remark,
};
use kube::core::cel::{
    CompilationResult, CompiledSchema, KubeCelExt,
    cel::{
        Context, ExecutionError, FunctionContext, Value as CelValue,
        extractors::This,
        objects::{Key, Map},
    },
    compile_schema,
};
use regex::Regex;
use serde_json::{Number, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The rules of one kind.
pub struct Rules {
    schema: CompiledSchema,
    functions: Context<'static>,
}

impl Rules {
    /// The rules of a schema.
    #[must_use]
    pub fn new(schema: &Value) -> Self {
        let mut functions = Context::default().with_all();
        let patterns = Patterns::default();
        functions.add_function("matches", move |context: &FunctionContext, This(text): This<Arc<String>>, pattern| {
            patterns.matches(context, &text, &pattern)
        });
        Self { schema: compile_schema(schema), functions }
    }

    /// What the rules say against an object that has the types which its schema asks for.
    #[must_use]
    pub fn check(&self, object: &Value) -> Vec<Remark> {
        let mut walk = Walk { functions: &self.functions, path: Path::default(), remarks: Vec::new() };
        walk.value(&self.schema, object);
        walk.remarks
    }
}

/// Compiled regular expressions.
#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Arc<Regex>>>);

impl Patterns {
    fn matches(&self, context: &FunctionContext, text: &str, pattern: &Arc<String>) -> Result<bool, ExecutionError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = known.get(pattern.as_str()) {
            return Ok(regex.is_match(text));
        }
        let regex = Regex::new(pattern).map_err(|error| context.error(error.to_string()))?;
        let regex = known.entry(pattern.to_string()).or_insert(Arc::new(regex));
        Ok(regex.is_match(text))
    }
}

struct Walk<'a> {
    functions: &'a Context<'static>,
    /// The way to where the walk is.
    path: Path,
    remarks: Vec<Remark>,
}

impl Walk<'_> {
    fn value(&mut self, schema: &CompiledSchema, value: &Value) {
        self.ask(schema, value);
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let additional = schema.additional_properties.as_deref();
                    if let Some(schema) = schema.properties.get(name).or(additional) {
                        self.within(Step::Field(name.clone()), |walk| walk.value(schema, value));
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = schema.items.as_deref() else { return };
                for (index, item) in items.iter().enumerate() {
                    self.within(Step::Item(index), |walk| walk.value(schema, item));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn within(&mut self, step: Step, walk: impl FnOnce(&mut Self)) {
        self.path.push(step);
        walk(self);
        self.path.pop();
    }

    fn ask(&mut self, schema: &CompiledSchema, value: &Value) {
        // Transition rules compare with the object as it was before, and there is none.
        let rules = schema.validations.iter().filter(|rule| !matches!(rule, Ok(rule) if rule.is_transition_rule));
        let mut context = None;
        for rule in rules {
            let rule = match rule {
                Ok(rule) => rule,
                Err(error) => {
                    self.remarks.push(Remark::new(self.path.clone(), error.to_string()));
                    continue;
                }
            };
            let context = context.get_or_insert_with(|| {
                let mut context = self.functions.new_inner_scope();
                context.add_variable_from_value("self", cel_value(value));
                context
            });
            if let Some(message) = objection(rule, context) {
                self.remarks.push(Remark::new(self.path.clone(), message));
            }
        }
    }
}

/// Why a rule refuses, if it does.
fn objection(rule: &CompilationResult, context: &Context) -> Option<String> {
    let text = |program: &kube::core::cel::cel::Program| match program.execute(context) {
        Ok(CelValue::String(text)) => Some(text.to_string()),
        _ => None,
    };
    match rule.program.execute(context) {
        Ok(CelValue::Bool(true)) => None,
        Ok(_) => {
            let message = rule.message_program.as_ref().and_then(text).or_else(|| rule.rule.message.clone());
            Some(message.unwrap_or_else(|| format!("does not satisfy {}", rule.rule.rule)))
        }
        Err(error) => Some(format!("{} cannot be asked: {error}", rule.rule.rule)),
    }
}

/// A value as rules see it. (They name no field whose name would have to be escaped, which a test looks after.)
fn cel_value(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(boolean) => CelValue::Bool(*boolean),
        Value::Number(number) => cel_number(number),
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(cel_value).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (Key::String(Arc::new(name.clone())), cel_value(value)));
            CelValue::Map(Map { map: Arc::new(fields.collect()) })
        }
    }
}

fn cel_number(number: &Number) -> CelValue {
    let float = || CelValue::Float(number.as_f64().unwrap_or_default());
    number.as_i64().map(CelValue::Int).or_else(|| number.as_u64().map(CelValue::UInt)).unwrap_or_else(float)
}

#[cfg(test)]
mod tests {
    use super::{CompiledSchema, Rules};
    use crate::api::crd;

    fn nodes(schema: &CompiledSchema) -> Vec<&CompiledSchema> {
        let below =
            schema.properties.values().chain(schema.items.as_deref()).chain(schema.additional_properties.as_deref());
        std::iter::once(schema).chain(below.flat_map(nodes)).collect()
    }

    #[test]
    fn every_rule_of_every_kind_can_be_asked() {
        let mut rules = 0;
        for crd in crd::all() {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let compiled = Rules::new(&serde_json::to_value(schema).unwrap());
            for node in nodes(&compiled.schema) {
                assert_eq!(node.compilation_errors().len(), 0);
                assert!([&node.all_of, &node.one_of, &node.any_of].iter().all(|branches| branches.is_empty()));
                for rule in node.validations.iter().flatten().filter(|rule| !rule.is_transition_rule) {
                    let rule = &rule.rule;
                    let is_plain = rule.field_path.is_none() && rule.optional_old_self.is_none();
                    assert!(is_plain && !rule.rule.contains("__"), "{}", rule.rule);
                    rules += 1;
                }
            }
        }
        assert!(rules > 20, "{rules}");
    }
}

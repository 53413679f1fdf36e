//! The CEL rules of a CustomResourceDefinition, applied to an object that is made or changed.
//!
//! The client's validator compiles each regular expression anew for each object, which takes longer than everything else that
//! is done with the object. So this module walks the compiled rules itself and keeps the compiled expressions.

use super::{
    path::{Path, PathStep},
    structure::Remark,
};
use kube::core::cel::{
    CompilationResult, CompiledSchema, KubeCelExt,
    cel::{
        Context, ExecutionError, FunctionContext, Value as CelValue,
        extractors::This,
        objects::{Key, Map, OptionalValue},
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
pub struct CelRules {
    schema: CompiledSchema,
    /// As it is written: what is compiled does not say which items of two lists belong together.
    written: Value,
    functions: Context<'static>,
}

impl CelRules {
    /// The rules of a schema.
    #[must_use]
    pub fn new(schema: &Value) -> Self {
        let mut functions = Context::default().with_all();
        let patterns = CompiledPatterns::default();
        functions.add_function("matches", move |context: &FunctionContext, This(text): This<Arc<String>>, pattern| {
            patterns.matches(context, &text, &pattern)
        });
        Self { schema: compile_schema(schema), written: schema.clone(), functions }
    }

    /// What the rules say against an object that has the types which its schema asks for.
    #[must_use]
    pub fn check(&self, object: &Value) -> Vec<Remark> {
        self.ask(object, None, |rule| !rule.is_transition_rule || is_optional(rule))
    }

    /// What the rules say against the change from one object to another, both of the types which their schema asks for.
    #[must_use]
    pub fn check_change(&self, old: &Value, new: &Value) -> Vec<Remark> {
        self.ask(new, Some(old), |rule| rule.is_transition_rule)
    }

    fn ask(&self, object: &Value, old: Option<&Value>, chooses: fn(&CompilationResult) -> bool) -> Vec<Remark> {
        let mut walk = RuleWalk { functions: &self.functions, chooses, path: Path::default(), remarks: Vec::new() };
        walk.value(&self.schema, &self.written, object, old);
        walk.remarks
    }
}

/// Whether a transition rule is asked also where there was nothing before.
fn is_optional(rule: &CompilationResult) -> bool {
    rule.rule.optional_old_self == Some(true)
}

/// Compiled regular expressions.
#[derive(Default)]
struct CompiledPatterns(Mutex<HashMap<String, Arc<Regex>>>);

impl CompiledPatterns {
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

struct RuleWalk<'a> {
    functions: &'a Context<'static>,
    /// The rules that are asked.
    chooses: fn(&CompilationResult) -> bool,
    /// The way to where the walk is.
    path: Path,
    remarks: Vec<Remark>,
}

impl RuleWalk<'_> {
    /// `old` is what was there before, if that can be told.
    fn value(&mut self, schema: &CompiledSchema, written: &Value, value: &Value, old: Option<&Value>) {
        self.ask(schema, written, value, old);
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let additional = schema.additional_properties.as_deref();
                    if let Some(schema) = schema.properties.get(name).or(additional) {
                        let (written, old) = (within(written, name), old.and_then(|old| old.get(name)));
                        self.within(PathStep::Field(name.clone()), |walk| walk.value(schema, written, value, old));
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = schema.items.as_deref() else { return };
                for (index, item) in items.iter().enumerate() {
                    let old = old.and_then(|old| counterpart(written, item, old));
                    self.within(PathStep::Item(index), |walk| walk.value(schema, of_items(written), item, old));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn within(&mut self, step: PathStep, walk: impl FnOnce(&mut Self)) {
        self.path.push(step);
        walk(self);
        self.path.pop();
    }

    fn ask(&mut self, schema: &CompiledSchema, written: &Value, value: &Value, old: Option<&Value>) {
        let mut context = None;
        for rule in &schema.validations {
            let rule = match rule {
                Ok(rule) => rule,
                Err(error) => {
                    self.remarks.push(Remark::new(self.path.clone(), error.to_string()));
                    continue;
                }
            };
            let can_be_asked = !rule.is_transition_rule || old.is_some() || is_optional(rule);
            if !can_be_asked || !(self.chooses)(rule) {
                continue;
            }
            let context = context.get_or_insert_with(|| {
                let mut context = self.functions.new_inner_scope();
                context.add_variable_from_value("self", cel_value(value));
                context
            });
            if rule.is_transition_rule {
                let old = old.map(cel_value);
                let old = if is_optional(rule) { optional(old) } else { old.unwrap_or(CelValue::Null) };
                context.add_variable_from_value("oldSelf", old);
            }
            if let Some(message) = objection(rule, context) {
                let place = ComparedPart { written, new: Some(value), old };
                let field = rule.rule.field_path.as_deref().unwrap_or_default();
                self.remarks.push(Remark::new(place.find(field, self.path.clone()), message));
            }
        }
    }
}

/// The schema of a field.
fn within<'a>(written: &'a Value, name: &str) -> &'a Value {
    let named = written.get("properties").and_then(|properties| properties.get(name));
    named.or_else(|| written.get("additionalProperties")).unwrap_or(&Value::Null)
}

/// The schema of a list's items.
fn of_items(written: &Value) -> &Value {
    written.get("items").unwrap_or(&Value::Null)
}

/// What an item of a list was before, as the API server tells it: by its keys, where the list is a map; of other lists
/// nothing is known.
fn counterpart<'a>(written: &Value, item: &Value, old: &'a Value) -> Option<&'a Value> {
    written.get("x-kubernetes-list-type").filter(|list_type| *list_type == "map")?;
    let keys = written.get("x-kubernetes-list-map-keys")?.as_array()?;
    let is_same = |old: &&Value| keys.iter().filter_map(Value::as_str).all(|key| old.get(key) == item.get(key));
    old.as_array()?.iter().find(is_same)
}

/// A part of an object before and after, which a rule refuses.
#[derive(Clone, Copy)]
struct ComparedPart<'a> {
    written: &'a Value,
    new: Option<&'a Value>,
    old: Option<&'a Value>,
}

impl<'a> ComparedPart<'a> {
    /// The way from `path` along the rule's own field and on, as long as only one thing differs.
    fn find(self, field: &str, mut path: Path) -> Path {
        let mut place = self;
        for name in field.split('.').filter(|name| !name.is_empty()) {
            path.push(PathStep::Field(name.to_owned()));
            place = place.field(name);
        }
        while let Some((step, further)) = place.only_difference() {
            path.push(step);
            place = further;
        }
        path
    }

    fn field(self, name: &str) -> Self {
        let of = |value: Option<&'a Value>| value.and_then(|value| value.get(name));
        Self { written: within(self.written, name), new: of(self.new), old: of(self.old) }
    }

    fn only_difference(self) -> Option<(PathStep, Self)> {
        let mut differing: Vec<(PathStep, Self)> = match (self.new?, self.old?) {
            (Value::Object(new), Value::Object(old)) => {
                let names = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
                let places = names.map(|name| (PathStep::Field(name.clone()), self.field(name)));
                places.filter(|(_, place)| place.new != place.old).collect()
            }
            (Value::Array(new), old @ Value::Array(_)) => {
                let place = |(index, item)| {
                    let old = counterpart(self.written, item, old).filter(|old| *old != item)?;
                    Some((
                        PathStep::Item(index),
                        Self { written: of_items(self.written), new: Some(item), old: Some(old) },
                    ))
                };
                new.iter().enumerate().filter_map(place).collect()
            }
            _ => return None,
        };
        let only = differing.pop()?;
        differing.is_empty().then_some(only)
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

/// What there was before, if anything, as rules see it that are asked in either case.
fn optional(old: Option<CelValue>) -> CelValue {
    CelValue::Opaque(Arc::new(old.map_or_else(OptionalValue::none, OptionalValue::of)))
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
    use super::{CelRules, CompiledSchema, Remark};
    use crate::api::crd;
    use serde_json::{Value, json};

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
            let compiled = CelRules::new(&serde_json::to_value(schema).unwrap());
            for node in nodes(&compiled.schema) {
                assert_eq!(node.compilation_errors().len(), 0);
                assert!([&node.all_of, &node.one_of, &node.any_of].iter().all(|branches| branches.is_empty()));
                for rule in node.validations.iter().flatten() {
                    assert!(!rule.rule.rule.contains("__"), "{}", rule.rule.rule);
                    rules += 1;
                }
            }
        }
        assert!(rules > 30, "{rules}");
    }

    fn said(remarks: Vec<Remark>) -> Vec<String> {
        remarks.into_iter().map(|remark| format!("{}: {}", remark.path, remark.message)).collect()
    }

    /// A schema with rules at every place.
    fn everywhere() -> CelRules {
        let rule = |rule: &str, message: &str| json!([{"rule": rule, "message": message}]);
        let same = |what: &str| rule("self == oldSelf", &format!("{what} is immutable"));
        let item = json!({"type": "object", "properties": {
            "key": {"type": "string"},
            "value": {"type": "integer", "x-kubernetes-validations": same("value")},
        }});
        let list = |list_type: &str, keys: &Value| json!({"type": "array", "items": item, "x-kubernetes-list-type": list_type, "x-kubernetes-list-map-keys": keys});
        CelRules::new(&json!({"type": "object", "properties": {
            "name": {"type": "string", "x-kubernetes-validations": same("name")},
            "mapped": list("map", &json!(["key"])),
            "whole": list("atomic", &Value::Null),
            "plain": {"type": "array", "items": {"type": "integer", "x-kubernetes-validations": same("item")}},
            "map": {"type": "object", "additionalProperties": {"type": "integer", "x-kubernetes-validations": same("entry")}},
            "once": {"type": "integer", "x-kubernetes-validations": [{
                "rule": "oldSelf.hasValue() || self == 1", "message": "begins with 1", "optionalOldSelf": true,
            }]},
            "grown": {"type": "object", "properties": {"size": {"type": "integer"}}, "x-kubernetes-validations": [{
                "rule": "self.size >= oldSelf.size", "fieldPath": ".size",
                "messageExpression": "'it was ' + string(oldSelf.size)",
            }]},
        }}))
    }

    /// What the rules of a kind say of a change of a spec.
    fn spec_changed(kind: &str, old: &Value, new: &Value) -> Vec<String> {
        let crd = crd::all().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let rules = CelRules::new(&serde_json::to_value(schema).unwrap());
        let object = |spec: &Value| json!({"metadata": {"name": "a"}, "spec": spec});
        said(rules.check_change(&object(old), &object(new)))
    }

    #[test]
    fn what_is_locked_is_told_where_it_stands() {
        let spec = |more: &Value| {
            let mut spec =
                json!({"organization": "acme", "definition": "seats", "state": "Active", "end": "2026-12-31"});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let amendment = |name: &str, amount: Value, revoked: bool| json!({"name": name, "effective": "2026-12-01", "amount": amount, "facets": {"f": {"a": 1}}, "revoked": revoked});
        let one = json!({"amendments": [amendment("a", json!(1), false), amendment("b", json!(2), false)]});
        let taken_back = json!({"amendments": [amendment("a", json!(1), true), amendment("b", json!(2), false)]});
        let mut restated = one.clone();
        restated["amendments"][1]["facets"]["f"]["a"] = json!(2);
        let never_changed = "amendments are never changed while the grant is Active, but for revoked: true: take the entry back and add a new one under another name";
        let never_removed =
            "amendments are never removed while the grant is Active: set revoked: true on the entry to take it back";
        let table: Vec<(Value, Value, Vec<String>)> = vec![
            (json!({}), json!({"priority": 3, "facets": {"f": {}}, "suspended": true}), vec![]),
            (
                json!({}),
                json!({"end": "2027-12-31", "amount": 30}),
                vec![
                    "spec.end: end is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration".to_owned(),
                    "spec.amount: amount is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration".to_owned(),
                ],
            ),
            // A text is no number.
            (
                json!({"amount": 30}),
                json!({"amount": "30"}),
                vec!["spec.amount: amount is locked while the grant is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration".to_owned()],
            ),
            (json!({"state": "Draft"}), json!({"end": "2027-12-31", "amount": 30}), vec![]),
            (json!({}), json!({"state": "Draft", "end": "2027-12-31"}), vec![]),
            (
                json!({"state": "Cancelled"}),
                json!({"state": "Active"}),
                vec!["spec.state: a cancelled grant stays cancelled: make a new one".to_owned()],
            ),
            (one.clone(), taken_back.clone(), vec![]),
            (taken_back, one.clone(), vec![format!("spec.amendments[0].revoked: {never_changed}")]),
            (one.clone(), json!({}), vec![format!("spec.amendments: {never_removed}")]),
            (one.clone(), json!({"amendments": [amendment("b", json!(2), false)]}), vec![format!("spec.amendments: {never_removed}")]),
            (one.clone(), json!({"amendments": [amendment("b", json!(2), false), amendment("a", json!(3), false)]}), vec![format!("spec.amendments[1].amount: {never_changed}")]),
            (one, restated, vec![format!("spec.amendments[1].facets.f.a: {never_changed}")]),
        ];
        for (old, new, expected) in table {
            assert_eq!(spec_changed("EntitlementInstance", &spec(&old), &spec(&new)), expected, "{old} {new}");
        }
        let subscription = |more: &Value| {
            let mut spec = json!({"organization": "acme", "plan": "business", "state": "Active"});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let up = |plan: &str| json!({"amendments": [{"name": "up", "effective": "2026-12-01", "plan": plan, "revoked": false}]});
        for (old, new, expected) in [
            (json!({}), json!({"agreement": "7", "add": [{"name": "a", "definition": "d"}]}), vec![]),
            (
                json!({}),
                json!({"plan": "starter"}),
                vec![
                    "spec.plan: plan is locked while the subscription is Active: add an entry to amendments, or set state to Draft first, which withdraws its configuration",
                ],
            ),
            (
                up("enterprise"),
                up("starter"),
                vec![
                    "spec.amendments[0].plan: amendments are never changed while the subscription is Active, but for revoked: true: take the entry back and add a new one under another name",
                ],
            ),
        ] {
            assert_eq!(spec_changed("EntitlementSubscription", &subscription(&old), &subscription(&new)), expected);
        }
        let definition =
            |type_: &str, unit: Option<&str>| json!({"type": type_, "unit": unit, "amount": 1, "allowMultiple": false});
        let said = spec_changed(
            "EntitlementDefinition",
            &definition("Quantity", Some("seats")),
            &definition("Credit", Some("users")),
        );
        assert_eq!(
            said,
            [
                "spec.type: type is immutable: make a new definition under another name",
                "spec.unit: unit is immutable: make a new definition under another name",
            ]
        );
    }

    #[test]
    fn what_there_was_before_is_found_as_the_api_server_finds_it() {
        let item = |key: &str, value: u32| json!({"key": key, "value": value});
        let table: [(Value, Value, &[&str]); 13] = [
            (json!({"name": "a"}), json!({"name": "a"}), &[]),
            (json!({"name": "a"}), json!({"name": "b"}), &["name: name is immutable"]),
            (json!({"name": "a"}), json!({}), &[]),
            (json!({}), json!({"name": "b"}), &[]),
            // By key, wherever it stands.
            (json!({"mapped": [item("a", 1), item("b", 2)]}), json!({"mapped": [item("b", 2), item("a", 1)]}), &[]),
            (
                json!({"mapped": [item("a", 1), item("b", 2)]}),
                json!({"mapped": [item("c", 9), item("b", 3)]}),
                &["mapped[1].value: value is immutable"],
            ),
            // Of other lists no item is known again.
            (json!({"whole": [item("a", 1)]}), json!({"whole": [item("a", 2)]}), &[]),
            (json!({"plain": [1]}), json!({"plain": [2]}), &[]),
            (
                json!({"map": {"a.b": 1, "c": 2}}),
                json!({"map": {"a.b": 2, "d": 3}}),
                &["map[\"a.b\"]: entry is immutable"],
            ),
            // Asked where there was nothing, too.
            (json!({}), json!({"once": 2}), &["once: begins with 1"]),
            (json!({"once": 1}), json!({"once": 2}), &[]),
            (json!({"grown": {"size": 3}}), json!({"grown": {"size": 2}}), &["grown.size: it was 3"]),
            (json!({"grown": {"size": 3}}), json!({"grown": {"size": 4}}), &[]),
        ];
        for (old, new, expected) in table {
            assert_eq!(said(everywhere().check_change(&old, &new)), expected, "{old} {new}");
        }
        // What is made is asked what is asked of every object.
        assert_eq!(said(everywhere().check(&json!({"name": "a", "once": 2}))), ["once: begins with 1"]);
        assert_eq!(said(everywhere().check(&json!({"name": "a", "once": 1}))), [""; 0]);
    }
}

//! Facet schemas: JSON Schema 2020-12 with formats asserted, and the values of a facet under them.
//!
//! A schema comes from a catalogue author and values from whoever grants, and neither may hold up or bring down the
//! process. So a schema goes through these steps, each of which may refuse it:
//!
//! 1. `inspect`: size, dialect, meta-schema, references, each `pattern`;
//! 2. `normalize`: rewritten, so that what follows has one form to work on;
//! 3. `secret_fields`; `extent`: how much work it can ask for; `defaults`;
//! 4. `checker`: compiled; a check of a value counts its `work` before it does it;
//! 5. `own_defaults`: its defaults are checked by itself.
//!
//! One that was valid once goes by the rules of that time as far as it can: `relax`.
//!
//! Numbers are as `serde_json` reads them: integers of 64 bits exactly, others as binary double precision, with which
//! `multipleOf` still counts in decimal.

mod alternatives;
mod checker;
mod defaults;
mod extent;
mod hash;
mod inspect;
mod invalid;
mod keyword;
mod measure;
mod message;
mod normalize;
mod own_defaults;
mod pattern;
mod phrase;
mod reading;
mod relax;
mod sample;
mod secret_fields;
mod shared;
mod stray_boolean;
mod unknown_field;
mod violation;
mod work;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};
use zeroize::Zeroize;

pub use defaults::merge;
pub use hash::canonical_hash;
pub use invalid::{InvalidSchema, SchemaProblem};
pub use sample::Sample;
pub use violation::{GrantField, Violation};

/// The words of messages, for whoever checks other values against a schema than those of facets.
pub(crate) mod wording {
    pub(crate) use super::{
        message::describe,
        phrase::{Visibility, push_field, push_item},
        unknown_field::{closest, explain as unknown_field},
    };
}

use super::secret::Secret;
use checker::Checker;
use defaults::TooMuch;
use inspect::Inspected;
use normalize::{Mode, Normal};
use phrase::Visibility;
use violation::{FieldPlace, MAX_VIOLATIONS};

/// A facet schema, ready for use. Cloning it is cheap.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

/// The rules by which a schema is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RuleEdition {
    /// Those for a schema that is to be used from now on.
    Present,
    /// It was valid once, and serves on.
    Kept,
}

struct Compiled {
    hash: [u8; 32],
    rules: RuleEdition,
    /// The normalized schema, for defaults and samples.
    document: Value,
    /// Every field that it names at the top, and whether it is secret.
    properties: BTreeMap<String, bool>,
    secrets: BTreeSet<String>,
    empty_defaults: Map<String, Value>,
    idle_defaults: Vec<SchemaProblem>,
    /// Checks whole values; a secret field may have any value here.
    whole: Checker,
    /// Checks values that other layers complete.
    stated: Checker,
    /// Checks the value of each secret field.
    secret: BTreeMap<String, Checker>,
}

impl Schema {
    /// Compiles a facet schema, unless one of the same content is in use.
    ///
    /// # Errors
    ///
    /// Each place in the schema that is wrong or beyond a limit, and what to do there.
    pub fn compile(schema: &Value) -> Result<Self, InvalidSchema> {
        Self::by(schema, RuleEdition::Present)
    }

    /// Compiles a facet schema that was valid once, and serves for as long as nothing newer does. What has been refused only
    /// since then does not make it unusable: such checks of a secret's value and such patterns are left out.
    ///
    /// # Errors
    ///
    /// As for [`Schema::compile`].
    pub fn compile_kept(schema: &Value) -> Result<Self, InvalidSchema> {
        Self::compile(schema).or_else(|_| {
            inspect::limits(schema)?;
            Self::by(&relax::relax(schema), RuleEdition::Kept)
        })
    }

    fn by(schema: &Value, rules: RuleEdition) -> Result<Self, InvalidSchema> {
        inspect::limits(schema)?;
        let hash = canonical_hash(schema);
        if let Some(known) = shared::find(&hash, rules) {
            return Ok(known);
        }
        let inspected = inspect::inspect(schema)?;
        let normal = normalize::normalize(schema, &inspected.targets, "", Mode::Whole)?;
        let secrets = secret_fields::names(schema);
        if rules == RuleEdition::Present {
            secret_fields::check(schema, &normal, &inspected.patterns)?;
        }
        extent::extent(&normal)?;
        let defaults = defaults::stated(&normal)?;
        let mut empty_defaults = Map::new();
        defaults::fill(&normal.document, &secrets, &mut empty_defaults)
            .map_err(|TooMuch| SchemaProblem::new("", "its defaults come to an enormous size; remove some"))?;
        let document = normal.document.clone();
        let builder = Builder { schema, inspected: &inspected, secrets: &secrets };
        let compiled = Compiled {
            hash,
            rules,
            properties: properties(&document, &secrets),
            empty_defaults,
            idle_defaults: idle(&defaults),
            whole: builder.values(normal)?,
            stated: builder.values(normalize::normalize(schema, &inspected.targets, "", Mode::Stated)?)?,
            secret: builder.secret_values()?,
            document,
            secrets: secrets.clone(),
        };
        if rules == RuleEdition::Present {
            own_defaults::check(schema, &inspected, &defaults)?;
            own_defaults::check_together(schema, &compiled.stated, &compiled.empty_defaults)?;
        }
        let compiled = Self(Arc::new(compiled));
        shared::keep(&compiled);
        Ok(compiled)
    }

    /// [`canonical_hash`] of the schema as it was given.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        self.0.hash
    }

    /// The fields whose values come from Secrets only.
    #[must_use]
    pub fn secret_fields(&self) -> &BTreeSet<String> {
        &self.0.secrets
    }

    /// The fields that the schema names at the top, in order of their names, each with whether it is secret.
    pub fn properties(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.properties.iter().map(|(name, secret)| (name.as_str(), *secret))
    }

    /// The values of a grant that states none: the top-level fields that have a default, with what is inside of them.
    #[must_use]
    pub fn empty_defaults(&self) -> &Map<String, Value> {
        &self.0.empty_defaults
    }

    /// Defaults that are never filled in, each with what to do instead: they stand below keywords that are not followed. At
    /// most 20.
    #[must_use]
    pub fn idle_defaults(&self) -> &[SchemaProblem] {
        &self.0.idle_defaults
    }

    /// Gives what is absent inside objects that are there its default, and creates no parents. Doing it once more
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// The values with their defaults are too large to be filled; `values` is then filled in part.
    pub fn fill_defaults(&self, facet: &str, values: &mut Map<String, Value>) -> Result<(), Violation> {
        defaults::fill(&self.0.document, &self.0.secrets, values).map_err(|TooMuch| {
            let message = "too large or too deep to be filled with defaults; state fewer values";
            FieldPlace::facet(facet).violation("limit", message)
        })
    }

    /// Checks the plain values of a grant, defaults filled in. `supplied` names the secret fields for which the grant
    /// names a Secret; they count as given.
    ///
    /// # Errors
    ///
    /// Up to 20 violations, at least one; those of secret fields given in plain come first.
    pub fn validate(
        &self,
        facet: &str,
        values: &Map<String, Value>,
        supplied: &BTreeSet<String>,
    ) -> Result<(), Vec<Violation>> {
        self.check(&self.0.whole, facet, values, supplied)
    }

    /// Whether [`Schema::validate`] finds nothing wrong; that takes less than to say what.
    #[must_use]
    pub fn accepts(&self, facet: &str, values: &Map<String, Value>, supplied: &BTreeSet<String>) -> bool {
        let is_plain = !self.0.secrets.iter().any(|name| values.contains_key(name));
        is_plain && self.0.whole.accepts(&FieldPlace::facet(facet), &Value::Object(self.shown(values, supplied)))
    }

    /// Checks values that other layers complete (presets): what is given must be valid where it stands, and whatever a
    /// further field could still satisfy (`required`, conditions, `oneOf`) is not asked for. What this refuses, no
    /// further field can make valid. Fill in the defaults first: a list item may lack a field that has one.
    ///
    /// # Errors
    ///
    /// As for [`Schema::validate`].
    pub fn validate_partial(&self, facet: &str, values: &Map<String, Value>) -> Result<(), Vec<Violation>> {
        self.check(&self.0.stated, facet, values, &BTreeSet::new())
    }

    /// The fields named `true` or `false`, at any depth, that the schema lets pass without knowing them: valid, but hardly meant.
    /// At most 20, each with an explanation.
    #[must_use]
    pub fn stray_booleans(&self, facet: &str, values: &Map<String, Value>) -> Vec<Violation> {
        stray_boolean::stray_booleans(&self.0.document, &FieldPlace::facet(facet), values)
    }

    /// The value that a text on a command line stands for, if the schema knows its type.
    #[must_use]
    pub fn read_text(&self, path: &[String], text: &str) -> Value {
        reading::read(&self.0.document, path, text)
    }

    /// Checks the value of a secret field. A field that is not secret is a violation.
    ///
    /// # Errors
    ///
    /// Up to 20 violations, at least one; none shows the value.
    pub fn validate_secret(&self, facet: &str, field: &str, secret: &Secret<String>) -> Result<(), Vec<Violation>> {
        let place = FieldPlace::facet(facet).field(field);
        let Some(checker) = self.0.secret.get(field) else {
            let message = "is no secret field of the schema; remove it from secretFacets";
            return Err(vec![place.violation("writeOnly", message)]);
        };
        let mut value = Value::String(secret.expose_secret().clone());
        let result = checker.check(&place, &value, Visibility::Hidden);
        if let Value::String(text) = &mut value {
            text.zeroize();
        }
        result
    }

    /// A value made up from the schema with all fields that it names, secret ones included, to try templates on.
    #[must_use]
    pub fn sample(&self) -> Sample {
        self.made_up(false)
    }

    /// The same without what the schema says by way of defaults and examples, which may be large.
    #[must_use]
    pub fn bare_sample(&self) -> Sample {
        self.made_up(true)
    }

    fn made_up(&self, is_bare: bool) -> Sample {
        let mut tries = BTreeMap::new();
        let make = |tries: &BTreeMap<_, _>| {
            let sample = sample::sample(&self.0.document, sample::SamplePlan { is_bare, tries });
            let doubts = self.doubts(&sample.values);
            (sample, doubts)
        };
        let (mut best, mut doubts) = make(&tries);
        for _ in 0..sample::MAX_TRIES {
            if doubts.is_empty() {
                break;
            }
            for field in &doubts {
                *tries.entry(field.clone()).or_default() += 1;
            }
            let (next, left) = make(&tries);
            if left.len() < doubts.len() {
                best = next;
            }
            doubts = left;
        }
        best
    }

    /// Whether the schema says something of fields that it does not name, or names none.
    #[must_use]
    pub fn allows_other_fields(&self) -> bool {
        sample::has_free_names(&self.0.document)
    }

    /// The fields whose values are not valid, including secret ones; all of them if the whole is not valid.
    #[must_use]
    pub fn doubts(&self, values: &Map<String, Value>) -> BTreeSet<String> {
        let secrets = &self.0.secrets;
        let is_secret = |name: &String| secrets.contains(name);
        let plain =
            values.iter().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name.clone(), value.clone()));
        let mut doubts = BTreeSet::new();
        for violation in self.validate("", &plain.collect(), secrets).err().into_iter().flatten() {
            match sample::field_of(&violation.pointer).filter(|field| values.contains_key(field)) {
                Some(field) => drop(doubts.insert(field)),
                None => return values.keys().cloned().collect(),
            }
        }
        for (name, value) in values.iter().filter(|(name, _)| is_secret(name)) {
            let is_valid = value
                .as_str()
                .is_some_and(|text| self.validate_secret("", name, &Secret::new(text.to_owned())).is_ok());
            if !is_valid {
                doubts.insert(name.clone());
            }
        }
        doubts
    }

    fn check(
        &self,
        checker: &Checker,
        facet: &str,
        values: &Map<String, Value>,
        supplied: &BTreeSet<String>,
    ) -> Result<(), Vec<Violation>> {
        let secrets = &self.0.secrets;
        let place = FieldPlace::facet(facet);
        let plain = secrets.iter().filter(|name| values.contains_key(*name));
        let mut violations: Vec<Violation> = plain.map(|name| place.clone().field(name).secret_in_plain()).collect();
        let shown = Value::Object(self.shown(values, supplied));
        if let Err(found) = checker.check(&place, &shown, Visibility::Shown) {
            violations.extend(found);
            violations.truncate(MAX_VIOLATIONS);
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

impl Schema {
    /// The values as they are checked: of a secret field, that it is there.
    fn shown(&self, values: &Map<String, Value>, supplied: &BTreeSet<String>) -> Map<String, Value> {
        let secrets = &self.0.secrets;
        let mut shown: Map<String, Value> = values
            .iter()
            .filter(|(name, _)| !secrets.contains(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // A secret field given in plain is reported as that, and not as missing too.
        let given = secrets.iter().filter(|name| supplied.contains(*name) || values.contains_key(*name));
        shown.extend(given.map(|name| (name.clone(), Value::String(String::new()))));
        shown
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.0.properties.keys().collect();
        formatter.debug_tuple("Schema").field(&names).finish()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash && self.0.rules == other.0.rules
    }
}

impl Eq for Schema {}

fn properties(document: &Value, secrets: &BTreeSet<String>) -> BTreeMap<String, bool> {
    let Some(root) = document.as_object() else {
        return BTreeMap::new();
    };
    keyword::same_value(document, root)
        .into_iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(Map::keys)
        .map(|name| (name.clone(), secrets.contains(name)))
        .collect()
}

/// Defaults of a schema that are never filled in; none where it can't be used.
#[must_use]
pub fn idle_defaults(schema: &Value) -> Vec<SchemaProblem> {
    Schema::compile(schema).map(|schema| schema.idle_defaults().to_vec()).unwrap_or_default()
}

/// Defaults that are never filled in.
fn idle(defaults: &[defaults::StatedDefault]) -> Vec<SchemaProblem> {
    let message = "is never filled in, as defaults are taken from `properties`, `items` and local `$ref` alone: name the fields \
                   there, or have each grant state them";
    let idle = defaults.iter().filter(|default| !default.is_taken).take(MAX_VIOLATIONS);
    idle.map(|default| SchemaProblem::new(format!("{}/default", default.pointer), message)).collect()
}

/// What the checkers of one schema are built from.
struct Builder<'a> {
    schema: &'a Value,
    inspected: &'a Inspected,
    secrets: &'a BTreeSet<String>,
}

impl Builder<'_> {
    /// A checker of the facet's values, in which a secret field may have any value: it is not known there.
    fn values(&self, mut normal: Normal) -> Result<Checker, SchemaProblem> {
        let properties = normal.document.get_mut("properties").and_then(Value::as_object_mut);
        for (name, schema) in properties.into_iter().flatten() {
            if self.secrets.contains(name) {
                *schema = Value::Bool(true);
            }
        }
        let extent = extent::extent(&normal)?;
        Checker::new(normal, extent, &self.inspected.patterns)
    }

    fn secret_values(&self) -> Result<BTreeMap<String, Checker>, SchemaProblem> {
        let checker = |name: &String| {
            let mut start = "/properties".to_owned();
            keyword::push_token(&mut start, name);
            let normal = normalize::normalize(self.schema, &self.inspected.targets, &start, Mode::Whole)?;
            let extent = extent::extent(&normal)?;
            Ok((name.clone(), Checker::new(normal, extent, &self.inspected.patterns)?))
        };
        self.secrets.iter().map(checker).collect()
    }
}

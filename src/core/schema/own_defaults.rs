//! Whether the defaults of a schema are valid by the schema itself. If one is wrong, neither a definition nor a grant that
//! states nothing there is at fault.

use serde_json::{Map, Value};

use super::checker::Checker;
use super::defaults::StatedDefault;
use super::extent::extent;
use super::inspect::Inspected;
use super::invalid::{InvalidSchema, Problems, SchemaProblem};
use super::keyword;
use super::measure::measure;
use super::normalize::{Mode, normalize};
use super::phrase::Visibility;
use super::violation::{FieldPlace, Violation};

/// What the schemas of all defaults come to, each by itself, in values and in schemas with references written out.
const MAX_SIZE: u64 = 100_000;

/// Refuses defaults that no further field could make valid where they stand.
pub(super) fn check(schema: &Value, inspected: &Inspected, defaults: &[StatedDefault]) -> Result<(), InvalidSchema> {
    let mut problems = Problems::default();
    let mut inherited = Problems::default();
    let mut size = 0;
    for default in defaults {
        // Objects may be stated in part, and defaults are stated in part likewise.
        let normal = normalize(schema, &inspected.targets, &default.pointer, Mode::Stated)?;
        let extent = extent(&normal)?;
        size += measure(&normal.document).values + extent.unfolded;
        if size > MAX_SIZE {
            let message = format!(
                "the schemas of the defaults up to here come to more than {MAX_SIZE} values; remove defaults of objects that \
                 hold others"
            );
            return Err(SchemaProblem::new(format!("{}/default", default.pointer), message).into());
        }
        let checker = Checker::new(normal, extent, &inspected.patterns)?;
        let Err(violations) = checker.check(&FieldPlace::value(), &default.filled, Visibility::Shown) else { continue };
        for violation in violations.iter().filter(|violation| violation.rule != "limit") {
            let message = format!("breaks its own schema: {}; mend one of the two", violation.message);
            let problem = SchemaProblem::new(format!("{}/default", default.pointer), message);
            if is_own(&default.value, violation) { problems.add(problem) } else { inherited.add(problem) }
        }
    }
    problems.into_result()?;
    inherited.into_result()
}

/// Whether a violation is about what the default itself states, and not about a default inside of it, which has its own.
fn is_own(stated: &Value, violation: &Violation) -> bool {
    let pointer = violation.pointer.as_str();
    let is_missing = ["required", "dependentRequired"].contains(&violation.rule.as_str());
    let pointer = if is_missing { pointer.rsplit_once('/').map_or("", |(parent, _)| parent) } else { pointer };
    stated.pointer(pointer).is_some()
}

/// Refuses a default that some other part of the schema rules out, whatever else is stated. `whole` checks values that other
/// layers complete.
pub(super) fn check_together(
    schema: &Value,
    whole: &Checker,
    defaults: &Map<String, Value>,
) -> Result<(), InvalidSchema> {
    let value = Value::Object(defaults.clone());
    let Err(violations) = whole.check(&FieldPlace::value(), &value, Visibility::Shown) else { return Ok(()) };
    let mut problems = Problems::default();
    let of_fields = violations.iter().filter(|violation| violation.rule != "limit" && !violation.pointer.is_empty());
    for violation in of_fields {
        let message = format!("a default breaks the schema: {}; mend one of the two", violation.message);
        problems.add(SchemaProblem::new(place(schema, &violation.pointer), message));
    }
    problems.into_result()
}

/// Where the default of a top-level field stands, if it stands where the field is named first.
fn place(schema: &Value, pointer: &str) -> String {
    let field = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
    let mut place = String::new();
    for token in ["properties", &field.replace("~1", "/").replace("~0", "~"), "default"] {
        keyword::push_token(&mut place, token);
    }
    if schema.pointer(&place).is_some() { place } else { String::new() }
}

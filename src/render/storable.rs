//! What the API server would refuse of an output whatever fills it, so that no definition has it.

use super::{demands, template::Template};
use crate::{
    api::entitlement_definition::{Output, OutputKind},
    core::{excerpt::first_characters, name, problem::Problem, reason::ReasonCode},
};

/// The most bytes that all annotations of an object may have together, keys and values
/// (`TotalAnnotationSizeLimitB` of Kubernetes).
const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// More than the operator's own annotations ever have: their longest values are names.
const OWN_ANNOTATION_BYTES: usize = 4 * 1024;

/// What is wrong with an output's labels, annotations and type, each with its place in the output.
pub fn metadata_problems(output: &Output) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in &output.labels {
        let checks = [("label", name::label_key(key)), ("value of the label", name::label_value(value))];
        let wrong = checks.into_iter().filter_map(|(what, check)| Some((what, check.err()?)));
        problems.extend(wrong.map(|(what, fault)| {
            problem(output, &format!("the {what} {key} {fault}")).at(format!("/labels/{}", escape(key)))
        }));
    }
    for key in output.annotations.keys() {
        if let Err(fault) = name::annotation_key(key) {
            let place = format!("/annotations/{}", escape(key));
            problems.push(problem(output, &format!("the annotation {key} {fault}")).at(place));
        }
    }
    let bytes: usize = output.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    let most = MAX_ANNOTATION_BYTES - OWN_ANNOTATION_BYTES;
    if bytes > most {
        let message = format!("its annotations have {bytes} bytes, and there is room for {most}: shorten them");
        problems.push(problem(output, &message).at("/annotations"));
    }
    problems.extend(type_problem(output).map(|problem| problem.at("/type")));
    problems
}

fn type_problem(output: &Output) -> Option<Problem> {
    let type_ = output.type_.as_deref()?;
    if output.kind != OutputKind::Secret {
        return Some(problem(output, "type is that of a Secret: remove it, or use kind Secret"));
    }
    if let Err(fault) = name::secret_type(type_) {
        return Some(problem(output, &format!("type {fault}")));
    }
    let has = |needed: &str| output.items.iter().any(|item| item.key.as_deref() == Some(needed));
    demands::missing(type_, has).map(|unmet| problem(output, &unmet.to_string()))
}

/// What is wrong with a key of data.
pub fn key_problem(output: &Output, key: &str) -> Option<Problem> {
    let fault = name::data_key(key).err()?;
    Some(problem(output, &format!("the key {key} {fault}")))
}

/// What is wrong with an object's name for certain: `a` stands for what is known only when it is filled, since a letter
/// harms nowhere.
pub fn name_problem(output: &Output, object_name: &Template) -> Option<Problem> {
    let outline = object_name.outline();
    let certain: usize = outline.iter().flatten().map(|part| part.len()).sum();
    let name: String = outline.iter().map(|part| part.unwrap_or("a")).collect();
    // Filled with nothing, a name would be as long as what is certain.
    if certain <= LONGEST_NAME && name.len() > LONGEST_NAME {
        return None;
    }
    let fault = name::dns_subdomain(&name).err()?;
    let source = first_characters(object_name.source(), 80);
    Some(problem(output, &format!("objectName {source:?} gives no name for an object: it {fault}")))
}

/// The longest name of an object.
const LONGEST_NAME: usize = 253;

fn problem(output: &Output, message: &str) -> Problem {
    Problem::new(ReasonCode::InvalidOutput, format!("output {}: {message}", output.name))
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

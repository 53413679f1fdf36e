//! A new grant.

use super::{
    TermDate, Unclear,
    name::{check_free, free_name},
    term_date::day,
};
use crate::{
    api::{ASSIGNMENT_NAMESPACE, AmountField, GROUP, Organization, REASON, VERSION, facet_fields::SecretFacet},
    core::{
        calendar::{Instant, Tz, parse_zone},
        definition::Definition,
        facets::joined,
        schema::{Schema, wording::closest},
        source::{SourceId, SourceKind},
    },
    offline::Inventory,
};
use serde_json::{Map, Value, json};

/// What a new grant is to be.
#[derive(Clone, Debug, Default)]
pub struct GrantRequest {
    /// The organization's name.
    pub organization: String,
    /// The definition's name.
    pub definition: String,
    /// Where the grant is to lie.
    pub namespace: Option<String>,
    /// What it is to be called.
    pub name: Option<String>,
    /// When it starts; absent: today, or when what it renews ends.
    pub from: Option<TermDate>,
    /// When it ends; absent: by the catalogue.
    pub to: Option<TermDate>,
    /// How much; absent: by the catalogue.
    pub amount: Option<AmountField>,
    /// The values of facets.
    pub settings: Vec<Setting>,
    /// Where those of secret fields come from.
    pub secrets: Vec<SecretFacet>,
    /// The grant that it follows.
    pub renews: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Whether it is to be a Draft.
    pub is_draft: bool,
}

/// The value of a facet's field, as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The facet.
    pub facet: String,
    /// The way to the field.
    pub path: Vec<String>,
    /// What it is to be, in JSON, or as it is where the schema wants a text.
    pub text: String,
}

impl Inventory {
    /// The manifest of a new grant.
    ///
    /// # Errors
    /// Where what is asked for is not clear.
    pub fn propose_grant(&self, request: &GrantRequest, now: Instant) -> Result<Value, Unclear> {
        let organization = self.organizations.get(request.organization.as_str());
        let organization =
            organization.ok_or_else(|| Unclear::Usage(format!("there is no organization {}", request.organization)))?;
        let entry = self.entry(&request.definition);
        let definition = entry.serving.as_ref().map(|serving| &serving.terms);
        let namespace = namespace(organization, request)?;
        let name = self.name_of(request, &namespace)?;
        let mut metadata = json!({ "name": name, "namespace": namespace });
        if let Some(reason) = &request.reason {
            metadata["annotations"] = json!({ REASON: reason });
        }
        let spec = spec(request, definition, zone(organization), now)?;
        Ok(json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "EntitlementInstance",
            "metadata": metadata,
            "spec": spec,
        }))
    }

    fn name_of(&self, request: &GrantRequest, namespace: &str) -> Result<String, Unclear> {
        let is_taken = |name: &str| self.grants.contains_key(&SourceId::instance(namespace, name));
        match &request.name {
            Some(name) => check_free(SourceKind::Instance, namespace, name, is_taken(name)).map(|()| name.clone()),
            None => Ok(free_name(&format!("{}-{}", request.organization, request.definition), is_taken)),
        }
    }
}

/// Where it is to lie: where it is said, or the only place that is possible.
fn namespace(organization: &Organization, request: &GrantRequest) -> Result<String, Unclear> {
    if let Some(namespace) = &request.namespace {
        return Ok(namespace.clone());
    }
    let allowed = &organization.spec.assignable_from;
    match allowed.as_slice() {
        _ if allowed.iter().any(|one| one == ASSIGNMENT_NAMESPACE) => Ok(ASSIGNMENT_NAMESPACE.to_owned()),
        [only] => Ok(only.clone()),
        [] => Err(Unclear::Impossible(format!(
            "organization {} may be named in no namespace: add one to its spec.assignableFrom",
            request.organization
        ))),
        several => Err(Unclear::Usage(format!(
            "grants for organization {} may lie in {}: say in which with -n",
            request.organization,
            several.join(", ")
        ))),
    }
}

fn zone(organization: &Organization) -> Tz {
    parse_zone(&organization.spec.time_zone).unwrap_or(Tz::UTC)
}

fn spec(request: &GrantRequest, definition: Option<&Definition>, zone: Tz, now: Instant) -> Result<Value, Unclear> {
    let mut spec = json!({ "organization": request.organization, "definition": request.definition });
    if request.is_draft {
        spec["state"] = "Draft".into();
    }
    if let Some(renews) = &request.renews {
        spec["renews"] = renews.as_str().into();
    }
    let from = request.from.map(|from| from.moment(now, zone));
    // Whoever applies the manifest later gets the same term; a renewal starts when what it renews ends.
    if let Some(start) = from.or_else(|| request.renews.is_none().then(|| day(now, zone))) {
        spec["start"] = start.to_string().into();
    }
    if let Some(to) = request.to {
        spec["end"] = to.moment(now, zone).to_string().into();
    }
    if let Some(amount) = &request.amount {
        spec["amount"] = json!(amount);
    }
    let facets = facets(&request.settings, definition)?;
    if !facets.is_empty() {
        spec["facets"] = facets.into();
    }
    if !request.secrets.is_empty() {
        spec["secretFacets"] = json!(request.secrets);
    }
    Ok(spec)
}

fn facets(settings: &[Setting], definition: Option<&Definition>) -> Result<Map<String, Value>, Unclear> {
    let mut facets = Map::new();
    for setting in settings {
        let Setting { facet, path, text } = setting;
        let schema = definition.and_then(|definition| definition.facets.get(facet.as_str())).map(|facet| &facet.schema);
        let is_secret = path.first().zip(schema).is_some_and(|(field, schema)| schema.secret_fields().contains(field));
        if is_secret {
            return Err(Unclear::Usage(format!(
                "{} is secret, and never given on a command line: put it into a Secret beside the grant, and say which with --secret {0}=SECRET/KEY",
                written(setting)
            )));
        }
        // Whoever misspells a facet may have a secret to give.
        if schema.is_none() && definition.is_some() {
            return Err(unknown_facet(facet, definition));
        }
        if let Some(near) = path.first().zip(schema).and_then(|(field, schema)| meant(field, schema)) {
            let field = path.first().map(String::as_str).unwrap_or_default();
            return Err(Unclear::Usage(format!("facet {facet} names no field {field}: did you mean {near}?")));
        }
        let value = schema.map_or_else(|| Value::String(text.clone()), |schema| schema.read_text(path, text));
        let way: Vec<&str> = std::iter::once(facet).chain(path).map(String::as_str).collect();
        if !put(&mut facets, &way, value) {
            return Err(Unclear::Usage(format!("{} is set twice: leave one out", written(setting))));
        }
    }
    Ok(facets)
}

/// The field that is probably meant by one that a schema does not name. What is misspelt may be a secret one.
fn meant(field: &str, schema: &Schema) -> Option<String> {
    let known: Vec<&str> = schema.properties().map(|(name, _)| name).collect();
    if known.contains(&field) {
        return None;
    }
    closest(field, &known).map(str::to_owned)
}

fn unknown_facet(facet: &str, definition: Option<&Definition>) -> Unclear {
    let name = definition.map(|definition| &*definition.name).unwrap_or_default();
    let known: Vec<&str> = definition.into_iter().flat_map(|one| one.facets.keys()).map(AsRef::as_ref).collect();
    let advice = match (closest(facet, &known), known.as_slice()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "it has none at all".to_owned(),
        (None, known) => format!("it has {}", known.join(", ")),
    };
    Unclear::Usage(format!("definition {name} has no facet {facet}: {advice}"))
}

fn written(setting: &Setting) -> String {
    let path: Vec<&str> = setting.path.iter().map(String::as_str).collect();
    format!("{}.{}", setting.facet, joined(&path))
}

/// Puts a value at a place, unless there is something.
fn put(fields: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return fields.insert((*name).to_owned(), value).is_none();
    }
    let inner = fields.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    inner.as_object_mut().is_some_and(|inner| put(inner, rest, value))
}

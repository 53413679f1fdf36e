//! The outputs of a definition: checked when it is made, filled for each grant.

use super::{
    exhaustion::Exhaustion,
    format::{Format, FormatError, keys},
    template::{Context, Template, TemplateError},
    trial,
};
use crate::{
    api::{
        entitlement_definition::{EntitlementType, Item, ItemFormat, OnEnd, Output, OutputKind, Per},
        entitlement_instance::FacetFields,
    },
    core::{
        definition::{Definition, Problem},
        facets::SecretFields,
        reserved_name::keeper,
        secret::Secret,
    },
};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An output of a definition, ready to be filled.
#[derive(Clone, Debug)]
pub struct CompiledOutput {
    /// Its name in the definition.
    pub name: String,
    /// What is written.
    pub kind: OutputKind,
    /// What for.
    pub per: Per,
    /// What becomes of it at the end.
    pub on_end: OnEnd,
    /// Extra labels.
    pub labels: BTreeMap<String, String>,
    /// Extra annotations.
    pub annotations: BTreeMap<String, String>,
    object_name: Template,
    items: Vec<CompiledItem>,
    exhaustion: Exhaustion,
}

#[derive(Clone, Debug)]
enum CompiledItem {
    Template { key: String, template: Template },
    Format { key: String, format: Format, facets: Option<Vec<String>> },
    Keys { facets: Option<Vec<String>> },
}

/// What templates see. Fields are as the contract names them.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct Names<'a> {
    /// The organization.
    pub organization: Named<'a>,
    /// The definition.
    pub definition: DefinitionNames<'a>,
    /// The grant; not where one object is for all grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceNames<'a>>,
    /// The grant's chain; not where one object is for all grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainNames<'a>>,
    /// All grants in force together.
    pub total: Total,
}

/// A name, and one for people, which is the same where none is given.
#[derive(Clone, Debug, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named<'a> {
    /// The object's name.
    pub name: &'a str,
    /// For people.
    pub display_name: &'a str,
}

/// What templates see of the definition.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct DefinitionNames<'a> {
    /// Both names.
    #[serde(flatten)]
    pub named: Named<'a>,
    /// `Feature`, `Quantity` or `Credit`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// What is counted; null for a Feature.
    pub unit: Option<&'a str>,
}

impl<'a> DefinitionNames<'a> {
    /// What templates see of a definition.
    #[must_use]
    pub fn of(definition: &'a Definition) -> Self {
        Self {
            named: Named {
                name: &definition.name,
                display_name: definition.display_name.as_deref().unwrap_or(&definition.name),
            },
            type_: EntitlementType::as_str(definition.type_),
            unit: definition.unit.as_deref(),
        }
    }
}

/// What templates see of the grant.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct InstanceNames<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its amount now; null for a Feature.
    pub amount: Option<String>,
    /// Its start, RFC 3339 in UTC.
    pub start: String,
    /// Its end, RFC 3339 in UTC; null where never.
    pub end: Option<String>,
}

/// What templates see of the chain.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct ChainNames<'a> {
    /// The name of its first member.
    pub name: &'a str,
}

/// What templates see of all grants in force.
#[derive(Clone, Debug, Hash, Serialize)]
pub struct Total {
    /// All amounts together; null for a Feature.
    pub amount: Option<String>,
}

#[derive(Serialize)]
struct AllNames<'a> {
    #[serde(flatten)]
    names: &'a Names<'a>,
    facets: &'a FacetFields,
    output: OutputName<'a>,
}

#[derive(Serialize)]
struct OutputName<'a> {
    name: &'a str,
}

/// Why an output cannot be filled. No message holds a value, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// A template failed.
    #[error("output {output}, {part}: {error}")]
    Template {
        /// The output.
        output: String,
        /// The object name, or the key.
        part: String,
        /// What failed.
        error: Box<TemplateError>,
    },
    /// Facets cannot be written in a format.
    #[error("output {output}, {part}: {error}")]
    Format {
        /// The output.
        output: String,
        /// The key, or `Keys`.
        part: String,
        /// What cannot be written.
        error: Box<FormatError>,
    },
    /// Two items fill one key.
    #[error("output {output}: two of its items fill the key {key}: rename one")]
    KeyTaken {
        /// The output.
        output: String,
        /// The key.
        key: String,
    },
    /// The object's name is none.
    #[error(
        "output {output}: objectName gives {name:?}, which is no name for an object: it needs at most 253 lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    )]
    Name {
        /// The output.
        output: String,
        /// What the template gave, shortened.
        name: String,
    },
    /// The object's name is one that somebody else keeps in every namespace.
    #[error(
        "output {output}: objectName gives {name}, the name of an object that {keeper} keeps in every namespace: give it another"
    )]
    Reserved {
        /// The output.
        output: String,
        /// The name.
        name: String,
        /// Who keeps it.
        keeper: &'static str,
    },
}

impl OutputError {
    /// The reason of the condition `Delivered`.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Name { .. } => "InvalidName",
            Self::Reserved { .. } => "ReservedName",
            _ => "RenderFailed",
        }
    }
}

/// What came of filling one part of an output.
pub(super) struct Attempt<'a> {
    /// The template that was filled, if it was one.
    pub(super) template: Option<&'a Template>,
    /// The data keys that were filled.
    pub(super) keys: Result<Vec<String>, OutputError>,
}

impl CompiledOutput {
    /// Checks an output of a definition that has `count` of them.
    ///
    /// # Errors
    /// The first problem: a template that cannot be read, a facet that the definition does not have, two items for one key,
    /// a ConfigMap that could show a secret field, or what could never be filled.
    pub fn compile(definition: &Definition, output: &Output, count: usize) -> Result<Self, Problem> {
        let object_name = output.object_name.clone().unwrap_or_else(|| default_name(definition, output, count));
        let object_name = Template::compile(&object_name).map_err(|error| invalid(output, "objectName", &error))?;
        refuse_secrets(definition, output, "objectName", &object_name)?;
        let items =
            output.items.iter().map(|item| compile_item(definition, output, item)).collect::<Result<Vec<_>, _>>()?;
        let mut taken = BTreeSet::new();
        for key in items.iter().filter_map(CompiledItem::key) {
            if !taken.insert(key) {
                let error = OutputError::KeyTaken { output: output.name.clone(), key: key.to_owned() };
                return Err(Problem::new("InvalidOutput", error.to_string()));
            }
        }
        let compiled = Self {
            name: output.name.clone(),
            kind: output.kind,
            per: output.per,
            on_end: output.on_end,
            labels: output.labels.clone(),
            annotations: output.annotations.clone(),
            object_name,
            items,
            exhaustion: Exhaustion::default(),
        };
        trial::try_out(definition, &compiled)?;
        Ok(compiled)
    }

    /// Each part by itself, so that one that fails hides no other: the object's name, then the items.
    pub(super) fn attempt(&self, names: &Names, facets: &FacetFields) -> Vec<Attempt<'_>> {
        let context = self.context(names, facets);
        let name = self.object_name.render(&context).map_err(|error| self.template_error("objectName", error));
        let mut attempts = vec![Attempt { template: Some(&self.object_name), keys: name.map(|_| Vec::new()) }];
        attempts.extend(self.items.iter().map(|item| {
            let template = match item {
                CompiledItem::Template { template, .. } => Some(template),
                CompiledItem::Format { .. } | CompiledItem::Keys { .. } => None,
            };
            let filled = self.fill(item, &context, facets);
            Attempt { template, keys: filled.map(|entries| entries.into_iter().map(|(key, _)| key).collect()) }
        }));
        attempts
    }

    /// The object's name.
    ///
    /// # Errors
    /// Where the template fails, or gives what is no name of an object.
    pub fn object_name(&self, names: &Names, facets: &FacetFields) -> Result<String, OutputError> {
        let render = || self.object_name.render(&self.context(names, facets));
        let name = self.exhaustion.guard(("objectName", names, facets), || {
            render().map_err(|error| self.template_error("objectName", error))
        })?;
        if let Some(keeper) = keeper(self.kind, &name) {
            return Err(OutputError::Reserved { output: self.name.clone(), name, keeper });
        }
        if is_object_name(&name) {
            return Ok(name);
        }
        Err(OutputError::Name { output: self.name.clone(), name: name.chars().take(80).collect() })
    }

    /// Whether the object's name hangs on facets, so that it may be another for each grant.
    pub(super) fn is_named_by_facets(&self) -> bool {
        self.object_name.facet_references().iter().next().is_some()
    }

    /// The data of a ConfigMap. `facets` has no secret fields.
    ///
    /// # Errors
    /// Where an item cannot be filled.
    pub fn config_map(&self, names: &Names, facets: &FacetFields) -> Result<BTreeMap<String, String>, OutputError> {
        self.exhaustion.guard(("items", names, facets), || self.data(names, facets))
    }

    fn data(&self, names: &Names, facets: &FacetFields) -> Result<BTreeMap<String, String>, OutputError> {
        let context = self.context(names, facets);
        let mut data = BTreeMap::new();
        for item in &self.items {
            for (key, value) in self.fill(item, &context, facets)? {
                if data.insert(key.clone(), value).is_some() {
                    return Err(OutputError::KeyTaken { output: self.name.clone(), key });
                }
            }
        }
        Ok(data)
    }

    /// The data of a Secret, with the secret fields among the facets.
    ///
    /// # Errors
    /// As for [`CompiledOutput::config_map`].
    pub fn secret(
        &self,
        names: &Names,
        facets: &FacetFields,
        secrets: &SecretFields,
    ) -> Result<BTreeMap<String, Secret<Vec<u8>>>, OutputError> {
        let mut revealed = facets.clone();
        for (facet, fields) in secrets {
            let target = revealed.entry(facet.clone()).or_default();
            for (field, secret) in fields {
                target.insert(field.clone(), Value::String(secret.expose_secret().clone()));
            }
        }
        let data = self.config_map(names, &revealed)?;
        Ok(data.into_iter().map(|(key, value)| (key, Secret::new(value.into_bytes()))).collect())
    }

    /// Whether any item could show that secret field.
    #[must_use]
    pub fn could_show(&self, facet: &str, field: &str) -> bool {
        self.items.iter().any(|item| match item {
            CompiledItem::Template { template, .. } => template.facet_references().reading(facet, field).is_some(),
            CompiledItem::Format { facets, .. } | CompiledItem::Keys { facets } => {
                facets.as_ref().is_none_or(|facets| facets.iter().any(|named| named == facet))
            }
        })
    }

    fn context(&self, names: &Names, facets: &FacetFields) -> Context {
        Context::new(&AllNames { names, facets, output: OutputName { name: &self.name } })
    }

    fn fill(
        &self,
        item: &CompiledItem,
        context: &Context,
        facets: &FacetFields,
    ) -> Result<Vec<(String, String)>, OutputError> {
        let format_error = |part: &str, error| OutputError::Format {
            output: self.name.clone(),
            part: part.to_owned(),
            error: Box::new(error),
        };
        match item {
            CompiledItem::Template { key, template } => {
                let value = template.render(context).map_err(|error| self.template_error(key, error))?;
                Ok(vec![(key.clone(), value)])
            }
            CompiledItem::Format { key, format, facets: chosen } => {
                let value =
                    format.render(&choose(facets, chosen.as_deref())).map_err(|error| format_error(key, error))?;
                Ok(vec![(key.clone(), value)])
            }
            CompiledItem::Keys { facets: chosen } => {
                let all = keys(&choose(facets, chosen.as_deref())).map_err(|error| format_error("Keys", error))?;
                Ok(all.into_iter().collect())
            }
        }
    }

    fn template_error(&self, part: &str, error: TemplateError) -> OutputError {
        OutputError::Template { output: self.name.clone(), part: part.to_owned(), error: Box::new(error) }
    }
}

impl CompiledItem {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Template { key, .. } | Self::Format { key, .. } => Some(key),
            Self::Keys { .. } => None,
        }
    }
}

fn choose(facets: &FacetFields, chosen: Option<&[String]>) -> FacetFields {
    let Some(chosen) = chosen else { return facets.clone() };
    chosen.iter().filter_map(|name| Some((name.clone(), facets.get(name)?.clone()))).collect()
}

fn default_name(definition: &Definition, output: &Output, count: usize) -> String {
    let base = match (definition.allow_multiple, output.per) {
        (true, Per::Instance) => "{{ definition.name }}-{{ chain.name }}",
        _ => "{{ definition.name }}",
    };
    let suffix = if count > 1 { "-{{ output.name }}" } else { "" };
    format!("{base}{suffix}")
}

fn invalid(output: &Output, part: &str, error: &TemplateError) -> Problem {
    Problem::new("InvalidTemplate", format!("output {}, {part}: {error}", output.name))
}

fn compile_item(definition: &Definition, output: &Output, item: &Item) -> Result<CompiledItem, Problem> {
    let wrong = |what: &str| Problem::new("InvalidOutput", format!("output {}: an item {what}", output.name));
    let unknown = item.facets.iter().flatten().find(|facet| !definition.facets.contains_key(facet.as_str()));
    if let Some(facet) = unknown {
        return Err(wrong(&format!("writes the facet {facet}, which the definition does not have")));
    }
    let facets = item.facets.clone();
    match (&item.key, item.format, &item.template) {
        (None, Some(ItemFormat::Keys), None) => Ok(CompiledItem::Keys { facets }),
        (Some(key), Some(format), None) => {
            let format = format_of(format).ok_or_else(|| wrong("of format Keys makes its own keys: remove key"))?;
            Ok(CompiledItem::Format { key: key.clone(), format, facets })
        }
        (Some(key), None, Some(source)) if facets.is_none() => {
            let template = Template::compile(source).map_err(|error| invalid(output, key, &error))?;
            if output.kind == OutputKind::ConfigMap {
                refuse_secrets(definition, output, key, &template)?;
            }
            Ok(CompiledItem::Template { key: key.clone(), template })
        }
        _ => Err(wrong("needs exactly one of format and template, and key (but for format Keys)")),
    }
}

fn format_of(format: ItemFormat) -> Option<Format> {
    match format {
        ItemFormat::Env => Some(Format::Env),
        ItemFormat::Json => Some(Format::Json),
        ItemFormat::Yaml => Some(Format::Yaml),
        ItemFormat::Toml => Some(Format::Toml),
        ItemFormat::Properties => Some(Format::Properties),
        ItemFormat::Keys => None,
    }
}

/// Names and ConfigMaps are read by many: a template of theirs that could show a secret field is refused when the
/// definition is made, not by luck when it is filled.
fn refuse_secrets(definition: &Definition, output: &Output, part: &str, template: &Template) -> Result<(), Problem> {
    for facet in definition.facets.values() {
        for field in facet.schema.secret_fields() {
            if let Some(reference) = template.facet_references().reading(&facet.name, field) {
                let message = format!(
                    "output {}, {part}: {reference} could show the secret field facets.{}.{field}: make it an item of a Secret, or name the fields that it needs one by one",
                    output.name, facet.name
                );
                return Err(Problem::new("SecretInConfigMap", message));
            }
        }
    }
    Ok(())
}

/// A DNS subdomain (RFC 1123), as ConfigMaps and Secrets are named.
fn is_object_name(name: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = bytes.first().zip(bytes.last());
        ends.is_some_and(|(first, last)| is_alphanumeric(*first) && is_alphanumeric(*last))
            && bytes.iter().all(|byte| is_alphanumeric(*byte) || *byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

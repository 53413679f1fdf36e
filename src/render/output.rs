//! The outputs of a definition: checked when it is made, filled for each grant.

use super::{
    demands::{self, OPAQUE},
    exhaustion::{Exhaustion, FilledPart},
    filling::{Facets, Filling},
    format::{Format, keys},
    storable,
    template::{Template, TemplateContext, TemplateError},
    trial,
    work::{self, Share, Work},
};
use crate::{
    api::entitlement_definition::{Item, ItemFormat, OnEnd, Output, OutputKind, Per},
    core::{
        definition::Definition, excerpt::first_characters, name, problem::Problem, reason::ReasonCode,
        reserved_name::keeper, secret::Secret, source::SourceKind,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use super::output_error::OutputError;

/// The most bytes that the values of a `ConfigMap` or `Secret` may have together (`MaxSecretSize` of Kubernetes' core API,
/// which holds for both).
pub const MAX_DATA_BYTES: usize = 1024 * 1024;

/// An output of a definition, ready to be filled.
#[derive(Clone, Debug)]
pub struct CompiledOutput {
    /// Its name in the definition.
    pub name: String,
    /// What is written.
    pub kind: OutputKind,
    /// The type of a Secret.
    pub type_: Arc<str>,
    /// What for. A definition that an organization can hold only once has one object for all grants, whatever it says.
    pub per: Per,
    /// What becomes of it at the end.
    pub on_end: OnEnd,
    /// Extra labels.
    pub labels: BTreeMap<String, String>,
    /// Extra annotations.
    pub annotations: BTreeMap<String, String>,
    object_name: Template,
    /// Each grant has an object of its own, whose name the definition does not give: the kind of its source is in it.
    tells_kind: bool,
    items: Vec<CompiledItem>,
    /// Whether each item reads a secret field.
    shares: Vec<Share>,
    exhaustion: Exhaustion,
}

#[derive(Clone, Debug)]
enum CompiledItem {
    Template { key: String, template: Template },
    Format { key: String, format: Format, facets: Option<Vec<String>> },
    Keys { facets: Option<Vec<String>> },
}

/// What came of filling one part of an output.
pub(super) struct Attempt<'a> {
    /// Where in the output it stands, as a JSON pointer.
    pub(super) pointer: String,
    /// The template that was filled, if it was one.
    pub(super) template: Option<&'a Template>,
    /// What was filled: data keys with their values, or the object's name under no key.
    pub(super) filled: Result<Vec<(String, String)>, OutputError>,
}

/// Checks the outputs of a definition.
///
/// # Errors
/// All problems of all of them, each with its place in the definition.
pub fn compile(definition: &Definition, outputs: &[Output]) -> Result<Vec<CompiledOutput>, Vec<Problem>> {
    let mut compiled = Vec::new();
    let mut problems = Vec::new();
    for (index, output) in outputs.iter().enumerate() {
        let pointer = format!("/outputs/{index}");
        match CompiledOutput::compile(definition, output, outputs.len()) {
            Ok(one) => {
                problems
                    .extend(trial::same_object(definition, &compiled, &one).map(|problem| problem.within(&pointer)));
                compiled.push(one);
            }
            Err(found) => problems.extend(found.into_iter().map(|problem| problem.within(&pointer))),
        }
    }
    if problems.is_empty() { Ok(compiled) } else { Err(problems) }
}

impl CompiledOutput {
    /// Checks an output of a definition that has `count` of them.
    ///
    /// # Errors
    /// All problems, each with its place in the output: a template that cannot be read, a facet that the definition does
    /// not have, two items for one key, a ConfigMap that could show a secret field, what the API server would not take, or
    /// what could never be filled.
    pub fn compile(definition: &Definition, output: &Output, count: usize) -> Result<Self, Vec<Problem>> {
        let mut problems = storable::metadata_problems(output);
        let object_name = compile_name(definition, output, count).or_else(|problem| {
            problems.push(problem);
            Template::compile("unreadable").map_err(|error| problems.push(invalid(output, "objectName", &error)))
        });
        let mut items = Vec::new();
        let mut taken = BTreeSet::new();
        for (index, item) in output.items.iter().enumerate() {
            let compiled = compile_item(definition, output, item, &mut taken);
            items.push(compiled.unwrap_or_else(|found| {
                problems.extend(found.into_iter().map(|problem| problem.within(&format!("/items/{index}"))));
                CompiledItem::nothing()
            }));
        }
        let Ok(object_name) = object_name else { return Err(problems) };
        let compiled = Self {
            name: output.name.clone(),
            kind: output.kind,
            type_: output.type_.as_deref().unwrap_or(OPAQUE).into(),
            per: per(definition, output),
            on_end: output.on_end,
            labels: output.labels.clone(),
            annotations: output.annotations.clone(),
            object_name,
            tells_kind: output.object_name.is_none() && has_own_names(definition, output),
            shares: items.iter().map(|item| share(definition, output.kind, item)).collect(),
            items,
            exhaustion: Exhaustion::default(),
        };
        problems.extend(trial::try_out(definition, &compiled, count));
        if problems.is_empty() { Ok(compiled) } else { Err(problems) }
    }

    /// Each part by itself, so that one that fails hides no other: the object's name, then the items, as far as the work may
    /// go on.
    pub(super) fn attempt(&self, filling: &Filling, work: &mut Work) -> Vec<Attempt<'_>> {
        let facets = filling.revealed();
        let context = filling.context(&self.name, facets);
        let name = self.attempt_name(filling, work);
        let mut attempts = vec![Attempt {
            pointer: "/objectName".to_owned(),
            template: Some(&self.object_name),
            filled: name.map(|name| vec![(String::new(), name)]),
        }];
        for (index, item) in self.items.iter().enumerate() {
            if !work.may_go_on(Share::Plain) {
                break;
            }
            let (part, template) = match item {
                CompiledItem::Template { template, .. } => ("template", Some(template)),
                CompiledItem::Format { .. } | CompiledItem::Keys { .. } => ("format", None),
            };
            let pointer = format!("/items/{index}/{part}");
            let filled = self.fill(item, &context, facets, Share::Plain, work);
            attempts.push(Attempt { pointer, template, filled });
        }
        attempts
    }

    /// The object's name, filled.
    pub(super) fn attempt_name(&self, filling: &Filling, work: &mut Work) -> Result<String, OutputError> {
        let (name, steps) = self.object_name.render_counted(&filling.context(&self.name, filling.plain()));
        work.add(Share::Plain, steps);
        let name = name.map_err(|error| self.template_error("objectName", error))?;
        Ok(match filling.kind() {
            Some(kind) if self.tells_kind && kind != SourceKind::Instance => format!("{name}-{}", kind.field()),
            _ => name,
        })
    }

    /// The template of the object's name.
    pub(super) fn name_template(&self) -> &Template {
        &self.object_name
    }

    /// What one of its templates gives.
    pub(super) fn render(&self, template: &Template, filling: &Filling) -> Result<String, TemplateError> {
        template.render(&filling.context(&self.name, filling.revealed()))
    }

    /// The object's name.
    ///
    /// # Errors
    /// Where the template fails, or gives what is no name of an object.
    pub fn object_name(&self, filling: &Filling, work: &mut Work) -> Result<String, Vec<OutputError>> {
        let digest = || filling.digest(filling.plain());
        self.exhaustion.guard(FilledPart::Name, digest, work, |work| {
            if !work.may_go_on(Share::Plain) {
                return Err(vec![self.too_much_work()]);
            }
            let name = self.attempt_name(filling, work).map_err(|error| vec![error])?;
            self.check_name(&name).map_err(|error| vec![error])?;
            Ok(name)
        })
    }

    /// Whether an object may have a name.
    pub(super) fn check_name(&self, name: &str) -> Result<(), OutputError> {
        if let Some(keeper) = keeper(self.kind, name) {
            return Err(OutputError::Reserved { output: self.name.clone(), name: name.to_owned(), keeper });
        }
        name::dns_subdomain(name).map_err(|fault| OutputError::Name {
            output: self.name.clone(),
            name: first_characters(name, 80).to_owned(),
            fault,
        })
    }

    /// The data of a ConfigMap.
    ///
    /// # Errors
    /// Where items cannot be filled: what is wrong with each of them.
    pub fn config_map(&self, filling: &Filling, work: &mut Work) -> Result<BTreeMap<String, String>, Vec<OutputError>> {
        let digest = || filling.digest(filling.plain());
        self.exhaustion.guard(FilledPart::Items, digest, work, |work| self.data(filling, filling.plain(), work))
    }

    /// The data of a Secret, with the secret fields among the facets.
    ///
    /// # Errors
    /// As for [`CompiledOutput::config_map`]; of items that read secret fields only that there is something wrong.
    pub fn secret(
        &self,
        filling: &Filling,
        work: &mut Work,
    ) -> Result<BTreeMap<String, Secret<Vec<u8>>>, Vec<OutputError>> {
        let digest = || filling.digest(filling.revealed());
        let fill = |work: &mut Work| self.data(filling, filling.revealed(), work);
        let data = self.exhaustion.guard(FilledPart::Items, digest, work, fill)?;
        Ok(data.into_iter().map(|(key, value)| (key, Secret::new(value.into_bytes()))).collect())
    }

    /// What reads no secret field comes first, so that what is said of it is the same whatever the secret values are.
    fn data(
        &self,
        filling: &Filling,
        facets: &Facets,
        work: &mut Work,
    ) -> Result<BTreeMap<String, String>, Vec<OutputError>> {
        let context = filling.context(&self.name, facets);
        let mut data = BTreeMap::new();
        let errors = self.fill_share(Share::Plain, &context, facets, work, &mut data);
        if !errors.is_empty() {
            return Err(errors);
        }
        if self.reads_secrets() {
            let errors = self.fill_share(Share::Secret, &context, facets, work, &mut data);
            if !errors.is_empty() || data.values().map(String::len).sum::<usize>() > MAX_DATA_BYTES {
                return Err(vec![OutputError::Secret { output: self.name.clone() }]);
            }
        }
        Ok(data)
    }

    /// Fills the items of one share, and tells what is wrong with them.
    fn fill_share(
        &self,
        share: Share,
        context: &TemplateContext,
        facets: &Facets,
        work: &mut Work,
        data: &mut BTreeMap<String, String>,
    ) -> Vec<OutputError> {
        let mut errors = Vec::new();
        for (item, _) in self.items.iter().zip(&self.shares).filter(|(_, of)| **of == share) {
            if !work.may_go_on(share) {
                errors.push(self.too_much_work());
                break;
            }
            match self.fill(item, context, facets, share, work) {
                Ok(entries) => {
                    for (key, value) in entries {
                        let unmet = demands::wrong(&self.type_, &key, value.as_bytes());
                        errors.extend(unmet.map(|unmet| OutputError::Unmet { output: self.name.clone(), unmet }));
                        if data.insert(key.clone(), value).is_some() {
                            errors.push(OutputError::KeyTaken { output: self.name.clone(), key });
                        }
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    fn too_much_work(&self) -> OutputError {
        OutputError::TooMuchWork { output: self.name.clone() }
    }

    /// Whether any item reads a secret field.
    #[must_use]
    pub fn reads_secrets(&self) -> bool {
        self.shares.contains(&Share::Secret)
    }

    /// Whether any item could show that secret field.
    #[must_use]
    pub fn could_show(&self, facet: &str, field: &str) -> bool {
        self.items.iter().any(|item| item.could_show(facet, field))
    }

    fn fill(
        &self,
        item: &CompiledItem,
        context: &TemplateContext,
        facets: &Facets,
        share: Share,
        work: &mut Work,
    ) -> Result<Vec<(String, String)>, OutputError> {
        let format_error = |part: &str, error| OutputError::Format {
            output: self.name.clone(),
            part: part.to_owned(),
            error: Box::new(error),
        };
        let entries = match item {
            CompiledItem::Template { key, template } => {
                let (value, steps) = template.render_counted(context);
                work.add(share, steps);
                return Ok(vec![(key.clone(), value.map_err(|error| self.template_error(key, error))?)]);
            }
            CompiledItem::Format { key, format, facets: chosen } => {
                work.add(share, facets.steps(chosen.as_deref()));
                let value =
                    format.render(&facets.chosen(chosen.as_deref())).map_err(|error| format_error(key, error))?;
                vec![(key.clone(), value)]
            }
            CompiledItem::Keys { facets: chosen } => {
                work.add(share, facets.steps(chosen.as_deref()));
                let all = keys(&facets.chosen(chosen.as_deref())).map_err(|error| format_error("Keys", error))?;
                all.into_iter().collect()
            }
        };
        work.add(share, work::of_bytes(entries.iter().map(|(key, value)| key.len() + value.len()).sum()));
        Ok(entries)
    }

    fn template_error(&self, part: &str, error: TemplateError) -> OutputError {
        OutputError::Template { output: self.name.clone(), part: part.to_owned(), error: Box::new(error) }
    }
}

impl CompiledItem {
    fn could_show(&self, facet: &str, field: &str) -> bool {
        match self {
            Self::Template { template, .. } => template.facet_references().reading(facet, field).is_some(),
            Self::Format { facets, .. } | Self::Keys { facets } => {
                facets.as_ref().is_none_or(|facets| facets.iter().any(|named| named == facet))
            }
        }
    }

    /// What stands for an item that cannot be read, so that the others can be tried.
    fn nothing() -> Self {
        Self::Keys { facets: Some(Vec::new()) }
    }
}

/// Whether an item reads a secret field.
fn share(definition: &Definition, kind: OutputKind, item: &CompiledItem) -> Share {
    let reads_any = definition
        .facets
        .values()
        .any(|facet| facet.schema.secret_fields().iter().any(|field| item.could_show(&facet.name, field)));
    if kind == OutputKind::Secret && reads_any { Share::Secret } else { Share::Plain }
}

/// What an output is for.
fn per(definition: &Definition, output: &Output) -> Per {
    if definition.allow_multiple { output.per } else { Per::Definition }
}

/// Whether each grant has an object of its own.
fn has_own_names(definition: &Definition, output: &Output) -> bool {
    per(definition, output) == Per::Instance
}

fn default_name(definition: &Definition, output: &Output, count: usize) -> String {
    let base = if has_own_names(definition, output) {
        "{{ definition.name }}-{{ chain.name }}"
    } else {
        "{{ definition.name }}"
    };
    let suffix = if count > 1 { "-{{ output.name }}" } else { "" };
    format!("{base}{suffix}")
}

fn compile_name(definition: &Definition, output: &Output, count: usize) -> Result<Template, Problem> {
    let source = output.object_name.clone().unwrap_or_else(|| default_name(definition, output, count));
    let at = |problem: Problem| problem.at("/objectName");
    let template = Template::compile(&source).map_err(|error| at(invalid(output, "objectName", &error)))?;
    refuse_secrets(definition, output, "objectName", &template).map_err(at)?;
    match storable::name_problem(output, &template) {
        Some(problem) => Err(at(problem)),
        None => Ok(template),
    }
}

fn invalid(output: &Output, part: &str, error: &TemplateError) -> Problem {
    Problem::new(ReasonCode::InvalidTemplate, format!("output {}, {part}: {error}", output.name))
}

fn compile_item<'a>(
    definition: &Definition,
    output: &Output,
    item: &'a Item,
    taken: &mut BTreeSet<&'a str>,
) -> Result<CompiledItem, Vec<Problem>> {
    let mut problems = Vec::new();
    if let Some(key) = &item.key {
        problems.extend(storable::key_problem(output, key));
        if !taken.insert(key) {
            let error = OutputError::KeyTaken { output: output.name.clone(), key: key.clone() };
            problems.push(Problem::new(ReasonCode::InvalidOutput, error.to_string()));
        }
    }
    let mut problems: Vec<Problem> = problems.into_iter().map(|problem| problem.at("/key")).collect();
    match read_item(definition, output, item) {
        Ok(compiled) if problems.is_empty() => Ok(compiled),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

fn read_item(definition: &Definition, output: &Output, item: &Item) -> Result<CompiledItem, Problem> {
    let wrong = |what: &str| Problem::new(ReasonCode::InvalidOutput, format!("output {}: an item {what}", output.name));
    let unknown = item.facets.iter().flatten().find(|facet| !definition.facets.contains_key(facet.as_str()));
    if let Some(facet) = unknown {
        return Err(wrong(&format!("writes the facet {facet}, which the definition does not have")).at("/facets"));
    }
    let facets = item.facets.clone();
    match (&item.key, item.format, &item.template) {
        (None, Some(ItemFormat::Keys), None) => Ok(CompiledItem::Keys { facets }),
        (Some(key), Some(format), None) => {
            let format = format_of(format).ok_or_else(|| wrong("of format Keys makes its own keys: remove key"))?;
            Ok(CompiledItem::Format { key: key.clone(), format, facets })
        }
        (Some(key), None, Some(source)) if facets.is_none() => {
            let at = |problem: Problem| problem.at("/template");
            let template = Template::compile(source).map_err(|error| at(invalid(output, key, &error)))?;
            if output.kind == OutputKind::ConfigMap {
                refuse_secrets(definition, output, key, &template).map_err(at)?;
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
                return Err(Problem::new(ReasonCode::SecretInConfigMap, message));
            }
        }
    }
    Ok(())
}

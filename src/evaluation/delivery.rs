//! The objects that grants in force and the organization should have.

use super::{
    allowance::{Allowance, Limits},
    holding::{Holding, Member},
    object::{
        CONTENT_HASH, DEFINITION, DesiredObject, INSTANCE, MANAGED_BY, MANAGER, ON_END, ORGANIZATION, ObjectContent,
        ObjectData, ObjectKey, RETAIN, SecretData, Wish,
    },
    plan::is_storable,
    standing::{Standing, Trouble},
    summary,
};
use crate::{
    api::{
        entitlement_definition::{OnEnd, OutputKind, Per},
        entitlement_instance::FacetFields,
    },
    core::{
        age::Age,
        calendar::{Instant, format_instant},
        facets::{SecretFields, complete},
        grant::GrantId,
    },
    render::{
        names::{ChainNames, DefinitionNames, InstanceNames, Named, Names, Total},
        output::{CompiledOutput, OutputError},
        summary::Summary,
    },
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

/// What should be delivered.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Every object that should exist, in namespaces that exist.
    pub objects: BTreeMap<ObjectKey, DesiredObject>,
    /// Grants whose present objects stay as they are.
    pub kept: BTreeSet<GrantId>,
    /// What the summary says; absent where it cannot be told.
    pub summary: Option<Summary>,
    /// How many objects each grant should have, and what hinders it.
    pub grants: BTreeMap<GrantId, GrantDelivery>,
    /// What hinders the delivery of the summary.
    pub hindered: Option<Trouble>,
}

/// What one grant should have.
#[derive(Debug, Default)]
pub struct GrantDelivery {
    /// Objects, those in namespaces that are waited for among them.
    pub desired: u64,
    /// What hinders delivery: the reason of the first thing found, and all that is found.
    pub hindered: Option<Trouble>,
}

/// An output that asks for its name in every namespace.
struct Request<'a> {
    age: &'a Age,
    grant: &'a GrantId,
    kind: OutputKind,
    name: String,
    wish: Wish,
}

impl Delivery {
    /// All objects for what an organization holds at one moment.
    #[must_use]
    pub fn of(standing: &Standing, holdings: &[Holding], limits: Limits, now: Instant) -> Self {
        let mut delivery = Self::default();
        let mut allowance = Allowance::of(standing.name, limits);
        delivery.summary(standing, holdings, &mut allowance, now);
        let mut requests = Vec::new();
        for holding in holdings {
            delivery.request(standing, holding, &mut requests);
        }
        requests.sort_by(|one, other| one.age.cmp(other.age));
        for request in &requests {
            delivery.claim(standing, request, &mut allowance);
        }
        delivery
    }

    fn summary(&mut self, standing: &Standing, holdings: &[Holding], allowance: &mut Allowance, now: Instant) {
        let Some(organization) = standing.organization else { return };
        let name: Arc<str> = organization.spec.summary.name.as_str().into();
        self.summary = summary::summary(standing, holdings, now);
        if standing.summary_trouble.is_some() {
            return;
        }
        let wish = match &self.summary {
            Some(summary) => write(standing, None, None, ObjectData::ConfigMap(summary.data()), Extra::default()),
            None => Wish::Keep,
        };
        let (wish, trouble) = afforded(wish, standing.served.len(), allowance);
        self.hindered = trouble;
        for namespace in &standing.served {
            let key = ObjectKey { kind: OutputKind::ConfigMap, namespace: namespace.clone(), name: name.clone() };
            self.objects.insert(key, DesiredObject { grant: None, wish: wish.clone() });
        }
    }

    fn request<'a>(&mut self, standing: &Standing, holding: &'a Holding, requests: &mut Vec<Request<'a>>) {
        let Some(compiled) = holding.entry.and_then(|entry| entry.serving.as_deref()) else {
            for member in holding.members_in_force() {
                self.keep(member, None);
            }
            return;
        };
        for output in &compiled.outputs {
            match output.per {
                Per::Instance => {
                    for member in holding.members_in_force() {
                        self.request_for_grant(standing, holding, output, member, requests);
                    }
                }
                Per::Definition => self.request_for_all(standing, holding, output, requests),
            }
        }
    }

    /// What is delivered for the grant stays as it is: an error never withdraws.
    fn keep(&mut self, member: &Member, trouble: Option<Trouble>) {
        self.kept.insert(member.grant.id.clone());
        self.hinder(&member.grant.id, trouble);
    }

    fn hinder(&mut self, grant: &GrantId, trouble: Option<Trouble>) {
        let delivery = self.grants.entry(grant.clone()).or_default();
        let Some((reason, message)) = trouble else { return };
        match &mut delivery.hindered {
            None => delivery.hindered = Some((reason, message)),
            // Each failing output is told, so that all can be mended at once.
            Some((_, said)) if !said.contains(&message) => *said = format!("{said}; {message}"),
            Some(_) => {}
        }
    }

    fn request_for_grant<'a>(
        &mut self,
        standing: &Standing,
        holding: &'a Holding,
        output: &CompiledOutput,
        member: &'a Member,
        requests: &mut Vec<Request<'a>>,
    ) {
        let Some(definition) = holding.definition() else { return };
        let statement = member.facets.statement.as_ref().map(super::super::core::facets::Statement::merged);
        let Some(Ok(facets)) = statement.map(|stated| complete(definition, &std::iter::once(&stated))) else {
            // Nothing valid was ever stated: the condition FacetsValid says so.
            self.keep(member, None);
            return;
        };
        let names = names(standing, holding, Some(member));
        let missing = missing(output, std::iter::once(member));
        let filled = fill(output, &names, &facets, &member.facets.secrets, missing);
        self.add(standing, holding, output, member, filled, requests);
    }

    fn request_for_all<'a>(
        &mut self,
        standing: &Standing,
        holding: &'a Holding,
        output: &CompiledOutput,
        requests: &mut Vec<Request<'a>>,
    ) {
        let Some(oldest) = holding.members_in_force().min_by(|one, other| one.grant.age.cmp(&other.grant.age)) else {
            return;
        };
        let Some((merged, parts)) = holding.merged() else {
            for member in holding.members_in_force() {
                self.keep(member, None);
            }
            return;
        };
        let mut secrets = SecretFields::new();
        for (member, _) in parts.iter().rev() {
            for (facet, fields) in &member.facets.secrets {
                secrets
                    .entry(facet.clone())
                    .or_default()
                    .extend(fields.iter().map(|(field, secret)| (field.clone(), secret.clone())));
            }
        }
        let names = names(standing, holding, None);
        let missing = missing(output, parts.iter().map(|(member, _)| *member));
        let filled = fill(output, &names, &merged.values, &secrets, missing);
        self.add(standing, holding, output, oldest, filled, requests);
    }

    fn add<'a>(
        &mut self,
        standing: &Standing,
        holding: &Holding,
        output: &CompiledOutput,
        member: &'a Member,
        filled: Filled,
        requests: &mut Vec<Request<'a>>,
    ) {
        let count = standing.served.len() + standing.awaited.len();
        let delivery = self.grants.entry(member.grant.id.clone()).or_default();
        delivery.desired += u64::try_from(count).unwrap_or(u64::MAX);
        let (name, wish) = match filled {
            Filled::Written(name, data) => {
                let extra = Extra::of(output);
                (name, write(standing, Some(holding.name), Some(&member.grant.id), data, extra))
            }
            Filled::Kept(name, trouble) => {
                self.hinder(&member.grant.id, Some(trouble));
                (name, Wish::Keep)
            }
            Filled::Nameless(trouble) => {
                self.keep(member, Some(trouble));
                return;
            }
        };
        if let Some(namespace) = standing.awaited.first() {
            let message =
                format!("namespace {namespace} does not exist or is terminating: it is served as soon as it is there");
            self.hinder(&member.grant.id, Some(("NamespaceMissing", message)));
        }
        requests.push(Request { age: &member.grant.age, grant: &member.grant.id, kind: output.kind, name, wish });
    }

    /// The older grant gets the object, and the summary goes before all.
    fn claim(&mut self, standing: &Standing, request: &Request, allowance: &mut Allowance) {
        let name: Arc<str> = request.name.as_str().into();
        let key = |namespace: &Arc<str>| ObjectKey {
            kind: request.kind,
            namespace: Arc::clone(namespace),
            name: Arc::clone(&name),
        };
        let free = standing.served.iter().filter(|namespace| !self.objects.contains_key(&key(namespace)));
        let (wish, trouble) = afforded(request.wish.clone(), free.count(), allowance);
        self.hinder(request.grant, trouble);
        let mut conflict = None;
        for namespace in &standing.served {
            match self.objects.entry(key(namespace)) {
                Entry::Vacant(place) => {
                    place.insert(DesiredObject { grant: Some(request.grant.clone()), wish: wish.clone() });
                }
                Entry::Occupied(taken) => {
                    let owner = taken
                        .get()
                        .grant
                        .as_ref()
                        .map_or_else(|| "the organization's summary".to_owned(), ToString::to_string);
                    let message = format!("{} belongs to {owner}: give one of the two another objectName", taken.key());
                    conflict.get_or_insert(("Conflict", message));
                }
            }
        }
        self.hinder(request.grant, conflict);
    }
}

/// What is to become of an object in so many namespaces. One that is too much stays as it is, should it be there.
fn afforded(wish: Wish, namespaces: usize, allowance: &mut Allowance) -> (Wish, Option<Trouble>) {
    let Wish::Write(content) = &wish else { return (wish, None) };
    match allowance.take(content, namespaces) {
        Ok(()) => (wish, None),
        Err(trouble) => (Wish::Keep, Some(trouble)),
    }
}

/// What came of filling an output.
enum Filled {
    Written(String, ObjectData),
    /// It has a name, but its data cannot be told now.
    Kept(String, Trouble),
    /// Not even its name can be told.
    Nameless(Trouble),
}

fn fill(
    output: &CompiledOutput,
    names: &Names,
    facets: &FacetFields,
    secrets: &SecretFields,
    missing: Option<String>,
) -> Filled {
    let name = match output.object_name(names, facets) {
        Ok(name) => name,
        Err(errors) => return Filled::Nameless(trouble(&errors)),
    };
    if let Some(message) = missing {
        return Filled::Kept(name, ("SecretNotFound", message));
    }
    let data = match output.kind {
        OutputKind::ConfigMap => output.config_map(names, facets).map(ObjectData::ConfigMap),
        OutputKind::Secret => output
            .secret(names, facets, secrets)
            .map(|values| ObjectData::Secret(SecretData { type_: Arc::clone(&output.type_), values })),
    };
    match data {
        Ok(data) => Filled::Written(name, data),
        Err(errors) => Filled::Kept(name, trouble(&errors)),
    }
}

/// All that is wrong with an output, for the reason of the first.
fn trouble(errors: &[OutputError]) -> Trouble {
    let reason = errors.first().map_or("RenderFailed", OutputError::reason);
    (reason, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The first secret field that a Secret would show and that has no value now.
fn missing<'a>(output: &CompiledOutput, members: impl Iterator<Item = &'a Member<'a>>) -> Option<String> {
    if output.kind != OutputKind::Secret {
        return None;
    }
    let mut all = members.flat_map(|member| &member.facets.missing);
    all.find(|(source, _)| output.could_show(&source.facet, &source.field)).map(|(_, message)| message.clone())
}

fn names<'a>(standing: &'a Standing, holding: &'a Holding, member: Option<&'a Member>) -> Names<'a> {
    let organization = standing.organization.and_then(|organization| organization.spec.display_name.as_deref());
    let definition = holding.definition();
    let unknown =
        || DefinitionNames { named: Named { name: holding.name, display_name: holding.name }, type_: "", unit: None };
    Names {
        organization: Named { name: standing.name, display_name: organization.unwrap_or(standing.name) },
        definition: definition.map_or_else(unknown, DefinitionNames::of),
        instance: member.map(|member| InstanceNames {
            name: &member.grant.id.name,
            namespace: &member.grant.id.namespace,
            amount: member.amount.map(|amount| amount.to_string()),
            start: member.start().map(format_instant).unwrap_or_default(),
            end: member.verdict.end.instant().at().map(format_instant),
        }),
        chain: member
            .and_then(|member| member.verdict.acceptance.as_deref())
            .map(|accepted| ChainNames { name: &accepted.chain.name }),
        total: Total { amount: holding.total().map(|amount| amount.to_string()) },
    }
}

/// What an output's object has besides that which every object has.
#[derive(Default)]
struct Extra {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Extra {
    fn of(output: &CompiledOutput) -> Self {
        let mut annotations = output.annotations.clone();
        if output.on_end == OnEnd::Retain {
            annotations.insert(ON_END.to_owned(), RETAIN.to_owned());
        }
        Self { labels: output.labels.clone(), annotations }
    }
}

fn write(
    standing: &Standing,
    definition: Option<&str>,
    grant: Option<&GrantId>,
    data: ObjectData,
    extra: Extra,
) -> Wish {
    let Extra { mut labels, mut annotations } = extra;
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    labels.insert(ORGANIZATION.to_owned(), standing.name.to_string());
    if let Some(definition) = definition {
        labels.insert(DEFINITION.to_owned(), definition.to_owned());
    }
    if let Some(grant) = grant {
        annotations.insert(INSTANCE.to_owned(), grant.to_string());
    }
    // What is too large is never sent, and would cost more to hash than all else together.
    if is_storable(&data) {
        annotations.insert(CONTENT_HASH.to_owned(), content_hash(&data));
    }
    Wish::Write(Arc::new(ObjectContent { labels, annotations, data }))
}

/// Hexadecimal SHA-256 of keys and values. That of a Secret stands on the Secret itself only.
fn content_hash(data: &ObjectData) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    };
    match data {
        ObjectData::ConfigMap(data) => data.iter().for_each(|(key, value)| {
            add(key.as_bytes());
            add(value.as_bytes());
        }),
        ObjectData::Secret(data) => data.values.iter().for_each(|(key, value)| {
            add(key.as_bytes());
            add(value.expose_secret());
        }),
    }
    hex::encode(hash.finalize())
}

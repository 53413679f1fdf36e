//! Where the summary is, and whether the operator has made it.

use super::summary::ReadSummary;
use crate::{
    api::GROUP,
    cli::{
        cluster::{self, ClusterError},
        outcome::CommandFailure,
        terminal::harmless,
    },
    connection::Connection,
    evaluation::object::{DEFINITION, MANAGED_BY, MANAGER, OBJECT, ORGANIZATION},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{ListParams, ObjectMeta},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The key that the summary stands under.
const KEY: &str = "entitlements.json";
/// The key that its flags stand under.
const FLAGS: &str = "flags.json";
/// The name that it has where the organization gives it none.
const USUAL_NAME: &str = "entitlements";
const ASK: &str = "ask for the right to read ConfigMaps there, or read the file that a pod mounts, with -f";
/// How many names a message tells.
const FEW: usize = 10;
/// A ConfigMap holds no more.
const MOST_BYTES: u64 = 1024 * 1024;

/// Where a summary lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPlace {
    /// The namespace.
    pub namespace: String,
    /// The ConfigMap's name.
    pub name: String,
}

/// A summary that was found.
#[derive(Debug)]
pub struct FoundSummary {
    /// Where.
    pub place: SummaryPlace,
    text: String,
    flags: Option<String>,
    organization: String,
}

impl FoundSummary {
    /// What it says.
    ///
    /// # Errors
    /// Where it is not as the operator writes it.
    pub fn summary(&self) -> Result<ReadSummary, CommandFailure> {
        let summary = ReadSummary::read(&self.text, &self.place.to_string())?;
        if summary.organization != self.organization {
            return Err(foreign(&self.place, "it speaks of another organization than its label"));
        }
        Ok(summary.with_flags(self.flags.as_deref()))
    }

    fn of(config_map: ConfigMap, place: SummaryPlace) -> Result<Self, CommandFailure> {
        let organization = organization(&config_map.metadata, &place).map_err(|what| foreign(&place, what))?;
        let mut data = config_map.data.unwrap_or_default();
        let text = data.remove(KEY).ok_or_else(|| foreign(&place, "it has no entitlements.json"))?;
        Ok(Self { place, text, flags: data.remove(FLAGS), organization })
    }
}

impl std::fmt::Display for SummaryPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ConfigMap {}/{}", self.namespace, self.name)
    }
}

fn foreign(place: &SummaryPlace, what: &str) -> CommandFailure {
    CommandFailure::Usage(format!(
        "{} was made, or changed, by somebody else than the operator ({what}), so nothing is known by it: remove it, and the operator writes its own; or name the summary with --summary",
        harmless(&place.to_string())
    ))
}

/// The organization that an object of the operator belongs to, or why it is none. Whoever may write in the namespace can forge
/// all of that; it tells a mistake, not an attack.
fn organization(metadata: &ObjectMeta, place: &SummaryPlace) -> Result<String, &'static str> {
    let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key));
    if label(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
        return Err("it does not have the operator's label");
    }
    let organization = label(ORGANIZATION).ok_or("it does not say whose summary it is")?;
    if label(DEFINITION).is_some() {
        return Err("it is what one definition delivers");
    }
    let owners = metadata.owner_references.iter().flatten();
    let mut owners = owners.filter(|owner| owner.controller == Some(true) && owner.kind == "Organization");
    let is_owner = |owner: &str, version: &str| owner == organization && version.starts_with(&format!("{GROUP}/"));
    if !owners.any(|owner| is_owner(&owner.name, &owner.api_version)) {
        return Err("it does not have its organization as its owner");
    }
    let named = metadata.annotations.as_ref().and_then(|annotations| annotations.get(OBJECT));
    match named {
        Some(named) if *named != format!("{}/{}", place.namespace, place.name) => Err("it is a copy of another one"),
        _ => Ok(organization.clone()),
    }
}

/// The summary of a namespace: that of the given name, else the one that the operator's labels show, else that of the usual
/// name.
///
/// # Errors
/// Where there is none, it cannot be read, or it is not the operator's.
pub fn find(
    connection: &Connection,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<FoundSummary, CommandFailure> {
    cluster::runtime().map_err(ClusterError::System)?.block_on(async {
        let (client, url) = cluster::connect(connection).await.map_err(unreachable)?;
        let namespace = namespace.unwrap_or(client.default_namespace()).to_owned();
        let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
        let place = |name: &str| SummaryPlace { namespace: namespace.clone(), name: name.to_owned() };
        let unreadable = |error: &kube::Error| {
            let what = format!("configmaps in namespace {namespace}");
            CommandFailure::from(cluster::explain(error, &what, ASK, &url))
        };
        let mut may_list = true;
        if name.is_none() {
            match labelled(&api).await {
                Ok(all) => match all.as_slice() {
                    [] => {}
                    [one] => return FoundSummary::of(one.clone(), place(&one.name_any())),
                    several => return Err(too_many(&namespace, several)),
                },
                Err(error) if cluster::is_forbidden(&error) => may_list = false,
                Err(error) => return Err(unreadable(&error)),
            }
        }
        let place = place(name.unwrap_or(USUAL_NAME));
        match api.get_opt(&place.name).await {
            Ok(Some(config_map)) => FoundSummary::of(config_map, place),
            Ok(None) => Err(absent(&place, name.is_some() || may_list)),
            Err(error) if cluster::is_forbidden(&error) => Err(forbidden(&place, name.is_some() || may_list)),
            Err(error) => Err(unreadable(&error)),
        }
    })
}

/// Does not suggest manifests, which other subcommands can: they are no way out here.
fn unreachable(error: ClusterError) -> CommandFailure {
    match error {
        ClusterError::Connection(error) => {
            CommandFailure::Usage(format!("{error}; or read the file that a pod mounts, with -f"))
        }
        error => error.into(),
    }
}

/// The ConfigMaps that have the labels of a summary.
async fn labelled(api: &Api<ConfigMap>) -> Result<Vec<ConfigMap>, kube::Error> {
    let labels = format!("{MANAGED_BY}={MANAGER},{ORGANIZATION},!{DEFINITION}");
    let list = api.list(&ListParams::default().labels(&labels)).await?;
    let has_summary = |config_map: &ConfigMap| config_map.data.as_ref().is_some_and(|data| data.contains_key(KEY));
    Ok(list.items.into_iter().filter(has_summary).collect())
}

fn too_many(namespace: &str, several: &[ConfigMap]) -> CommandFailure {
    let names: Vec<String> = several.iter().take(FEW).map(|one| harmless(&one.name_any())).collect();
    CommandFailure::Usage(format!(
        "several ConfigMaps in namespace {namespace} look like a summary ({}): choose one with --summary",
        names.join(", ")
    ))
}

/// There is nothing. `is_sure` says that it has no other name either.
fn absent(place: &SummaryPlace, is_sure: bool) -> CommandFailure {
    let elsewhere = if is_sure { "" } else { "; or it has another name: give it with --summary" };
    CommandFailure::Usage(format!(
        "there is no {}: no Organization lists the namespace, or the operator has not come to it yet; ask whoever runs the operator{elsewhere}",
        harmless(&place.to_string())
    ))
}

fn forbidden(place: &SummaryPlace, is_named: bool) -> CommandFailure {
    let tried = if is_named { "" } else { ", nor list ConfigMaps there" };
    CommandFailure::Usage(format!(
        "you may not get {}{tried}: ask for that right (get on configmaps, with resourceNames: [{}]), or read the file that a pod mounts, with -f",
        harmless(&place.to_string()),
        harmless(&place.name)
    ))
}

/// The text of a file, or of standard input.
///
/// # Errors
/// Where it cannot be read, or is too large for a summary.
pub fn file(path: &Path) -> Result<String, CommandFailure> {
    let failed = |error: io::Error| CommandFailure::Usage(format!("{} cannot be read: {error}", path.display()));
    let source: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let mut text = String::new();
    source.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(CommandFailure::Usage(format!("{} is larger than any summary", path.display())));
    }
    Ok(text)
}

/// The flags that a pod mounts beside a file, where they are there.
#[must_use]
pub fn flags_beside(path: &Path) -> Option<String> {
    if path.as_os_str() == "-" {
        return None;
    }
    file(&path.with_file_name(FLAGS)).ok()
}

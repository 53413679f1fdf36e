//! Completing the names of organizations, definitions, grants, plans, subscriptions, and overrides: from the files on the line, otherwise from the cluster.
//!
//! A shell that completes waits, and shows whatever is printed. So this takes two seconds at most and prints no messages, and
//! any failure gives no names. A program that provides credentials might ask for something, so it is not run.

use crate::{
    api::{
        EntitlementDefinition, EntitlementInstance, EntitlementOverride, EntitlementPlan, EntitlementSubscription,
        Organization, Phase,
    },
    cli::{
        manifests::{ReadOptions, read},
        offline::this_second,
    },
    connection::{Connection, client},
    offline::EntitlementKind,
};
use clap_complete::CompletionCandidate;
use kube::{Api, Client, Resource, api::ListParams, config::AuthInfo, core::NamespaceResourceScope};
use serde_json::Value;
use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::runtime::Builder;

/// How long a shell waits at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// More names nobody reads.
const MOST: u32 = 1_000;

/// The names of organizations that go on as what is typed.
pub fn organizations(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::Organization])
}

/// The names of definitions that go on as what is typed.
pub fn definitions(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementDefinition])
}

/// The names of grants that go on as what is typed.
pub fn grants(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementInstance])
}

/// The names of plans that go on as what is typed.
pub fn plans(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementPlan])
}

/// The names of subscriptions that go on as what is typed.
pub fn subscriptions(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementSubscription])
}

/// The names of grants and subscriptions that go on as what is typed.
pub fn sources(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementInstance, EntitlementKind::EntitlementSubscription])
}

/// The names of overrides that go on as what is typed, those that wait for approval first.
pub fn overrides(typed: &OsStr) -> Vec<CompletionCandidate> {
    candidates(typed, &[EntitlementKind::EntitlementOverride])
}

/// A name, and what it says to people. Those that somebody waits for come first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NamedObject {
    is_decided: bool,
    name: String,
    help: Option<String>,
}

impl NamedObject {
    fn of(kind: EntitlementKind, name: &str, object: &Value) -> Self {
        Self { is_decided: is_decided(object), name: name.to_owned(), help: told(kind, object) }
    }
}

/// Whether an override needs no decision any more.
fn is_decided(object: &Value) -> bool {
    let is_final = |pointer: &str| object.pointer(pointer).is_some_and(|value| !value.is_null());
    ["/status/accepted", "/status/denied", "/status/expired"].into_iter().any(is_final)
        || object.pointer("/spec/cancelled").and_then(Value::as_bool) == Some(true)
}

fn candidates(typed: &OsStr, kinds: &'static [EntitlementKind]) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let line = PartialLine::of(env::args_os());
    let mut names = within(PATIENCE, move || names(&line, kinds)).unwrap_or_default();
    names.retain(|one| one.name.starts_with(typed));
    names.sort();
    names.dedup();
    let decides = kinds == [EntitlementKind::EntitlementOverride];
    let candidate = |one: NamedObject| {
        let order = decides.then(|| usize::from(one.is_decided));
        CompletionCandidate::new(one.name).help(one.help.map(Into::into)).display_order(order)
    };
    names.into_iter().map(candidate).collect()
}

/// What comes of something, if that takes no longer. The process ends soon, whatever is still under way.
fn within<T: Send + 'static>(patience: Duration, work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().spawn(move || sender.send(work())).ok()?;
    receiver.recv_timeout(patience).ok()?
}

fn names(line: &PartialLine, kinds: &[EntitlementKind]) -> Option<Vec<NamedObject>> {
    if line.files.is_empty() { in_cluster(line, kinds) } else { in_files(line, kinds) }
}

fn in_files(line: &PartialLine, kinds: &[EntitlementKind]) -> Option<Vec<NamedObject>> {
    let options = ReadOptions {
        created: this_second().into(),
        namespace: line.namespace.as_deref().unwrap_or("default").into(),
        operator_namespace: String::new(),
    };
    // Nobody is asked to type a manifest where a name is completed.
    let files: Vec<PathBuf> = line.files.iter().filter(|file| file.as_os_str() != "-").cloned().collect();
    let manifests = read(&files, &mut io::empty(), &options).ok()?;
    let documents = manifests.documents.iter().filter(|(subject, _)| kinds.contains(&subject.kind));
    Some(documents.map(|(subject, document)| NamedObject::of(subject.kind, &subject.name, &document.value)).collect())
}

/// What helps to tell names apart.
fn told(kind: EntitlementKind, object: &Value) -> Option<String> {
    let text = |field: &str| object.pointer(&format!("/spec/{field}")).and_then(Value::as_str);
    match kind {
        EntitlementKind::EntitlementInstance | EntitlementKind::EntitlementOverride => {
            let phase = object.pointer("/status/phase").and_then(Value::as_str);
            let waits = if phase == Some(Phase::Requested.as_str()) { " (waits for approval)" } else { "" };
            Some(format!("{}: {}{waits}", text("organization")?, text("definition")?))
        }
        EntitlementKind::EntitlementSubscription => Some(format!("{}: {}", text("organization")?, text("plan")?)),
        _ => text("displayName").map(str::to_owned),
    }
}

fn in_cluster(line: &PartialLine, kinds: &[EntitlementKind]) -> Option<Vec<NamedObject>> {
    Builder::new_current_thread().enable_all().build().ok()?.block_on(async {
        let mut config = line.connection.config().await.ok()?;
        if runs_a_program(&config.auth_info) {
            return None;
        }
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        let client = client(config).ok()?;
        let mut names = Vec::new();
        for kind in kinds {
            // What may not be listed is not told, and the rest is.
            names.extend(listed(client.clone(), line.namespace.as_deref(), *kind).await.unwrap_or_default());
        }
        Some(names)
    })
}

/// Whether somebody else's program gives the credentials.
fn runs_a_program(auth_info: &AuthInfo) -> bool {
    auth_info.exec.is_some() || auth_info.auth_provider.is_some()
}

async fn listed(client: Client, namespace: Option<&str>, kind: EntitlementKind) -> Option<Vec<NamedObject>> {
    match kind {
        EntitlementKind::Organization => objects(Api::<Organization>::all(client), kind).await,
        EntitlementKind::EntitlementDefinition => objects(Api::<EntitlementDefinition>::all(client), kind).await,
        EntitlementKind::FacetDefinition | EntitlementKind::OverrideDecision | EntitlementKind::EntitlementUsage => {
            None
        }
        EntitlementKind::EntitlementPlan => objects(Api::<EntitlementPlan>::all(client), kind).await,
        EntitlementKind::EntitlementInstance => {
            objects(namespaced::<EntitlementInstance>(client, namespace), kind).await
        }
        EntitlementKind::EntitlementSubscription => {
            objects(namespaced::<EntitlementSubscription>(client, namespace), kind).await
        }
        EntitlementKind::EntitlementOverride => {
            objects(namespaced::<EntitlementOverride>(client, namespace), kind).await
        }
    }
}

/// Those in a namespace, or in all.
fn namespaced<K>(client: Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

async fn objects<K>(api: Api<K>, kind: EntitlementKind) -> Option<Vec<NamedObject>>
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let page = api.list(&ListParams::default().limit(MOST)).await.ok()?;
    let named = page.items.into_iter().filter_map(|object| {
        let name = object.meta().name.clone()?;
        Some(NamedObject::of(kind, &name, &serde_json::to_value(&object).unwrap_or_default()))
    });
    Some(named.collect())
}

/// What a command line that is not complete yet says of where the objects are.
#[derive(Debug, Default)]
struct PartialLine {
    files: Vec<PathBuf>,
    namespace: Option<String>,
    connection: Connection,
}

/// What the next word of a line is the value of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    File,
    Namespace,
    Kubeconfig,
    Context,
    User,
    Group,
}

impl PartialLine {
    fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut line = Self::default();
        let mut expected = None;
        let words: Vec<OsString> = words.into_iter().collect();
        // The last word is the one that is completed.
        let complete = words.split_last().map(|(_, complete)| complete).unwrap_or_default();
        for word in complete {
            let text = word.to_string_lossy();
            if let Some((option, value)) = option(&text) {
                expected = option;
                if let (Some(option), Some(value)) = (option, value) {
                    line.take(option, OsStr::new(value));
                    expected = None;
                }
                continue;
            }
            if let Some(option) = expected {
                line.take(option, word);
                // -f takes several paths.
                expected = expected.filter(|option| *option == Expected::File);
            }
        }
        line
    }

    fn take(&mut self, option: Expected, value: &OsStr) {
        let text = || value.to_str().map(str::to_owned);
        match option {
            Expected::File => self.files.push(PathBuf::from(value)),
            Expected::Namespace => self.namespace = text(),
            Expected::Kubeconfig => self.connection.kubeconfig = Some(PathBuf::from(value)),
            Expected::Context => self.connection.context = text(),
            Expected::User => self.connection.user = text(),
            Expected::Group => self.connection.groups.extend(text()),
        }
    }
}

/// The option that a word names, if it names one, and its value, if that is in the same word.
fn option(word: &str) -> Option<(Option<Expected>, Option<&str>)> {
    if word == "-" || !word.starts_with('-') {
        return None;
    }
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None if !word.starts_with("--") && word.len() > 2 && word.is_char_boundary(2) => {
            let (name, value) = word.split_at(2);
            (name, Some(value))
        }
        None => (word, None),
    };
    let option = match name {
        "-f" | "--filename" => Some(Expected::File),
        "-n" | "--namespace" => Some(Expected::Namespace),
        "--kubeconfig" => Some(Expected::Kubeconfig),
        "--context" => Some(Expected::Context),
        "--as" => Some(Expected::User),
        "--as-group" => Some(Expected::Group),
        _ => None,
    };
    Some((option, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("explain -f a b ''", &["a", "b"], None, None)]
    #[case("explain --filename=a -fb ''", &["a", "b"], None, None)]
    #[case("explain -f a --at now acme ''", &["a"], None, None)]
    #[case("explain -n sales --context there ''", &[], Some("sales"), Some("there"))]
    #[case("explain -nsales --context=there ''", &[], Some("sales"), Some("there"))]
    #[case("explain -f - ''", &["-"], None, None)]
    #[case("explain -f", &[], None, None)]
    #[case("explain -f half", &[], None, None)]
    #[case("", &[], None, None)]
    fn a_line_says_where_the_objects_are(
        #[case] line: &str,
        #[case] files: &[&str],
        #[case] namespace: Option<&str>,
        #[case] context: Option<&str>,
    ) {
        let read = PartialLine::of(line.split_whitespace().map(OsString::from));
        assert_eq!(read.files, files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!((read.namespace.as_deref(), read.connection.context.as_deref()), (namespace, context));
    }

    #[test]
    fn what_takes_too_long_gives_nothing() {
        let (_sender, receiver) = mpsc::channel::<()>();
        let hangs = move || receiver.recv().ok();
        assert_eq!(within(Duration::from_millis(20), hangs), None);
        assert_eq!(within(PATIENCE, || Some(1)), Some(1));
    }
}

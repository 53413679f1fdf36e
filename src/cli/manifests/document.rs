//! From documents to single objects: lists are split, and each object is recognised.

use super::node::{Content, Field, FieldKey, Node, TextStyle};
use crate::{
    api::{GROUP, VERSION},
    core::schema::wording::closest,
    offline::EntitlementKind,
};

/// What a document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// An object of one of the operator's kinds.
    Entitlement(EntitlementKind),
    /// A Secret, which grants may take values from.
    Secret,
    /// An object of the operator's group with an unknown kind or version; a sentence says so.
    Unknown(String),
    /// An object of a kind that has nothing to do with the operator.
    Other(String),
    /// No object of Kubernetes; a sentence says why.
    Nothing(&'static str),
}

/// Takes a document apart if it is a list (`List`, or the list of a kind), however deep; else it is the object itself.
pub fn objects(document: Node) -> Vec<Node> {
    let mut objects = Vec::new();
    add(document, None, &mut objects);
    objects
}

fn add(document: Node, within: Option<(&str, &str)>, objects: &mut Vec<Node>) {
    let kind = document.get("kind").and_then(Node::text).unwrap_or_default().to_owned();
    let version = document.get("apiVersion").and_then(Node::text).unwrap_or_default().to_owned();
    let item_kind = kind.strip_suffix("List").filter(|_| is_list(&document));
    let Some(item_kind) = item_kind else {
        objects.push(named_as(document, within));
        return;
    };
    let Content::Fields(fields) = document.content else { return };
    let items = fields.into_iter().find(|field| field.key.name == "items").map(|field| field.value.content);
    let Some(Content::List(items)) = items else { return };
    // The items of the API server's own lists say neither kind nor version.
    let within = (!item_kind.is_empty()).then_some((version.as_str(), item_kind));
    for item in items {
        add(item, within, objects);
    }
}

fn is_list(document: &Node) -> bool {
    matches!(document.get("items").map(|items| &items.content), Some(Content::List(_)))
}

fn named_as(mut object: Node, within: Option<(&str, &str)>) -> Node {
    let (Some((version, kind)), None) = (within, object.get("kind")) else { return object };
    let (span, offset, style) = (object.span, object.offset, TextStyle::Other);
    if let Content::Fields(fields) = &mut object.content {
        for (name, text) in [("apiVersion", version), ("kind", kind)] {
            if fields.iter().any(|field| field.key.name == name) {
                continue;
            }
            let key = FieldKey { span, offset, style, name: name.to_owned(), is_boolean: false };
            let value = Node { span, offset, style, content: Content::Text(text.to_owned()) };
            fields.push(Field { key, value });
        }
    }
    object
}

/// Tells what an object is.
#[must_use]
pub fn recognise(object: &Node) -> Recognised {
    if !matches!(object.content, Content::Fields(_)) {
        return Recognised::Nothing(
            "it is no object of Kubernetes, which has the fields apiVersion, kind and metadata",
        );
    }
    let version = object.get("apiVersion").and_then(Node::text);
    let kind = object.get("kind").and_then(Node::text);
    let group = version.and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    let (Some(version), Some(kind)) = (version, kind) else {
        let is_ours = group == GROUP || kind.is_some_and(|kind| EntitlementKind::of(kind).is_some());
        return if is_ours {
            Recognised::Unknown(format!("apiVersion ({GROUP}/{VERSION}) or kind is missing"))
        } else {
            Recognised::Nothing("it is no object of Kubernetes: apiVersion or kind is missing")
        };
    };
    match (group, EntitlementKind::of(kind)) {
        (GROUP, Some(known)) if version.strip_prefix(GROUP) == Some(&format!("/{VERSION}")) => {
            Recognised::Entitlement(known)
        }
        (GROUP, Some(_)) => Recognised::Unknown(format!("there is no version {version}: write {GROUP}/{VERSION}")),
        (GROUP, None) => Recognised::Unknown(unknown_kind(kind)),
        (_, Some(known)) if is_misspelt_group(group) => {
            Recognised::Unknown(format!("{} is a kind of {GROUP}/{VERSION}, not of {version}", known.as_str()))
        }
        ("", None) if version == "v1" && kind == "Secret" => Recognised::Secret,
        _ => Recognised::Other(kind.to_owned()),
    }
}

/// Whether a group is so like the operator's that it is meant.
fn is_misspelt_group(group: &str) -> bool {
    const MOST_CHANGES: usize = 3;
    strsim::damerau_levenshtein(group, GROUP) <= MOST_CHANGES
}

fn unknown_kind(kind: &str) -> String {
    let known = EntitlementKind::ALL.map(EntitlementKind::as_str);
    let hint = match closest(kind, &known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("its kinds are {}", known.join(", ")),
    };
    format!("{GROUP}/{VERSION} has no kind {kind}: {hint}")
}

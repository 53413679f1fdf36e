//! Which grant or subscription is meant by what somebody calls it.

use crate::{
    api::GROUP,
    cli::{
        manifests::Manifests,
        outcome::CommandFailure,
        suggestions::{unknown, unknown_in},
        terminal::harmless,
    },
    core::source::{SourceId, SourceKind},
    offline::{EntitlementKind, Subject},
};

/// What can be renewed, suspended, and so on.
pub const SOURCES: [EntitlementKind; 2] =
    [EntitlementKind::EntitlementInstance, EntitlementKind::EntitlementSubscription];

/// The one of these kinds that is meant by a name, by `namespace/name`, or by either behind its kind, as `subscription/name`.
pub fn find(
    manifests: &Manifests,
    kinds: &[EntitlementKind],
    called: &str,
    namespace: Option<&str>,
) -> Result<SourceId, CommandFailure> {
    let (kinds, called) = match called.split_once('/') {
        Some((word, rest)) => match kinds.iter().position(|kind| is_called(*kind, word)) {
            Some(index) => (kinds.get(index..=index).unwrap_or(kinds), rest),
            None => (kinds, called),
        },
        None => (kinds, called),
    };
    let (namespace, name) = match called.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (namespace, called),
    };
    let subjects = manifests.documents.keys().filter(|subject| kinds.contains(&subject.kind));
    let everywhere: Vec<SourceId> = subjects.filter_map(Subject::source_id).collect();
    let is_there = |id: &&SourceId| namespace.is_none_or(|namespace| *id.namespace == *namespace);
    let there: Vec<&SourceId> = everywhere.iter().filter(is_there).collect();
    let found: Vec<&SourceId> = there.iter().copied().filter(|id| *id.name == *name).collect();
    match found.as_slice() {
        [id] => Ok((*id).clone()),
        [] => {
            let what = nouns(kinds, &everywhere);
            let known: Vec<&str> = there.iter().map(|id| &*id.name).collect();
            let Some(namespace) = namespace else { return Err(unknown(&what, name, &known)) };
            let elsewhere: Vec<String> =
                everywhere.iter().filter(|id| *id.name == *name).map(ToString::to_string).collect();
            let place = format!(" in namespace {}", harmless(namespace));
            if elsewhere.is_empty() {
                return Err(unknown_in(&what, name, &place, &known));
            }
            let (name, elsewhere) = (harmless(name), elsewhere.join(", "));
            Err(CommandFailure::Usage(format!("there is no {what} {name}{place}: did you mean {elsewhere}?")))
        }
        several => Err(CommandFailure::Usage(ambiguous(name, several))),
    }
}

/// Whether a word means a kind: as sentences have it, or as kubectl does.
pub fn is_called(kind: EntitlementKind, word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let word = word.strip_suffix(GROUP).and_then(|word| word.strip_suffix('.')).unwrap_or(&word);
    let name = kind.as_str().to_ascii_lowercase();
    let words = match kind {
        EntitlementKind::EntitlementInstance => ["instance", "ent"],
        EntitlementKind::EntitlementSubscription => ["subscription", "esub"],
        EntitlementKind::EntitlementOverride => ["override", "eovr"],
        _ => return false,
    };
    words.contains(&word) || word == name || word.strip_suffix('s') == Some(&name)
}

/// What one is called that is not there: where there is one kind alone, somebody who knows no other looks for that.
fn nouns(kinds: &[EntitlementKind], known: &[SourceId]) -> String {
    let mut all: Vec<&str> = kinds.iter().map(|kind| noun(*kind)).collect();
    let is_known = |noun: &&str| known.iter().any(|id| id.kind.noun() == *noun);
    if all.iter().any(is_known) {
        all.retain(|noun| is_known(noun));
    }
    all.join(" or ")
}

fn noun(kind: EntitlementKind) -> &'static str {
    if kind == EntitlementKind::EntitlementSubscription { "subscription" } else { "grant" }
}

fn ambiguous(name: &str, several: &[&SourceId]) -> String {
    let first = several.first().map(|id| id.kind);
    let name = harmless(name);
    if several.iter().all(|id| Some(id.kind) == first) {
        let nouns = first.map(SourceKind::noun).unwrap_or_default();
        let candidates: Vec<String> = several.iter().map(ToString::to_string).collect();
        return format!("there are several {nouns}s {name}: give one of {}", candidates.join(", "));
    }
    let candidates: Vec<String> = several.iter().map(|id| format!("{}/{id}", id.kind.field())).collect();
    format!("there are a grant and a subscription {name}: give one of {}", candidates.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(EntitlementKind::EntitlementInstance, &["instance", "ent", "entitlementinstance", "EntitlementInstances", "entitlementinstances.entitlements.dev", "ent.entitlements.dev"])]
    #[case(EntitlementKind::EntitlementSubscription, &["subscription", "esub", "entitlementsubscriptions", "entitlementsubscription.entitlements.dev"])]
    fn a_kind_is_called_as_kubectl_calls_it(#[case] kind: EntitlementKind, #[case] words: &[&str]) {
        for word in words {
            let called: Vec<EntitlementKind> = SOURCES.into_iter().filter(|one| is_called(*one, word)).collect();
            assert_eq!(called, [kind], "{word}");
        }
        assert!(!is_called(kind, "entitlements") && !is_called(kind, ""));
    }
}

//! A second kind of the catalogue, for tests only: revisions of one kind never meet those of another kind with the same name.

use super::{
    CatalogueId, CatalogueIngredients, CatalogueKind, Catalogued, CompiledDefinition, KeepAction, KeptForm, Made,
    OLDER_REVISIONS, Present, Revision, Revisions, outdated, state_hash,
};
use crate::core::{problem::Problem, reason::ReasonCode};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What serves: its word.
#[derive(Clone, Debug, PartialEq)]
pub struct Dummy(pub String);

/// What one is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DummyState {
    /// It.
    pub word: String,
}

impl Catalogued for Dummy {
    const KIND: CatalogueKind = CatalogueKind::Dummy;

    type State = DummyState;
    /// How many revisions it has.
    type History = usize;

    fn compile(name: &str, state: &DummyState) -> Result<Self, Problem> {
        if state.word.is_empty() {
            return Err(Problem::new(ReasonCode::Unreadable, format!("{name} needs a word")));
        }
        Ok(Self(state.word.clone()))
    }

    fn compile_kept(name: &str, state: &DummyState) -> Result<Self, Problem> {
        Self::compile(name, state)
    }

    fn history(
        _: Option<&ObjectMeta>,
        _: Option<(&Arc<Self>, Option<&str>)>,
        revisions: &[impl AsRef<Revision>],
    ) -> usize {
        revisions.len()
    }
}

fn revision(of: &CatalogueId, number: i64, data: Value) -> Arc<Revision> {
    let name = Revision::name_of(of, &state_hash(&data));
    Arc::new(Revision { name: name.into(), of: of.clone(), number, data, made: None, beside: None, for_everyone: None })
}

fn form(data: Value) -> KeptForm {
    KeptForm { hash: state_hash(&data), data, beside: None, is_for_everyone: false }
}

fn feature() -> Value {
    json!({"spec": {"type": "Feature", "allowMultiple": false, "aggregation": "Sum", "renewalNotices": ["P30D"]}, "facets": {}})
}

fn both() -> (CatalogueId, CatalogueId) {
    (CatalogueKind::Definition.named("pro"), CatalogueKind::Dummy.named("pro"))
}

/// A cluster has revisions with the names and labels of the first already.
#[test]
fn revisions_of_two_kinds_differ_in_name_and_label() {
    let (definition, dummy) = both();
    let hash = "0123456789abcdef";
    let object = |of: &CatalogueId| {
        let name = Revision::name_of(of, hash);
        let revision = Revision {
            name: name.into(),
            of: of.clone(),
            number: 7,
            data: json!({"a": 1}),
            made: None,
            beside: None,
            for_everyone: None,
        };
        let object = revision.to_object();
        assert_eq!(Revision::read(object.clone()), Some(revision));
        serde_json::to_value(object).unwrap()
    };
    let expected = |name: &str, label: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 7, "data": {"a": 1},
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "entitlement-operator", label: "pro"},
            },
        })
    };
    assert_eq!(object(&definition), expected("pro-0123456789", "entitlements.dev/definition"));
    assert_eq!(object(&dummy), expected("dummy.pro-0123456789", "entitlements.dev/dummy"));
}

/// The name of a definition is a DNS label, so that no definition has revisions with the names of another kind's.
#[test]
fn what_names_begin_with_is_of_one_kind_alone() {
    for (index, kind) in CatalogueKind::ALL.iter().enumerate() {
        assert!(*kind == CatalogueKind::Definition || kind.prefix().ends_with('.'), "{kind:?}");
        for other in &CatalogueKind::ALL[..index] {
            assert_ne!(kind.label(), other.label());
            assert_ne!(kind.prefix(), other.prefix());
        }
    }
}

#[test]
fn an_object_that_says_of_no_kind_what_it_is_of_is_no_revision() {
    let read = |labels: Value| {
        let object = json!({"metadata": {"name": "a", "labels": labels}, "revision": 1, "data": {}});
        Revision::read(serde_json::from_value(object).unwrap()).map(|revision| revision.of)
    };
    let managed = "app.kubernetes.io/managed-by";
    assert_eq!(read(json!({managed: "entitlement-operator"})), None);
    assert_eq!(read(json!({managed: "somebody", "entitlements.dev/dummy": "a"})), None);
    assert_eq!(read(json!({"entitlements.dev/dummy": "a"})), None);
    let dummy = CatalogueKind::Dummy.named("a");
    assert_eq!(read(json!({managed: "entitlement-operator", "entitlements.dev/dummy": "a"})), Some(dummy));
}

#[test]
fn each_kind_is_numbered_promoted_and_forgotten_by_itself() {
    let (definition, dummy) = both();
    let mut revisions = Revisions::default();
    for number in 1..=12 {
        revisions.insert(revision(&definition, number, json!({"spec": number})));
    }
    for number in 1..=3 {
        revisions.insert(revision(&dummy, number, json!({"word": number.to_string()})));
    }
    let of = |object: &CatalogueId, word: &str| {
        let data = json!({ "word": word });
        KeepAction::of(object, &revisions.of(object), form(data))
    };
    let next =
        |word: &str, number: i64| Revision { number, ..Revision::clone(&revision(&dummy, 0, json!({ "word": word }))) };
    assert_eq!(of(&dummy, "new"), KeepAction::Create(next("new", 4)));
    assert_eq!(of(&dummy, "1"), KeepAction::Promote(Arc::clone(&revisions.of(&dummy)[0]), next("1", 4)));
    assert_eq!(of(&dummy, "3"), KeepAction::Kept);
    // The definition of the same name has no such state, and is twelve revisions further.
    assert!(matches!(of(&definition, "1"), KeepAction::Create(Revision { number: 13, .. })));

    let names = |revisions: Vec<Arc<Revision>>| revisions.iter().map(|one| one.number).collect::<Vec<_>>();
    let pinned = Revision::name_of(&definition, &state_hash(&json!({"spec": 2})));
    assert_eq!(names(outdated(&revisions.of(&definition), |name| name == pinned)), [1]);
    assert_eq!(names(outdated(&revisions.of(&definition), |_| false)), [2, 1]);
    assert_eq!(revisions.of(&definition).len(), OLDER_REVISIONS + 2);
    assert_eq!(names(outdated(&revisions.of(&dummy), |_| false)), [0_i64; 0]);

    for one in revisions.of(&definition) {
        revisions.remove(&one);
    }
    assert_eq!(revisions.objects().collect::<Vec<_>>(), [&dummy]);
    assert_eq!(names(revisions.of(&dummy)), [1, 2, 3]);
}

#[test]
fn a_revision_that_does_not_hold_what_its_name_says_is_made_anew() {
    let (_, dummy) = both();
    let forged = Arc::new(Revision {
        data: json!({"word": "forged"}),
        ..Revision::clone(&revision(&dummy, 1, json!({"word": "agreed"})))
    });
    let data = json!({"word": "agreed"});
    let keeping = KeepAction::of(&dummy, &[Arc::clone(&forged)], form(data.clone()));
    assert_eq!(keeping, KeepAction::Replace(forged, Revision::clone(&revision(&dummy, 2, data))));
}

fn plainly<C>(compile: &dyn Fn() -> Result<C, Problem>) -> Result<C, Problem> {
    compile()
}

/// The last valid state of each kind serves, read as that kind reads it.
#[test]
fn each_kind_serves_its_own() {
    let (definition, dummy) = both();
    let mut revisions = Revisions::default();
    revisions.insert(revision(&definition, 1, feature()));
    revisions.insert(revision(&dummy, 1, json!({"word": "first"})));
    revisions.insert(revision(&dummy, 2, json!({"word": "second"})));
    revisions.insert(revision(&dummy, 3, json!({"word": ""})));

    let kept = revisions.of(&dummy);
    let dummies: CatalogueIngredients<Dummy> =
        CatalogueIngredients { object: &dummy, metadata: None, revisions: &kept, served: None, guard: plainly };
    let entry = dummies.entry(Err(Present::Missing));
    assert_eq!(entry.present, Present::Missing);
    assert_eq!(entry.serving.as_deref(), Some(&Dummy("second".to_owned())));
    assert_eq!(entry.revision.as_deref(), Some(&*kept[1].name));
    assert_eq!(*entry.history, 3);
    let entry = dummies.entry(Ok(DummyState { word: String::new() }));
    assert_eq!(entry.present, Present::Invalid(Problem::new(ReasonCode::Unreadable, "pro needs a word")));
    assert_eq!(entry.serving.as_deref(), Some(&Dummy("second".to_owned())));
    let entry = dummies.entry(Ok(DummyState { word: "first".to_owned() }));
    assert_eq!((&entry.present, entry.revision.as_deref()), (&Present::Valid, Some(&*kept[0].name)));
    let Made::Present(valid) = dummies.make(Ok(DummyState { word: "third".to_owned() })) else { panic!() };
    assert_eq!(*valid.serving, Dummy("third".to_owned()));

    let kept = revisions.of(&definition);
    let definitions: CatalogueIngredients<CompiledDefinition> =
        CatalogueIngredients { object: &definition, metadata: None, revisions: &kept, served: None, guard: plainly };
    let entry = definitions.entry(Err(Present::Missing));
    assert_eq!(entry.serving.as_ref().map(|serving| &*serving.terms.name), Some("pro"));
    assert_eq!(entry.revision.as_deref(), Some(&*kept[0].name));
}

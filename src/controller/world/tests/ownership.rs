//! Whose an object is, whatever it is marked as, and where it may be withdrawn.

use super::{empty, metadata, namespace, organization, read};
use crate::controller::guarded::Guarded;
use crate::{
    api::{Organization, entitlement_definition::OutputKind},
    controller::{
        output::OutputObject,
        world::{FormerMarks, World, kinds::named},
    },
    evaluation::{
        Limits,
        object::ObjectKey,
        plan::{Fate, Owner},
    },
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Organization `acme` in namespace `one`, `globex` in `two`, both there; `three` is there too.
fn world() -> World {
    let mut world = empty();
    for name in ["one", "two", "three"] {
        world.observe_namespace(Event::Apply(namespace(name, 1, None)));
    }
    world.observe_organization(Event::Apply(with_status("acme", &["one"], 1, json!({"namespaces": ["one"]}))));
    world.observe_organization(Event::Apply(with_status("globex", &["two"], 1, json!({"namespaces": ["two"]}))));
    world.take_work();
    world
}

fn with_status(name: &str, namespaces: &[&str], version: u64, status: Value) -> Guarded<Organization> {
    let Guarded(Ok(mut organization)) = organization(name, namespaces, version) else { panic!() };
    organization.status = read(status);
    Guarded(Ok(organization))
}

fn key(namespace: &str) -> ObjectKey {
    ObjectKey { kind: OutputKind::ConfigMap, namespace: namespace.into(), name: "config".into() }
}

/// As the operator makes it for `acme`, in that namespace.
fn made(namespace: &str, version: u64) -> Value {
    let mut metadata = metadata(Some(namespace), "config", version);
    metadata["labels"] =
        json!({"app.kubernetes.io/managed-by": "entitlement-operator", "entitlements.dev/organization": "acme"});
    metadata["annotations"] = json!({"entitlements.dev/instance": "entitlements/a", "entitlements.dev/object": format!("{namespace}/config")});
    metadata["ownerReferences"] = json!([{"apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "name": "acme",
        "uid": "uid-acme", "controller": true}]);
    metadata["managedFields"] = json!([{"manager": "entitlement-operator", "operation": "Update", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}}}]);
    json!({"metadata": metadata, "data": {"a": "1"}})
}

fn marked_as(mut object: Value, organization: &str) -> Value {
    object["metadata"]["labels"]["entitlements.dev/organization"] = organization.into();
    object["metadata"]["ownerReferences"][0]["uid"] = format!("uid-{organization}").into();
    object
}

fn see(world: &mut World, object: Value) {
    world.observe_output(Event::Apply(read::<Guarded<ConfigMap>>(object)));
}

fn owner(world: &World, name: &str) -> Owner {
    world.view(&name.into()).unwrap().owner.unwrap()
}

fn strays(world: &mut World, name: &str, is_wanted: bool) -> Vec<(ObjectKey, FormerMarks)> {
    let owner = owner(world, name);
    world.strays(&owner, |_| is_wanted)
}

fn origin() -> FormerMarks {
    FormerMarks {
        uid: "uid-config".into(),
        controller: "uid-acme".into(),
        source: Some(crate::core::source::SourceId::instance("entitlements", "a")),
        fate: Fate::Delete,
    }
}

#[test]
fn what_loses_its_label_is_looked_for_until_it_is_marked_or_gone() {
    let mut world = world();
    see(&mut world, made("one", 2));
    assert_eq!(strays(&mut world, "acme", true), []);
    world.observe_output(Event::Delete(read::<Guarded<ConfigMap>>(made("one", 3))));
    let expected = [(key("one"), origin())];
    assert_eq!(strays(&mut world, "acme", true), expected);
    assert_eq!(strays(&mut world, "acme", false), expected);
    let marked: ConfigMap = read(made("one", 4));
    world.wrote_output(&"acme".into(), &key("one"), marked.observed());
    assert_eq!(strays(&mut world, "acme", false), []);
    world.observe_output(Event::Delete(read::<Guarded<ConfigMap>>(made("one", 5))));
    let owner = owner(&world, "acme");
    world.stray_is_gone(&owner, &key("one"));
    assert_eq!(strays(&mut world, "acme", false), []);
}

/// As when the machine is busy: the watch is ahead of the answer.
#[test]
fn what_has_lost_its_label_before_the_answer_to_its_write_comes_is_looked_for_all_the_same() {
    let mut world = world();
    see(&mut world, made("one", 2));
    world.observe_output(Event::Delete(read::<Guarded<ConfigMap>>(made("one", 3))));
    world.take_work();
    let answer: ConfigMap = read(made("one", 2));
    assert_eq!(world.wrote_output(&"acme".into(), &key("one"), answer.observed()), None);
    assert_eq!(strays(&mut world, "acme", true), [(key("one"), origin())]);
    // The answer to what marks it anew comes late as well.
    see(&mut world, made("one", 4));
    let marked: ConfigMap = read(made("one", 4));
    world.wrote_output(&"acme".into(), &key("one"), marked.observed());
    assert_eq!(world.outputs.strays.of("acme").count(), 0);
}

#[rstest]
#[case::to_be_kept(|object: &mut Value| object["metadata"]["annotations"]["entitlements.dev/on-end"] = json!("Retain"))]
#[case::of_another(|object: &mut Value| *object = marked_as(object.clone(), "globex"))]
fn what_is_marked_otherwise_before_the_answer_to_its_write_comes_stays_known(#[case] disguise: fn(&mut Value)) {
    let mut world = world();
    see(&mut world, made("one", 2));
    let mut disguised = made("one", 3);
    disguise(&mut disguised);
    see(&mut world, disguised);
    let answer: ConfigMap = read(made("one", 2));
    world.wrote_output(&"acme".into(), &key("one"), answer.observed());
    assert_eq!(strays(&mut world, "acme", false), [(key("one"), origin())]);
}

#[rstest]
#[case::of_nobody(|object: &mut Value| object["metadata"]["ownerReferences"] = json!([]))]
#[case::of_another(|object: &mut Value| *object = marked_as(object.clone(), "globex"))]
#[case::a_copy(|object: &mut Value| object["metadata"]["annotations"]["entitlements.dev/object"] = json!("some/copy"))]
fn what_is_marked_otherwise_is_marked_anew_and_nothing_is_forgotten_meanwhile(#[case] disguise: fn(&mut Value)) {
    let mut world = world();
    see(&mut world, made("one", 2));
    let mut disguised = made("one", 3);
    disguise(&mut disguised);
    see(&mut world, disguised.clone());
    assert_eq!(strays(&mut world, "acme", true), [(key("one"), origin())]);
    assert_eq!(strays(&mut world, "globex", true), []);
    // And once more, so that it looks as though it had always been so.
    disguised["metadata"]["resourceVersion"] = json!("4");
    disguised["metadata"]["annotations"]["entitlements.dev/instance"] = json!("entitlements/b");
    see(&mut world, disguised);
    assert_eq!(strays(&mut world, "acme", false), [(key("one"), origin())]);
    see(&mut world, made("one", 5));
    assert_eq!(strays(&mut world, "acme", false), []);
}

#[test]
fn marks_that_say_what_becomes_of_it_are_put_right_before_it_is_withdrawn() {
    let mut world = world();
    see(&mut world, made("one", 2));
    let mut forged = made("one", 3);
    forged["metadata"]["labels"]["entitlements.dev/in-force"] = json!("false");
    see(&mut world, forged);
    // While it is wanted it is put right like anything else.
    assert_eq!(strays(&mut world, "acme", true), []);
    let mut forged = made("one", 4);
    forged["metadata"]["annotations"]["entitlements.dev/on-end"] = json!("Retain");
    let right: ConfigMap = read(made("one", 4));
    world.wrote_output(&"acme".into(), &key("one"), right.observed());
    forged["metadata"]["resourceVersion"] = json!("5");
    see(&mut world, forged);
    assert_eq!(strays(&mut world, "acme", false), [(key("one"), origin())]);
}

#[test]
fn what_has_gone_over_to_the_next_of_the_namespace_is_its() {
    let mut world = world();
    let both = json!({"namespaces": ["one", "two"]});
    see(&mut world, made("one", 2));
    world.observe_organization(Event::Apply(with_status("acme", &["three"], 3, json!({"namespaces": ["one"]}))));
    world.observe_organization(Event::Apply(with_status("globex", &["one", "two"], 4, both)));
    see(&mut world, marked_as(made("one", 5), "globex"));
    assert_eq!(strays(&mut world, "acme", false), []);
}

#[test]
fn what_is_disguised_when_the_operator_starts_is_found() {
    let mut world = World::new("operator", Limits::default());
    for name in ["one", "two"] {
        world.observe_namespace(Event::Apply(namespace(name, 1, None)));
    }
    let status = json!({"namespaces": ["one"]});
    world.observe_organization(Event::Apply(with_status("acme", &["one"], 1, status)));
    let mut disguised = made("one", 2);
    disguised["metadata"]["labels"]["entitlements.dev/organization"] = json!("nobody");
    see(&mut world, disguised);
    // Nobody has ever made this one.
    let mut alike = made("one", 3);
    alike["metadata"]["name"] = json!("alike");
    alike["metadata"]["annotations"]["entitlements.dev/object"] = json!("one/alike");
    alike["metadata"]["labels"]["entitlements.dev/organization"] = json!("nobody");
    alike["metadata"]["managedFields"] = json!([]);
    see(&mut world, alike);
    super::finish_lists(&mut world);
    world.take_work();
    assert_eq!(strays(&mut world, "acme", false), [(key("one"), origin())]);
}

#[test]
fn what_an_organization_left_that_is_gone_is_the_garbage_collectors() {
    let mut world = world();
    let owner = owner(&world, "acme");
    world.found_stray(&owner, key("one"), Some("uid-gone"), origin());
    assert_eq!(strays(&mut world, "acme", false), []);
    world.found_stray(&owner, key("one"), None, origin());
    assert_eq!(strays(&mut world, "acme", false).len(), 1);
    world.forget_organization("acme");
    assert_eq!(strays(&mut world, "acme", false), []);
}

fn remembered(world: &World, name: &str) -> BTreeSet<String> {
    owner(world, name).remembered().iter().map(ToString::to_string).collect()
}

#[test]
fn the_memory_is_what_the_status_says_or_has_said() {
    let mut world = world();
    assert_eq!(remembered(&world, "acme"), ["one".to_owned()].into());
    // Reserved ones never count.
    let said = json!({"namespaces": ["three", "kube-system", "operator", "entitlements"]});
    world.observe_organization(Event::Apply(with_status("acme", &["one"], 2, said)));
    assert_eq!(remembered(&world, "acme"), ["one", "three"].map(str::to_owned).into());
    world.observe_organization(Event::Apply(with_status("acme", &["one"], 3, json!({"namespaces": []}))));
    assert_eq!(remembered(&world, "acme"), ["one", "three"].map(str::to_owned).into());
    // But what the operator writes does.
    let Guarded(Ok(written)) = with_status("acme", &["one"], 4, json!({"namespaces": ["one"]})) else { panic!() };
    world.wrote_organization(named(written), Some(&["one".to_owned()]));
    assert_eq!(remembered(&world, "acme"), ["one".to_owned()].into());
}

#[test]
fn an_organization_that_is_made_anew_remembers_nothing_of_the_former() {
    let mut world = world();
    let Guarded(Ok(mut anew)) = with_status("acme", &["two"], 2, json!({"namespaces": []})) else { panic!() };
    anew.metadata.uid = Some("uid-anew".to_owned());
    world.observe_organization(Event::Apply(Guarded(Ok(anew))));
    assert_eq!(remembered(&world, "acme"), BTreeSet::new());
}

#[rstest]
#[case::that_the_operator_wrote(|_: &mut Value| {}, true)]
#[case::of_a_former_version(|object: &mut Value| object["metadata"]["annotations"] = json!({}), true)]
#[case::of_which_others_wrote_the_data(|object: &mut Value| object["data"]["b"] = json!("2"), false)]
#[case::that_others_wrote(|object: &mut Value| object["metadata"]["managedFields"] = json!([]), false)]
#[case::a_copy(|object: &mut Value| object["metadata"]["annotations"]["entitlements.dev/object"] = json!("a/b"), false)]
#[case::of_another(|object: &mut Value| object["metadata"]["ownerReferences"][0]["uid"] = json!("uid-globex"), false)]
fn without_a_memory_only_what_is_surely_its_own_counts(#[case] change: fn(&mut Value), #[case] counts: bool) {
    let mut world = world();
    world.observe_organization(Event::Apply(with_status(
        "initech",
        &["three", "absent"],
        2,
        json!({"observedGeneration": 2}),
    )));
    assert_eq!(remembered(&world, "initech"), ["three".to_owned()].into());
    let mut object = marked_as(made("two", 3), "initech");
    change(&mut object);
    see(&mut world, object);
    assert_eq!(remembered(&world, "initech").contains("two"), counts);
}

//! Which objects are made, put right and deleted.

use super::{all, content, grant, kept, key, made, made_for, marks, other_data, owner, scene, secret, texts, wanted};
use crate::{
    api::entitlement_definition::OutputKind,
    evaluation::{
        object::{ObjectContent, ObjectData, ObjectKey},
        plan::{
            Authorship, Delivery, Edit, Fate, MAX_DATA_BYTES, Naming, ObjectWrite, Observed, Scene, Stuck, Writes,
            pending, withdrawals, writes,
        },
    },
};
use rstest::rstest;
use std::{collections::BTreeMap, sync::Arc};

/// What is written for one desired object `one/config` of the grant `g`, if that is there.
fn plan(desired: &ObjectContent, there: Option<Observed>) -> Writes {
    let desired = all([(key("one", "config"), wanted(Some(grant("g")), desired.clone()))]);
    writes(&desired, &owner(), &scene(there.map(|observed| (key("one", "config"), observed))))
}

/// The delivery that is known without a write.
fn settled(writes: &Writes) -> Option<&Delivery> {
    assert!(writes.changes.is_empty(), "{writes:?}");
    writes.settled.get(&key("one", "config"))
}

fn edit(writes: &Writes) -> &Edit {
    match writes.changes.as_slice() {
        [(_, ObjectWrite::Update(edit), _)] => edit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_made() {
    let planned = plan(&content(&[("a", "1")]), None);
    assert!(matches!(planned.changes.as_slice(), [(made, ObjectWrite::Create, _)] if *made == key("one", "config")));
    assert_eq!(planned.settled, BTreeMap::new());
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let desired = content(&[("a", "1")]);
    assert_eq!(settled(&plan(&desired, Some(made(Some("g"), &desired)))), Some(&Delivery::Done));
}

#[test]
fn what_others_add_to_the_metadata_stays() {
    let desired = content(&[("a", "1")]);
    let there = Observed {
        labels: super::Marks::new([("ours", "yes"), ("theirs", "too")], ["ours".to_owned()]),
        annotations: super::Marks::new([("hash", "1"), ("note", "x")], ["hash".to_owned()]),
        ..made(Some("g"), &desired)
    };
    assert_eq!(settled(&plan(&desired, Some(there))), Some(&Delivery::Done));
}

#[rstest]
#[case::data(|observed: &mut Observed| observed.data = other_data())]
#[case::label(|observed: &mut Observed| observed.labels = marks(&texts(&[("ours", "no")])))]
#[case::annotation(|observed: &mut Observed| observed.annotations = marks(&texts(&[])))]
#[case::binary_data(|observed: &mut Observed| observed.has_binary_data = true)]
#[case::written_by_a_version_that_did_not_name_it(|observed: &mut Observed| observed.naming = Naming::Nothing)]
fn drift_is_put_right_in_place(#[case] drift: fn(&mut Observed)) {
    let desired = content(&[("a", "1")]);
    let mut there = made(Some("g"), &desired);
    drift(&mut there);
    let planned = plan(&desired, Some(there.clone()));
    let edit = edit(&planned);
    assert_eq!((&*edit.uid, edit.version, edit.drop_binary_data), ("uid-object", 7, there.has_binary_data));
}

#[test]
fn keys_that_should_not_be_there_go() {
    let there = made(Some("g"), &content(&[("a", "1"), ("b", "2"), ("c", "3")]));
    assert_eq!(edit(&plan(&content(&[("b", "2")]), Some(there))).drop_keys, ["a", "c"]);
}

#[test]
fn labels_and_annotations_that_the_operator_no_longer_wants_go() {
    let desired = content(&[("a", "1")]);
    let there = Observed {
        labels: super::Marks::new([("ours", "yes"), ("old", "x"), ("theirs", "x")], ["ours", "old"].map(str::to_owned)),
        annotations: super::Marks::new([("hash", "1"), ("former", "x")], ["hash", "former"].map(str::to_owned)),
        ..made(Some("g"), &desired)
    };
    let planned = plan(&desired, Some(there));
    let edit = edit(&planned);
    assert_eq!(
        (edit.drop_labels.as_slice(), edit.drop_annotations.as_slice()),
        (&["old".to_owned()][..], &["former".to_owned()][..])
    );
}

#[rstest]
#[case::immutable(|observed: &mut Observed| observed.is_fixed = true)]
#[case::of_another_type(|observed: &mut Observed| observed.secret_type = Some("kubernetes.io/tls".into()))]
fn what_cannot_be_changed_is_made_anew(#[case] change: fn(&mut Observed)) {
    let desired = content(&[("a", "1")]);
    let mut there = made(Some("g"), &desired);
    change(&mut there);
    assert!(!there.is_as(&desired));
    assert!(matches!(plan(&desired, Some(there)).changes.as_slice(), [(_, ObjectWrite::Recreate(_), _)]));
}

#[rstest]
#[case::of_another_organization(|observed: &mut Observed| observed.organization = Some("globex".into()))]
#[case::label_removed(|observed: &mut Observed| observed.organization = None)]
#[case::owner_removed(|observed: &mut Observed| observed.controller = None)]
#[case::of_an_organization_of_that_name_that_is_gone(|observed: &mut Observed| observed.controller = Some("uid-old".into()))]
#[case::a_copy(|observed: &mut Observed| observed.naming = Naming::Another)]
#[case::a_copy_that_cannot_be_changed(|observed: &mut Observed| (observed.naming, observed.is_fixed) = (Naming::Another, true))]
fn what_is_not_its_own_is_a_conflict_and_stays(#[case] change: fn(&mut Observed)) {
    let desired = content(&[("a", "1")]);
    let mut there = made(Some("g"), &content(&[("a", "other")]));
    change(&mut there);
    assert_eq!(settled(&plan(&desired, Some(there.clone()))), Some(&Delivery::Conflict));
    let gone = withdrawals(&all([]), &owner(), &scene([(key("one", "config"), there)]), &BTreeMap::new());
    assert_eq!(gone, []);
}

#[test]
fn a_known_foreign_object_is_not_written_to() {
    let desired = all([(key("one", "config"), wanted(Some(grant("g")), content(&[])))]);
    let scene = Scene { foreign: [key("one", "config")].into(), ..Scene::default() };
    assert_eq!(settled(&writes(&desired, &owner(), &scene)), Some(&Delivery::Conflict));
}

#[test]
fn what_is_being_deleted_is_waited_for() {
    let desired = content(&[("a", "1")]);
    let there = Observed { is_terminating: true, ..made(Some("g"), &desired) };
    let planned = plan(&desired, Some(there.clone()));
    assert!(matches!(settled(&planned), Some(Delivery::Failed(_))));
    assert_eq!(withdrawals(&all([]), &owner(), &scene([(key("one", "config"), there)]), &BTreeMap::new()), []);
}

#[test]
fn what_is_being_deleted_is_told_with_what_holds_it() {
    let held = Observed { is_terminating: true, finalizer: Some("a.b/c".into()), ..made(Some("g"), &content(&[])) };
    let scene = scene([(key("one", "config"), held.clone()), (key("elsewhere", "config"), held)]);
    let message = "ConfigMap one/config: it is being deleted, and the finalizer a.b/c, which is not the operator's, holds it: remove that";
    let expected = [Stuck::new(Some(made_for("g")), message.to_owned())];
    assert_eq!(pending(&all([]), &owner(), &scene, &BTreeMap::new()), expected);
}

#[rstest]
#[case::kept_at_its_end(|observed: &mut Observed| (observed.fate, observed.is_terminating) = (Fate::Retained, true))]
#[case::a_copy_that_somebody_made(|observed: &mut Observed| (observed.naming, observed.authorship) = (Naming::Another, Authorship::Unknown))]
#[case::of_another_organization(|observed: &mut Observed| (observed.organization, observed.is_terminating) = (None, true))]
fn nothing_is_told_of_what_is_others_business(#[case] change: fn(&mut Observed)) {
    let mut there = made(Some("g"), &content(&[]));
    change(&mut there);
    let scene = scene([(key("one", "config"), there)]);
    assert_eq!(pending(&all([]), &owner(), &scene, &BTreeMap::new()), []);
    assert_eq!(withdrawals(&all([]), &owner(), &scene, &BTreeMap::new()), []);
}

#[test]
fn what_the_operator_made_and_is_disguised_as_a_copy_is_told() {
    let there = Observed { naming: Naming::Another, ..made(Some("g"), &content(&[])) };
    let scene = scene([(key("one", "config"), there)]);
    let told = pending(&all([]), &owner(), &scene, &BTreeMap::new());
    assert_eq!((told.len(), told[0].problem.reason.as_str()), (1, "NotWithdrawn"));
    assert_eq!(withdrawals(&all([]), &owner(), &scene, &BTreeMap::new()), []);
}

#[test]
fn what_others_fight_for_is_neither_written_nor_withdrawn() {
    let contested = |object: Option<Observed>| Scene {
        contested: [key("one", "config")].into(),
        ..scene(object.map(|observed| (key("one", "config"), observed)))
    };
    let there = made(Some("g"), &content(&[("a", "drifted")]));
    let asked = all([(key("one", "config"), wanted(Some(grant("g")), content(&[])))]);
    for scene in [contested(None), contested(Some(there.clone()))] {
        assert_eq!(settled(&writes(&asked, &owner(), &scene)), Some(&Delivery::Contested));
    }
    let scene = contested(Some(there));
    assert_eq!(withdrawals(&all([]), &owner(), &scene, &BTreeMap::new()), []);
    let expected = [Stuck::contested(Some(made_for("g")), &key("one", "config"))];
    assert_eq!(pending(&all([]), &owner(), &scene, &BTreeMap::new()), expected);
}

#[rstest]
#[case::where_it_never_had_anything("elsewhere")]
#[case::in_the_clusters_own("kube-system")]
#[case::in_the_operators("operator")]
#[case::among_grants("entitlements")]
fn nothing_is_withdrawn_however_it_is_marked(#[case] namespace: &str) {
    let scene = scene([(key(namespace, "config"), made(Some("g"), &content(&[])))]);
    assert_eq!(withdrawals(&all([]), &owner(), &scene, &BTreeMap::new()), []);
}

#[rstest]
#[case::that_the_operator_wrote(Authorship::Part, true)]
#[case::that_nobody_knows(Authorship::Unknown, false)]
fn what_a_former_version_made_goes_if_the_operator_wrote_it(#[case] authorship: Authorship, #[case] goes: bool) {
    let there = Observed { naming: Naming::Nothing, authorship, ..made(Some("g"), &content(&[])) };
    let scene = scene([(key("one", "config"), there)]);
    assert_eq!(withdrawals(&all([]), &owner(), &scene, &BTreeMap::new()).len(), usize::from(goes));
}

#[rstest]
#[case::just_fits(MAX_DATA_BYTES, None)]
#[case::one_byte_too_many(MAX_DATA_BYTES + 1, Some(Delivery::TooLarge(MAX_DATA_BYTES + 1)))]
fn what_is_too_large_is_never_sent(#[case] bytes: usize, #[case] expected: Option<Delivery>) {
    let text = "x".repeat(bytes - 1);
    let of_config_map = content(&[("a", &text), ("b", "y")]);
    let of_secret = ObjectContent { data: secret(&[("a", text.as_bytes()), ("b", b"y")]), ..content(&[]) };
    for desired in [of_config_map, of_secret] {
        let planned = plan(&desired, None);
        assert_eq!(planned.settled.get(&key("one", "config")), expected.as_ref());
        assert_eq!(planned.changes.len(), usize::from(expected.is_none()));
    }
}

#[test]
fn secret_values_are_compared_too() {
    let of = |value: &[u8]| ObjectContent { data: secret(&[("password", value)]), ..content(&[]) };
    assert_eq!(settled(&plan(&of(b"\x00\xff"), Some(made(Some("g"), &of(b"\x00\xff"))))), Some(&Delivery::Done));
    assert_eq!(plan(&of(b"\x00\xfe"), Some(made(Some("g"), &of(b"\x00\xff")))).changes.len(), 1);
}

#[test]
fn a_kept_object_is_neither_written_nor_deleted() {
    let desired = all([(key("one", "config"), kept("g"))]);
    let scene = scene([(key("one", "config"), made(Some("g"), &content(&[("a", "old")])))]);
    let planned = writes(&desired, &owner(), &scene);
    assert_eq!(settled(&planned), Some(&Delivery::Kept));
    assert_eq!(withdrawals(&desired, &owner(), &scene, &planned.settled), []);
}

#[test]
fn writes_come_in_the_order_of_the_objects_one_for_each() {
    let keys = [key("two", "a"), key("one", "b"), key("one", "a")];
    let of_secret = ObjectKey { kind: OutputKind::Secret, ..key("one", "a") };
    let desired = |key: &ObjectKey| {
        (
            key.clone(),
            wanted(Some(grant("g")), ObjectContent { data: ObjectData::ConfigMap([].into()), ..content(&[]) }),
        )
    };
    let desired = all(keys.iter().chain([&of_secret]).map(desired));
    let planned = writes(&desired, &owner(), &Scene::default());
    let order: Vec<_> = planned.changes.iter().map(|(key, ..)| key.to_string()).collect();
    assert_eq!(order, ["ConfigMap one/a", "ConfigMap one/b", "ConfigMap two/a", "Secret one/a"]);
}

#[test]
fn what_nobody_asks_for_goes_also_where_the_organization_is_no_longer() {
    let old = || made(Some("over"), &content(&[("a", "1")]));
    let scene = scene([
        (key("one", "config"), old()),
        (key("left", "config"), old()),
        (key("one", "entitlements"), made(None, &content(&[]))),
    ]);
    let gone: Vec<_> = withdrawals(&all([]), &owner(), &scene, &BTreeMap::new())
        .into_iter()
        .map(|withdrawal| withdrawal.key().clone())
        .collect();
    assert_eq!(gone, [key("left", "config"), key("one", "config"), key("one", "entitlements")]);
}

#[test]
fn objects_of_a_kept_grant_stay_where_the_organization_is() {
    let old = || made(Some("g"), &content(&[("a", "1")]));
    let scene = scene([(key("one", "config"), old()), (key("left", "config"), old())]);
    let mut desired = all([]);
    desired.kept = [grant("g")].into();
    let gone: Vec<_> = withdrawals(&desired, &owner(), &scene, &BTreeMap::new())
        .into_iter()
        .map(|withdrawal| withdrawal.key().clone())
        .collect();
    assert_eq!(gone, [key("left", "config")]);
}

#[rstest]
#[case::delivered(Some(Delivery::Done), true)]
#[case::in_conflict(Some(Delivery::Conflict), false)]
#[case::too_large(Some(Delivery::TooLarge(2_000_000)), false)]
#[case::unknown(None, false)]
fn the_former_name_goes_only_when_the_new_one_is_there(#[case] delivery: Option<Delivery>, #[case] goes: bool) {
    let desired = all([(key("one", "new"), wanted(Some(grant("g")), content(&[])))]);
    let scene = scene([(key("one", "old"), made(Some("g"), &content(&[])))]);
    let deliveries = delivery.map(|delivery| (key("one", "new"), delivery)).into_iter().collect();
    assert_eq!(!withdrawals(&desired, &owner(), &scene, &deliveries).is_empty(), goes);
}

#[test]
fn what_was_delivered_for_an_unreadable_grant_stays_and_the_summary_too() {
    let desired = all([(key("one", "entitlements"), wanted(None, content(&[("a", "new")])))]);
    let scene = Scene {
        unreadable: Arc::new([grant("g").source].into()),
        ..scene([
            (key("one", "config"), made(Some("g"), &content(&[]))),
            (key("one", "entitlements"), made(None, &content(&[("a", "old")]))),
        ])
    };
    let planned = writes(&desired, &owner(), &scene);
    assert!(planned.changes.is_empty());
    assert_eq!(planned.settled, [(key("one", "entitlements"), Delivery::Kept)].into());
    assert_eq!(withdrawals(&desired, &owner(), &scene, &planned.settled), []);
}

#[test]
fn an_object_passes_from_one_grant_to_the_next_in_place() {
    let next = ObjectContent { annotations: texts(&[("hash", "2")]), ..content(&[("a", "1")]) };
    let desired = all([(key("one", "config"), wanted(Some(grant("renewal")), next))]);
    let scene = scene([(key("one", "config"), made(Some("former"), &content(&[("a", "1")])))]);
    let planned = writes(&desired, &owner(), &scene);
    edit(&planned);
    let deliveries = [(key("one", "config"), Delivery::Done)].into();
    assert_eq!(withdrawals(&desired, &owner(), &scene, &deliveries), []);
    assert!(Arc::strong_count(&planned.changes[0].2) > 1);
}

/// A grant that can't say now what its objects are called keeps those that it has.
#[test]
fn what_stays_for_one_grant_is_not_given_to_another() {
    let desired = content(&[("a", "1")]);
    let key = key("one", "config");
    let mut desired = all([(key.clone(), wanted(Some(grant("young")), desired.clone()))]);
    let there = || scene([(key.clone(), made(Some("old"), &content(&[("a", "0")])))]);
    assert_eq!(writes(&desired, &owner(), &there()).changes.len(), 1);
    desired.kept.insert(grant("old"));
    let planned = writes(&desired, &owner(), &there());
    assert!(planned.changes.is_empty());
    assert_eq!(planned.settled[&key], Delivery::Kept);
}

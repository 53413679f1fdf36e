//! What becomes of objects that outlive their grants.

use super::{all, content, grant, kept, key, made, made_for, marks, owner, owner_with_uid, scene, texts, wanted};
use crate::{
    api::entitlement_definition::OnEnd,
    evaluation::{
        delivery::Desired,
        object::{Attribution, DesiredObject, IN_FORCE, ON_END, OVER, ObjectKey, RETAIN},
        plan::{Delivery, Fate, Marks, Naming, ObjectWrite, Observed, Scene, Withdrawal, withdrawals, writes},
    },
};
use rstest::rstest;
use std::{collections::BTreeMap, sync::Arc};

/// As it was made for a grant that is in force, by an output that is to outlive it.
fn lasting() -> Observed {
    Observed { fate: Fate::Retain, ..made(Some("g"), &content(&[("a", "1")])) }
}

/// The same after the grant's end.
fn over() -> Observed {
    let labels = texts(&[("ours", "yes"), (IN_FORCE, OVER)]);
    Observed { fate: Fate::Retained, labels: marks(&labels), ..lasting() }
}

fn at(namespace: &str, observed: Observed) -> Scene {
    scene([(key(namespace, "config"), observed)])
}

type Plain = (ObjectKey, Option<Attribution>, OnEnd);

fn plain(withdrawals: Vec<Withdrawal>) -> Vec<Plain> {
    let plain = |one: Withdrawal| (one.key().clone(), one.made_for().cloned(), one.on_end());
    withdrawals.into_iter().map(plain).collect()
}

fn withdrawn(desired: &Desired, scene: &Scene) -> Vec<Plain> {
    plain(withdrawals(desired, &owner(), scene, &BTreeMap::new()))
}

fn retained(namespace: &str) -> Vec<Plain> {
    vec![(key(namespace, "config"), Some(made_for("g")), OnEnd::Retain)]
}

/// `one/config` of a grant in force.
fn asked(name: &str) -> [(ObjectKey, DesiredObject); 1] {
    [(key("one", "config"), wanted(Some(grant(name)), content(&[("a", "1")])))]
}

#[rstest]
#[case::in_a_namespace_of_the_organization("one")]
#[case::in_one_that_is_its_no_longer("left")]
fn what_is_to_last_is_kept_when_nothing_asks_for_it(#[case] namespace: &str) {
    assert_eq!(withdrawn(&all([]), &at(namespace, lasting())), retained(namespace));
}

#[rstest]
#[case::in_a_namespace_of_the_organization("one")]
#[case::in_one_that_is_its_no_longer("left")]
fn what_is_kept_is_left_alone(#[case] namespace: &str) {
    assert_eq!(withdrawn(&all([]), &at(namespace, over())), []);
}

#[test]
fn a_label_that_was_taken_off_is_put_on_again() {
    let unlabelled = Observed { fate: Fate::Retain, ..over() };
    assert_eq!(withdrawn(&all([]), &at("one", unlabelled)), retained("one"));
}

#[rstest]
#[case::nothing_is_said(&[], &[], Fate::Delete)]
#[case::it_is_to_last(&[], &[(ON_END, RETAIN)], Fate::Retain)]
#[case::it_was_kept(&[(IN_FORCE, OVER)], &[(ON_END, RETAIN)], Fate::Retained)]
#[case::the_label_is_reason_enough(&[(IN_FORCE, OVER)], &[], Fate::Retained)]
#[case::other_values_say_nothing(&[(IN_FORCE, "true")], &[(ON_END, "Delete")], Fate::Delete)]
fn its_fate_stands_on_it(
    #[case] labels: &[(&str, &str)],
    #[case] annotations: &[(&str, &str)],
    #[case] expected: Fate,
) {
    assert_eq!(Fate::of(Some(&texts(labels)), Some(&texts(annotations)), |_| true), expected);
}

#[rstest]
#[case::to_last(&[], &[(ON_END, RETAIN)], ON_END)]
#[case::over(&[(IN_FORCE, OVER)], &[], IN_FORCE)]
fn a_mark_that_somebody_else_has_set_keeps_nothing(
    #[case] labels: &[(&str, &str)],
    #[case] annotations: &[(&str, &str)],
    #[case] forged: &str,
) {
    assert_eq!(Fate::of(Some(&texts(labels)), Some(&texts(annotations)), |key| key != forged), Fate::Delete);
}

#[rstest]
#[case::over_by_hand(&[(IN_FORCE, OVER)], &[(ON_END, RETAIN)], IN_FORCE, Fate::Retained)]
#[case::to_last_by_hand(&[(IN_FORCE, OVER)], &[(ON_END, RETAIN)], ON_END, Fate::Retained)]
fn one_mark_that_is_believed_suffices(
    #[case] labels: &[(&str, &str)],
    #[case] annotations: &[(&str, &str)],
    #[case] forged: &str,
    #[case] expected: Fate,
) {
    assert_eq!(Fate::of(Some(&texts(labels)), Some(&texts(annotations)), |key| key != forged), expected);
}

#[test]
fn what_may_still_be_in_force_is_not_labelled() {
    let mut of_kept_grant = all([]);
    of_kept_grant.kept = [grant("g")].into();
    assert_eq!(withdrawn(&of_kept_grant, &at("one", lasting())), []);
    let unreadable = Scene { unreadable: Arc::new([grant("g").source].into()), ..at("one", lasting()) };
    assert_eq!(withdrawn(&all([]), &unreadable), []);
    assert_eq!(withdrawn(&all([(key("one", "config"), kept("g"))]), &at("one", lasting())), []);
}

#[test]
fn the_former_name_is_kept_once_the_new_one_is_there() {
    let renamed = all([(key("one", "new"), wanted(Some(grant("g")), content(&[])))]);
    let scene = at("one", lasting());
    assert_eq!(withdrawals(&renamed, &owner(), &scene, &BTreeMap::new()), []);
    let delivered = [(key("one", "new"), Delivery::Done)].into();
    assert_eq!(plain(withdrawals(&renamed, &owner(), &scene, &delivered)), retained("one"));
}

#[rstest]
#[case::that_comes_back("g")]
#[case::that_is_another("next")]
fn it_yields_in_place_to_a_grant_in_force(#[case] name: &str) {
    let desired = all(asked(name));
    let planned = writes(&desired, &owner(), &at("one", over()));
    match planned.changes.as_slice() {
        [(_, ObjectWrite::Update(edit), _)] => {
            assert_eq!((&*edit.uid, edit.takes_over), ("uid-object", false));
            assert_eq!(edit.drop_labels, [IN_FORCE]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(withdrawn(&desired, &at("one", over())), []);
}

#[test]
fn a_label_that_somebody_else_put_on_is_taken_off_what_is_in_force() {
    let labels = [("ours", "yes"), (IN_FORCE, OVER)];
    let observed = Observed { labels: Marks::new(labels, ["ours".to_owned()]), fate: Fate::Retained, ..lasting() };
    let planned = writes(&all(asked("g")), &owner(), &at("one", observed));
    assert!(
        matches!(planned.changes.as_slice(), [(_, ObjectWrite::Update(edit), _)] if edit.drop_labels == [IN_FORCE])
    );
}

fn of_another(observed: Observed) -> Observed {
    Observed { organization: Some("globex".into()), controller: Some("uid-globex".into()), ..observed }
}

#[test]
fn what_another_organization_left_yields_and_changes_its_owner() {
    let planned = writes(&all(asked("g")), &owner(), &at("one", of_another(over())));
    assert!(matches!(planned.changes.as_slice(), [(_, ObjectWrite::Update(edit), _)] if edit.takes_over));
}

#[test]
fn what_the_organization_left_before_it_was_made_anew_yields_and_changes_its_owner() {
    let planned = writes(&all(asked("g")), &owner_with_uid("uid-anew"), &at("one", over()));
    assert!(matches!(planned.changes.as_slice(), [(_, ObjectWrite::Update(edit), _)] if edit.takes_over));
}

#[rstest]
#[case::in_force_for_another_organization(of_another(lasting()))]
#[case::without_its_owner(Observed { controller: None, ..over() })]
#[case::without_the_organizations_label(Observed { organization: None, ..over() })]
#[case::that_is_a_copy(Observed { naming: Naming::Another, ..over() })]
#[case::that_is_another_organizations_copy(Observed { naming: Naming::Another, ..of_another(over()) })]
fn nothing_else_yields(#[case] observed: Observed) {
    let planned = writes(&all(asked("g")), &owner(), &at("one", observed.clone()));
    assert!(planned.changes.is_empty());
    assert_eq!(planned.settled, [(key("one", "config"), Delivery::Conflict)].into());
    assert_eq!(withdrawn(&all([]), &at("one", observed)), []);
}

#[test]
fn what_another_organization_left_is_not_withdrawn_by_this_one() {
    assert_eq!(withdrawn(&all([]), &at("one", of_another(over()))), []);
}

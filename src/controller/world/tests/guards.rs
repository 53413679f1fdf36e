//! What protects approvals, as the watches tell of it.

use super::{World, empty, read};
use crate::{
    controller::{clock, world::kinds::WatchedKind},
    core::{
        approval::{ApprovalGuard, ApprovalPolicy, PolicyPart, Protection},
        calendar::Instant,
    },
    evaluation::Limits,
};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy as Policy, ValidatingAdmissionPolicyBinding as Binding,
};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const MADE: &str = "2026-01-31T09:00:00Z";

fn stored(guard: ApprovalGuard, version: u64, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = guard.object();
    let name = object["metadata"]["name"].clone();
    object["metadata"] = json!({
        "name": name, "uid": guard.to_string(), "resourceVersion": version.to_string(), "creationTimestamp": MADE,
        "managedFields": [{"manager": "kubectl", "time": MADE}],
    });
    change(&mut object);
    object
}

fn own(part: PolicyPart) -> impl Iterator<Item = ApprovalGuard> {
    ApprovalGuard::all().filter(move |guard| guard.part == part)
}

fn list<K: WatchedKind<Object: DeserializeOwned>>(world: &mut World, objects: impl IntoIterator<Item = Value>) {
    world.observe::<K>(Event::Init);
    for object in objects {
        world.observe::<K>(Event::InitApply(read(object)));
    }
    world.observe::<K>(Event::InitDone);
}

fn apply(world: &mut World, part: PolicyPart, object: Value) {
    match part {
        PolicyPart::Policy => world.observe::<Policy>(Event::Apply(read(object))),
        PolicyPart::Binding => world.observe::<Binding>(Event::Apply(read(object))),
    }
}

fn listed(part: PolicyPart) -> Vec<Value> {
    own(part).map(|guard| stored(guard, 7, |_| {})).collect()
}

fn all_listed() -> World {
    let mut world = empty();
    list::<Policy>(&mut world, listed(PolicyPart::Policy));
    list::<Binding>(&mut world, listed(PolicyPart::Binding));
    assert_eq!(*world.protection(), since());
    world
}

fn since() -> Protection {
    Protection::Since(MADE.parse().unwrap())
}

#[track_caller]
fn lacking(world: &World, part: &str) {
    let Protection::Lacking(why) = world.protection() else { panic!("{:?}", world.protection()) };
    assert!(why.contains(part), "{why}");
}

#[track_caller]
fn not_before(world: &World, moment: Instant) {
    let Protection::Since(since) = *world.protection() else { panic!("{:?}", world.protection()) };
    assert!(since >= moment, "{since}");
}

#[test]
fn nothing_is_protected_before_both_kinds_are_listed() {
    let mut world = World::new("operator", Limits::DEFAULT);
    assert_eq!(*world.protection(), Protection::unseen());
    list::<Binding>(&mut world, listed(PolicyPart::Binding));
    assert_eq!(*world.protection(), Protection::unseen());
    world.observe::<Policy>(Event::Init);
    for object in listed(PolicyPart::Policy) {
        world.observe::<Policy>(Event::InitApply(read(object)));
    }
    assert_eq!(*world.protection(), Protection::unseen());
    world.observe::<Policy>(Event::InitDone);
    assert_eq!(*world.protection(), since());
}

#[test]
fn who_has_none_is_told_which_are_missing() {
    let world = empty();
    for guard in ApprovalGuard::all() {
        lacking(&world, &format!("the {guard} is missing"));
    }
}

#[test]
fn each_event_counts() {
    let mut world = all_listed();
    let guard = ApprovalGuard { part: PolicyPart::Policy, policy: ApprovalPolicy::Requests };
    let weakened = stored(guard, 8, |object| object["spec"]["failurePolicy"] = json!("Ignore"));
    world.observe::<Policy>(Event::Apply(read(weakened)));
    lacking(&world, &format!("the {guard} is not that of this operator"));
    let mended =
        stored(guard, 9, |object| object["metadata"]["managedFields"][0]["time"] = json!("2999-02-01T00:00:00Z"));
    world.observe::<Policy>(Event::Apply(read(mended)));
    assert_eq!(*world.protection(), Protection::Since("2999-02-01T00:00:00Z".parse().unwrap()));
    world.observe::<Policy>(Event::Apply(read(stored(guard, 8, |_| {}))));
    assert_eq!(*world.protection(), Protection::Since("2999-02-01T00:00:00Z".parse().unwrap()), "late news is none");
    let guard = ApprovalGuard { part: PolicyPart::Binding, policy: ApprovalPolicy::Records };
    world.observe::<Binding>(Event::Delete(read(stored(guard, 10, |_| {}))));
    lacking(&world, &format!("the {guard} is missing"));
    // Made anew, it is another.
    let again = stored(guard, 11, |object| object["metadata"]["uid"] = json!("another"));
    world.observe::<Binding>(Event::Apply(read(again)));
    assert!(matches!(*world.protection(), Protection::Since(_)));
}

#[test]
fn a_list_takes_away_what_it_does_not_name() {
    let mut world = all_listed();
    let others = own(PolicyPart::Binding).filter(|guard| guard.policy != ApprovalPolicy::Decisions);
    list::<Binding>(&mut world, others.map(|guard| stored(guard, 7, |_| {})));
    lacking(&world, "the ValidatingAdmissionPolicyBinding override-decisions.entitlements.dev is missing");
}

#[test]
fn a_field_that_this_version_does_not_know_is_seen() {
    let mut world = all_listed();
    let guard = ApprovalGuard { part: PolicyPart::Binding, policy: ApprovalPolicy::Decisions };
    let later = stored(guard, 8, |object| object["spec"]["ofALaterVersion"] = json!({"deep": [1]}));
    world.observe::<Binding>(Event::Apply(read(later)));
    lacking(&world, &format!("the {guard} is not that of this operator"));
}

#[test]
fn those_of_others_are_not_kept() {
    let mut world = all_listed();
    let other = json!({
        "metadata": {"name": "another.example.com", "uid": "1", "resourceVersion": "8", "creationTimestamp": "2028-01-01T00:00:00Z"},
        "spec": 3,
    });
    world.observe::<Policy>(Event::Apply(read(other.clone())));
    assert_eq!(*world.protection(), since());
    world.observe::<Policy>(Event::Delete(read(other)));
    assert_eq!(*world.protection(), since());
}

#[test]
fn who_may_not_see_them_takes_nothing_for_protected() {
    let mut world = all_listed();
    assert!(!world.do_without::<Policy>(false), "the API server may only be busy");
    assert_eq!(*world.protection(), since());
    assert!(world.do_without::<Policy>(true));
    assert_eq!(*world.protection(), Protection::unseen());
    assert!(!world.do_without::<Policy>(true), "that is known already");
    list::<Policy>(&mut world, listed(PolicyPart::Policy));
    assert_eq!(*world.protection(), since());
}

#[test]
fn times_that_somebody_writes_back_are_known() {
    let begun = clock::now();
    let mut world = all_listed();
    let guard = ApprovalGuard { part: PolicyPart::Policy, policy: ApprovalPolicy::Decisions };
    let changed = |version, time: &str, change: fn(&mut Value)| {
        read(stored(guard, version, |object| {
            object["metadata"]["managedFields"][0]["time"] = json!(time);
            change(object);
        }))
    };
    let weakened = changed(8, "2026-02-01T00:00:00Z", |object| object["spec"]["failurePolicy"] = json!("Ignore"));
    world.observe::<Policy>(Event::Apply(weakened));
    lacking(&world, &format!("the {guard} is not that of this operator"));
    world.observe::<Policy>(Event::Apply(changed(9, MADE, |_| {})));
    not_before(&world, begun);
    // A list tells the same.
    list::<Policy>(&mut world, own(PolicyPart::Policy).map(|guard| stored(guard, 10, |_| {})));
    not_before(&world, begun);
    // What has yet to come is nothing that was seen.
    world.observe::<Policy>(Event::Apply(changed(11, "9000-01-01T00:00:00Z", |_| {})));
    assert_eq!(*world.protection(), Protection::Since("9000-01-01T00:00:00Z".parse().unwrap()));
    world.observe::<Policy>(Event::Apply(changed(12, MADE, |_| {})));
    assert!(world.protection().covers("9000-01-01T00:00:00Z".parse().unwrap()));
}

/// Whoever takes a field out of an object takes nothing under his control, so that the API server notes no time of it.
#[test]
fn a_change_that_leaves_no_time_is_known() {
    for guard in ApprovalGuard::all() {
        let begun = clock::now();
        let mut world = all_listed();
        apply(&mut world, guard.part, stored(guard, 8, |object| object["spec"]["added"] = json!([{"name": "never"}])));
        lacking(&world, &format!("the {guard} is not that of this operator"));
        apply(&mut world, guard.part, stored(guard, 9, |_| {}));
        not_before(&world, begun);
    }
}

#[test]
fn a_change_between_two_lists_that_leaves_no_time_is_known() {
    let begun = clock::now();
    let mut world = all_listed();
    list::<Policy>(&mut world, listed(PolicyPart::Policy));
    assert_eq!(*world.protection(), since(), "nothing was written");
    list::<Policy>(&mut world, own(PolicyPart::Policy).map(|guard| stored(guard, 9, |_| {})));
    not_before(&world, begun);
}

//! Reports of usage: which are kept as a whole, what work comes of them, and what is reported of an organization.

use super::{WorkItem, World, empty, metadata, organization, read, two_organizations};
use crate::{
    api::{EntitlementUsage, Organization},
    controller::{
        guarded::Guarded,
        world::{ReportWork, WholeReport},
    },
    core::{calendar::parse_instant, usage::report::ReportId},
};
use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn report(namespace: &str, name: &str, organization: &str, version: u64, keys: &[&str]) -> Guarded<EntitlementUsage> {
    let registers: Value =
        keys.iter().map(|key| json!({"key": key, "at": "2027-01-01T00:00:00Z", "amount": 1})).collect();
    read(json!({"metadata": metadata(Some(namespace), name, version), "spec": {
        "organization": organization, "definition": "support", "registers": registers,
    }}))
}

fn reportable(name: &str, namespaces: &[&str], from: &[&str], version: u64) -> Guarded<Organization> {
    let Guarded(Ok(mut organization)) = organization(name, namespaces, version) else { panic!() };
    organization.spec.reportable_from = from.iter().map(|name| (*name).to_owned()).collect();
    Guarded(Ok(organization))
}

/// The keys that are reported of an organization.
fn keys(world: &World, organization: &str) -> Vec<String> {
    let reports = world.reports_of(organization).into_values().flatten();
    reports.flat_map(|report| report.registers.iter().map(|one| one.key.to_string()).collect::<Vec<_>>()).collect()
}

fn item(namespace: &str, name: &str) -> WorkItem {
    WorkItem::UsageReport(ReportId::new(namespace, name))
}

fn acme() -> WorkItem {
    WorkItem::Organization("acme".into())
}

#[test]
fn what_is_reported_makes_work_of_its_organization() {
    let mut world = two_organizations();
    world.observe_usage(Event::Apply(report("entitlements", "march", "acme", 1, &["a", "b"])));
    assert_eq!(world.take_work(), BTreeSet::from([acme(), item("entitlements", "march")]));
    assert_eq!((keys(&world, "acme"), keys(&world, "globex")), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    // What says the same is no work of the organization.
    world.observe_usage(Event::Apply(report("entitlements", "march", "acme", 2, &["a", "b"])));
    assert_eq!(world.take_work(), BTreeSet::from([item("entitlements", "march")]));
    world.observe_usage(Event::Apply(report("entitlements", "march", "acme", 3, &["a"])));
    assert_eq!(world.take_work(), BTreeSet::from([acme(), item("entitlements", "march")]));
    world.observe_usage(Event::Delete(report("entitlements", "march", "acme", 4, &["a"])));
    assert_eq!((world.take_work(), keys(&world, "acme")), (BTreeSet::from([acme()]), vec![]));
}

#[test]
fn what_is_seen_again_was_seen_when_it_said_so_first() {
    let mut world = two_organizations();
    let at = |second: &str| parse_instant(&format!("2027-01-01T00:00:{second}Z")).unwrap();
    let mut seen = |version, keys: &[&str], second| {
        let Guarded(Ok(report)) = report("entitlements", "march", "acme", version, keys) else { panic!() };
        world.put_report(WholeReport::read(&report, at(second)));
        world.reports_of("acme")["support"][0].seen
    };
    assert_eq!(seen(1, &["a"], "10"), at("10"));
    assert_eq!(seen(2, &["a"], "20"), at("10"));
    assert_eq!(seen(3, &["b"], "30"), at("30"));
}

#[rstest]
#[case::of_another("shop", "acme")]
#[case::of_nobody("entitlements", "nobody")]
fn what_may_not_be_reported_is_kept_as_there(#[case] namespace: &str, #[case] organization: &str) {
    let mut world = two_organizations();
    let id = ReportId::new(namespace, "march");
    world.observe_usage(Event::Apply(report(namespace, "march", organization, 1, &["a"])));
    assert_eq!((world.take_work(), keys(&world, organization)), (BTreeSet::new(), vec![]));
    assert_eq!(world.take_barred_reports(), (BTreeSet::from([id.clone()]), BTreeSet::new()));
    assert!(world.is_barred_report(&id));
    assert!(matches!(world.report_work(&id), ReportWork::Nothing));
    // Somebody else's write of its status hurries nothing.
    let Guarded(Ok(mut same)) = report(namespace, "march", organization, 2, &["a"]) else { panic!() };
    same.metadata.generation = Some(1);
    world.observe_usage(Event::Apply(Guarded(Ok(same))));
    assert_eq!(world.take_barred_reports(), (BTreeSet::new(), BTreeSet::from([id])));
}

#[test]
fn what_may_be_reported_now_is_read_again_and_what_may_not_any_more_is_forgotten() {
    let mut world = two_organizations();
    let (id, written) = (ReportId::new("desk", "march"), report("desk", "march", "acme", 1, &["a"]));
    world.observe_usage(Event::Apply(written.clone()));
    world.take_barred_reports();
    world.observe_organization(Event::Apply(reportable("acme", &["one"], &["desk"], 2)));
    assert!(world.take_work().contains(&item("desk", "march")));
    let ReportWork::Read(uid) = world.report_work(&id) else { panic!() };
    let Guarded(Ok(written)) = written else { panic!() };
    let found = WholeReport::read(&written, parse_instant("2027-01-01T00:00:00Z").unwrap());
    world.fetched_report(&id, &uid, Some(found));
    assert_eq!(
        (world.take_work(), keys(&world, "acme")),
        (BTreeSet::from([acme(), item("desk", "march")]), vec!["a".to_owned()])
    );
    world.observe_organization(Event::Apply(reportable("acme", &["one"], &[], 3)));
    assert_eq!(keys(&world, "acme"), Vec::<String>::new());
    assert!(world.take_work().contains(&acme()));
    assert_eq!(world.take_barred_reports().0, BTreeSet::from([id]));
}

#[test]
fn what_lies_in_a_tenants_namespace_does_not_count() {
    let mut world = two_organizations();
    world.observe_organization(Event::Apply(reportable("acme", &["one"], &["two", "one"], 2)));
    world.observe_usage(Event::Apply(report("two", "march", "acme", 1, &["a"])));
    world.observe_usage(Event::Apply(report("one", "march", "acme", 1, &["b"])));
    assert_eq!(keys(&world, "acme"), Vec::<String>::new());
    world.take_work();
    // Once globex does not list it any more, it is no tenant's.
    world.observe_organization(Event::Apply(organization("globex", &["three"], 2)));
    assert_eq!(keys(&world, "acme"), ["a"]);
    let work = world.take_work();
    assert!(work.contains(&acme()) && work.contains(&item("two", "march")), "{work:?}");
}

#[test]
fn all_is_work_once_everything_is_listed() {
    let mut world = empty();
    world.observe_organization(Event::Apply(organization("acme", &["one"], 1)));
    world.observe_usage(Event::Apply(report("entitlements", "march", "acme", 1, &["a"])));
    world.observe_usage(Event::Apply(report("shop", "april", "acme", 1, &["a"])));
    world.take_work();
    world.take_barred_reports();
    world.begin_anew(false);
    assert!(world.take_work().contains(&item("entitlements", "march")));
    assert_eq!(world.take_barred_reports().0, BTreeSet::from([ReportId::new("shop", "april")]));
}

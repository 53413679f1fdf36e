//! Manifests, as the subcommands read them that need no cluster, and what they come to.

use super::Target;
use entitlement_operator::{
    cli::manifests::{ReadOptions, read},
    core::calendar::parse_instant,
};
use std::path::PathBuf;

pub const TARGET: Target = Target {
    name: "manifests",
    run,
    tokens: &[
        "---\n",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "!!binary ",
        "!!str ",
        "| \n",
        ">-\n",
        "? ",
        "y",
        "no",
        "on",
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "spec",
        "status",
        "entitlements.dev/v1alpha1",
        "Organization",
        "EntitlementDefinition",
        "EntitlementInstance",
        "FacetDefinition",
        "Secret",
        "List",
        "items",
        "facets",
        "amendments",
        "2027-01-31",
        "9999-12-31",
        "0001-01-01",
        "P1Y",
        "P9999Y",
        "Unlimited",
        "999999999999999.999999999",
        "renews",
        "end",
        "start",
        "Active",
        "Draft",
        "Cancelled",
        "outputs",
        "template",
        "{{ facets.a.b }}",
        "per",
        "Definition",
        "entitlements.dev/granted-at",
    ],
};

fn run(input: &[u8]) -> String {
    let now = parse_instant("2026-07-01T00:00:00Z").unwrap();
    let options = ReadOptions {
        created: now.into(),
        namespace: "entitlements".into(),
        operator_namespace: "entitlement-operator".to_owned(),
    };
    let manifests = read(&[PathBuf::from("-")], &mut &*input, &options).unwrap();
    let survey = manifests.inventory.survey(now);
    let again = manifests.inventory.survey(now);
    assert_eq!(survey.statuses, again.statuses, "the same inputs give the same statuses");
    let reasons = survey.statuses.values().flat_map(|status| status.conditions().iter().map(|one| one.reason.as_str()));
    let mut shown: Vec<&str> = reasons.collect();
    shown.sort_unstable();
    shown.dedup();
    let findings = manifests.findings.iter().map(|finding| finding.message.as_str());
    shown.iter().copied().chain(findings).collect::<Vec<_>>().join(" ")
}

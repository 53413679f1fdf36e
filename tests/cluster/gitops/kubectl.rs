//! What a person sees with kubectl.

use super::{screen::assert_screen, situations};
use crate::harness::shared_kubectl;

fn assert_shown(name: &str, commands: &[&[&str]]) {
    situations::all();
    assert_screen(name, commands, shared_kubectl);
}

#[test]
fn lists_answer_at_a_glance() {
    assert_shown(
        "get.txt",
        &[
            &["get", "ent", "--namespace", "entitlements", "--field-selector", "spec.organization=wayne"],
            &[
                "get",
                "ent",
                "--namespace",
                "entitlements",
                "--field-selector",
                "spec.definition=wayne-single",
                "--output",
                "wide",
            ],
            &["get", "ent", "--all-namespaces", "--field-selector", "spec.organization=wayne,status.phase=Suspended"],
            &["get", "entitlements", "--all-namespaces", "--selector", "shown=all"],
            &["get", "entitlements", "--all-namespaces", "--selector", "shown=all", "--output", "wide"],
        ],
    );
}

#[test]
fn a_description_reads_well() {
    assert_shown("describe.ent.txt", &[&["describe", "ent", "wayne-active", "--namespace", "entitlements"]]);
    assert_shown("describe.ent.rejected.txt", &[&["describe", "ent", "wayne-second", "--namespace", "entitlements"]]);
    assert_shown(
        "describe.org.txt",
        &[&["describe", "org", "wayne-homeless"], &["describe", "org", "wayne-suspended"]],
    );
    assert_shown("describe.edef.txt", &[&["describe", "edef", "wayne-plan"], &["describe", "edef", "wayne-dangling"]]);
    assert_shown(
        "describe.facet.txt",
        &[&["describe", "facet", "wayne-sizes"], &["describe", "facet", "wayne-broken"]],
    );
}

#[test]
fn waiting_ends_when_the_operator_is_done() {
    assert_shown(
        "wait.txt",
        &[
            &["wait", "--for=condition=Ready", "facet/wayne-sizes", "edef/wayne-plan", "org/wayne", "--timeout=60s"],
            &["wait", "--for=condition=Ready", "ent/wayne-waiting", "--namespace", "entitlements", "--timeout=60s"],
            &["wait", "--for=condition=Entitled", "ent/wayne-active", "--namespace", "entitlements", "--timeout=60s"],
            &[
                "wait",
                "--for=condition=Ready=false",
                "ent/wayne-second",
                "--namespace",
                "entitlements",
                "--timeout=60s",
            ],
            &[
                "wait",
                "--for=jsonpath={.status.phase}=Waiting",
                "ent/wayne-waiting",
                "--namespace",
                "entitlements",
                "--timeout=60s",
            ],
        ],
    );
}

#[test]
fn the_manual_of_the_fields_is_there() {
    assert_shown("explain.txt", &[&["explain", "ent"], &["explain", "ent.spec.amendments"], &["explain", "org.spec"]]);
}

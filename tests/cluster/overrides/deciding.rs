//! Whose decision counts, and whose is refused at the door.

use super::desk::{APPROVERS, Desk, REQUESTERS, decision, desk, may, name_of};
use crate::harness::shared_plane;
use serde_json::{Value, json};

/// What people may do who have no role of the installation.
fn may_only(desk: &Desk<'_>, person: &str, resources: &[(&str, &str, &[&str])]) {
    let cluster = &desk.cluster;
    let (name, user) = (format!("{}-{person}", cluster.name), format!("{}-{person}", cluster.name));
    let rules: Vec<Value> = resources
        .iter()
        .map(|(verb, resource, names)| {
            json!({"apiGroups": ["entitlements.dev"], "resources": [resource], "verbs": [verb], "resourceNames": names})
        })
        .collect();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules,
    });
    let path = shared_plane().folder().join(format!("role-{name}.json"));
    std::fs::write(&path, role.to_string()).unwrap();
    desk.kubectl(&["create", "--filename", path.to_str().unwrap()]);
    let (role, subject) = (format!("--clusterrole={name}"), format!("--user={user}"));
    desk.kubectl(&["create", "clusterrolebinding", &name, &role, &subject]);
    for (verb, resource, names) in resources {
        let names =
            if names.is_empty() { vec![String::new()] } else { names.iter().map(|name| format!("/{name}")).collect() };
        for name in names {
            let what = format!("{resource}.entitlements.dev{name}");
            may(shared_plane(), &[&format!("--as={user}")], verb, &what);
        }
    }
}

#[tokio::test]
async fn nobody_approves_what_they_asked_for() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let alice = desk.person("alice", &[REQUESTERS, APPROVERS]).await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    // Her role lets her say so; it only does not count.
    let own = alice.approves(&asked).await;
    desk.has_seen(&own).await;
    let seen = desk.waits(&asked, "0/1").await;
    let said = desk.refuses(&asked, "ApprovalRequired").await;
    assert_eq!(
        said,
        "1 more approval is needed, of 1 in all, by people other than $-alice: entitlement-operator approve $-extra --namespace entitlements"
    );
    assert_eq!(seen["status"]["accepted"], Value::Null);
    desk.delivers_nothing().await;
    let bob = desk.approver("bob").await;
    let of_bob = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&of_bob]).await;
    desk.delivers(10).await;
}

/// Nor does who asked deny it: she cancels it.
#[tokio::test]
async fn nobody_denies_what_they_asked_for() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let alice = desk.person("alice", &[REQUESTERS, APPROVERS]).await;
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let own = alice.denies(&asked).await;
    desk.has_seen(&own).await;
    desk.waits(&asked, "0/1").await;
}

#[tokio::test]
async fn nobody_decides_in_anothers_name() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob, mallory) =
        (desk.requester("alice").await, desk.approver("bob").await, desk.approver("mallory").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    for ruling in ["Approve", "Deny"] {
        let refused = mallory.cluster.create(decision(&asked, &bob.user, ruling)).await.unwrap_err();
        let said = format!("spec.decidedBy has to be '{}', as you decide, and is '{}'", mallory.user, bob.user);
        assert!(refused.contains(&said), "{refused}");
    }
    // The administrator, who may do anything, neither.
    let refused = desk.cluster.create(decision(&asked, &bob.user, "Approve")).await.unwrap_err();
    assert!(refused.contains("spec.decidedBy has to be 'admin'"), "{refused}");
    desk.waits(&asked, "0/1").await;
    // What was decided is of whoever decided it for ever.
    let of_bob = bob.approves(&asked).await;
    for (field, value) in [("decidedBy", json!(mallory.user)), ("decision", json!("Deny")), ("comment", json!("no"))] {
        let patch = json!({"spec": {field: value}});
        let refused =
            desk.cluster.merge("OverrideDecision", "entitlements", name_of(&of_bob), patch).await.unwrap_err();
        assert!(refused.contains("a decision is immutable: the first of each person counts"), "{refused}");
    }
    desk.is_granted(&asked, &[&of_bob]).await;
}

#[tokio::test]
async fn deciding_takes_the_verb_on_that_definition() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    desk.defines("other", json!({"type": "Quantity", "unit": "others", "amount": 1})).await;
    let name = desk.cluster.name.clone();
    let (alice, carol) = (desk.requester("alice").await, desk.requester("carol").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    // Carol may not even write a decision; Dan may, and has the verb for nothing; Erin has it for another definition.
    let refused = carol.tries_to_decide(&asked, "Approve").await.unwrap_err();
    assert!(refused.contains(r#"cannot create resource "overridedecisions""#), "{refused}");
    let (dan, erin) = (desk.person("dan", &[]).await, desk.person("erin", &[]).await);
    may_only(&desk, "dan", &[("create", "overridedecisions", &[])]);
    let others = [format!("{name}-other")];
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    may_only(&desk, "erin", &[("create", "overridedecisions", &[]), ("approve", "entitlementdefinitions", &others)]);
    for person in [&dan, &erin] {
        let refused = person.tries_to_decide(&asked, "Approve").await.unwrap_err();
        let said = format!(
            "'{}' may not decide on exceptions of {name}-members: that takes the verb approve on \
             entitlementdefinitions.entitlements.dev/{name}-members",
            person.user
        );
        assert!(refused.contains(&said), "{refused}");
        // Nor may they say no.
        assert!(person.tries_to_decide(&asked, "Deny").await.is_err());
    }
    // The right for one definition decides nothing of another, though the decision says that it is of the one.
    let mut misnamed = decision(&asked, &erin.user, "Approve");
    misnamed["spec"]["definition"] = format!("{name}-other").into();
    let misnamed = erin.cluster.create(misnamed).await.unwrap();
    desk.has_seen(&misnamed).await;
    desk.waits(&asked, "0/1").await;
    // For the one that she may decide on, hers is enough.
    let other = alice.asks("other", json!({"definition": "$-other", "amount": 3})).await;
    let of_erin = erin.approves(&other).await;
    desk.is_granted(&other, &[&of_erin]).await;
    desk.waits(&asked, "0/1").await;
}

/// Only in the namespace of the override is something decided of it.
#[tokio::test]
async fn a_decision_from_another_namespace_does_not_count() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob) = (desk.requester("alice").await, desk.approver("bob").await);
    let asked = alice.asks("extra", json!({"amount": 10})).await;
    let mut elsewhere = decision(&asked, &bob.user, "Approve");
    elsewhere["metadata"]["namespace"] = desk.cluster.name.clone().into();
    let elsewhere = bob.cluster.create(elsewhere).await.unwrap();
    desk.has_seen(&elsewhere).await;
    desk.waits(&asked, "0/1").await;
    let here = bob.approves(&asked).await;
    desk.is_granted(&asked, &[&here]).await;
}

#[tokio::test]
async fn what_is_made_anew_under_a_name_is_approved_anew() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 2})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let first = alice.asks("extra", json!({"amount": 10})).await;
    let of_bob = bob.approves(&first).await;
    desk.waits(&first, "1/2").await;
    desk.cluster.delete("EntitlementOverride", "entitlements", name_of(&first)).await;
    // Meanwhile nobody is asked, and one more says yes to what is gone.
    let of_dave = dave.approves(&first).await;
    let second = alice.asks("extra", json!({"amount": 500})).await;
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    desk.has_seen(&of_dave).await;
    desk.waits(&second, "0/2").await;
    for of_the_first in [&of_bob, &of_dave] {
        let there = desk.cluster.get("OverrideDecision", "entitlements", name_of(of_the_first)).await;
        assert!(there.is_some());
    }
    let anew = [bob.approves(&second).await, dave.approves(&second).await];
    desk.phase(&second, "Active").await;
    let by = desk.phase(&second, "Active").await["status"]["accepted"]["by"].take();
    let mut by: Vec<&str> = by.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    by.sort_unstable();
    assert_eq!(by, anew.each_ref().map(|one| one["spec"]["decidedBy"].as_str().unwrap()));
    desk.delivers(500).await;
}

/// A service account may hold both rights: what it asks for needs one person more, and what it decides does not count.
#[tokio::test]
async fn a_bot_that_holds_both_rights_decides_nothing() {
    let desk = desk().await;
    desk.sells(json!({})).await;
    let (alice, bob, dave) = (desk.requester("alice").await, desk.approver("bob").await, desk.approver("dave").await);
    let bot = desk.bot().await;
    let of_alice = alice.asks("hers", json!({"amount": 7})).await;
    let of_bot = bot.asks("its", json!({"amount": 10})).await;
    let decided = [bot.approves(&of_alice).await, bot.approves(&of_bot).await];
    desk.has_seen(&decided[1]).await;
    desk.waits(&of_alice, "0/1").await;
    desk.waits(&of_bot, "0/2").await;
    let first = bob.approves(&of_bot).await;
    desk.has_seen(&first).await;
    desk.waits(&of_bot, "1/2").await;
    let second = dave.approves(&of_bot).await;
    desk.is_granted(&of_bot, &[&first, &second]).await;
    desk.delivers(10).await;
    // Nor does it keep anything from anybody.
    let denied = bot.denies(&of_alice).await;
    desk.has_seen(&denied).await;
    let approved = bob.approves(&of_alice).await;
    desk.is_granted(&of_alice, &[&approved]).await;
    desk.delivers(17).await;
}

/// Where nobody needs to approve, a bot's needs nobody either.
#[tokio::test]
async fn where_none_is_needed_a_bot_gets_it_at_once() {
    let desk = desk().await;
    desk.sells(json!({"approvals": 0})).await;
    let bot = desk.bot().await;
    let asked = bot.asks("its", json!({"amount": 10})).await;
    let seen = desk.is_granted(&asked, &[]).await;
    assert_eq!(seen["status"]["start"], asked["metadata"]["creationTimestamp"]);
    desk.delivers(10).await;
}

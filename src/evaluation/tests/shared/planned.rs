//! What is written and withdrawn of what several grants have together, as they come and go.

use super::*;

fn owner() -> Owner {
    Owner::new("acme".into(), "u-acme".into(), ["acme".into()], ["acme".into()], "operator")
}

/// The namespace once all of that is done.
fn scene(evaluation: &Evaluation) -> Scene {
    let observed = evaluation.desired.objects.iter().filter_map(|(key, object)| match &object.wish {
        Wish::Write(content) => Some((key.clone(), Arc::new(Observed::written(&owner(), content)))),
        Wish::Keep | Wish::Refuse(_) => None,
    });
    Scene { observed: observed.collect(), ..Scene::default() }
}

/// What is made, changed, and, when so much is done of that, withdrawn.
fn planned(evaluation: &Evaluation, scene: &Scene, done: &Delivery) -> (Vec<String>, Vec<String>) {
    let planned = writes(&evaluation.desired, &owner(), scene);
    let mut deliveries = planned.settled;
    let mut written = Vec::new();
    for (key, write, _) in planned.changes {
        if &*key.name == "entitlements" {
            continue;
        }
        let what = match write {
            ObjectWrite::Create => "make",
            ObjectWrite::Update(edit) => {
                written.extend(edit.drop_annotations.iter().map(|key| format!("drop {key}")));
                "change"
            }
            ObjectWrite::Recreate(_) => "make anew",
        };
        written.push(format!("{what} {}", key.name));
        deliveries.insert(key, done.clone());
    }
    let withdrawn = withdrawals(&evaluation.desired, &owner(), scene, &deliveries);
    (written, withdrawn.iter().map(|one| one.key().name.to_string()).collect())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn named(name: &str) -> Value {
    json!({"outputs": [output("o", &json!({"objectName": name}))]})
}

/// An instance until the end of July, with a top-up for good.
fn both() -> [Grant; 2] {
    [of_instance("i", "2026-03-01", &json!({"end": "2026-07-31"})), top_up("b", "2026-04-01", &json!({}))]
}

fn in_august() -> Instant {
    at("2026-08-15T00:00:00Z")
}

#[test]
fn a_top_up_changes_no_name_when_it_comes_and_when_it_goes() {
    let spec = named("{{ instance.name }}-{{ instance.kind | lower }}");
    let alone = evaluate(&snapshot(&spec, &[seats()]), now());
    let with = evaluate(&snapshot(&spec, &[seats(), top_up("b", "2026-04-01", &json!({}))]), now());
    for (before, after) in [(&alone, &with), (&with, &alone)] {
        assert_eq!(planned(after, &scene(before), &Delivery::Done), (vec![], vec![]));
    }
}

#[test]
fn when_the_instance_is_over_the_object_is_the_top_up_s_and_stays() {
    let before = evaluate(&snapshot(&json!({}), &both()), now());
    let after = evaluate(&snapshot(&json!({}), &both()), in_august());
    assert_eq!(objects(&before)[0].1, format!("{INSTANCE}i"));
    assert_eq!(objects(&after)[0].1, format!("{BUNDLE}b"));
    let expected = (texts(&["drop entitlements.dev/instance", "change seats"]), vec![]);
    assert_eq!(planned(&after, &scene(&before), &Delivery::Done), expected);
}

/// Of the name that an object had, and whether the instance is deleted or only over.
#[rstest]
fn a_new_name_is_written_before_the_old_one_goes(#[values(false, true)] is_deleted: bool) {
    let spec = named("seats-{{ instance.name }}");
    let left = if is_deleted { vec![both()[1].clone()] } else { both().to_vec() };
    let (before, after) = (evaluate(&snapshot(&spec, &both()), now()), evaluate(&snapshot(&spec, &left), in_august()));
    let (scene, made) = (scene(&before), texts(&["make seats-b"]));
    assert_eq!(planned(&after, &scene, &Delivery::Done), (made.clone(), texts(&["seats-i"])));
    for failure in [Delivery::Failed("no".to_owned()), Delivery::Conflict, Delivery::TooLarge(1), Delivery::Kept] {
        assert_eq!(planned(&after, &scene, &failure), (made.clone(), vec![]), "{failure:?}");
    }
    // One that tells no definition any more may be it.
    let mut unlabelled = scene.clone();
    for observed in unlabelled.observed.values_mut() {
        let source = observed.made_for.as_ref().map(|made_for| made_for.source.clone());
        Arc::make_mut(observed).made_for = source.map(Attribution::to_source);
    }
    assert_eq!(planned(&after, &unlabelled, &Delivery::Conflict), (made.clone(), vec![]));
    assert_eq!(planned(&after, &unlabelled, &Delivery::Done), (made, texts(&["seats-i"])));
}

/// What was made for the instance stays for the top-up, as long as it cannot be told what should be there for that.
#[rstest]
#[case::no_name(named("seats-{{ 6 // (7 - facets.limits.depth) }}"), json!({}), "RenderFailed")]
#[case::no_valid_facets(json!({}), limits(&json!({"depth": "x"})), "untold")]
#[case::deferred(named("{{ instance.name }}"), json!({}), "Deferred")]
fn an_error_withdraws_nothing_from_the_others(#[case] spec: Value, #[case] terms: Value, #[case] reason: &str) {
    let mut grants = both();
    grants[1] = top_up("b", "2026-04-01", &terms);
    let before = evaluate(&snapshot(&spec, &grants), now());
    if reason == "RenderFailed" {
        grants[1] = top_up("b", "2026-04-01", &limits(&json!({"depth": 7})));
    }
    for grants in [&grants[..], &grants[1..]] {
        let snapshot = snapshot(&spec, grants);
        let budget = if reason == "Deferred" { Budget::of(0) } else { Budget::default() };
        let after = evaluate_within(&snapshot, in_august(), None, budget);
        assert_eq!(after.desired.kept_shared, BTreeSet::from(["seats".into()]));
        assert_eq!(planned(&after, &scene(&before), &Delivery::Done), (vec![], vec![]));
        let bundle = GrantId::new(SourceId::new(SourceKind::Bundle, "entitlements", "b"), "seats");
        let outputs = &after.desired.grants[&bundle];
        let told = outputs.hindered.as_ref().map(|problem| problem.reason.to_string());
        assert_eq!(told.unwrap_or_else(|| if outputs.is_untold { "untold".to_owned() } else { String::new() }), reason);
        // Nobody else gets the name meanwhile.
        let mut scene = scene(&before);
        scene.observed.retain(|key, _| &*key.name != "entitlements");
        let (taken, _) = scene.observed.first_key_value().unwrap();
        let mut others = after.desired.clone();
        let own = evaluate(&self::snapshot(&named(&taken.name), &[seats()]), now());
        let mut object = own.desired.objects[taken].clone();
        object.grant = Some(GrantId::of_instance("entitlements", "x", "support"));
        others.objects.insert(taken.clone(), object);
        assert_eq!(writes(&others, &owner(), &scene).settled[taken], Delivery::Kept);
    }
}

/// When all are over, all of it goes, whatever failed before.
#[test]
fn the_end_of_all_is_the_end_of_the_object() {
    let grants = [both()[0].clone(), top_up("b", "2026-04-01", &json!({"end": "2026-07-31"}))];
    let spec = named("seats-{{ instance.name }}");
    let (before, after) =
        (evaluate(&snapshot(&spec, &grants), now()), evaluate(&snapshot(&spec, &grants), in_august()));
    assert_eq!(planned(&after, &scene(&before), &Delivery::Done), (vec![], texts(&["seats-i"])));
}

/// Without what it gives, the object would be wrong.
#[test]
fn what_was_made_for_a_grant_that_cannot_be_read_stays_as_it_is() {
    let before = evaluate(&snapshot(&json!({}), &both()), now());
    let after = evaluate(&snapshot(&json!({}), &both()[1..]), now());
    let mut scene = scene(&before);
    assert_eq!(planned(&after, &scene, &Delivery::Done).0.last().unwrap(), "change seats");
    scene.unreadable = Arc::new(BTreeSet::from([SourceId::instance("entitlements", "i")]));
    assert_eq!(planned(&after, &scene, &Delivery::Done), (vec![], vec![]));
}

/// Objects are counted once, for the one that bears them; what is wrong with them is wrong for each.
#[rstest]
#[case::delivered(&Delivery::Done, [(0, 0), (1, 1)], "True Delivered")]
#[case::in_conflict(&Delivery::Conflict, [(0, 0), (1, 0)], "False Conflict")]
fn each_of_them_says_what_is_wrong(#[case] delivery: &Delivery, #[case] counts: [(u64, u64); 2], #[case] told: &str) {
    let counts = counts.map(|(desired, delivered)| OutputCounts { desired, delivered });
    let bearing = |evaluation: &Evaluation, outcomes: &Outcomes| {
        let statuses = statuses(evaluation, outcomes).grants;
        let status = statuses.into_iter().flatten().next()?;
        let delivered = status.conditions.iter().find(|condition| condition.type_ == "Delivered")?;
        Some((status.outputs?, format!("{:?} {}", delivered.status, delivered.reason)))
    };
    for (made, counts) in [("2026-02-01", counts[0]), ("2026-04-01", counts[1])] {
        let evaluation = evaluate(&snapshot(&json!({}), &[seats(), top_up("b", made, &json!({}))]), now());
        let mut outcomes = Outcomes::default();
        outcomes.deliveries.insert(key(OutputKind::ConfigMap, "entitlements"), Delivery::Done);
        assert_eq!(bearing(&evaluation, &outcomes), None, "nothing is known yet");
        outcomes.deliveries.insert(key(OutputKind::ConfigMap, "seats"), delivery.clone());
        assert_eq!(bearing(&evaluation, &outcomes), Some((counts, told.to_owned())));
    }
}

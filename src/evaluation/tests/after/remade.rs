//! How much is made anew, and how much is kept for the next evaluation.

use super::*;

/// The content of each object.
fn contents(evaluation: &Evaluation) -> BTreeMap<ObjectKey, Arc<ObjectContent>> {
    let content = |wish: &Wish| match wish {
        Wish::Write(content) => Some(Arc::clone(content)),
        Wish::Keep | Wish::Refuse(_) => None,
    };
    let objects = evaluation.desired.objects.iter();
    objects.filter_map(|(key, object)| Some((key.clone(), content(&object.wish)?))).collect()
}

/// Which objects are not those of before.
fn remade(before: &Evaluation, after: &Evaluation) -> Vec<String> {
    let (before, after) = (contents(before), contents(after));
    let is_new = |key: &ObjectKey, content: &Arc<ObjectContent>| {
        before.get(key).is_none_or(|known| !Arc::ptr_eq(known, content))
    };
    let new = after.iter().filter(|(key, content)| &*key.namespace == "one" && is_new(key, content));
    new.map(|(key, _)| key.name.to_string()).collect()
}

#[test]
fn a_change_of_one_grant_remakes_what_it_has_a_part_in() {
    let (mut snapshot, mut now, mut memo) = (snapshot(), now(), Memo::default());
    let mut evaluations = vec![Evaluation::after(None, &mut memo, &snapshot, now, None)];
    let mut go_on = |event: Event| {
        let before = evaluations.last().unwrap();
        happen(&mut snapshot, &before.decision, &mut now, &event);
        let after = Evaluation::after(Some(&before.decision), &mut memo, &snapshot, now, None);
        let remade = remade(before, &after);
        let pairs = before.decision.holdings.iter().zip(&after.decision.holdings);
        let kept: Vec<String> =
            pairs.filter(|(one, other)| Arc::ptr_eq(one, other)).map(|(one, _)| one.name.to_string()).collect();
        evaluations.push(after);
        (kept, remade)
    };
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    // Nothing but time.
    assert_eq!(go_on(Event::Time(1)), (names(&["seats", "support"]), vec![]));
    // A status that says what was known.
    assert_eq!(go_on(Event::Remember), (vec![], vec![]));
    // Its amount changes the total, which each of the definition's outputs shows.
    let (kept, remade) = go_on(Event::EditGrant(1, 1));
    assert_eq!(kept, ["seats"]);
    assert_eq!(
        remade,
        ["entitlements", "support-g1-plain", "support-g3-plain", "support-g1-secret", "support-g3-secret"]
    );
    // What it states is its own, and the summary's.
    let (kept, remade) = go_on(Event::EditGrant(3, 2));
    assert_eq!(kept, ["seats"]);
    assert_eq!(remade, ["entitlements", "support-g3-plain", "support-g3-secret"]);
    // The organization's name for people is everybody's.
    assert_eq!(go_on(Event::EditOrganization(2)).1.len(), 2 * GRANTS);
}

/// An organization with so many grants of one definition.
fn many(grants: usize) -> Snapshot {
    let read = |index: usize| {
        let mut instance = instance(0, 0);
        instance.metadata.name = Some(format!("g{index}"));
        instance.metadata.uid = Some(format!("u{index}"));
        Arc::new(source::instance::grant(&instance))
    };
    Snapshot { grants: (0..grants).map(read).collect(), ..snapshot() }
}

/// Counted in allocations, which are the same each time.
#[test]
fn what_is_kept_is_small_and_spares_most_of_the_work() {
    const GRANTS: usize = 1000;
    let (mut snapshot, mut memo) = (many(GRANTS), Memo::default());
    let mut last = None;
    let decision = allocation_counter::measure(|| last = Some(Arc::new(decide(&snapshot, now()))));
    let decided = usize::try_from(decision.bytes_current).unwrap() / GRANTS;
    let first = allocation_counter::measure(|| {
        last = Some(Evaluation::after(None, &mut memo, &snapshot, now(), None).decision);
    });
    let kept = usize::try_from(first.bytes_current).unwrap() / GRANTS;
    assert!(decided < 5 * 1024, "{decided} bytes of a decision for each grant");
    let (made, reckoned) = (kept.saturating_sub(decided), memo.bytes() / GRANTS);
    assert!(made < reckoned, "{made} bytes are made of it for each grant, and {reckoned} reckoned");
    // One grant's status is written.
    let last = last.unwrap();
    let written = last.grants().next().unwrap().1.remembering();
    snapshot.grants[0] = Arc::new(written);
    let next = allocation_counter::measure(|| {
        drop(Evaluation::after(Some(&last), &mut memo, &snapshot, now(), None));
    });
    let part = first.count_total / next.count_total.max(1);
    assert!(part >= 4, "a change of one grant costs 1/{part} of the whole");
}

/// What reads secrets has work of its own: what of it has to wait is gone on with, until nothing has to wait.
#[test]
fn what_has_to_wait_is_gone_on_with_to_its_end() {
    let (mut snapshot, mut memo) = (snapshot(), Memo::default());
    let output = |kind: &str, template: &str| {
        json!({
            "name": kind.to_lowercase(), "kind": kind, "objectName": format!("{{{{ instance.name }}}}-{}", kind.to_lowercase()),
            "items": [{"key": "k", "template": template}],
        })
    };
    let schema = json!({"type": "object", "properties": {"token": {"type": "string", "writeOnly": true}}});
    let spec = json!({
        "type": "Feature", "allowMultiple": true, "facets": [{"name": "limits", "schema": schema}],
        "outputs": [output("ConfigMap", "{{ instance.name }}"), output("Secret", "{% for i in range(10000) %}{% endfor %}{{ facets.limits.token }}")],
    });
    for name in DEFINITIONS {
        snapshot.catalogue.insert(name.into(), compiled(name, &spec));
    }
    let read = |index: usize| {
        let spec = json!({
            "organization": "acme", "definition": DEFINITIONS[index % 2],
            "secretFacets": [{"facet": "limits", "field": "token", "secretKeyRef": {"name": "tokens", "key": "t"}}],
        });
        let mut instance = instance(index, 0);
        instance.spec = serde_json::from_value(spec).unwrap();
        Arc::new(source::instance::grant(&instance))
    };
    snapshot.grants = (0..GRANTS).map(read).collect();
    let decision = Arc::new(decide(&snapshot, now()));
    let mut resume = None;
    let mut hindered = Vec::new();
    for _ in 0..GRANTS {
        let desired = deliver_after(&decision, resume.as_ref(), &mut Budget::of(15_000), &mut memo);
        hindered.push(desired.grants.values().filter(|outputs| outputs.hindered.is_some()).count());
        resume = desired.resume;
        if resume.is_none() {
            break;
        }
    }
    assert_eq!((hindered, resume), (vec![4, 3, 2, 1, 0], None));
}

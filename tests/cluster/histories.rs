//! Generated histories, as those that the core is checked with, told to a real API server in seconds: after each event, and
//! at each boundary, every status says what the plain model says of that moment.

use crate::{
    api::{
        AmountField, EntitlementInstance, Phase,
        accepted_record::AcceptedRecord,
        lifecycle::{AmendmentState, State},
    },
    core::{
        amount::Amount,
        calendar::{Bound, Instant, parse_instant},
        refusal::Reason,
    },
    harness::{Cluster, ORGANIZATION, cluster, condition, is_current},
    model::{
        World,
        history::{Event, History, INVALID_FACETS, Scale, Telling, Tick, history},
        oracle::{Judgement, Oracle},
    },
};
use chrono::{TimeDelta, Utc};
use proptest::{strategy::Strategy, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

/// How many histories are told.
const HISTORIES: usize = 24;
/// So many at a time.
const AT_ONCE: usize = 12;
/// On a machine that stands still now and then, a history is told again from its beginning.
const ATTEMPTS: usize = 4;
/// In which part of a tick something may still be done.
const USABLE: TimeDelta = TimeDelta::milliseconds(900);
/// The operator acts at the boundary; it is looked at from then on.
const AFTER_BOUNDARY: TimeDelta = TimeDelta::milliseconds(50);

/// What happened came so late that nobody can tell on which side of a boundary it was seen.
struct TooLate(String);

/// A history, told to the cluster and to the model.
struct Teller<'a> {
    cluster: &'a Cluster,
    telling: Telling,
    /// As the cluster has it.
    told: World,
    is_unique: bool,
    seen: &'a Seen,
}

/// The phases and refusals that came up in any history.
#[derive(Default)]
struct Seen {
    phases: Mutex<BTreeSet<&'static str>>,
    reasons: Mutex<BTreeSet<&'static str>>,
}

impl Seen {
    fn note<'j>(&self, judgements: impl Iterator<Item = &'j Judgement>) {
        for judgement in judgements {
            self.phases.lock().unwrap().insert(judgement.phase.as_str());
            self.reasons.lock().unwrap().extend(judgement.reason.map(Reason::as_str));
        }
    }
}

fn now() -> Instant {
    Utc::now()
}

fn definition(world: &World) -> Value {
    let (facet, field, _) = INVALID_FACETS;
    let template = if world.unready.is_some() { "{{" } else { "{{ organization.name }}" };
    let mut spec = json!({
        "type": "Feature",
        "allowMultiple": !world.unique,
        "facets": [{"name": facet, "schema": {"type": "object", "properties": {field: {"type": "integer"}}}}],
        "outputs": [{"name": "config", "kind": "ConfigMap", "items": [{"key": "who", "template": template}]}],
    });
    for (field, value) in [("term", &world.term), ("gracePeriod", &world.grace)] {
        if let Some(value) = value {
            spec[field] = value.as_str().into();
        }
    }
    if let Some(preset) = &world.preset {
        spec["type"] = "Quantity".into();
        spec["unit"] = "seats".into();
        spec["amount"] = preset.amount.as_str().into();
        spec["rollout"] = if preset.everyone { "Everyone" } else { "Agreed" }.into();
    }
    json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementDefinition",
        "metadata": {"name": world.definition},
        "spec": spec,
    })
}

/// As a merge patch that also takes away what is not there.
fn with_absent(mut spec: Value, fields: &[&str]) -> Value {
    for field in fields {
        spec.as_object_mut().unwrap().entry(*field).or_insert(Value::Null);
    }
    spec
}

fn organization_spec(world: &World) -> Value {
    let barred = world.barred.map(|(namespace, _)| namespace);
    let namespaces: Vec<&str> =
        ["entitlements", "elsewhere"].into_iter().filter(|namespace| Some(*namespace) != barred).collect();
    json!({"timeZone": world.zone, "assignableFrom": namespaces})
}

impl Teller<'_> {
    /// Waits for the beginning of the present tick's successor.
    async fn next_tick(&mut self) -> Result<(), TooLate> {
        let tick = self.telling.tick + 1;
        let begins = self.telling.scale.at(tick) + AFTER_BOUNDARY;
        let wait = (begins - now()).to_std().map_err(|_| TooLate(format!("for tick {tick}")))?;
        tokio::time::sleep(wait).await;
        self.telling.tick = tick;
        self.look().await
    }

    /// Something is about to happen, with time left to see what comes of it.
    async fn have_time(&mut self) -> Result<(), TooLate> {
        while now() > self.telling.now() + USABLE {
            self.next_tick().await?;
        }
        Ok(())
    }

    async fn happen(&mut self, event: &Event) -> Result<(), TooLate> {
        match event {
            Event::Pass(ticks) => {
                for _ in 0..*ticks {
                    self.next_tick().await?;
                }
                Ok(())
            }
            Event::Unseen(event) => Box::pin(self.happen(event)).await,
            // While it stays Active its terms are locked: they change through a Draft.
            Event::Edit(which, _) if self.state(*which) == Some(State::Active) => {
                self.tell(&Event::Set(*which, State::Draft)).await?;
                self.tell(event).await?;
                self.tell(&Event::Set(*which, State::Active)).await
            }
            event => self.tell(event).await,
        }
    }

    fn state(&self, which: u8) -> Option<State> {
        let name = self.telling.name(which)?;
        self.telling.world.instances.iter().find(|one| named(one) == name).map(|one| one.spec.state)
    }

    async fn tell(&mut self, event: &Event) -> Result<(), TooLate> {
        self.have_time().await?;
        self.telling.happen(event);
        self.bring_catalogue_up_to_date().await;
        self.bring_grants_up_to_date(event).await;
        self.told = self.telling.world.clone();
        self.look().await
    }

    async fn bring_catalogue_up_to_date(&self) {
        let (world, told) = (&self.telling.world, &self.told);
        if definition(world) != definition(told) {
            let spec = with_absent(definition(world)["spec"].clone(), &["term", "gracePeriod"]);
            let patch = json!({"spec": spec});
            self.cluster.merge("EntitlementDefinition", "", &world.definition, patch).await.unwrap();
        }
        if organization_spec(world) != organization_spec(told) {
            let patch = json!({"spec": organization_spec(world)});
            self.cluster.merge("Organization", "", &world.organization, patch).await.unwrap();
        }
    }

    async fn bring_grants_up_to_date(&mut self, event: &Event) {
        let told: BTreeMap<String, EntitlementInstance> =
            self.told.instances.iter().map(|one| (named(one).to_owned(), one.clone())).collect();
        let present: Vec<EntitlementInstance> = self.telling.world.instances.clone();
        let names: BTreeSet<&str> = present.iter().map(named).collect();
        for (name, gone) in told.iter().filter(|(name, _)| !names.contains(name.as_str())) {
            self.cluster.delete("EntitlementInstance", namespace(gone), name).await;
        }
        for instance in &present {
            match told.get(named(instance)) {
                None => self.make(instance).await,
                Some(before) if before.spec != instance.spec => self.change(before, instance).await,
                Some(_) => {}
            }
        }
        if let Event::ForgetStatus(which) = event
            && let Some(name) = self.telling.name(*which)
            && let Some(instance) = present.iter().find(|one| named(one) == name)
        {
            self.forget_status(instance).await;
        }
    }

    async fn make(&mut self, instance: &EntitlementInstance) {
        let made = instance.metadata.creation_timestamp.as_ref().unwrap().0.to_string();
        let mut object = serde_json::to_value(instance).unwrap();
        object["metadata"] = json!({
            "name": named(instance),
            "namespace": namespace(instance),
            "annotations": {"entitlements.dev/granted-at": made},
        });
        match self.cluster.create(object).await {
            Ok(created) => {
                let uid = created["metadata"]["uid"].as_str().unwrap().to_owned();
                self.telling.world.instance(named(instance)).metadata.uid = Some(uid);
            }
            // What one object alone can tell is refused when it is made, and never was.
            Err(refusal) => {
                assert!(refusal.contains("is invalid"), "{refusal}");
                self.telling.world.delete(named(instance));
            }
        }
    }

    async fn change(&mut self, before: &EntitlementInstance, after: &EntitlementInstance) {
        let spec = with_absent(serde_json::to_value(&after.spec).unwrap(), &["start", "end", "renews", "amount"]);
        let patched =
            self.cluster.merge("EntitlementInstance", namespace(after), named(after), json!({"spec": spec})).await;
        if let Err(refusal) = patched {
            assert!(refusal.contains("is invalid"), "{refusal}");
            self.telling.world.instance(named(after)).spec = before.spec.clone();
        }
    }

    async fn forget_status(&self, instance: &EntitlementInstance) {
        let patch = kube::api::Patch::Merge(json!({"status": {"observedGeneration": -1, "accepted": null}}));
        let api = self.cluster.api("EntitlementInstance", namespace(instance));
        api.patch_status(named(instance), &kube::api::PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until the cluster says what the model says of this tick.
    async fn look(&mut self) -> Result<(), TooLate> {
        let world = &self.telling.world;
        let at = self.telling.now();
        let expected = Oracle::new(world, &self.telling.records, at).judge();
        let too_late = self.telling.scale.at(self.telling.tick + 1);
        loop {
            let looked = now();
            let difference = self.difference(&expected).await;
            if looked >= too_late {
                return Err(TooLate(format!("at tick {}: {difference:?}", self.telling.tick)));
            }
            if difference.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.seen.note(expected.values());
        self.telling.records =
            expected.into_iter().filter_map(|(name, judgement)| Some((name, judgement.record?))).collect();
        Ok(())
    }

    /// What the cluster says otherwise, if anything.
    async fn difference(&self, expected: &BTreeMap<String, Judgement>) -> Option<String> {
        let world = &self.telling.world;
        for (kind, name) in [("EntitlementDefinition", &world.definition), ("Organization", &world.organization)] {
            if !is_current(&self.cluster.get(kind, "", name).await?) {
                return Some(format!("{kind} {name} is not seen yet"));
            }
        }
        let mut found = BTreeMap::new();
        for instance in &world.instances {
            let seen = self.cluster.get("EntitlementInstance", namespace(instance), named(instance)).await?;
            if !is_current(&seen) {
                return Some(format!("{} is not seen yet", named(instance)));
            }
            found.insert(named(instance).to_owned(), judgement(&seen["status"]));
        }
        if let Some((name, one)) = found.iter().find(|(name, one)| !agrees(one, &expected[name.as_str()])) {
            return Some(format!("{name}: the cluster has {one:?}, the model {:?}", expected[name.as_str()]));
        }
        let (delivered, entitled) = (self.delivered().await, self.entitled(expected));
        (delivered != entitled).then(|| format!("delivered: {delivered:?}, but in force: {entitled:?}"))
    }

    /// The names of the objects that are there.
    async fn delivered(&self) -> BTreeSet<String> {
        let all = self.cluster.list("ConfigMap", &self.telling.world.organization).await;
        let own = all.iter().filter(|one| !one["metadata"]["labels"]["entitlements.dev/definition"].is_null());
        own.map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of the objects that there should be.
    fn entitled(&self, expected: &BTreeMap<String, Judgement>) -> BTreeSet<String> {
        let definition = &self.telling.world.definition;
        let in_force = expected.values().filter(|judgement| judgement.phase.is_in_force());
        let name = |judgement: &Judgement| {
            let chain = judgement.record.as_ref().unwrap().chain.as_ref().unwrap();
            if self.is_unique { definition.clone() } else { format!("{definition}-{}", chain.name) }
        };
        in_force.map(name).collect()
    }
}

fn named(instance: &EntitlementInstance) -> &str {
    instance.metadata.name.as_deref().unwrap()
}

fn namespace(instance: &EntitlementInstance) -> &str {
    instance.metadata.namespace.as_deref().unwrap()
}

/// What a status says.
fn judgement(status: &Value) -> Judgement {
    let read = |field: &str| serde_json::from_value::<Option<String>>(status[field].clone()).unwrap();
    let accepted = condition(&json!({"status": status}), "Accepted");
    let reason = |text: &str| {
        let all = [
            Reason::OrganizationNotFound,
            Reason::NamespaceNotAllowed,
            Reason::OrganizationNotReady,
            Reason::DefinitionNotFound,
            Reason::DefinitionNotReady,
            Reason::InvalidAmount,
            Reason::RenewalInvalid,
            Reason::InvalidTerm,
            Reason::Duplicate,
        ];
        all.into_iter().find(|reason| reason.as_str() == text).unwrap_or_else(|| panic!("no such reason: {text}"))
    };
    let start = read("start").map(|start| parse_instant(&start).unwrap());
    let amendments = status["amendments"].as_array().cloned().unwrap_or_default();
    let amendment = |one: &Value| {
        let state: AmendmentState = serde_json::from_value(one["state"].clone()).unwrap();
        (one["name"].as_str().unwrap().to_owned(), state)
    };
    let mut amendments: Vec<_> = amendments.iter().map(amendment).collect();
    amendments.sort_by(|one, other| one.0.cmp(&other.0));
    Judgement {
        phase: serde_json::from_value::<Phase>(status["phase"].clone()).unwrap(),
        reason: (accepted["status"] == "False").then(|| reason(accepted["reason"].as_str().unwrap())),
        start,
        end: start.map(|_| read("end").map_or(Bound::Never, |end| Bound::At(parse_instant(&end).unwrap()))),
        amendments,
        amount: read("amount").map(|text| Amount::read(&AmountField::Text(text)).unwrap()),
        record: serde_json::from_value::<Option<AcceptedRecord>>(status["accepted"].clone()).unwrap(),
        renewed_by: read("renewedBy"),
    }
}

/// Of one that is refused nothing is worked out of its amendments, and its status says so of each; what it would come to is told
/// also where its term cannot be.
fn agrees(found: &Judgement, expected: &Judgement) -> bool {
    let mut found = found.clone();
    if expected.start.is_none() {
        found.amount = expected.amount;
        found.amendments.clone_from(&expected.amendments);
    }
    found == *expected
}

async fn tell_once(cluster: &Cluster, history: &History, name: &str, seen: &Seen) -> Result<(), TooLate> {
    let scale = Scale { tick: Tick::Seconds, base: base() };
    let mut telling = Telling::starting(history, scale, &format!("{name}-"));
    telling.world.organization = name.to_owned();
    telling.world.definition = name.to_owned();
    cluster.apply(&ORGANIZATION.replace('$', name)).await;
    let patch = json!({"spec": organization_spec(&telling.world)});
    cluster.merge("Organization", "", name, patch).await.unwrap();
    cluster.create(definition(&telling.world)).await.unwrap();
    cluster.condition("EntitlementDefinition", name, "Ready", "True", "Valid").await;
    cluster.condition("Organization", name, "Ready", "True", "Served").await;
    let told = telling.world.clone();
    let mut teller = Teller { cluster, telling, told, is_unique: history.unique, seen };
    let ticks = (now() - base_of(&teller)).num_seconds() / Tick::Seconds.seconds();
    teller.telling.tick = u8::try_from(ticks).unwrap();
    for grant in &history.first {
        teller.happen(&Event::Add(grant.clone())).await?;
    }
    for event in &history.events {
        teller.happen(event).await?;
    }
    Ok(())
}

fn base_of(teller: &Teller) -> Instant {
    teller.telling.scale.base
}

/// A moment from which the present is some ticks away, as the histories have it.
fn base() -> Instant {
    let now = Instant::from_timestamp(now().timestamp(), 0).unwrap();
    now - TimeDelta::seconds(2 * Tick::Seconds.seconds())
}

async fn tell(cluster: &Cluster, number: usize, history: History, seen: &Seen) {
    let mut late = Vec::new();
    for attempt in 0..ATTEMPTS {
        let name = format!("{}-{number}-{attempt}", cluster.name);
        match tell_once(cluster, &history, &name, seen).await {
            Ok(()) => return,
            Err(TooLate(why)) => late.push(why),
        }
    }
    panic!("history {number} was never told in time: {late:#?}\n{history:#?}");
}

#[tokio::test]
async fn every_history_is_seen_as_the_contract_says() {
    use futures::{StreamExt, stream};
    let cluster = cluster().await;
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}").await;
    let mut runner = TestRunner::deterministic();
    let histories: Vec<History> = (0..HISTORIES).map(|_| history().new_tree(&mut runner).unwrap().current()).collect();
    let seen = Seen::default();
    let told = histories.into_iter().enumerate().map(|(number, history)| tell(&cluster, number, history, &seen));
    stream::iter(told).buffer_unordered(AT_ONCE).collect::<()>().await;
    let phases = ["Active", "Cancelled", "Draft", "Expired", "Grace", "Rejected", "Suspended", "Waiting"];
    assert_eq!(seen.phases.into_inner().unwrap(), BTreeSet::from(phases));
    let reasons = ["DefinitionNotReady", "Duplicate", "InvalidTerm", "NamespaceNotAllowed", "RenewalInvalid"];
    assert_eq!(seen.reasons.into_inner().unwrap(), BTreeSet::from(reasons));
}

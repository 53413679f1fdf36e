//! What grants take of memory and of a processor's time, without an API server: the index is fed as the watches feed it, and every
//! organization is brought up to date as `organization` does it, with all that is written taken in again. `make bench` prints it.

#[path = "../../tests/fleet.rs"]
mod fleet;

use super::{
    decisions::Decisions,
    output::OutputObject,
    world::{
        WholeSource, World,
        kinds::named,
        tests::{finish_lists, namespace, read},
    },
};
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, Organization},
    controller::guarded::Guarded,
    core::calendar::Instant,
    evaluation::{
        Evaluation, Limits,
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState, Served},
        decision::{decide, decide_after},
        object::{ObjectContent, ObjectKey, Wish},
        plan::{Delivery, Outcomes},
        status::statuses,
    },
};
use fleet::GRANTS_EACH;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{api::ObjectMeta, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    hint::black_box,
    process::Command,
    sync::Arc,
    time::{Duration, Instant as Clock},
};

/// Which row of the table a process is to measure: how many grants, and how many to an organization.
const ROW: &str = "FOOTPRINT_ROW";

/// An index with its decisions, and an API server that takes everything.
struct Shell {
    world: World,
    decisions: Decisions,
    /// The last resourceVersion.
    version: u64,
    now: Instant,
}

impl Shell {
    /// What the first lists name.
    fn listing(grants: usize, each: usize) -> Self {
        let world = World::new("entitlement-operator", Limits::DEFAULT);
        let mut shell =
            Self { world, decisions: Decisions::default(), version: 0, now: "2027-02-01T08:00:00Z".parse().unwrap() };
        for index in 0..grants.div_ceil(each) {
            let organization: Guarded<Organization> = shell.stored(fleet::organization(index), Value::Null);
            shell.world.observe_organization(Event::InitApply(organization));
            shell.world.observe_namespace(Event::InitApply(namespace(&fleet::organization_name(index), 1, None)));
        }
        let definition: Guarded<EntitlementDefinition> = shell.stored(fleet::definition(), Value::Null);
        shell.world.observe_definition(Event::InitApply(definition));
        for index in 0..grants {
            let grant = fleet::grant(index, &fleet::organization_name(index / each));
            let grant: Guarded<EntitlementInstance> = shell.stored(grant, Value::Null);
            shell.world.observe_instance(Event::InitApply(grant));
        }
        finish_lists(&mut shell.world);
        shell.serve();
        shell.world.take_work();
        shell
    }

    fn serve(&mut self) {
        let name: Arc<str> = fleet::DEFINITION.into();
        let definition: EntitlementDefinition = read(fleet::definition());
        let state = DefinitionState::gather(&definition.spec, |_| None).unwrap();
        let entry = CatalogueEntry::valid(CompiledDefinition::compile(&name, &state).unwrap());
        let version = self.world.definition(&name).0.kept.version;
        self.world.serve(&name, Served { entry: Arc::new(entry), hash: None, beside: None }, version);
    }

    /// An object as the API server has it, read from its text.
    fn stored<K: DeserializeOwned>(&mut self, mut object: Value, status: Value) -> K {
        self.version += 1;
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let applied = object.to_string();
        let metadata = &mut object["metadata"];
        metadata["uid"] = uid(&name).into();
        metadata["resourceVersion"] = self.version.to_string().into();
        metadata["generation"] = 1.into();
        metadata["creationTimestamp"] = "2027-01-01T00:00:00Z".into();
        metadata["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
        metadata["managedFields"] = json!([{
            "manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "entitlements.dev/v1alpha1",
            "time": "2027-01-01T00:00:00Z", "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}},
                "f:spec": {".": {}, "f:definition": {}, "f:end": {}, "f:facets": {}, "f:organization": {}},
            },
        }]);
        if !status.is_null() {
            object["status"] = status;
        }
        serde_json::from_str(&object.to_string()).unwrap()
    }

    /// Brings an organization up to date, which has that many grants.
    fn reconcile(&mut self, index: usize, each: usize) {
        let name: Arc<str> = fleet::organization_name(index).into();
        let view = self.world.view(&name).unwrap();
        let (before, mut memo) = (self.decisions.last(&name), self.decisions.take_memo(&name));
        let evaluation = Evaluation::after(before.as_deref(), &mut memo, &view.snapshot, self.now, None);
        self.decisions.keep_memo(&name, memo);
        self.decisions.publish(&evaluation.decision);
        let mut outcomes = Outcomes::default();
        for (key, desired) in &evaluation.desired.objects {
            if let Wish::Write(content) = &desired.wish {
                self.write(&name, key, content);
                outcomes.deliveries.insert(key.clone(), Delivery::Done);
            }
        }
        let statuses = statuses(&evaluation, &outcomes);
        let order: HashMap<String, usize> =
            (index * each..(index + 1) * each).map(|grant| (fleet::grant_name(grant), grant)).collect();
        for ((_, member), status) in evaluation.decision.grants().zip(statuses.grants) {
            let grant = fleet::grant(order[&*member.grant.id.source.name], &name);
            let written: EntitlementInstance = self.stored(grant, serde_json::to_value(status.unwrap()).unwrap());
            let mut written = WholeSource::read(&written);
            written.value.share_record(member.verdict.acceptance.as_ref());
            self.world.wrote_source(written);
        }
        let status = serde_json::to_value(statuses.organization.unwrap()).unwrap();
        let organization: Organization = self.stored(fleet::organization(index), status);
        let namespaces = [name.to_string()];
        let written = named(organization);
        self.decisions.wrote_organization(&name, &written.value);
        self.world.wrote_organization(written, Some(&namespaces));
        self.world.take_work();
    }

    fn write(&mut self, organization: &Arc<str>, key: &ObjectKey, content: &ObjectContent) {
        self.version += 1;
        let fields = |pairs: &BTreeMap<String, String>| -> Value {
            pairs.keys().map(|key| (format!("f:{key}"), json!({}))).collect()
        };
        let annotations = content.annotations_at(key);
        let object = ConfigMap::with_data(ObjectMeta::default(), &content.data);
        let metadata = json!({
            "namespace": key.namespace, "name": key.name, "uid": uid(&key.to_string()),
            "resourceVersion": self.version.to_string(), "labels": content.labels, "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "name": organization,
                "uid": uid(organization), "controller": true,
            }],
            "managedFields": [{
                "manager": "entitlement-operator", "operation": "Update", "fieldsType": "FieldsV1",
                "fieldsV1": {
                    "f:metadata": {
                        "f:labels": fields(&content.labels),
                        "f:annotations": fields(&annotations),
                    },
                    "f:data": fields(object.data.as_ref().unwrap()),
                },
            }],
        });
        let object = ConfigMap { metadata: read(metadata), ..object };
        self.world.wrote_output(organization, key, object.observed());
    }
}

/// As long as those of an API server.
fn uid(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let hash = hasher.finish();
    format!("{:08x}-{:04x}-4000-8000-{:012x}", hash >> 32, hash & 0xffff, hash >> 16)
}

/// A figure of this process, in MiB.
fn mebibytes(figure: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    let kibibytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes / 1024.0
}

fn per_second(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}

/// Bytes for each grant, of all that a step has made and kept, or dropped.
fn bytes_each(grants: usize, step: impl FnOnce()) -> i64 {
    allocation_counter::measure(step).bytes_current / i64::try_from(grants).unwrap()
}

/// Measures so many grants, so many to an organization.
fn measure(grants: usize, each: usize) {
    let organizations = grants.div_ceil(each);
    let mut listing = None;
    let listed = bytes_each(grants, || listing = Some(Shell::listing(grants, each)));
    let mut shell = listing.unwrap();
    let made = bytes_each(grants, || (0..organizations).for_each(|index| shell.reconcile(index, each)));
    let [resident, anonymous, peak] = ["VmRSS", "RssAnon", "VmHWM"].map(mebibytes);
    let names: Vec<Arc<str>> = (0..organizations).map(|index| fleet::organization_name(index).into()).collect();
    let snapshots: Vec<_> = names.iter().map(|name| shell.world.view(name).unwrap().snapshot).collect();
    let begun = Clock::now();
    let decided: Vec<_> = snapshots.iter().map(|snapshot| decide(snapshot, shell.now)).collect();
    let anew = begun.elapsed();
    let begun = Clock::now();
    for (snapshot, before) in snapshots.iter().zip(&decided) {
        drop(black_box(decide_after(snapshot, shell.now, Some(before))));
    }
    let unchanged = begun.elapsed();
    drop((decided, snapshots));
    let Shell { decisions, .. } = shell;
    let memos = -bytes_each(grants, || names.iter().for_each(|name| drop(decisions.take_memo(name))));
    let decisions = -bytes_each(grants, || drop(decisions));
    println!(
        "{grants:>7} {organizations:>13} {listed:>7} {:>8} {decisions:>9} {memos:>6} {anonymous:>8.1} {resident:>7.1} {peak:>7.1} {:>10.0} {:>10.0}",
        listed + made,
        per_second(grants, anew),
        per_second(grants, unchanged),
    );
}

/// A process for each row, so that none begins with what another has left.
#[test]
#[ignore = "it prints figures, which depend on the machine: make bench"]
fn what_grants_take() {
    if let Ok(row) = env::var(ROW) {
        let (grants, each) = row.split_once('/').unwrap();
        return measure(grants.parse().unwrap(), each.parse().unwrap());
    }
    println!("                      bytes of each grant              MiB                     decided per second");
    println!("                      listed  settled  of which        RssAnon    RSS    peak");
    println!(" grants organizations                  decisions  memos                                anew  unchanged");
    for (grants, each) in [(1_000, GRANTS_EACH), (10_000, GRANTS_EACH), (100_000, GRANTS_EACH), (10_000, 10_000)] {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", "controller::footprint::what_grants_take"]);
        let output = child.env(ROW, format!("{grants}/{each}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        println!("{}", text.lines().find(|line| line.starts_with(' ')).unwrap());
    }
}

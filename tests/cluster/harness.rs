//! What the tests share: a control plane with the CRDs and an operator at work, and a client that speaks YAML.

pub use crate::stage::{Operator, Stage};
use crate::{leaks::plant_secret, plane::Plane};
use kube::{
    Client, Config,
    api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

/// Far more than anything here takes on an idle machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// The one that most tests share, with the log of its operator. It ends with the test program.
static SHARED: LazyLock<(Stage, PathBuf)> = LazyLock::new(|| {
    let stage = Stage::start();
    let store = format!("--store=sqlite://{}", stage.plane.folder().join("store.db").display());
    let log = stage.operator(&["--log-format=json", &store]).leave_running();
    (stage, log)
});

/// How many clients of clusters there are, each of a test that is under way.
static CLIENTS: AtomicU32 = AtomicU32::new(0);

/// A client of a cluster, and a name that no other test has.
pub struct Cluster {
    pub client: Client,
    config: Config,
    /// Begins the names of all that a test makes.
    pub name: String,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        CLIENTS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many tests are under way that have a cluster.
pub fn tests_under_way() -> u32 {
    CLIENTS.load(Ordering::Relaxed)
}

/// What the operator of the shared cluster has logged.
pub fn shared_log() -> Vec<u8> {
    std::fs::read(&SHARED.1).unwrap()
}

/// The shared cluster, with an operator at work.
pub async fn cluster() -> Cluster {
    let kubeconfig = tokio::task::spawn_blocking(|| SHARED.0.plane.kubeconfig().to_owned()).await.unwrap();
    Cluster::connect(&kubeconfig).await
}

/// The control plane that most tests share.
pub fn shared_plane() -> &'static Plane {
    &SHARED.0.plane
}

/// kubectl against the shared cluster.
pub fn shared_kubectl(arguments: &[&str]) -> String {
    SHARED.0.kubectl(arguments)
}

fn resource(kind: &str) -> (ApiResource, bool) {
    let (group, version, plural, is_namespaced) = match kind {
        "Organization" => ("entitlements.dev", "v1alpha1", "organizations", false),
        "FacetDefinition" => ("entitlements.dev", "v1alpha1", "facetdefinitions", false),
        "EntitlementDefinition" => ("entitlements.dev", "v1alpha1", "entitlementdefinitions", false),
        "EntitlementPlan" => ("entitlements.dev", "v1alpha1", "entitlementplans", false),
        "EntitlementSubscription" => ("entitlements.dev", "v1alpha1", "entitlementsubscriptions", true),
        "EntitlementOverride" => ("entitlements.dev", "v1alpha1", "entitlementoverrides", true),
        "OverrideDecision" => ("entitlements.dev", "v1alpha1", "overridedecisions", true),
        "EntitlementUsage" => ("entitlements.dev", "v1alpha1", "entitlementusages", true),
        "EntitlementInstance" => ("entitlements.dev", "v1alpha1", "entitlementinstances", true),
        "Namespace" => ("", "v1", "namespaces", false),
        "ConfigMap" => ("", "v1", "configmaps", true),
        "Secret" => ("", "v1", "secrets", true),
        "ValidatingAdmissionPolicy" => ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", false),
        "ValidatingAdmissionPolicyBinding" => {
            ("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", false)
        }
        "ClusterRole" => ("rbac.authorization.k8s.io", "v1", "clusterroles", false),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", false),
        "Role" => ("rbac.authorization.k8s.io", "v1", "roles", true),
        "RoleBinding" => ("rbac.authorization.k8s.io", "v1", "rolebindings", true),
        "SelfSubjectRulesReview" => ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", false),
        "Event" => ("events.k8s.io", "v1", "events", true),
        "ControllerRevision" => ("apps", "v1", "controllerrevisions", true),
        other => panic!("no such kind in the harness: {other}"),
    };
    (ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural), is_namespaced)
}

impl Cluster {
    pub async fn connect(kubeconfig: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::with(config, name)
    }

    fn with(config: Config, name: String) -> Self {
        CLIENTS.fetch_add(1, Ordering::Relaxed);
        Self { client: Client::try_from(config.clone()).unwrap(), config, name }
    }

    /// The same as a user who may do everything with ConfigMaps and Secrets in a namespace, and nothing else.
    pub async fn tenant(&self, namespace: &str) -> Self {
        let namespace = namespace.replace('$', &self.name);
        let user = format!("tenant-of-{namespace}");
        let metadata = json!({"name": "tenant", "namespace": namespace});
        let api_group = "rbac.authorization.k8s.io";
        let rules = json!([{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]}]);
        let subjects = json!([{"apiGroup": api_group, "kind": "User", "name": user}]);
        let role = json!({"apiGroup": api_group, "kind": "Role", "name": "tenant"});
        for (kind, field) in
            [("Role", json!({"rules": rules})), ("RoleBinding", json!({"subjects": subjects, "roleRef": role}))]
        {
            let mut object = json!({"apiVersion": format!("{api_group}/v1"), "kind": kind, "metadata": metadata});
            object.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
            self.create(object).await.unwrap();
        }
        self.as_user(&user)
    }

    /// The same as another user, `$` standing for the test's name, who may do what roles give him.
    pub fn as_user(&self, user: &str) -> Self {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(user.replace('$', &self.name));
        Self::with(config, self.name.clone())
    }

    /// Changes the status of an organization, as somebody could who may.
    pub async fn forge_status(&self, name: &str, status: Value) {
        let name = name.replace('$', &self.name);
        let patch = Patch::Merge(json!({"status": status}));
        self.api("Organization", "").patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits for the operator to do something else for organization `$`, which shows that it has seen all that came before.
    pub async fn operator_has_acted(&self) {
        let before = self.object("ConfigMap", "$", "entitlements").await;
        self.delete("ConfigMap", "$", "entitlements").await;
        let is_new = |seen: &Value| !seen.is_null() && seen["metadata"]["uid"] != before["metadata"]["uid"];
        self.until("ConfigMap", "$", "entitlements", "is made again", is_new).await;
    }

    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (resource, is_namespaced) = resource(kind);
        match is_namespaced {
            true => Api::namespaced_with(self.client.clone(), namespace, &resource),
            false => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Applies every document of a YAML text, `$` standing for the test's name, as `kubectl apply --server-side` would.
    pub async fn apply(&self, yaml: &str) {
        if let Err(error) = self.try_apply(yaml).await {
            panic!("{error}");
        }
    }

    /// The message with which a YAML text is refused.
    pub async fn refused(&self, yaml: &str) -> String {
        self.try_apply(yaml).await.expect_err(&format!("it should have been refused: {yaml}"))
    }

    pub async fn try_apply(&self, yaml: &str) -> Result<(), String> {
        let yaml = yaml.replace('$', &self.name);
        for document in serde_saphyr::from_multiple::<Value>(&yaml).unwrap() {
            if document.is_null() {
                continue;
            }
            plant_secret(&document);
            let object: DynamicObject = serde_json::from_value(document).unwrap();
            let kind = object.types.clone().unwrap().kind;
            let api = self.api(&kind, object.metadata.namespace.as_deref().unwrap_or("entitlements"));
            let name = object.metadata.name.clone().unwrap();
            let params = PatchParams {
                field_validation: Some(kube::api::ValidationDirective::Strict),
                ..PatchParams::apply("test").force()
            };
            api.patch(&name, &params, &Patch::Apply(&object)).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    pub async fn create(&self, object: Value) -> Result<Value, String> {
        plant_secret(&object);
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        let kind = object.types.clone().unwrap().kind;
        let api = self.api(&kind, object.metadata.namespace.as_deref().unwrap_or_default());
        let made = api.create(&PostParams::default(), &object).await.map_err(|error| error.to_string())?;
        Ok(serde_json::to_value(made).unwrap())
    }

    pub async fn merge(&self, kind: &str, namespace: &str, name: &str, patch: Value) -> Result<(), String> {
        if kind == "Secret" {
            let mut secret = patch.clone();
            secret["kind"] = "Secret".into();
            plant_secret(&secret);
        }
        let name = name.replace('$', &self.name);
        let namespace = namespace.replace('$', &self.name);
        let patched = self.api(kind, &namespace).patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| error.to_string())
    }

    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let name = name.replace('$', &self.name);
        let namespace = namespace.replace('$', &self.name);
        self.api(kind, &namespace).delete(&name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let name = name.replace('$', &self.name);
        let namespace = namespace.replace('$', &self.name);
        let found = self.api(kind, &namespace).get_opt(&name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    pub async fn list(&self, kind: &str, namespace: &str) -> Vec<Value> {
        let namespace = namespace.replace('$', &self.name);
        let all = self.api(kind, &namespace).list(&ListParams::default()).await.unwrap();
        all.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Looks at an object until it is as expected, and returns it then.
    pub async fn until(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        let started = Instant::now();
        loop {
            let seen = self.get(kind, namespace, name).await.unwrap_or(Value::Null);
            if is(&seen) {
                return seen;
            }
            assert!(
                started.elapsed() < DEADLINE,
                "{kind} {namespace}/{name}: {what}: not so within {DEADLINE:?}; last seen: {seen:#}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a grant in namespace `entitlements` is in that phase, with its status up to date.
    pub async fn phase(&self, name: &str, phase: &str) -> Value {
        self.until("EntitlementInstance", "entitlements", name, phase, |seen| {
            is_current(seen) && seen["status"]["phase"] == phase
        })
        .await
    }

    /// Waits until a condition of an object has that status and reason, with the status up to date.
    pub async fn condition(&self, kind: &str, name: &str, type_: &str, status: &str, reason: &str) -> Value {
        let what = format!("{type_}={status}, {reason}");
        let found = self
            .until(kind, "entitlements", name, &what, |seen| {
                let condition = condition(seen, type_);
                is_current(seen) && condition["status"] == status && condition["reason"] == reason
            })
            .await;
        condition(&found, type_)
    }

    /// Waits until a ConfigMap or Secret is there, and returns it.
    pub async fn object(&self, kind: &str, namespace: &str, name: &str) -> Value {
        self.until(kind, namespace, name, "exists", |seen| !seen.is_null()).await
    }

    pub async fn gone(&self, kind: &str, namespace: &str, name: &str) {
        self.until(kind, namespace, name, "is gone", Value::is_null).await;
    }

    /// Waits until the summary in a namespace has an entry that is as expected.
    pub async fn summary(&self, namespace: &str, handle: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let handle = handle.replace('$', &self.name);
        let found = self.until("ConfigMap", namespace, "entitlements", what, |seen| is(&entry(seen, &handle))).await;
        entry(&found, &handle)
    }

    /// An organization `$` in namespace `$`, with a definition `$` of type Feature that writes a ConfigMap.
    pub async fn feature(&self) {
        self.apply(ORGANIZATION).await;
        self.apply(FEATURE).await;
    }

    /// Makes a grant of `$` to `$` whose term ends in some seconds, and returns how late it has ended and its ConfigMap is gone.
    pub async fn lateness(&self, name: &str) -> Duration {
        let seconds = seconds_from_now(10);
        let end = chrono::DateTime::parse_from_rfc3339(&seconds).unwrap();
        self.create(grant(name, &self.name, &self.name, json!({"end": seconds}))).await.unwrap();
        self.phase(name, "Active").await;
        self.object("ConfigMap", "$", "$").await;
        self.phase(name, "Expired").await;
        self.gone("ConfigMap", "$", "$").await;
        SystemTime::now().duration_since(end.into()).unwrap()
    }

    /// Waits until an event with that reason regards an object.
    pub async fn event(&self, name: &str, reason: &str) {
        let started = Instant::now();
        loop {
            let events = self.events(name).await;
            if events.iter().any(|(one, _)| one == reason) {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{name}: no event {reason} within {DEADLINE:?}; seen: {events:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The reasons and notes of the events that regard an object.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let name = name.replace('$', &self.name);
        let events = self.list("Event", "entitlements").await;
        let of_object = events.iter().filter(|event| event["regarding"]["name"] == *name);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        of_object.map(|event| (text(&event["reason"]), text(&event["note"]))).collect()
    }
}

pub const ORGANIZATION: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: $}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: $}
spec: {displayName: The Client, namespaces: [$]}
";

/// What a grant can bring a password with.
pub const PASSWORD: &str = "
apiVersion: entitlements.dev/v1alpha1
kind: FacetDefinition
metadata: {name: $}
spec: {schema: {type: object, properties: {password: {type: string, writeOnly: true}}}}
";

pub const FEATURE: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: $}
spec:
  type: Feature
  outputs:
    - name: config
      kind: ConfigMap
      items: [{key: who, template: "{{ organization.displayName }}"}]
"#;

/// For a test that keeps the machine busy for a minute: there is one at a time, as each has its deadlines.
pub async fn alone_among_the_heavy() -> tokio::sync::MutexGuard<'static, ()> {
    static HEAVY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    HEAVY.lock().await
}

/// Whether the operator has seen the object as it is now.
pub fn is_current(object: &Value) -> bool {
    !object.is_null() && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

pub fn condition(object: &Value, type_: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|one| one["type"] == type_)).cloned().unwrap_or(Value::Null)
}

/// An entry of a summary ConfigMap, which is valid by its schema; null where it is not there.
pub fn entry(config_map: &Value, handle: &str) -> Value {
    let Some(text) = config_map["data"]["entitlements.json"].as_str() else { return Value::Null };
    let summary: Value = serde_json::from_str(text).unwrap();
    assert_eq!(crate::summary_schema::problems(&summary), Vec::<String>::new(), "{summary:#}");
    summary["entitlements"][handle].clone()
}

/// A time so many seconds from now, as manifests have it.
pub fn seconds_from_now(seconds: i64) -> String {
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let at = now + chrono::TimeDelta::seconds(seconds);
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A grant of `definition` to `organization`, with more fields of its spec.
pub fn grant(name: &str, organization: &str, definition: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1",
        "kind": "EntitlementInstance",
        "metadata": {"name": name, "namespace": "entitlements"},
        "spec": spec,
    });
    object["spec"]["organization"] = organization.into();
    object["spec"]["definition"] = definition.into();
    object
}

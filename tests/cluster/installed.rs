//! The operator as its installation runs it: with the service account, the rights, the share of the API server, the arguments and
//! the environment that the chart gives. The objects of `manifests` stand for the chart's: tests/cli/chart.rs holds them equal.

use crate::{
    harness::DEADLINE,
    plane::{Identity, Plane},
    wait::eventually,
};
use entitlement_operator::installation::{Installation, NAME, OPERATOR_NAMESPACE};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// What a second operator of the same cluster has for itself; the rest is there already.
const OWN: [&str; 7] = [
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "PriorityLevelConfiguration",
    "FlowSchema",
];
/// What tests have otherwise: there is no Service here, and people read the log.
const OTHERWISE: [&str; 2] = ["--http-address=127.0.0.1:0", "--log-format=text"];
/// Who is restricted in a test brings rights of his own.
const RESTRICTIONS: [&str; 3] = ["--namespaces", "--secret-namespaces", "--read-only"];

/// What is installed on a plane.
#[derive(Default)]
pub struct Installed {
    is_there: AtomicBool,
    /// By the namespace of the operator, and how it registers a webhook.
    kubeconfigs: Mutex<BTreeMap<String, PathBuf>>,
}

/// How an operator is started.
pub struct Launch {
    pub kubeconfig: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

fn value_of<'a>(arguments: &[&'a str], flag: &str) -> Option<&'a str> {
    arguments.iter().find_map(|argument| argument.strip_prefix(flag)?.strip_prefix('='))
}

fn flag(argument: &str) -> &str {
    argument.split('=').next().unwrap()
}

fn installation(namespace: &str, webhook: bool, api: bool) -> Vec<Value> {
    let installation = Installation::new(namespace, "registry.example/operator:1", webhook).unwrap();
    installation.answering_checks(api).objects().unwrap()
}

/// Applies objects in one go.
fn apply(plane: &Plane, objects: &[Value]) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = plane.folder().join(format!("installation-{number}.json"));
    fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    // An operator that runs already may make its own namespace at the same moment.
    let arguments = ["apply", "--server-side", "--force-conflicts", "--filename", path.to_str().unwrap()];
    plane.run_kubectl(&arguments).unwrap_or_else(|error| panic!("{error}"));
}

/// An operator outside the cluster makes its registration itself, which takes more.
fn of_registration(configuration: &str) -> [Value; 2] {
    let name = format!("registers-{configuration}");
    let right = |verbs: &[&str], names: &[&str]| {
        let resources = ["validatingwebhookconfigurations"];
        let groups = ["admissionregistration.k8s.io"];
        json!({"apiGroups": groups, "resources": resources, "resourceNames": names, "verbs": verbs})
    };
    let api_group = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{api_group}/v1"),
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [right(&["create"], &[]), right(&["list", "watch", "update"], &[configuration])],
    });
    let subject = json!({"apiGroup": api_group, "kind": "Group", "name": "system:serviceaccounts"});
    let binding = json!({
        "apiVersion": format!("{api_group}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": name},
        "subjects": [subject],
    });
    [role, binding]
}

impl Installed {
    /// All that `manifests` makes.
    pub fn install(&self, plane: &Plane) {
        apply(plane, &installation(OPERATOR_NAMESPACE, false, false));
        self.is_there.store(true, Ordering::Relaxed);
        // Operators start while there is no API server, too.
        self.kubeconfig(plane, &[], OPERATOR_NAMESPACE);
    }

    /// How an operator with these arguments runs. Without an installation, it has the administrator's rights.
    pub fn launch(&self, plane: &Plane, arguments: &[&str], number: u32) -> Launch {
        let namespace = value_of(arguments, "--namespace").unwrap_or(OPERATOR_NAMESPACE);
        let given = |name: &str| arguments.iter().any(|argument| flag(argument) == name);
        let (mut all, mut environment) = rendered(namespace);
        all.retain(|one| !given(flag(one)) && !OTHERWISE.iter().any(|other| flag(other) == flag(one)));
        all.extend(OTHERWISE.iter().filter(|other| !given(flag(other))).map(ToString::to_string));
        all.extend(arguments.iter().map(ToString::to_string));
        let brings_rights = RESTRICTIONS.iter().any(|restriction| given(restriction));
        let kubeconfig = match self.is_there.load(Ordering::Relaxed) && !given("--kubeconfig") && !brings_rights {
            true => self.kubeconfig(plane, arguments, namespace),
            false => plane.kubeconfig().to_owned(),
        };
        environment.push(("POD_NAME".to_owned(), format!("{NAME}-{number}")));
        Launch { kubeconfig, arguments: all, environment }
    }

    /// That of the service account.
    fn kubeconfig(&self, plane: &Plane, arguments: &[&str], namespace: &str) -> PathBuf {
        let has_webhook = arguments.iter().any(|argument| argument.starts_with("--webhook-"));
        let registers = has_webhook && !arguments.contains(&"--webhook-register=false");
        let configuration = value_of(arguments, "--webhook-configuration").unwrap_or(NAME);
        let has_more = registers || configuration != NAME;
        let answers = arguments.iter().any(|argument| argument.starts_with("--api-address"));
        let key = format!("{namespace} {has_webhook} {registers} {configuration} {answers}");
        let mut kubeconfigs = self.kubeconfigs.lock().unwrap();
        if let Some(kubeconfig) = kubeconfigs.get(&key) {
            return kubeconfig.clone();
        }
        // Both at once, so that neither takes the other's rights from an operator beside it.
        let serves = has_webhook || answers;
        if serves || namespace != OPERATOR_NAMESPACE {
            let mut objects = installation(namespace, serves, serves);
            objects.retain(|object| OWN.iter().any(|kind| object["kind"] == *kind));
            if has_more {
                objects.extend(of_registration(configuration));
            }
            apply(plane, &objects);
        }
        let account = Identity::ServiceAccount { namespace, name: NAME };
        let kubeconfig = plane.kubeconfig_for(account).unwrap_or_else(|error| panic!("{error}"));
        may(plane, &kubeconfig, ["patch", "configmaps"]);
        if has_more {
            may(plane, &kubeconfig, ["create", "validatingwebhookconfigurations"]);
        }
        if answers {
            may(plane, &kubeconfig, ["create", "tokenreviews"]);
        }
        kubeconfigs.insert(key, kubeconfig.clone());
        kubeconfig
    }
}

/// Waits until rights that have been given are known.
fn may(plane: &Plane, kubeconfig: &std::path::Path, [verb, resource]: [&str; 2]) {
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    eventually(DEADLINE, "the rights are known", || {
        let asked = plane.run_kubectl(&["auth", "can-i", verb, resource, "--all-namespaces", &kubeconfig]);
        asked.map(drop).map_err(|error| error.to_string())
    });
}

/// The arguments of the Deployment, but for `run`, and the variables that it sets.
fn rendered(namespace: &str) -> (Vec<String>, Vec<(String, String)>) {
    let objects = installation(namespace, false, false);
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let (text, list) =
        (|value: &Value| value.as_str().unwrap().to_owned(), |name: &str| container[name].as_array().unwrap());
    let (taken, set): (Vec<&Value>, Vec<&Value>) = list("env").iter().partition(|variable| variable["value"].is_null());
    assert_eq!(taken.iter().map(|variable| text(&variable["name"])).collect::<Vec<_>>(), ["POD_NAME"]);
    let arguments: Vec<String> = list("args").iter().map(text).collect();
    assert_eq!(arguments[0], "run");
    (arguments[1..].to_vec(), set.iter().map(|variable| (text(&variable["name"]), text(&variable["value"]))).collect())
}

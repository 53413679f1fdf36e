//! The control plane's programs: where they are, and the flags that they run with.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::credentials::Credentials;
use super::error::PlaneError;
use super::place::Place;

/// The controllers that tests need: deletion of what is owned, deletion of namespaces, the `default` service account and
/// the root certificate in each namespace, and aggregated cluster roles.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller,\
                           serviceaccount-controller,root-ca-certificate-publisher-controller,\
                           clusterrole-aggregation-controller";

/// `target/control-plane` of this repository.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/control-plane")
}

/// The folders in which programs are looked for, in order: that of `KUBEBUILDER_ASSETS`, and that of `build.sh`. The
/// former rarely has a kube-controller-manager.
pub fn folders() -> Vec<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    let built = home().join("bin");
    assets.map(PathBuf::from).into_iter().chain([built]).collect()
}

/// Where a program is.
pub fn find(program: &'static str) -> Result<PathBuf, PlaneError> {
    let looked_for: Vec<_> = folders().into_iter().map(|folder| folder.join(program)).collect();
    match looked_for.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(PlaneError::NotBuilt { program, looked_for }),
    }
}

/// A flag and its value.
fn flag(name: &str, value: impl Into<OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value.into());
    flag
}

/// etcd's flags.
pub fn etcd(place: &Place) -> Vec<OsString> {
    let clients = etcd_url(place);
    vec![
        flag("data-dir", place.folder.join("etcd")),
        flag("listen-client-urls", clients.clone()),
        flag("advertise-client-urls", clients),
        // It has no peers, and listens for them nevertheless.
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        // The data are lost when the machine goes down, and not when etcd does.
        flag("unsafe-no-fsync", "true"),
        flag("quota-backend-bytes", (8_u64 << 30).to_string()),
        flag("log-level", "warn"),
    ]
}

fn etcd_url(place: &Place) -> String {
    format!("http://127.0.0.1:{}", place.etcd_port)
}

/// The folder of the API server's own certificate.
pub fn certificates(place: &Place) -> PathBuf {
    place.folder.join("certificates")
}

/// The certificate that the API server makes, with the one that signed it.
pub fn authority(place: &Place) -> PathBuf {
    certificates(place).join("apiserver.crt")
}

/// What an audit log is written to, and by which policy.
pub struct Audit {
    /// The log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
}

/// One line for each answered request, and one more at the start of each watch. What an organization's status is to be is told too.
pub const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "Request", "resources": [{"group": "entitlements.dev", "resources": ["organizations/status"]}]},
    {"level": "Metadata"}
  ]
}
"#;

/// The API server's flags.
pub fn api_server(
    place: &Place,
    credentials: &Credentials,
    audit: Option<&Audit>,
    admission: Option<&Path>,
) -> Vec<OsString> {
    let mut flags = vec![
        flag("etcd-servers", etcd_url(place)),
        flag("bind-address", "127.0.0.1"),
        flag("secure-port", place.api_server_port.to_string()),
        // The endpoint of the service `kubernetes` must not be a loopback address, and nothing here uses it.
        flag("advertise-address", "127.0.0.1"),
        flag("endpoint-reconciler-type", "none"),
        flag("cert-dir", certificates(place)),
        flag("authorization-mode", "RBAC"),
        flag("token-auth-file", &credentials.token_file),
        flag("service-account-key-file", &credentials.service_account_public_key),
        flag("service-account-signing-key-file", &credentials.service_account_key),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-cluster-ip-range", "10.0.0.0/24"),
        // A load test shall find the operator's limits, and not these.
        flag("max-requests-inflight", "4000"),
        flag("max-mutating-requests-inflight", "2000"),
    ];
    if let Some(admission) = admission {
        flags.push(flag("admission-control-config-file", admission));
    }
    if let Some(audit) = audit {
        flags.push(flag("audit-policy-file", &audit.policy));
        flags.push(flag("audit-log-path", &audit.log));
        // Whoever counts requests wants one file with each request in it as soon as it is answered.
        flags.push(flag("audit-log-mode", "blocking"));
        flags.push(flag("audit-log-maxsize", "0"));
    }
    flags
}

/// The controller manager's flags.
pub fn controller_manager(place: &Place, credentials: &Credentials, kubeconfig: &Path) -> Vec<OsString> {
    vec![
        flag("kubeconfig", kubeconfig),
        flag("controllers", CONTROLLERS),
        flag("use-service-account-credentials", "true"),
        flag("service-account-private-key-file", &credentials.service_account_key),
        flag("root-ca-file", authority(place)),
        flag("leader-elect", "false"),
        flag("secure-port", "0"),
        flag("kube-api-qps", "1000"),
        flag("kube-api-burst", "2000"),
    ]
}

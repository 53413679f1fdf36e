//! A control plane of a test's own, and the operators that run on it.

use crate::{
    harness::Cluster,
    installed::Installed,
    leaks::Search,
    plane::{Identity, Plane, PlaneOptions, Process},
};
use entitlement_operator::installation::{NAME, OPERATOR_NAMESPACE};
use serde_json::json;
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_entitlement-operator");

/// What operators log in tests, in which secret values are looked for afterwards.
const LOG: &str = "trace";

/// A control plane with the CRDs and the operator's namespace.
pub struct Stage {
    pub plane: Plane,
    installed: Installed,
}

impl Stage {
    /// A plane of a test's own, without an operator.
    pub fn start() -> Self {
        Self::start_with(PlaneOptions::default())
    }

    pub fn start_with(options: PlaneOptions) -> Self {
        let mut stage = Self::bare(PlaneOptions { controllers: false, ..options });
        stage.install();
        stage.plane.start_process(Process::ControllerManager).unwrap_or_else(|error| panic!("{error}"));
        stage
    }

    /// Without the CRDs.
    pub fn bare(options: PlaneOptions) -> Self {
        let plane = Plane::start(options).unwrap_or_else(|error| panic!("{error}"));
        Self { plane, installed: Installed::default() }
    }

    /// All that an installation has. From now on, operators have the rights of its service account.
    pub fn install(&self) {
        self.installed.install(&self.plane);
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    }

    /// The kinds and the namespaces alone.
    pub fn install_kinds(&self) {
        let crds = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
        self.kubectl(&["apply", "--filename", crds]);
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
        let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let namespaces = ["entitlement-operator", "entitlements"].map(namespace);
        let path = self.plane.folder().join("namespaces.json");
        fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": namespaces}).to_string()).unwrap();
        // An operator that runs already may make its own at the same moment.
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", path.to_str().unwrap()]);
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.run_kubectl(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts an operator, which ends when it is dropped.
    pub fn operator(&self, arguments: &[&str]) -> Operator {
        self.operator_that_logs(LOG, arguments)
    }

    pub fn operator_that_logs(&self, filter: &str, arguments: &[&str]) -> Operator {
        self.spawn_operator("", filter, arguments)
    }

    /// One that may have so many files open.
    pub fn operator_with_files(&self, files: u32, arguments: &[&str]) -> Operator {
        self.spawn_operator(&format!("ulimit -n {files}; "), "info", arguments)
    }

    /// One with these environment variables, whose values are plain words.
    pub fn operator_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Operator {
        let exports =
            environment.iter().map(|(name, value)| format!("export {name}={value}; ")).collect::<Vec<_>>().concat();
        self.spawn_operator(&exports, LOG, arguments)
    }

    /// The shell runs what is given first.
    fn spawn_operator(&self, first: &str, filter: &str, arguments: &[&str]) -> Operator {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let launch = self.installed.launch(&self.plane, arguments, number);
        let path = self.plane.folder().join(format!("operator-{number}.log"));
        let log = File::create(&path).unwrap();
        // The shell ends the operator when the pipe closes, be it that the test program was killed.
        let script = r#""$@" <&- & program=$!; read -r order; kill "${order:-"-TERM"}" $program; wait $program"#;
        let script = format!("{first}{script}");
        let child = Command::new("sh")
            .args(["-c", &script, "sh", PROGRAM, "run"])
            .args(&launch.arguments)
            .envs(launch.environment)
            .env("KUBECONFIG", launch.kubeconfig)
            .env("RUST_LOG", std::env::var("OPERATOR_LOG").unwrap_or_else(|_| filter.to_owned()))
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Operator { child, log: path }
    }

    /// What `manifests` prints with these options, in a file.
    pub fn manifests(&self, options: &[&str]) -> PathBuf {
        let printed = Command::new(PROGRAM).arg("manifests").args(options).output().unwrap();
        assert!(printed.status.success(), "{options:?}: {}", String::from_utf8_lossy(&printed.stderr));
        let path = self.plane.folder().join("manifests.yaml");
        fs::write(&path, printed.stdout).unwrap();
        path
    }

    /// Applies that, whatever is there already.
    pub fn apply_manifests(&self, options: &[&str]) {
        let path = self.manifests(options);
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", path.to_str().unwrap()]);
    }

    /// The argument by which an operator has the rights of its installation's service account, and no others.
    pub fn of_account(&self) -> String {
        let account = Identity::ServiceAccount { namespace: OPERATOR_NAMESPACE, name: NAME };
        format!("--kubeconfig={}", self.plane.kubeconfig_for(account).unwrap().display())
    }

    pub async fn cluster(&self) -> Cluster {
        Cluster::connect(self.plane.kubeconfig()).await
    }
}

/// An operator that runs until it is dropped.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Ends as the kubelet ends it: SIGTERM.
    pub fn stop(mut self) {
        self.end("-TERM");
    }

    /// Ends as a crash does: SIGKILL.
    pub fn kill(mut self) {
        self.end("-KILL");
    }

    fn end(&mut self, signal: &str) {
        use std::io::Write;
        if let Some(mut pipe) = self.child.stdin.take() {
            let _ = writeln!(pipe, "{signal}");
        }
        let _ = self.child.wait();
    }

    /// The operator itself, which is the only child of the shell around it.
    pub fn process(&self) -> u32 {
        let shell = self.child.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        children.trim().parse().unwrap()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// It ends with the test program. Its log stays.
    pub fn leave_running(self) -> PathBuf {
        let log = self.log.clone();
        std::mem::forget(self);
        log
    }
}

impl Drop for Operator {
    /// Whatever a test is about, no operator may have logged a secret value.
    fn drop(&mut self) {
        self.end("-TERM");
        if !std::thread::panicking() {
            let log = fs::read(&self.log).unwrap_or_default();
            Search::of_all_planted().check("the log of an operator", &log);
        }
    }
}

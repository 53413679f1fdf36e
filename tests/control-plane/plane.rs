//! A real Kubernetes control plane on this machine: etcd, kube-apiserver and kube-controller-manager.
//!
//! Include it by `#[path = "…/control-plane/plane.rs"] mod plane;`, also from this folder. No process of a plane
//! outlives the one that started it; see `supervised.rs`.
#![allow(dead_code, reason = "each program that includes this uses a part of it")]

mod credentials;
mod error;
mod loopback;
pub mod place;
pub mod poll;
pub mod programs;
mod supervised;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

pub use credentials::Identity;
use credentials::{Cluster, Credentials};
pub use error::PlaneError;
use place::Place;
use programs::Audit;
use supervised::{Order, Supervised};

/// How long until a kubectl looks once more.
const BETWEEN_KUBECTLS: Duration = Duration::from_millis(400);

/// One of the programs that make up a control plane, in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// Garbage collection, deletion of namespaces, service accounts.
    ControllerManager,
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Etcd, Self::ApiServer, Self::ControllerManager];

    /// The program's name.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
        }
    }
}

/// How a plane differs from the usual one.
#[derive(Clone, Debug)]
pub struct PlaneOptions {
    /// Whether the API server writes an audit log: at level Metadata, but for statuses of organizations.
    pub audit: bool,
    /// The API server's `AdmissionConfiguration`, such as for the certificate that it shows to webhooks.
    pub admission: Option<PathBuf>,
    /// A folder to live in, which stays; a plane that was there before goes on with its data. Without one, the plane has
    /// a folder of its own under `target/control-plane/run`, which goes with it unless `CONTROL_PLANE_KEEP` is set.
    pub folder: Option<PathBuf>,
    /// Whether the controllers start with it. They look for new kinds as they start, and every 30 s: who installs some starts them then.
    pub controllers: bool,
    /// Whether the API server streams lists to who watches. Kubernetes 1.33 does not, unless it is told to.
    pub streams_lists: bool,
    /// How long each of the programs may take to start.
    pub deadline: Duration,
}

impl Default for PlaneOptions {
    fn default() -> Self {
        Self {
            audit: false,
            admission: None,
            folder: None,
            controllers: true,
            streams_lists: true,
            deadline: Duration::from_mins(2),
        }
    }
}

/// A control plane that runs. Dropping it ends every process, and removes its folder.
pub struct Plane {
    running: BTreeMap<Process, Supervised>,
    credentials: Credentials,
    audit: Option<Audit>,
    admission: Option<PathBuf>,
    streams_lists: bool,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    kubeconfigs: AtomicUsize,
    deadline: Duration,
    place: Place,
}

impl Plane {
    /// Starts a control plane, and returns when its API server and, with these, its controllers are at work.
    ///
    /// # Errors
    /// A program is not built, does not start in time, or ends; the message has the end of its log.
    pub fn start(options: PlaneOptions) -> Result<Self, PlaneError> {
        let PlaneOptions { audit, admission, folder, controllers, streams_lists, deadline } = options;
        for process in Process::ALL {
            programs::find(process.program())?;
        }
        let kubectl = programs::find("kubectl")?;
        let keep = env::var_os("CONTROL_PLANE_KEEP").is_some_and(|value| !value.is_empty());
        let run = programs::home().join("run");
        let place = Place::take(&run, folder.as_deref(), keep)?;
        let credentials = Credentials::prepare(&place.folder)?;
        let mut started = Self {
            running: BTreeMap::new(),
            credentials,
            audit: audit
                .then(|| Audit { log: place.folder.join("audit.log"), policy: place.folder.join("audit-policy.json") }),
            admission,
            streams_lists,
            kubectl,
            kubeconfig: place.folder.join("kubeconfig"),
            kubeconfigs: AtomicUsize::new(0),
            deadline,
            place,
        };
        started.write_files()?;
        // The API server needs a second before it first asks etcd for anything.
        started.launch(Process::Etcd)?;
        started.launch(Process::ApiServer)?;
        started.await_etcd()?;
        started.await_api_server()?;
        if controllers {
            started.start_process(Process::ControllerManager)?;
        }
        Ok(started)
    }

    /// The kubeconfig of user `admin` in group `system:masters`, who may do anything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Writes a new kubeconfig that speaks as someone else.
    ///
    /// # Errors
    /// The service account does not exist, or the API server does not run.
    pub fn kubeconfig_for(&self, identity: Identity<'_>) -> Result<PathBuf, PlaneError> {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.place.folder.join("kubeconfigs").join(number.to_string());
        let (user, namespace) = match identity {
            Identity::User { name, groups } => {
                let token = &self.credentials.admin_token;
                (json!({"token": token, "as": name, "as-groups": groups}), None)
            }
            Identity::ServiceAccount { namespace, name } => {
                let token = self.run_kubectl(&["create", "token", name, "--namespace", namespace, "--duration=24h"])?;
                (json!({"token": token.trim_end()}), Some(namespace))
            }
        };
        self.write_kubeconfig(&path, &user, namespace)?;
        Ok(path)
    }

    /// Ends a process as an orderly shutdown does: SIGTERM, and SIGKILL after three seconds. Returns when it is gone.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub fn stop(&mut self, process: Process) -> Result<(), PlaneError> {
        self.end(process, Order::Stop)
    }

    /// Ends a process as a crash does, by SIGKILL. Returns when it is gone.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub fn kill(&mut self, process: Process) -> Result<(), PlaneError> {
        self.end(process, Order::Kill)
    }

    /// Starts a process that does not run, with the ports and the data that it had, and returns when it is at work.
    ///
    /// # Errors
    /// It ends, or is not at work in time.
    pub fn start_process(&mut self, process: Process) -> Result<(), PlaneError> {
        if !self.is_running(process)? {
            self.launch(process)?;
        }
        match process {
            Process::Etcd => {
                self.await_etcd()?;
                if self.is_running(Process::ApiServer)? {
                    self.await_api_server()?;
                }
                Ok(())
            }
            Process::ApiServer => self.await_api_server(),
            Process::ControllerManager => self.await_controllers(),
        }
    }

    /// Stops a process and starts it again.
    ///
    /// # Errors
    /// As for [`Self::start_process`].
    pub fn restart(&mut self, process: Process) -> Result<(), PlaneError> {
        self.stop(process)?;
        self.start_process(process)
    }

    /// A kubectl that speaks as `admin`, and that reads and writes nothing of the user's own.
    pub fn kubectl(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        let home = self.place.folder.join("home");
        command.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", home.join("cache")).env("HOME", home);
        // It is gone before it has filled any memory.
        command.env("GOGC", "400");
        command
    }

    /// Runs kubectl as `admin`, and returns what it writes to standard output.
    ///
    /// # Errors
    /// It fails; the message has its standard error.
    pub fn run_kubectl(&self, arguments: &[&str]) -> Result<String, PlaneError> {
        let output = self
            .kubectl()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(PlaneError::io("running", &self.kubectl))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(PlaneError::Kubectl {
            arguments: arguments.join(" "),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// All that the plane writes is in here.
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// What a process has written to its standard output and error, over all its starts.
    pub fn log(&self, process: Process) -> PathBuf {
        self.place.folder.join(format!("{}.log", process.program()))
    }

    /// The audit log, if the plane has one: a line of JSON (an `Event` of `audit.k8s.io/v1`) for each request that was
    /// answered (stage `ResponseComplete`), and for each watch a further one when it starts (`ResponseStarted`).
    pub fn audit_log(&self) -> Option<&Path> {
        self.audit.as_ref().map(|audit| audit.log.as_path())
    }

    fn controller_manager_kubeconfig(&self) -> PathBuf {
        self.place.folder.join("controller-manager.kubeconfig")
    }

    fn write_files(&self) -> Result<(), PlaneError> {
        let folder = self.place.folder.join("kubeconfigs");
        fs::create_dir_all(&folder).map_err(PlaneError::io("creating", &folder))?;
        let script = supervised::script(&self.place);
        fs::write(&script, supervised::SCRIPT).map_err(PlaneError::io("writing", &script))?;
        if let Some(audit) = &self.audit {
            fs::write(&audit.policy, programs::AUDIT_POLICY).map_err(PlaneError::io("writing", &audit.policy))?;
        }
        let admin = json!({"token": self.credentials.admin_token});
        self.write_kubeconfig(&self.kubeconfig, &admin, None)?;
        let controller_manager = json!({"token": self.credentials.controller_manager_token});
        self.write_kubeconfig(&self.controller_manager_kubeconfig(), &controller_manager, None)
    }

    fn write_kubeconfig(
        &self,
        path: &Path,
        user: &serde_json::Value,
        namespace: Option<&str>,
    ) -> Result<(), PlaneError> {
        let cluster = Cluster { port: self.place.api_server_port, authority: &programs::authority(&self.place) };
        cluster.write_kubeconfig(path, user, namespace)
    }

    fn flags(&self, process: Process) -> Vec<OsString> {
        let (place, credentials) = (&self.place, &self.credentials);
        match process {
            Process::Etcd => programs::etcd(place),
            Process::ApiServer => {
                let mut flags =
                    programs::api_server(place, credentials, self.audit.as_ref(), self.admission.as_deref());
                if !self.streams_lists {
                    flags.push("--feature-gates=WatchList=false".into());
                }
                flags
            }
            Process::ControllerManager => {
                programs::controller_manager(place, credentials, &self.controller_manager_kubeconfig())
            }
        }
    }

    fn launch(&mut self, process: Process) -> Result<(), PlaneError> {
        let program = programs::find(process.program())?;
        let flags = self.flags(process);
        let supervised = Supervised::start(&self.place, process.program(), &program, &flags)
            .map_err(PlaneError::io("starting", &program))?;
        self.running.insert(process, supervised);
        Ok(())
    }

    fn end(&mut self, process: Process, order: Order) -> Result<(), PlaneError> {
        let Some(supervised) = self.running.remove(&process) else {
            return Ok(());
        };
        let program = Path::new(process.program());
        supervised.end(order).map_err(PlaneError::io("ending", program))
    }

    fn is_running(&mut self, process: Process) -> Result<bool, PlaneError> {
        let Some(supervised) = self.running.get_mut(&process) else {
            return Ok(false);
        };
        let program = Path::new(process.program());
        let ended = supervised.has_ended().map_err(PlaneError::io("looking at", program))?;
        Ok(!ended)
    }

    /// Fails for a process that was started and has ended by itself.
    fn check_all(&mut self) -> Result<(), PlaneError> {
        for process in Process::ALL {
            if self.running.contains_key(&process) && !self.is_running(process)? {
                let log = self.log(process);
                return Err(PlaneError::Ended { program: process.program(), said: end_of(&log), log });
            }
        }
        Ok(())
    }

    fn wait(
        &mut self,
        awaited: &'static str,
        mut look: impl FnMut(&Self) -> Result<(), String>,
    ) -> Result<(), PlaneError> {
        let within = self.deadline;
        let done = poll::until(within, || match self.check_all() {
            Ok(()) => look(self).map(Ok),
            // Nothing comes about any more: to look again would be in vain.
            Err(error) => Ok(Err(error)),
        });
        done.unwrap_or_else(|last| Err(PlaneError::Late { awaited, within, last }))
    }

    fn await_etcd(&mut self) -> Result<(), PlaneError> {
        self.wait("etcd is ready", |plane| {
            let answer = loopback::get_readyz(plane.place.etcd_port).map_err(|error| error.to_string())?;
            match answer.lines().next() {
                Some(status) if status.ends_with(" 200 OK") => Ok(()),
                _ => Err(answer),
            }
        })
    }

    fn await_api_server(&mut self) -> Result<(), PlaneError> {
        self.wait("the API server is ready", |plane| {
            // Cheaper than a kubectl while nothing listens yet.
            loopback::connect(plane.place.api_server_port).map_err(|error| error.to_string())?;
            plane.look_with_kubectl(&["get", "--raw=/readyz", "--request-timeout=5s"])
        })
    }

    fn await_controllers(&mut self) -> Result<(), PlaneError> {
        // The controllers' work of an earlier start says nothing about this one: take some of it away.
        self.run_kubectl(&["delete", "configmap/kube-root-ca.crt", "--namespace=default", "--ignore-not-found"])?;
        self.wait("the controllers are at work", |plane| {
            plane.look_with_kubectl(&[
                "get",
                "serviceaccount/default",
                "configmap/kube-root-ca.crt",
                "--namespace=default",
                "--output=name",
                "--request-timeout=5s",
            ])
        })
    }

    fn look_with_kubectl(&self, arguments: &[&str]) -> Result<(), String> {
        self.run_kubectl(arguments).map(|_| ()).map_err(|error| {
            // A kubectl takes a third of a second of a processor, which what is waited for needs, too.
            thread::sleep(BETWEEN_KUBECTLS);
            error.to_string()
        })
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        for supervised in self.running.values_mut() {
            supervised.abandon();
        }
        for supervised in self.running.values_mut() {
            // There is nobody to tell, and the script ends the program in any case.
            let _ = supervised.wait();
        }
        if !self.place.lasting {
            // The last program's script has done so already, unless no program was left.
            let _ = fs::remove_dir_all(&self.place.folder);
        }
    }
}

/// The last lines of a log that may be long.
fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

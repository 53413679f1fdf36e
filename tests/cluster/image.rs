//! The image of the Containerfile: what it holds, and that the operator works in it with nothing else visible, as the user that it
//! names.
//!
//! No registry is asked: the first stage's base is made here, of a shell and of a cargo that hands over what `make static-operator`
//! has linked. Everything else is what the Containerfile and `.ci/image.sh` say.

use crate::{
    harness::{DEADLINE, Stage},
    plane::{Identity, PlaneOptions},
};
use regex::Regex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_entitlement-operator");
const NAME: &str = "localhost/entitlement-operator:test";
const BUILDER: &str = "localhost/builder:test";
const USER: &str = "65532:65532";
/// Containers have addresses of their own; here nobody else is to be reached, or in the way.
const LOOPBACK: &str = "--http-address=127.0.0.1:0";
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";
/// What the Containerfile may ask of cargo, which `make static-operator` does without `--release`.
const ASKED: &str = "rustc --locked --release --bin entitlement-operator -- -C target-feature=+crt-static";

/// What stands for cargo in the first stage: it looks whether all is there that the program is made of, and nothing else.
const CARGO: &str = r#"#!/bin/sh
[ "$*" = "$ASKED" ] || { echo "cargo $*: the test expects cargo $ASKED" >&2; exit 1; }
while read -r file; do
  [ -e "$file" ] || { echo "the image is built without $file: let it in by .containerignore" >&2; exit 1; }
done </needed
for file in .git target tests README.md; do
  [ "$file" = target ] || [ ! -e "$file" ] || { echo "the image is built with $file: keep it out by .containerignore" >&2; exit 1; }
done
mkdir -p target/release
cp /static-operator target/release/entitlement-operator
"#;

/// In a mount namespace of its own, the root becomes read-only and all that there is; then the program runs as the image's user.
const RUN: &str = r#"
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
root=$ROOT
unset ROOT PWD OLDPWD SHLVL
exec chroot --userspec=65532:65532 --groups= "$root" /entitlement-operator "$@"
"#;

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", show(&output.stdout), show(&output.stderr));
    show(&output.stdout)
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The files that the program is made of, from the root of the repository, as the compiler has listed them.
fn sources() -> Vec<String> {
    let list = fs::read_to_string(format!("{PROGRAM}.d")).unwrap();
    let of_compiler = list.split_whitespace().skip(1).map(|path| Path::new(path).strip_prefix(ROOT).unwrap());
    let mut sources: Vec<String> = of_compiler.map(|path| path.to_str().unwrap().to_owned()).collect();
    sources.extend(["Cargo.toml", "Cargo.lock"].map(str::to_owned));
    assert!(sources.len() > 100, "{sources:?}");
    sources
}

/// The statically linked program, which has to be of the present sources.
fn static_operator() -> PathBuf {
    let program = Path::new(ROOT).join("target/image/entitlement-operator");
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(linked) = modified(&program) else {
        panic!("there is no {}: run `make static-operator` (`make test` does)", program.display());
    };
    for source in sources() {
        let changed = modified(&Path::new(ROOT).join(&source)).unwrap();
        assert!(changed <= linked, "{} is older than {source}: run `make static-operator`", program.display());
    }
    program
}

/// A store of images of this test alone, with the image, and the image's root in a folder.
struct Image {
    /// What else is in the folder goes with it.
    folder: TempDir,
    root: PathBuf,
}

impl Image {
    /// Builds it as `make image` does. The roots of authorities are what the base has.
    fn build(roots: &[u8]) -> Self {
        text(&Command::new(Path::new(ROOT).join(".ci/packages.sh")).output().unwrap());
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut image = Self { root: PathBuf::new(), folder };
        let of_store = |name: &str| image.folder.path().join(name).display().to_string();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            of_store("store"),
            of_store("run")
        );
        fs::write(image.folder.path().join("storage.conf"), storage).unwrap();
        image.builder(roots);
        let built = image
            .buildah_command(Path::new(ROOT).join(".ci/image.sh").to_str().unwrap())
            .envs([("TOOL", "buildah"), ("IMAGE", NAME), ("RUST_IMAGE", BUILDER), ("REVISION", "0123456789abcdef")])
            .envs([("VERSION", "1.2.3"), ("SOURCE", "https://forge.example/entitlement-operator")])
            .output();
        text(&built.unwrap());
        let container = image.buildah(&["from", "--pull-never", NAME]);
        let mounted = image.buildah(&["mount", container.trim()]);
        image.root = PathBuf::from(mounted.trim());
        image
    }

    /// The base of the first stage: a shell, `cp`, `mkdir`, and what stands for cargo.
    fn builder(&self, roots: &[u8]) {
        let base = self.folder.path().join("builder");
        let root = base.join("root");
        let put = |path: &str, content: &[u8], mode: u32| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let library_path = Regex::new(r"(/\S+) \(0x").unwrap();
        for program in ["/bin/sh", "/bin/cp", "/bin/mkdir"] {
            put(&program[1..], &fs::read(program).unwrap(), 0o755);
            let libraries = text(&Command::new("ldd").arg(program).output().unwrap());
            for library in library_path.captures_iter(&libraries) {
                put(&library[1][1..], &fs::read(&library[1]).unwrap(), 0o755);
            }
        }
        put("usr/local/cargo/bin/cargo", CARGO.replace("$ASKED", ASKED).as_bytes(), 0o755);
        put("needed", sources().into_iter().map(|path| path + "\n").collect::<String>().as_bytes(), 0o644);
        put(ROOTS, roots, 0o644);
        put("static-operator", &fs::read(static_operator()).unwrap(), 0o755);
        let containerfile = "FROM scratch\nCOPY root /\nENV PATH=/usr/local/cargo/bin:/usr/bin:/bin\n";
        fs::write(base.join("Containerfile"), containerfile).unwrap();
        self.buildah(&["build", "--tag", BUILDER, base.to_str().unwrap()]);
    }

    /// A command that finds this test's store, where user namespaces are needed within one.
    fn buildah_command(&self, program: &str) -> Command {
        let mut command = Command::new(if is_root() { "env" } else { "buildah" });
        if !is_root() {
            command.args(["unshare", "env"]);
        }
        command
            .arg(program)
            .env("CONTAINERS_STORAGE_CONF", self.folder.path().join("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot")
            .env("TMPDIR", self.folder.path());
        command
    }

    fn buildah(&self, arguments: &[&str]) -> String {
        text(&self.buildah_command("buildah").args(arguments).output().unwrap())
    }

    /// The program of the image, in the image's root file system.
    fn program(&self, environment: &[(&str, &str)]) -> Command {
        let mut command = self.buildah_command("env");
        command.args(["--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        command.arg(format!("ROOT={}", self.root.display()));
        command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.args(["unshare", "--mount", "--propagation=private", "sh", "-e", "-c", RUN, "sh"]);
        command
    }

    /// What a container would get besides: as the kubelet does it, before the root is read-only.
    fn mounted(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // What the store has belongs to other users where it was made in a user namespace.
        let folders = ["store", "run"].map(|name| self.folder.path().join(name));
        let _ = self.buildah_command("buildah").args(["rm", "--all"]).output();
        let _ = self.buildah_command("rm").arg("-rf").args(folders).output();
    }
}

/// An operator in the image, which ends when this is dropped.
struct Contained {
    child: Child,
    log: PathBuf,
}

impl Contained {
    fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn until_it_says(&mut self, what: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.log().contains(what) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "it does not say {what}: {}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// The fields of the process that runs the program.
    fn status(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let fields = text.lines().map(|line| line.split_once(':').unwrap());
        fields.map(|(name, value)| (name.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
    }

    /// As the kubelet ends it.
    fn end(mut self) -> String {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(ended.success());
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
        self.log()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything below a folder, with its kind, who owns it, and who may do what.
fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
    let describe = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(folder).unwrap().display().to_string();
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        let slash = if metadata.is_dir() { "/" } else { "" };
        format!("{path}{slash} {mode:o}")
    };
    entries.map(describe).collect()
}

fn what_it_holds(image: &Image) {
    let expected = ["entitlement-operator 755", "etc/ 755", "etc/ssl/ 755", "etc/ssl/certs/ 755"];
    let mut expected: BTreeSet<String> = expected.map(str::to_owned).into();
    expected.insert(format!("{ROOTS} 644"));
    assert_eq!(listing(&image.root), expected);
    let inspected: Value = serde_json::from_str(&image.buildah(&["inspect", "--type", "image", NAME])).unwrap();
    let config = &inspected["OCIv1"]["config"];
    assert_eq!(config["User"], USER);
    assert_eq!(config["Entrypoint"], json!(["/entitlement-operator"]));
    assert_eq!(config["Cmd"], Value::Null);
    assert_eq!(config["ExposedPorts"], json!({"8080/tcp": {}, "9443/tcp": {}}));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].clone();
    assert_eq!(label("title"), "Entitlement Operator");
    assert_eq!(label("licenses"), "Apache-2.0");
    assert_eq!(label("version"), "1.2.3");
    assert_eq!(label("revision"), "0123456789abcdef");
    assert_eq!(label("source"), "https://forge.example/entitlement-operator");
    // The layers of the first stage are not among them.
    assert_eq!(inspected["OCIv1"]["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
}

/// What it prints is what the program prints elsewhere.
fn what_it_prints(image: &Image) {
    for arguments in [&["--version"][..], &["crds"], &["manifests", "--webhook"], &["manifests", "--output", "json"]] {
        let here = text(&image.program(&[]).args(arguments).output().unwrap());
        let elsewhere = text(&Command::new(PROGRAM).args(arguments).output().unwrap());
        assert_eq!(here, elsewhere, "{arguments:?}");
    }
    let output = image.program(&[]).args(["crds", "--output", "/"]).output().unwrap();
    assert!(!output.status.success() && show(&output.stderr).contains("Read-only file system"), "{output:?}");
}

/// The address of a control plane, its own certificate's authority, and the token of the operator's service account.
fn access(stage: &Stage) -> (u16, String, String) {
    let account = Identity::ServiceAccount { namespace: "entitlement-operator", name: "entitlement-operator" };
    let kubeconfig = stage.plane.kubeconfig_for(account).unwrap().display().to_string();
    let see = |path: &str| {
        let arguments = ["config", "view", "--raw", "--flatten", "--output", path, "--kubeconfig", &kubeconfig];
        stage.kubectl(&arguments).trim().to_owned()
    };
    let server = see("jsonpath={.clusters[0].cluster.server}");
    let authority =
        see(r#"go-template={{index (index .clusters 0) "cluster" "certificate-authority-data" | base64decode}}"#);
    let token = see("jsonpath={.users[0].user.token}");
    (server.rsplit(':').next().unwrap().parse().unwrap(), authority, token)
}

/// In a pod: found by the Service's name, with the files of the service account and the arguments of the Deployment.
fn as_in_a_pod(image: &Image, deployment: &Value, port: u16, authority: &str, token: &str) {
    let account = "var/run/secrets/kubernetes.io/serviceaccount";
    image.mounted(&format!("{account}/token"), token);
    image.mounted(&format!("{account}/ca.crt"), authority);
    image.mounted(&format!("{account}/namespace"), "entitlement-operator");
    image.mounted("etc/hosts", "127.0.0.1 kubernetes.default.svc\n");
    let port = port.to_string();
    let environment = [
        ("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc"),
        ("KUBERNETES_SERVICE_PORT", &port),
        ("POD_NAME", "entitlement-operator-1"),
    ];
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut command = image.program(&environment);
    command.args(container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()));
    command.arg(LOOPBACK);
    let mut operator = Contained::start(command, image.folder.path().join("pod.log"));
    operator.until_it_says("ready: ");
    let status = operator.status();
    let capabilities = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|name| status[name].trim_start_matches('0'));
    assert_eq!(capabilities, [""; 4]);
    if is_root() {
        assert_eq!(status["Uid"], "65532 65532 65532 65532");
        assert_eq!(status["Gid"], "65532 65532 65532 65532");
        assert_eq!(status["Groups"], "");
    }
    let log = operator.end();
    assert!(log.contains("the operator has ended") && !log.contains("panicked"), "{log}");
}

/// With a kubeconfig that names no authority, as those of providers with public certificates do: the roots of the image serve.
fn by_the_roots_of_the_image(image: &Image, port: u16, token: &str) {
    let mut kubeconfig = String::from("apiVersion: v1\nkind: Config\ncurrent-context: a\n");
    let _ = writeln!(kubeconfig, "contexts: [{{name: a, context: {{cluster: a, user: a}}}}]");
    let _ =
        writeln!(kubeconfig, "clusters: [{{name: a, cluster: {{server: 'https://kubernetes.default.svc:{port}'}}}}]");
    let _ = writeln!(kubeconfig, "users: [{{name: a, user: {{token: '{token}'}}}}]");
    image.mounted("kubeconfig", kubeconfig);
    let mut command = image.program(&[("KUBECONFIG", "/kubeconfig")]);
    command.args(["run", "--namespace=entitlement-operator", LOOPBACK]);
    let mut operator = Contained::start(command, image.folder.path().join("roots.log"));
    operator.until_it_says("ready: ");
    operator.end();
}

#[test]
fn the_operator_works_in_its_image_with_nothing_else_visible() {
    let stage = Stage::bare(PlaneOptions::default());
    stage.apply_manifests(&[]);
    stage.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    let (port, authority, token) = access(&stage);
    // The control plane's authority stands for the public ones.
    let image = Image::build(authority.as_bytes());
    what_it_holds(&image);
    what_it_prints(&image);
    let of_deployment = ["get", "deployment", "--namespace=entitlement-operator", "--output=json"];
    let deployments: Value = serde_json::from_str(&stage.kubectl(&of_deployment)).unwrap();
    let deployment = &deployments["items"][0];
    let pod = &deployment["spec"]["template"]["spec"];
    let of_pod = &pod["securityContext"];
    assert_eq!(format!("{}:{}", of_pod["runAsUser"], of_pod["runAsGroup"]), USER);
    let of_container = &pod["containers"][0]["securityContext"];
    assert_eq!(of_container["readOnlyRootFilesystem"], true);
    assert_eq!(of_container["capabilities"], json!({"drop": ["ALL"]}));
    as_in_a_pod(&image, deployment, port, &authority, &token);
    by_the_roots_of_the_image(&image, port, &token);
}

#[test]
fn the_image_is_built_by_the_compiler_of_the_repository() {
    let containerfile = fs::read_to_string(Path::new(ROOT).join("Containerfile")).unwrap();
    let toolchain = fs::read_to_string(Path::new(ROOT).join("rust-toolchain.toml")).unwrap();
    let first = |pattern: &str, text: &str| Regex::new(pattern).unwrap().captures(text).unwrap()[1].to_owned();
    let of_image = first(r"ARG RUST_IMAGE=\S+/rust:([0-9.]+)-", &containerfile);
    assert_eq!(of_image, first(r#"channel = "([0-9.]+)""#, &toolchain));
}

/// A folder with programs of a test's own beside those of the system, and what `image.sh` says with it.
fn image_with(programs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in programs {
        let path = folder.path().join(name);
        File::create(&path).unwrap().write_all(format!("#!/bin/bash\n{script}\n").as_bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["sed", "head", "git", "dirname", "bash"] {
        let found = Command::new("bash").args(["-c", &format!("command -v {name}")]).output().unwrap();
        std::os::unix::fs::symlink(show(&found.stdout).trim(), folder.path().join(name)).unwrap();
    }
    let mut command = Command::new("/bin/bash");
    command.arg(".ci/image.sh").current_dir(ROOT).env_clear().env("PATH", folder.path());
    command.envs([("IMAGE", "a:1"), ("REVISION", "r"), ("VERSION", "2"), ("SOURCE", "s")]).output().unwrap()
}

#[test]
fn the_first_tool_that_works_builds_the_image() {
    const FAILS: &str = "exit 1";
    const WORKS: &str = r#"[ "$1" != build ] || echo "$@""#;
    let arguments =
        "build --file Containerfile --build-arg VERSION=2 --build-arg REVISION=r --build-arg SOURCE=s --tag a:1 .\n";
    let output = image_with(&[("docker", FAILS), ("podman", WORKS), ("buildah", FAILS)]);
    assert_eq!(text(&output), arguments);
    assert_eq!(show(&output.stderr), "docker is passed over: it reaches no daemon (docker info)\npodman builds a:1\n");
    let output = image_with(&[("docker", WORKS), ("podman", WORKS)]);
    assert_eq!((text(&output).as_str(), show(&output.stderr).as_str()), (arguments, "docker builds a:1\n"));
    let output = image_with(&[("docker", FAILS), ("buildah", FAILS)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        show(&output.stderr),
        "docker is passed over: it reaches no daemon (docker info)\n\
         buildah is passed over: it does not work here (buildah images)\n\
         image.sh: nothing here can build an image: start docker, or install podman or buildah (on Debian and Ubuntu: apt-get install buildah)\n"
    );
    assert_eq!(show(&image_with(&[]).stderr).lines().count(), 1);
}

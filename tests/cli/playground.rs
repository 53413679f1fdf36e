//! A folder as a provider's repository has it, in which examples are run as they are written.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What one client is granted in the playground.
fn client(name: &str, start: &str) -> String {
    format!(
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: {name}}}\nspec:\n  timeZone: Europe/Berlin\n  namespaces: [{name}]\n\
         ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}-seats, namespace: entitlements}}\nspec:\n  organization: {name}\n  definition: seats\n  start: \"{start}\"\n\
         ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}-backup, namespace: entitlements}}\nspec:\n  organization: {name}\n  definition: backup\n  start: \"{start}\"\n  facets:\n    backup: {{retention: 90}}\n"
    )
}

const CATALOGUE: &str = "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: seats}\nspec:\n  type: Quantity\n  unit: seats\n  amount: 250\n\
    ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: backup}\nspec:\n  type: Feature\n  facets:\n  - name: backup\n    schema:\n      type: object\n      properties:\n        region: {type: string, default: eu}\n        retention: {type: integer}\n  outputs:\n  - name: config\n    kind: ConfigMap\n    items:\n    - {key: backup.env, format: Env}\n";

/// A client of which a grant ends.
const ENDING: &str = "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: initech}\nspec: {namespaces: [initech]}\n\
    ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {name: support}\nspec: {type: Feature}\n\
    ---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {name: initech-support, namespace: entitlements}\nspec: {organization: initech, definition: support, start: \"2020-01-01\", end: \"2080-12-31\"}\n";

/// A folder with manifests, and the command under each of its names in the PATH.
pub struct Playground {
    folder: TempDir,
}

impl Playground {
    pub fn new() -> Self {
        let playground = Self { folder: tempfile::tempdir().unwrap() };
        let program = Path::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        fs::create_dir(playground.path("bin")).unwrap();
        for name in ["entitlement-operator", "kubectl-entitlements", "kubectl_complete-entitlements"] {
            symlink(program, playground.path("bin").join(name)).unwrap();
        }
        symlink(kubectl(), playground.path("bin/kubectl")).unwrap();
        let both = format!("{CATALOGUE}---\n{}", client("acme", "2020-01-01"));
        for (name, content) in [
            ("catalogue.yaml", CATALOGUE),
            ("clients/acme.yaml", &client("acme", "2020-01-01")),
            ("clients/globex.yaml", &client("globex", "2080-01-01")),
            ("main/clients/acme.yaml", &client("acme", "2020-01-01")),
            ("overlays/production/kustomization.yaml", "resources: [all.yaml]\nnamePrefix: \"\"\n"),
            ("overlays/production/all.yaml", &both),
            ("ending/initech.yaml", ENDING),
        ] {
            playground.write(name, content);
        }
        // A repository of clients has the catalogue, too.
        for folder in ["clients", "main/clients"] {
            playground.write(&format!("{folder}/catalogue.yaml"), CATALOGUE);
        }
        playground.write(
            "entitlements.json",
            r#"{"organization":"acme","entitlements":{
"seats":{"entitled":true,"displayName":"seats","type":"Quantity","unit":"seats","amount":"250","validFrom":"2020-01-01T00:00:00Z","validUntil":null,"end":null,"facets":{}}
}}"#,
        );
        fs::remove_file(playground.path("catalogue.yaml")).unwrap();
        playground.write(
            "catalogue.yaml",
            &CATALOGUE
                .replace("name: seats", "name: storage")
                .replace("unit: seats", "unit: GiB")
                .replace("{name: backup}", "{name: archive}"),
        );
        playground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A program in the PATH.
    pub fn script(&self, name: &str, content: &str) {
        self.write(&format!("bin/{name}"), content);
        fs::set_permissions(self.path("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a command line, as a person does it in this folder.
    pub fn run(&self, line: &str) -> Output {
        self.run_in("", line, &[])
    }

    pub fn run_in(&self, folder: &str, line: &str, environment: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-o", "pipefail", "-c", line])
            .current_dir(self.path(folder))
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .env("KUBECONFIG", "/nonexistent/kubeconfig")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env_remove("COLUMNS")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// The kubectl of the control plane: `make control-plane` builds it.
fn kubectl() -> PathBuf {
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let kubectl = assets.unwrap_or_else(|| Path::new(ROOT).join("target/control-plane/bin")).join("kubectl");
    assert!(kubectl.exists(), "{} is missing: run `make control-plane`", kubectl.display());
    kubectl
}

//! The keys, tokens and kubeconfigs of a control plane.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use serde_json::{Value, json};

use super::error::PlaneError;

/// Who a kubeconfig speaks as.
#[derive(Clone, Copy, Debug)]
pub enum Identity<'a> {
    /// A user with these groups, and `system:authenticated`, by impersonation.
    User {
        /// The user's name.
        name: &'a str,
        /// The user's groups.
        groups: &'a [&'a str],
    },
    /// A service account that exists, with a token of its own that lasts for a day.
    ServiceAccount {
        /// The account's namespace, which is also the kubeconfig's default one.
        namespace: &'a str,
        /// The account's name.
        name: &'a str,
    },
}

/// What the control plane's programs know each other and their administrator by.
pub struct Credentials {
    /// The private key that signs the tokens of service accounts.
    pub service_account_key: PathBuf,
    /// Its public key.
    pub service_account_public_key: PathBuf,
    /// The API server's list of static tokens.
    pub token_file: PathBuf,
    /// The token of `admin`, in group `system:masters`.
    pub admin_token: String,
    /// The token of `system:kube-controller-manager`.
    pub controller_manager_token: String,
}

impl Credentials {
    /// Makes what the folder does not hold from an earlier start.
    pub fn prepare(folder: &Path) -> Result<Self, PlaneError> {
        let service_account_key = folder.join("service-account.key");
        let private = found_or_made(&service_account_key, || Ok(KeyPair::generate()?.serialize_pem()))?;
        let public = KeyPair::from_pem(&private).map_err(PlaneError::Key)?.public_key_pem();
        let service_account_public_key = folder.join("service-account.pub");
        write(&service_account_public_key, &public)?;

        let admin_token = found_or_made(&folder.join("admin.token"), token)?;
        let controller_manager_token = found_or_made(&folder.join("controller-manager.token"), token)?;
        let token_file = folder.join("tokens.csv");
        let tokens = format!(
            "{admin_token},admin,admin,system:masters\n\
             {controller_manager_token},system:kube-controller-manager,kube-controller-manager\n"
        );
        write(&token_file, &tokens)?;
        Ok(Self { service_account_key, service_account_public_key, token_file, admin_token, controller_manager_token })
    }
}

/// What a kubeconfig says of its cluster.
pub struct Cluster<'a> {
    /// The API server's port on the loopback address.
    pub port: u16,
    /// The certificate that the API server's own is verified with.
    pub authority: &'a Path,
}

impl Cluster<'_> {
    /// Writes a kubeconfig in which `user` is the `user` entry's content.
    pub fn write_kubeconfig(&self, path: &Path, user: &Value, namespace: Option<&str>) -> Result<(), PlaneError> {
        let mut context = json!({"cluster": "control-plane", "user": "user"});
        if let Some(namespace) = namespace {
            context["namespace"] = json!(namespace);
        }
        // JSON is YAML.
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "control-plane", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port),
                "certificate-authority": self.authority,
            }}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "control-plane", "context": context}],
            "current-context": "control-plane",
        });
        write(path, &format!("{kubeconfig:#}\n"))
    }
}

fn write(path: &Path, text: &str) -> Result<(), PlaneError> {
    fs::write(path, text).map_err(PlaneError::io("writing", path))
}

fn found_or_made(path: &Path, make: impl FnOnce() -> Result<String, rcgen::Error>) -> Result<String, PlaneError> {
    if path.exists() {
        return fs::read_to_string(path).map_err(PlaneError::io("reading", path));
    }
    let text = make().map_err(PlaneError::Key)?;
    write(path, &text)?;
    Ok(text)
}

/// A secret that cannot be guessed: the public half of a fresh key that nobody is shown. (std has no random bytes.)
fn token() -> Result<String, rcgen::Error> {
    use std::fmt::Write;

    let key = KeyPair::generate()?;
    Ok(key.public_key_raw().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

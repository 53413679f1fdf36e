//! What completion offers is what is in the cluster.

use crate::{
    grant::OFFICE,
    harness::{cluster, shared_plane},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};
use tokio::runtime::Runtime;

#[test]
fn completion_knows_what_is_in_the_cluster() {
    let kubeconfig = shared_plane().kubeconfig();
    let runtime = Runtime::new().unwrap();
    let name = runtime.block_on(async {
        let cluster = cluster().await;
        cluster.apply(OFFICE).await;
        cluster.name.clone()
    });
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("kubectl_complete-entitlements");
    symlink(env!("CARGO_BIN_EXE_entitlement-operator"), &program).unwrap();
    let complete = |kubeconfig: &Path, words: &[&str]| {
        let output = Command::new(&program).args(words).env("KUBECONFIG", kubeconfig).output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete(kubeconfig, &["explain", &name]).contains(&format!("{name}\tThe Client\n")));
    assert!(
        complete(kubeconfig, &["grant", &name, &format!("{name}-s")])
            .starts_with(&format!("{name}-seats\n{name}-support\n"))
    );
    // Who gives credentials by a program, which may ask for something, gets no names.
    let mut asks: Value = serde_json::from_str(&fs::read_to_string(kubeconfig).unwrap()).unwrap();
    let witness = folder.path().join("asked");
    asks["users"][0]["user"] = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [witness], "interactiveMode": "IfAvailable",
    }});
    let path = folder.path().join("kubeconfig");
    fs::write(&path, asks.to_string()).unwrap();
    assert_eq!(complete(&path, &["explain", &name]), ":4\n");
    assert!(!witness.exists());
}

//! A disk without room: a volume of two megabytes, in a mount namespace of its own.

use crate::place::{meter, report, total, write};
use entitlement_operator::store::{PersistentStore, StoreError};
use rust_decimal::Decimal;
use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

const FOLDER: &str = "FOLDER_OF_THE_FULL_STORE";

/// Fills the volume by the store itself and by a file beside it, and removes the file again.
#[tokio::test]
#[ignore = "the test below runs it in a mount namespace of its own"]
async fn fills_its_volume() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let address = format!("sqlite://{}/store.db", folder.display());
    let store = PersistentStore::open(&address.parse().unwrap()).await.unwrap();
    let mut written = 0;
    let refused = loop {
        let key = format!("{written:0>100}");
        match write(&store, "acme", vec![report(&key, written, "1")]).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(written > 10, "{written}");
    // What is there can be read meanwhile, and is refused again.
    assert_eq!(store.registers(&meter("acme"), None, 100_000).await.unwrap().len(), usize::try_from(written).unwrap());
    let again = write(&store, "acme", vec![report("again", 1, "1")]).await;
    assert!(matches!(again, Err(StoreError::Full(_))), "{again:?}");
    fs::remove_file(ballast).unwrap();
    write(&store, "acme", vec![report("healed", 1, "1")]).await.unwrap();
    assert_eq!(total(&store, "acme").await, Decimal::from(written + 1));
    println!("healed");
}

#[test]
fn a_full_volume_is_said_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let namespace: &[&str] = if root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let output = Command::new("unshare")
        .args(namespace)
        .args(["--propagation=private", "sh", "-ec", "mount -t tmpfs -o size=2m tmpfs \"$0\"; exec \"$@\""])
        .arg(folder.path())
        .arg(env::current_exe().unwrap())
        .args(["--exact", "full::fills_its_volume", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("healed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

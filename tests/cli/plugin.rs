//! The command as a plugin of kubectl, with the real kubectl; completion, manual pages, and what installs them.

use super::{code, playground::Playground, text};
use std::{fs, path::Path, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn printed(playground: &Playground, line: &str) -> String {
    let output = playground.run(line);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{line}");
    text(&output.stdout).to_owned()
}

#[test]
fn kubectl_runs_the_plugin() {
    let playground = Playground::new();
    let own = printed(&playground, "entitlement-operator render -f clients/ --at 2026-07-01");
    assert_eq!(printed(&playground, "kubectl entitlements render -f clients/ --at 2026-07-01"), own);
    let refused = playground.run("kubectl entitlements validate -f clients/acme.yaml");
    assert_eq!(code(&refused), 1, "{}", text(&refused.stderr));
}

#[test]
fn the_plugins_help_says_what_people_type() {
    let playground = Playground::new();
    let help = printed(&playground, "kubectl entitlements --help");
    assert!(help.contains("Usage: kubectl entitlements [OPTIONS] [COMMAND]"), "{help}");
    assert!(!help.contains("  run "), "{help}");
    for subcommand in ["render", "validate", "completion", "man"] {
        let help = printed(&playground, &format!("COLUMNS=400 kubectl entitlements {subcommand} --help"));
        assert!(help.contains(&format!("Usage: kubectl entitlements {subcommand}")), "{help}");
        assert!(help.contains(&format!("\n  kubectl entitlements {subcommand} ")) || subcommand == "man", "{help}");
        let examples = help.split("Examples:").nth(1).unwrap();
        assert!(!examples.contains("entitlement-operator "), "{help}");
    }
    let wrong = playground.run("kubectl entitlements paint");
    assert_eq!((code(&wrong), wrong.stdout.len()), (2, 0));
    assert!(text(&wrong.stderr).contains("Usage: kubectl entitlements [OPTIONS] [COMMAND]"), "{}", text(&wrong.stderr));
    let version = printed(&playground, "kubectl entitlements --version");
    assert!(version.starts_with(&format!("kubectl-entitlements {}", env!("CARGO_PKG_VERSION"))), "{version}");
}

#[test]
fn kubectl_completes_the_plugin() {
    let playground = Playground::new();
    let complete = |line: &str| printed_lines(&playground, &format!("kubectl __complete {line} 2>/dev/null"));
    assert_eq!(
        complete("entitlements val"),
        ["validate\tChecks manifests, or a cluster's objects, as the API server and the operator would", ":4"]
    );
    assert_eq!(
        complete("entitlements render --out"),
        ["--output\tThe format: YAML documents, or one List in JSON", ":4"]
    );
    assert_eq!(complete("entitlements render -o ''"), ["yaml", "json", ":4"]);
    assert_eq!(complete("entitlements render -f cli"), ["clients/", ":6"]);
    assert_eq!(complete("entitlements render -f clients/ac"), ["clients/acme.yaml", ":4"]);
    let clients = ["acme", "globex", ":4"];
    assert_eq!(complete("entitlements explain -f clients/ --at now ''"), clients);
    assert_eq!(complete("entitlements grant -f clients/ ac"), ["acme", ":4"]);
    assert_eq!(complete("entitlements timeline -f clients/ --organization ''"), clients);
    assert_eq!(complete("entitlements grant -f clients/ acme ''"), ["backup", "seats", ":4"]);
    let grants = ["acme-backup\tacme: backup", "acme-seats\tacme: seats", ":4"];
    assert_eq!(complete("entitlements suspend -f clients/ acme-"), grants);
    assert_eq!(complete("entitlements extend -f clients/ --to 2027-01-01 acme-b"), ["acme-backup\tacme: backup", ":4"]);
    // Without files or a cluster there is nothing to say, and nothing wrong.
    for nowhere in ["explain ''", "explain -f absent.yaml --at now ''", "explain --context nowhere ''", "suspend ''"] {
        assert_eq!(printed(&playground, &format!("kubectl_complete-entitlements {nowhere} 2>&1")), ":4\n", "{nowhere}");
    }
    assert!(complete("entitlements ''").iter().all(|line| !line.starts_with("run\t")));
}

fn printed_lines(playground: &Playground, line: &str) -> Vec<String> {
    printed(playground, line).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_the_command() {
    let playground = Playground::new();
    playground.write(
        "complete.sh",
        r#"source <(entitlement-operator completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$(complete -p entitlement-operator | sed -E 's/.*-F ([^ ]+).*/\1/')" "$1" "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$((COMP_CWORD - 1))]}"
printf '%s\n' "${COMPREPLY[@]}"
"#,
    );
    let complete = |words: &str| printed_lines(&playground, &format!("bash complete.sh {words}"));
    assert_eq!(complete("entitlement-operator val"), ["validate"]);
    assert_eq!(complete("entitlement-operator validate --out"), ["--output"]);
    assert_eq!(complete("entitlement-operator validate --output s"), ["sarif"]);
    assert_eq!(complete("entitlement-operator validate -f clients/gl"), ["clients/globex.yaml"]);
    assert_eq!(complete("entitlement-operator explain -f clients/ gl"), ["globex"]);
    assert_eq!(complete("entitlement-operator suspend -f clients/ globex-s"), ["globex-seats"]);
}

#[test]
fn every_shell_has_its_completion() {
    let playground = Playground::new();
    for (shell, sign) in [
        ("bash", "-F _clap_complete_entitlement_operator entitlement-operator"),
        ("zsh", "#compdef entitlement-operator"),
        ("fish", "complete --keep-order --exclusive --command entitlement-operator"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "set edit:completion:arg-completer[entitlement-operator]"),
    ] {
        let script = printed(&playground, &format!("entitlement-operator completion {shell}"));
        assert!(script.contains(sign), "{shell}: {script}");
    }
    let plugin = printed(&playground, "kubectl entitlements completion bash");
    assert!(plugin.contains("-F _clap_complete_kubectl_entitlements kubectl-entitlements"), "{plugin}");
}

#[test]
fn every_subcommand_has_its_manual_page() {
    let playground = Playground::new();
    printed(&playground, "entitlement-operator man --output man");
    let mut pages: Vec<String> = fs::read_dir(playground.path("man"))
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let help = printed(&playground, "COLUMNS=400 entitlement-operator --help");
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = commands.lines().map(|line| line.split_whitespace().next().unwrap());
    let mut expected: Vec<String> = names
        .map(|name| format!("entitlement-operator-{name}.1"))
        .chain(["entitlement-operator.1".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(pages, expected);
    for page in pages {
        // What groff does not understand it says on standard error.
        let read = playground.run(&format!("groff -man -Tutf8 -ww -rLL=78n man/{page}"));
        assert_eq!((code(&read), text(&read.stderr)), (0, ""), "{page}");
    }
    let page = printed(&playground, "entitlement-operator man");
    assert!(page.contains(".TH entitlement-operator 1"), "{page}");
    printed(&playground, "kubectl entitlements man --output plugin");
    let page = fs::read_to_string(playground.path("plugin/kubectl-entitlements-validate.1")).unwrap();
    assert!(page.contains("kubectl entitlements validate"), "{page}");
}

#[test]
fn krew_can_install_the_plugin() {
    let playground = Playground::new();
    let script = Path::new(ROOT).join(".ci/krew/package.sh");
    let pack =
        |arguments: &str| printed(&playground, &format!("{} bin/entitlement-operator {arguments}", script.display()));
    let files = pack("krew https://downloads.example.com/v0");
    let (manifest, archive) = files.trim().split_once('\n').unwrap();
    let manifest: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    let name = Path::new(archive).file_name().unwrap().to_str().unwrap();
    let sum = printed(&playground, &format!("sha256sum {archive} | cut -d ' ' -f 1"));
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&manifest["kind"], &manifest["metadata"]["name"]), (&"Plugin".into(), &"entitlements".into()));
    assert_eq!(manifest["spec"]["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    let platform = &manifest["spec"]["platforms"][0];
    assert_eq!(platform["uri"], format!("https://downloads.example.com/v0/{name}"));
    assert_eq!(platform["sha256"], sum.trim());
    let short = manifest["spec"]["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 80 && !short.ends_with('.'), "{short}");
    // Krew copies these files, and makes a link to the program.
    printed(&playground, &format!("mkdir unpacked && tar -xzf {archive} -C unpacked"));
    for file in platform["files"].as_array().unwrap() {
        assert!(playground.path("unpacked").join(file["from"].as_str().unwrap()).exists(), "{file}");
    }
    let program = playground.path("unpacked").join(platform["bin"].as_str().unwrap());
    let version = Command::new(program).arg("--version").output().unwrap();
    assert!(text(&version.stdout).starts_with("kubectl-entitlements "), "{}", text(&version.stdout));
    let before = fs::read(archive).unwrap();
    pack("krew https://downloads.example.com/v0");
    assert!(fs::read(archive).unwrap() == before, "the same program gives another archive");
}

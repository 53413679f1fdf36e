//! The examples of the README and of `--help`, run as they stand there.

use super::{GOLDEN, assert_golden, run, text};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs a line of a shell in which the command is found under its name.
fn shell(line: &str, folder: &Path) -> Output {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_entitlement-operator"));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(program.parent().unwrap().to_owned()).chain(env::split_paths(&path));
    Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", env::join_paths(folders).unwrap())
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap()
}

/// The commands of the README's consoles, each with what is shown below it.
fn consoles(readme: &str) -> Vec<(String, String)> {
    let mut examples = Vec::new();
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```\n").next().unwrap();
        for example in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, shown) = example.split_once('\n').unwrap();
            examples.push((command.to_owned(), shown.to_owned()));
        }
    }
    examples
}

#[test]
fn the_readme_shows_what_its_commands_print() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let examples = consoles(&readme);
    let ours: Vec<_> = examples.iter().filter(|(command, _)| command.starts_with("entitlement-operator ")).collect();
    assert!(ours.len() >= 3, "{ours:?}");
    for (command, shown) in ours {
        let output = shell(command, Path::new(ROOT));
        assert_eq!(format!("{}{}", text(&output.stdout), text(&output.stderr)), *shown, "{command}");
    }
}

/// Those of `--help` that need no cluster: the others are run in `tests/cluster`.
#[test]
fn the_examples_of_the_help_work() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [("clients", "clients"), ("clients", "main/clients")] {
        let to = folder.path().join(to);
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(Path::new(GOLDEN).join(from)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    for subcommand in ["timeline", "explain"] {
        let help = run(&[subcommand, "--help"]);
        let help = text(&help.stdout).to_owned();
        let examples = help.split("\nExamples:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let mut shown = String::new();
        for example in examples.lines().map(str::trim) {
            let needs_cluster = ![" -f ", " --diff "].iter().any(|option| example.contains(option));
            if needs_cluster {
                continue;
            }
            let output = shell(example, folder.path());
            let code = output.status.code().unwrap();
            shown += &format!("$ {example}\n{}{}[{code}]\n", text(&output.stdout), text(&output.stderr));
        }
        assert_golden(&format!("help.{subcommand}"), shown.as_bytes());
    }
}

//! What is written, read by the readers that workloads use: `sh`, python-dotenv, Node's dotenv, godotenv, Compose, `PyYAML`,
//! ruamel.yaml, npm's yaml, Python's json and tomllib, `java.util.Properties`, and the flagd evaluators of Python and Node.
//!
//! Needs `sh`, `bash`, `env -0`, Python 3.11 or later with `venv`, Node 20 or later with `npm`, Go, and Java 17 or later.
//! The packages, pinned in `tests/readers/`, are installed into `target/readers/` on the first run. A tool that is
//! missing fails the test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test may end it, too")]

#[path = "readers/calendar.rs"]
mod calendar;
#[path = "readers/documents.rs"]
mod documents;
#[path = "readers/flags.rs"]
mod flags;
#[path = "readers/yaml.rs"]
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use entitlement_operator::render::format::{FacetValues, Format};
use serde_json::{Map, Value};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers");

/// What the shells export by themselves.
const OF_THE_SHELL: [&str; 5] = ["OLDPWD", "PATH", "PWD", "SHLVL", "_"];

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("readers").join(name)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the commands in a new folder, unless that was done already for the same list of packages.
fn install(name: &str, list: &str, commands: impl Fn(&Path) -> Vec<Command>) -> PathBuf {
    let folder = target(name);
    let stamp = folder.join("installed");
    let wanted = fs::read_to_string(Path::new(SCRIPTS).join(list)).unwrap();
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    for mut command in commands(&folder) {
        // Past the capture of the test's output, so that a slow download is seen to be one.
        let mut uncaptured = std::io::stderr();
        writeln!(uncaptured, "readers: waiting for {command:?}").unwrap();
        output(&mut command);
    }
    fs::write(stamp, wanted).unwrap();
    folder
}

fn python() -> Command {
    python_script("read.py")
}

fn python_script(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        install("python", "requirements.txt", |folder| {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv"]).arg(folder);
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(Path::new(SCRIPTS).join("requirements.txt"));
            vec![venv, pip]
        })
    });
    let mut command = Command::new(folder.join("bin/python"));
    command.arg(Path::new(SCRIPTS).join(name));
    command
}

fn node() -> Command {
    node_script("read.mjs")
}

fn node_script(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        install("node", "package-lock.json", |folder| {
            for list in ["package.json", "package-lock.json"] {
                fs::copy(Path::new(SCRIPTS).join(list), folder.join(list)).unwrap();
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder);
            vec![npm]
        })
    });
    let mut command = Command::new("node");
    command.arg(Path::new(SCRIPTS).join(name)).current_dir(folder);
    command
}

fn go() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let program = target("go").join("read");
        let mut build = Command::new("go");
        build.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(Path::new(SCRIPTS).join("go"));
        output(build.env("CGO_ENABLED", "0"));
        program
    });
    Command::new(program)
}

/// Writes the documents of a format into a folder of its own for each reader.
fn written(format: Format, reader: &str) -> (Vec<FacetValues>, PathBuf) {
    let folder = target("documents").join(reader);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let documents = documents::of(format);
    for (index, facets) in documents.iter().enumerate() {
        let text = format.render(facets).unwrap();
        fs::write(folder.join(format!("{index:05}")), text).unwrap();
    }
    (documents, folder)
}

fn by_script(mut script: Command, reader: &str, format: Format) {
    let (documents, folder) = written(format, reader);
    let results = output(script.arg(reader).arg(&folder));
    let results: Vec<Value> = serde_json::from_str(&results).unwrap();
    assert_eq!(results.len(), documents.len());
    for (index, (facets, read)) in documents.iter().zip(&results).enumerate() {
        let place = format!("{}/{index:05}", folder.display());
        if format == Format::Env {
            assert_variables(&place, facets, &read_variables(read));
        } else {
            let written =
                Value::Object(facets.iter().map(|(facet, fields)| (facet.clone(), fields.clone().into())).collect());
            let expected = if format == Format::Toml { without_null(written) } else { written };
            assert_same(&place, &expected, read);
        }
    }
}

#[test]
fn sarif_meets_its_schema() {
    // The package is installed for the schema that it has in it.
    node();
    let schema = target("node").join("node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    // Its one mistake: a bracket that closes nothing.
    for part in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{part}/properties/language")).unwrap();
        assert!(language.as_object_mut().unwrap().remove("pattern").is_some());
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli");
    for manifests in ["refused.yaml", "clients", "absent.yaml", "../../readers/read.py"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entitlement-operator"));
        let arguments = ["validate", "-o", "sarif", "--at", "2026-07-01", "-f", manifests];
        let written = command.args(arguments).current_dir(&folder).output().unwrap();
        let log: Value = serde_json::from_slice(&written.stdout).unwrap();
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{manifests}");
        let count = log["runs"][0]["results"].as_array().unwrap().len();
        assert_eq!(count > 0, manifests != "clients", "{manifests}");
    }
}

fn by_shell(shell: &str) {
    let (documents, folder) = written(Format::Env, shell);
    let mut command = Command::new(shell);
    command.arg(Path::new(SCRIPTS).join("read.sh")).arg(&folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let entries = output(command.env_clear().env("PATH", path));
    let mut results = vec![BTreeMap::new()];
    for entry in entries.split_terminator('\0') {
        match entry.split_once('=') {
            None => results.push(BTreeMap::new()),
            Some((name, _)) if OF_THE_SHELL.contains(&name) => {}
            Some((name, value)) => {
                let last = results.last_mut().unwrap();
                last.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    // Behind the end of the last document nothing follows.
    assert_eq!(results.pop(), Some(BTreeMap::new()));
    assert_eq!(results.len(), documents.len());
    for (index, (facets, read)) in documents.iter().zip(&results).enumerate() {
        assert_variables(&format!("{}/{index:05}", folder.display()), facets, read);
    }
}

fn read_variables(read: &Value) -> BTreeMap<String, String> {
    let members = read.as_object().unwrap();
    members.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// Texts have to be the same; a list is one JSON of several that mean the same.
fn assert_variables(place: &str, facets: &FacetValues, read: &BTreeMap<String, String>) {
    let expected: BTreeMap<_, _> =
        documents::leaves(facets).into_iter().map(|(names, value)| (variable(&names), value)).collect();
    assert!(expected.keys().eq(read.keys()), "{place}: {:?}", read.keys());
    for (name, value) in expected {
        let place = format!("{place}: {name}");
        match &value {
            Value::String(text) => assert_eq!(&read[&name], text, "{place}"),
            Value::Array(_) => {
                assert_same(&place, &value, &serde_json::from_str(&read[&name]).unwrap());
            }
            other => assert_eq!(read[&name], other.to_string(), "{place}"),
        }
    }
}

fn variable(names: &[String]) -> String {
    let upper = names.join("_").to_ascii_uppercase();
    upper.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

/// Equal down to the type of each value; a reader may give a float without a fraction as an integer.
fn assert_same(place: &str, expected: &Value, read: &Value) {
    match (expected, read) {
        (Value::Object(expected), Value::Object(read)) => {
            let same_keys = expected.keys().eq(read.keys());
            assert!(same_keys, "{place}: {:?} for {:?}", read.keys(), expected.keys());
            for (key, value) in expected {
                assert_same(&format!("{place}.{key:?}"), value, &read[key]);
            }
        }
        (Value::Array(expected), Value::Array(read)) => {
            assert_eq!(expected.len(), read.len(), "{place}");
            for (index, (value, read)) in expected.iter().zip(read).enumerate() {
                assert_same(&format!("{place}[{index}]"), value, read);
            }
        }
        (Value::Number(expected), Value::Number(read)) if expected.is_f64() => {
            assert_eq!(expected.as_f64(), read.as_f64(), "{place}");
        }
        _ => assert_eq!(expected, read, "{place}"),
    }
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_null(member)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

#[test]
fn env_by_sh() {
    by_shell("sh");
}

#[test]
fn env_by_bash() {
    by_shell("bash");
}

#[test]
fn env_by_python_dotenv() {
    by_script(python(), "python-dotenv", Format::Env);
}

#[test]
fn env_by_node_dotenv() {
    for parser in ["dotenv", "dotenv-fast", "dotenv-16"] {
        by_script(node(), parser, Format::Env);
    }
}

#[test]
fn env_by_go() {
    for reader in ["godotenv", "compose"] {
        by_script(go(), reader, Format::Env);
    }
}

/// What the documentation says of `docker run --env-file`, which knows neither quotes nor values of several lines.
#[test]
fn env_by_docker_is_verbatim() {
    let (documents, folder) = written(Format::Env, "docker");
    // Docker reads the first lines of a file in which some value has several; what is behind them need not be a variable.
    let is_read = |index: &usize| {
        let text = fs::read_to_string(folder.join(format!("{index:05}"))).unwrap();
        text.lines().count() == 1 && text.len() < 65_536
    };
    let read: Vec<usize> = (0..documents.len()).filter(is_read).collect();
    for index in (0..documents.len()).filter(|index| !read.contains(index)) {
        fs::remove_file(folder.join(format!("{index:05}"))).unwrap();
    }
    let results: Vec<BTreeMap<String, String>> =
        serde_json::from_str(&output(go().arg("docker").arg(&folder))).unwrap();
    assert_eq!(results.len(), read.len());
    let mut bare = 0;
    for (index, result) in read.into_iter().zip(&results) {
        let Some(Value::String(text)) = documents[index].get("f").and_then(|fields| fields.get("x")) else { continue };
        let value = &result["F_X"];
        if value.starts_with(['\'', '"']) {
            assert_eq!(value.get(1..value.len() - 1), Some(text.as_str()));
        } else {
            assert_eq!(value, text);
            bare += 1;
        }
    }
    assert!(bare > 20, "{bare}");
}

#[test]
fn json_by_python() {
    by_script(python(), "json", Format::Json);
}

#[test]
fn yaml_by_pyyaml() {
    by_script(python(), "pyyaml", Format::Yaml);
}

#[test]
fn yaml_by_ruamel() {
    by_script(python(), "ruamel", Format::Yaml);
}

#[test]
fn yaml_by_node() {
    by_script(node(), "yaml-1.1", Format::Yaml);
    by_script(node(), "yaml-1.2", Format::Yaml);
}

#[test]
fn toml_by_python() {
    by_script(python(), "tomllib", Format::Toml);
}

#[test]
fn properties_by_java() {
    let (documents, folder) = written(Format::Properties, "java");
    let mut java = Command::new("java");
    java.arg(Path::new(SCRIPTS).join("ReadProperties.java")).arg(&folder);
    let lines = output(&mut java);
    let mut results = vec![BTreeMap::new()];
    for line in lines.lines() {
        match line.split_once(' ') {
            None => results.push(BTreeMap::new()),
            Some((key, value)) => {
                let last = results.last_mut().unwrap();
                last.insert(from_hex(key), from_hex(value));
            }
        }
    }
    // Behind the end of the last document nothing follows.
    assert_eq!(results.pop(), Some(BTreeMap::new()));
    assert_eq!(results.len(), documents.len());
    for (index, (facets, read)) in documents.iter().zip(&results).enumerate() {
        let expected: BTreeMap<_, _> = documents::leaves(facets)
            .into_iter()
            .map(|(names, value)| (names.join("."), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        assert_eq!(read, &expected, "{}/{index:05}", folder.display());
    }
}

fn from_hex(digits: &str) -> String {
    String::from_utf8(hex::decode(digits).unwrap()).unwrap()
}

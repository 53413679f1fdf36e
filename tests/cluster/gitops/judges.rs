//! What Argo CD, Flux, and kstatus make of an object.

use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A word for programs, and one for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Opinion {
    pub status: String,
    pub message: String,
}

/// What each of the tools makes of an object.
#[derive(Debug, Deserialize)]
pub struct Opinions {
    /// In Argo CD's own Lua interpreter.
    pub argo: Opinion,
    /// By the expressions of our example, with Flux's own library.
    pub flux: Opinion,
    /// By the library that Flux, Helm and others use where nothing else is said.
    pub kstatus: Opinion,
}

/// The health check of each kind.
pub fn health_checks() -> BTreeMap<String, String> {
    let folder = Path::new(ROOT).join("examples/gitops/argocd/health");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().trim_start_matches("entitlements.dev_").to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The documents of our examples for Flux.
fn flux_manifests() -> Vec<String> {
    let read = |name| fs::read_to_string(Path::new(ROOT).join("examples/gitops/flux").join(name)).unwrap();
    let texts = ["operator.yaml", "kustomizations.yaml"].map(read);
    texts.iter().flat_map(|text| text.split("\n---\n")).map(str::to_owned).collect()
}

/// What the tools say, by a program in their language with their libraries.
pub fn opinions(objects: &[&Value]) -> Vec<Opinions> {
    let question = json!({"manifests": flux_manifests(), "lua": health_checks(), "objects": objects});
    let output = fed(&mut Command::new(&*PROGRAM), question.to_string().as_bytes());
    serde_json::from_str(&succeeded("tests/gitops", &output)).unwrap()
}

/// That program, built once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("gitops").join("judge");
    let mut build = Command::new("go");
    build.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(Path::new(ROOT).join("tests/gitops"));
    let output = build.env("CGO_ENABLED", "0").output();
    let output = output.unwrap_or_else(|error| panic!("go does not start ({error}): install Go (https://go.dev/dl)"));
    succeeded("go build in tests/gitops", &output);
    program
});

fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn succeeded(what: &str, output: &Output) -> String {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is left of Lua's library, so that a health check cannot lean on more than Argo CD gives it.
const SANDBOX: &str = r#"
debug.setmetatable("", nil)
local kept = {}
for _, name in ipairs({ "_G", "assert", "error", "ipairs", "next", "pairs", "pcall", "print", "select", "table", "tonumber", "tostring", "type", "unpack" }) do
  kept[name] = true
end
for name in pairs(_G) do
  if not kept[name] then
    _G[name] = nil
  end
end
"#;

/// What the health check of its kind says in Lua 5.1, without more of a library than Argo CD gives.
pub fn in_lua(script: &str, object: &Value) -> Opinion {
    let program = format!(
        "{SANDBOX}\nobj = {}\nlocal hs = (function()\n{script}\nend)()\nprint(hs.status)\nprint(hs.message)\n",
        literal(object)
    );
    let mut command = Command::new("lua5.1");
    command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("lua5.1 does not start ({error}): install the package lua5.1 (Debian: apt-get install lua5.1)")
    });
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let text = succeeded("lua5.1", &child.wait_with_output().unwrap());
    let (status, message) = text.trim_end_matches('\n').split_once('\n').unwrap();
    Opinion { status: status.to_owned(), message: message.to_owned() }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("{{{}}}", items.iter().map(literal).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("[{}]={}", quoted(name), literal(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

fn quoted(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("\\{byte:03}"));
    format!("\"{}\"", bytes.collect::<String>())
}

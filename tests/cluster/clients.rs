//! Real clients of the API, over TLS and with the authority that the operator tells: the SDKs of `OpenFeature` with their OFREP
//! providers, those of `CloudEvents`, and curl.
//!
//! `make test-clients` installs what `tests/clients/` lists into `target/clients/`.

use crate::{
    asker::{Asker, allow},
    checks::authority,
    harness::{DEADLINE, grant},
    usage::support::Desk,
    wait::eventually,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where the API listens, with TLS.
pub const SECURE_API: [&str; 1] = ["--api-address=127.0.0.1:0"];

/// What a workload has: the address, and a folder with its token and the authority, as in docs/checks.md.
pub struct Workload {
    pub url: String,
    pub token: String,
    folder: TempDir,
}

impl Workload {
    pub fn of(desk: &Desk, port: u16, account: (&str, &str)) -> Self {
        let api = ([127, 0, 0, 1], port).into();
        let Asker { token, .. } = Asker::of(desk, api, account, "entitlements.dev");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), &token).unwrap();
        fs::write(folder.path().join("ca.crt"), authority(&desk.stage)).unwrap();
        Self { url: format!("https://localhost:{port}"), token, folder }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Python or Node with what `tests/clients/` lists, about to run a file.
    pub fn interpreter(&self, file: &Path) -> Command {
        let is_python = file.extension().is_some_and(|end| end == "py");
        let installed = Path::new(ROOT).join("target/clients");
        assert!(installed.join("installed").exists(), "the clients are not there: run make test-clients");
        let mut command =
            if is_python { Command::new(installed.join("python/bin/python")) } else { Command::new("node") };
        command.arg(file).current_dir(installed.join("node"));
        command.env("REQUESTS_CA_BUNDLE", self.file("ca.crt")).env("NODE_EXTRA_CA_CERTS", self.file("ca.crt"));
        command.env("ENTITLEMENTS_API", &self.url);
        command
    }

    /// A file of `tests/clients/`, about to run with settings beside the address and the token.
    fn client(&self, file: &str, settings: &Value) -> Command {
        let mut all = json!({"url": self.url, "token": self.file("token")});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let path = self.file(&format!("{file}.json"));
        fs::write(&path, all.to_string()).unwrap();
        let mut command = self.interpreter(&Path::new(ROOT).join("tests/clients").join(file));
        command.arg(path);
        command
    }

    /// What such a file prints.
    fn runs(&self, file: &str, settings: &Value) -> Value {
        serde_json::from_str(&printed(&mut self.client(file, settings))).unwrap()
    }

    /// What curl gets: the status and the body.
    pub fn curl(&self, path: &str, more: &[&str]) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", "--cacert"]).arg(self.file("ca.crt"));
        curl.args(["--header", &format!("Authorization: Bearer {}", self.token)]).args(more);
        let text = printed(curl.arg(format!("{}{path}", self.url)));
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap())
    }

    /// Puts a use by curl: the status, the reason, and what is left.
    pub fn puts(&self, path: &str, amount: &str) -> (u16, String, String) {
        let body = json!({ "amount": amount }).to_string();
        let more = ["--request", "PUT", "--header", "Content-Type: application/json", "--data", &body];
        let (status, answer) = self.curl(path, &more);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (status, text(&answer["reason"]), text(&answer["usage"]["remaining"]))
    }

    /// Waits until curl gets that.
    pub fn until(&self, path: &str, wanted: impl Fn(u16, &Value) -> bool) -> Value {
        eventually(DEADLINE, path, || {
            let (status, body) = self.curl(path, &[]);
            if wanted(status, &body) { Ok(body) } else { Err(format!("{status} {body}")) }
        })
    }
}

/// What a command prints, which ends well.
pub fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A service that may ask and count.
pub async fn service(desk: &Desk, port: u16) -> Workload {
    let account = ("kube-system", "service");
    for verb in ["check", "report"] {
        allow(&desk.cluster, verb, account).await;
    }
    Workload::of(desk, port, account)
}

/// Features: one that the client holds, with facets, and one that it does not.
async fn offer_features(desk: &Desk) {
    let name = &desk.cluster.name;
    let schema = json!({
        "type": "object", "additionalProperties": false,
        "properties": {"region": {"type": "string"}, "streams": {"type": "integer", "default": 4}},
    });
    for feature in ["video", "audio"] {
        let definition = json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition",
            "metadata": {"name": format!("{name}-{feature}")},
            "spec": {"type": "Feature", "facets": [{"name": "delivery", "schema": schema}]},
        });
        desk.cluster.create(definition).await.unwrap();
    }
    let held = format!("{name}-video");
    let spec = json!({"facets": {"delivery": {"region": "eu"}}});
    desk.cluster.create(grant(&held, name, &held, spec)).await.unwrap();
    desk.cluster.phase(&held, "Active").await;
    let quantity = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementDefinition", "metadata": {"name": format!("{name}-seats")},
        "spec": {"type": "Quantity", "unit": "seats", "amount": 5},
    });
    desk.cluster.create(quantity).await.unwrap();
    desk.cluster.merge("Organization", "", "$", json!({"spec": {"summary": {"flags": "All"}}})).await.unwrap();
}

/// Each flag that is asked for: its key, as what, the default in the code, and what comes of it.
fn flags(name: &str) -> Vec<(String, &'static str, Value, Value)> {
    let is = |value: Value, reason: &str, variant: &str| json!({"value": value, "reason": reason, "variant": variant, "error": null});
    let fails = |value: Value, error: &str| json!({"value": value, "reason": "ERROR", "variant": null, "error": error});
    let none = json!({"region": "none"});
    vec![
        (format!("{name}-video"), "boolean", json!(false), is(json!(true), "TARGETING_MATCH", "on")),
        (format!("{name}-audio"), "boolean", json!(true), is(json!(false), "STATIC", "not-held")),
        (name.to_owned(), "integer", json!(1), is(json!(10), "TARGETING_MATCH", "10")),
        (format!("{name}-seats"), "integer", json!(1), is(json!(0), "STATIC", "not-held")),
        (format!("{name}.allowed"), "boolean", json!(false), is(json!(true), "TARGETING_MATCH", "on")),
        (
            format!("{name}-video.facets"),
            "object",
            none.clone(),
            is(json!({"delivery": {"region": "eu", "streams": 4}}), "TARGETING_MATCH", "2803c141bf4c"),
        ),
        (format!("{name}-audio.facets"), "object", none, is(json!({}), "STATIC", "not-held")),
        // No flag is a text.
        (name.to_owned(), "string", json!("default"), fails(json!("default"), "TYPE_MISMATCH")),
        ("seets".to_owned(), "boolean", json!(true), fails(json!(true), "FLAG_NOT_FOUND")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_are_told_flags_and_tell_usage() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&SECURE_API);
    let port = operator.api().port();
    desk.sell().await;
    offer_features(&desk).await;
    let name = desk.cluster.name.clone();
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    let service = service(&desk, port).await;
    let tenant = Workload::of(&desk, port, (&name, "default"));
    service.until(&one, |status, body| status == 200 && body["usage"]["state"] == "Ok");
    eventually(DEADLINE, "all flags are there", || {
        let (_, body) = tenant.curl("/ofrep/v1/evaluate/flags", &["--request", "POST"]);
        if body["flags"].as_array().is_some_and(|all| all.len() == 7) { Ok(()) } else { Err(body) }
    });

    // Flags: a service for the organization that it names, a client's workload for its own.
    let flags = flags(&name);
    let asked: Vec<_> =
        flags.iter().map(|(key, kind, default, _)| json!({"key": key, "kind": kind, "default": default})).collect();
    let told: Vec<_> = flags.iter().map(|(.., told)| told.clone()).collect();
    for (workload, targeting_key) in [(&service, name.as_str()), (&tenant, "somebody-else")] {
        for file in ["flags.py", "flags.mjs"] {
            let settings = json!({"targetingKey": targeting_key, "flags": asked});
            assert_eq!(workload.runs(file, &settings), json!(told), "{file}");
        }
    }

    // Usage: 1 by each, and 0.5 in a batch that has the first one again.
    let mut remaining = vec![];
    for file in ["events.py", "events.mjs"] {
        let source = if file == "events.py" { "/python" } else { "/node" };
        let is = |id: &str| json!({"id": id, "source": source, "status": 200});
        let settings = json!({"organization": name, "definition": name});
        for _ in 0..2 {
            // Who has just started counts once the cluster has answered.
            let said = eventually(DEADLINE, "events are counted", || {
                let said = service.runs(file, &settings);
                if said[0]["status"] == 503 { Err(said) } else { Ok(said) }
            });
            let expected = json!([
                {"status": 200, "body": is("event-1")}, {"status": 200, "body": [is("event-1"), is("event-2")]},
            ]);
            assert_eq!(said, expected, "{file}");
            remaining.push(service.curl(&one, &[]).1["usage"]["remaining"].clone());
        }
    }
    assert_eq!(json!(remaining), json!(["8.5", "8.5", "7", "7"]));

    // A browser's SDK asks again and again: told that nothing has changed, and then what has.
    let settings = json!({"targetingKey": "", "flags": asked, "changes": format!("{name}.allowed")});
    let mut web = tenant.client("web.mjs", &settings).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(web.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut line = || lines.next().expect("web.mjs has ended");
    assert_eq!(serde_json::from_str::<Value>(&line()).unwrap(), json!(told));
    assert_eq!(line(), "304");
    let all_but_one = service.puts(&format!("{one}/uses/case-1"), "6");
    assert_eq!(all_but_one, (200, "Allowed".to_owned(), "1".to_owned()));
    assert_eq!(service.puts(&format!("{one}/uses/case-2"), "1.5"), (409, "Exhausted".to_owned(), "1".to_owned()));
    assert_eq!(service.puts(&format!("{one}/uses/case-2"), "1"), (200, "Allowed".to_owned(), "0".to_owned()));
    assert_eq!(service.puts(&format!("{one}/uses/case-2"), "1"), (200, "Allowed".to_owned(), "0".to_owned()));
    let changed: Value = serde_json::from_str(&line()).unwrap();
    assert_eq!(changed[4], json!({"value": false, "reason": "TARGETING_MATCH", "variant": "off", "error": null}));
    assert!(web.wait().unwrap().success());
    for workload in [&service, &tenant] {
        let (status, answer) = workload.curl(&one, &[]);
        assert_eq!((status, &answer["allowed"], &answer["usage"]["used"]), (200, &json!(false), &json!("10")));
    }
}

/// The fenced blocks of docs/checks.md in a language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/checks.md")).unwrap();
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

impl Workload {
    /// What a block of the page prints, with names and places of the test.
    fn prints(&self, block: &str, file: &str, names: &[(&str, &str)]) -> String {
        let here = self.folder.path().display().to_string();
        let all = [&[("/var/run/entitlements", here.as_str())], names].concat();
        let text = all.iter().fold(block.to_owned(), |text, (from, to)| text.replace(from, to));
        fs::write(self.file(file), text).unwrap();
        let _ = symlink(Path::new(ROOT).join("target/clients/node/node_modules"), self.file("node_modules"));
        printed(&mut self.interpreter(&self.file(file)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_shows_of_sdks_and_manifests_works() {
    let desk = Desk::start().await;
    let operator = desk.operator_with(&SECURE_API);
    let port = operator.api().port();
    desk.sell().await;
    offer_features(&desk).await;
    let name = desk.cluster.name.clone();
    let service = service(&desk, port).await;
    let tenant = Workload::of(&desk, port, (&name, "default"));
    let one = format!("/v1/organizations/{name}/entitlements/{name}");
    service.until(&one, |status, body| status == 200 && body["usage"]["state"] == "Ok");
    tenant.until(&format!("{one}-video"), |status, body| status == 200 && body["allowed"] == true);

    let (python, node) = (blocks("python"), blocks("js"));
    assert_eq!((python.len(), node.len()), (1, 2));
    let video = format!("{name}-video");
    let names = [("4k-streaming", video.as_str()), ("managed-backup", &video), ("support-cases", &name)];
    let told = tenant.prints(&python[0], "flags.py", &names);
    assert_eq!(told, "True\n10\nTrue\n{'delivery': {'region': 'eu', 'streams': 4}}\n");
    let told = tenant.prints(&node[1], "flags.mjs", &names);
    assert_eq!(told, "true\n10\ntrue\n{ delivery: { region: 'eu', streams: 4 } }\n");
    let names = [("support-hours", name.as_str()), ("\"acme\"", &format!("\"{name}\""))];
    let told = eventually(DEADLINE, "an event is counted", || {
        let told = service.prints(&node[0], "event.mjs", &names);
        if told.starts_with("503") { Err(told) } else { Ok(told) }
    });
    assert!(told.starts_with("200 ") && told.contains("status: 200"), "{told}");
    assert_eq!(service.curl(&one, &[]).1["usage"]["used"], "0.25");

    // The manifests of the page, and of the gateway, are understood.
    for namespace in ["acme-prod", "shop"] {
        desk.stage.kubectl(&["create", "namespace", namespace]);
    }
    let deployment = blocks("yaml").into_iter().find(|block| block.contains("kind: Deployment")).unwrap();
    fs::write(tenant.file("deployment.yaml"), deployment).unwrap();
    let gateway = Path::new(ROOT).join("examples/checks/nginx/gateway.yaml");
    for (manifest, made) in [(tenant.file("deployment.yaml"), 1), (gateway, 3)] {
        let manifest = manifest.to_str().unwrap();
        let said = desk.stage.kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename", manifest]);
        assert_eq!(said.lines().filter(|line| line.ends_with("created (server dry run)")).count(), made, "{said}");
    }
}

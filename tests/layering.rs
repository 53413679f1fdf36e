//! The flow is one way, and what decides is pure: `api` ◀ `core` ◀ `render` ◀ `evaluation` ◀ shell.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "they fail a test")]

mod rust_files;

use proc_macro2::{TokenStream, TokenTree};
use rust_files::rust_files;
use std::{collections::BTreeSet, fs, path::Path};
use syn::{
    ExprAsync, File, Item, ItemMod, ItemUse, Macro, Signature, UseTree,
    ext::IdentExt,
    visit::{self, Visit},
};

/// A module of the crate's root, and what it may name.
struct Layer {
    module: &'static str,
    /// The other modules of the crate's root that it may use.
    uses: &'static [&'static str],
    /// Whether it decides: no client, no clock, no input or output, and nothing that waits.
    pure: bool,
}

const fn pure(module: &'static str, uses: &'static [&'static str]) -> Layer {
    Layer { module, uses, pure: true }
}

const fn shell(module: &'static str, uses: &'static [&'static str]) -> Layer {
    Layer { module, uses, pure: false }
}

/// `api` derives its kinds with `kube`, and is for the rest as pure as what lies above it.
const LAYERS: &[Layer] = &[
    pure("yaml", &[]),
    shell("api", &["yaml"]),
    pure("core", &["api"]),
    pure("render", &["api", "core"]),
    pure("evaluation", &["api", "core", "render"]),
    pure("offline", &["api", "core", "render", "evaluation"]),
    pure("installation", &["api", "core"]),
    shell("traces", &[]),
    shell("metrics", &["traces"]),
    shell("server", &["core"]),
    shell("kill_points", &[]),
    shell("store", &["core", "kill_points"]),
    shell("metering", &["core", "evaluation", "kill_points", "metrics", "store"]),
    shell("prometheus", &["api", "core", "connection"]),
    shell(
        "controller",
        &[
            "api",
            "core",
            "render",
            "evaluation",
            "installation",
            "address",
            "connection",
            "metering",
            "metrics",
            "prometheus",
            "store",
            "traces",
        ],
    ),
    shell("preflight", &["api", "core", "installation", "controller", "connection"]),
    shell("certificates", &["core", "evaluation", "controller", "connection", "server"]),
    shell(
        "webhook",
        &[
            "api",
            "core",
            "render",
            "evaluation",
            "installation",
            "controller",
            "address",
            "certificates",
            "connection",
            "metrics",
            "server",
        ],
    ),
    shell("endpoints", &["controller", "metrics", "server"]),
    shell(
        "checks",
        &[
            "api",
            "core",
            "render",
            "evaluation",
            "installation",
            "controller",
            "certificates",
            "connection",
            "kill_points",
            "metering",
            "metrics",
            "server",
            "store",
        ],
    ),
];

/// A client, a clock, input or output, randomness, and the machine's own time zones. A path that has one of these anywhere is
/// impure.
const IMPURE: &[&[&str]] = &[
    &["kube"],
    &["tokio"],
    &["futures"],
    &["hyper"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "io"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["SystemTime"],
    &["Instant", "now"],
    &["Utc", "now"],
    &["Local", "now"],
    &["Zoned", "now"],
    &["Timestamp", "now"],
    &["TimeZone", "get"],
    &["TimeZone", "system"],
    &["TimeZone", "try_system"],
    &["tz", "db"],
    &["tracing"],
    &["rand"],
];

/// Macros that print: names that anything else may have too, where it has a module before it.
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// All paths that a file names, from the crate's root on (`crate`, …) or from a crate (`std`, …); what is compiled for tests
/// alone is left out.
#[derive(Default)]
struct Named {
    /// The module that is being read, from the crate's root on.
    module: Vec<String>,
    paths: BTreeSet<Vec<String>>,
    waits: bool,
}

impl Named {
    fn in_file(code: &str, module: &[&str]) -> Self {
        let file: File = syn::parse_file(code).unwrap();
        let module = module.iter().map(|&name| name.to_owned()).collect();
        let mut named = Self { module, ..Self::default() };
        named.visit_file(&file);
        named
    }

    fn note(&mut self, path: &[String]) {
        let path = match path.first().map(String::as_str) {
            Some("self" | "super") => self.resolved(path),
            _ => path.to_vec(),
        };
        self.paths.insert(path);
    }

    fn resolved(&self, path: &[String]) -> Vec<String> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let skipped = path.iter().take_while(|part| *part == "super" || *part == "self").count();
        let base = &self.module[..self.module.len().saturating_sub(ups)];
        let root = std::iter::once("crate".to_owned());
        root.chain(base.iter().cloned()).chain(path[skipped..].iter().cloned()).collect()
    }

    fn note_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.unraw().to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.note_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.note(&with(&name.ident)),
            UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, before)),
        }
    }

    /// What a macro is given is no syntax yet: every sequence of names with `::` between them counts as a path.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note_some(&std::mem::take(&mut path));
                    }
                    path.push(ident.unraw().to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.note_some(&std::mem::take(&mut path));
                    self.note_tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.note_some(&std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.note_some(&path);
    }

    fn note_some(&mut self, path: &[String]) {
        if path.len() > 1 {
            self.note(path);
        }
    }

    /// The modules of the crate's root that are named.
    fn modules(&self) -> BTreeSet<&str> {
        let inside = self.paths.iter().filter(|path| path[0] == "crate");
        inside.filter_map(|path| path.get(1)).map(String::as_str).collect()
    }

    fn impure(&self) -> Vec<String> {
        let has = |path: &[String], words: &[&str]| path.windows(words.len()).any(|window| window == words);
        let prints = |path: &[String]| matches!(path, [name] if PRINTING.contains(&name.as_str()));
        let impure = |path: &[String]| prints(path) || IMPURE.iter().any(|words| has(path, words));
        let paths = self.paths.iter().filter(|path| impure(path));
        let waits = self.waits.then(|| "async".to_owned());
        paths.map(|path| path.join("::")).chain(waits).collect()
    }
}

fn is_for_tests(item: &ItemMod) -> bool {
    item.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_for_tests(item) {
            return;
        }
        self.module.push(item.ident.unraw().to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.note_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
        self.note(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        visit::visit_macro(self, item);
        self.note_tokens(item.tokens.clone());
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        self.waits |= signature.asyncness.is_some();
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, expression: &'ast ExprAsync) {
        self.waits = true;
        visit::visit_expr_async(self, expression);
    }
}

/// The modules from the crate's root on that a file of `src` is: `core/grant.rs` is `core::grant`, as `core/grant/mod.rs`.
fn module_of(file: &Path) -> Vec<String> {
    let parts = file.with_extension("");
    let parts = parts.components().map(|part| part.as_os_str().to_str().unwrap().to_owned());
    parts.filter(|part| part != "mod").collect()
}

fn is_for_tests_by_name(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests")
}

#[test]
fn each_layer_names_only_what_lies_below_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for layer in LAYERS {
        let single = source.join(layer.module).with_extension("rs");
        let files = if single.is_file() { vec![single] } else { rust_files(&source.join(layer.module)) };
        assert!(!files.is_empty(), "{} has no files", layer.module);
        for file in files {
            let module = module_of(file.strip_prefix(&source).unwrap());
            if is_for_tests_by_name(&module) {
                continue;
            }
            let module: Vec<&str> = module.iter().map(String::as_str).collect();
            let named = Named::in_file(&fs::read_to_string(&file).unwrap(), &module);
            let allowed = |name: &&str| *name == layer.module || layer.uses.contains(name);
            let above: Vec<_> = named.modules().into_iter().filter(|name| !allowed(name)).collect();
            if !above.is_empty() {
                wrong.push(format!("{} names {above:?}", file.display()));
            }
            if layer.pure && !named.impure().is_empty() {
                wrong.push(format!("{} names {:?}", file.display(), named.impure()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rules_know_grants_and_not_the_objects_that_yield_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources = source.join("core/source");
    let mut wrong = Vec::new();
    for file in rust_files(&source.join("core")).into_iter().filter(|file| !file.starts_with(&sources)) {
        let module = module_of(file.strip_prefix(&source).unwrap());
        if is_for_tests_by_name(&module) {
            continue;
        }
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        let named = Named::in_file(&fs::read_to_string(&file).unwrap(), &module);
        let is_object = |name: &String| name.starts_with("EntitlementInstance") || name == "entitlement_instance";
        let objects = named.paths.iter().filter(|path| path.iter().any(is_object));
        wrong.extend(objects.map(|path| format!("{} names {}", file.display(), path.join("::"))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a file of the core names of the crate, and what of it is impure.
#[track_caller]
fn assert_found(code: &str, modules: &[&str], impure: &[&str]) {
    let named = Named::in_file(code, &["core", "lifecycle", "seat"]);
    assert_eq!(named.modules().into_iter().collect::<Vec<_>>(), modules, "modules of {code}");
    assert_eq!(named.impure(), impure, "what is impure of {code}");
}

#[test]
fn the_check_finds_what_it_looks_for() {
    assert_found("fn now() { chrono::Utc::now(); }", &[], &["chrono::Utc::now"]);
    assert_found("use kube::Client;", &[], &["kube::Client"]);
    assert_found("async fn read() {}", &[], &["async"]);
    assert_found("fn read() { let later = async { 1 }; }", &[], &["async"]);
    assert_found("fn read() { println!(\"{}\", 1); }", &[], &["println"]);
    assert_found("use crate::render::format;", &["render"], &[]);
    assert_found("// speaks of kube::Client", &[], &[]);
    assert_found("const TEXT: &str = \"kube::Client\";", &[], &[]);
}

#[test]
fn the_check_sees_into_groups_macros_and_what_is_above() {
    assert_found("use crate::{api::Phase, render::{self, format}};", &["api", "render"], &[]);
    assert_found(
        "use std::{collections::BTreeMap, fs::File, io::{self, Read as _}};",
        &[],
        &["std::fs::File", "std::io::Read", "std::io::self"],
    );
    assert_found("use super::super::super::render::format;", &["render"], &[]);
    assert_found("use super::{super::grant, super::super::evaluation::Limits};", &["core", "evaluation"], &[]);
    assert_found("fn x() { vec![super::super::super::cli::run(), (1, crate::api::x())]; }", &["api", "cli"], &[]);
    assert_found("mod inner { use super::super::super::super::webhook; }", &["webhook"], &[]);
    assert_found("fn x(y: &crate::controller::World<std::net::IpAddr>) {}", &["controller"], &["std::net::IpAddr"]);
    assert_found("#[cfg(test)] mod tests { use tokio::time; use crate::cli; }", &[], &[]);
}

#[test]
fn every_file_says_of_which_module_it_is() {
    assert_eq!(module_of(Path::new("core/lifecycle/mod.rs")), ["core", "lifecycle"]);
    assert_eq!(module_of(Path::new("core/grant.rs")), ["core", "grant"]);
    assert!(is_for_tests_by_name(&module_of(Path::new("core/lifecycle/tests/laws.rs"))));
    assert!(matches!(syn::parse_str::<Item>("mod tests;").unwrap(), Item::Mod(_)));
}

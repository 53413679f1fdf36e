//! Tests of reading manifests.

mod documents;
mod kubectl;
mod layers;
mod objects;
mod reading;
mod sources;
mod texts;

use super::{
    EntitlementKind, Manifests, ReadOptions,
    node::Node,
    path::{Aim, Path, PathStep},
    read,
    resource::Resources,
    text,
};
use crate::core::calendar::parse_instant;
use std::thread;

/// The documents of a text; like [`read`], on a stack that is large enough.
fn documents(written: &str) -> Result<Vec<Node>, text::UnreadableText> {
    let read = || text::chunks(written).into_iter().map(text::read).collect::<Result<Vec<_>, _>>();
    let read = thread::scope(|scope| {
        thread::Builder::new().stack_size(32 << 20).spawn_scoped(scope, read).unwrap().join().unwrap()
    });
    read.map(|chunks| chunks.into_iter().flatten().collect())
}

/// The one document of a text.
fn document(written: &str) -> Node {
    let mut documents = documents(written).unwrap();
    assert_eq!(documents.len(), 1, "{written}");
    documents.remove(0)
}

fn options() -> ReadOptions {
    ReadOptions {
        created: parse_instant("2026-07-01T00:00:00Z").unwrap().into(),
        namespace: "default".into(),
        operator_namespace: "entitlement-operator".to_owned(),
    }
}

/// What comes of a text on standard input.
fn read_text(written: &str) -> Manifests {
    read(&["-".into()], &mut written.as_bytes(), &options()).unwrap()
}

/// All findings, as they are printed.
fn findings(manifests: &Manifests) -> Vec<String> {
    manifests.findings.iter().map(ToString::to_string).collect()
}

/// What the API server would refuse of an object, and what it would be warned of.
fn check(kind: EntitlementKind, written: &str) -> (Vec<String>, Vec<String>) {
    let checked = Resources::new().unwrap().check(kind, &document(written), written);
    let lines = |remarks: Vec<super::Remark>| {
        remarks.into_iter().map(|remark| format!("{}: {}", remark.path, remark.message)).collect()
    };
    (lines(checked.errors), lines(checked.warnings))
}

//! Whether a write puts back what somebody else did.

use super::{content, made, marks, other_data, texts};
use crate::evaluation::{
    object::{CONTENT_HASH, ObjectContent},
    plan::{Meddling, Observed},
};
use rstest::rstest;

/// The content of a version, with its hash.
fn version(value: &str) -> ObjectContent {
    let mut content = content(&[("value", value)]);
    content.annotations.insert(CONTENT_HASH.to_owned(), format!("hash of {value}"));
    content
}

fn as_written(value: &str) -> Observed {
    made(Some("a"), &version(value))
}

fn with_other_data(value: &str) -> Observed {
    Observed { data: other_data(), ..as_written(value) }
}

fn without_labels(value: &str) -> Observed {
    Observed { labels: marks(&texts(&[])), ..as_written(value) }
}

#[rstest]
#[case::deleted(None, Some(as_written("1")), Some(Meddling::Deleted))]
#[case::deleted_and_to_be_another_now(None, Some(as_written("0")), None)]
#[case::withdrawn_and_held(None, Some(Observed { is_terminating: true, ..as_written("1") }), None)]
#[case::new(None, None, None)]
#[case::changed(Some(with_other_data("1")), Some(as_written("1")), Some(Meddling::Changed))]
#[case::changed_while_the_operator_was_down(Some(with_other_data("1")), None, Some(Meddling::Changed))]
#[case::relabelled(Some(without_labels("1")), Some(as_written("1")), Some(Meddling::Changed))]
#[case::relabelled_while_the_operator_was_down(Some(without_labels("1")), None, None)]
#[case::to_be_another_now(Some(as_written("0")), None, None)]
#[case::changed_and_to_be_another_now(Some(with_other_data("0")), Some(as_written("0")), None)]
#[case::to_be_labelled_otherwise_now(Some(without_labels("1")), Some(without_labels("1")), None)]
#[case::made_immutable(Some(Observed { is_fixed: true, ..as_written("1") }), None, Some(Meddling::Changed))]
#[case::with_binary_data(Some(Observed { has_binary_data: true, ..as_written("1") }), None, Some(Meddling::Changed))]
fn what_was_as_it_should_be_is_put_back(
    #[case] found: Option<Observed>,
    #[case] before: Option<Observed>,
    #[case] expected: Option<Meddling>,
) {
    assert_eq!(Meddling::of(&version("1"), found.as_ref(), before.as_ref()), expected);
}

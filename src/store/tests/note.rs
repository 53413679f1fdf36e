//! What is noted of a store, and what follows from it.

use crate::{
    core::calendar::{Instant, parse_instant},
    store::{
        identity::{StoreIdentity, StoreReplacement},
        note::{FoundStore, StoreNote},
    },
};
use rstest::rstest;
use std::collections::BTreeMap;

const SINCE: &str = "2027-01-10T00:00:00Z";

fn now() -> Instant {
    parse_instant(SINCE).unwrap()
}

fn store(text: &str) -> StoreIdentity {
    let (id, commits) = text.split_once('@').unwrap();
    StoreIdentity { id: id.to_owned(), commits: commits.parse().unwrap() }
}

fn note(known: &str, found: Option<&str>) -> StoreNote {
    let known = store(known);
    let found = found.map(store).map(|identity| {
        let replacement = identity.replaces(&known).unwrap();
        FoundStore { identity, since: SINCE.to_owned(), replacement }
    });
    StoreNote { known, found, adopted: None }
}

fn data(note: &StoreNote) -> BTreeMap<String, String> {
    note.data().into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

#[rstest]
#[case::it_goes_on(note("a@100", None), "a@100", None)]
#[case::it_was_written_since(note("a@100", None), "a@101", None)]
#[case::an_older_copy(note("a@100", None), "a@99", Some("a@99"))]
#[case::another(note("a@100", None), "b@500", Some("b@500"))]
#[case::the_same_other_again(note("a@100", Some("b@5")), "b@8", Some("b@5"))]
#[case::a_copy_of_the_other(note("a@100", Some("b@5")), "b@4", Some("b@4"))]
#[case::a_third(note("a@100", Some("b@5")), "c@8", Some("c@8"))]
#[case::the_right_one_is_back(note("a@100", Some("b@5")), "a@100", None)]
#[case::an_older_copy_of_the_right_one_is_back(note("a@100", Some("b@5")), "a@7", Some("a@7"))]
#[case::the_older_copy_was_written_since(note("a@100", Some("a@99")), "a@120", Some("a@99"))]
#[case::a_still_older_copy(note("a@100", Some("a@99")), "a@50", Some("a@50"))]
fn what_was_opened_is_compared(#[case] before: StoreNote, #[case] opened: &str, #[case] found: Option<&str>) {
    let after = before.opened(&store(opened), now());
    assert_eq!(after, note("a@100", found));
    assert_eq!(StoreNote::read(&data(&after)), Some(after));
}

#[rstest]
#[case::it_goes_on(note("a@100", None), "a@101", None, None)]
#[case::another(note("a@100", None), "b@5", None, Some("b@5"))]
#[case::it_was_written_since(note("a@100", None), "b@8", Some(note("a@100", Some("b@5"))), Some("b@5"))]
#[case::the_older_copy_was_written_since(note("a@100", None), "a@120", Some(note("a@100", Some("a@99"))), Some("a@99"))]
#[case::the_right_one_is_back(note("a@100", None), "a@100", Some(note("a@100", Some("b@5"))), None)]
#[case::it_was_confirmed(note("b@6", None), "b@8", Some(note("a@100", Some("b@5"))), None)]
#[case::it_was_noted_meanwhile(note("a@100", Some("b@7")), "b@8", Some(note("a@100", Some("b@5"))), Some("b@7"))]
#[case::another_than_was_noted(note("a@100", Some("b@5")), "c@2", None, Some("c@2"))]
#[case::the_same_one_again(note("a@100", Some("b@5")), "c@3", Some(note("a@100", Some("c@2"))), Some("c@2"))]
#[case::the_right_one_is_back_before_that_is_noted(
    note("a@100", Some("b@5")),
    "a@100",
    Some(note("a@100", Some("b@5"))),
    None
)]
fn who_writes_no_note_compares_too(
    #[case] noted: StoreNote,
    #[case] current: &str,
    #[case] before: Option<StoreNote>,
    #[case] found: Option<&str>,
) {
    let known = noted.known.clone();
    let known = format!("{}@{}", known.id, known.commits);
    // What was found before was so earlier.
    let earlier = |mut note: StoreNote| {
        if let Some(found) = &mut note.found {
            found.since = "2027-01-09T00:00:00Z".to_owned();
        }
        note
    };
    let is_old = found.is_some_and(|found| {
        before.as_ref().and_then(|before| before.found.as_ref()).is_some_and(|before| before.identity == store(found))
    });
    let expected = note(&known, found);
    let expected = if is_old { earlier(expected) } else { expected };
    assert_eq!(noted.seen(&store(current), before.map(earlier).as_ref(), now()), expected);
}

#[rstest]
#[case::nothing_was_noted_since(note("a@100", None), Some("b@5"))]
#[case::another_was_noted(note("a@100", Some("c@1")), Some("c@1"))]
#[case::it_was_written_and_noted(note("a@101", None), None)]
fn what_was_seen_counts_until_something_is_noted(#[case] noted: StoreNote, #[case] found: Option<&str>) {
    let expected = note(&format!("a@{}", noted.known.commits), found);
    assert_eq!(noted.clone().sighted(Some(&note("a@100", Some("b@5")))), expected);
    assert_eq!(noted.clone().sighted(None), noted);
}

#[rstest]
#[case::nothing_is_known_besides(note("a@100", None), None, note("a@100", None))]
#[case::the_note_is_behind(note("a@100", None), Some("a@110"), note("a@110", None))]
#[case::the_note_is_newer(note("a@100", None), Some("a@90"), note("a@100", None))]
#[case::it_was_another(note("a@100", None), Some("b@500"), note("a@100", None))]
#[case::it_was_in_doubt_already(note("a@100", Some("a@99")), Some("a@110"), note("a@100", Some("a@99")))]
fn who_had_it_open_knows_best(#[case] before: StoreNote, #[case] last: Option<&str>, #[case] expected: StoreNote) {
    assert_eq!(before.reached(last.map(store)), expected);
}

#[test]
fn what_is_found_stays_until_just_that_is_confirmed() {
    let found = note("a@100", Some("a@90"));
    assert_eq!(found.clone().kept(&store("a@130")), found, "how often it was written is not noted meanwhile");
    let other = StoreNote { adopted: Some("a 80".to_owned()), ..found.clone() };
    assert_eq!((other.clone().kept(&store("a@130")), other.is_adopted()), (other, false));
    let adopted = found.adoption().unwrap()["adopted"].clone();
    assert_eq!(adopted, "a 90");
    let confirmed = StoreNote { adopted: Some(adopted), ..found };
    assert!(confirmed.is_adopted());
    assert_eq!(confirmed.kept(&store("a@130")), note("a@130", None));
    assert_eq!(note("a@100", None).kept(&store("a@101")), note("a@101", None));
    assert_eq!(note("a@100", None).kept(&store("a@99")), note("a@100", None), "it is to be compared first");
    assert_eq!(note("a@100", None).adoption(), None);
}

#[test]
fn what_is_wrong_is_said_with_numbers() {
    let said = |found: &str| note("a@100", Some(found)).complaint().unwrap();
    assert_eq!(
        said("b@1"),
        "the store that was opened at 2027-01-10T00:00:00Z is another one, with 1 commit; the one before had 100 commits, and what was counted there is not in it"
    );
    assert_eq!(
        said("a@90"),
        "the store that was opened at 2027-01-10T00:00:00Z is an older copy, with 90 commits; it had 100 commits before, and what was counted after the copy was made is not in it"
    );
    assert_eq!(note("a@100", None).complaint(), None);
    assert_eq!(note("a@100", Some("b@1")).found.unwrap().replacement, StoreReplacement::Another);
}

#[rstest]
#[case(&[])]
#[case(&[("store", "a")])]
#[case(&[("store", ""), ("commits", "1")])]
#[case(&[("store", "a"), ("commits", "many")])]
fn what_says_nothing_is_no_note(#[case] said: &[(&str, &str)]) {
    let said = said.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_eq!(StoreNote::read(&said), None);
}

//! docs/rights.md shows the operator's rights as the code has them.

use super::{ROOT, read};
use entitlement_operator::installation::{AccessRight, ApiCertificate, Duties, Need, RightScope, Webhook, rights};
use std::{fs, path::Path};

const PAGE: &str = "docs/rights.md";
const BEGIN: &str = "<!-- rights -->\n";
const END: &str = "<!-- end of rights -->";

fn row(right: &AccessRight) -> String {
    let group = if right.group.is_empty() { String::new() } else { format!(" ({})", right.group) };
    let named = if right.names.is_empty() { String::new() } else { format!(": only `{}`", right.names.join("`, `")) };
    let place = match right.place {
        RightScope::Cluster => "the cluster",
        RightScope::Own => "its own namespace",
        RightScope::Within(_) => panic!("{right:?}: there are none of these by default"),
    };
    let without = match right.need {
        Need::Work => "it waits",
        Need::Comfort => "it works all the same",
    };
    let verbs = right.verbs.join("`, `");
    format!("| `{}`{group}{named} | `{verbs}` | {place} | {} | {without} |\n", right.resource, right.why)
}

/// The tables: of what it needs in any case, and of what the webhook, and answering checks, take besides.
fn tables() -> String {
    let webhook = Webhook { configuration: "entitlement-operator".to_owned(), registers: true };
    let without = rights(&Duties::default());
    let besides = |duties: Duties| -> String {
        rights(&duties).iter().filter(|right| !without.contains(right)).map(row).collect()
    };
    let of_webhook = besides(Duties { webhook: Some(webhook), ..Duties::default() });
    let of_checks = besides(Duties { checks: Some(ApiCertificate::Own), ..Duties::default() });
    let head = "| what | verbs | where | why | without it |\n|---|---|---|---|---|\n";
    let always: String = without.iter().map(row).collect();
    format!(
        "{head}{always}\nWith the webhook, also:\n\n{head}{of_webhook}\nWith the API for checks, also:\n\n{head}{of_checks}"
    )
}

/// `UPDATE_GOLDEN=1` writes the tables anew.
#[test]
fn the_operators_rights_are_shown_as_they_are() {
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", tables());
        fs::write(Path::new(ROOT).join(PAGE), page).unwrap();
        return;
    }
    assert_eq!(shown, tables(), "{PAGE}: run UPDATE_GOLDEN=1 cargo test --test documents");
}

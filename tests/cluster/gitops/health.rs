//! What Argo CD, Flux, and kstatus make of objects in every phase, and with the main failures.

use super::{
    golden::assert_golden,
    judges::{Opinion, Opinions, health_checks, in_lua, opinions},
    situations::{self, Situation},
};
use std::fmt::Write as _;

/// The statuses that Argo CD knows.
const OF_ARGO: [&str; 4] = ["Healthy", "Progressing", "Degraded", "Suspended"];

fn judged() -> Vec<(&'static Situation, Opinions)> {
    let situations = situations::all();
    let objects: Vec<_> = situations.iter().map(|situation| &situation.object).collect();
    situations.iter().zip(opinions(&objects)).collect()
}

fn line(tool: &str, opinion: &Opinion) -> String {
    let Opinion { status, message } = opinion;
    let release = regex::Regex::new("release [0-9]{4}[a-z]").unwrap();
    let message = release.replace_all(message, "release …");
    // When an override was decided, or could have been.
    let decided = regex::Regex::new(r"\b(on|by|from) 20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z").unwrap();
    let message = decided.replace_all(&message, "$1 …");
    let text = if message.is_empty() { status.clone() } else { format!("{status}: {message}") };
    format!("  {tool:8} {text}\n")
}

#[test]
fn tools_see_how_objects_are() {
    let mut screen = String::new();
    for (Situation { title, object }, Opinions { argo, flux, kstatus }) in judged() {
        assert!(OF_ARGO.contains(&argo.status.as_str()) && !argo.message.is_empty(), "{title}: {argo:?}");
        let script = &health_checks()[object["kind"].as_str().unwrap()];
        assert_eq!(&in_lua(script, object), &argo, "{title}: Lua 5.1 and Argo CD's interpreter differ");
        let _ =
            write!(screen, "{title}\n{}{}{}", line("Argo CD", &argo), line("Flux", &flux), line("kstatus", &kstatus));
        // Before the operator has seen it, nobody may go on.
        if title.ends_with("just made") || title.ends_with("just changed") {
            let all = [argo.status.as_str(), &flux.status, &kstatus.status];
            assert_eq!(all, ["Progressing", "InProgress", "InProgress"], "{title}");
        }
    }
    assert_golden("health.txt", &screen);
}

#[test]
fn tools_agree() {
    for (Situation { title, .. }, Opinions { argo, flux, kstatus }) in judged() {
        if title.ends_with("being deleted") {
            assert_eq!((argo.status.as_str(), kstatus.status.as_str()), ("Progressing", "Terminating"), "{title}");
            continue;
        }
        let expected = match argo.status.as_str() {
            // It waits for people, of whom kstatus knows nothing.
            "Suspended" if title.ends_with(": ApprovalRequired") => ("Current", "InProgress"),
            "Healthy" | "Suspended" => ("Current", "Current"),
            // kstatus has no word for what has failed but a condition `Stalled`; it waits until the tool's timeout.
            "Degraded" => ("Failed", "InProgress"),
            _ => ("InProgress", "InProgress"),
        };
        assert_eq!((flux.status.as_str(), kstatus.status.as_str()), expected, "{title}: {}", argo.message);
    }
}

/// The rows of the page's table: kind, reasons, and what each tool says.
fn table() -> Vec<(String, Vec<String>, [String; 3])> {
    let page = include_str!("../../../docs/gitops.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| kind |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [kind, reasons, argo, flux, kstatus] = cells[..] else { panic!("{row}") };
        let reasons = reasons.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (kind.to_owned(), reasons, [argo, flux, kstatus].map(str::to_owned))
    })
    .collect()
}

#[test]
fn the_page_says_what_tools_see() {
    let table = table();
    let mut told = 0;
    for (Situation { title, .. }, Opinions { argo, flux, kstatus }) in judged() {
        let (kind, what) = title.split_once(": ").unwrap();
        let reason = what.split([',', ' ']).next().unwrap();
        let rows = table.iter().filter(|(of, reasons, _)| of == kind && reasons.iter().any(|one| one == reason));
        let rows: Vec<_> = rows.map(|(_, _, words)| words.clone()).collect();
        if ["just", "being"].contains(&reason) {
            continue;
        }
        assert_eq!(rows, [[argo.status, flux.status, kstatus.status]], "{title}");
        told += 1;
    }
    assert!(told > 30, "{told}");
}

#[test]
fn what_comes_by_itself_are_reasons_that_there_are() {
    let word = regex::Regex::new(r"\b([A-Z][A-Za-z]+) = true").unwrap();
    let known: Vec<&str> = crate::core::reason::ReasonCode::ALL.iter().map(|reason| reason.as_str()).collect();
    let expressions = include_str!("../../../examples/gitops/flux/kustomizations.yaml");
    for (kind, script) in health_checks() {
        let reasons: Vec<&str> = word.captures_iter(&script).map(|found| found.get(1).unwrap().as_str()).collect();
        assert!(reasons.iter().all(|reason| known.contains(reason)), "{kind}: {reasons:?}");
        let quoted: Vec<String> = reasons.iter().map(|reason| format!("'{reason}'")).collect();
        let (_, of_kind) = expressions.split_once(&format!("kind: {kind}\n")).unwrap();
        let in_progress = of_kind.split("failed:").next().unwrap();
        let expected = format!("c.reason in [{}]", quoted.join(", "));
        assert_eq!(in_progress.contains("c.reason in ["), !reasons.is_empty(), "{kind}");
        assert!(reasons.is_empty() || in_progress.contains(&expected), "{kind}: {expected}");
    }
}

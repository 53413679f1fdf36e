//! What is shown on a terminal, and nowhere else.

use super::{code, playground::Playground, text};
use std::fmt::Write;

/// What a person sees who runs a command line on a terminal.
fn seen(playground: &Playground, environment: &str, line: &str) -> String {
    let output =
        playground.run(&format!("{environment} TERM=xterm script --quiet --return --command '{line}' /dev/null"));
    text(&output.stdout).to_owned()
}

#[test]
fn colours_are_shown_unless_nobody_wants_them() {
    let playground = Playground::new();
    let line = "entitlement-operator validate -f clients/acme.yaml";
    let coloured = "\u{1b}[1;31m";
    assert!(seen(&playground, "", line).contains(coloured));
    let plain = seen(&playground, "NO_COLOR=1", line);
    assert!(plain.contains("DefinitionNotFound") && !plain.contains('\u{1b}'), "{plain}");
    let piped = playground.run(line);
    assert!(!text(&piped.stderr).contains('\u{1b}'));
}

#[test]
fn the_log_has_colours_on_a_terminal_unless_nobody_wants_them() {
    let playground = Playground::new();
    let cluster = "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]";
    let context = "contexts: [{name: a, context: {cluster: a, user: ''}}]";
    playground
        .write("kubeconfig", &format!("apiVersion: v1\nkind: Config\n{cluster}\n{context}\ncurrent-context: a\n"));
    let line = "timeout 3 entitlement-operator run --kubeconfig kubeconfig";
    let coloured = seen(&playground, "", line);
    assert!(coloured.contains("\u{1b}[32m INFO"), "{coloured}");
    let plain = seen(&playground, "NO_COLOR=1", line);
    assert!(plain.contains(" INFO ") && !plain.contains('\u{1b}'), "{plain}");
    let piped = playground.run(line);
    assert!(text(&piped.stderr).contains("nothing listens there"), "{}", text(&piped.stderr));
    assert!(!text(&piped.stderr).contains('\u{1b}'));
}

/// So many organizations with sixty namespaces each, whose summaries have to be written.
fn organizations(count: usize) -> String {
    let mut many = String::new();
    for client in 0..count {
        let namespaces: Vec<String> = (0..60).map(|index| format!("client-{client}-{index}")).collect();
        writeln!(
            many,
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: client-{client}}}\nspec: {{namespaces: [{}]}}",
            namespaces.join(", ")
        )
        .unwrap();
    }
    many
}

#[test]
fn long_work_shows_how_far_it_is() {
    let playground = Playground::new();
    let line = "entitlement-operator validate -f many.yaml";
    // How much takes more than a moment hangs on the machine.
    let mut attempts = [3_000, 6_000, 12_000].into_iter().map(|count| {
        playground.write("many.yaml", &organizations(count));
        seen(&playground, "", line)
    });
    let shown = attempts.find(|shown| !shown.is_empty()).unwrap_or_default();
    assert!(shown.contains("evaluating organizations [") && shown.ends_with("\r\u{1b}[2K"), "{shown:?}");
    let piped = playground.run(line);
    assert_eq!((code(&piped), text(&piped.stdout), text(&piped.stderr)), (0, "", ""));
}

//! How findings are said.

use super::{Excerpts, Finding, json, sarif, say_all};
use crate::{
    cli::{
        judgement::judge,
        manifests::{Manifests, ReadOptions, TextSpan, read},
        terminal::Palette,
    },
    core::calendar::parse_instant,
};
use serde_json::{Value, json};

const CATALOGUE: &str = "\
apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {namespaces: [acme]}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: login}
spec:
  type: Feature
  facets:
  - name: login
    schema:
      type: object
      properties:
        user: {type: string}
        level: {enum: [low, high]}
        password: {type: string, writeOnly: true}
---
";

/// What is wrong with a text, behind the catalogue.
fn examined(written: &str) -> (Manifests, Vec<Finding>) {
    examined_alone(&format!("{CATALOGUE}{written}"))
}

fn said(written: &str, palette: Palette) -> String {
    let (manifests, findings) = examined(written);
    let mut output = Vec::new();
    say_all(&mut output, &findings, 0, &Excerpts::of(&manifests), palette).unwrap();
    String::from_utf8(output).unwrap()
}

fn instance(spec: &str) -> String {
    format!("apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: a}}\nspec:\n{spec}")
}

#[test]
fn a_finding_shows_its_line_and_what_of_it_is_meant() {
    let text = instance("  organization: acne\n  definition: login\n  start: \"2026-01-01\"\n");
    assert_eq!(
        said(&text, Palette::Plain),
        "\
-:24:17: EntitlementInstance entitlements/a: OrganizationNotFound: there is no organization acne: make it, or mend spec.organization by making the grant anew
   |
24 |   organization: acne
   |                 ^^^^ did you mean acme?
"
    );
}

#[test]
fn all_that_is_wrong_is_said() {
    let text = instance(
        "  organization: acme\n  definition: login\n  start: \"2026-01-01\"\n  end: \"2025-01-01\"\n  facets:\n    logim: {}\n    login: {usr: x, level: middle}\n",
    );
    assert_eq!(
        said(&text, Palette::Plain),
        "\
-:27:8: EntitlementInstance entitlements/a: InvalidTerm: the end 2025-01-01 is not after the start 2026-01-01: give a later end or an earlier start
   |
27 |   end: \"2025-01-01\"
   |        ^^^^^^^^^^^^
-:29:5: EntitlementInstance entitlements/a: FacetsInvalid: facets.logim: definition login has no such facet; it has login
   |
29 |     logim: {}
   |     ^^^^^
-:30:28: EntitlementInstance entitlements/a: FacetsInvalid: facets.login.level: \"middle\" is none of \"low\", \"high\"
   |
30 |     login: {usr: x, level: middle}
   |                            ^^^^^^
3 errors
"
    );
}

#[test]
fn colours_are_for_terminals() {
    let text = instance("  organization: acme\n  definition: login\n  start: \"2026-01-01\"\n  satte: Draft\n");
    assert_eq!(
        said(&text, Palette::Colours),
        "\u{1b}[1m-:27:3: \u{1b}[0mEntitlementInstance entitlements/a: Invalid: spec.satte: unknown field; did you mean state?\n   \
         \u{1b}[34m|\u{1b}[0m\n\u{1b}[34m27\u{1b}[0m \u{1b}[34m|\u{1b}[0m   satte: Draft\n   \u{1b}[34m|\u{1b}[0m \u{1b}[1;31m  ^^^^^\u{1b}[0m\n"
    );
}

#[test]
fn no_line_shows_a_secret_value() {
    for spec in [
        // A secret field in plain.
        "  organization: acne\n  definition: login\n  start: x\n  facets: {login: {password: hunter22}}\n",
        "  organization: acme\n  definition: login\n  start: \"2026-01-01\"\n  facets: {login: {password: hunter22, level: x}}\n",
        // In a field that nothing knows.
        "  organization: acme\n  definition: login\n  start: \"2026-01-01\"\n  facet: {login: {password: hunter22}}\n",
        // For a definition that is not there, anything could be secret.
        "  {organization: acme, definition: logon, start: \"2026-01-01\", facets: {login: {pin: hunter22}}}\n",
        "  organization: acme\n  definition: logon\n  start: \"2026-01-01\"\n  amendments: [{name: a, effective: x, facets: {login: {pin: hunter22}}}]\n",
    ] {
        let said = said(&instance(spec), Palette::Plain);
        assert!(said.starts_with("-:2") && !said.contains("hunter22"), "{spec}{said}");
    }
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2}\n";
    assert!(
        said(secret, Palette::Plain)
            .ends_with("data.password: the value is not base64: encode it, or give it under stringData as it is\n")
    );
    let half = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2\n";
    assert!(!said(half, Palette::Plain).contains("hunter2"));
}

#[test]
fn what_is_not_there_shows_where_it_belongs() {
    let text =
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: b}\nspec:\n  displayName: B\n";
    assert_eq!(
        said(text, Palette::Plain),
        "-:23:1: Organization b: Invalid: spec: \"namespaces\" is required\n   |\n23 | spec:\n   | ^^^^\n"
    );
}

#[test]
fn wide_letters_tabs_and_long_lines_keep_the_mark_right() {
    let name = "x".repeat(200);
    let text = format!(
        "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {{name: b}}\nspec: {{displayName: \"日本\\tü\u{9}ü\", timeZone: Mars, namespaces: [c]}} # {name}\n"
    );
    let said = said(&text, Palette::Plain);
    let lines: Vec<&str> = said.lines().collect();
    let cut =
        format!("23 | …pec: {{displayName: \"日本\\tü    ü\", timeZone: Mars, namespaces: [c]}} # {}…", "x".repeat(51));
    assert_eq!(lines[2], cut, "{said}");
    assert_eq!(lines[3].trim_start_matches(['|', ' ']), "^^^^");
    let column = lines[2].split("Mars").next().unwrap();
    assert_eq!(unicode_width::UnicodeWidthStr::width(column), lines[3].find('^').unwrap(), "{said}");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let text = instance("  organization: \"\\e[2Jx\"\n  definition: login\n  start: \"2026-01-01\" # \u{85}\n");
    let said = said(&text, Palette::Plain);
    assert!(!said.contains('\u{1b}') && !said.contains('\u{85}'), "{said:?}");
}

#[test]
fn json_has_every_finding_and_what_was_read() {
    let (manifests, findings) = examined(&instance("  organization: acne\n  definition: login\n"));
    assert_eq!(
        json(&findings, 0, &manifests),
        json!({
            "valid": false,
            "errors": 1,
            "warnings": 1,
            "notShown": 0,
            "objects": {"EntitlementDefinition": 1, "EntitlementInstance": 1, "Organization": 1},
            "ignored": {},
            "findings": [
                {
                    "severity": "error",
                    "reason": "OrganizationNotFound",
                    "message": "there is no organization acne: make it, or mend spec.organization by making the grant anew",
                    "path": "-",
                    "line": 24,
                    "column": 17,
                    "kind": "EntitlementInstance",
                    "namespace": "entitlements",
                    "name": "a",
                    "field": "spec.organization",
                    "suggestion": "acme",
                },
                {
                    "severity": "warning",
                    "reason": "NoStart",
                    "message": "neither spec.start nor the annotation entitlements.dev/granted-at says when it starts, so it starts when it is made in the cluster, and anew where it is made again: give one of the two",
                    "path": "-",
                    "line": 23,
                    "column": 1,
                    "kind": "EntitlementInstance",
                    "namespace": "entitlements",
                    "name": "a",
                    "field": "spec",
                },
            ],
        })
    );
}

#[test]
fn sarif_says_where_and_what_to_write_instead() {
    let (_, findings) = examined(&instance("  organization: acne\n  definition: login\n  start: \"2026-01-01\"\n"));
    let run: Value = sarif(&findings, 1)["runs"][0].clone();
    assert_eq!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"], "Organization not found");
    let result = &run["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["ruleIndex"], &result["level"]),
        (&json!("OrganizationNotFound"), &json!(0), &json!("error"))
    );
    let region = json!({"startLine": 24, "startColumn": 17, "endColumn": 21});
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]), (&json!("stdin"), &region));
    assert_eq!(
        result["fixes"][0]["artifactChanges"][0]["replacements"],
        json!([{"deletedRegion": region, "insertedContent": {"text": "acme"}}])
    );
}

fn examined_alone(text: &str) -> (Manifests, Vec<Finding>) {
    let now = parse_instant("2026-07-01T00:00:00Z").unwrap();
    let options = ReadOptions {
        created: now.into(),
        namespace: "entitlements".into(),
        operator_namespace: "operator".to_owned(),
    };
    let manifests = read(&["-".into()], &mut text.as_bytes(), &options).unwrap();
    let mut findings = manifests.findings.clone();
    findings.extend(judge(&manifests, &manifests.inventory.survey(now)));
    (manifests, findings)
}

/// The text once a forge has written what SARIF says it should: lines and columns count code points, from 1.
fn mended(text: &str, span: TextSpan, by: &str) -> String {
    let offset = |line: u32, column: u32| {
        let before: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
        let rest = &text[before..];
        before + rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(offset, _)| offset)
    };
    let (begin, end) = (offset(span.begin.line, span.begin.column), offset(span.end.line, span.end.column));
    format!("{}{by}{}", &text[..begin], &text[end..])
}

/// Each fix alone, from the last to the first, leaves all other bytes, and the file as readable as before.
#[test]
fn a_fix_is_written_in_the_form_of_the_file() {
    let head = "apiVersion: entitlements.dev/v1alpha1\nkind: Organization\nmetadata: {name: acme}\n";
    for (written, expected) in [
        (
            r#"{"apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "acme"},
 "spec": {"displayName": "Ä😀", "timeZone": "Europe/Belin", "namespaces": ["acme"], "assignabelFrom": ["entitlements"]}}"#.to_owned(),
            Some(
                r#"{"apiVersion": "entitlements.dev/v1alpha1", "kind": "Organization", "metadata": {"name": "acme"},
 "spec": {"displayName": "Ä😀", "timeZone": "Europe/Berlin", "namespaces": ["acme"], "assignableFrom": ["entitlements"]}}"#.to_owned(),
            ),
        ),
        (
            format!("{head}spec: {{namespaces: [a], timeZone: \"Europe/\\\n  Belin\"}} # é\n"),
            Some(format!("{head}spec: {{namespaces: [a], timeZone: \"Europe/Berlin\"}} # é\n")),
        ),
        (
            format!("{head}spec: {{displayName: 'é', namespaces: [a], 'timeZone': 'Europe/Belin'}}\n"),
            Some(format!("{head}spec: {{displayName: 'é', namespaces: [a], 'timeZone': 'Europe/Berlin'}}\n")),
        ),
        (
            format!("{head}spec:\n  namespaces: [a]\n  timeZone:\n    Europe/Belin\n"),
            Some(format!("{head}spec:\n  namespaces: [a]\n  timeZone:\n    Europe/Berlin\n")),
        ),
        (
            format!("{head}spec:\n  namespaces: [a]\n  timeZone: &zone !!str Europe/Belin\n"),
            Some(format!("{head}spec:\n  namespaces: [a]\n  timeZone: &zone !!str Europe/Berlin\n")),
        ),
        (format!("{head}spec:\n  namespaces: [a]\n  timeZone: >-\n    Europe/Belin\n"), None),
    ] {
        let mut text = written.clone();
        let mut is_mended = false;
        // Each mended text is examined anew: what one fix moves, the next one knows.
        for _ in 0..4 {
            let (_, findings) = examined_alone(&text);
            let Some(rewrite) = findings.iter().find_map(|finding| finding.rewrite.clone()) else { break };
            text = mended(&text, rewrite.span, &rewrite.text);
            is_mended = true;
        }
        assert_eq!(is_mended.then_some(text), expected, "{written}");
    }
}

#[test]
fn a_null_that_kubectl_drops_is_said() {
    let text = instance(
        "  organization: acme\n  definition: login\n  start: \"2026-01-01\"\n  facets: {login: {user: null, list: [null]}}\n",
    );
    let said = said(&text, Palette::Plain);
    assert!(said.contains("warning: EntitlementInstance entitlements/a: NullDropped: spec.facets.login.user: kubectl apply drops a null"), "{said}");
    assert_eq!(said.matches("NullDropped").count(), 1, "{said}");
}

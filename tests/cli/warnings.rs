//! What `validate` warns of: legal, but hardly meant.

use super::{code, run_with_input, text};

/// An organization in Berlin, and a definition with an amount and a facet.
const CATALOGUE: &str = "apiVersion: entitlements.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec: {namespaces: [acme], timeZone: Europe/Berlin}
---
apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: seats}
spec:
  type: Quantity
  unit: seats
  amount: 10
  term: P1Y
  facets: [{name: sso, schema: {type: object, properties: {domain: {type: string, default: none}, key: {type: string, writeOnly: true}}}}]
";

/// The warnings of `validate` about instances of these specs, without the place's line of text.
fn warnings(specs: &[(&str, &str)]) -> Vec<String> {
    let instances = specs.iter().map(|(name, spec)| {
        format!(
            "---\napiVersion: entitlements.dev/v1alpha1\nkind: EntitlementInstance\nmetadata: {{name: {name}, namespace: entitlements}}\nspec:\n  organization: acme\n  definition: seats\n{spec}"
        )
    });
    let output = run_with_input(
        &["validate", "-f", "-", "--at", "2026-07-01T00:00:00Z"],
        &format!("{CATALOGUE}{}", instances.collect::<String>()),
    );
    let said = text(&output.stderr);
    assert_eq!(code(&output), 0, "{said}");
    said.lines().filter(|line| line.starts_with("-:")).map(str::to_owned).collect()
}

#[test]
fn a_renewal_that_states_less_than_what_it_renews() {
    let first = "  start: \"2026-01-01\"\n  amount: 250\n  facets: {sso: {domain: acme.example}}\n  secretFacets: [{facet: sso, field: key, secretKeyRef: {name: s, key: k}}]\n";
    let said = warnings(&[("y1", first), ("y2", "  renews: y1\n")]);
    assert_eq!(
        said,
        [
            "-:33:11: warning: EntitlementInstance entitlements/y2: AmountNotRenewed: it renews y1, which states amount 250, but states none itself, so that of the definition counts, 10: state the amount that is to hold",
            "-:33:11: warning: EntitlementInstance entitlements/y2: FacetsNotRenewed: it renews y1, which states facets.sso, secretFacets.sso.key, but does not state that itself, so presets and defaults count: state what is to hold",
        ]
    );
    let suspended = "  start: \"2026-01-01\"\n  suspended: true\n";
    assert_eq!(
        warnings(&[("y1", suspended), ("y2", "  renews: y1\n")]),
        [
            "-:31:11: warning: EntitlementInstance entitlements/y2: RenewsSuspended: it renews y1, which is suspended, but is not suspended itself, so what is withheld now is delivered again from its start on: set suspended: true here too, or take it off y1"
        ]
    );
    assert_eq!(warnings(&[("y1", suspended), ("y2", "  renews: y1\n  suspended: true\n")]), [""; 0]);
}

#[test]
fn an_end_in_the_last_minute_of_a_day() {
    let end = |end: &str| warnings(&[("l", &format!("  start: \"2026-01-01\"\n  end: \"{end}\"\n"))]);
    assert_eq!(
        end("2026-12-31T23:59:59+01:00"),
        [
            "-:23:8: warning: EntitlementInstance entitlements/l: EndBeforeMidnight: it ends at 23:59:59 of 2026-12-31 where the client is, a second before that day is over: write the date 2026-12-31, whose whole day is included"
        ]
    );
    assert_eq!(end("2026-12-31T22:59:59Z").len(), 1);
    assert_eq!(
        end("2026-12-31T23:59:59Z"),
        [
            "-:23:8: warning: EntitlementInstance entitlements/l: EndBeforeMidnight: it ends at 2026-12-31T23:59:59Z, a second before that day is over: write 2027-01-01T00:00:00Z, or the date 2026-12-31 if the whole day where the client is is meant"
        ]
    );
    for fine in ["2026-12-31", "2026-12-31T23:00:00Z", "2026-12-31T12:59:59Z"] {
        assert_eq!(end(fine), [""; 0], "{fine}");
    }
    // What is over needs no warning.
    assert_eq!(end("2026-05-31T23:59:59+02:00"), [""; 0]);
}

#[test]
fn a_default_that_is_never_filled_in() {
    let pools = "---\napiVersion: entitlements.dev/v1alpha1\nkind: FacetDefinition\nmetadata: {name: pools}\nspec:\n  schema:\n    type: object\n    additionalProperties:\n      properties:\n        replicas: {type: integer, default: 1}\n";
    let output =
        run_with_input(&["validate", "-f", "-", "--at", "2026-07-01T00:00:00Z"], &format!("{CATALOGUE}{pools}"));
    let said = text(&output.stderr);
    assert_eq!(code(&output), 0, "{said}");
    let first: Vec<&str> = said.lines().filter(|line| line.starts_with("-:")).collect();
    assert_eq!(
        first,
        [
            "-:24:44: warning: FacetDefinition pools: DefaultNeverFilled: schema/additionalProperties/properties/replicas/default: is never filled in, as defaults are taken from `properties`, `items` and local `$ref` alone: name the fields there, or have each grant state them"
        ]
    );
}

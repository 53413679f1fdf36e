//! What is wrong with the outputs of a definition: all of it at once, each on its line.

use super::{code, run_with_input, text};

fn validate(input: &str) -> (i32, String) {
    let output = run_with_input(&["validate", "--at", "2026-07-01", "-f", "-"], input);
    (code(&output), text(&output.stderr).to_owned())
}

/// Line, field, reason and the beginning of the message of each finding.
fn findings(said: &str) -> Vec<(usize, String)> {
    let heads = said.lines().filter_map(|line| line.strip_prefix("-:"));
    heads
        .map(|head| {
            let (line, rest) = head.split_once(':').unwrap();
            (line.parse().unwrap(), rest.trim().to_owned())
        })
        .collect()
}

const WRONG: &str = r#"apiVersion: entitlements.dev/v1alpha1
kind: EntitlementDefinition
metadata: {name: wrong}
spec:
  type: Feature
  facets:
  - name: f
    schema: {type: object, properties: {level: {type: string}}}
  outputs:
  - name: config
    kind: ConfigMap
    objectName: Config
    labels:
      "bad key!": x
    items:
    - key: ..data
      template: "1"
    - key: level
      template: "{{ facets.f.lvl }}"
    - key: mode
      template: "{{ facets.f.level | nope }}"
  - name: pull
    kind: Secret
    type: kubernetes.io/dockerconfigjson
    annotations: {"bad/key/x": x}
    items:
    - key: config.json
      template: "{}"
  - name: other
    kind: ConfigMap
    items: [{key: a, template: "{{ instance.nmae }}"}]
"#;

#[test]
fn all_failing_outputs_are_told_at_their_lines() {
    let (code, said) = validate(WRONG);
    assert_eq!(code, 1, "{said}");
    let expected = [
        (12, "objectName \"Config\" gives no name for an object"),
        (14, "the label bad key! must be"),
        (16, "the key ..data must not be '.'"),
        (19, "level: line 1, column 4: unknown name \"facets.f.lvl\""),
        (21, "mode: line 1, column 21: unknown filter \"nope\""),
        (24, "a Secret of type kubernetes.io/dockerconfigjson needs the key .dockerconfigjson"),
        (25, "the annotation bad/key/x must be"),
        (31, "a: line 1, column 4: unknown name \"instance.nmae\""),
    ];
    let mut found = findings(&said);
    found.sort();
    assert_eq!(found.len(), expected.len(), "{said}");
    for ((line, message), (at, part)) in found.iter().zip(expected) {
        assert_eq!(*line, at, "{said}");
        assert!(message.contains(part), "{message} does not say {part}");
    }
}

#[test]
fn a_type_is_of_a_secret_and_lets_nobody_in() {
    for (output, message) in [
        ("kind: ConfigMap, type: Opaque", "type is that of a Secret: remove it, or use kind Secret"),
        ("kind: Secret, type: kubernetes.io/service-account-token", "Secrets of this type give access to the cluster"),
        ("kind: Secret, type: bootstrap.kubernetes.io/token", "Secrets of this type give access to the cluster"),
    ] {
        let (code, said) = validate(&format!(
            "apiVersion: entitlements.dev/v1alpha1\nkind: EntitlementDefinition\nmetadata: {{name: wrong}}\nspec:\n  type: Feature\n  outputs:\n  - {{name: c, {output}, items: [{{key: a, template: x}}]}}\n"
        ));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(message) && said.starts_with("-:7:"), "{said}");
    }
}

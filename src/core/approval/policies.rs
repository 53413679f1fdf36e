//! The policies by which the API server knows who asks and who decides, as they have to be.
//!
//! Each field that the API server fills in by itself is written out: what it stores then equals what is wanted, and whatever differs
//! was changed by somebody.

use crate::api::{GROUP, RESTORED_BY};
use serde_json::{Value, json};
use std::fmt;

const API_VERSION: &str = "admissionregistration.k8s.io/v1";
const OVERRIDES: &str = "entitlementoverrides";
const DECISIONS: &str = "overridedecisions";

/// What a policy protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovalPolicy {
    /// That whoever asks says who it is.
    Requests,
    /// That whoever decides says who it is, and may.
    Decisions,
    /// That only the operator says what came of it.
    Records,
}

/// A policy does nothing without its binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyPart {
    /// The ValidatingAdmissionPolicy: the rules.
    Policy,
    /// The ValidatingAdmissionPolicyBinding: where they hold, and what comes of it.
    Binding,
}

/// One of the objects that protect approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApprovalGuard {
    /// Whether it is the policy or its binding.
    pub part: PolicyPart,
    /// What is protected.
    pub policy: ApprovalPolicy,
}

impl ApprovalPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Decisions, Self::Records];

    /// The name of the policy, and of its binding.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "override-requests.entitlements.dev",
            Self::Decisions => "override-decisions.entitlements.dev",
            Self::Records => "override-records.entitlements.dev",
        }
    }

    /// The one with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    fn rules(self) -> Value {
        match self {
            Self::Requests => requests(),
            Self::Decisions => decisions(),
            Self::Records => records(),
        }
    }
}

impl PolicyPart {
    /// The kind.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::Binding => "ValidatingAdmissionPolicyBinding",
        }
    }
}

impl ApprovalGuard {
    /// All of them, in the order in which they are made.
    pub fn all() -> impl Iterator<Item = Self> {
        let parts = [PolicyPart::Policy, PolicyPart::Binding];
        parts.into_iter().flat_map(|part| ApprovalPolicy::ALL.map(|policy| Self { part, policy }))
    }

    /// What its spec has to be.
    #[must_use]
    pub fn spec(self) -> Value {
        match self.part {
            PolicyPart::Policy => self.policy.rules(),
            PolicyPart::Binding => json!({"policyName": self.policy.name(), "validationActions": ["Deny"]}),
        }
    }

    /// The object, as it is applied.
    #[must_use]
    pub fn object(self) -> Value {
        json!({
            "apiVersion": API_VERSION,
            "kind": self.part.kind(),
            "metadata": {"name": self.policy.name()},
            "spec": self.spec(),
        })
    }

    /// The name of the file that has its manifest.
    #[must_use]
    pub fn file(self) -> String {
        let name = self.policy.name();
        let name = name.split('.').next().unwrap_or(name);
        match self.part {
            PolicyPart::Policy => format!("{name}.policy.yaml"),
            PolicyPart::Binding => format!("{name}.policybinding.yaml"),
        }
    }
}

impl fmt::Display for ApprovalGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.part.kind(), self.policy.name())
    }
}

fn policy(operations: &[&str], resources: &[&str], variables: &[(&str, String)], validations: &[Validation]) -> Value {
    let variables: Vec<Value> =
        variables.iter().map(|(name, expression)| json!({"name": name, "expression": expression})).collect();
    let validations: Vec<Value> = validations.iter().map(Validation::json).collect();
    let mut spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": [{
                "apiGroups": [GROUP],
                // A later version is no way around it.
                "apiVersions": ["*"],
                "operations": operations,
                "resources": resources,
                "scope": "*",
            }],
        },
        "validations": validations,
    });
    if !variables.is_empty() {
        spec["variables"] = json!(variables);
    }
    spec
}

/// What has to be true.
struct Validation {
    expression: String,
    /// What is said where it is not, as an expression.
    message: String,
    /// What is said where that comes to nothing.
    otherwise: &'static str,
}

impl Validation {
    fn json(&self) -> Value {
        json!({
            "expression": self.expression,
            "message": self.otherwise,
            "messageExpression": self.message,
            "reason": "Forbidden",
        })
    }
}

/// Who asks names themselves, or restores what somebody else asked for. That stays to be seen: it is an annotation that nobody
/// changes, by whichever part of the object it is written.
fn requests() -> Value {
    let restored_by = format!("object.metadata.?annotations[?'{RESTORED_BY}']");
    let before = format!("oldObject.metadata.?annotations[?'{RESTORED_BY}']");
    let may = format!(
        "authorizer.group('{GROUP}').resource('{OVERRIDES}').namespace(request.namespace).check('restore').allowed()"
    );
    let creates = |rule: &str| format!("request.operation != 'CREATE' || {rule}");
    let role = "the verb restore on entitlementoverrides.entitlements.dev (ClusterRole entitlements-restorer)";
    policy(
        &["CREATE", "UPDATE"],
        &[OVERRIDES, "entitlementoverrides/*"],
        &[
            ("isRestored", format!("{restored_by}.hasValue()")),
            ("restoredBy", format!("{restored_by}.orValue('')")),
            ("requestedBy", "object.?spec.?requestedBy.orValue('')".to_owned()),
        ],
        &[
            Validation {
                expression: creates("variables.isRestored || variables.requestedBy == request.userInfo.username"),
                message: format!(
                    "\"spec.requestedBy has to be '\" + request.userInfo.username + \"', as you ask for it, and is '\" + \
                     variables.requestedBy + \"'; to restore what another asked for, have {role}, and name yourself in the \
                     annotation {RESTORED_BY}\""
                ),
                otherwise: "spec.requestedBy has to be your own user name: see kubectl auth whoami",
            },
            Validation {
                expression: creates("!variables.isRestored || variables.restoredBy == request.userInfo.username"),
                message: format!(
                    "\"the annotation {RESTORED_BY} has to be '\" + request.userInfo.username + \"', as you restore it, and is \
                     '\" + variables.restoredBy + \"'\""
                ),
                otherwise: "the annotation entitlements.dev/restored-by has to be your own user name: see kubectl auth whoami",
            },
            Validation {
                expression: creates(&format!("!variables.isRestored || {may}")),
                message: format!(
                    "\"'\" + request.userInfo.username + \"' may not restore exceptions here: leave the annotation \
                     {RESTORED_BY} out, or get {role}\""
                ),
                otherwise: "restoring exceptions takes the verb restore on entitlementoverrides.entitlements.dev",
            },
            Validation {
                expression: format!("request.operation != 'UPDATE' || {restored_by} == {before}"),
                message: format!(
                    "\"the annotation {RESTORED_BY} is set when an exception is restored, and stays as it is: leave it unchanged\""
                ),
                otherwise: "the annotation entitlements.dev/restored-by stays as it is: leave it unchanged",
            },
        ],
    )
}

/// Who decides names themselves, and may decide on exceptions of that definition. Nobody restores decisions: who did could make
/// them up.
fn decisions() -> Value {
    let may = format!(
        "authorizer.group('{GROUP}').resource('entitlementdefinitions').name(variables.definition).check('approve').allowed()"
    );
    policy(
        &["CREATE"],
        &[DECISIONS],
        &[
            ("decidedBy", "object.?spec.?decidedBy.orValue('')".to_owned()),
            ("definition", "object.?spec.?definition.orValue('')".to_owned()),
        ],
        &[
            Validation {
                expression: "variables.decidedBy == request.userInfo.username".to_owned(),
                message: "\"spec.decidedBy has to be '\" + request.userInfo.username + \"', as you decide, and is '\" + \
                          variables.decidedBy + \"'\""
                    .to_owned(),
                otherwise: "spec.decidedBy has to be your own user name: see kubectl auth whoami",
            },
            Validation {
                expression: may,
                message: "\"'\" + request.userInfo.username + \"' may not decide on exceptions of \" + variables.definition + \
                          \": that takes the verb approve on entitlementdefinitions.entitlements.dev/\" + variables.definition + \
                          \" (ClusterRole entitlements-approver in the whole cluster, or a role of your own with its name)\""
                    .to_owned(),
                otherwise: "deciding on exceptions takes the verb approve on entitlementdefinitions.entitlements.dev",
            },
        ],
    )
}

/// The status says what was approved, for good.
fn records() -> Value {
    let may = format!(
        "authorizer.group('{GROUP}').resource('{OVERRIDES}').namespace(request.namespace).check('record').allowed()"
    );
    policy(
        &["*"],
        &["entitlementoverrides/status"],
        &[],
        &[Validation {
            expression: may,
            message: "\"'\" + request.userInfo.username + \"' may not write the status of exceptions, which says what was \
                      approved: that takes the verb record on entitlementoverrides.entitlements.dev, which the operator has, and \
                      whoever restores (ClusterRole entitlements-restorer)\""
                .to_owned(),
            otherwise: "writing the status of exceptions takes the verb record on entitlementoverrides.entitlements.dev",
        }],
    )
}

#[cfg(test)]
mod tests {
    use super::{ApprovalGuard, ApprovalPolicy, PolicyPart};
    use std::collections::BTreeSet;

    #[test]
    fn there_are_three_each_with_its_binding() {
        let all: Vec<String> = ApprovalGuard::all().map(|guard| guard.to_string()).collect();
        let expected = [
            "ValidatingAdmissionPolicy override-requests.entitlements.dev",
            "ValidatingAdmissionPolicy override-decisions.entitlements.dev",
            "ValidatingAdmissionPolicy override-records.entitlements.dev",
            "ValidatingAdmissionPolicyBinding override-requests.entitlements.dev",
            "ValidatingAdmissionPolicyBinding override-decisions.entitlements.dev",
            "ValidatingAdmissionPolicyBinding override-records.entitlements.dev",
        ];
        assert_eq!(all, expected);
        let files: BTreeSet<String> = ApprovalGuard::all().map(ApprovalGuard::file).collect();
        assert_eq!(files.len(), all.len());
        for policy in ApprovalPolicy::ALL {
            assert_eq!(ApprovalPolicy::named(policy.name()), Some(policy));
        }
        assert_eq!(ApprovalPolicy::named("another.example.com"), None);
    }

    #[test]
    fn each_refuses_and_fails_closed() {
        for guard in ApprovalGuard::all() {
            let spec = guard.object()["spec"].clone();
            match guard.part {
                PolicyPart::Policy => {
                    assert_eq!(spec["failurePolicy"], "Fail", "{guard}");
                    for one in spec["validations"].as_array().unwrap() {
                        let said = one["messageExpression"].as_str().unwrap();
                        assert!(!said.contains('\n') && !said.contains("  "), "{said}");
                        // So says the API server of what is longer.
                        assert!(one["message"].as_str().unwrap().len() <= 1024, "{guard}");
                    }
                }
                PolicyPart::Binding => assert_eq!(spec["validationActions"], serde_json::json!(["Deny"]), "{guard}"),
            }
        }
    }
}

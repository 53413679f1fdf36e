//! The kind `OverrideDecision`.

use super::schema::{LABEL, OBJECT_NAME};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One person's yes or no to one override.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "entitlements.dev",
    version = "v1alpha1",
    kind = "OverrideDecision",
    plural = "overridedecisions",
    namespaced,
    shortname = "eodec",
    category = "entitlements",
    derive = "PartialEq",
    doc = "One person's yes or no to one override, in the override's namespace. `entitlement-operator approve` and `deny` write it.",
    selectable = ".spec.definition",
    printcolumn(name = "Override", type_ = "string", json_path = ".spec.override.name"),
    printcolumn(name = "Definition", type_ = "string", json_path = ".spec.definition"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Decided-By", type_ = "string", json_path = ".spec.decidedBy"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Comment", type_ = "string", json_path = ".spec.comment", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self == oldSelf").message("a decision is immutable: the first of each person counts"),
)]
#[serde(rename_all = "camelCase")]
pub struct OverrideDecisionSpec {
    /// The override that is decided.
    #[serde(rename = "override")]
    pub override_: DecidedOverride,
    /// The override's definition: a decision that names another never counts. Deciding takes the verb `approve` on it.
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL))]
    pub definition: String,
    /// `Approve` or `Deny`. The first decision of each person counts.
    pub decision: Ruling,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub comment: Option<String>,
    /// The user name of whoever decides: that of the request that makes the decision. `kubectl auth whoami` shows it. A decision of a
    /// service account, or of whoever asked for the override, never counts.
    #[schemars(length(min = 1, max = 1024))]
    pub decided_by: String,
}

/// Which override is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedOverride {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
    /// Its `metadata.uid`: a decision is for this override, and none that is made anew under its name.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Ruling {
    /// The override may not be given. Of two decisions of one second, this one counts first.
    Deny,
    /// The override may be given.
    Approve,
}

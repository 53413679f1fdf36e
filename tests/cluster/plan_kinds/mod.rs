//! What the API server itself makes of plans and subscriptions.
//!
//! | file | what it knows |
//! |---|---|
//! | `refused` | what is refused of one, and what only looks wrong |
//! | `bounds` | how large each field may be |
//! | `locked` | what must not change |
//! | `kept` | that all else is kept, read by the types, and shown |

mod bounds;
pub mod kept;
mod locked;
mod refused;

use crate::harness::Cluster;
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

const PLAN: &str = "EntitlementPlan";
const SUBSCRIPTION: &str = "EntitlementSubscription";

/// A plan, or a subscription, with more fields of its spec.
fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    });
    if kind == SUBSCRIPTION {
        object["metadata"]["namespace"] = "entitlements".into();
        for (field, value) in [("organization", "acme"), ("plan", "business")] {
            if object["spec"].get(field).is_none() {
                object["spec"][field] = value.into();
            }
        }
    }
    object
}

/// What the API server would make of it; nothing stays.
async fn judge(cluster: &Cluster, kind: &str, spec: &Value) -> Result<Value, String> {
    let object: DynamicObject = serde_json::from_value(object(kind, &cluster.name, spec)).unwrap();
    let params =
        PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("test").force() };
    let api = cluster.api(kind, "entitlements");
    let judged = api.patch(&cluster.name, &params.dry_run(), &Patch::Apply(&object)).await;
    judged.map(|made| serde_json::to_value(made).unwrap()).map_err(|error| error.to_string())
}

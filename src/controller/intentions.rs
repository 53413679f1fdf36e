//! What the operator would do, where it only reads: a line of the log for each, once.
//!
//! Whatever writes asks here first. That nothing is written does not rest on that alone: the client lets no such request out.

use super::transitions::PhaseTransition;
use crate::{
    api::{EntitlementInstance, EntitlementInstanceStatus},
    core::grant::Grant,
    evaluation::plan::Fingerprint,
};
use kube::Resource;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Mutex, PoisonError},
};

/// What these lines can be chosen by.
macro_rules! target {
    () => {
        "entitlement_operator::read_only"
    };
}

/// What the operator would do, and has told.
#[derive(Debug, Default)]
pub struct Intentions {
    told: Mutex<HashMap<String, (&'static str, Fingerprint)>>,
}

impl Intentions {
    /// It would do that with an object. What it holds is never told; `what` stands for it, so that another is told anew.
    pub fn tell(&self, action: &'static str, organization: Option<&str>, object: impl Display, what: Fingerprint) {
        let object = object.to_string();
        if self.is_new(format!("object {object}"), action, what) {
            tracing::info!(target: target!(), action, organization, object, "the operator would do this");
        }
    }

    /// It would report that on a grant, perhaps with another phase than before.
    pub fn tell_grant(&self, grant: &Grant, transition: Option<&PhaseTransition>, status: &EntitlementInstanceStatus) {
        let object = format!("{} {}", EntitlementInstance::kind(&()), grant.id);
        let Some(transition) = transition else { return self.tell_status(object, status) };
        let PhaseTransition { to, reason, why, .. } = transition;
        let (from, to) = (transition.before(), to.as_str());
        let what = Fingerprint::of_pairs([(from, to.as_bytes()), (reason, why.as_bytes())]);
        if self.is_new(format!("status {object}"), "transition", what) {
            let (organization, definition) = (&*grant.organization, &*grant.id.definition);
            tracing::info!(
                target: target!(), action = "report", organization, object, definition, from, to, reason, why,
                "the operator would do this"
            );
        }
    }

    /// It would report that on an object.
    pub fn tell_status(&self, object: impl Display, status: &impl Serialize) {
        let object = object.to_string();
        let said = without_moments(serde_json::to_value(status).unwrap_or_default());
        let what = Fingerprint::of_pairs([("", said.to_string().as_bytes())]);
        if !self.is_new(format!("status {object}"), "report", what) {
            return;
        }
        let ready = said["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let text = |name: &str| ready.and_then(|ready| ready[name].as_str());
        let (ready, reason, why) = (text("status"), text("reason"), text("message"));
        let phase = said["phase"].as_str();
        tracing::info!(target: target!(), action = "report", object, phase, ready, reason, why, "the operator would do this");
    }

    fn is_new(&self, about: String, action: &'static str, what: Fingerprint) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(about, (action, what)) != Some((action, what))
    }
}

/// When something is said for the first time is another moment each time that it is made.
fn without_moments(mut status: Value) -> Value {
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        if let Some(fields) = condition.as_object_mut() {
            fields.remove("lastTransitionTime");
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::{Intentions, without_moments};
    use crate::evaluation::plan::Fingerprint;
    use serde_json::json;

    #[test]
    fn what_is_the_same_is_told_once() {
        let intentions = Intentions::default();
        let of = |text: &str| Fingerprint::of_pairs([("", text.as_bytes())]);
        let new = |about: &str, what: &str| intentions.is_new(about.to_owned(), "create", of(what));
        assert_eq!(
            [new("a", "1"), new("a", "1"), new("b", "1"), new("a", "2"), new("a", "2"), new("a", "1")],
            [true, false, true, true, false, true]
        );
    }

    #[test]
    fn the_moment_makes_no_status_another() {
        let status =
            |moment: &str| json!({"conditions": [{"type": "Ready", "lastTransitionTime": moment}], "phase": "Active"});
        assert_eq!(without_moments(status("1")), without_moments(status("2")));
        assert_eq!(without_moments(status("1"))["phase"], "Active");
    }
}

//! What the operator would do, where it only reads: a line of the log for each, once.
//!
//! Whatever writes asks here first. That nothing is written does not rest on that alone: the client lets no such request out.

use super::{transitions::PhaseTransition, world::SourceObject};
use crate::{
    core::source::SourceKind,
    evaluation::{decided::DecidedSource, plan::Fingerprint},
};
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

/// So many of the last ones are known again in any case, and twice as many at most: more than a large cluster has at once.
const REMEMBERED: usize = 1 << 17;

/// What the operator would do, and has told.
#[derive(Debug, Default)]
pub struct Intentions {
    told: Mutex<ToldIntentions>,
}

/// By what they are about. Objects come and go, and with them what was told of them, without anything that would say so here: what
/// nobody has asked for since very many others is forgotten.
#[derive(Debug, Default)]
struct ToldIntentions {
    lately: HashMap<Fingerprint, Intention>,
    earlier: HashMap<Fingerprint, Intention>,
}

/// What would be done, and with what.
type Intention = (&'static str, Fingerprint);

impl ToldIntentions {
    /// Whether it was not the last that was told of that.
    fn is_new(&mut self, about: Fingerprint, intention: Intention) -> bool {
        let known = self.lately.get(&about).copied().or_else(|| self.earlier.remove(&about));
        if self.lately.len() >= REMEMBERED {
            self.earlier = std::mem::take(&mut self.lately);
        }
        self.lately.insert(about, intention);
        known != Some(intention)
    }
}

impl Intentions {
    /// It would do that with an object. What it holds is never told; `what` stands for it, so that another is told anew.
    pub fn tell(&self, action: &'static str, organization: Option<&str>, object: impl Display, what: Fingerprint) {
        let object = object.to_string();
        if self.is_new("object", &object, (action, what)) {
            tracing::info!(target: target!(), action, organization, object, "the operator would do this");
        }
    }

    /// It would report that on a source of grants, perhaps with another phase than before.
    pub fn tell_source<K: SourceObject>(
        &self,
        decided: &DecidedSource,
        transition: Option<&PhaseTransition>,
        status: &K::Status,
    ) {
        let object = format!("{} {}", K::kind(&()), decided.id());
        let Some(transition) = transition else { return self.tell_status(object, status) };
        let PhaseTransition { to, reason, why, .. } = transition;
        let (from, to) = (transition.before(), to.as_str());
        let what = Fingerprint::of_pairs([(from, to.as_bytes()), (reason, why.as_bytes())]);
        if self.is_new("status", &object, ("transition", what)) {
            let organization = &*decided.stated.organization;
            let (definition, plan) = match decided.kind() {
                SourceKind::Subscription => (None, Some(&**decided.subject)),
                SourceKind::Instance | SourceKind::Override => (Some(&**decided.subject), None),
                #[cfg(test)]
                SourceKind::Bundle => (None, None),
            };
            tracing::info!(
                target: target!(), action = "report", organization, object, definition, plan, from, to, reason, why,
                "the operator would do this"
            );
        }
    }

    /// It would report that on an object.
    pub fn tell_status(&self, object: impl Display, status: &impl Serialize) {
        let object = object.to_string();
        let said = without_moments(serde_json::to_value(status).unwrap_or_default());
        let what = Fingerprint::of_pairs([("", said.to_string().as_bytes())]);
        if !self.is_new("status", &object, ("report", what)) {
            return;
        }
        let ready = said["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
        let text = |name: &str| ready.and_then(|ready| ready[name].as_str());
        let (ready, reason, why) = (text("status"), text("reason"), text("message"));
        let phase = said["phase"].as_str();
        tracing::info!(target: target!(), action = "report", object, phase, ready, reason, why, "the operator would do this");
    }

    fn is_new(&self, part: &str, object: &str, intention: Intention) -> bool {
        let about = Fingerprint::of_pairs([(part, object.as_bytes())]);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).is_new(about, intention)
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
    use super::{Intentions, REMEMBERED, without_moments};
    use crate::evaluation::plan::Fingerprint;
    use serde_json::json;

    #[test]
    fn what_is_the_same_is_told_once() {
        let intentions = Intentions::default();
        let of = |text: &str| Fingerprint::of_pairs([("", text.as_bytes())]);
        let new = |about: &str, what: &str| intentions.is_new("object", about, ("create", of(what)));
        assert_eq!(
            [new("a", "1"), new("a", "1"), new("b", "1"), new("a", "2"), new("a", "2"), new("a", "1")],
            [true, false, true, true, false, true]
        );
        assert!(intentions.is_new("status", "a", ("create", of("1"))), "an object and its status are two things");
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        let intentions = Intentions::default();
        let what = Fingerprint::of_pairs([]);
        let new = |about: usize| intentions.is_new("object", &about.to_string(), ("create", what));
        for about in 0..3 * REMEMBERED {
            assert!(new(about));
            assert!(!new(0) || about == 0, "what is asked for again and again is told once");
        }
        let told = intentions.told.lock().unwrap();
        assert!(told.lately.len() + told.earlier.len() <= 2 * REMEMBERED);
        drop(told);
        assert!(!new(3 * REMEMBERED - 1) && !new(2 * REMEMBERED + 10) && new(1));
    }

    #[test]
    fn the_moment_makes_no_status_another() {
        let status =
            |moment: &str| json!({"conditions": [{"type": "Ready", "lastTransitionTime": moment}], "phase": "Active"});
        assert_eq!(without_moments(status("1")), without_moments(status("2")));
        assert_eq!(without_moments(status("1"))["phase"], "Active");
    }
}

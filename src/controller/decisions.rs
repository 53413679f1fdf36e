//! The last decision about each organization, for readers that do not decide anew, and what was made of it, for the next
//! evaluation.

use crate::{
    api::Organization,
    evaluation::{decision::Decision, memo::Memo, usage::MeterDecision},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The bytes of objects that all memos together keep. Those of organizations that nothing happens to go first: at rest nothing
/// is evaluated, so nothing is lost but a moment's work.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What was decided last, and what was made of it.
pub struct Decisions {
    most_bytes: usize,
    kept: Mutex<Kept>,
}

impl Default for Decisions {
    fn default() -> Self {
        Self::within(MOST_BYTES)
    }
}

#[derive(Default)]
struct Kept {
    decisions: HashMap<Arc<str>, Arc<Decision>>,
    memos: HashMap<Arc<str>, KeptMemo>,
    /// The organizations with a memo, the one first that was evaluated longest ago.
    order: BTreeMap<u64, Arc<str>>,
    bytes: usize,
    turn: u64,
}

struct KeptMemo {
    memo: Memo,
    bytes: usize,
    turn: u64,
}

impl Decisions {
    /// With memos of so many bytes at most.
    fn within(most_bytes: usize) -> Self {
        Self { most_bytes, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was decided last of an organization, if anything was since the operator started.
    pub fn last(&self, organization: &str) -> Option<Arc<Decision>> {
        self.kept().decisions.get(organization).cloned()
    }

    /// All organizations of which something is decided.
    pub fn organizations(&self) -> Vec<Arc<str>> {
        self.kept().decisions.keys().cloned().collect()
    }

    /// The organizations that hold or held a metered definition, with how its use stands.
    pub fn metering(&self, definition: &str) -> Vec<(Arc<str>, Arc<MeterDecision>)> {
        let kept = self.kept();
        let meter = |(name, decision): (&Arc<str>, &Arc<Decision>)| {
            Some((Arc::clone(name), Arc::clone(decision.meters.get(definition)?)))
        };
        kept.decisions.iter().filter_map(meter).collect()
    }

    /// Publishes what is decided of an organization.
    pub fn publish(&self, decision: &Arc<Decision>) {
        let organization = Arc::clone(&decision.standing.name);
        let mut kept = self.kept();
        // Of what nothing names any more, nothing is decided.
        if decision.standing.organization.is_none() && decision.holdings.is_empty() {
            kept.decisions.remove(&organization);
            kept.remove(&organization);
            return;
        }
        kept.decisions.insert(organization, Arc::clone(decision));
    }

    /// An organization's status was written: the last decision keeps its state from before no longer.
    pub fn wrote_organization(&self, name: &str, organization: &Arc<Organization>) {
        if let Some(decision) = self.kept().decisions.get_mut(name) {
            Arc::make_mut(decision).renew_organization(organization);
        }
    }

    /// What was made of the last decision, to be given back after the next one.
    pub fn take_memo(&self, organization: &str) -> Memo {
        self.kept().remove(organization).map(|kept| kept.memo).unwrap_or_default()
    }

    /// Keeps what was made, and forgets that of others where all of it is too much.
    pub fn keep_memo(&self, organization: &Arc<str>, memo: Memo) {
        let bytes = memo.bytes();
        let mut kept = self.kept();
        kept.remove(organization);
        if bytes == 0 || bytes > self.most_bytes {
            return;
        }
        let turn = kept.turn;
        kept.turn += 1;
        kept.bytes += bytes;
        kept.order.insert(turn, Arc::clone(organization));
        kept.memos.insert(Arc::clone(organization), KeptMemo { memo, bytes, turn });
        while kept.bytes > self.most_bytes
            && let Some((_, oldest)) = kept.order.pop_first()
        {
            kept.remove(&oldest);
        }
    }
}

impl Kept {
    fn remove(&mut self, organization: &str) -> Option<KeptMemo> {
        let removed = self.memos.remove(organization)?;
        self.order.remove(&removed.turn);
        self.bytes -= removed.bytes;
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::Decisions;
    use crate::{
        api::{Organization, OrganizationStatus},
        controller::world::tests::{organization, two_organizations},
        core::calendar::Instant,
        evaluation::{Evaluation, memo::Memo},
    };
    use kube::runtime::watcher::Event;
    use std::sync::Arc;

    #[test]
    fn what_is_decided_is_published_as_long_as_anything_is_named_so() {
        let decisions = Decisions::default();
        let mut world = two_organizations();
        let decide = |world: &crate::controller::world::World| {
            let snapshot = world.view(&"acme".into()).unwrap().snapshot;
            Evaluation::after(None, &mut Memo::default(), &snapshot, Instant::UNIX_EPOCH, None).decision
        };
        assert!(decisions.last("acme").is_none());
        let decided = decide(&world);
        decisions.publish(&decided);
        assert!(Arc::ptr_eq(&decisions.last("acme").unwrap(), &decided));
        assert!(decisions.last("globex").is_none());
        world.observe_organization(Event::Delete(organization("acme", &["one"], 2)));
        decisions.publish(&decide(&world));
        assert!(decisions.last("acme").is_none());
    }

    #[test]
    fn a_written_status_replaces_the_state_before_it_and_an_edit_does_not() {
        let decisions = Decisions::default();
        let world = two_organizations();
        let snapshot = world.view(&"acme".into()).unwrap().snapshot;
        let evaluation = Evaluation::after(None, &mut Memo::default(), &snapshot, Instant::UNIX_EPOCH, None);
        decisions.publish(&evaluation.decision);
        let kept = || decisions.last("acme").unwrap().standing.organization.clone().unwrap();
        let mut written = Organization::clone(&kept());
        written.status = Some(OrganizationStatus::default());
        let mut edited = written.clone();
        edited.spec.display_name = Some("Acme".to_owned());
        let written = Arc::new(written);
        decisions.wrote_organization("acme", &written);
        assert!(Arc::ptr_eq(&kept(), &written));
        decisions.wrote_organization("acme", &Arc::new(edited));
        assert!(Arc::ptr_eq(&kept(), &written));
        // Who has the decision already sees what was decided.
        assert!(evaluation.decision.standing.organization.as_ref().unwrap().status.is_none());
    }

    #[test]
    fn what_is_kept_for_the_next_time_is_bounded() {
        let world = two_organizations();
        let memo = |name: &str| {
            let mut memo = Memo::default();
            let snapshot = world.view(&name.into()).unwrap().snapshot;
            drop(Evaluation::after(None, &mut memo, &snapshot, Instant::UNIX_EPOCH, None));
            memo
        };
        let (acme, globex) = (memo("acme"), memo("globex"));
        let (bytes, others) = (acme.bytes(), globex.bytes());
        assert!(bytes > 0 && others > 0);
        let decisions = Decisions::within(bytes.max(others));
        decisions.keep_memo(&"acme".into(), acme);
        let acme = decisions.take_memo("acme");
        assert_eq!((acme.bytes(), decisions.take_memo("acme").bytes()), (bytes, 0));
        decisions.keep_memo(&"acme".into(), acme);
        decisions.keep_memo(&"globex".into(), globex);
        assert_eq!((decisions.take_memo("acme").bytes(), decisions.take_memo("globex").bytes()), (0, others));
        let none = Decisions::within(0);
        none.keep_memo(&"acme".into(), memo("acme"));
        assert_eq!(none.take_memo("acme").bytes(), 0);
    }
}

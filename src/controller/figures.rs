//! How the operator is, and what there is, in numbers.

use super::{clock, context::ControllerContext, queue::QueueStanding};
use crate::{
    evaluation::status::metered::StoreStanding,
    metrics::{DomainGauges, Gauges, InstanceEnd, QueueDepth},
};
use std::time::Duration;

/// A moment that has come for so long is not taken by a timer that looks once a minute.
const TIMER_LIMIT: Duration = Duration::from_mins(5);
/// No work takes so long that nothing else would begin meanwhile.
const QUEUE_LIMIT: Duration = Duration::from_mins(10);

/// How the operator is, and what there is. It counts nothing through: whatever is asked for is known already.
pub fn gauges(context: &ControllerContext) -> Gauges {
    let (is_ready, leads) = (context.world(|world| world.is_ready()), context.candidacy.leads());
    let depth = |name: &'static str, standing: QueueStanding| QueueDepth {
        name,
        depth: standing.depth,
        longest_wait: standing.longest_wait.as_secs_f64(),
    };
    let queues = vec![depth("work", context.queue.standing()), depth("barred", context.barred.standing())];
    let store = context.meters.standing();
    let store_up = context.meters.has_store().then_some(store.answers());
    let store_replaced = store_up.map(|_| matches!(store, StoreStanding::Replaced(_)));
    let domain = (is_ready && leads).then(|| domain(context));
    Gauges { is_ready, leads, store_up, store_replaced, queues, domain }
}

fn domain(context: &ControllerContext) -> DomainGauges {
    let now = clock::now();
    let outputs = context.tallies.all();
    let ends = if context.options.tells_each_instance { ends(context) } else { Vec::new() };
    let usage = context.usage_states.all();
    let prometheus_up = context.inquiries.answering();
    DomainGauges { outputs, usage, prometheus_up, ends, ..context.world(|world| world.figures(now)) }
}

/// Organization by organization, so that nobody waits for all of them.
fn ends(context: &ControllerContext) -> Vec<InstanceEnd> {
    let organizations = context.world(|world| world.holders());
    organizations.iter().flat_map(|organization| context.world(|world| world.ends(organization))).collect()
}

/// What does not go on, and would after a new start. An API server that does not answer, a right that is missing, or another
/// operator that works keep nothing of this from going on.
pub fn stuck(context: &ControllerContext) -> Option<&'static str> {
    if context.timer.lateness(clock::now()) > TIMER_LIMIT {
        return Some("the timer does not take what is due");
    }
    let queue = context.queue.standing();
    let is_idle = queue.depth > 0 && queue.longest_wait > QUEUE_LIMIT && queue.last_turn > QUEUE_LIMIT;
    (is_idle && context.candidacy.leads()).then_some("nothing of what is queued is worked on")
}

#[cfg(test)]
mod tests {
    use super::{QUEUE_LIMIT, TIMER_LIMIT, gauges, stuck};
    use crate::controller::{
        clock,
        context::ControllerContext,
        leadership,
        world::{WorkItem, tests::finish_lists},
    };
    use chrono::TimeDelta;
    use std::{sync::Arc, time::Duration};
    use tokio::time::advance;

    /// One that works, as it only reads.
    async fn at_work() -> Arc<ControllerContext> {
        let mut context = ControllerContext::unconnected();
        context.options.read_only = true;
        let context = Arc::new(context);
        tokio::spawn(leadership::run(Arc::clone(&context)));
        context.candidacy.leadership().awaited().await;
        context
    }

    #[tokio::test]
    async fn only_who_works_tells_what_there_is() {
        for (context, leads) in [(Arc::new(ControllerContext::unconnected()), false), (at_work().await, true)] {
            let before = gauges(&context);
            assert_eq!((before.is_ready, before.leads, before.domain), (false, leads, None));
            context.world(finish_lists);
            let after = gauges(&context);
            assert_eq!((after.is_ready, after.leads, after.domain.is_some()), (true, leads, leads));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_stuck_where_nobody_takes_what_is_due_or_queued() {
        let context = at_work().await;
        context.timer.set(&"acme".into(), Some(clock::now() - TimeDelta::hours(1)));
        assert_eq!(stuck(&context), None);
        advance(TIMER_LIMIT + Duration::from_secs(1)).await;
        assert_eq!(stuck(&context), Some("the timer does not take what is due"));
        context.timer.due(clock::now).await;
        assert_eq!(stuck(&context), None);

        let standby = ControllerContext::unconnected();
        let item = WorkItem::Organization("acme".into());
        context.queue.add(item.clone());
        standby.queue.add(item.clone());
        assert_eq!(stuck(&context), None);
        advance(QUEUE_LIMIT + Duration::from_secs(1)).await;
        assert_eq!(stuck(&context), Some("nothing of what is queued is worked on"));
        assert_eq!(stuck(&standby), None);
        // It is worked on, though there is more.
        context.queue.add(WorkItem::Organization("globex".into()));
        assert_eq!(context.queue.next().await, item);
        assert_eq!(stuck(&context), None);
    }
}

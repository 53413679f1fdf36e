//! How the operator is, and what there is, in numbers.

use super::{clock, context::ControllerContext, queue::QueueStanding};
use crate::metrics::{DomainGauges, Gauges, InstanceEnd, QueueDepth};
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
    Gauges { is_ready, leads, queues, domain: (is_ready && leads).then(|| domain(context)) }
}

fn domain(context: &ControllerContext) -> DomainGauges {
    let now = clock::now();
    let outputs = context.tallies.all();
    let ends = if context.options.tells_each_instance { ends(context) } else { Vec::new() };
    DomainGauges { outputs, ends, ..context.world(|world| world.figures(now)) }
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
